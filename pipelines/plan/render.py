"""A plan for people: plain lines, each change under its symbol (+ ~ -). Colours are the command line's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from pipelines.plan.actions import EnsureImage, UploadFile, in_words
from pipelines.plan.model import Change, FieldChange, Plan

_LONGEST = 160  # characters of a value shown
_MANY = 8  # uploads and images from which on they are counted rather than listed
_MANY_OF: Final[dict[type, str]] = {UploadFile: "files", EnsureImage: "images"}


def render(plan: Plan, source: str = "pipeline.yaml") -> list[str]:
    """Every line of the plan: where, what changes, caches, drift, running executions, what it does.

    `source` is what says what is wanted: a file, a function, a version.
    """
    head = f"{plan.pipeline} in {plan.environment} (account {plan.account}, {plan.region})"
    lines = [head, *_drift(plan), *_changes(plan), *_caches(plan), *_running(plan), *_rest(plan)]
    if not plan.actions:
        return [*lines, "", f"Nothing to do: what is there is what {source} says."]
    return [*lines, "", "To do, in this order:", *_actions(plan)]


def _drift(plan: Plan) -> Iterator[str]:
    if plan.facts.drift:
        yield from ("", "Drift: changed outside of this command, and put back by this plan")
        yield from (f"  ! {line}" for line in plan.facts.drift)


def _changes(plan: Plan) -> Iterator[str]:
    is_new = any(change.symbol == "+" and change.kind == "pipeline" for change in plan.changes)
    shown = [change for change in plan.changes if change.kind not in ("file", "image")]
    if shown:
        yield ""
    # Of a pipeline that is all new, the names of its parts say enough.
    yield from change_lines(shown, briefly=("step", "parameter") if is_new else ())


def change_lines(changes: Iterable[Change], briefly: Collection[str] = ()) -> Iterator[str]:
    """Each change under its symbol, with its fields; of the kinds `briefly` the name alone."""
    for change in changes:
        yield f"{change.symbol} {change.kind} {change.name}".rstrip() + _type(change)
        if change.kind not in briefly:
            told = (item for item in change.fields if item.field != "type" or change.symbol == "~")
            yield from (f"    {_field(change, item)}" for item in told)


def _type(change: Change) -> str:
    """What kind of step or parameter is added."""
    kind = next((item.new for item in change.fields if item.field == "type" and change.symbol == "+"), None)
    return f" ({kind})" if kind else ""


def _field(change: Change, item: FieldChange) -> str:
    if item.old is None:
        symbol = "" if change.symbol == "+" else "+ "
        return f"{symbol}{item.field}: {_short(item.new or '')}"
    if item.new is None:
        return f"- {item.field}: {_short(item.old)}"
    return f"~ {item.field}: {_short(item.old)} → {_short(item.new)}"


def _caches(plan: Plan) -> Iterator[str]:
    told = [effect for effect in plan.facts.caches if effect.effect in ("runs again", "never hits")]
    kept = sum(effect.effect == "kept" for effect in plan.facts.caches)
    if not plan.facts.caches:
        return
    yield from ("", "Caches")
    for effect in told:
        yield f"  {effect.step} {effect.effect}: {'; '.join(map(_short, effect.why))}"
    first = [effect.step for effect in plan.facts.caches if effect.effect == "first run"]
    if first:
        yield f"  no earlier result of {', '.join(first)}"
    if kept:
        yield f"  {kept} cached step{'s keep their results' if kept > 1 else ' keeps its result'}"


def _running(plan: Plan) -> Iterator[str]:
    if plan.facts.running:
        yield from ("", "Running executions keep the definition that they started with")
        yield from (f"  {line}" for line in plan.facts.running)


def _rest(plan: Plan) -> Iterator[str]:
    if plan.facts.notes:
        yield ""
        yield from (f"Note: {line}" for line in plan.facts.notes)
    if plan.facts.unchanged:
        yield from ("", f"Unchanged: {', '.join(plan.facts.unchanged)}")


def _actions(plan: Plan) -> Iterator[str]:
    counts = Counter(type(action) for action in plan.actions)
    for action in plan.actions:
        kind = type(action)
        if isinstance(action, UploadFile | EnsureImage) and counts[kind] > _MANY:
            yield f"  {'upload' if kind is UploadFile else 'build or copy'} {counts.pop(kind)} {_MANY_OF[kind]}"
        elif kind in counts:
            yield f"  {in_words(action)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
