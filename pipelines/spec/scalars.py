"""Unquoted YAML scalars → values, by YAML 1.2's core schema."""

from __future__ import annotations

import math
import re

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar. Raises `ValueError` for a number that JSON cannot carry."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return whole_number(text)
    if _FLOAT.fullmatch(text):
        return decimal_number(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON can carry")
    return text


def whole_number(text: str) -> int:
    """Digits, with `0o` or `0x` before them if octal or hexadecimal. Raises `ValueError` beyond 64 bits."""
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text
    # The length first: Python itself refuses to read some thousands of digits.
    if len(digits.lstrip("+-0")) <= 22 and -(2**63) <= (number := int(digits, base)) < 2**63:
        return number
    raise ValueError("a whole number must fit into 64 bits")


def decimal_number(text: str) -> float:
    """A decimal. Raises `ValueError` when it is too large for a double."""
    number = float(text)
    if math.isfinite(number):
        return number
    raise ValueError(f"{text[:20]} is too large a number")
