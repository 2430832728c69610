"""Categories: `one_hot`, `ordinal`, `hashing`, `frequency`. A null is a category like any other unless it is filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from processing.columns import Column, ColumnType
from processing.recipe.fields import Fields
from processing.recipe.options import Choice, ColumnName, Section, Text, Texts, Whole, option
from processing.sql.dialect import Dialect
from processing.transforms.interface import (
    CannotFit,
    Count,
    Fitter,
    Lookup,
    Output,
    Rendered,
    Statistics,
    looked_up,
)

DISCRETE = (ColumnType.STRING, ColumnType.INTEGER, ColumnType.BOOLEAN)
MAX_COLUMNS = 500
_RARE = "Categories with fewer training rows are folded into the rest."


@dataclass(frozen=True, kw_only=True)
class Fill:
    """What stands for a null category."""

    way: str = option(
        Choice(("most_frequent", "constant")), "The category of most training rows, or a text.", key="with"
    )
    constant: str | None = option(Text(), "The text of `with: constant`.", default=None, key="value")

    def check(self, fields: Fields) -> None:
        if self.way == "constant" and self.constant is None:
            fields.refuse(None, "a constant needs its value", "write 'impute: {with: constant, value: none}'")


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """What the transforms of a category share."""

    column: Column = option(ColumnName(DISCRETE), "The column.")
    impute: Fill | None = option(Section(Fill, short="with"), "Fill nulls before all else.", default=None)

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def filled(self, fitter: Fitter) -> dict[str, Any]:
        """The statistic that fills nulls."""
        if self.impute is None:
            return {}
        if self.impute.way == "constant":
            return {"impute": self.impute.constant}
        counts = fitter.categories(category(self.column, fitter.dialect))
        present = [(-rows, value) for value, rows in counts if value is not None]
        if not present:
            what = f"'{self.column}' has no value in the training split"
            raise CannotFit(what, "fill it with 'impute: {with: constant, value: none}', or remove the feature")
        return {"impute": min(present)[1]}

    def value(self, statistics: Statistics, dialect: Dialect) -> str:
        """The category's text."""
        text = category(self.column, dialect)
        return f"coalesce({text}, {dialect.text(statistics['impute'])})" if "impute" in statistics else text

    def remarks(self, found: int) -> tuple[str, ...]:
        """What is to be said of a column with so few categories."""
        return () if found > 1 else (f"'{self.column}' has one category only in the training split",)


def category(column: Column, dialect: Dialect) -> str:
    """The column as the text by which its categories are named."""
    return f"CAST({dialect.name(str(column))} AS {dialect.text_type})"


@dataclass(frozen=True, kw_only=True)
class OneHot(Categorical):
    """A 0/1 column for each category with `min_count` training rows, and `…=(other)` for the rest (rare and unseen).

    Rows outside training that fall into `(other)` are counted in quality.json as `in_other`.
    """

    min_count: int = option(Whole(1, 10**12), _RARE, default=1)
    most: int | None = option(
        Whole(1, MAX_COLUMNS), "Keep this many categories, those with the most training rows.", default=None
    )

    def fit(self, fitter: Fitter) -> Statistics:
        filled = self.filled(fitter)
        counts = fitter.categories(self.value(filled, fitter.dialect))
        kept = [(value, rows) for value, rows in counts if rows >= self.min_count]
        if self.most is not None:
            largest = sorted(range(len(kept)), key=lambda index: (-kept[index][1], index))[: self.most]
            kept = [kept[index] for index in sorted(largest)]
        if len(kept) > MAX_COLUMNS:
            what = f"'{self.column}' has {len(kept)} categories; one_hot makes at most {MAX_COLUMNS} columns"
            raise CannotFit(what, "raise 'min_count', or use 'transform: target_encoding'")
        return {**filled, "categories": [value for value, _ in kept], "folded": len(counts) - len(kept)}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value, kept = self.value(statistics, dialect), statistics["categories"]
        tests = [_is(value, one, dialect) for one in kept]
        outputs = [
            Output(f"{name}={'(missing)' if one is None else one}", f"CASE WHEN {test} THEN 1 ELSE 0 END")
            for one, test in zip(kept, tests, strict=True)
        ]
        rest = f"CASE WHEN {_among(value, kept, dialect)} THEN 0 ELSE 1 END" if tests else "1"
        counts = (Count("in_other", f"({rest}) = 1"),)
        remarks = self.remarks(len(kept) + statistics["folded"])
        return Rendered((*outputs, Output(f"{name}=(other)", rest)), counts=counts, remarks=remarks)


def _is(value: str, kept: str | None, dialect: Dialect) -> str:
    return f"{value} IS NULL" if kept is None else f"{value} = {dialect.text(kept)}"


