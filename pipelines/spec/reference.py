"""The reference of pipeline.yaml, docs/reference/pipeline-yaml.md: every key, from the types of `model.py`.

`python -m pipelines.spec.reference` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pipelines.spec import expressions
from pipelines.spec.conditions import Condition
from pipelines.spec.expressions import ENVIRONMENT_VALUES, EXECUTION_VARIABLES, Template
from pipelines.spec.kinds import is_record, keys, options, range_words, unwrap
from pipelines.spec.limits import Between, Doc, Duration, Pattern
from pipelines.spec.model import BUILT_IN, JobDefaults, Pipeline
from pipelines.spec.schema import plain_default

FILE = Path(__file__).parents[2] / "docs" / "reference" / "pipeline-yaml.md"
_WORDS = {
    str: "text",
    Template: "text with `${{ }}`",
    Condition: "condition",
    Duration: "time",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Any: "anything",
}
_HEAD = """# pipeline.yaml

Every key, generated from the types in `pipelines/spec/model.py` (`python -m pipelines.spec.reference`).
The same types give `pipelines/spec/pipeline.schema.json`; with this line at the top of the file an editor completes and
checks it:

```yaml
# yaml-language-server: $schema=./pipelines/spec/pipeline.schema.json
```

Unknown keys are refused. YAML is read by its version 1.2: `yes`, `no`, `on` and dates are text. Where a number stands
for a text (arguments, environment, hyperparameters) it is given as the number prints: quote what must stay as it is
written, such as `"1.10"` or `"007"`. A time is a whole number and one of `s`, `m`, `h`, `d`: `90s`, `30m`, `1h`, `7d`.
"""


def page() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *_sections(), *_expressions()]) + "\n"


def _sections() -> Iterator[str]:
    for model in _records(Pipeline):
        title = "The file" if model is Pipeline else model.__name__
        yield f"## {title}\n\n{model.__doc__}\n"
        yield "| key | value | default | meaning |\n|---|---|---|---|"
        inherited = keys(JobDefaults) if model is not JobDefaults and issubclass(model, JobDefaults) else {}
        for key, (field, hint) in keys(model).items():
            if key not in inherited:
                yield f"| `{key}` | {_value(hint)} | {_default(field, model)} | {_meaning(hint)} |"
        yield "\nAnd every key of [JobDefaults](#jobdefaults).\n" if inherited else ""


def _records(model: Any) -> list[Any]:
    """The types with keys of their own, in the order in which a reader meets them."""
    found = [model]
    for record in found:
        for _, hint in keys(record).values():
            found += [inner for inner in _inner(hint) if inner not in found]
    return found


def _inner(hint: Any) -> Iterator[Any]:
    for option in options(unwrap(hint)[0]):
        kind, _ = unwrap(option)
        if is_record(kind):
            yield kind
        elif get_origin(kind) in (tuple, Mapping):
            yield from _inner(get_args(kind)[0 if get_origin(kind) is tuple else 1])


def _value(hint: Any) -> str:
    kind, beside = unwrap(hint)
    kinds = [option for option in options(kind) if not (option is int and float in options(kind))]
    words = ", ".join(dict.fromkeys(_kind(option) for option in kinds))
    limits = [limit for limit in beside if isinstance(limit, Between | Pattern)]
    return "; ".join([words, *(_limit(limit, kind) for limit in limits)]).replace("|", "\\|")


def _kind(option: Any) -> str:
    kind, beside = unwrap(option)
    if is_record(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{str(value).lower() if value is False else value}`" for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {_value(get_args(kind)[0])}"
    if get_origin(kind) is Mapping:
        return f"map of names to {_value(get_args(kind)[1])}"
    limits = [_limit(limit, kind) for limit in beside if isinstance(limit, Between | Pattern)]
    return "; ".join([_WORDS[kind], *limits])


def _limit(limit: Between | Pattern, kind: Any) -> str:
    if isinstance(limit, Pattern):
        return limit.what
    first = options(kind)[0]
    unit = {str: " characters", tuple: " entries", Mapping: " entries"}.get(get_origin(first) or first, "")
    return range_words(limit, is_time=first is Duration) + unit


def _default(field: Field[Any], model: Any) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "**required**"
    default = plain_default(field)
    if default is None and model is JobDefaults:
        default = getattr(BUILT_IN, field.name)
        default = default.literal if isinstance(default, Template) else default
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case list():
            return f"`[{', '.join(default)}]`"
        case Duration():
            return f"`{default.text}`"
        case int() | float() | str():
            return f"`{default}`"
    return ""


def _meaning(hint: Any) -> str:
    return next(item.text for item in unwrap(hint)[1] if isinstance(item, Doc)).replace("|", "\\|")


def _expressions() -> Iterator[str]:
    _, _, grammar = (expressions.__doc__ or "").partition("\n\n")
    yield f"## Expressions\n\n```\n{grammar.strip()}\n```\n"
    yield f"`env.`: {', '.join(f'`{name}`' for name in ENVIRONMENT_VALUES)}; known when the spec is compiled.\n"
    yield f"`execution.`: {', '.join(f'`{name}`' for name in EXECUTION_VARIABLES)}; known when it runs."


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")
