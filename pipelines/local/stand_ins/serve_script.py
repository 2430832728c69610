#!/usr/bin/env python3
"""What a user's script answers in AWS's scikit-learn and XGBoost images: its model_fn, input_fn, predict_fn, output_fn.

Loaded by `serve`. SAGEMAKER_PROGRAM names the script, SAGEMAKER_SUBMIT_DIRECTORY the folder or archive that it lies in
(/opt/ml/model/code for code/ of model.tar.gz); /opt/ml/code is taken as it is when something lies there already. For a
function that the script lacks the images' own default answers, but for model_fn, which has none; transform_fn stands
for the last three. Texts in CSV and JSON reach the script as text, everything else as bytes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

MODEL = Path("/opt/ml/model")
TEXTS = ("application/json", "text/csv")
JSON = "application/json"
Answer = tuple[int, str, bytes]


class Refusal(SystemExit):
    """The model cannot be served; the text says why, in the log."""


class Script:
    """The functions of a script, and its model."""

    limit = None

    def __init__(self, script: ModuleType) -> None:
        self.script = script
        self.own = {name: getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")}
        self.transform = getattr(script, "transform_fn", None)
        if self.transform and any(self.own.values()):
            raise Refusal(f"{script.__name__} has a transform_fn and one of {', '.join(self.own)}: leave either out")
        if not hasattr(script, "model_fn"):
            raise Refusal(f"{script.__name__} has no model_fn: write model_fn(model_dir), which gives the model")
        self.model = script.model_fn(str(MODEL))

    def parameters(self) -> Answer | None:
        said = getattr(self.script, "execution_parameters_fn", None)
        return answered(said(), JSON) if said else None

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        content_type = content_type or JSON
        content: Any = body.decode() if content_type in TEXTS else body
        if accept in ("", "*/*"):
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON
        if self.transform:
            return answered(self.transform(self.model, content, content_type, accept), accept)
        try:
            rows = (self.own["input_fn"] or default_input)(content, content_type)
        except Exception as error:  # noqa: BLE001 -- raised again, but for one
            return _unsupported(415, error)
        found = (self.own["predict_fn"] or default_predict)(rows, self.model)
        try:
            return answered((self.own["output_fn"] or default_output)(found, accept), accept)
        except Exception as error:  # noqa: BLE001 -- raised again, but for one
            return _unsupported(406, error)


def _unsupported(status: int, error: Exception) -> Answer:
    """The answer to a content type that the toolkit does not know; any other error is the script's."""
    if type(error).__name__ != "UnsupportedFormatError":
        raise error
    return status, JSON, json.dumps({"error": type(error).__name__, "error-message": str(error)}).encode()


def answered(result: Any, accept: str) -> Answer:
    """What a script's function gave, as an answer: a text, bytes, either with its type, or a response of Flask's."""
    if hasattr(result, "get_data"):
        return result.status_code, result.mimetype, result.get_data()
    body, content_type = result if isinstance(result, tuple) and len(result) == 2 else (result, accept)
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray):
        raise TypeError(
            f"the script answered with {type(body).__name__}: give a text or bytes, or either with its type"
        )
    return 200, content_type, bytes(body)


def default_input(content: Any, content_type: str) -> Any:
    """Rows, as the image reads them: a matrix of XGBoost's, or an array."""
    xgboost = _toolkit("sagemaker_xgboost_container.encoder")
    if xgboost:
        return xgboost.decode(content, content_type)
    rows = _encoders().decode(content, content_type)
    return rows.astype("float32") if content_type in TEXTS else rows


def default_predict(rows: Any, model: Any) -> Any:
    if _toolkit("sagemaker_xgboost_container.encoder"):
        return model.predict(rows, validate_features=False)
    return model.predict(rows)


def default_output(found: Any, accept: str) -> Any:
    return _encoders().encode(found, accept), accept


def _encoders() -> Any:
    return importlib.import_module("sagemaker_containers.beta.framework.encoders")


def _toolkit(name: str) -> Any:
    """A module of the image's toolkit, or None in an image that has none such."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            return None
        raise


def module(program: str, code: Path) -> ModuleType:
    """The script, imported. Raises `Refusal`, or what it raises itself."""
    name = program.removesuffix(".py")
    if not (code / f"{name}.py").is_file() and not (code / name / "__init__.py").is_file():
        hint = "SAGEMAKER_SUBMIT_DIRECTORY says where it lies, /opt/ml/model/code for code/ of model.tar.gz"
        place = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
        said = f"in {place}" if place else f"in {code}: {hint}"
        raise Refusal(f"there is no {program} {said}")
    sys.path.insert(0, str(code))
    found: Callable[[str], ModuleType] = importlib.import_module
    return found(name)


def load(train: ModuleType) -> Script:
    """The script that SAGEMAKER_PROGRAM names; `train`, the program of that name, fetches and installs what it needs.

    Raises `Refusal`, or what the script raises.
    """
    place = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
    try:
        if place and not (train.CODE.is_dir() and any(train.CODE.iterdir())):
            train.fetch(place)
        train.install(train.CODE / "requirements.txt")
    except train.Refusal as refusal:
        raise Refusal(str(refusal)) from refusal
    return Script(module(os.environ["SAGEMAKER_PROGRAM"], train.CODE))
