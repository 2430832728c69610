"""What lies in model.tar.gz: the booster, the features.json it was trained for, and training.json about both.

In: a folder or an archive. Out: files, or `Trained`. An archive whose parts do not belong together is refused, so that
a model never meets features of another fit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from processing.archive import unpack
from processing.contract import write_whole
from processing.errors import ModelError, Problem
from processing.jsontext import to_json
from processing.task import Task
from processing.training import lightgbm_model, xgboost_model
from processing.training.interface import Model
from processing.training.reference import Reference, read_reference
from processing.training.schema import FEATURES_FILE, Schema, read_schema

FORMAT = 2
TRAINING_FILE = "training.json"
FIX = "give the model.tar.gz that the training job of this image wrote"

_FILES: Mapping[str, str] = {"xgboost": xgboost_model.FILE, "lightgbm": lightgbm_model.FILE}
_LOADERS: Mapping[str, Callable[[Path], Model]] = {"xgboost": xgboost_model.load, "lightgbm": lightgbm_model.load}
_WRONG = (*xgboost_model.UNREADABLE, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Trained:
    """A model with all that evaluation must know."""

    model: Model
    schema: Schema
    algorithm: str
    threshold: float
    """Chosen on validation; for binary targets alone, else 0.5 without meaning."""
    columns: Mapping[str, Reference]
    """How the training split's columns lay."""
    scores: Mapping[str, Reference]
    """How the scores of the validation split lay."""


def save(folder: Path, model: Model, algorithm: str, features: bytes, document: Mapping[str, Any]) -> None:
    """Write the parts; training.json comes last: where it is, the model is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / _FILES[algorithm])
    write_whole(folder / FEATURES_FILE, features)
    write_whole(folder / TRAINING_FILE, to_json({"format": FORMAT, "algorithm": algorithm, **document}).encode())


def load(archive: Path, scratch: Path) -> Trained:
    """The model of an archive; ModelError when it is none of this image's, or its parts are of different runs."""
    scratch.mkdir(parents=True, exist_ok=True)
    files = unpack(archive, [FEATURES_FILE, TRAINING_FILE], scratch)
    schema = read_schema(files[FEATURES_FILE].read_bytes(), f"{archive.name}/{FEATURES_FILE}")
    try:
        document: Any = json.loads(files[TRAINING_FILE].read_text(encoding="utf-8"))
        algorithm = _checked(document, schema, archive)
        path = unpack(archive, [_FILES[algorithm]], scratch)[_FILES[algorithm]]
        model = _LOADERS[algorithm](path)
        found = Trained(
            model,
            schema,
            algorithm,
            _threshold(document["threshold"]),
            {str(name): read_reference(item) for name, item in document["columns"].items()},
            {str(name): read_reference(item) for name, item in document["scores"].items()},
        )
        _try(found)
    except _WRONG as error:
        first = (str(error).splitlines() or [""])[0]
        raise ModelError(
            [Problem(str(archive), f"the model cannot be read: {type(error).__name__}: {first}", FIX)]
        ) from error
    return found


def _checked(document: Any, schema: Schema, archive: Path) -> str:
    """The algorithm, when training.json and features.json belong together."""
    if document["format"] != FORMAT:
        raise ValueError(f"{TRAINING_FILE} has the format {document['format']}; this image reads {FORMAT}")
    if document["features_sha256"] != schema.digest:
        what = f"{FEATURES_FILE} is not the one that the model was trained with (its digest differs)"
        raise ModelError([Problem(str(archive), what, FIX)])
    algorithm = str(document["algorithm"])
    if algorithm not in _FILES:
        raise ValueError(f"no algorithm '{algorithm}'")
    return algorithm


def _threshold(value: Any) -> float:
    threshold = float(value)
    if not math.isfinite(threshold):
        raise ValueError(f"the threshold is {value}")
    return threshold


def _try(trained: Trained) -> None:
    """One row through the model shows whether it takes these columns and gives scores of the task's shape."""
    shape = trained.model.predict(np.zeros((1, len(trained.schema.columns)), dtype=np.float32)).shape
    wanted = (1, len(trained.schema.classes)) if trained.schema.target.task is Task.MULTICLASS else (1,)
    if shape != wanted:
        raise ValueError(f"the model gives scores of shape {shape}, the target wants {wanted}")
