"""Transform jobs and steps: a model's container serves, its answers are the output."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines.local.settings import ImageSettings, Settings, write
from tests.local.local_aws import BUCKET, ROLE, Ended, LocalAws, eventually, fail, fresh, get

Json = dict[str, Any]
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/served:1"
# Answers each line in upper case, with what the model's data says; says what it was asked.
SERVER = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ML = Path(os.environ.get("OPT_ML", "/opt/ml"))
assert sys.argv[1:] == ["serve"], sys.argv
mode = os.environ.get("MODE", "")
if mode == "broken":
    sys.exit(3)
word = ML / "model" / "word.txt"
suffix = word.read_text() if word.exists() else ""
seen = []

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, kind="text/csv"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ping":
            self.answer(b"")
        elif mode == "suggests":
            self.answer(json.dumps({"BatchStrategy": "SINGLE_RECORD", "MaxConcurrentTransforms": 4}).encode())
        else:
            self.answer(b"no", 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen.append(len(body))
        print(self.path, self.headers["Content-Type"], self.headers["Accept"], len(body.splitlines()), flush=True)
        if mode == "silent":
            time.sleep(600)
        elif mode == "refuses":
            self.answer(b"not with me", 400)
        elif mode == "stumbles" and len(seen) == 1:
            self.answer(b"again, please", 503)
        elif mode == "scores":
            self.answer("".join(f"{len(line)}\\n" for line in body.decode().splitlines()).encode())
        elif mode == "json":
            answers = [json.dumps({"sum": sum(json.loads(line)["x"])}) for line in body.decode().splitlines()]
            self.answer("\\n".join(answers).encode(), kind="application/jsonlines")
        else:
            lines = body.decode().splitlines()
            self.answer("\\n".join(line.upper() + suffix for line in lines).encode())

    def log_message(self, *_):
        pass

print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("SAGEMAKER_")}, sort_keys=True), flush=True)
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module", autouse=True)
def _served(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An image whose program serves."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "server.py").write_text(SERVER)
    (folder / "Dockerfile").write_text(
        'FROM python:3\nCOPY server.py /opt/program/server.py\nENTRYPOINT ["python3", "/opt/program/server.py"]\n'
    )
    write(aws.home, Settings(images={URI: ImageSettings(build=folder)}))
    yield
    write(aws.home, Settings())


@pytest.fixture
def model(aws: LocalAws) -> Callable[..., str]:
    """Creates a model: environment, and the files of its model data or a whole archive; gives its name."""

    def create(environment: Mapping[str, str] | None = None, data: Mapping[str, str] | bytes | None = None) -> str:
        container: Json = {"Image": URI, "Environment": dict(environment or {})}
        if data is not None:
            archive = data if isinstance(data, bytes) else packed(data)
            container["ModelDataUrl"] = aws.put(f"models/{fresh()}/model.tar.gz", archive)
        name = fresh()
        aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return name

    return create


def packed(files: Mapping[str, str], links: Mapping[str, str] | None = None) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return raw.getvalue()


@pytest.fixture
def folder(aws: LocalAws) -> Callable[..., str]:
    """Writes the objects of an input; gives the URI of their prefix."""

    def put(**objects: str | bytes) -> str:
        prefix = f"transform/{fresh()}/in/"
        for name, body in objects.items():
            aws.put(prefix + name.replace("__", "/").replace("_dot_", "."), body)
        return f"s3://{BUCKET}/{prefix}"

    return put


def job(model: Any, uri: str, *, split: str = "Line", **more: Any) -> Json:
    """The arguments of a Transform job from an input to the prefix `out` beside it."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {
        "ModelName": model,
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": split},
        "TransformOutput": {"S3OutputPath": f"{uri}../out".replace("in/../out", "out"), "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def outputs(aws: LocalAws, arguments: Json) -> dict[str, str]:
    prefix = arguments["TransformOutput"]["S3OutputPath"].removeprefix(f"s3://{BUCKET}/") + "/"
    return {key.removeprefix(prefix): aws.get(f"s3://{BUCKET}/{key}").decode() for key in aws.keys(prefix)}


def asked(aws: LocalAws, described: Json) -> list[str]:
    lines = aws.log(described["TransformJobName"], "Transform")
    return [line for line in lines if line.startswith("/invocations")]


def test_each_object_becomes_an_output_of_its_name(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    arguments = job(model(data={"word.txt": "!"}), folder(a_dot_csv="x\ny\n", deep__b_dot_csv="z", empty_dot_csv=""))
    described = aws.run_job(arguments, "transform")
    assert described["TransformJobStatus"] == "Completed", described
    assert outputs(aws, arguments) == {"a.csv.out": "X!\nY!\n", "deep/b.csv.out": "Z!\n", "empty.csv.out": ""}
    assert described["TransformStartTime"] <= described["TransformEndTime"]
    said = json.loads(next(line for line in aws.log(described["TransformJobName"], "Transform") if line[0] == "{"))
    assert said == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
    }


@pytest.mark.parametrize(
    ("more", "environment", "records"),
    [
        ({}, {}, ["3"]),
        ({"BatchStrategy": "SingleRecord"}, {}, ["1", "1", "1"]),
        ({}, {"MODE": "suggests"}, ["1", "1", "1"]),
    ],
    ids=["multi", "single", "suggested"],
)
def test_records_are_sent_together_or_one_by_one(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str], more: Json, environment: Json, records: Any
) -> None:
    arguments = job(model(environment), folder(a="r1\nr2\n\nr3"), **more)
    described = aws.run_job(arguments, "transform")
    assert [line.split()[-1] for line in asked(aws, described)] == records
    assert outputs(aws, arguments) == {"a.out": "R1\nR2\nR3\n"}


