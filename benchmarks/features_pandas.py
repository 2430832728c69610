"""The features of benchmarks/features.py by pandas and scikit-learn: what one would write by hand, all in memory.

    python benchmarks/features_pandas.py INPUT OUTPUT

The same split, statistics and columns as the recipe's; prints the mean of every column as JSON, to be compared.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = {
    "distance": ((0.001, 0.999), "median", False, True),
    "temp": ((0.001, 0.999), "mean", True, True),
    "dewp": (None, "mean", False, True),
    "humid": (None, "median", False, True),
    "wind_speed": ((0.0, 0.999), "median", False, True),
    "precip": ((0.0, 0.999), "zero", True, False),
    "pressure": (None, "median", True, True),
}
SMOOTHING, FOLDS = 50.0, 8


def read(folder: Path) -> pd.DataFrame:
    texts = ("carrier", "tailnum", "origin", "dest")
    types = {**dict.fromkeys(("id", "flight", "hour", "minute"), "int64"), **dict.fromkeys(texts, "category")}
    parts = [
        pd.read_csv(path, dtype=types, na_values=["NA"], keep_default_na=False) for path in sorted(folder.glob("*.csv"))
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table[table["arr_delay"].notna()].reset_index(drop=True)
    for name in texts:
        table[name] = table[name].astype("category")
    return table


def place(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Split (0, 1, 2) and fold of every row, by the recipe's hash."""
    digests = [hashlib.md5(f"bench\x1f{key}".encode(), usedforsecurity=False).digest() for key in table["id"]]
    heads = np.frombuffer(b"".join(digests), dtype=">u4").reshape(-1, 4)
    bounds = [round(0.8 * 16**8), round(0.9 * 16**8)]
    return np.searchsorted(bounds, heads[:, 0], side="right"), (heads[:, 1] >> 28) % FOLDS


def numbers(table: pd.DataFrame, train: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, (clip, impute, flag, scale) in NUMBERS.items():
        values = table[name]
        if clip is not None:
            values = values.clip(*values[train].quantile(list(clip)))
        filled = values.fillna({"median": values[train].median(), "mean": values[train].mean(), "zero": 0.0}[impute])
        column = filled.to_numpy()
        if scale:
            column = StandardScaler().fit(column[train, None]).transform(column[:, None])[:, 0]
        found[name] = column
        if flag:
            found[f"{name}_missing"] = table[name].isna().to_numpy()
    return found


def dates(table: pd.DataFrame) -> dict[str, np.ndarray]:
    times = pd.to_datetime(table["time_hour"], utc=True).dt
    found = {"date_month": times.month, "date_weekday": times.day_of_week + 1, "date_day_of_year": times.day_of_year}
    angle, wind = 2 * np.pi / 24 * times.hour, 2 * np.pi / 360 * table["wind_dir"]
    found |= {"date_hour_sin": np.sin(angle), "date_hour_cos": np.cos(angle)}
    found |= {"wind_circle_sin": np.sin(wind), "wind_circle_cos": np.cos(wind)}
    return {name: np.asarray(values) for name, values in found.items()}


def encoded(codes: pd.Series, target: np.ndarray, train: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Out of fold on training rows, from the whole training split on the others."""
    result = np.empty(len(codes))
    for one in [*range(FOLDS), None]:
        fit = train & (fold != one) if one is not None else train
        rows = train & (fold == one) if one is not None else ~train
        prior = target[fit].mean()
        sums = pd.Series(target[fit]).groupby(codes[fit].to_numpy()).agg(["sum", "count"])
        table = (sums["sum"] + SMOOTHING * prior) / (sums["count"] + SMOOTHING)
        result[rows] = codes[rows].map(table).fillna(prior).to_numpy()
    return result


def features(table: pd.DataFrame, split: np.ndarray, fold: np.ndarray) -> pd.DataFrame:
    train, target = split == 0, (table["arr_delay"] > 15).to_numpy().astype(np.int32)
    columns: dict[str, np.ndarray] = dates(table)
    columns |= {"hour": table["hour"].to_numpy(), "minute": table["minute"].to_numpy(), **numbers(table, train)}
    for name in ("carrier", "origin"):
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
        encoder.fit(table.loc[train, [name]])
        hot = encoder.transform(table[[name]])
        columns |= {f"{name}={value}": hot[:, place] for place, value in enumerate(encoder.categories_[0])}
        columns[f"{name}=(other)"] = 1 - hot.sum(axis=1)
    for name in ("dest", "tailnum"):
        columns[f"{name}_rate"] = encoded(table[name].cat.codes, target, train, fold)
    for name in ("dest", "tailnum", "flight"):
        share = table.loc[train, name].value_counts(normalize=True)
        columns[f"{name}_share"] = table[name].map(share).astype("float64").fillna(0.0).to_numpy()
    typed = {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}
    return pd.DataFrame({"key": table["id"].astype(str), "target": target, **typed})


def main(folder: Path, output: Path) -> None:
    table = read(folder)
    split, fold = place(table)
    made = features(table, split, fold)
    output.mkdir(parents=True)
    for number, name in enumerate(("train", "validation", "test")):
        made[split == number].to_parquet(output / f"{name}.parquet", compression="zstd", index=False)
    means = made[split == 0].drop(columns="key").astype("float64").mean()
    print(json.dumps({"rows": int((split == 0).sum()), "means": means.to_dict()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