def _among(value: str, kept: Sequence[str | None], dialect: Dialect) -> str:
    tests = [_is(value, None, dialect)] if None in kept else []
    texts = [dialect.text(one) for one in kept if one is not None]
    return " OR ".join([*tests, *([f"{value} IN ({', '.join(texts)})"] if texts else [])])


@dataclass(frozen=True, kw_only=True)
class Ordinal(Categorical):
    """The category's place, from 0; -1 for one that is rare, unseen or not in `order`; null stays null.

    Rows outside training that get -1 are counted in quality.json as `unknown`.
    """

    order: tuple[str, ...] = option(
        Texts(), "The categories from the lowest up.", default=(), given="those of training, by their text"
    )
    min_count: int = option(Whole(1, 10**12), _RARE, default=1)

    def check(self, fields: Fields) -> None:
        repeated = [value for value in self.order if self.order.count(value) > 1]
        if repeated:
            fields.refuse("order", f"'{repeated[0]}' stands twice", "remove one of the two")

    def fit(self, fitter: Fitter) -> Statistics:
        filled = self.filled(fitter)
        counts = fitter.categories(self.value(filled, fitter.dialect))
        kept = [value for value, rows in counts if value is not None and rows >= self.min_count]
        ordered = [value for value in self.order if self.min_count == 1 or value in kept] if self.order else kept
        return {**filled, "categories": ordered}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value = self.value(statistics, dialect)
        rows = tuple((one, None, (float(place),)) for place, one in enumerate(statistics["categories"]))
        known = f"coalesce({looked_up()}, {dialect.number(-1)})"
        output = Output(name, f"CASE WHEN {value} IS NULL THEN NULL ELSE {known} END")
        unknown = Count("unknown", f"{value} IS NOT NULL AND {looked_up()} IS NULL", training=bool(self.order))
        # A lookup needs a row; one that no category meets.
        return Rendered((output,), Lookup(value, rows or ((None, None, (-1.0,)),), None), (unknown,))


@dataclass(frozen=True, kw_only=True)
class Frequency(Categorical):
    """The share of training rows that hold the row's category; 0 for one that training never saw (`unseen`)."""

    def fit(self, fitter: Fitter) -> Statistics:
        filled = self.filled(fitter)
        counts = fitter.categories(self.value(filled, fitter.dialect))
        found = {"rows": sum(rows for _, rows in counts), "counts": [[value, rows] for value, rows in counts]}
        return {**filled, **found}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        rows = tuple((value, None, (count / statistics["rows"],)) for value, count in statistics["counts"])
        output = Output(name, f"coalesce({looked_up()}, {dialect.number(0)})")
        unseen = Count("unseen", f"{looked_up()} IS NULL")
        lookup = Lookup(self.value(statistics, dialect), rows, None)
        return Rendered((output,), lookup, (unseen,), self.remarks(len(rows)))


@dataclass(frozen=True, kw_only=True)
class Hashing(Categorical):
    """The category's bucket, from 0: md5 of its text, modulo `buckets`; nothing is fitted, so nothing is unseen."""

    buckets: int = option(Whole(2, 65_536), "How many buckets.")
    form: str = option(
        Choice(("code", "columns")),
        f"One column with the bucket's number (null stays null), or a 0/1 column for each of at most {MAX_COLUMNS} "
        "(all 0 where null).",
        default="code",
        key="as",
    )

    def check(self, fields: Fields) -> None:
        if self.form == "columns" and self.buckets > MAX_COLUMNS:
            fields.refuse("buckets", f"at most {MAX_COLUMNS} buckets become columns", "write 'as: code'")

    def fit(self, fitter: Fitter) -> Statistics:
        return self.filled(fitter)

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        bucket = bucket_sql(self.value(statistics, dialect), self.buckets)
        if self.form == "code":
            return Rendered((Output(name, bucket),))
        outputs = [Output(f"{name}={n}", f"CASE WHEN {bucket} = {n} THEN 1 ELSE 0 END") for n in range(self.buckets)]
        return Rendered(tuple(outputs))


HASH_DIGITS = 7
"""Hex digits of the md5: 2**28 values, so that no bucket of 65,536 is favoured by more than one in 4,096."""


def bucket_sql(text: str, buckets: int) -> str:
    """The first digits of the text's md5 as a whole number, modulo `buckets`; null where the text is null.

    Digit by digit: the engines read hexadecimal text each in its own way.
    """
    digits = [
        f"(instr('0123456789abcdef', substr(md5({text}), {place + 1}, 1)) - 1) * {16 ** (HASH_DIGITS - 1 - place)}"
        for place in range(HASH_DIGITS)
    ]
    return f"(({' + '.join(digits)}) % {buckets})"
