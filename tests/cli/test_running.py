"""Running a pipeline and operating its executions, as a user does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

from tests.local.local_aws import eventually


def test_run_shows_what_came_of_it(project):
    done = project.command("run")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    for step in ("Features", "Evaluate", "Gate", "Register"):
        assert any(re.fullmatch(rf"{step} +Succeeded +\d+\.\ds( .*)?", line) for line in lines), done.out
    assert "Reject    not run" in lines
    assert "Gate: true → Register" in done.out
    assert "mean  2.0000" in done.out
    assert "arn:aws:sagemaker:us-east-1:123456789012:model-package/tiny/1" in done.out
    page = re.search(r"\nreport\n  (.*)\n", done.out)[1]
    assert (project.folder / page).read_text() == "<p>2.0</p>"
    rows = re.search(r"Features/rows +(.*)\n", done.out)[1]
    assert json.loads((project.folder / rows / "rows.json").read_text()) == [1.0, 2.0, 3.0]
    assert "upload data/a.txt" in done.err
    assert "pipeline tiny: created" in done.err
    assert "Features: Succeeded after" in done.err

    again = project.command("run")
    assert again.code == 0
    assert "pipeline tiny: unchanged" in again.err
    assert "upload" not in again.err
    assert "image" not in again.err


def test_run_that_ends_by_the_fail_step_says_its_message(deployed, pipelines):
    done = pipelines("run", "-p", "MinMean=9")
    assert done.code == 1
    assert "The mean is below 9.0." in done.out
    assert "Register  not run" in done.out
    assert "Gate: false → Reject" in done.out
    assert "  Failed: Step failure" in done.out
    assert "error: step Reject failed: The mean is below 9.0." in done.err


def test_failed_program_shows_its_message_and_the_end_of_its_log(deployed, pipelines):
    done = pipelines("run", "-p", "Fail=the column 'age' is not there")
    assert done.code == 1
    reason = "AlgorithmError: the column 'age' is not there, exit code: 3"
    assert reason in done.out
    assert [line for line in done.out.splitlines() if line.startswith("Evaluate")] == ["Evaluate  not run"]
    assert f"error: step Features failed: {reason}" in done.err
    assert "the end of its log (20 lines):" in done.err
    assert "line 10\n" in done.err
    assert "line 9\n" not in done.err
    ident = re.search(r"execution/(\w+)", done.out)[1]
    assert f"fix: see the likely cause, and how to go on: pipelines why {ident}" in done.err

    shown = pipelines("status", "--execution", ident)
    assert (shown.code, shown.out) == (1, done.out)
    facts = json.loads(pipelines("status", "--execution", ident, "--json").out)
    assert facts["status"] == "Failed"
    assert facts["not_run"] == ["Evaluate", "Gate", "Register", "Reject"]
    (step,) = facts["steps"]
    assert (step["name"], step["status"], step["reason"]) == ("Features", "Failed", reason)
    assert step["log_tail"] == [f"line {number}" for number in range(10, 30)]


def test_json_of_a_run_is_one_document_with_the_same_facts(deployed, pipelines):
    done = pipelines("run", "--json")
    facts = json.loads(done.out)
    assert done.code == 0
    assert facts["status"] == "Succeeded"
    assert {step["name"]: step["status"] for step in facts["steps"]} == dict.fromkeys(
        ("Features", "Evaluate", "Gate", "Register"), "Succeeded"
    )
    assert facts["metrics"] == {"Evaluate": {"mean": 2.0}}
    assert facts["gates"] == ["Gate: true → Register"]
    assert [":model-package/tiny/" in package for package in facts["model_packages"]] == [True]
    assert set(facts["outputs"]) == {"Features/rows", "Evaluate/evaluation"}
    assert facts["not_run"] == ["Reject"]
    assert pipelines("status", "--execution", facts["arn"], "--json").out == done.out
    text = pipelines("status", "--execution", facts["arn"].rpartition("/")[2]).out
    for fact in (facts["arn"], facts["gates"][0], *facts["outputs"].values(), *facts["pages"]):
        assert fact in text


def test_start_returns_at_once_and_status_watches_to_the_end(deployed, pipelines):
    started = pipelines("start", "-p", "MinMean=9")
    arn = started.out.strip()
    assert started.code == 0
    assert "follow it: pipelines status --watch" in started.err
    watched = pipelines("status", "--watch", "--execution", arn)
    assert watched.code == 1
    assert "Reject: Failed" in watched.err
    waited = pipelines("start", "--wait", "--json")
    assert (waited.code, json.loads(waited.out)["status"]) == (0, "Succeeded")


def test_deploy_says_what_it_did(deployed, pipelines):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/tiny"
    assert pipelines("deploy").out == f"{arn}\n"
    assert json.loads(pipelines("deploy", "--json").out) == {"pipeline": arn, "action": "unchanged", "uploaded": []}
    facts = json.loads(pipelines("deploy", "--start", "--json").out)
    assert (facts["pipeline"], facts["action"]) == (arn, "unchanged")
    assert pipelines("status", "--watch", "--execution", facts["execution"]).code == 0
    waited = pipelines("deploy", "--start", "--wait", "-p", "MinMean=9")
    assert waited.code == 1
    assert "The mean is below 9.0." in waited.out


def test_stop_ends_a_running_execution_and_is_fine_with_one_that_has_ended(deployed, pipelines):
    arn = pipelines("start", "-p", "Seconds=600").out.strip()
    eventually(lambda: pipelines("logs", "Features", "--execution", arn).out, "the beginning")
    stopped = pipelines("stop", "--execution", arn, "--json")
    facts = json.loads(stopped.out)
    assert (stopped.code, facts["status"]) == (0, "Stopped")
    assert {step["name"]: step["status"] for step in facts["steps"]} == {"Features": "Stopped"}
    again = pipelines("stop", "--execution", arn)
    assert again.code == 0
    assert f"execution {arn.rpartition('/')[2]} had ended before: Stopped" in again.err
    assert pipelines("status", "--execution", arn).code == 1


def test_sigterm_stops_the_execution_of_a_run_as_ctrl_c_does(deployed, pipelines):
    run = deployed.popen("run", "-p", "Seconds=600")
    said = next(line for line in run.stderr if line.startswith("execution "))
    assert any(line.startswith("Features: Executing") for line in run.stderr)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=300)
    ident = said.rpartition("/")[2].strip()
    assert run.returncode == 1
    assert f"stopping the execution … (Ctrl-C again leaves it; then: pipelines stop --execution {ident})" in err
    assert re.search(r"^Features +Stopped", out, re.MULTILINE)
    assert json.loads(pipelines("status", "--execution", ident, "--json").out)["status"] == "Stopped"


def test_sigterm_leaves_what_is_only_watched_and_says_so(deployed, pipelines):
    ident = pipelines("start", "-p", "Seconds=600").out.strip().rpartition("/")[2]
    watching = deployed.popen("status", "--watch", "--execution", ident)
    assert any(line.startswith("Features: Executing") for line in watching.stderr)
    watching.send_signal(signal.SIGTERM)
    _, err = watching.communicate(timeout=300)
    assert watching.returncode == 143
    assert err == f"the execution goes on; stop it: pipelines stop --execution {ident}\nterminated\n"
    assert pipelines("stop", "--execution", ident).code == 0


def test_what_is_done_upon_sigterm_is_left_as_it_was(project, pipelines):
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert pipelines("compile").code == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_logs_of_a_step_and_of_all_steps(deployed, pipelines):
    arn = json.loads(pipelines("run", "--json").out)["arn"]
    one = pipelines("logs", "Features", "--execution", arn).out.splitlines()
    assert [line.split(" ", 1)[1] for line in one] == [f"line {number}" for number in range(30)]
    both = pipelines("logs", "--execution", arn).out.splitlines()
    assert [line.split(" ", 1)[1] for line in both[-2:]] == ["Features: line 29", "Evaluate: mean 2.0"]
    records = [json.loads(line) for line in pipelines("logs", "--execution", arn, "--json").out.splitlines()]
    assert [record["text"] for record in records] == [*(f"line {number}" for number in range(30)), "mean 2.0"]
    assert records[-1] | {"time": ""} == {"step": "Evaluate", "host": "algo-1", "time": "", "text": "mean 2.0"}


def test_logs_follow_to_the_end_without_losing_or_repeating_a_line(deployed, pipelines):
    arn = pipelines("start", "-p", "Seconds=1").out.strip()
    followed = pipelines("logs", "--follow", "--execution", arn)
    assert followed.code == 0
    texts = [line.split(" ", 1)[1] for line in followed.out.splitlines()]
    assert texts == [*(f"Features: line {number}" for number in range(30)), "Evaluate: mean 2.0"]


def test_steps_without_a_log_say_why(deployed, pipelines):
    arn = json.loads(pipelines("run", "-p", "Fail=so", "--json").out)["arn"]
    none = pipelines("logs", "Evaluate", "--execution", arn)
    assert (none.code, none.out, none.err) == (0, "", "no log: step Evaluate has not run\n")
    arn = json.loads(pipelines("run", "--json").out)["arn"]
    none = pipelines("logs", "Gate", "--execution", arn)
    assert (none.code, none.out, none.err) == (0, "", "no log: only processing and training steps have one\n")


def test_input_prefix_without_objects_fails_the_step_with_the_reason(deployed, pipelines):
    done = pipelines("run", "-p", "InputData=s3://pipelines-local/nothing/")
    assert done.code == 1
    assert "No S3 objects found under S3 URL" in done.out
    assert "error: step Features failed: " in done.err
    assert "Evaluate  not run" in done.out


def test_compile_prints_the_definition_or_writes_it(project, pipelines):
    printed = pipelines("compile")
    assert printed.code == 0
    assert json.loads(printed.out)["Version"] == "2020-12-01"
    assert pipelines("compile", "-o", "definition.json").out == ""
    assert (project.folder / "definition.json").read_text() == printed.out
    assert project.is_untouched


def test_commands_work_from_another_folder(deployed, pipelines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = pipelines("start", "-f", str(deployed.folder))
    assert started.code == 0
    assert f"-f {deployed.folder}/pipeline.yaml" in started.err
    ended = pipelines("status", "--watch", "-f", str(deployed.folder / "pipeline.yaml"))
    assert ended.code == 0
    assert f"  {deployed.folder}/.pipelines/local/s3/" in ended.out


def test_module_deploy_is_the_deploy_command(deployed):
    command = [sys.executable, "-m", "pipelines.deploy", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["action"] == "unchanged"