def test_a_whole_object_is_one_request_also_from_gzip(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    arguments = job(model(), folder(a_dot_gz=gzip.compress(b"one\ntwo\n")), split="None")
    arguments["TransformInput"]["CompressionType"] = "Gzip"
    arguments["TransformOutput"] |= {"AssembleWith": "None", "Accept": "text/csv"}
    described = aws.run_job(arguments, "transform")
    assert asked(aws, described) == ["/invocations text/csv text/csv 2"]
    assert outputs(aws, arguments) == {"a.gz.out": "ONE\nTWO"}


def test_answers_keep_their_order_however_many_are_asked_at_once(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    lines = [f"r{number}" for number in range(60)]
    arguments = job(model(), folder(a="\n".join(lines)), BatchStrategy="SingleRecord", MaxConcurrentTransforms=8)
    aws.run_job(arguments, "transform")
    assert outputs(aws, arguments)["a.out"].split() == [line.upper() for line in lines]


def test_filters_and_a_join_keep_the_input_beside_its_score(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    filters = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    arguments = job(model({"MODE": "scores"}), folder(a='7,"a,b",c\n8,dd,e\n'), DataProcessing=filters)
    described = aws.run_job(arguments, "transform")
    assert described["TransformJobStatus"] == "Completed", described
    assert outputs(aws, arguments) == {"a.out": "7,7\n8,4\n"}


def test_a_join_of_json_lines_adds_the_answer(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    filters = {"InputFilter": "$", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    lines = '{"id": 1, "x": [1, 2]}\n{"id": 2, "x": [5]}\n'
    arguments = job(model({"MODE": "json"}), folder(a=lines), DataProcessing=filters)
    arguments["TransformInput"]["ContentType"] = "application/jsonlines"
    aws.run_job(arguments, "transform")
    found = [json.loads(line) for line in outputs(aws, arguments)["a.out"].splitlines()]
    assert found == [{"id": 1, "SageMakerOutput": {"sum": 3}}, {"id": 2, "SageMakerOutput": {"sum": 5}}]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("refuses", "AlgorithmError: POST /invocations was answered with 400: not with me"),
        ("broken", "AlgorithmError: the model server ended, exit code: 3; see job logs for more information"),
    ],
)
def test_a_server_that_refuses_or_ends_fails_the_job_and_nothing_is_uploaded(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str], mode: str, reason: str
) -> None:
    arguments = job(model({"MODE": mode}), folder(a="x", b="y"))
    described = aws.run_job(arguments, "transform")
    assert (described["TransformJobStatus"], described["FailureReason"]) == ("Failed", reason)
    assert outputs(aws, arguments) == {}


def test_a_server_that_stumbles_is_asked_again(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    arguments = job(model({"MODE": "stumbles"}), folder(a="x"))
    described = aws.run_job(arguments, "transform")
    assert outputs(aws, arguments) == {"a.out": "X\n"}
    assert len(asked(aws, described)) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ModelName": "nobody"}, "ClientError: Could not find model"),
        ({"DataProcessing": {"InputFilter": "$..x"}}, "ClientError: the filter '$..x' is not executed locally"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/c"}}, "not executed locally: DataCaptureConfig"),
    ],
)
def test_what_cannot_be_done_is_said_before_a_server_starts(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str], change: Json, reason: str
) -> None:
    described = aws.run_job({**job(model(), folder(a="x")), **change}, "transform")
    assert described["FailureReason"].startswith(reason)
    assert aws.log(described["TransformJobName"], "Transform") == []


@pytest.mark.parametrize("split", ["RecordIO", "TFRecord"])
def test_other_records_than_lines_are_refused(aws: LocalAws, folder: Callable[..., str], split: str) -> None:
    described = aws.run_job(job("m", folder(a="x"), split=split), "transform")
    assert described["FailureReason"] == f"not executed locally: SplitType {split}"


@pytest.mark.parametrize(
    "archive",
    [packed({"../../outside.txt": "x"}), packed({}, {"model": "/etc"}), b"no archive", packed({"a": "x" * 9999})[:40]],
    ids=["traversal", "link out", "no archive", "cut off"],
)
def test_model_data_cannot_lead_out_of_its_folder(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str], archive: bytes
) -> None:
    described = aws.run_job(job(model(data=archive), folder(a="x")), "transform")
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("ClientError: the model data s3://")
    assert not list(Path(aws.home.local).rglob("outside.txt"))


