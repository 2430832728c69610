"""The recipe's sections as they are written: what may stand under each key of `sources`, `joins`, `split`, `target`.

recipe/reader.py turns them into recipe/model.py; the schema and the reference page are made from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing.columns import ColumnType, Place
from processing.nearest import suggestion
from processing.recipe.fields import Fields
from processing.recipe.model import Feature
from processing.recipe.options import (
    Choice,
    ColumnName,
    ColumnNames,
    Flag,
    Real,
    Schema,
    Section,
    Text,
    Texts,
    Whole,
    mapping_schema,
    option,
    read_options,
)
from processing.recipe.scope import Scope
from processing.task import Task
from processing.transforms.registry import TRANSFORMS

KEYABLE = (ColumnType.STRING, ColumnType.INTEGER)
"""Another type prints differently from engine to engine, and the key's text is hashed."""
TIMES = (ColumnType.INTEGER, ColumnType.DATE, ColumnType.TIMESTAMP)
FORMATS = ("csv", "parquet", "json")
SLICEABLE = (*KEYABLE, ColumnType.BOOLEAN)
MOST_SLICES = 10
_SHARE = Real(0.001, 0.998)


@dataclass(frozen=True)
class ColumnTypes:
    """A map of column names to types: the type of each (None where it is wrong) and its place."""

    def read(self, fields: Fields, key: str, _scope: Scope) -> dict[str, tuple[ColumnType | None, Place]]:
        inner = fields.fields(key, f"'{key}' of {fields.what}")
        if inner is None:
            return {}
        kinds = [kind.value for kind in ColumnType]
        found: dict[str, tuple[ColumnType | None, Place]] = {}
        for name in inner.keys:
            before = len(inner.problems)
            kind = ColumnType(inner.choice(name, kinds))
            found[name] = (kind if len(inner.problems) == before else None, inner.place_of(name))
        return found

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"enum": [str(kind) for kind in ColumnType]}}

    def words(self) -> str:
        return f"map of column names to {', '.join(f'`{kind}`' for kind in ColumnType)}"


@dataclass(frozen=True)
class Pairs:
    """Columns that both sides of a join have, or a map where the names differ: pairs of names."""

    def read(self, fields: Fields, key: str, _scope: Scope) -> tuple[tuple[str, str], ...]:
        if not fields.is_mapping(key):
            return tuple((name, name) for name in fields.texts(key))
        inner = fields.fields(key, f"'{key}'")
        return tuple((name, inner.text(name)) for name in inner.keys) if inner is not None else ()

    def schema(self) -> Schema:
        names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
        return {"anyOf": [*names["anyOf"], {"type": "object", "additionalProperties": {"type": "string"}}]}

    def words(self) -> str:
        return "column, list of columns, or map of the first source's columns to this one's"


@dataclass(frozen=True, kw_only=True)
class SourceSection:
    """Files of one processing input, or what SQL selects from other sources.

    The rows of the first source are the rows of the feature table.
    """

    input: str | None = option(Text(), "The processing input that holds the files.", default=None)
    files: tuple[str, ...] = option(Texts(), "Names or globs below the input's folder.", default=())
    format: str = option(
        Choice(FORMATS),
        "`csv` with a header, `parquet`, or `json` (one object a line); `.gz` is unpacked for the first and last.",
        default="csv",
    )
    select: str | None = option(
        Text(),
        "Instead of files: one SELECT over the sources under `from`, each a table with its declared columns. A "
        "column under `known_after` may stand in its list only where the output is the target or is itself under "
        "`known_after`, and nowhere else (it would choose rows).",
        default=None,
    )
    of: tuple[str, ...] = option(Texts(), "The sources that `select` reads; they need no join.", default=(), key="from")
    null_text: tuple[str, ...] = option(Texts(empty=True), "Texts that mean null, beside the empty field.", default=())
    delimiter: str = option(Text(length=1), "What stands between the fields.", default=",")
    columns: Mapping[str, tuple[ColumnType | None, Place]] = option(
        ColumnTypes(), "The columns that may be used, with their types; the others are not read."
    )

    def check(self, fields: Fields) -> None:
        from_files = self.input is not None and self.files and self.select is None and not self.of
        selected = self.select is not None and self.of and self.input is None and not self.files
        if not from_files and not selected:
            self._refuse(fields)
        for pattern in (self.input or "", *self.files):
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                fields.refuse("files", f"'{pattern}' leaves the input's folder", "name files below the input's folder")

    def _refuse(self, fields: Fields) -> None:
        """Neither files nor a select, or half of each: told as the key that is missing."""
        selects = self.select is not None or bool(self.of)
        if selects and (self.input is not None or self.files):
            fields.refuse(None, f"{fields.what} has both files and a select", "remove 'input' and 'files', or 'select'")
            return
        wanted = {"select": self.select, "from": self.of} if selects else {"input": self.input, "files": self.files}
        for key, value in wanted.items():
            if not value:
                fields.refuse(None, f"{fields.what} lacks '{key}'", f"add '{key}: …'")


