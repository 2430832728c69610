"""One server for a home: found, started once, stopped in order, and replaced when it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from socketserver import BaseServer

import pytest

from pipelines.errors import LocalError
from pipelines.local import daemon
from pipelines.local.home import Home
from pipelines.local.server import Server
from tests.local.api.test_executions import register
from tests.local.local_aws import REGION, Gate, LocalAws, compare, condition, eventually, fail, fresh, job_of

Serve = Callable[[], LocalAws]
SLEEP = "print('begun', flush=True); time.sleep(600)"
ENSURE = """
import sys
from pathlib import Path
from pipelines.local import daemon
from pipelines.local.home import Home
running = daemon.ensure(Home(Path(sys.argv[1])), "eu-central-1")
print(running.pid, running.endpoint)
"""


def begun(aws: LocalAws, arn: str, step: str) -> str:
    """The name of the step's job, once its program runs."""
    found = eventually(lambda: (item := aws.steps(arn).get(step, {})).get("Metadata") and item, step)
    job = str(aws.sagemaker.describe_processing_job(ProcessingJobName=job_of(found))["ProcessingJobName"])
    aws.wait_for_line(job, "begun")
    return job


def kill(home: Home) -> None:
    """kill -9, and wait until it is gone."""
    running = daemon.find(home)
    assert running
    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: daemon.find(home) is None, "the end of the server")


def test_nothing_is_found_where_nothing_runs(tmp_path: Path) -> None:
    home = Home(tmp_path / ".pipelines")
    assert daemon.find(home) is None
    assert daemon.stop(home) is False
    assert not home.root.exists()


def test_a_second_command_finds_the_same_server(serve: Serve) -> None:
    first = serve()
    pid = daemon.find(first.home).pid  # type: ignore[union-attr]
    assert serve().endpoint == first.endpoint
    assert daemon.find(first.home).pid == pid  # type: ignore[union-attr]


def test_four_commands_at_once_start_one_server(serve: Serve, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(tmp_path / ".pipelines")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate(timeout=300)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(answers) == 1
    assert f" {serve().endpoint}\n" in answers.pop()


def test_a_second_server_of_a_home_is_refused(serve: Serve) -> None:
    home = serve().home
    with pytest.raises(LocalError) as caught:
        Server(home, REGION, patience=0.1)
    assert caught.value.what == "a local SageMaker runs already"
    assert caught.value.problems[0].fix == "use it, or stop it: pipelines local --stop"
    assert daemon.find(home)


def test_a_port_that_is_taken_is_refused_and_nothing_is_left_open(serve: Serve, tmp_path: Path) -> None:
    taken = int(serve().endpoint.rpartition(":")[2])
    home = Home(tmp_path / "other")
    for port in (taken, 70000):
        with pytest.raises(LocalError, match=f"port {port} cannot be used") as caught:
            Server(home, REGION, port)
        assert caught.value.problems[0].fix == "choose another with --port, or leave it out"
    server = Server(home, REGION)
    server.close()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"endpoint": "http://127.0.0.1:9", "pid": 1, "region": "eu-central-1"}']
)
def test_a_stale_server_file_is_not_believed(serve: Serve, tmp_path: Path, content: str) -> None:
    home = Home(tmp_path / ".pipelines")
    home.create()
    home.server.write_text(content)
    assert daemon.find(home) is None
    assert serve().sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_the_server_of_another_home_is_not_taken_for_ours(serve: Serve, tmp_path: Path) -> None:
    """A port may be another server's by now, and a process id another program's."""
    aws, other = serve(), Home(tmp_path / "other")
    other.create()
    details = json.loads(aws.home.server.read_text())
    other.server.write_text(json.dumps(details))
    assert daemon.find(other) is None
    aws.home.server.write_text(json.dumps({**details, "pid": os.getpid()}))
    assert daemon.find(aws.home) is None  # else `stop` would end this test
    aws.home.server.write_text(json.dumps(details))


def test_stopping_stops_what_runs_first_and_answers_meanwhile(serve: Serve) -> None:
    aws = serve()
    arn = aws.start(aws.create([aws.step("Long", SLEEP), aws.step("Later", after=["Long"])]))
    job = fresh()
    aws.sagemaker.create_processing_job(ProcessingJobName=job, **aws.job(SLEEP))
    aws.wait_for_line(job, "begun")
    begun(aws, arn, "Long")
    assert daemon.stop(aws.home) is True
    assert not aws.home.server.exists()
    after = serve()
    ended = after.wait(arn)
    assert (ended.status, ended.statuses()) == ("Stopped", {"Long": "Stopped"})
    assert after.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"


