"""Bad input: one message with place, reason and mend; its exit code; nothing half done."""

from __future__ import annotations

import json

import pytest

# What is edited in pipeline.yaml, and the message.
SPECS = {
    "malformed": ("steps:\n", "steps: [\n", "pipeline.yaml:", ""),
    "unknown key": ("outputs: [rows]", "outpts: [rows]", "pipeline.yaml:18:7: ", "did you mean 'outputs'?"),
    "unknown step": ("steps.Features.outputs", "steps.Featurs.outputs", "there is no step 'Featurs'", "'Features'?"),
    "unknown output": ("outputs.rows }}", "outputs.row }}", "has no output 'row'", "did you mean 'rows'?"),
    "unknown parameter": ("parameters.Seconds", "parameters.Secnds", "there is no parameter 'Secnds'", "'Seconds'?"),
    "cycle": (
        'inputs: { raw: "${{ parameters.InputData }}" }',
        'inputs: { raw: "${{ steps.Evaluate.outputs.evaluation }}" }',
        "steps wait for each other: ",
        "remove one of these references",
    ),
    "missing data": ("raw/: data", "raw/: dta", "there is no file or folder 'dta'", "correct the path"),
    "missing image": ("build: image", "build: imag", "there is no file or folder 'imag'", "name a folder that holds"),
}


@pytest.mark.parametrize("command", ["run", "validate", "compile"])
@pytest.mark.parametrize(("old", "new", "what", "fix"), SPECS.values(), ids=SPECS)
def test_mistake_in_the_spec_is_said_once_with_its_place(project, pipelines, command, old, new, what, fix):
    project.edit(old, new)
    done = pipelines(command)
    assert (done.code, done.out) == (2, "")
    first, *rest = done.err.splitlines()
    assert first.startswith("error: pipeline.yaml:")
    assert what in first
    assert rest[0].startswith("  fix: ")
    assert fix in rest[0]
    assert len(rest) == 1
    assert project.is_untouched


def test_missing_pipeline_yaml_names_the_file(project, pipelines):
    (project.folder / "pipeline.yaml").unlink()
    for words in (["run"], ["status"], ["logs"], ["deploy"]):
        done = pipelines(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: pipeline.yaml: there is no such file\n  fix: ")
    assert project.is_untouched


PARAMETERS = {
    "wrong type": (["Count=two"], "Count", "found \"two\"", "write a whole number such as 3"),
    "unknown": (["MinMan=1"], "MinMan", 'Unknown parameter "MinMan"', "write MinMean"),
    "empty": (["Count="], "Count", "too short", "give Count a value, or leave it out"),
    "no name": (["=3"], "-p", "'=3' is not NAME=VALUE", "write -p NAME=VALUE"),
    "no value": (["Count"], "-p", "'Count' is not NAME=VALUE", "write -p Count=VALUE"),
    "nothing": ([""], "-p", "'' is not NAME=VALUE", "write -p NAME=VALUE"),
    "twice": (["Count=1", "Count=2"], "-p", "the parameter 'Count' is given twice", "leave one of them out"),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "where", "what", "fix"), PARAMETERS.values(), ids=PARAMETERS)
@pytest.mark.parametrize("command", [["run"], ["deploy", "--start"]], ids=["run", "deploy"])
def test_parameter_that_does_not_fit_is_refused_before_anything_is_done(
    project, pipelines, command, texts, where, what, fix
):
    done = pipelines(*command, *(word for text in texts for word in ("-p", text)))
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert where in first
    assert what in first
    assert second.startswith(f"  fix: {fix}")
    assert project.is_untouched


@pytest.mark.parametrize(("texts", "where", "what", "fix"), PARAMETERS.values(), ids=PARAMETERS)
def test_start_refuses_it_too(deployed, pipelines, texts, where, what, fix):
    done = pipelines("start", *(word for text in texts for word in ("-p", text)))
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert f"  fix: {fix}" in done.err


def test_unknown_environment_names_those_there_are(project, pipelines):
    for command in ("deploy", "start", "status", "logs", "validate"):
        done = pipelines(command, "--env", "prod")
        assert (done.code, done.out) == (2, "")
        assert "there is no environment 'prod'" in done.err
        assert "fix: use --env with one of: local, " in done.err
    assert project.is_untouched


