"""ForEach at run time (CONTRACT.md 1.8), pure: its items, its outputs, and how it ended, from its children's states.

Each item gets one child of every body step, named `<body step>-<index>`. Where the service is not documented:

- An empty list fails the step: a literal list may not be empty either. More than 100 items are refused in a literal
  list only.
- Partial failure: when a child fails (or is stopped) and no sibling waits for exactly that, no further child starts;
  those that run finish. Then the loop is Failed when a child failed, else Stopped when one was stopped or the loop was
  cut short. What siblings handled leaves the loop Succeeded, and the execution CompletedWithFailures.
- The Selector looks at the children that succeeded, when the loop has. Numbers compare with
  numbers, strings with strings; of equal values the first item's is picked. Without a value to compare, the loop fails.
- A loop takes none of the `limit` slots once its children run; MaxConcurrency and the limit both hold for them.
- The text of an item that is no string is its JSON. CurrentItem reaches into JSON objects, also those given as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.definition.expressions import IterationOutputReference, parse_expression
from pipelines.definition.model import Step
from pipelines.definition.paths import Path
from pipelines.definition.step_types import FOR_EACH
from pipelines.local.machine.lookup import LookupFailedError, describe, property_at
from pipelines.local.machine.names import child_name
from pipelines.local.machine.state import ENDED, FAILED, NOT_TAKEN, STOPPED, STOPPING, SUCCEEDED, StepState

_COUNTED: Final = (SUCCEEDED, FAILED, STOPPED)


class LoopError(Exception):
    """A ForEach cannot be executed; the message is its failure reason."""


@dataclass(frozen=True)
class LoopResult:
    """How a ForEach ended, as its StepState says it."""

    status: str
    reason: str | None
    metadata: Mapping[str, Any]
    properties: Mapping[str, Any]


def parse_items(text: Any) -> tuple[Any, ...]:
    """The items of a loop from the value of its IterableItems: the text of a JSON list."""
    if not isinstance(text, str):
        raise LoopError(f"IterableItems is {describe(text)}, where the text of a JSON list is needed")
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoopError(f"IterableItems is not a JSON list: {error}") from error
    if not isinstance(items, list):
        raise LoopError(f"IterableItems is {describe(items)}, where a JSON list is needed")
    if not items:
        raise LoopError("IterableItems is an empty list")
    if None in items:
        raise LoopError(f"item {items.index(None)} of IterableItems is null")
    return tuple(items)


def children(bodies: tuple[str, ...], count: int) -> Iterator[str]:
    """The names of all children of a loop over `count` items, item by item."""
    return (child_name(body, index) for index in range(count) for body in bodies)


def ended(loop: Step, state: StepState, steps: Mapping[str, StepState], handled: Callable[[str], bool]) -> LoopResult:
    """The result of a loop whose children have all ended or will never start.

    `handled` says of a child that failed or was stopped whether a sibling took care of that.
    """
    count = len(state.items or ())
    bodies = tuple(step.name for step in loop.body)
    found = {name: steps[name] for name in children(bodies, count)}
    status, reason = _status(state, found, handled)
    selector: dict[str, Any] = {}
    if status == SUCCEEDED and loop.arguments.get("Selector"):
        try:
            selector = {"Selector": _select(loop.arguments["Selector"], count, found)}
        except LoopError as error:
            status, reason = FAILED, str(error)
    counts = {
        "Status": status,
        "InputItemCount": count,
        "TotalStepCount": len(found),
        **{f"{kind}StepCount": sum(child.status == kind for child in found.values()) for kind in _COUNTED},
    }
    return LoopResult(status, reason, {FOR_EACH: {**counts, **selector}}, counts)


def loop_property(name: str, path: Path, steps: Mapping[str, StepState]) -> Any:
    """What `Steps.<loop>.<path>` means: a count, or a property of one of its children."""
    match path:
        case ("IterationOutputs", int() as index, str() as body, *rest):
            return _output(steps, child_name(body, index), tuple(rest))
        case ("IterationOutputs", *_):
            raise LookupFailedError("an item and a body step are missing: write IterationOutputs[0].BodyStep.Member")
        case ("Selected", *rest):
            picked = steps[name].metadata.get(FOR_EACH, {}).get("Selector")
            if picked is None:
                raise LookupFailedError("the loop has selected no item")
            return _output(steps, child_name(picked["StepName"], picked["Index"]), tuple(rest))
        case _:
            return property_at(steps[name].properties, path)


def _output(steps: Mapping[str, StepState], child: str, path: Path) -> Any:
    state = steps.get(child)
    if state is None or state.status not in ENDED:
        raise LookupFailedError(f'step "{child}" has not run')
    return property_at(state.properties, path)


def _status(state: StepState, found: Mapping[str, StepState], handled: Callable[[str], bool]) -> tuple[str, str | None]:
    broken = [name for name, child in found.items() if child.status in (FAILED, STOPPED) and not handled(name)]
    failed = [name for name in broken if found[name].status == FAILED]
    if failed:
        more = ", …" if len(failed) > 5 else ""
        return FAILED, f"{len(failed)} of {len(found)} steps failed: {', '.join(failed[:5])}{more}"
    cut_short = state.status == STOPPING and any(child.status == NOT_TAKEN for child in found.values())
    if cut_short or broken:
        return STOPPED, None
    return SUCCEEDED, None


def _select(selector: Mapping[str, Any], count: int, found: Mapping[str, StepState]) -> dict[str, Any]:
    field = parse_expression(selector["Field"], where="Selector.Field")
    if not isinstance(field, IterationOutputReference):
        raise LoopError("the Field of the Selector is not an IterationOutput")
    values: dict[int, Any] = {}
    for index in range(count):
        child = found[child_name(field.step, index)]
        if child.status == SUCCEEDED:
            values[index] = _comparable(child, field, index)
    if len({type(value) is str for value in values.values()}) != 1:
        raise LoopError(f"the Selector finds {'numbers and strings' if values else 'no value'} at {field}")
    best = max(values.values()) if selector["Pick"] == "MaxBy" else min(values.values())
    index = next(index for index, value in values.items() if value == best)
    return {"StepName": field.step, "Index": index}


def _comparable(child: StepState, field: IterationOutputReference, index: int) -> Any:
    try:
        value = property_at(child.properties, field.path)
    except LookupFailedError as error:
        raise LoopError(f"{field} is undefined for item {index}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise LoopError(f"{field} of item {index} is {describe(value)}, where a number or a string is needed")
    return value