def test_state_outlives_the_server(serve: Serve) -> None:
    aws = serve()
    group = fresh()
    ended = aws.run([aws.step("Job", "print('hello', flush=True)"), register(group)])
    daemon.stop(aws.home)
    after = serve()
    again = after.wait(ended.arn)
    assert again.described["PipelineArn"] == ended.described["PipelineArn"]
    assert again.described["CreationTime"] == ended.described["CreationTime"]
    assert again.steps == ended.steps
    (summary,) = after.sagemaker.list_pipelines()["PipelineSummaries"]
    assert after.sagemaker.list_pipeline_executions(PipelineName=summary["PipelineName"])["PipelineExecutionSummaries"]
    job = after.sagemaker.describe_processing_job(ProcessingJobName=job_of(ended.steps["Job"]))
    assert after.log(job["ProcessingJobName"]) == ["hello"]
    arn = ended.steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert after.sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    more = after.run([register(group)])
    assert more.steps["Register"]["Metadata"]["RegisterModel"]["Arn"] == arn[:-1] + "2"


def test_a_killed_server_leaves_no_program_and_says_what_was_interrupted(serve: Serve) -> None:
    aws = serve()
    mark = fresh()
    code = f"print('begun', flush=True); '{mark}'; time.sleep(600)"
    arn = aws.start(aws.create([aws.step("Long", code), aws.step("Later", after=["Long"])]))
    job = begun(aws, arn, "Long")
    alone = fresh()
    aws.sagemaker.create_training_job(TrainingJobName=alone, **aws.training(code))
    eventually(lambda: aws.log(alone, "Training"), "the training's program")
    folders = [aws.home.jobs / "Processing" / job, aws.home.jobs / "Training" / alone]
    assert all(folder.exists() for folder in folders)
    kill(aws.home)
    after = serve()
    ended = after.wait(arn)
    reason = "InternalServerError: interrupted: the local SageMaker was ended while it ran"
    assert (ended.status, ended.described["FailureReason"]) == ("Failed", reason)
    assert ended.statuses() == {"Long": "Failed"}
    assert ended.steps["Long"]["FailureReason"] == reason
    assert ended.steps["Long"]["EndTime"] >= ended.steps["Long"]["StartTime"]
    step_job = after.sagemaker.describe_processing_job(ProcessingJobName=job)
    assert (step_job["ProcessingJobStatus"], step_job["FailureReason"]) == ("Failed", reason)
    training = after.sagemaker.describe_training_job(TrainingJobName=alone)
    assert (training["TrainingJobStatus"], training["SecondaryStatus"]) == ("Failed", "Failed")
    assert not any(folder.exists() for folder in folders)
    eventually(lambda: not programs(f"{folders[0]}"), "the end of the programs")
    after.sagemaker.delete_pipeline(PipelineName=ended.described["PipelineArn"].rpartition("/")[2])


