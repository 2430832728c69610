"""A SageMaker pipeline definition (JSON, schema 2020-12-01) as a typed, read-only graph. Pure: text in, values out.

`parse` reads; `edges`, `order`, `cycle` and `unknown_references` look at the graph; `expressions` types what stands in
the arguments; `parse_duration` reads a cache's ExpireAfter; `step_types` holds AWS's names.
"""

from __future__ import annotations

from pipelines.definition.document import canonical, digest
from pipelines.definition.durations import parse_duration
from pipelines.definition.expressions import located_references, parse_expression, references
from pipelines.definition.graph import Edge, cycle, edges, order
from pipelines.definition.model import (
    Cache,
    Definition,
    Dependency,
    Parameter,
    Parent,
    PropertyFile,
    RetryPolicy,
    Step,
)
from pipelines.definition.parameters import ParameterError, resolve_parameters
from pipelines.definition.paths import Path, parse_path, render_path
from pipelines.definition.reading import parse
from pipelines.definition.unknown import UnknownReference, unknown_references

__all__ = [
    "Cache",
    "Definition",
    "Dependency",
    "Edge",
    "Parameter",
    "ParameterError",
    "Parent",
    "Path",
    "PropertyFile",
    "RetryPolicy",
    "Step",
    "UnknownReference",
    "canonical",
    "cycle",
    "digest",
    "edges",
    "located_references",
    "order",
    "parse",
    "parse_duration",
    "parse_expression",
    "parse_path",
    "references",
    "render_path",
    "resolve_parameters",
    "unknown_references",
]
