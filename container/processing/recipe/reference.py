"""The reference of the recipe, docs/reference/recipe.md: every key, from the declarations of sections.py.

`python3 -m processing.recipe.reference` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from processing import task
from processing.recipe.options import Option, options_of
from processing.recipe.sections import (
    SPLIT_WAYS,
    EvaluationSection,
    HashSplitSection,
    JoinSection,
    OutputSection,
    RecipeSection,
    SourceSection,
    TargetSection,
)
from processing.transforms import formula
from processing.transforms.registry import TRANSFORMS

FILE = Path(__file__).parents[3] / "docs" / "reference" / "recipe.md"

_HEAD = """# Recipe

What the features step does with a team's own data: a YAML file in its input `recipe`. Every key, generated from the
declarations in `container/processing/recipe/sections.py` and `container/processing/transforms`
(`python3 -m processing.recipe.reference` in `container/`). The same declarations give `container/recipe.schema.json`;
with this line at the top of a recipe an editor completes and checks it:

```yaml
# yaml-language-server: $schema=../recipe.schema.json
```

A mistake ends the step with its line and column and the nearest known name. Texts are taken as written: `no`, `on` and
dates are texts. A column is named by its name, or as `source.name` where several sources have one.

Statistics are fitted on the training split alone, exactly, and the same on every run; `features.json` holds them.
`quality.json` counts every row and value that does not reach the features as it came: rows without a target, rows of a
class that training lacks, nulls and infinities by column (a number that a 32-bit float cannot hold becomes null), and
by feature what has a treatment of its own (named below).
"""

_SECTIONS: dict[str, type] = {
    "The recipe": RecipeSection,
    "Source": SourceSection,
    "Join": JoinSection,
    "Target": TargetSection,
    "Split by hash": HashSplitSection,
    "Split by time": SPLIT_WAYS["time"],
    "Split by a column": SPLIT_WAYS["column"],
    "Evaluation": EvaluationSection,
    "Output": OutputSection,
}


def page() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *_sections(), *_features(), *_grammar(), *_target()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    for title, cls in _SECTIONS.items():
        yield f"## {title}\n\n{_doc(cls)}\n"
        yield from _table(cls)


def _features() -> Iterator[str]:
    yield "## Features\n\n`name: { transform: …, … }`; the keys of each transform:\n"
    for name, cls in TRANSFORMS.items():
        yield f"### {name}\n\n{_doc(cls)}\n"
        yield from _table(cls)


def _table(cls: type) -> Iterator[str]:
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    options = [one for _, one in options_of(cls)]
    for one in sorted(options, key=lambda one: not one.required):
        cells = [f"`{one.key}`", one.kind.words(), _default(one), one.help]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _default(one: Option) -> str:
    if one.required:
        return "**required**"
    return one.given if " " in one.given else (f"`{one.given}`" if one.given else "")


def _doc(cls: type) -> str:
    lines = [line.strip() for line in (cls.__doc__ or "").strip().splitlines()]
    return "\n".join(lines)


def _grammar() -> Iterator[str]:
    _, _, grammar = (formula.__doc__ or "").partition("\n\n")
    yield f"## Formulas\n\n{grammar.strip()}\n"


def _target() -> Iterator[str]:
    _, _, target = (task.__doc__ or "").partition("\n\n")
    yield f"## What training and evaluation are told\n\n{target.strip()}\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
