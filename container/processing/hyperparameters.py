"""The training job's hyperparameters: text to text in hyperparameters.json → a typed, frozen value.

Unknown names are refused with the nearest known one; those that begin with `sagemaker_` are the SDK's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from processing.errors import Problem, SettingError
from processing.nearest import suggestion


def _setting(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Hyperparameters:
    """XGBoost's, under XGBoost's names where it has one."""

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
    values: dict[str, float] = {}
    problems = []
    for name, text in document.items():
        if name.startswith("sagemaker_"):
            continue
        if name not in known:
            problems.append(Problem(where, f"no hyperparameter '{name}'", suggestion(name, known)))
            continue
        item = known[name]
        value = _value(text, whole=isinstance(item.default, int))
        low, high = item.metadata["low"], item.metadata["high"]
        if value is None or not low <= value <= high:
            kind = "a whole number" if isinstance(item.default, int) else "a number"
            what = f"'{name}' is '{text}', not {kind} from {low:g} to {high:g}"
            problems.append(Problem(where, what, f"set {name} to {item.default}, its default, or another in the range"))
        else:
            values[name] = value
    if problems:
        raise SettingError(problems)
    return Hyperparameters(**values)  # type: ignore[arg-type]


def _value(text: object, *, whole: bool) -> float | None:
    """The number a text holds. The SDK writes some texts with quotes of their own."""
    plain = str(text).strip().strip('"')
    try:
        return int(plain) if whole else float(plain)
    except ValueError:
        return None