WORDS = {
    "unknown command": (["stauts"], "invalid choice: 'stauts'", "did you mean 'status'?"),
    "no command": ([], "the following arguments are required: COMMAND", "pipelines --help"),
    "unknown option": (["status", "--wach"], "unrecognized arguments: --wach", "pipelines --help"),
    "abbreviated option": (["status", "--wat"], "unrecognized arguments: --wat", "pipelines --help"),
    "option without value": (["status", "--env"], "expected one argument", "pipelines status --help"),
    "parameter without start": (["deploy", "-p", "Count=1"], "-p is for an execution", "add --start"),
    "wait without start": (["deploy", "--wait"], "--wait is for an execution", "add --start"),
    "port": (["local", "--port", "99999"], "--port: '99999' is no port", "write a number from 1 to 65535"),
    "version": (["rollback", "x"], "VERSION: 'x' is no version", "write its number, such as 3, or leave it out"),
    "no version": (["rollback", "0"], "VERSION: '0' is no version", "write its number"),
    "endless number": (["executions", "--limit", "9" * 5000], "is no number of executions", "write a whole number"),
    "no number": (["executions", "--limit", "-"], "--limit: '-' is no number of executions", "from 1 on"),
    "no age": (["executions", "--since", "soon"], "--since: 'soon' is no age", "write a number of five digits"),
    "age before time": (["executions", "--since", "999999d"], "'999999d' is no age", "and m, h or d, as in 24h"),
    "two ways": (["local", "--stop", "--detach"], "not allowed with argument", "pipelines local --help"),
}


@pytest.mark.parametrize(("words", "what", "fix"), WORDS.values(), ids=WORDS)
def test_words_that_the_command_line_does_not_know(project, pipelines, words, what, fix):
    done = pipelines(*words)
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert fix in done.err.splitlines()[-1]
    assert project.is_untouched


def test_machines_get_the_mistakes_as_json(project, pipelines):
    done = pipelines("run", "--json", "-p", "Count=two", "-p", "MinMan=1")
    assert done.code == 2
    problems = json.loads(done.out)["problems"]
    assert [problem["where"] for problem in problems] == ["Parameters.MinMan", "Parameters.Count"]
    assert all(problem["what"] and problem["fix"] for problem in problems)
    assert json.loads(pipelines("run", "--json", "--bla").out)["problems"][0]["what"].endswith("--bla")


def test_nothing_is_deployed_yet(project, pipelines):
    started = pipelines("start")
    assert (started.code, started.out) == (2, "")
    assert started.err == (
        "error: environment local: pipeline tiny is not deployed\n  fix: pipelines deploy\n"
    )  # fmt: skip
    for command in ("status", "logs", "stop"):
        done = pipelines(command)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: environment local: pipeline tiny is not deployed\n  fix: pipelines deploy --start\n"
        )  # fmt: skip
    assert pipelines("deploy").code == 0
    done = pipelines("status")
    assert done.code == 2
    assert done.err == "error: environment local: pipeline tiny has no execution yet\n  fix: pipelines start\n"


def test_unknown_execution_names_the_newest(deployed, pipelines):
    arn = json.loads(pipelines("run", "--json").out)["arn"]
    for command in ("status", "logs", "stop"):
        done = pipelines(command, "--execution", "nosuchthing")
        assert (done.code, done.out) == (2, "")
        assert "pipeline tiny has no execution 'nosuchthing'" in done.err
        assert f"fix: name one of: {arn.rpartition('/')[2]}" in done.err
        done = pipelines(command, "--execution", f"{arn}x")
        assert (done.code, done.out) == (2, "")
        assert f"there is no execution {arn}x" in done.err


def test_unknown_step_names_the_nearest_one(deployed, pipelines):
    arn = json.loads(pipelines("run", "--json").out)["arn"]
    done = pipelines("logs", "Feature", "--execution", arn)
    assert (done.code, done.out) == (2, "")
    assert "there is no step 'Feature'\n  fix: did you mean 'Features'?" in done.err


def test_unwritable_output_is_named(project, pipelines):
    done = pipelines("compile", "-o", "no/such/folder.json")
    assert done.code == 2
    assert "error: no/such/folder.json: the definition cannot be written: No such file or directory" in done.err
