"""A definition's DAG as a picture: a definition in; an indented text for a terminal, or a Mermaid flowchart, out.

Both are deterministic: steps stand in the order in which they may run, as in the document where that is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pipelines.definition import Definition, Edge, Path, Step, edges, order
from pipelines.definition.expressions import (
    Expression,
    Join,
    JsonGet,
    Literal,
    OtherFunction,
    ParameterReference,
    PropertyFileReference,
    StepReference,
    is_expression,
    parse_expression,
)
from pipelines.definition.graph import BODY, BRANCH, DATA
from pipelines.definition.paths import render_path
from pipelines.definition.step_types import COMPLETED
from pipelines.errors import DefinitionError

_WORDS: Final = {
    "Equals": "equals",
    "GreaterThan": "is greater than",
    "GreaterThanOrEqualTo": "is at least",
    "LessThan": "is less than",
    "LessThanOrEqualTo": "is at most",
    "NotEquals": "differs from",
}
_BRANCHES: Final = {"IfSteps": "then", "ElseSteps": "else", "ForEachBody": "for each"}
_LIMIT: Final = 200
# Everything else that is not a letter or digit is written as a character code in Mermaid.
_MERMAID_SAFE: Final = frozenset(" _-.,:/()'=+?!")


def as_text(definition: Definition) -> str:
    """One line per step, with what it waits for; branches and loop bodies indented below it."""
    drawing = _Drawing(definition)
    return "".join(f"{line}\n" for step in drawing.sorted(definition.steps) for line in drawing.lines(step))


def as_mermaid(definition: Definition) -> str:
    """`flowchart TD`: a node per step, data edges with the outputs' names, branch edges with then and else."""
    names = _ordered(definition)
    ids = {name: f"s{index}" for index, name in enumerate(names)}
    nodes = [_node(definition.step(name), ids[name]) for name in names]
    return "".join(f"{line}\n" for line in ["flowchart TD", *nodes, *_arrows(definition, ids)])


def condition_in_words(step: Step) -> str:
    """The conditions of a Condition step as a sentence, without the `if`."""
    conditions = step.arguments.get("Conditions")
    return _shortened(_all(conditions, " and ")) if conditions else "true"


def _ordered(definition: Definition) -> tuple[str, ...]:
    """The order of running; of the document, when a cycle leaves no order."""
    try:
        return order(definition)
    except DefinitionError:
        return tuple(step.name for step in definition.all_steps())


class _Drawing:
    """The text drawing; holds what every line needs."""

    def __init__(self, definition: Definition) -> None:
        self._position = {name: index for index, name in enumerate(_ordered(definition))}
        self._incoming: dict[str, list[Edge]] = {}
        for edge in edges(definition):
            self._incoming.setdefault(edge.downstream, []).append(edge)

    def sorted(self, steps: Iterable[Step]) -> list[Step]:
        return sorted(steps, key=lambda step: self._position[step.name])

    def lines(self, step: Step) -> Iterator[str]:
        waits = self._waits(step)
        yield f"{_printable(step.name)} ({_printable(step.type)}){f' after {waits}' if waits else ''}"
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
                trigger = "" if edge.trigger == COMPLETED else f" ({_printable(edge.trigger)})"
                found[edge.upstream] = found.get(edge.upstream) or trigger
        return ", ".join(f"{_printable(name)}{trigger}" for name, trigger in found.items())


