"""Reads a recipe: YAML text → frozen `Recipe`. Every mistake is told at once, with its line and column.

The function that touches the file is `load_recipe`; `read_recipe` is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from processing.columns import Column, ColumnType, Place
from processing.errors import Problem, RecipeError
from processing.nearest import suggestion
from processing.recipe.check import check
from processing.recipe.comparison import read_target
from processing.recipe.fields import Fields, as_mapping, compose
from processing.recipe.model import Feature, HashSplit, Join, Recipe, Source, Split
from processing.recipe.options import read_options
from processing.recipe.scope import UNKNOWN, Scope
from processing.transforms.registry import TRANSFORMS

_KEYABLE = (ColumnType.STRING, ColumnType.INTEGER)


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
    sources = _sources(fields)
    joins = tuple(_join(item, sources) for item in fields.items("joins", "a join"))
    # A joined source's own copy of the join's columns has to be named in full: `origin` means the first source's.
    copies = {right for join in joins for left, right in join.on if left.name == right.name}
    scope = Scope({name: source.columns for name, source in sources.items()}, frozenset(copies))
    key = _key(fields, scope)
    recipe = Recipe(
        sources=sources,
        joins=joins,
        key=key,
        target=read_target(fields, scope),
        known_after=tuple((name, fields.place_of("known_after")) for name in fields.texts("known_after", ())),
        split=_split(fields, key, scope),
        features=_features(fields, scope),
        plain=plain,
    )
    fields.finish()
    return recipe


def _sources(fields: Fields) -> dict[str, Source]:
    outer = fields.fields("sources", "'sources'")
    if outer is None:
        return {}
    found = {}
    for name in outer.keys:
        inner = outer.fields(name, f"source '{name}'")
        if inner is not None:
            found[name] = _source(name, inner)
    if not found:
        outer.refuse(None, "'sources' is empty", "add 'raw: {input: raw, files: \"*.csv\", columns: {…}}'")
    return found


def _source(name: str, fields: Fields) -> Source:
    if "." in name:
        fields.refuse(None, f"source '{name}' has a dot in its name", f"call it '{name.replace('.', '_')}'")
    delimiter = fields.text("delimiter", ",")
    if len(delimiter) != 1:
        fields.refuse("delimiter", "a delimiter is one character", "write 'delimiter: \",\"'")
    input_name, files = fields.text("input"), fields.texts("files")
    for pattern in (input_name, *files):
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            fields.refuse("files", f"'{pattern}' leaves the input's folder", "name files below the input's folder")
    # An empty field is null on both engines; saying so here spares a surprise.
    null = tuple(dict.fromkeys(["", *fields.texts("null_text", ())]))
    columns, places = _columns(name, fields)
    source = Source(name, input_name, files, null, delimiter, columns, {"": fields.place, **places})
    fields.finish()
    return source


def _columns(source: str, fields: Fields) -> tuple[dict[str, Column], dict[str, Place]]:
    inner = fields.fields("columns", f"'columns' of source '{source}'")
    if inner is None:
        return {}, {}
    kinds = [kind.value for kind in ColumnType]
    columns = {}
    for name in inner.keys:
        before = len(inner.problems)
        kind = ColumnType(inner.choice(name, kinds))
        # A column whose type is wrong is one mistake; it must not become another wherever it is used.
        columns[name] = Column(source, name, kind) if len(inner.problems) == before else UNKNOWN
    return columns, {name: inner.place_of(name) for name in inner.keys}


def _join(fields: Fields, sources: Mapping[str, Source]) -> Join:
    names = list(sources)
    base, others = (names[0] if names else ""), names[1:]
    source = fields.choice("source", others or [""])
    pairs = []
    for left, right in _pairs(fields):
        left_columns, right_columns = sources[base].columns if base else {}, {}
        if source in sources:
            right_columns = dict(sources[source].columns)
        pairs.append((_side(left, left_columns, base, fields), _side(right, right_columns, source, fields)))
    for one, two in pairs:
        if UNKNOWN not in (one, two) and one.type is not two.type:
            what = f"'{one}' is declared {one.type}, '{two}' {two.type}"
            fields.refuse("on", what, "declare both sides of a join with one type")
    fields.finish()
    return Join(source, tuple(pairs))


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    """`on: [origin, time_hour]`, or `on: {origin: airport}` where the names differ."""
    if not fields.is_mapping("on"):
        return [(name, name) for name in fields.texts("on")]
    inner = fields.fields("on", "'on'")
    return [(name, inner.text(name)) for name in inner.keys] if inner is not None else []


def _side(name: str, columns: Mapping[str, Column], source: str, fields: Fields) -> Column:
    if name in columns:
        return columns[name]
    fix = f"{suggestion(name, columns)} Or declare it under the source's 'columns'."
    fields.refuse("on", f"source '{source}' declares no column '{name}'", fix)
    return UNKNOWN


def _key(fields: Fields, scope: Scope) -> tuple[Column, ...]:
    """Text or whole numbers: another type prints differently from engine to engine, and the key's text is hashed."""
    return tuple(scope.checked(name, fields, "key", _KEYABLE) for name in fields.texts("key"))


def _split(fields: Fields, key: tuple[Column, ...], scope: Scope) -> Split:
    inner = fields.fields("split", "'split'") if fields.has("split") else None
    if inner is None:
        return HashSplit(0.8, 0.1, 0.1, "", key)
    train, validation, test = (inner.number(name, low=0.001, high=0.998) for name in ("train", "validation", "test"))
    by = tuple(scope.resolve(name, inner, "by") for name in inner.texts("by", ())) or key
    split = HashSplit(train, validation, test, inner.text("salt", ""), by)
    if abs(train + validation + test - 1) > 1e-9:
        what = f"the fractions add up to {train + validation + test:g}, not to 1"
        inner.refuse(None, what, "write 'split: {train: 0.8, validation: 0.1, test: 0.1}'")
    outside = [column for column in by if column not in (*key, UNKNOWN)]
    if outside:
        names = ", ".join(column.name for column in key)
        inner.refuse("by", f"'{outside[0]}' is no part of the key", f"take some of the key's columns: {names}")
    inner.finish()
    return split


def _features(fields: Fields, scope: Scope) -> tuple[Feature, ...]:
    outer = fields.fields("features", "'features'")
    if outer is None:
        return ()
    if not outer.keys:
        outer.refuse(None, "'features' is empty", "add 'distance: {transform: passthrough, column: distance}'")
    found = []
    for name in outer.keys:
        inner = outer.fields(name, f"feature '{name}'")
        feature = _feature(name, inner, scope) if inner is not None else None
        if feature is not None:
            found.append(feature)
    return tuple(found)


def _feature(name: str, fields: Fields, scope: Scope) -> Feature | None:
    kind = fields.text("transform")
    if kind not in TRANSFORMS:
        if kind:
            fields.refuse("transform", f"no transform '{kind}'", suggestion(kind, TRANSFORMS))
        return None
    transform = read_options(TRANSFORMS[kind], fields, scope)
    fields.finish()
    return Feature(name, transform, fields.place_of("formula" if "formula" in fields.keys else "column"))