@dataclass(frozen=True, kw_only=True)
class OutputSection:
    """How the three tables are written."""

    format: str = option(
        Choice(("parquet", "csv")),
        "`parquet`; or `csv` without a header, the target first and no key: what SageMaker's XGBoost algorithm reads.",
        default="parquet",
    )
    order: str = option(
        Choice(("auto", "hash", "none")),
        "`hash`: in the order of the key's hash, one file for each split, the same on every run. `none`: as it comes. "
        "`auto`: `hash` up to 500,000 rows; sorting more than that would double the time.",
        default="auto",
    )
    row_group: int = option(Whole(2048, 10_000_000), "Rows of a Parquet row group.", default=30_720)
    file_megabytes: int = option(Whole(1, 100_000), "Where a file ends and the next begins.", default=256)


@dataclass(frozen=True)
class SliceColumns(ColumnNames):
    """A few columns, each with the name it is given: pairs of name and column."""

    most: int

    def read(self, fields: Fields, key: str, scope: Scope) -> tuple[tuple[str, Any], ...]:
        names = fields.texts(key)
        columns = [scope.checked(name, fields, key, self.types) for name in names]
        if len(names) > self.most:
            fields.refuse(key, f"'{key}' names {len(names)} columns; {self.most} are the most", "name the main ones")
        # SQL engines do not tell names apart by their case, and each becomes a column of the test split.
        if len({name.lower() for name in names}) < len(names):
            fields.refuse(key, f"'{key}' names a column twice", "name each column once")
        return tuple(zip(names, columns, strict=True))

    def schema(self) -> Schema:
        several = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": self.most}
        return {"anyOf": [{"type": "string"}, several]}

    def words(self) -> str:
        return f"{super().words()}, {self.most} at most"


@dataclass(frozen=True, kw_only=True)
class EvaluationSection:
    """What the evaluation is told beside the features."""

    slices: Any = option(
        SliceColumns(SLICEABLE, MOST_SLICES),
        "Columns by whose values every measure is told apart. They need not be features; the test split holds them as "
        "texts `slice.<name>`, and training never sees them. One that is known only after the target is refused.",
    )


@dataclass(frozen=True, kw_only=True)
class JoinSection:
    """A left join of the first source with another one, which holds at most one row for each of its rows."""

    source: str = option(Text(), "The other source.")
    on: tuple[tuple[str, str], ...] = option(Pairs(), "The columns that have to be equal.")


@dataclass(frozen=True, kw_only=True)
class _Hashed:
    """What every split has: the hash that orders rows, and makes the folds of target encoding."""

    salt: str = option(Text(), "Another salt makes another draw.", default="")


@dataclass(frozen=True, kw_only=True)
class HashSplitSection(_Hashed):
    """By a hash of the key: the same row goes to the same split, whatever the other rows, the files or the engine."""

    train: float = option(_SHARE, "The fraction of training.")
    validation: float = option(_SHARE, "The fraction of validation.")
    test: float = option(_SHARE, "The fraction of test; the three add up to 1.")
    by: tuple[Any, ...] = option(
        ColumnNames(KEYABLE), "A part of the key whose rows stay together.", default=(), given="the key"
    )
    stratify: bool = option(
        Flag(),
        "Keep the fractions within each class of the target, to a row. A row may then change its split when others "
        "come or go.",
        default=False,
    )

    def check(self, fields: Fields) -> None:
        check_shares(self, fields)
        if self.stratify and self.by:
            fields.refuse("stratify", "rows that stay together cannot be parted by class", "remove 'stratify' or 'by'")