def _groups(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The lines under a step, each with the steps inside it."""
    match step.type:
        case "Condition":
            yield f"if {condition_in_words(step)}", ()
            yield "then", step.if_steps
            if step.else_steps:
                yield "else", step.else_steps
        case "ForEach":
            yield _loop_in_words(step), step.body
        case "Fail" if step.arguments.get("ErrorMessage"):
            yield f"says {_operand(step.arguments['ErrorMessage'])}", ()


def _loop_in_words(step: Step) -> str:
    value = step.arguments.get("IterableItems")
    listed = ", ".join(map(_operand, value)) if isinstance(value, list) else _operand(value)
    return _shortened(f"for each of {listed}")


def _all(conditions: Any, word: str) -> str:
    """Conditions joined by a word; more than one of them in brackets where a bracket is needed."""
    found = [_condition(condition) for condition in conditions] if isinstance(conditions, list) else []
    return word.join(found) or "?"


def _condition(condition: Any) -> str:
    kind = condition.get("Type") if isinstance(condition, dict) else None
    match kind:
        case "Not":
            return f"not ({_condition(condition.get('Condition'))})"
        case "Or":
            return f"({_all(condition.get('Conditions'), ' or ')})"
        case "In" | "NotIn":
            values = condition.get("Values")
            listed = ", ".join(map(_operand, values)) if isinstance(values, list) else _operand(values)
            word = "is one of" if kind == "In" else "is none of"
            return f"{_operand(condition.get('QueryValue'))} {word} {listed}"
        case str() if kind in _WORDS:
            return f"{_operand(condition.get('LeftValue'))} {_WORDS[kind]} {_operand(condition.get('RightValue'))}"
        case _:
            return "?"


def _operand(value: Any) -> str:
    """A value of the definition as a user would write it."""
    if isinstance(value, (dict, list)) and not is_expression(value):
        return "…"
    return _printable(_words(parse_expression(value)))


def _words(expression: Expression) -> str:
    match expression:
        case Literal(value=value):
            return json.dumps(value, ensure_ascii=False)
        case ParameterReference(name=name):
            return name
        case StepReference(step=step, path=path):
            return f"{step}.{render_path(path)}" if path else step
        case PropertyFileReference(step=step, name=name):
            return f"{step}.{name}"
        case Join(on=on, values=values):
            return json.dumps(on.join(map(_inside_text, values)), ensure_ascii=False)
        case JsonGet(source=source, path=path):
            return f"{_words(source)}.{render_path(path)}"
        case OtherFunction(name=name):
            return f"{name}(…)"
        case _:
            return str(expression)


def _inside_text(expression: Expression) -> str:
    if isinstance(expression, Literal):
        return expression.value if isinstance(expression.value, str) else json.dumps(expression.value)
    return f"${{{_words(expression)}}}"


def _printable(text: str) -> str:
    """Text on one line, whatever stands in it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _shortened(text: str) -> str:
    return text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"


def _node(step: Step, node: str) -> str:
    label = f"{_label(step.name)}<br/>{_label(step.type)}"
    match step.type:
        case "Condition":
            return f'    {node}{{"{_label(step.name)}<br/>{_label(condition_in_words(step))}"}}'
        case "Fail":
            return f'    {node}(["{label}"])'
        case "ForEach":
            return f'    {node}[["{_label(step.name)}<br/>{_label(_loop_in_words(step))}"]]'
        case _:
            return f'    {node}["{label}"]'


def _arrows(definition: Definition, ids: dict[str, str]) -> Iterator[str]:
    """One arrow per pair of steps: a branch, else the data that flows, else the mere order (dotted)."""
    kinds: dict[tuple[str, str], Edge] = {}
    for edge in edges(definition):
        known = kinds.setdefault((edge.upstream, edge.downstream), edge)
        if edge.kind == DATA and known.kind not in (BRANCH, BODY):
            kinds[edge.upstream, edge.downstream] = edge
    for (upstream, downstream), edge in kinds.items():
        yield f"    {ids[upstream]} {_arrow(definition, edge)} {ids[downstream]}"


def _arrow(definition: Definition, edge: Edge) -> str:
    step = definition.step(edge.downstream)
    match edge.kind:
        case "branch" | "body" if step.parent is not None:
            return f'-- "{_BRANCHES[step.parent.branch]}" -->'
        case "data":
            return f'-- "{_label(", ".join(_outputs_read(step, edge.upstream)))}" -->'
        case _ if edge.trigger != COMPLETED:
            return f'-. "{_label(edge.trigger)}" .->'
        case _:
            return "-.->"


def _outputs_read(step: Step, upstream: str) -> list[str]:
    """What a step reads of another one: names of outputs and property files, each once."""
    found: dict[str, None] = {}
    for _, reference in step.references:
        match reference:
            case StepReference(step=name, path=path) if name == upstream:
                found[_output_name(path)] = None
            case PropertyFileReference(step=name, name=file) if name == upstream:
                found[file] = None
    return list(found)


def _output_name(path: Path) -> str:
    match path:
        case ("ProcessingOutputConfig", "Outputs", name, *_) | ("OutputParameters", name, *_):
            return str(name)
        case ("ModelArtifacts", *_):
            return "model"
        case _:
            members = [segment for segment in path if isinstance(segment, str)]
            return members[-1] if members else "value"


def _label(text: str) -> str:
    """Text for the inside of a quoted Mermaid label: whatever could end it or mean something is a character code."""
    return "".join(_safe(letter) for letter in _shortened(text))


def _safe(letter: str) -> str:
    if letter in _MERMAID_SAFE or (letter.isalnum() and letter.isprintable()):
        return letter
    return f"#{ord(letter)};" if letter.isprintable() else " "
