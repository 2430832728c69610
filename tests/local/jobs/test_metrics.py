"""Metrics of a job's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.local.jobs.metrics import MetricError, compiled, final_metrics

STAMP = "2026-01-01T00:00:00.000Z"


def test_the_last_value_of_each_metric_counts(tmp_path: Path) -> None:
    patterns = compiled([{"Name": "auc", "Regex": "auc=([0-9.e-]+)"}, {"Name": "loss", "Regex": "loss: (\\S+)"}])
    first, second = tmp_path / "algo-1", tmp_path / "algo-2"
    first.write_text(f"{STAMP} auc=0.5 loss: 3\n{STAMP} auc=0.7 auc=7e-1\n{STAMP} loss: none\n")
    second.write_text(f"{STAMP} loss: 2\n")
    assert final_metrics([first, second, tmp_path / "missing"], patterns) == {"auc": 0.7, "loss": 2.0}


def test_the_time_of_a_line_is_no_part_of_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"{STAMP} nothing\n")
    assert final_metrics([log], compiled([{"Name": "year", "Regex": "^([0-9]+)"}])) == {}


@pytest.mark.parametrize(
    ("regex", "said"),
    [("auc=(", "the Regex of metric auc is none"), ("auc=.*", r"has no group for the value: write \(auc=\.\*\)")],
)
def test_a_regex_that_finds_no_value_is_refused(regex: str, said: str) -> None:
    with pytest.raises(MetricError, match=said):
        compiled([{"Name": "auc", "Regex": regex}])
