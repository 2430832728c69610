"""Jobs upon a real runner, without HTTP: what lies under /opt/ml, and what becomes of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.local.jobs.service import JobExistsError, JobRefusedError
from pipelines.local.jobs.training import write_archive
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import Container, ContainerRequest
from tests.local.local_aws import IMAGE, ROLE, eventually, processing_input, processing_output

if TYPE_CHECKING:
    from tests.local.jobs.conftest import Bench

Json = dict[str, Any]


@dataclass
class Recorder:
    """A runner that only looks: what each container was to be, and which files lay below its /opt/ml."""

    requests: list[ContainerRequest] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def overlays(self, _folder: Path) -> bool:
        return False

    def start(self, request: ContainerRequest) -> Container:
        self.requests.append(request)
        found = {path.relative_to(request.opt_ml).as_posix(): path for path in sorted(request.opt_ml.rglob("*"))}
        self.files |= {name: path.read_text() for name, path in found.items() if path.is_file()}
        self.folders += [name for name, path in found.items() if path.is_dir()]
        return Done()


class Done:
    def wait(self, _timeout: float | None = None) -> int | None:
        return 0

    def stop(self, _grace: float) -> None:
        raise AssertionError("nobody asked for it")


def processing(made: Bench, code: str = "", **more: Any) -> Json:
    return made.processing(code, **more)


def training(**more: Any) -> Json:
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["train"],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://data/models/"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": ROLE,
    } | more


def test_the_configuration_of_a_processing_job_is_that_of_the_contract(bench: Callable[..., Bench]) -> None:
    look = Recorder()
    made = bench(look)
    outputs = {"Outputs": [processing_output("out", "s3://data/out", "/opt/ml/processing/out")]}
    request = processing(made, ProcessingOutputConfig=outputs, Environment={"MODE": "fast"})
    request["AppSpecification"]["ContainerArguments"] = ["--rows", "5"]
    record = made.run("Processing", request)
    assert record["ProcessingJobStatus"] == "Completed"
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:processing-job/job-1"
    source = request["ProcessingInputs"][0]
    assert json.loads(look.files["config/processingjobconfig.json"]) == {
        "ProcessingJobArn": arn,
        "ProcessingJobName": "Job-1",
        "AppSpecification": request["AppSpecification"],
        "Environment": {"MODE": "fast"},
        "ProcessingInputs": [{**source, "S3Input": {**source["S3Input"], "S3DownloadMode": "StartOfJob"}}],
        "ProcessingOutputConfig": {"Outputs": outputs["Outputs"], "KmsKeyId": None},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.t3.medium",
                "VolumeSizeInGB": 1,
                "VolumeKmsKeyId": None,
            }
        },
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }
    assert json.loads(look.files["config/resourceconfig.json"]) == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert "processing/out" in look.folders
    (started,) = look.requests
    assert started.command == ("python3", "/opt/ml/processing/code/main.py", "--rows", "5")
    assert (dict(started.environment), started.image, started.network) == (
        {"MODE": "fast"},
        Image(cmd=("python3",)),
        True,
    )


def test_arguments_that_the_request_leaves_out_are_null_in_the_configuration(bench: Callable[..., Bench]) -> None:
    look = Recorder()
    made = bench(look)
    made.run("Processing", processing(made, NetworkConfig={"EnableNetworkIsolation": True}))
    config = json.loads(look.files["config/processingjobconfig.json"])
    assert config["AppSpecification"]["ContainerArguments"] is None
    assert (config["Environment"], config["ProcessingOutputConfig"]) == ({}, {"Outputs": [], "KmsKeyId": None})
    assert look.requests[0].network is False


def test_the_files_of_a_training_job_are_those_of_the_contract(bench: Callable[..., Bench]) -> None:
    look = Recorder()
    made = bench(look)
    made.put("train/a.csv", "1")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}}
    channel = {"ChannelName": "train", "DataSource": source, "ContentType": "text/csv"}
    request = training(InputDataConfig=[channel], HyperParameters={"rate": "0.1"}, Environment={"MODE": "fast"})
    record = made.run("Training", request)
    assert (record["TrainingJobStatus"], record["SecondaryStatus"]) == ("Completed", "Completed")
    files = {name: json.loads(text) for name, text in look.files.items() if name.endswith(".json")}
    assert files == {
        "input/config/hyperparameters.json": {"rate": "0.1"},
        "input/config/inputdataconfig.json": {
            "train": {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                "ContentType": "text/csv",
            }
        },
        "input/config/resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
            ],
            "network_interface_name": "lo",
        },
    }
    assert look.files["input/data/train/a.csv"] == "1"
    assert {"model", "output/data"} <= set(look.folders)
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:training-job/job-1"
    assert dict(look.requests[0].environment) == {
        "MODE": "fast",
        "TRAINING_JOB_NAME": "Job-1",
        "TRAINING_JOB_ARN": arn,
    }


def test_a_training_image_is_given_the_word_train_unless_an_entrypoint_is_named(bench: Callable[..., Bench]) -> None:
    made = bench(Recorder())
    request = training()
    assert made.create("Training", request, "a").program() == (IMAGE, ["train"], None)
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    assert made.create("Training", request, "b").program() == (IMAGE, None, ["train"])
    request["AlgorithmSpecification"]["ContainerArguments"] = ["other"]
    assert made.create("Training", request, "c").program() == (IMAGE, None, ["other"])


def channel(**more: Any) -> Json:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"} | more.pop("source", {})
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}} | more


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"}},
            "not executed locally: a training job without TrainingImage",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://data/c", "LocalPath": "/opt/ml/../x"}},
            "not executed locally: checkpoints in /opt/ml/../x; fix: leave LocalPath out, for /opt/ml/checkpoints",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://data/c", "LocalPath": "/opt/ml/model/c"}},
            "not executed locally: checkpoints in /opt/ml/model/c; fix: leave LocalPath out, for /opt/ml/checkpoints",
        ),
        (
            {"InputDataConfig": [channel(DataSource={"FileSystemDataSource": None})]},
            "not executed locally: channel train with another source than S3; fix: name an S3DataSource",
        ),
        (
            {"InputDataConfig": [channel(source={"S3DataType": "AugmentedManifestFile"})]},
            "not executed locally: channel train with S3DataType AugmentedManifestFile; fix: name the objects in a "
            "ManifestFile, and their attributes in a channel of their own",
        ),
        (
            {"InputDataConfig": [channel(source={"S3DataType": "ManifestFile"}, InputMode="FastFile")]},
            "ClientError: channel train: InputMode FastFile needs S3DataType S3Prefix",
        ),
        (
            {"InputDataConfig": [channel(CompressionType="Gzip")]},
            "ClientError: channel train: CompressionType Gzip needs InputMode Pipe",
        ),
        (
            {"InputDataConfig": [channel(RecordWrapperType="RecordIO", InputMode="Pipe")]},
            "not executed locally: channel train with RecordWrapperType RecordIO; fix: write the objects as RecordIO, "
            "and leave RecordWrapperType out",
        ),
        (
            {"InputDataConfig": [channel(ChannelName="..")]},
            "ClientError: channel ..: no folder can have that name",
        ),
    ],
)
def test_what_training_does_not_execute_is_refused(bench: Callable[..., Bench], change: Json, reason: str) -> None:
    look = Recorder()
    record = bench(look).run("Training", training(**change))
    assert record["FailureReason"] == reason
    assert look.requests == []


REDSHIFT = {"ClusterId": "c", "Database": "d", "DbUser": "u", "QueryString": "q", "ClusterRoleArn": ROLE}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"ProcessingInputs": [{"InputName": "a", "DatasetDefinition": {"RedshiftDatasetDefinition": {
                **REDSHIFT, "OutputS3Uri": "s3://data/q", "OutputFormat": "CSV"}}}]},
            "not executed locally: input a is a DatasetDefinition (Athena, Redshift); fix: write the query's result to "
            "S3 by a step of your own, and name it as S3Input",
        ),
        ({"ProcessingInputs": [{"InputName": "a"}]}, "ClientError: input a names no S3Input"),
        (
            {"ProcessingInputs": [
                processing_input("a", "s3://data/a", "/opt/ml/processing/a", S3CompressionType="Gzip")]},
            "ClientError: input a: S3CompressionType Gzip needs S3InputMode Pipe",
        ),
        (
            {"ProcessingInputs": [processing_input("a", "s3://data/a", "/opt/ml/processing/../a")]},
            "ClientError: LocalPath '/opt/ml/processing/../a' must start with /opt/ml/processing/ and hold no ..",
        ),
        (
            {"ProcessingOutputConfig": {"Outputs": [
                {"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": "g"}, "AppManaged": True}]}},
            "not executed locally: output f is a FeatureStoreOutput; fix: write an S3Output, and ingest it by a step "
            "of your own",
        ),
        ({"ProcessingOutputConfig": {"Outputs": [{"OutputName": "f"}]}}, "ClientError: output f names no S3Output"),
    ],
)  # fmt: skip
def test_what_processing_does_not_execute_is_refused(bench: Callable[..., Bench], change: Json, reason: str) -> None:
    look = Recorder()
    made = bench(look)
    record = made.run("Processing", processing(made) | change)
    assert record["FailureReason"] == reason
    assert look.requests == []


def test_a_program_that_ignores_sigterm_is_killed(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(600)"
    job = made.create("Processing", processing(made, code))

    running = threading.Thread(target=made.jobs.run, args=(job,))
    running.start()
    eventually(lambda: job.log.exists() and "begun" in job.log.read_text(), "the program")
    job.stop()
    running.join(180)
    assert job.status == "Stopped"
    assert "killed" in job.log.read_text()


def test_a_job_stopped_before_it_begins_runs_nothing(bench: Callable[..., Bench]) -> None:
    look = Recorder()
    made = bench(look)
    job = made.create("Processing", processing(made))
    assert made.jobs.stop("Processing", "JOB-1") is True
    assert made.jobs.run(job)["ProcessingJobStatus"] == "Stopped"
    assert look.requests == []


def test_stopping_all_stops_those_that_are_still_to_come(bench: Callable[..., Bench]) -> None:
    look = Recorder()
    made = bench(look)
    made.jobs.stop_all()
    assert made.run("Processing", processing(made))["ProcessingJobStatus"] == "Stopped"
    assert made.jobs.busy is False
    assert look.requests == []


def test_a_stop_that_comes_after_the_end_changes_nothing(bench: Callable[..., Bench]) -> None:
    made = bench(Recorder())
    job = made.create("Processing", processing(made))
    record = made.jobs.run(job)
    job.stop()
    assert (job.record, made.jobs.describe("Processing", "job-1")) == (record, record)
    assert record["ProcessingJobStatus"] == "Completed"


def test_whatever_the_runner_throws_ends_the_job(bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def start(self, _request: ContainerRequest) -> Container:
            raise ZeroDivisionError("a bug")

    made = bench(Broken())
    record = made.run("Processing", processing(made))
    assert record["ProcessingJobStatus"] == "Failed"
    assert record["FailureReason"] == "InternalServerError: ZeroDivisionError: a bug"
    assert "job Job-1" in caplog.text


def test_outputs_keep_their_paths_and_a_failed_program_uploads_nothing(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = """
out = ML / 'processing/out'
(out / 'a/b').mkdir(parents=True)
(out / 'a/b/deep').write_text('deep')
(out / 'top').write_text('top')
(out / 'link').symlink_to('top')
(out / 'up').symlink_to('/')
os.mkfifo(out / 'pipe')
sys.exit(int(sys.argv[1]))
"""
    for status, base in (("1", "failed"), ("0", "done")):
        outputs = {"Outputs": [processing_output("out", f"s3://data/{base}/", "/opt/ml/processing/out")]}
        request = processing(made, code, ProcessingOutputConfig=outputs)
        request["AppSpecification"]["ContainerArguments"] = [status]
        made.run("Processing", request, base)
    assert made.keys("failed/") == []
    assert made.keys("done/") == ["done/a/b/deep", "done/top"]


def test_a_file_that_lies_in_two_outputs_goes_to_both(bench: Callable[..., Bench]) -> None:
    made = bench()
    code = "(ML / 'processing/out/inner/x').write_text('x')"
    outputs = [
        processing_output("all", "s3://data/all", "/opt/ml/processing/out"),
        processing_output("inner", "s3://data/inner", "/opt/ml/processing/out/inner"),
        processing_output("again", "s3://data/again", "/opt/ml/processing/out"),
    ]
    record = made.run("Processing", processing(made, code, ProcessingOutputConfig={"Outputs": outputs}))
    assert record["ProcessingJobStatus"] == "Completed"
    assert made.keys("a") == ["again/inner/x", "all/inner/x"]
    assert made.keys("inner") == ["inner/x"]


def test_a_program_that_writes_into_its_input_changes_no_object(bench: Callable[..., Bench]) -> None:
    made = bench()
    uri = made.put("in/a", "before")
    request = processing(made, "(ML / 'processing/in/a').write_text('after')")
    request["ProcessingInputs"].append(processing_input("in", uri, "/opt/ml/processing/in"))
    assert made.run("Processing", request)["ProcessingJobStatus"] == "Completed"
    with made.store.open("data", "in/a")[2] as stream:
        assert stream.read() == b"before"


@pytest.mark.parametrize("name", ["model", "output", "output/data"])
def test_a_training_folder_that_became_a_link_leads_nowhere(
    bench: Callable[..., Bench], tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "failure").write_text("secret")

    class Linker(Recorder):
        def start(self, request: ContainerRequest) -> Container:
            folder = request.opt_ml / name
            folder.rename(request.opt_ml / "moved")
            folder.symlink_to(secret)
            return Done()

    made = bench(Linker())
    record = made.run("Training", training())
    assert (secret / "failure").read_text() == "secret"
    assert "secret" not in json.dumps(record)
    if name == "model":
        assert record["FailureReason"] == "ClientError: /opt/ml/model is no folder any more"
        assert made.keys() == []
    else:
        assert made.keys() == ["models/Job-1/output/model.tar.gz"]


def test_an_archive_depends_on_names_modes_and_contents_alone(tmp_path: Path) -> None:
    archives = []
    for number, order in enumerate([("a", "b/c"), ("b/c", "a")]):
        folder = tmp_path / str(number)
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            os.utime(folder / name, (number, number))
        (folder / "link").symlink_to("/etc/passwd")
        os.mkfifo(folder / "pipe")
        archive = tmp_path / f"{number}.tar.gz"
        write_archive([folder], archive)
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]
    assert b"root:" not in archives[0]


def test_a_name_is_taken_once_and_a_bad_request_is_refused(bench: Callable[..., Bench]) -> None:
    made = bench(Recorder())
    made.create("Processing", processing(made))
    with pytest.raises(JobExistsError):
        made.create("Processing", processing(made), "JOB-1")
    made.create("Training", training())
    with pytest.raises(JobRefusedError, match="ProcessingResources is required"):
        made.create("Processing", {"AppSpecification": {"ImageUri": "i"}, "RoleArn": ROLE}, "other")
    assert made.jobs.describe("Processing", "other") is None


def test_a_killed_servers_jobs_are_marked_and_their_folders_removed(bench: Callable[..., Bench]) -> None:
    made = bench(Recorder())
    made.create("Processing", processing(made))
    made.create("Training", training())
    made.run("Processing", processing(made), "ended")
    left = made.home.jobs / "Processing" / "Job-1" / "algo-1" / "ml"
    left.mkdir(parents=True)
    made.jobs.recover()
    for kind in ("Processing", "Training"):
        record = made.jobs.describe(kind, "job-1")
        assert record
        assert record[f"{kind}JobStatus"] == "Failed"
        assert record["FailureReason"] == "InternalServerError: interrupted: the local SageMaker was ended while it ran"
        assert f"{kind}EndTime" in record
    assert made.jobs.describe("Processing", "ended")["ProcessingJobStatus"] == "Completed"  # type: ignore[index]
    assert not left.exists()
