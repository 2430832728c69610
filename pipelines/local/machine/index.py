"""What `advance` needs to know of all steps at once, kept up to date step by step: so that an event costs what it
touches, and one copy of a dict, rather than passes over all steps.

An Index is no state of its own: `Index.of` computes it from the steps whenever it is not at hand, and it always equals
what `of` would give. It belongs to exactly one steps mapping at a time (`owner`), and moves on with the newest.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping

from pipelines.local.machine.flow import Flow
from pipelines.local.machine.loops import children
from pipelines.local.machine.state import ENDED, FAILED, NOT_TAKEN, READY, RUNNING, STARTING, STOPPED, StepState

_DECIDED = ENDED | {NOT_TAKEN}
_Heap = list[tuple[tuple[int, ...], str]]


class Index:
    """`waiting`: undecided step → requirements still open; `running`: steps that take a slot; `starting`: those of
    them that wait for an answer; `retrying`: those that wait for their time; `loops`: open loop → children not ended;
    `busy`: loop → running children; `ready`: by loop ("" outside), in order, perhaps with entries out of date;
    `broken`: failed or stopped steps, `unhandled` those outside loops whose failure nobody waits for.
    """

    def __init__(self, flow: Flow) -> None:
        self.owner: Mapping[str, StepState] | None = None
        self.flow = flow
        self.waiting: dict[str, int] = {}
        self.running: set[str] = set()
        self.starting: set[str] = set()
        self.retrying: set[str] = set()
        self.loops: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.ready: dict[str, _Heap] = {}
        self.broken: set[str] = set()
        self.unhandled: set[str] = set()

    @staticmethod
    def of(flow: Flow, steps: Mapping[str, StepState]) -> Index:
        """The index of these steps, but for `unhandled`, which is the caller's to fill."""
        index = Index(flow)
        for name, state in steps.items():
            index.move(name, None, state)
        open_loops = [name for name, state in steps.items() if _is_open(state)]
        index.loops = Counter({name: index.loops[name] for name in open_loops})
        for name in flow.position:
            index.expect(name, steps)
        for loop in open_loops:
            for name in children(flow.bodies[loop], len(steps[loop].items or ())):
                index.expect(name, steps)
        return index

    def fits(self, flow: Flow, steps: Mapping[str, StepState]) -> bool:
        """Whether this is the index of these steps; the flow may have another limit than before."""
        return self.owner is steps and self.flow.requirements is flow.requirements

    def expect(self, name: str, steps: Mapping[str, StepState]) -> None:
        """A step that may be decided some time: count what it waits for."""
        if name not in steps:
            upstream = (steps.get(requirement.upstream) for requirement in self.flow.required_by(name))
            self.waiting[name] = sum(state is None or state.status not in _DECIDED for state in upstream)

    def move(self, name: str, old: StepState | None, new: StepState) -> None:
        """A step goes from one state to another."""
        self.waiting.pop(name, None)
        _set(self.running, name, _takes_slot(new))
        _set(self.starting, name, new.status == STARTING)
        _set(self.retrying, name, new.wait_until is not None and new.status in RUNNING)
        _set(self.broken, name, new.status in (FAILED, STOPPED) and new.selective_source is None)
        if new.iteration is not None:
            self._move_child(new.iteration.parent, old, new)
        if new.status == READY:
            group = new.iteration.parent if new.iteration else ""
            heapq.heappush(self.ready.setdefault(group, []), (self.flow.key(name), name))
        self._move_loop(name, old, new)

    def _move_child(self, loop: str, old: StepState | None, new: StepState) -> None:
        self.busy[loop] += _takes_slot(new) - _takes_slot(old)
        self.loops[loop] -= (new.status in _DECIDED) - (old is not None and old.status in _DECIDED)

    def _move_loop(self, name: str, old: StepState | None, new: StepState) -> None:
        if _is_open(new) and not _is_open(old):
            self.loops[name] += len(new.items or ()) * len(self.flow.bodies[name])
        elif _is_open(old) and not _is_open(new):
            for kept in (self.loops, self.busy, self.ready):
                kept.pop(name, None)


def _set(names: set[str], name: str, present: bool) -> None:
    if present:
        names.add(name)
    else:
        names.discard(name)


def _is_open(state: StepState | None) -> bool:
    return state is not None and state.items is not None and state.status in RUNNING


def _takes_slot(state: StepState | None) -> bool:
    """An open loop runs, but only its children do work."""
    return state is not None and state.status in RUNNING and state.items is None
