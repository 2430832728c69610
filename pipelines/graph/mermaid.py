"""A definition as a Mermaid flowchart: a node per step, arrows with the outputs' names, branches with then and else."""

from __future__ import annotations

from typing import Final

from pipelines.definition import Definition, Step
from pipelines.graph.words import Arrow, arrows, condition_in_words, loop_in_words, ordered, shortened

# Everything else that is not a letter or digit is written as a character code.
_SAFE: Final = frozenset(" _-.,:/()'=+?!")


def as_mermaid(definition: Definition) -> str:
    """`flowchart TD`, steps in the order in which they may run."""
    names = ordered(definition)
    ids = {name: f"s{index}" for index, name in enumerate(names)}
    nodes = [_node(definition.step(name), ids[name]) for name in names]
    drawn = [f"    {ids[arrow.upstream]} {_line(arrow)} {ids[arrow.downstream]}" for arrow in arrows(definition)]
    return "".join(f"{line}\n" for line in ["flowchart TD", *nodes, *drawn])


def _node(step: Step, node: str) -> str:
    label = f"{_label(step.name)}<br/>{_label(step.type)}"
    match step.type:
        case "Condition":
            return f'    {node}{{"{_label(step.name)}<br/>{_label(condition_in_words(step))}"}}'
        case "Fail":
            return f'    {node}(["{label}"])'
        case "ForEach":
            return f'    {node}[["{_label(step.name)}<br/>{_label(loop_in_words(step))}"]]'
        case _:
            return f'    {node}["{label}"]'


def _line(arrow: Arrow) -> str:
    if arrow.solid:
        return f'-- "{_label(arrow.words)}" -->'
    return f'-. "{_label(arrow.words)}" .->' if arrow.words else "-.->"


def _label(text: str) -> str:
    """Text for the inside of a quoted Mermaid label: whatever could end it or mean something is a character code."""
    return "".join(_safe(letter) for letter in shortened(text))


def _safe(letter: str) -> str:
    if letter in _SAFE or (letter.isalnum() and letter.isprintable()):
        return letter
    return f"#{ord(letter)};" if letter.isprintable() else " "
