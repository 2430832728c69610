"""kill -9 of the server amid jobs of every kind: what ran is marked, nothing is left behind, and a retry succeeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.jobs.job import INTERRUPTED
from pipelines.local.settings import ImageSettings, Settings, write
from tests.local.local_aws import BUCKET, PRELUDE, ROLE, LocalAws, eventually, fresh, job_of, processing_output
from tests.local.test_daemon import kill, programs

Json = dict[str, Any]
Serve = Callable[[], LocalAws]
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/all-kinds:1"
WAITS = """
print("begun", flush=True)
while word == "wait":
    time.sleep(60)
"""
# One image for all kinds: what it is told to do (the object `word`) lies where the kind has its input.
PROGRAM = (
    PRELUDE
    + """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        word = self.rfile.read(int(self.headers["Content-Length"])).decode()
        WAIT
        self.answer(word.encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if sys.argv[1:] == ["serve"]:
    HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
(file,) = ML.glob("**/in/word")
word = file.read_text()
out = ML / "processing/output/out"
if out.exists():
    host = json.loads((ML / "config/resourceconfig.json").read_text())["current_host"]
    (out / host).write_text(host)
WAIT
if (ML / "model").exists():
    (ML / "model/x").write_text("x")
    print("score=1", flush=True)
""".replace("        WAIT", WAITS.replace("\n", "\n        ")).replace("WAIT", WAITS)
)


@pytest.fixture
def aws(serve: Serve, tmp_path: Path) -> LocalAws:
    """A server with the image, told to wait."""
    found = serve()
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    (folder / "Dockerfile").write_text('FROM python:3\nCOPY main.py /main.py\nENTRYPOINT ["python3", "/main.py"]\n')
    write(found.home, Settings(images={URI: ImageSettings(build=folder)}))
    found.put("in/word", "wait")
    return found


def processing(name: str, count: int = 1, mode: str = "EndOfJob") -> Json:
    source = {"S3Uri": f"s3://{BUCKET}/in/", "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix"}
    cluster = {"InstanceCount": count, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
    output = processing_output("out", f"s3://{BUCKET}/{name}", "/opt/ml/processing/output/out", mode)
    arguments = {
        "AppSpecification": {"ImageUri": URI},
        "ProcessingResources": {"ClusterConfig": cluster},
        "ProcessingInputs": [{"InputName": "in", "AppManaged": False, "S3Input": source | {"S3InputMode": "File"}}],
        "ProcessingOutputConfig": {"Outputs": [output]},
        "RoleArn": ROLE,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def tuning(name: str) -> Json:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}}
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2"]}]}
    arguments = {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
            "ParameterRanges": ranges,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": URI,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9]+)"}],
            },
            "InputDataConfig": [{"ChannelName": "in", "DataSource": source}],
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{name}"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    }
    return {"Name": name, "Type": "Tuning", "Arguments": arguments}


def transform(aws: LocalAws, name: str) -> Json:
    model = fresh()
    aws.sagemaker.create_model(ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": URI})
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}}
    arguments = {
        "ModelName": model,
        "TransformInput": {"DataSource": source},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/{name}"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments}


def begun(aws: LocalAws, kind: str, count: int) -> None:
    """Wait until so many programs of a kind of job have begun."""

    def logs() -> list[str]:
        return [file.read_text() for file in (aws.home.logs / kind).glob("*/*")]

    eventually(lambda: sum("begun" in text for text in logs()) == count, f"{count} of {kind}")


def test_jobs_of_every_kind_are_marked_leave_nothing_and_succeed_when_retried(aws: LocalAws, serve: Serve) -> None:
    steps = [processing("Hosts", 3), processing("Stream", mode="Continuous"), tuning("Tune"), transform(aws, "Score")]
    pipeline = aws.create(steps)
    arn = aws.start(pipeline)
    begun(aws, "Processing", 4)
    begun(aws, "Training", 2)
    begun(aws, "Transform", 1)
    eventually(lambda: aws.keys("Stream/") == ["Stream/algo-1"], "what is uploaded while it runs")
    assert len(programs(str(aws.home.jobs))) >= 7
    kill(aws.home)
    eventually(lambda: not programs(str(aws.home.jobs)), "the end of the programs")
    after = serve()
    ended = after.wait(arn)
    assert (ended.status, set(ended.statuses().values())) == ("Failed", {"Failed"})
    assert {step["FailureReason"] for step in ended.steps.values()} == {INTERRUPTED}
    client = after.sagemaker
    tuned = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job_of(ended.steps["Tune"]))
    assert (tuned["HyperParameterTuningJobStatus"], tuned["FailureReason"]) == ("Failed", INTERRUPTED)
    trials = client.list_training_jobs()["TrainingJobSummaries"]
    assert [trial["TrainingJobStatus"] for trial in trials] == ["Failed", "Failed"]
    assert after.keys("Hosts/") + after.keys("Tune/") + after.keys("Score/") == []
    assert after.keys("Stream/") == ["Stream/algo-1"]
    assert not after.home.jobs.exists()
    after.put("in/word", "go on")
    client.retry_pipeline_execution(PipelineExecutionArn=arn)
    again = after.wait(arn)
    assert (again.status, set(again.statuses().values())) == ("Succeeded", {"Succeeded"}), again.steps
    assert after.keys("Hosts/") == ["Hosts/algo-1", "Hosts/algo-2", "Hosts/algo-3"]
    assert after.get(f"s3://{BUCKET}/Score/word.out") == b"go on"
    assert len(after.keys("Tune/")) == 2
    assert list(after.home.jobs.glob("*/*")) == []


def test_no_object_is_half_written_and_nothing_of_an_upload_is_left(serve: Serve) -> None:
    aws = serve()
    uri = aws.put("large/.here", "").removesuffix("/.here")
    code = (
        "out, number = ML / 'processing/output/out', 0\n"
        "while True:\n"  # till one is seen that is being written
        "    number = number % 20 + 1\n"
        "    (out / 'aside').write_bytes(bytes([number]) * (16 << 20))\n"
        "    (out / 'aside').rename(out / f'{number}.bin')\n"
        "    time.sleep(0.1)\n"
    )
    output = processing_output("out", uri, "/opt/ml/processing/output/out", "Continuous")
    arguments = aws.job(code) | {"ProcessingOutputConfig": {"Outputs": [output]}}
    aws.sagemaker.create_processing_job(ProcessingJobName=fresh(), **arguments)
    staging = aws.home.objects / ".s3" / BUCKET / "staging"
    eventually(lambda: aws.keys("large/1.bin") and list(staging.glob("*")), "an object, and one that is being written")
    kill(aws.home)
    after = serve()
    assert list(staging.glob("*")) == []
    for key in after.keys("large/")[1:]:
        body = after.get(f"s3://{BUCKET}/{key}")
        assert body == bytes([int(key.removeprefix("large/").removesuffix(".bin"))]) * (16 << 20), key
