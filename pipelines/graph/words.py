"""Parts of a definition in words: conditions, loops, operands; and its arrows, with what flows along them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
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
from pipelines.definition.texts import one_line
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


@dataclass(frozen=True)
class Arrow:
    """`solid` where a branch is taken or data flows; the words are the branch, the outputs, or an unusual trigger."""

    upstream: str
    downstream: str
    solid: bool
    words: str = ""


def arrows(definition: Definition) -> Iterator[Arrow]:
    """One arrow per pair of steps: a branch, else the data that flows, else the mere order."""
    kinds: dict[tuple[str, str], Edge] = {}
    for edge in edges(definition):
        known = kinds.setdefault((edge.upstream, edge.downstream), edge)
        if edge.kind == DATA and known.kind not in (BRANCH, BODY):
            kinds[edge.upstream, edge.downstream] = edge
    for (upstream, downstream), edge in kinds.items():
        step = definition.step(downstream)
        if edge.kind in (BRANCH, BODY) and step.parent is not None:
            yield Arrow(upstream, downstream, solid=True, words=_BRANCHES[step.parent.branch])
        elif edge.kind == DATA:
            yield Arrow(upstream, downstream, solid=True, words=", ".join(_outputs_read(step, upstream)))
        else:
            yield Arrow(upstream, downstream, solid=False, words="" if edge.trigger == COMPLETED else edge.trigger)


def ordered(definition: Definition) -> tuple[str, ...]:
    """The order of running; of the document, when a cycle leaves no order."""
    try:
        return order(definition)
    except DefinitionError:
        return tuple(step.name for step in definition.all_steps())


def condition_in_words(step: Step) -> str:
    """The conditions of a Condition step as a sentence, without the `if`."""
    conditions = step.arguments.get("Conditions")
    return shortened(_all(conditions, " and ")) if conditions else "true"


def loop_in_words(step: Step) -> str:
    value = step.arguments.get("IterableItems")
    listed = ", ".join(map(operand, value)) if isinstance(value, list) else operand(value)
    return shortened(f"for each of {listed}")


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
            listed = ", ".join(map(operand, values)) if isinstance(values, list) else operand(values)
            word = "is one of" if kind == "In" else "is none of"
            return f"{operand(condition.get('QueryValue'))} {word} {listed}"
        case str() if kind in _WORDS:
            return f"{operand(condition.get('LeftValue'))} {_WORDS[kind]} {operand(condition.get('RightValue'))}"
        case _:
            return "?"


def operand(value: Any) -> str:
    """A value of the definition as a user would write it."""
    if isinstance(value, (dict, list)) and not is_expression(value):
        return "…"
    return one_line(_words(parse_expression(value)))


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


def shortened(text: str, limit: int = _LIMIT) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


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