@dataclass(frozen=True, kw_only=True)
class TimeSplitSection(_Hashed):
    """By time: training is before validation, validation before test, and rows of one time stay together."""

    time: tuple[Any, ...] = option(
        ColumnNames(TIMES), "A date, a timestamp or a whole number; or the three whole numbers year, month and day."
    )
    train: float | None = option(_SHARE, "The fraction of the distinct times.", default=None)
    validation: float | None = option(_SHARE, "The fraction of the distinct times.", default=None)
    test: float | None = option(_SHARE, "The fraction of the distinct times; the three add up to 1.", default=None)
    validation_from: str | None = option(Text(), "Instead of fractions: the first time of validation.", default=None)
    test_from: str | None = option(Text(), "Instead of fractions: the first time of test.", default=None)

    def check(self, fields: Fields) -> None:
        three = [self.train, self.validation, self.test]
        two = [self.validation_from, self.test_from]
        by_cuts = None not in two and three == [None] * 3
        by_shares = None not in three and two == [None] * 2
        if not by_cuts and not by_shares:
            what = "a split by time needs the three fractions, or 'validation_from' and 'test_from'"
            fields.refuse(None, what, "add 'train: 0.7, validation: 0.15, test: 0.15'")
        if by_shares:
            check_shares(self, fields)
        if len(self.time) not in (0, 1, 3):
            fields.refuse("time", "'time' is one column, or year, month and day", "write 'time: [year, month, day]'")


@dataclass(frozen=True, kw_only=True)
class ColumnSplitSection(_Hashed):
    """By a column that says it."""

    column: Any = option(ColumnName(KEYABLE), "The column.")
    train: tuple[str, ...] = option(Texts(), "The values that mean training.", default=("train",))
    validation: tuple[str, ...] = option(Texts(), "The values that mean validation.", default=("validation",))
    test: tuple[str, ...] = option(Texts(), "The values that mean test.", default=("test",))

    def check(self, fields: Fields) -> None:
        seen: set[str] = set()
        for key, values in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            for value in values:
                if value in seen:
                    fields.refuse(key, f"'{value}' is named for two splits", "name each value once")
                seen.add(value)


SPLIT_WAYS: dict[str, type] = {"time": TimeSplitSection, "column": ColumnSplitSection}
"""The key that tells the way of a split; without one it is by hash."""


def check_shares(section: Any, fields: Fields) -> None:
    total = section.train + section.validation + section.test
    if abs(total - 1) > 1e-9:
        what = f"the fractions add up to {total:g}, not to 1"
        fields.refuse(None, what, "write 'split: {train: 0.8, validation: 0.1, test: 0.1}'")


@dataclass(frozen=True, kw_only=True)
class TargetSection:
    """What is learned, where more is to be said than the column or the comparison."""

    column: str = option(Text(), "A column, or a comparison such as `arr_delay > 15`.")
    classes: tuple[str, ...] = option(
        Texts(),
        "The classes in their order.",
        default=(),
        given="those of training, in the order of their text or number",
    )
    unseen: str = option(
        Choice(("refuse", "drop")),
        "Rows outside training whose class training does not have: end the step, or leave them out and count them.",
        default="refuse",
    )


@dataclass(frozen=True)
class Sections:
    """A map of names to sections, or a list of them: each with its fields, for what is to be said of it later."""

    cls: type
    word: str
    named: bool

    def read(self, fields: Fields, key: str, scope: Scope) -> list[tuple[str, Any, Fields]]:
        found = []
        for name, inner in self._each(fields, key):
            section: Any = read_options(self.cls, inner, scope)
            inner.finish()
            found.append((name, section, inner))
        return found

    def _each(self, fields: Fields, key: str) -> Iterator[tuple[str, Fields]]:
        if not self.named:
            yield from (("", item) for item in fields.items(key, f"a {self.word}"))
            return
        outer = fields.fields(key, f"'{key}'")
        for name in outer.keys if outer is not None else ():
            inner = outer.fields(name, f"{self.word} '{name}'") if outer is not None else None
            if inner is not None:
                yield name, inner

    def schema(self) -> Schema:
        one = mapping_schema(self.cls)
        if self.named:
            return {"type": "object", "minProperties": 1, "additionalProperties": one}
        return {"type": "array", "items": one}

    def words(self) -> str:
        return f"{'map of names to' if self.named else 'list of'} {self.word}s"


