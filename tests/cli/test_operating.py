"""Operating executions: listing them, telling why one failed, going on from there, comparing two."""

from __future__ import annotations

import json

import pytest


def ids(listed) -> list[str]:
    return [line.split()[0] for line in listed.out.splitlines()]


@pytest.fixture
def failed(deployed, pipelines) -> str:
    """The id of an execution whose first step failed."""
    assert pipelines("start", "-p", "Fail=ModuleNotFoundError: No module named 'lightgbm'", "--wait").code == 1
    return ids(pipelines("executions", "--limit", "1"))[0]


def test_executions_are_listed_newest_first_by_status_and_age(failed, pipelines):
    assert pipelines("start", "--wait").code == 0
    newest, before = ids(pipelines("executions", "--limit", "2"))
    assert before == failed
    assert failed in ids(pipelines("executions", "--status", "Failed"))
    assert newest not in ids(pipelines("executions", "--status", "Failed"))
    assert newest in ids(pipelines("executions", "--since", "10m"))
    listed = json.loads(pipelines("executions", "--limit", "1", "--json").out)["executions"]
    assert [item["status"] for item in listed] == ["Succeeded"]


def test_why_tells_step_reason_log_cause_and_the_command_to_go_on_with(failed, pipelines):
    told = pipelines("why", failed)
    assert told.code == 0
    assert "step Features failed" in told.out
    assert "reason: AlgorithmError: ModuleNotFoundError" in told.out
    assert "line 29" in told.out
    assert "likely cause: the image lacks a Python module: lightgbm" in told.out
    assert f"pipelines start --from {failed} --wait" in told.out
    as_json = json.loads(pipelines("why", failed, "--json").out)
    assert as_json["failures"][0]["likely"]["name"] == "module-missing"


def test_why_of_a_fail_step_offers_no_retry(deployed, pipelines):
    assert pipelines("start", "-p", "MinMean=9", "--wait").code == 1
    told = pipelines("why")
    assert "did what it was told" in told.out
    assert "retry" not in told.out
    refused = pipelines("retry")
    assert refused.code == 2
    assert "Fail step Reject" in refused.err


def test_diff_tells_parameters_steps_and_metrics(failed, pipelines):
    assert pipelines("start", "--wait").code == 0
    told = pipelines("diff", failed)
    assert told.code == 0
    assert "~ Fail: ModuleNotFoundError" in told.out
    assert "~ Features: Failed → Succeeded" in told.out
    assert "+ Evaluate.mean: 2" in told.out
    assert json.loads(pipelines("diff", failed, "--json").out)["definition"] == []


def test_two_executions_alike_differ_in_nothing(deployed, pipelines):
    assert [pipelines("start", "--wait").code for _ in range(2)] == [0, 0]
    newest, before = ids(pipelines("executions", "--limit", "2"))
    assert "No difference" in pipelines("diff", before, newest).out


def test_a_failed_execution_is_retried_from_the_step_that_failed(project, pipelines):
    ran = pipelines("run", "-p", "InputData=s3://pipelines-local/later/")
    assert ran.code == 1
    assert "note: input raw of step Features is empty: nothing lies under s3://pipelines-local/later/" in ran.err
    (arn,) = ids(pipelines("executions"))
    assert "an input is empty" in pipelines("why").out
    later = project.home.objects / "pipelines-local/later"
    later.mkdir()
    (later / "a.txt").write_text("1\n3\n")
    again = pipelines("retry", "--wait")
    assert again.code == 0, again.err
    assert ids(pipelines("executions")) == [arn]
    refused = pipelines("retry")
    assert refused.code == 2
    assert "nothing to retry" in refused.err


def test_a_start_upon_another_execution_runs_what_did_not_succeed_there(project, pipelines):
    project.edit("mean = sum(rows)", "mean = sum(row)", "image/program.py")
    assert pipelines("run", "-p", "Seconds=0.1").code == 1
    (broken,) = ids(pipelines("executions"))
    project.edit("mean = sum(row)", "mean = sum(rows)", "image/program.py")
    assert pipelines("deploy").code == 0
    started = pipelines("start", "--from", broken, "--wait", "--json")
    assert started.code == 0, started.err
    steps = {step["name"]: step for step in json.loads(started.out)["steps"]}
    assert {name: step["status"] for name, step in steps.items()} == dict.fromkeys(
        ["Features", "Evaluate", "Gate", "Register"], "Succeeded"
    )
    assert broken in steps["Features"]["reused_from"]
    assert "~ Seconds" not in pipelines("diff", broken).out


def test_selected_steps_run_alone_upon_the_newest_execution(deployed, pipelines):
    assert pipelines("start", "--wait").code == 0
    (source,) = ids(pipelines("executions", "--limit", "1"))
    started = pipelines("start", "--select", "Evaluate", "--wait", "--json")
    assert started.code == 0, started.err
    steps = {step["name"]: step["reused_from"] for step in json.loads(started.out)["steps"]}
    assert set(steps) == {"Features", "Evaluate"}
    assert source in steps["Features"]
    refused = pipelines("start", "--select", "Evaluat")
    assert refused.code != 0
    assert "Evaluate" in refused.err


@pytest.mark.parametrize(
    "words", [["executions", "--since", "soon"], ["executions", "--limit", "0"], ["executions", "--status", "Broken"]]
)
def test_bad_filters_are_refused_with_what_is_known(project, pipelines, words):
    refused = pipelines(*words)
    assert refused.code == 2
    assert "fix:" in refused.err


def test_a_pipeline_that_is_not_deployed_has_no_executions_to_list(project, pipelines):
    refused = pipelines("executions")
    assert refused.code == 2
    assert "pipelines deploy" in refused.err
