"""Modules of AWS's toolkits that scripts import and seldom use: they can be imported, and have nothing."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(
        f"{__name__}.{name} is not part of the stand-in for AWS's image: run the real one (--runner docker)"
    )
