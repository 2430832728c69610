"""Exact measures of a scored split, by the image's program and by scikit-learn, on the same rows in the same run.

    python benchmarks/evaluation.py [--rows 20000000] [--json FILE]

Each side is a process of its own, reads the same files and gives the same measures: AUC, average precision,
Kolmogorov-Smirnov, the best F1, Brier, logarithmic loss, confusion at a threshold, calibration. Every value must agree
to 1e-9; imports are not counted. The program's side gives DeLong's deviation, thinned curves and bins for the
bootstrap in the same pass.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = Path(__file__).parents[1] / "container"
BATCH = 1_000_000
THRESHOLD = 0.4
TOLERANCE = 1e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(measured(given.side, given.folder)))
        return
    figures = compare(given.rows)
    print(f"rows                                {figures['rows']:>12,}")
    for side in SIDES:
        print(f"{side:<14} {figures[side]['seconds']:8.2f} s   peak {figures[side]['peak_rss_mb']:8.0f} MB")
    print(f"times faster                        {figures['speedup_vs_sklearn']:12.1f}")
    print(f"largest difference of any measure   {figures['largest_difference']:12.1e}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    if figures["largest_difference"] > TOLERANCE:
        raise SystemExit(f"the measures differ by more than {TOLERANCE}")


def compare(rows: int) -> dict[str, Any]:
    """Both sides on the same generated rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, rows)
        figures: dict[str, Any] = {"rows": rows}
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--folder", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures[side] = json.loads(done.stdout)
    ours, theirs = figures["processing"], figures["scikit-learn"]
    figures["speedup_vs_sklearn"] = theirs["seconds"] / ours["seconds"]
    figures["peak_rss_mb"] = ours["peak_rss_mb"]
    pairs = [(flat(ours["measures"][key]), flat(theirs["measures"][key])) for key in theirs["measures"]]
    figures["largest_difference"] = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    return figures


def flat(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]


def generate(folder: Path, rows: int) -> None:
    """Scores of a fair model (all distinct, as doubles) and labels that follow them a little less than they say."""
    draw = np.random.default_rng(7)
    with (folder / "scores").open("wb") as scores, (folder / "labels").open("wb") as labels:
        for first in range(0, rows, BATCH):
            logits = draw.normal(-1.0, 1.2, min(BATCH, rows - first))
            (1 / (1 + np.exp(-logits))).tofile(scores)
            (draw.random(len(logits)) < 1 / (1 + np.exp(-0.8 * logits))).astype(np.int8).tofile(labels)


def measured(side: str, folder: Path) -> dict[str, Any]:
    """One side: its measures, seconds, and the most memory the process ever held."""
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name), 1000)
        SIDES[side](Path(name))
    start = time.perf_counter()
    measures = SIDES[side](folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_rss_mb": peak, "measures": measures}


def processing(folder: Path) -> dict[str, Any]:
    """The image's own program."""
    sys.path.insert(0, str(PROGRAM))
    from processing.evaluation.binary import calibration
    from processing.evaluation.ranking import rank

    found = rank(batches(folder), folder, THRESHOLD)
    bins = calibration(found)
    return {
        "auc": found.auc,
        "average_precision": found.thresholds.average_precision,
        "kolmogorov_smirnov": found.thresholds.kolmogorov_smirnov,
        "best_f1": found.thresholds.best_f1,
        "brier": found.errors.brier.mean(),
        "log_loss": found.errors.log_loss.mean(),
        "confusion": found.confusion.as_array().tolist(),
        "calibration_scores": bins["mean_scores"],
        "calibration_shares": bins["positive_shares"],
    }


def batches(folder: Path) -> Iterator[tuple[Any, Any]]:
    rows = (folder / "labels").stat().st_size
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        scores = np.fromfile(folder / "scores", dtype=np.float64, count=count, offset=8 * first)
        yield scores, np.fromfile(folder / "labels", dtype=np.int8, count=count, offset=first)


def scikit_learn(folder: Path) -> dict[str, Any]:
    """The functions a notebook would call."""
    from sklearn import metrics
    from sklearn.calibration import calibration_curve

    scores = np.fromfile(folder / "scores", dtype=np.float64)
    labels = np.fromfile(folder / "labels", dtype=np.int8)
    false, true, _ = metrics.roc_curve(labels, scores)
    precisions, recalls, _ = metrics.precision_recall_curve(labels, scores)
    sums = precisions + recalls
    f1 = np.divide(2 * precisions * recalls, sums, out=np.zeros_like(sums), where=sums > 0)
    shares, means = calibration_curve(labels, scores, n_bins=20, strategy="quantile")
    return {
        "auc": float(metrics.roc_auc_score(labels, scores)),
        "average_precision": float(metrics.average_precision_score(labels, scores)),
        "kolmogorov_smirnov": float(np.max(true - false)),
        "best_f1": float(np.max(f1)),
        "brier": float(metrics.brier_score_loss(labels, scores)),
        "log_loss": float(metrics.log_loss(labels, scores)),
        "confusion": metrics.confusion_matrix(labels, scores >= THRESHOLD).reshape(-1).tolist(),
        "calibration_scores": means.tolist(),
        "calibration_shares": shares.tolist(),
    }


SIDES = {"processing": processing, "scikit-learn": scikit_learn}


if __name__ == "__main__":
    main()
