"""What features.json says to training and evaluation: the columns in order, the target, the slices, a digest.

In: the bytes of a features.json. Out: `Schema`. The digest names those bytes: the model archive carries both, and a
model meets no other features than its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing.errors import DataError, ModelError, Problem
from processing.task import FittedTarget, Task, read_target

FEATURES_FILE = "features.json"
NOT_FEATURES = ("key", "target")
_FIX = "take the features.json that the features step of this image wrote"


@dataclass(frozen=True)
class Schema:
    """The feature columns and the target that a model is trained for."""

    columns: tuple[str, ...]
    features: Mapping[str, str]
    """The feature of the recipe that each column belongs to."""
    target: FittedTarget
    slices: tuple[str, ...]
    """The columns by which the evaluation is to be broken down."""
    digest: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the numbers in the column `target`."""
        return {Task.BINARY: ("0", "1"), Task.MULTICLASS: self.target.classes, Task.REGRESSION: ()}[self.target.task]


def load_schema(folder: Path) -> Schema:
    """The schema in a folder's features.json."""
    path = folder / FEATURES_FILE
    if not path.is_file():
        fix = f"connect the channel '{folder.name}' to the output 'features' of the features step"
        raise DataError([Problem(str(path), f"the channel '{folder.name}' lacks {FEATURES_FILE}", fix)])
    return read_schema(path.read_bytes(), str(path))


def read_schema(content: bytes, where: str) -> Schema:
    """The schema in the bytes of a features.json; ModelError where they are none."""
    try:
        document: Any = json.loads(content)
        columns = {str(item["name"]): str(item.get("feature", item["name"])) for item in document["columns"]}
        features = {name: feature for name, feature in columns.items() if name not in NOT_FEATURES}
        target, slices = _target(document["target"]), _slices(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError([Problem(where, f"not a {FEATURES_FILE}: {error!r}", _FIX)]) from error
    if not features:
        raise ModelError([Problem(where, "there is no feature column", "add features to the recipe")])
    if target.task is Task.MULTICLASS and len(target.classes) < 2:
        raise ModelError([Problem(where, f"{len(target.classes)} class(es) to tell apart", _FIX)])
    return Schema(tuple(features), features, target, slices, hashlib.sha256(content).hexdigest())


def _target(value: Any) -> FittedTarget:
    """A text alone is the rule of a binary target: the form before there were other tasks."""
    return FittedTarget(Task.BINARY, value, value) if isinstance(value, str) else read_target(value)


def _slices(document: Mapping[str, Any]) -> tuple[str, ...]:
    """`evaluation: {slices: [...]}` of the recipe; none when the recipe says nothing."""
    recipe = document.get("recipe") or {}
    wanted = (recipe.get("evaluation") or {}).get("slices", ())
    return (wanted,) if isinstance(wanted, str) else tuple(str(name) for name in wanted)