def test_a_killed_execution_of_cached_and_retried_steps_goes_on_where_it_was(serve: Serve) -> None:
    aws = serve()
    uri = aws.put(f"{fresh()}/word", "fail")
    cached = aws.step("Cached", "print('ran', flush=True)") | {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    code = "word = (ML / 'processing/input/in/word').read_text(); print('begun', flush=True); "
    code += "sys.exit(1) if word == 'fail' else time.sleep(600 * (word == 'wait'))"
    steps = [cached, aws.step("Work", code, inputs={"in": uri.rpartition("/")[0] + "/"}, after=["Cached"])]
    pipeline = aws.create([*steps, aws.step("Last", after=["Work"])])
    first = aws.wait(aws.start(pipeline))
    second = aws.wait(aws.start(pipeline))
    assert second.statuses() == {"Cached": "Succeeded", "Work": "Failed"}
    aws.put(uri.removeprefix("s3://data/"), "wait")
    aws.sagemaker.retry_pipeline_execution(PipelineExecutionArn=second.arn)
    eventually(lambda: aws.steps(second.arn)["Work"]["AttemptCount"] == 2, "the second attempt")
    begun(aws, second.arn, "Work")
    kill(aws.home)
    after = serve()
    killed = after.wait(second.arn)
    assert (killed.status, killed.statuses()["Work"]) == ("Failed", "Failed")
    assert "interrupted" in killed.steps["Work"]["FailureReason"]
    after.put(uri.removeprefix("s3://data/"), "go on")
    after.sagemaker.retry_pipeline_execution(PipelineExecutionArn=second.arn)
    ended = after.wait(second.arn)
    assert ended.statuses() == {"Cached": "Succeeded", "Work": "Succeeded", "Last": "Succeeded"}
    assert ended.steps["Work"]["AttemptCount"] == 3
    assert ended.steps["Cached"] == second.steps["Cached"]
    assert ended.steps["Cached"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
    third = after.start(pipeline)
    assert after.wait(third).steps["Cached"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}


def programs(text: str) -> list[str]:
    """Processes whose mounts or arguments name a text."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for part in ("cmdline", "mountinfo"):
            try:
                if text in (process / part).read_text(errors="replace"):
                    found.append(process.name)
            except OSError:
                continue
    return found


def test_a_server_with_nothing_to_do_ends_and_one_with_work_does_not(tmp_path: Path, gate: Gate) -> None:
    home = Home(tmp_path / ".pipelines")
    server = Server(home, REGION)
    aws = LocalAws(server.endpoint, home)
    answering = threading.Thread(target=BaseServer.serve_forever, args=(server._http,))  # looks at no time as yet
    answering.start()
    aws.sagemaker.create_processing_job(ProcessingJobName=fresh(), **aws.job(gate.line))
    aws.close()
    gate.reached()
    server._http.shutdown()
    answering.join()
    serving = threading.Thread(target=server.serve, args=(0.2,))
    serving.start()
    serving.join(1)
    assert serving.is_alive()
    gate.open()
    serving.join(180)
    assert not serving.is_alive()
    assert not home.server.exists()
    after = Server(home, REGION)
    records = after.local.jobs.list("Processing")
    after.close()
    assert [record["ProcessingJobStatus"] for record in records] == ["Completed"]


def test_a_home_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = Home(tmp_path / "file" / ".pipelines")
    for start in (lambda: daemon.ensure(home, REGION), lambda: Server(home, REGION)):
        with pytest.raises(LocalError) as caught:
            start()
        problem = caught.value.problems[0]
        assert problem.what == "the folder of the local SageMaker cannot be written: Not a directory"
        assert problem.fix.startswith(f"let your user write to {tmp_path / 'file'}, and free space")


def test_a_damaged_state_is_named_with_the_mend(tmp_path: Path) -> None:
    home = Home(tmp_path / ".pipelines")
    home.create()
    home.database.write_bytes(b"this is no database, and it is long enough to be read as one" * 100)
    with pytest.raises(LocalError, match="the local SageMaker did not start") as caught:
        daemon.ensure(home, REGION)
    assert caught.value.problems[0].fix == f"read {home.server_log}; then try again"
    assert "file is not a database" in home.server_log.read_text()
    home.database.unlink()
    Server(home, REGION).close()


def test_aws_variables_of_the_caller_do_not_reach_the_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    aws = serve()
    monkeypatch.undo()
    ended = aws.run([condition("C", compare("Equals", 1, 1), then=[register(fresh())], otherwise=[fail()])])
    assert ended.status == "Succeeded"
    pid = daemon.find(aws.home).pid  # type: ignore[union-attr]
    assert b"AWS_PROFILE" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_settings_that_change_hold_for_the_next_job_without_a_restart(serve: Serve) -> None:
    aws = serve()
    job = aws.job()
    job["AppSpecification"] = {"ImageUri": "other:1"}
    assert aws.run_job(job)["FailureReason"].startswith("nothing is known of the image other:1")
    settings = {"images": {"other:*": {"entrypoint": ["sh", "-c", "echo $NAME"], "environment": {"NAME": "here"}}}}
    aws.home.settings.write_text(json.dumps(settings))
    ended = aws.run_job(job)
    assert (ended["ProcessingJobStatus"], aws.log(ended["ProcessingJobName"])) == ("Completed", ["here"])
    aws.home.settings.write_text('{"image": {}}')
    with pytest.raises(
        aws.sagemaker.exceptions.ClientError, match="the settings: unknown key 'image'; fix: did you mean"
    ):
        aws.run_job(job)
