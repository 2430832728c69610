"""What a well-formed recipe may still get wrong: knowledge from after the fact, unused or repeated joins, names.

In: a `Recipe`. Out: the problems found, each with its place.
"""

from __future__ import annotations

from processing.columns import Column
from processing.errors import Problem
from processing.nearest import suggestion
from processing.recipe.model import Recipe
from processing.recipe.selects import leaks

RESERVED = ("key", "target")
SLICE = "slice."
"""How the columns of the test split begin that are no features."""


def check(recipe: Recipe) -> list[Problem]:
    """Every problem of the recipe."""
    checks = (_joins, _selects, _known_after, _keys, _split, _slices, _names)
    return [problem for one in checks for problem in one(recipe)]


def late_columns(recipe: Recipe) -> frozenset[str]:
    """The columns known only afterwards, as `source.column`; the target's is one, declared or not."""
    late = {str(recipe.target.column)}
    for name, _ in recipe.known_after:
        late.add(name)
        late |= {f"{source}.{name}" for source in recipe.sources}
    return frozenset(late)


def _late(recipe: Recipe, column: Column) -> Column | None:
    """The column known only afterwards through which `column` would leak; None when there is none."""
    late = late_columns(recipe)
    return next((origin for origin in recipe.lineage(column) if str(origin) in late), None)


def _known_after(recipe: Recipe) -> list[Problem]:
    found = []
    for feature in recipe.features:
        for column in feature.transform.columns:
            origin = _late(recipe, column)
            if origin is not None:
                through = "" if origin == column else f" (through the join of '{column.source}')"
                what = f"feature '{feature.name}' uses '{origin}'{through}, known only after the target"
                found.append(Problem(str(feature.place), what, "remove the feature, or build it from another column"))
    return found


def _keys(recipe: Recipe) -> list[Problem]:
    found = []
    place = recipe.base.places[""]
    for column in recipe.key:
        if column.source != recipe.base.name:
            what = f"key column '{column}' is not of the first source"
            found.append(Problem(str(place), what, f"take the key from '{recipe.base.name}'"))
        elif _late(recipe, column) is not None:
            what = f"key column '{column}' is known only after the target, so the split would depend on it"
            found.append(Problem(str(place), what, "take it out of 'key'"))
    return found


def _split(recipe: Recipe) -> list[Problem]:
    """A split by what is known only afterwards would sort rows by their outcome."""
    found = []
    for column in recipe.split.columns:
        origin = _late(recipe, column)
        if origin is not None:
            what = f"the split depends on '{origin}', known only after the target"
            found.append(Problem(str(recipe.base.places[""]), what, "split by another column, or by the key's hash"))
    return found


def _slices(recipe: Recipe) -> list[Problem]:
    """A slice by what is known only afterwards picks rows by their outcome: no measure of it holds for new rows."""
    found = []
    place = str(recipe.evaluation.place)
    for name, column in recipe.evaluation.slices:
        origin = _late(recipe, column)
        if origin is not None:
            through = "" if origin == column else f" (through the join of '{column.source}')"
            what = f"slice '{name}' uses '{origin}'{through}, known only after the target"
            found.append(Problem(place, what, "take it out of 'slices', or name a column that is known before"))
    if recipe.evaluation.slices and recipe.output.format == "csv":
        what = "a test split without header has no place for slices, and the evaluation reads Parquet"
        found.append(Problem(place, what, "remove 'slices', or write 'output: {format: parquet}'"))
    return found


def _joins(recipe: Recipe) -> list[Problem]:
    joined = [join.source for join in recipe.joins]
    selected = {name for source in recipe.sources.values() for name in source.of}
    found = []
    for name in list(recipe.sources)[1:]:
        times = joined.count(name)
        if times != 1 and not (times == 0 and name in selected):
            what = f"source '{name}' is joined {times} times"
            fix = f"write one join 'source: {name}' under 'joins'" if times else f"add '- {{source: {name}, on: […]}}'"
            found.append(Problem(str(recipe.sources[name].places[""]), what, fix))
    return found


def _selects(recipe: Recipe) -> list[Problem]:
    """A select reads sources that are files, and hides nothing that is known only afterwards."""
    found = []
    for source in recipe.sources.values():
        files = [name for name, other in recipe.sources.items() if not other.select]
        for name in source.of:
            if name not in files:
                what = f"source '{source.name}' selects from '{name}', which is no source with files"
                found.append(Problem(str(source.places[""]), what, suggestion(name, files)))
    return found or leaks(recipe, late_columns(recipe))


def _names(recipe: Recipe) -> list[Problem]:
    """Column names are the same to SQL engines whatever their case."""
    seen: dict[str, str] = {name: name for name in RESERVED}
    found = []
    for feature in recipe.features:
        name = feature.name.lower()
        if name in seen:
            what = f"feature '{feature.name}' has the name of '{seen[name]}'"
            found.append(Problem(str(feature.place), what, f"rename it, for example '{feature.name}_2'"))
        elif name.startswith(SLICE):
            what = f"feature '{feature.name}' has the name of a slice"
            found.append(Problem(str(feature.place), what, "rename it: 'slice.' begins the columns of 'evaluation'"))
        seen[name] = feature.name
    return found
