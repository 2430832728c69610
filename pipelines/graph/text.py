"""A definition as an indented text for a terminal: one line per step, branches and loop bodies below theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.definition import Definition, Edge, Step, edges
from pipelines.definition.graph import BODY, BRANCH
from pipelines.definition.step_types import COMPLETED
from pipelines.definition.texts import one_line
from pipelines.graph.words import condition_in_words, loop_in_words, operand, ordered


def as_text(definition: Definition) -> str:
    """One line per step, with what it waits for; branches and loop bodies indented below it."""
    drawing = _Drawing(definition)
    return "".join(f"{line}\n" for step in drawing.sorted(definition.steps) for line in drawing.lines(step))


class _Drawing:
    """The text drawing; holds what every line needs."""

    def __init__(self, definition: Definition) -> None:
        self._position = {name: index for index, name in enumerate(ordered(definition))}
        self._incoming: dict[str, list[Edge]] = {}
        for edge in edges(definition):
            self._incoming.setdefault(edge.downstream, []).append(edge)

    def sorted(self, steps: Iterable[Step]) -> list[Step]:
        return sorted(steps, key=lambda step: self._position[step.name])

    def lines(self, step: Step) -> Iterator[str]:
        waits = self._waits(step)
        yield f"{one_line(step.name)} ({one_line(step.type)}){f' after {waits}' if waits else ''}"
        groups = list(_groups(step))
        for index, (title, children) in enumerate(groups):
            last = index == len(groups) - 1
            yield f"{'└─' if last else '├─'} {title}"
            yield from (f"{'  ' if last else '│ '} {line}" for line in self._children(children))

    def _children(self, children: tuple[Step, ...]) -> Iterator[str]:
        ordered = self.sorted(children)
        for child in ordered:
            last = child is ordered[-1]
            for index, line in enumerate(self.lines(child)):
                corner = ("└─ " if last else "├─ ") if index == 0 else ("   " if last else "│  ")
                yield f"{corner}{line}"

    def _waits(self, step: Step) -> str:
        """The steps waited for, the parent apart, each once."""
        found: dict[str, str] = {}
        for edge in self._incoming.get(step.name, ()):
            if edge.kind not in (BRANCH, BODY):
                trigger = "" if edge.trigger == COMPLETED else f" ({one_line(edge.trigger)})"
                found[edge.upstream] = found.get(edge.upstream) or trigger
        return ", ".join(f"{one_line(name)}{trigger}" for name, trigger in found.items())


def _groups(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The lines under a step, each with the steps inside it."""
    match step.type:
        case "Condition":
            yield f"if {condition_in_words(step)}", ()
            yield "then", step.if_steps
            if step.else_steps:
                yield "else", step.else_steps
        case "ForEach":
            yield loop_in_words(step), step.body
        case "Fail" if step.arguments.get("ErrorMessage"):
            yield f"says {operand(step.arguments['ErrorMessage'])}", ()
