"""Numbers: the registry's regression_metrics, and what it has no place for.

In: scored rows. Out: plain data for evaluation.json. Deviations are a bootstrap over a thousand groups that rows are
dealt into in turn: one pass, little memory, and with up to a thousand rows the ordinary bootstrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from processing.arrays import Array, Floats
from processing.errors import DataError, Problem
from processing.evaluation.metric import Plain, registry_metric, with_draws
from processing.evaluation.runs import KeyRuns, number_keys, numbers_of
from processing.evaluation.scored import TARGET, slice_column
from processing.evaluation.scorefile import ScoreFile

_GROUPS = 1000
_DRAWS = 400
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class Sums:
    """Sums by group: rows, |error|, error², error, target and target², the latter two about a fixed centre."""

    def __init__(self, centre: float) -> None:
        self._centre = centre
        self._sums = np.zeros((6, _GROUPS))
        self.rows = 0

    def add(self, targets: Floats, scores: Floats) -> None:
        groups = (self.rows + np.arange(len(targets))) % _GROUPS
        self.rows += len(targets)
        errors, shifted = scores - targets, targets - self._centre
        values = (None, np.abs(errors), np.square(errors), errors, shifted, np.square(shifted))
        for index, weights in enumerate(values):
            self._sums[index] += np.bincount(groups, weights=weights, minlength=_GROUPS)

    def total(self) -> dict[str, float]:
        """The measures of all rows."""
        return {name: float(value) for name, value in _measures(self._sums.sum(axis=1)).items()}

    def draws(self) -> dict[str, Floats]:
        """The measures of resampled groups; the seed is fixed."""
        filled = self._sums[:, self._sums[0] > 0]
        count = filled.shape[1]
        weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_DRAWS)
        return _measures(filled @ weights.T.astype(np.float64))


def _measures(sums: Array) -> dict[str, Array]:
    rows, absolute, squares, errors, targets, target_squares = sums
    mse = squares / rows
    variation = target_squares - targets**2 / rows
    # A target without variation has no R²: it counts as 0, as a model that tells no more than the mean.
    explained = 1 - np.divide(squares, variation, out=np.ones_like(variation), where=variation > 0)
    return {"mae": absolute / rows, "mse": mse, "rmse": np.sqrt(mse), "r2": explained, "bias": errors / rows}


def sums(file: ScoreFile, where: tuple[str, int] | None = None) -> Sums:
    """The sums of all rows, or of those whose slice column has a code."""
    found: Sums | None = None
    names = [TARGET, "score", *([slice_column(where[0])] if where else [])]
    for targets, scores, *codes in file.read(names):
        if where:
            kept = codes[0] == where[1]
            targets, scores = targets[kept], scores[kept]
        if found is None:
            found = Sums(float(targets.mean()) if len(targets) else 0.0)
        found.add(targets, scores)
    return found or Sums(0.0)


def refuse_constant(file: ScoreFile, where: str) -> None:
    """R² needs a target that varies."""
    low, high = np.inf, -np.inf
    for (targets,) in file.read([TARGET]):
        low, high = min(low, float(targets.min())), max(high, float(targets.max()))
    if low == high:
        what = f"all {file.rows} rows of the test split have the target {low:g}, so there is no R²"
        raise DataError([Problem(where, what, "give more rows, or a larger 'test' fraction in the recipe")])


def registry(found: Sums, rows: int) -> Plain:
    """regression_metrics, complete."""
    total, draws = found.total(), found.draws()
    return {
        name: registry_metric(total[name], float(np.std(draws[name], ddof=1)), rows)
        for name in ("mae", "mse", "rmse", "r2")
    }


def details(found: Sums, file: ScoreFile, folder: Path) -> Plain:
    """What the registry's layout has no place for."""
    total, draws = found.total(), found.draws()
    low, high = {"r2": -np.inf, "bias": -np.inf}, {"r2": 1.0}
    return {
        "rows": file.rows,
        "metrics": {
            name: with_draws(value, draws[name], low.get(name, 0.0), high.get(name, np.inf))
            for name, value in total.items()
        },
        "residual_quantiles": residual_quantiles(file, folder),
        "by_prediction": by_prediction(file, folder),
    }


def residual_quantiles(file: ScoreFile, folder: Path) -> Plain:
    """Exact quantiles of prediction minus target, with linear interpolation."""
    runs = KeyRuns(folder)
    for targets, scores in file.read([TARGET, "score"]):
        runs.add(number_keys(scores - targets))
    found = quantiles(runs, QUANTILES)
    return {"probabilities": list(QUANTILES), "values": found}


def quantiles(runs: KeyRuns, probabilities: tuple[float, ...]) -> list[float]:
    """Quantiles of the numbers in the runs."""
    ranks = [probability * (runs.rows - 1) for probability in probabilities]
    wanted = np.unique(np.concatenate([np.floor(ranks), np.ceil(ranks)])).astype(np.int64)
    values = dict(_ranked(runs, wanted))
    runs.close()
    found = []
    for rank in ranks:
        low, high = values[int(np.floor(rank))], values[int(np.ceil(rank))]
        found.append(low + (high - low) * (rank - np.floor(rank)))
    return [float(value) for value in found]


def _ranked(runs: KeyRuns, wanted: Array) -> Iterator[tuple[int, float]]:
    before = 0
    for keys, counts in runs.pieces():
        through = np.cumsum(counts) + before
        here = wanted[(wanted >= before) & (wanted < through[-1])]
        numbers = numbers_of(keys[np.searchsorted(through, here, side="right")])
        yield from zip(here.tolist(), numbers.tolist(), strict=True)
        before = int(through[-1])


def by_prediction(file: ScoreFile, folder: Path) -> Plain:
    """Mean prediction and mean target in bins of about equal rows of the prediction: calibration of numbers."""
    runs = KeyRuns(folder)
    for (scores,) in file.read(["score"]):
        runs.add(number_keys(scores))
    edges = np.unique(quantiles(runs, tuple(i / 20 for i in range(1, 20))))
    found = np.zeros((3, len(edges) + 1))
    for targets, scores in file.read([TARGET, "score"]):
        bins = np.searchsorted(edges, scores)
        for index, weights in enumerate((None, scores, targets)):
            found[index] += np.bincount(bins, weights=weights, minlength=len(edges) + 1)
    rows, scores, targets = found[:, found[0] > 0]
    return {
        "rows": rows.astype(np.int64).tolist(),
        "mean_predictions": (scores / rows).tolist(),
        "mean_targets": (targets / rows).tolist(),
    }


def summary(found: Sums) -> Plain:
    """A line of a table of slices."""
    if not found.rows:
        return {"rows": 0}
    total: Plain = found.total()
    return {"rows": found.rows, **total, "rmse": with_draws(total["rmse"], found.draws()["rmse"], 0)}
