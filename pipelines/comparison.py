"""What differs between two executions: parameters, definition, steps, metrics.

Takes a `Gateway` and two snapshots; gives a `Comparison`. It only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.aws import Gateway
from pipelines.definition import Definition, parse
from pipelines.executions import Execution, StepRun
from pipelines.plan import Change, definition_changes
from pipelines.report import report


@dataclass(frozen=True)
class Difference:
    """One value on both sides; None where a side has none."""

    name: str
    old: str | float | None
    new: str | float | None


@dataclass(frozen=True)
class Comparison:
    """What differs between an older and a newer execution; empty parts are equal."""

    old: Execution
    new: Execution
    parameters: tuple[Difference, ...]
    definition: tuple[Change, ...]
    steps: tuple[Difference, ...]
    metrics: tuple[Difference, ...]


def compare(gateway: Gateway, old: Execution, new: Execution) -> Comparison:
    """Compare two executions of a pipeline. Raises `AwsError`."""
    before, after = _definition(gateway, old), _definition(gateway, new)
    return Comparison(
        old,
        new,
        _differences(_parameters(gateway, old, before), _parameters(gateway, new, after)),
        definition_changes(before, after),
        _differences({step.name: _end(step) for step in old.steps}, {step.name: _end(step) for step in new.steps}),
        _differences(_metrics(gateway, before, old), _metrics(gateway, after, new)),
    )


def _definition(gateway: Gateway, execution: Execution) -> Definition:
    return parse(gateway.execution_definition(execution.arn), where=f"definition of {execution.arn}")


def _parameters(gateway: Gateway, execution: Execution, definition: Definition) -> dict[str, str]:
    """What each parameter was: as it was started with, else its default."""
    defaults = {item.name: str(item.default) for item in definition.parameters if item.default is not None}
    return defaults | gateway.execution_parameters(execution.arn)


def _end(step: StepRun) -> str:
    if step.cached_from:
        return f"{step.status}, from the cache of {step.cached_from.rpartition('/')[2]}"
    return step.status


def _metrics(gateway: Gateway, definition: Definition, execution: Execution) -> dict[str, float]:
    found = report(gateway, definition, execution).metrics
    return {f"{step}.{name}": value for step, values in found.items() for name, value in values.items()}


def _differences(old: Mapping[str, str | float], new: Mapping[str, str | float]) -> tuple[Difference, ...]:
    names = dict.fromkeys((*new, *old))
    return tuple(Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name))