@dataclass(frozen=True)
class SplitWay:
    """One of the ways to split, told by the key that only it has."""

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        inner = fields.fields(key, f"'{key}'")
        if inner is None:
            return None
        cls = next((way for name, way in SPLIT_WAYS.items() if name in inner.keys), HashSplitSection)
        section: Any = read_options(cls, inner, scope)
        inner.finish()
        return section

    def schema(self) -> Schema:
        return {"anyOf": [mapping_schema(cls) for cls in (HashSplitSection, *SPLIT_WAYS.values())]}

    def words(self) -> str:
        return "a split by hash, by time or by a column"


@dataclass(frozen=True)
class TargetForm:
    """A column or a comparison as a lone text, or a mapping; with the fields that it was read from."""

    def read(self, fields: Fields, key: str, scope: Scope) -> tuple[TargetSection, Fields] | None:
        inner = fields.lone(key, "column") or fields.fields(key, f"'{key}'")
        if inner is None:
            return None
        section = read_options(TargetSection, inner, scope)
        inner.finish()
        return section, inner

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, mapping_schema(TargetSection)]}

    def words(self) -> str:
        return "column, comparison, or mapping"


@dataclass(frozen=True)
class Features:
    """A map of names to features, each read by the class of its transform."""

    def read(self, fields: Fields, key: str, scope: Scope) -> tuple[Feature, ...]:
        outer = fields.fields(key, f"'{key}'")
        if outer is None:
            return ()
        if not outer.keys:
            outer.refuse(None, f"'{key}' is empty", "add 'distance: {transform: passthrough, column: distance}'")
        inner = [(name, outer.fields(name, f"feature '{name}'")) for name in outer.keys]
        found = [self._feature(name, one, scope) for name, one in inner if one is not None]
        return tuple(feature for feature in found if feature is not None)

    def _feature(self, name: str, fields: Fields, scope: Scope) -> Feature | None:
        kind = fields.text("transform")
        if kind not in TRANSFORMS:
            if kind:
                fields.refuse("transform", f"no transform '{kind}'", suggestion(kind, TRANSFORMS))
            return None
        transform = read_options(TRANSFORMS[kind], fields, scope)
        fields.finish()
        return Feature(name, transform, fields.place_of("formula" if "formula" in fields.keys else "column"))

    def schema(self) -> Schema:
        each = []
        for name, cls in TRANSFORMS.items():
            one = mapping_schema(cls)
            one["properties"] = {"transform": {"const": name}, **one["properties"]}
            one["required"] = ["transform", *one.get("required", [])]
            each.append({"if": {"properties": {"transform": {"const": name}}}, "then": one})
        known = {"transform": {"enum": list(TRANSFORMS)}}
        feature = {"type": "object", "required": ["transform"], "properties": known, "allOf": each}
        return {"type": "object", "minProperties": 1, "additionalProperties": feature}

    def words(self) -> str:
        return "map of names to features"


@dataclass(frozen=True, kw_only=True)
class RecipeSection:
    """The whole of a recipe."""

    sources: Any = option(Sections(SourceSection, "source", named=True), "The files; the first source gives the rows.")
    joins: Any = option(Sections(JoinSection, "join", named=False), "How the other sources are joined.", default=())
    key: Any = option(ColumnNames(KEYABLE), "Columns of the first source that name a row; no two rows share a key.")
    target: Any = option(
        TargetForm(), "What is learned. A row whose target is null is left out, and counted in quality.json."
    )
    task: Any = option(
        Choice(tuple(Task)),
        "The kind of the target.",
        default=None,
        given="binary for a comparison or a boolean, multiclass for a string, regression for a number",
    )
    known_after: Any = option(
        Texts(empty=True),
        "Columns (of any source, declared or not) that are known only after the target: a feature, a key or a split "
        "that depends on one is refused. The target's own column is always among them.",
        default=(),
    )
    split: Any = option(
        SplitWay(), "Which rows train, validate and test.", default=None, given="by hash: 0.8, 0.1, 0.1"
    )
    features: Any = option(Features(), "The columns of the feature table, in this order.")
    evaluation: Any = option(Section(EvaluationSection), "How the evaluation is broken down.", default=None)
    output: Any = option(Section(OutputSection), "How the tables are written.", default=None)