def test_jobs_that_serve_the_same_port_run_at_once(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    models = [model(data={"word.txt": f"-{number}"}) for number in range(3)]
    steps = [
        {"Name": f"T{number}", "Type": "Transform", "Arguments": job(name, folder(a="x"))}
        for number, name in enumerate(models)
    ]
    ended = aws.run(steps)
    assert ended.status == "Succeeded", ended.steps
    assert [outputs(aws, step["Arguments"])["a.out"] for step in steps] == ["X-0\n", "X-1\n", "X-2\n"]


def test_a_step_transforms_with_the_model_that_another_created(aws: LocalAws, folder: Callable[..., str]) -> None:
    container = {"Image": URI, "ModelDataUrl": aws.put(f"models/{fresh()}/model.tar.gz", packed({"word.txt": "?"}))}
    create = {"Name": "Create", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}}
    arguments = job(get("Steps.Create.ModelName"), folder(a="x"))
    step = {"Name": "Score", "Type": "Transform", "Arguments": arguments}
    ended: Ended = aws.run([create, step, fail(message=get("Steps.Score.TransformOutput.S3OutputPath"))])
    assert outputs(aws, arguments) == {"a.out": "X?\n"}
    assert ended.steps["Stop"]["FailureReason"] == arguments["TransformOutput"]["S3OutputPath"]
    assert ":transform-job/" in ended.steps["Score"]["Metadata"]["TransformJob"]["Arn"]


def test_a_stop_ends_the_server_at_its_answer(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    name = fresh()
    aws.sagemaker.create_transform_job(TransformJobName=name, **job(model({"MODE": "silent"}), folder(a="x")))
    eventually(lambda: any("/invocations" in line for line in aws.log(name, "Transform")), "the request")
    aws.sagemaker.stop_transform_job(TransformJobName=name)
    assert aws.wait_for_job(name, "transform")["TransformJobStatus"] == "Stopped"


def test_jobs_are_listed_and_a_missing_one_is_not_found(
    aws: LocalAws, model: Callable[..., str], folder: Callable[..., str]
) -> None:
    name = aws.run_job(job(model(), folder(a="x")), "transform")["TransformJobName"]
    found = aws.sagemaker.list_transform_jobs(NameContains=name)["TransformJobSummaries"]
    assert [item["TransformJobStatus"] for item in found] == ["Completed"]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        aws.sagemaker.describe_transform_job(TransformJobName="nobody")
