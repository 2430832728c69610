"""Reads a recipe: YAML text → frozen `Recipe`. Every mistake is told at once, with its line and column.

The function that touches the file is `load_recipe`; `read_recipe` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from processing.columns import Column
from processing.errors import Problem, RecipeError
from processing.nearest import suggestion
from processing.recipe.check import check
from processing.recipe.fields import Fields, as_mapping, compose
from processing.recipe.model import (
    ColumnSplit,
    Evaluation,
    HashSplit,
    Join,
    Output,
    Recipe,
    Source,
    Split,
    Target,
    TimeSplit,
)
from processing.recipe.options import read_option
from processing.recipe.scope import UNKNOWN, Scope
from processing.recipe.sections import (
    ColumnSplitSection,
    HashSplitSection,
    JoinSection,
    OutputSection,
    RecipeSection,
    SourceSection,
    TimeSplitSection,
)
from processing.recipe.target import read_target
from processing.recipe.times import check_cuts
from processing.task import Task


def load_recipe(path: Path) -> Recipe:
    """The recipe in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "name a recipe that exists and is UTF-8 text"
        raise RecipeError([Problem(str(path), f"the recipe cannot be read: {error}", fix)]) from error
    return read_recipe(text, path.name)


def read_recipe(text: str, file: str) -> Recipe:
    """The recipe in a text; `file` is the name for messages. JSON is YAML: features.json holds one, too."""
    node = compose(text, file)
    problems: list[Problem] = []
    fields = Fields(node, file, problems, "the recipe")
    recipe = _recipe(fields, as_mapping(node))
    if not problems:
        problems += check(recipe)
    if problems:
        raise RecipeError(sorted(problems, key=_position))
    return recipe


def _position(problem: Problem) -> tuple[int, int]:
    line, column = problem.where.rsplit(":", 2)[1:]
    return int(line), int(column)


def _recipe(fields: Fields, plain: Mapping[str, object]) -> Recipe:
    nothing = Scope({})
    sources = _sources(read_option(RecipeSection, "sources", fields, nothing) or (), fields)
    written = read_option(RecipeSection, "joins", fields, nothing) or ()
    joins = tuple(_join(section, inner, sources) for _, section, inner in written)
    # A joined source's own copy of the join's columns has to be named in full: `origin` means the first source's.
    copies = {right for join in joins for left, right in join.on if left.name == right.name}
    scope = Scope({name: source.columns for name, source in sources.items()}, frozenset(copies))
    key = read_option(RecipeSection, "key", fields, scope) or ()
    target = _target(fields, scope)
    known_after = read_option(RecipeSection, "known_after", fields, scope) or ()
    recipe = Recipe(
        sources=sources,
        joins=joins,
        key=key,
        target=target,
        known_after=tuple((name, fields.place_of("known_after")) for name in known_after),
        split=_split(fields, key, target, scope),
        features=read_option(RecipeSection, "features", fields, scope) or (),
        plain=plain,
        output=Output(**vars(read_option(RecipeSection, "output", fields, scope) or OutputSection())),
        evaluation=_evaluation(fields, scope),
    )
    fields.finish()
    return recipe


def _sources(written: Iterable[tuple[str, SourceSection, Fields]], fields: Fields) -> dict[str, Source]:
    found = {name: _source(name, section, inner) for name, section, inner in written}
    if not found and fields.is_mapping("sources"):
        fields.refuse("sources", "'sources' is empty", "add 'raw: {input: raw, files: \"*.csv\", columns: {…}}'")
    return found


def _source(name: str, section: SourceSection, fields: Fields) -> Source:
    if "." in name:
        fields.refuse(None, f"source '{name}' has a dot in its name", f"call it '{name.replace('.', '_')}'")
    # An empty field is null on both engines; saying so here spares a surprise.
    null = tuple(dict.fromkeys(["", *section.null_text]))
    # A column whose type is wrong is one mistake; it must not become another wherever it is used.
    columns = {one: Column(name, one, kind) if kind else UNKNOWN for one, (kind, _) in section.columns.items()}
    places = {one: place for one, (_, place) in section.columns.items()}
    where = {"": fields.place, **places}
    form, select = section.format, section.select or ""
    files = section.files
    return Source(name, section.input or "", files, null, section.delimiter, columns, where, form, select, section.of)


def _join(section: JoinSection, fields: Fields, sources: Mapping[str, Source]) -> Join:
    names = list(sources)
    base, others = (names[0] if names else ""), names[1:]
    if section.source and section.source not in others:
        fields.refuse("source", f"'source: {section.source}' is unknown", suggestion(section.source, others))
        return Join(section.source, ())
    left_columns = sources[base].columns if base else {}
    right_columns = sources[section.source].columns if section.source else {}
    pairs = [
        (_side(left, left_columns, base, fields), _side(right, right_columns, section.source, fields))
        for left, right in section.on
    ]
    for one, two in pairs:
        if UNKNOWN not in (one, two) and one.type is not two.type:
            what = f"'{one}' is declared {one.type}, '{two}' {two.type}"
            fields.refuse("on", what, "declare both sides of a join with one type")
    return Join(section.source, tuple(pairs))


def _side(name: str, columns: Mapping[str, Column], source: str, fields: Fields) -> Column:
    if name in columns:
        return columns[name]
    fix = f"{suggestion(name, columns)} Or declare it under the source's 'columns'."
    fields.refuse("on", f"source '{source}' declares no column '{name}'", fix)
    return UNKNOWN


def _target(fields: Fields, scope: Scope) -> Target:
    written = read_option(RecipeSection, "target", fields, scope)
    task = read_option(RecipeSection, "task", fields, scope)
    if written is None:
        return Target(Task.BINARY, UNKNOWN, "")
    section, inner = written
    return read_target(section, Task(task) if task is not None else None, inner, scope)


def _evaluation(fields: Fields, scope: Scope) -> Evaluation:
    section = read_option(RecipeSection, "evaluation", fields, scope)
    return Evaluation() if section is None else Evaluation(section.slices, fields.place_of("evaluation"))


def _split(fields: Fields, key: tuple[Column, ...], target: Target, scope: Scope) -> Split:
    section = read_option(RecipeSection, "split", fields, scope)
    match section:
        case TimeSplitSection(validation_from=first, test_from=second):
            cuts = None if first is None or second is None else (first, second)
            shares = (section.train or 0.0, section.validation or 0.0, section.test or 0.0)
            split = TimeSplit(section.time, cuts, shares, section.salt, key)
            check_cuts(split, fields)
            return split
        case ColumnSplitSection():
            named = (section.train, section.validation, section.test)
            return ColumnSplit(section.column, *named, salt=section.salt, by=key)
        case HashSplitSection():
            _check_by(section, key, fields)
            if section.stratify and target.task is Task.REGRESSION:
                fields.refuse("split", "a number has no classes to stratify by", "remove 'stratify'")
            shares = (section.train, section.validation, section.test)
            return HashSplit(*shares, section.salt, section.by or key, section.stratify)
    return HashSplit(0.8, 0.1, 0.1, "", key)


def _check_by(section: HashSplitSection, key: tuple[Column, ...], fields: Fields) -> None:
    outside = [column for column in section.by if column not in (*key, UNKNOWN)]
    if outside:
        names = ", ".join(column.name for column in key)
        fields.refuse("split", f"'{outside[0]}' is no part of the key", f"take some of the key's columns: {names}")
