#!/usr/bin/env python3
"""The algorithm of AWS's XGBoost image: what it trains without a script. Channels, hyperparameters → xgboost-model.

Runs inside a job, started by `script_mode`. Reads the channels train and validation as CSV (the label first, then the
weight with csv_weights, no header), libsvm (what no ContentType means) or Parquet. The model is written as the image's
version does: pickled up to 1.2 (the variable XGBOOST_PICKLE), as XGBoost itself saves it since.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path("/opt/ml")
# Hyperparameters of the image that are none of XGBoost's.
ITS_OWN = ("num_round", "csv_weights", "early_stopping_rounds", "save_model_on_termination", "_tuning_objective_metric")


class Refusal(Exception):
    """The job cannot train; the text says why."""


def kind(content_type: str | None) -> str:
    """How a channel's files are written, by its ContentType."""
    name = (content_type or "libsvm").partition(";")[0].strip().lower()
    known = name.removeprefix("text/").removeprefix("application/").removeprefix("x-")
    if known not in READERS:
        raise Refusal(
            f"ContentType {content_type!r} is not read here: use text/csv, text/libsvm or application/x-parquet"
        )
    return known


def parameters(values: Mapping[str, str]) -> dict[str, Any]:
    """What XGBoost is told, of the job's hyperparameters."""
    found: dict[str, Any] = {name: value for name, value in values.items() if name not in ITS_OWN}
    metrics = [name for name in values.get("eval_metric", "").split(",") if name]
    objective = values.get("_tuning_objective_metric", "").rpartition(":")[2]
    if metrics or objective:
        found["eval_metric"] = list(dict.fromkeys([*metrics, *filter(None, [objective])]))
    return found


def rounds(values: Mapping[str, str]) -> int:
    try:
        return int(values["num_round"])
    except KeyError:
        raise Refusal("the hyperparameter num_round is missing: how many rounds are trained") from None
    except ValueError:
        raise Refusal(f"the hyperparameter num_round is {values['num_round']!r}, not a whole number") from None


def matrix(channel: str, content_type: str | None, weights: bool) -> Any:
    """The rows of a channel."""
    folder = ROOT / "input/data" / channel
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise Refusal(f"no data in the channel {channel}")
    try:
        return READERS[kind(content_type)](files, weights)
    except (ValueError, TypeError) as error:
        hint = "the label comes first, every value is a number, and there is no header"
        raise Refusal(f"channel {channel} cannot be read as {kind(content_type)} ({hint}): {error}") from error


def _csv(files: list[Path], weights: bool) -> Any:
    import pandas

    return _table(pandas.concat([pandas.read_csv(file, header=None) for file in files]), weights)


def _parquet(files: list[Path], _weights: bool) -> Any:
    import pandas

    return _table(pandas.concat([pandas.read_parquet(file) for file in files]), weights=False)


def _table(rows: Any, weights: bool) -> Any:
    import xgboost

    values = rows.to_numpy(dtype="float32")
    first = 2 if weights else 1
    return xgboost.DMatrix(values[:, first:], label=values[:, 0], weight=values[:, 1] if weights else None)


def _libsvm(files: list[Path], _weights: bool) -> Any:
    import numpy
    import scipy.sparse
    import xgboost
    from sklearn.datasets import load_svmlight_files

    read = load_svmlight_files([str(file) for file in files], zero_based=True)
    return xgboost.DMatrix(scipy.sparse.vstack(read[::2]).tocsr(), label=numpy.concatenate(read[1::2]))


READERS: dict[str, Callable[[list[Path], bool], Any]] = {"csv": _csv, "parquet": _parquet, "libsvm": _libsvm}


def train(values: Mapping[str, str], channels: Mapping[str, Any]) -> Any:
    """The model."""
    import xgboost

    if "train" not in channels:
        raise Refusal("there is no channel train")
    weights = values.get("csv_weights") == "1"
    data = {
        name: matrix(name, channels[name].get("ContentType"), weights and name == "train")
        for name in ("train", "validation")
        if name in channels
    }
    patience = values.get("early_stopping_rounds")
    return xgboost.train(
        parameters(values),
        data["train"],
        num_boost_round=rounds(values),
        evals=[(rows, name) for name, rows in data.items()],
        early_stopping_rounds=int(patience) if patience else None,
    )


def save(model: Any) -> None:
    file = ROOT / "model/xgboost-model"
    file.parent.mkdir(parents=True, exist_ok=True)
    if os.environ.get("XGBOOST_PICKLE"):
        file.write_bytes(pickle.dumps(model))
    else:
        file.write_bytes(model.save_raw("ubj"))


def _read(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "input/config" / name).read_text(encoding="utf-8")))


def main() -> None:
    try:
        if len(_read("resourceconfig.json")["hosts"]) > 1:
            raise Refusal("the algorithm trains on one host here: set InstanceCount to 1, or run the real image")
        save(train(_read("hyperparameters.json"), _read("inputdataconfig.json")))
    except Refusal as refusal:
        (ROOT / "output").mkdir(exist_ok=True)
        (ROOT / "output/failure").write_text(str(refusal), encoding="utf-8")
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
