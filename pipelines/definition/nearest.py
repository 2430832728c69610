"""The nearest existing name to a mistyped one, as for the spec."""

from pipelines.nearest import nearest

__all__ = ["nearest"]
