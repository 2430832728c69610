"""Nothing known only after the target reaches a feature: of the recipe that ships, and in what the step writes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processing.recipe.check import late_columns
from processing.recipe.reader import load_recipe

FLIGHTS = Path(__file__).parents[2] / "container" / "recipes" / "flights.yaml"
AFTER = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}


def test_flights_use_no_column_known_after_and_none_joined_through_one() -> None:
    recipe = load_recipe(FLIGHTS)
    late = late_columns(recipe)
    assert {f"flights.{name}" for name in AFTER} <= late
    reached = {
        str(origin)
        for feature in recipe.features
        for column in feature.transform.columns
        for origin in recipe.lineage(column)
    }
    assert {"flights.distance", "weather.temp", "flights.time_hour"} <= reached
    assert not reached & late


def test_the_target_s_column_is_guarded_though_known_after_leaves_it_out(recipe_text: str, tmp_path: Path) -> None:
    from processing.errors import RecipeError

    path = tmp_path / "shop.yaml"
    text = recipe_text.replace("known_after: [delay, arrived]", "known_after: []")
    path.write_text(text.replace("passthrough, column: weight", "passthrough, column: delay"))
    with pytest.raises(RecipeError, match=r"'raw_weight' uses 'orders\.delay', known only after the target"):
        load_recipe(path)


def flights(count: int) -> list[dict[str, str]]:
    """Flights over forty days, every column of the real file, with values that depend on nothing."""
    carriers, airports = ["UA", "AA", "B6"], ["IAH", "MIA", "BOS", "ORD"]
    rows = []
    for number in range(count):
        day, hour = number % 40, 5 + number % 17
        rows.append(
            {
                "year": "2013",
                "month": str(1 + day // 28),
                "day": str(1 + day % 28),
                "sched_dep_time": f"{hour}15",
                "sched_arr_time": f"{hour + 2}10",
                "distance": str(200 + number % 900),
                "carrier": carriers[number % 3],
                "flight": str(1 + number),
                "dest": airports[number * 7 % 4],
                "origin": ["EWR", "LGA"][number % 2],
                "hour": str(hour),
                "minute": "15",
                "time_hour": f"2013-01-01T{hour:02d}:00:00Z",
                "arr_delay": str(number * 37 % 50),
                "dep_time": f"{hour}20",
                "dep_delay": "5",
                "arr_time": f"{hour + 2}15",
                "air_time": "90",
                "tailnum": f"N{number}",
            }
        )
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def run_flights(root: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> tuple[list[Any], bytes]:
    """The feature rows and features.json of the flights, each row changed before."""
    import duckdb
    from processing.contract import Paths
    from processing.features import run_features

    raw = root / "processing" / "input" / "raw"
    write(raw / "flights.csv", [change(row) for row in flights(800)])
    weather = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    hours = [f"2013-01-01T{hour:02d}:00:00Z" for hour in range(5, 20)]
    write(
        raw / "weather.csv",
        [
            {"origin": o, "time_hour": h, **{w: str(len(w) + i) for w in weather}}
            for i, h in enumerate(hours)
            for o in ("EWR", "LGA")
        ],
    )
    run_features(Paths(root), FLIGHTS)
    output = root / "processing" / "output"
    rows = []
    for split in ("train", "validation", "test"):
        rows += duckdb.sql(f"SELECT '{split}', * FROM '{output / split}/*.parquet'").fetchall()  # noqa: S608
    return rows, (output / "features" / "features.json").read_bytes()


def test_overwriting_what_is_known_after_changes_no_feature(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    spoiled = dict.fromkeys(AFTER - {"arr_delay"}, "99")
    before = run_flights(tmp_path / "before", lambda row: row)
    after = run_flights(tmp_path / "after", lambda row: {**row, **spoiled})
    assert len(before[0]) == 800
    assert after == before


def test_a_feature_does_change_when_what_is_known_before_is_overwritten(tmp_path: Path) -> None:
    """The counterpart: without it the test above would pass on a step that ignores its input."""
    pytest.importorskip("duckdb")
    before = run_flights(tmp_path / "before", lambda row: row)
    after = run_flights(tmp_path / "after", lambda row: {**row, "distance": str(int(row["distance"]) ** 2)})
    assert after[0] != before[0]
