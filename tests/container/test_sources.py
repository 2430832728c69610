"""Formats, many files, selects: the same table in each way gives the same features; what cannot be read is placed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from processing.errors import ContainerError  # noqa: E402

SPLITS = ("train", "validation", "test")


def result(shop: Any) -> tuple[Any, ...]:
    rows = [duckdb.sql(f"SELECT * FROM '{shop.output(split)}/*.parquet'").fetchall() for split in SPLITS]  # noqa: S608
    return rows, json.loads((shop.output("features") / "features.json").read_text())["statistics"]


def refused(shop: Any) -> str:
    with pytest.raises(ContainerError) as caught:
        shop.run()
    return str(caught.value)


TYPED = """
    SELECT CAST(id AS {whole}) AS id, CAST(placed AS TIMESTAMP) AS placed, nullif(city, '') AS city,
    nullif(courier, 'NA') AS courier, TRY_CAST(weight AS DOUBLE) AS weight, TRY_CAST(delay AS {number}) AS delay,
    arrived FROM read_csv('{csv}', all_varchar = true)
"""


def as_parquet(shop: Any, name: str = "orders.parquet", whole: str = "BIGINT", number: str = "DOUBLE") -> Path:
    """The orders as a typed Parquet file in place of the CSV."""
    query = TYPED.format(whole=whole, number=number, csv=shop.raw / "orders.csv")
    duckdb.sql(f"COPY ({query}) TO '{shop.raw / name}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    (shop.raw / "orders.csv").unlink()
    shop.edit_recipe("files: orders*.csv", 'files: "orders*.parquet"\n    format: parquet')
    return shop.raw / name


def as_json(shop: Any, name: str = "orders.jsonl") -> list[dict[str, Any]]:
    """The orders as JSON lines in place of the CSV; weights and ids as numbers, nulls as nulls or left out."""
    table = duckdb.sql(TYPED.format(whole="BIGINT", number="DOUBLE", csv=shop.raw / "orders.csv"))
    names = [column[0] for column in table.description]
    records = []
    for row in table.fetchall():
        record = dict(zip(names, row, strict=True))
        record["placed"] = record["placed"].isoformat()
        records.append({key: value for key, value in record.items() if value is not None or key == "courier"})
    (shop.raw / "orders.csv").unlink()
    write_json(shop, records, name)
    shop.edit_recipe("files: orders*.csv", 'files: "orders*.json*"\n    format: json')
    return records


def write_json(shop: Any, records: list[dict[str, Any]], name: str = "orders.jsonl") -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    data = text.encode()
    (shop.raw / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


@pytest.mark.parametrize("change", [as_parquet, as_json])
def test_the_same_table_in_another_format_gives_the_same_features(
    make_shop: Callable[[str], Any], change: Callable[[Any], Any]
) -> None:
    one, two = make_shop("one"), make_shop("two")
    change(two)
    one.run()
    two.run()
    assert result(one) == result(two)


def test_parquet_files_of_other_types_are_read_by_name(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    # Whole numbers as doubles are what pandas writes where a column has nulls.
    as_parquet(two, whole="DOUBLE", number="DECIMAL(9, 2)")
    one.run()
    two.run()
    assert result(one) == result(two)


def test_packed_json_in_many_files_is_one_table(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    records = as_json(two)
    write_json(two, records[:300], "orders-0.jsonl.gz")
    write_json(two, records[300:], "orders.jsonl")
    (two.raw / "orders-empty.jsonl").write_text("")
    one.run()
    two.run()
    assert result(one) == result(two)
    told = json.loads((two.output("features") / "quality.json").read_text())["sources"]["orders"]
    assert told == {"files": 3, "header_only_files": 1, "columns_not_read": ["arrived"]}


SELECT = """\
sources:
  table:
    from: [orders, cities]
    select: SELECT o.*, c.distance FROM orders AS o LEFT JOIN cities AS c ON o.city = c.city
    columns:
      {id: integer, placed: timestamp, city: string, courier: string, weight: number, delay: number, distance: number}
