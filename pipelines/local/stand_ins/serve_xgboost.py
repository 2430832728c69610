#!/usr/bin/env python3
"""What AWS's XGBoost image answers without a script: the predictions of the models in /opt/ml/model.

Loaded by `serve`. Rows come as CSV (no label, no header; an empty value is missing) or libsvm; a batch is answered with
a prediction a line, another request with one line or, where it asks for JSON, as {"predictions": [{"score": …}]}. All
files of the model's folder are models, and their mean is the prediction, unless SAGEMAKER_INFERENCE_ENSEMBLE is false.
A model is what XGBoost itself saved, or a pickle of nothing but a Booster; nothing else of a pickle is ever loaded.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

MODEL = Path("/opt/ml/model")
TEXT, CSV = "text/plain; charset=utf-8", "text/csv; charset=utf-8"
ACCEPTED = ("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv")
KINDS = {"csv": "csv", "text/csv": "csv", "libsvm": "libsvm", "text/libsvm": "libsvm", "text/x-libsvm": "libsvm"}
MEBIBYTE = 1024**2
Answer = tuple[int, str, bytes]


class Refusal(SystemExit):
    """The model cannot be served; the text says why, in the log."""


class Algorithm:
    """Boosters, and what they answer."""

    def __init__(self, boosters: list[Any]) -> None:
        self.boosters = boosters
        self.limit = min(int(os.environ.get("MAX_CONTENT_LENGTH") or 6 * MEBIBYTE), 20 * MEBIBYTE)

    def parameters(self) -> Answer:
        suggested = {
            "MaxConcurrentTransforms": os.cpu_count() or 1,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": self.limit // MEBIBYTE,
        }
        return 200, "application/json", json.dumps(suggested).encode()

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        if not body:
            return 204, TEXT, b""
        kind = KINDS.get(_media(content_type or "text/csv"))
        if not kind:
            return 415, TEXT, f"Content-type {content_type} is not served: send text/csv or text/libsvm\n".encode()
        try:
            rows = READERS[kind](body)
        except Exception as error:  # noqa: BLE001 -- of the readers' libraries, any
            traceback.print_exc()
            return 415, TEXT, f"the body cannot be read as {kind} without a label and a header: {error}\n".encode()
        wanted = _media(accept) if accept not in ("", "*/*") else os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT")
        is_batch = os.environ.get("SAGEMAKER_BATCH")  # where Accept is not looked at
        if wanted and wanted not in ACCEPTED and not is_batch:
            return 406, TEXT, f"Accept {accept} is not served: ask for one of {', '.join(ACCEPTED)}\n".encode()
        try:
            found = self.predict(rows)
        except Exception as error:  # noqa: BLE001 -- XGBoost's own error, whose module is not imported here
            traceback.print_exc()
            return 400, TEXT, f"the rows do not fit the model: {error}\n".encode()
        return _answered(found, wanted or "text/csv")

    def predict(self, rows: Any) -> list[Any]:
        """A prediction, or a list of them, for each row."""
        import numpy

        for booster in self.boosters:
            _fits(booster, rows)
        best = (int(booster.attr("best_iteration") or -1) + 1 for booster in self.boosters)
        each = [
            booster.predict(rows, iteration_range=(0, rounds), validate_features=False)
            for booster, rounds in zip(self.boosters, best, strict=True)
        ]
        return list(numpy.mean(each, axis=0).tolist() if len(each) > 1 else each[0].tolist())


def _answered(found: list[Any], wanted: str) -> Answer:
    if os.environ.get("SAGEMAKER_BATCH"):
        return 200, CSV, "".join(f"{value}\n" for value in found).encode()
    if wanted == "application/json":
        return 200, wanted, json.dumps({"predictions": [{"score": value} for value in found]}).encode()
    return 200, CSV, ",".join(map(str, found)).encode()


def _fits(booster: Any, rows: Any) -> None:
    """XGBoost takes rows with too few columns, and the image as well. Raises ValueError for too many."""
    has, wants = rows.num_col(), booster.num_features()
    if has > wants:
        raise ValueError(f"{has} columns were sent, {wants} were trained on (the label is not sent)")


def _csv(body: bytes) -> Any:
    return importlib.import_module("sagemaker_xgboost_container.encoder").csv_to_dmatrix(body.strip().decode())


def _libsvm(body: bytes) -> Any:
    import numpy
    import scipy.sparse
    import xgboost

    lines = body.strip().decode().split("\n")
    items = [(row, item.partition(":")) for row, line in enumerate(lines) for item in line.split() if ":" in item]
    places = [row for row, _ in items], [int(column) for _, (column, _, _) in items]
    values = numpy.array([float(value) for _, (_, _, value) in items])
    width = max(places[1], default=0) + 1
    return xgboost.DMatrix(scipy.sparse.csr_matrix((values, places), shape=(len(lines), width)))


READERS = {"csv": _csv, "libsvm": _libsvm}


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class _BoosterAlone(pickle.Unpickler):
    """Reads the pickle of a Booster: its class and its bytes; whatever else a pickle names is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in (("xgboost.core", "Booster"), ("builtins", "bytearray")):
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def booster(file: Path) -> Any:
    """The model in a file. Raises `Refusal`."""
    import xgboost

    content = file.read_bytes()
    if content[:1] != b"\x80":
        found = xgboost.Booster()
        try:
            found.load_model(bytearray(content))
        except xgboost.core.XGBoostError as error:
            raise Refusal(f"{file} is no model that XGBoost saved: {str(error).strip().splitlines()[0]}") from error
        return found
    try:
        found = _BoosterAlone(io.BytesIO(content)).load()
    except Exception as error:
        raise Refusal(
            f"{file} is a pickle that is not loaded ({error}): of pickles only a Booster's of XGBoost "
            f"{xgboost.__version__} is. Save the model by its save_model, or serve it by a script with a model_fn of "
            "its own (SAGEMAKER_PROGRAM)"
        ) from error
    if not isinstance(found, xgboost.Booster):
        raise Refusal(f"{file} is a pickle of {type(found).__name__}, not of a Booster: save the model by save_model")
    return found


def load() -> Algorithm:
    """The models of the folder. Raises `Refusal`."""
    if os.environ.get("SAGEMAKER_INFERENCE_OUTPUT"):
        raise Refusal("SAGEMAKER_INFERENCE_OUTPUT: selected contents are not answered here; run the real image")
    files = sorted(path for path in MODEL.iterdir() if path.is_file())
    if not files:
        raise Refusal(f"there is no model in {MODEL}: model.tar.gz has xgboost-model at its top")
    ensemble = os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true") == "true"
    return Algorithm([booster(file) for file in (files if ensemble else files[:1])])
