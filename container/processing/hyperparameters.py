"""The training job's hyperparameters: text to text in hyperparameters.json → a typed, frozen value.

Unknown names are refused with the nearest known one; those that begin with `sagemaker_` are the SDK's own. The names
are XGBoost's where it has one; LightGBM is told the same in its own words (training/lightgbm_model.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from processing.errors import Problem, SettingError
from processing.nearest import suggestion

ALGORITHMS = ("xgboost", "lightgbm")


def _setting(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Hyperparameters:
    """The algorithm, the weights of the classes, and the numbers of boosting."""

    algorithm: str = "xgboost"
    class_weight: str = "none"
    """none, balanced, or a JSON object of weights by class: {"0": 1, "1": 5}. It weighs training rows alone."""
    max_rounds: int = _setting(300, 1, 100_000)
    early_stopping_rounds: int = _setting(20, 1, 100_000)
    learning_rate: float = _setting(0.1, 1e-6, 1.0)
    max_depth: int = _setting(5, 1, 32)
    max_bin: int = _setting(256, 2, 65_536)
    min_child_weight: float = _setting(10.0, 0.0, 1e9)
    subsample: float = _setting(1.0, 0.01, 1.0)
    colsample_bytree: float = _setting(0.8, 0.01, 1.0)
    reg_lambda: float = _setting(1.0, 0.0, 1e9)
    reg_alpha: float = _setting(0.0, 0.0, 1e9)
    num_leaves: int = _setting(31, 2, 131_072)
    """LightGBM's alone."""
    seed: int = _setting(0, 0, 2**31 - 1)


def load_hyperparameters(path: Path) -> Hyperparameters:
    """The settings in the job's file; the defaults when there is none."""
    if not path.exists():
        return Hyperparameters()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingError([Problem(str(path), f"not JSON: {error}", "write a JSON object of texts")]) from error
    if not isinstance(document, dict):
        raise SettingError([Problem(str(path), "not a JSON object", "write a JSON object of texts")])
    return read_hyperparameters(document, path.name)


def read_hyperparameters(document: Mapping[str, object], where: str) -> Hyperparameters:
    """The settings as typed values; SettingError with every mistake."""
    known = {item.name: item for item in fields(Hyperparameters)}
    values: dict[str, Any] = {}
    problems = []
    for name, given in document.items():
        if name.startswith("sagemaker_"):
            continue
        # The SDK writes some texts with quotes of their own.
        text = str(given).strip().removeprefix('"').removesuffix('"')
        try:
            values[name] = _value(known, name, text)
        except _Wrong as wrong:
            problems.append(Problem(where, wrong.what, wrong.fix))
    if "num_leaves" in values and values.get("algorithm") != "lightgbm":
        fix = "set algorithm to lightgbm, or remove num_leaves: XGBoost has max_depth"
        problems.append(Problem(where, "'num_leaves' is LightGBM's", fix))
    if problems:
        raise SettingError(problems)
    return Hyperparameters(**values)


class _Wrong(Exception):
    """What is wrong with one setting."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def _value(known: Mapping[str, Field[Any]], name: str, text: str) -> str | int | float:
    if name not in known:
        raise _Wrong(f"no hyperparameter '{name}'", suggestion(name, known))
    match name:
        case "algorithm":
            if text not in ALGORITHMS:
                raise _Wrong(f"'algorithm' is '{text}'", suggestion(text, ALGORITHMS))
            return text
        case "class_weight":
            return _class_weight(text)
        case _:
            return _number(known[name], text)


def _number(item: Field[Any], text: str) -> int | float:
    whole = isinstance(item.default, int)
    low, high = item.metadata["low"], item.metadata["high"]
    try:
        value: int | float | None = int(text) if whole else float(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        what = f"'{item.name}' is '{text}', not {kind} from {low:g} to {high:g}"
        raise _Wrong(what, f"set {item.name} to {item.default}, its default, or another in the range")
    return value


def _class_weight(text: str) -> str:
    if text in ("none", "balanced"):
        return text
    try:
        weights = json.loads(text)
        fits = isinstance(weights, dict) and all(0 < float(weight) < 1e9 for weight in weights.values())
    except (ValueError, TypeError):
        fits = False
    if not fits:
        fix = """write none, balanced, or weights above 0 by class: {"0": 1, "1": 5}"""
        raise _Wrong(f"'class_weight' is '{text}'", fix)
    return text