"""


def test_a_select_over_the_sources_gives_what_a_join_gives(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    two.edit_recipe("sources:\n", SELECT)
    two.edit_recipe("joins:\n  - { source: cities, on: [city] }\n", "")
    two.edit_recipe("known_after: [delay, arrived]", "known_after: [table.delay, arrived]")
    text = two.recipe.read_text()
    head, features = text.split("features:\n")
    for name in ("id", "city", "courier", "weight", "delay", "distance", "placed"):
        features = features.replace(f"column: {name}", f"column: table.{name}")
    head = head.replace("key: [id]", "key: [table.id]").replace("target: delay", "target: table.delay")
    two.recipe.write_text(f"{head}features:\n{features}")
    one.run()
    two.run()
    assert result(one) == result(two)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("COPY orders TO '/tmp/stolen.csv'", "'select' is not one query that reads\n  fix: write one SELECT over"),
        ("SELECT 1; SELECT 2", "'select' is not one query that reads"),
        ("ATTACH '/tmp/x.db'", "'select' is not one query that reads"),
        ("INSTALL httpfs", "'select' is not one query that reads"),
        ("SELECT * FROM read_csv('/etc/passwd')", "the select cannot run: Permission Error"),
        ("SELECT * FROM 'https://example.com/x.csv'", "the select cannot run"),
        ("SELECT * FROM ordres", "the select cannot run: Catalog Error: Table with name ordres does not exist"),
        ("SELECT id FROM orders", "the select gives no column 'delay'\n  fix: "),
    ],
)
def test_a_select_that_does_more_than_read_the_sources_is_refused(shop: Any, select: str, message: str) -> None:
    source = SELECT.replace("SELECT o.*, c.distance FROM orders AS o LEFT JOIN cities AS c ON o.city = c.city", "{}")
    shop.edit_recipe("sources:\n", source.replace("{}", json.dumps(select)))
    shop.edit_recipe("joins:\n  - { source: cities, on: [city] }\n", "")
    head = shop.recipe.read_text().split("known_after:")[0]
    head = head.replace("key: [id]", "key: [table.id]").replace("target: delay", "target: table.delay")
    shop.recipe.write_text(f"{head}features:\n  weight: {{ transform: passthrough, column: table.weight }}\n")
    assert message in refused(shop)


def corrupt(shop: Any) -> None:
    path = as_parquet(shop)
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(bytes(data))


def truncated(shop: Any) -> None:
    path = as_parquet(shop)
    path.write_bytes(path.read_bytes()[:-20])


def other_type(shop: Any) -> None:
    as_parquet(shop, number="DATE")


def broken_json(shop: Any) -> None:
    records = as_json(shop)
    write_json(shop, records)
    lines = (shop.raw / "orders.jsonl").read_text().splitlines()
    lines[400] = '{"id": 401, "city": '
    (shop.raw / "orders.jsonl").write_text("\n".join(lines))


def odd_json(shop: Any) -> None:
    records = as_json(shop)
    records[500]["id"] = 2.5
    write_json(shop, records)


def no_object(shop: Any) -> None:
    as_json(shop)
    (shop.raw / "orders.jsonl").write_text("[1, 2]\n")


def misspelt_key(shop: Any) -> None:
    as_json(shop)
    shop.edit_recipe("weight: number", "wieght: number")
    text = shop.recipe.read_text().replace("column: weight", "column: wieght")
    shop.recipe.write_text(text)


def append(data: bytes) -> Callable[[Any], None]:
    def change(shop: Any) -> None:
        path = shop.raw / "orders.csv"
        path.write_bytes(path.read_bytes() + data)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (truncated, "orders.parquet: not a whole Parquet file: "),
        (corrupt, "orders.parquet: not a whole Parquet file: "),
        (other_type, "'delay' is declared number, but orders.parquet holds date\n  fix: declare what it holds"),
        (broken_json, "orders.jsonl:401: not a line of JSON: "),
        (odd_json, "orders.jsonl:501: column 'id': '2.5' is not a whole number in plain digits"),
        (no_object, "orders.jsonl:1: not a line of JSON: the line is no object\n  fix: write one JSON object a line"),
        (misspelt_key, "'wieght' is not a column of raw\n  fix: did you mean 'weight'?"),
        (append(b"9001,2024-01-01,K\xf6ln,a,1,3,1\n"), "orders.csv:802: column 'city': Invalid unicode"),
        (
            append(b"9001,2024-01-01," + b"x" * 3_000_000 + b",a,1,3,1\n"),
            "orders.csv:802: column '': Maximum line size",
        ),
        (append(b'9001,2024-01-01,"Bonn,a,1,3,1\n'), "orders.csv:802: column"),
        (lambda shop: (shop.raw / "orders-0.csv").write_bytes(b""), "orders-0.csv:1: the file is empty"),
        (
            lambda shop: (shop.raw / "orders-0.csv").write_text("id,city\n1,Bonn\n"),
            "is not a column of orders-0.csv",
        ),
        (
            lambda shop: shop.edit_recipe("files: orders*.csv", 'files: "*.csv"\n    format: parquet'),
            "reads .parquet, .pq\n  fix: write 'format: csv'",
        ),
        (
            lambda shop: shop.edit_recipe("input: raw\n    files: orders*.csv", "files: orders*.csv"),
            "source 'orders' lacks 'input'\n  fix: add 'input: …'",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(shop: Any, change: Callable[[Any], Any], message: str) -> None:
    change(shop)
    assert message in refused(shop)


def test_csv_for_the_built_in_algorithm_has_the_target_first_and_no_header(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    two.recipe.write_text(two.recipe.read_text() + "output: { format: csv }\n")
    one.run()
    two.run()
    for split in SPLITS:
        (path,) = two.output(split).iterdir()
        assert path.name == "part-00000.csv"
        text = [tuple(line.split(",")) for line in path.read_text().splitlines()]
        rows = duckdb.sql(f"SELECT * EXCLUDE (key) FROM '{one.output(split)}/*.parquet'").fetchall()  # noqa: S608
        assert [[None if cell == "" else float(cell) for cell in row] for row in text] == [
            [None if cell is None else pytest.approx(float(cell), rel=1e-6) for cell in row] for row in rows
        ]
