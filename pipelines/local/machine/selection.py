"""Selective execution (CONTRACT.md 1.9): which steps run, and what the others are taken to have given.

`select`: a flow, the steps selected and the execution to copy from in; the restricted flow and the state to begin with
out, or a Refusal in the service's words. `ExecutionStarted` then begins it as any other.

- The selected steps must hang together in the DAG, and every step on a path between two of them is selected too.
- Steps before them are copied from the source, as far as they succeeded there; those that a selected step waits for
  must have ended as it requires (a branch that the source did not take cannot be selected into). Steps after them, the
  branches of a selected Condition included, do not run unless selected.
- The steps in the body of a ForEach are selected with it, not one by one.
- The source must have ended Failed or Succeeded, as the API reference says. The SDK's text adds Stopped, and
  CompletedWithFailures is newer than either: both are refused until someone sees the service accept them
  (SOURCE_STATUSES).
- Copied steps never fail the execution, also when what was copied is a failure that a selected step waits for.
- Parameters are the new execution's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.local.machine.flow import Flow, restrict
from pipelines.local.machine.loops import children
from pipelines.local.machine.readiness import satisfied
from pipelines.local.machine.state import ENDED, FAILED, SUCCEEDED, ExecutionState, Refusal, StepState
from pipelines.nearest import nearest

SOURCE_STATUSES: Final = frozenset({FAILED, SUCCEEDED})
MAX_SELECTED: Final = 50
_INVALID: Final = "ValidationException"


@dataclass(frozen=True)
class Source:
    """The execution that results are copied from."""

    arn: str
    state: ExecutionState


@dataclass(frozen=True)
class Selection:
    """What a selective execution begins with."""

    flow: Flow
    state: ExecutionState


def select(flow: Flow, selected: Sequence[str], source: Source | None = None) -> Selection | Refusal:
    """The restricted flow and the first state of an execution of these steps alone."""
    refusal = _refuse_names(flow, selected) or _refuse_shape(flow, set(selected))
    if refusal:
        return refusal
    chosen = set(selected)
    needed = _needed(flow, chosen)
    refusal = _refuse_source(flow, chosen, needed, source)
    if refusal:
        return refusal
    copied = _copied(flow, _reach(chosen, _upstream(flow)) - chosen, needed, source)
    return Selection(selected_flow(flow, selected, copied), ExecutionState(steps=copied))


def selected_flow(flow: Flow, selected: Iterable[str], steps: Mapping[str, StepState]) -> Flow:
    """The flow of a selective execution again, from the steps of its state: for a retry, or after a restart."""
    copied = (name for name, state in steps.items() if state.selective_source is not None and state.iteration is None)
    return restrict(flow, {*selected, *copied})


def _refuse_names(flow: Flow, selected: Sequence[str]) -> Refusal | None:
    if not 1 <= len(selected) <= MAX_SELECTED:
        return Refusal(_INVALID, f"SelectedSteps has {len(selected)} steps; it must have 1 to {MAX_SELECTED}")
    for name in selected:
        if name not in flow.position:
            close = nearest(name, flow.position)
            hint = f'; the nearest is "{close}"' if close else ""
            return Refusal(_INVALID, f"SelectedSteps: the pipeline has no step [{name}] to select{hint}")
    return None


def _refuse_shape(flow: Flow, selected: set[str]) -> Refusal | None:
    upstream, downstream = _upstream(flow), _downstream(flow)
    between = (_reach(selected, upstream) & _reach(selected, downstream)) - selected
    if between:
        return Refusal(
            _INVALID,
            f"The selected steps {_list(flow, selected)} do not include the steps {_list(flow, between)}, which lie "
            "between them. All steps in all paths between two selected steps must be selected",
        )
    around = {name: (upstream[name] | downstream[name]) & selected for name in selected}
    connected = _reach({min(selected, key=flow.key)}, around)
    if connected != selected:
        return Refusal(
            _INVALID,
            f"The selected steps {_list(flow, selected)} are not connected: {_list(flow, selected - connected)} "
            f"and {_list(flow, connected)} do not depend on one another",
        )
    return None


def _refuse_source(flow: Flow, selected: set[str], needed: set[str], source: Source | None) -> Refusal | None:
    if source is None:
        if not needed:
            return None
        return Refusal(
            _INVALID,
            f"Invalid SourcePipelineExecutionArn: null. The selected steps {_list(flow, selected)} have dependencies "
            f"on {_list(flow, needed)}",
        )
    if source.state.status not in SOURCE_STATUSES:
        return _invalid_source(
            source, f"its status is {source.state.status}; it must be {' or '.join(sorted(SOURCE_STATUSES))}"
        )
    for name in sorted(selected, key=flow.key):
        for requirement in flow.requirements[name]:
            found = source.state.steps.get(requirement.upstream)
            if requirement.upstream in selected or (found is not None and satisfied(requirement, found)):
                continue
            ended = "did not run" if found is None or not found.listed else f"ended {found.status}"
            if found is not None and found.status == SUCCEEDED:
                ended = "took the other branch"
            return _invalid_source(
                source,
                f"The selected steps [{name}] have dependencies on [{requirement.upstream}], which {ended} there",
            )
    return None


def _invalid_source(source: Source, why: str) -> Refusal:
    return Refusal(_INVALID, f"Invalid SourcePipelineExecutionArn: {source.arn}. {why[:1].upper()}{why[1:]}")


def _needed(flow: Flow, selected: set[str]) -> set[str]:
    return {item.upstream for name in selected for item in flow.requirements[name]} - selected


def _copied(flow: Flow, before: set[str], needed: set[str], source: Source | None) -> dict[str, StepState]:
    """The states of the steps before the selected ones, as the source has them, loops with their children."""
    if source is None:
        return {}
    steps = source.state.steps
    kept = [name for name in before if name in steps and _counts(steps[name], name in needed)]
    copied = {}
    for name in sorted(kept, key=flow.key):
        copied[name] = _from(source, steps[name])
        for child in children(flow.bodies.get(name, ()), len(steps[name].items or ())):
            if child in steps and steps[child].status in ENDED:
                copied[child] = _from(source, steps[child])
    return copied


def _counts(state: StepState, needed: bool) -> bool:
    return state.status == SUCCEEDED or (needed and state.status in ENDED)


def _from(source: Source, state: StepState) -> StepState:
    """A result that was itself copied, or came from the cache, is the source's all the same."""
    return replace(state, selective_source=source.arn, cache_hit=None, cache_miss=None)


def _upstream(flow: Flow) -> dict[str, set[str]]:
    return {name: {item.upstream for item in flow.requirements[name]} for name in flow.position}


def _downstream(flow: Flow) -> dict[str, set[str]]:
    return {name: {follower for follower, _ in flow.dependents[name]} for name in flow.position}


def _reach(start: set[str], following: Mapping[str, set[str]]) -> set[str]:
    """All that can be reached from `start`, and `start` itself."""
    reached, front = set(start), list(start)
    while front:
        for name in following[front.pop()] - reached:
            reached.add(name)
            front.append(name)
    return reached


def _list(flow: Flow, names: Iterable[str]) -> str:
    return f"[{', '.join(sorted(names, key=flow.key))}]"
