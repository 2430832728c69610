"""Metrics of a job's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.local.jobs.metrics import MetricError, compiled, definitions, final_metrics

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


XGBOOST = {"TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"}


def test_the_algorithm_of_the_xgboost_image_has_metrics_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        f"{STAMP} [0]\ttrain-rmse:1.5\tvalidation-rmse:1.6\n{STAMP} [1]\ttrain-rmse:1.2\tvalidation-rmse:1.4\n"
    )
    found = final_metrics([log], compiled(definitions(XGBOOST, {"num_round": "2"})))
    assert found == {"train:rmse": 1.2, "validation:rmse": 1.4}


def test_a_script_in_the_xgboost_image_and_other_images_have_the_metrics_that_the_request_names() -> None:
    own = [{"Name": "auc", "Regex": "auc=(.*)"}]
    assert definitions({**XGBOOST, "MetricDefinitions": own}, {}) == own
    assert definitions(XGBOOST, {"sagemaker_program": "train.py"}) == []
    assert definitions({"TrainingImage": "team/xgboost:1"}, {}) == []
