"""Processing and Training jobs by themselves, with boto3."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import datetime
from typing import Any

import pytest

from tests.local.api.test_pipelines import refused
from tests.local.local_aws import IMAGE, ROLE, LocalAws, fresh, processing_input, processing_output

SLEEP = "print('begun', flush=True); time.sleep(600)"


def test_a_processing_job_turns_inputs_into_outputs(aws: LocalAws) -> None:
    base = fresh()
    aws.put(f"{base}/in/a.csv", "1\n")
    aws.put(f"{base}/in/deep/b.csv", "2\n")
    code = """
for file in (ML / 'processing/input/in').rglob('*.csv'):
    target = ML / 'processing/output/out' / file.relative_to(ML / 'processing/input/in')
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(file.read_text() * 2)
(ML / 'output/message').write_text('2 files')
"""
    uris = {"inputs": {"in": f"s3://data/{base}/in/"}, "outputs": {"out": f"s3://data/{base}/out/"}}
    job = aws.run_job(aws.job(code, **uris), Tags=[{"Key": "a", "Value": "b"}])
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "2 files")
    assert "FailureReason" not in job
    assert aws.keys(f"{base}/out/") == [f"{base}/out/a.csv", f"{base}/out/deep/b.csv"]
    assert aws.get(f"s3://data/{base}/out/deep/b.csv") == b"2\n2\n"
    assert aws.get(f"s3://data/{base}/in/a.csv") == b"1\n"
    moments = [job[key] for key in ("CreationTime", "ProcessingStartTime", "ProcessingEndTime", "LastModifiedTime")]
    assert moments == sorted(moments)
    assert isinstance(moments[0], datetime)
    assert (job["RoleArn"], job["AppSpecification"]["ImageUri"]) == (ROLE, IMAGE)
    assert aws.sagemaker.list_tags(ResourceArn=job["ProcessingJobArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert not (aws.home.jobs / "Processing" / job["ProcessingJobName"]).exists()


def test_a_job_may_be_described_in_any_case_and_its_name_is_taken_in_every_one(aws: LocalAws) -> None:
    job = aws.run_job(aws.job())
    name = job["ProcessingJobName"]
    assert aws.sagemaker.describe_processing_job(ProcessingJobName=name.upper())["ProcessingJobName"] == name
    with refused("ResourceInUse", f"Job name must be unique within an AWS account and region: {name.upper()}"):
        aws.sagemaker.create_processing_job(ProcessingJobName=name.upper(), **aws.job())


def test_jobs_of_both_kinds_may_share_a_name(aws: LocalAws) -> None:
    name = fresh()
    aws.sagemaker.create_processing_job(ProcessingJobName=name, **aws.job("print('processing', flush=True)"))
    aws.sagemaker.create_training_job(TrainingJobName=name, **aws.training("print('training', flush=True)"))
    assert aws.wait_for_job(name)["ProcessingJobStatus"] == "Completed"
    assert aws.wait_for_job(name, "training")["TrainingJobStatus"] == "Completed"
    assert (aws.log(name), aws.log(name, "Training")) == (["processing"], ["training"])


def test_a_job_that_runs_is_stopped(aws: LocalAws) -> None:
    name = fresh()
    aws.sagemaker.create_processing_job(ProcessingJobName=name, **aws.job(SLEEP))
    aws.wait_for_line(name, "begun")
    with refused("ResourceInUse", f"The processing job {name} runs; stop it first"):
        aws.sagemaker.delete_processing_job(ProcessingJobName=name)
    aws.sagemaker.stop_processing_job(ProcessingJobName=name)
    job = aws.wait_for_job(name)
    assert job["ProcessingJobStatus"] == "Stopped"
    assert "FailureReason" not in job
    with refused("ValidationException", "the processing job is in status Stopped"):
        aws.sagemaker.stop_processing_job(ProcessingJobName=name)
    aws.sagemaker.delete_processing_job(ProcessingJobName=name)
    with refused("ResourceNotFound", f"Requested resource not found: processing-job {name}"):
        aws.sagemaker.describe_processing_job(ProcessingJobName=name)


def test_a_job_that_takes_too_long_is_ended(aws: LocalAws) -> None:
    job = aws.run_job(aws.job(SLEEP, StoppingCondition={"MaxRuntimeInSeconds": 1}))
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["FailureReason"] == "the job ran longer than its MaxRuntimeInSeconds of 1"


def test_a_step_that_takes_too_long_fails(aws: LocalAws) -> None:
    ended = aws.run([aws.step("Long", SLEEP, StoppingCondition={"MaxRuntimeInSeconds": 1})])
    assert ended.steps["Long"]["FailureReason"] == "the job ran longer than its MaxRuntimeInSeconds of 1"
    assert ended.status == "Failed"


def test_a_training_job_gives_a_model(aws: LocalAws) -> None:
    data = fresh()
    aws.put(f"{data}/x.csv", "1")
    code = """
(ML / 'model/model.json').write_text(json.loads((ML / 'input/config/hyperparameters.json').read_text())['rate'])
(ML / 'model/data').write_text((ML / 'input/data/train/x.csv').read_text())
(ML / 'output/data/plot').write_text('plot')
"""
    channels = {"train": f"s3://data/{data}/"}
    job = aws.run_job(aws.training(code, channels=channels, HyperParameters={"rate": "0.1"}), "training")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == f"s3://data/models/{job['TrainingJobName']}/output/model.tar.gz"
    assert unpacked(aws.get(model)) == {"model.json": b"0.1", "data": b"1"}
    assert unpacked(aws.get(model.replace("model.tar.gz", "output.tar.gz"))) == {"plot": b"plot"}


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def test_a_failing_training_job_tells_its_reason_and_leaves_no_model(aws: LocalAws) -> None:
    code = "(ML / 'model/half').write_text('x'); (ML / 'output/failure').write_text('no label'); sys.exit(2)"
    job = aws.run_job(aws.training(code), "training")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == "AlgorithmError: no label, exit code: 2"
    assert aws.keys(f"models/{job['TrainingJobName']}/") == []


@pytest.mark.parametrize("kind", ["processing", "training"])
def test_jobs_are_listed_by_name_status_time_order_and_page(aws: LocalAws, kind: str) -> None:
    mark, title = fresh(), kind.title()
    make = aws.job if kind == "processing" else aws.training
    names = [f"{mark}-{letter}" for letter in "bca"]
    for name in names:
        code = "sys.exit(1)" if name.endswith("c") else ""
        getattr(aws.sagemaker, f"create_{kind}_job")(**{f"{title}JobName": name}, **make(code))
        aws.wait_for_job(name, kind)
    listing = aws.sagemaker.get_paginator(f"list_{kind}_jobs")

    def listed(**request: Any) -> list[str]:
        pages = listing.paginate(NameContains=mark, PaginationConfig={"PageSize": 2}, **request)
        return [item[f"{title}JobName"] for page in pages for item in page[f"{title}JobSummaries"]]

    assert listed() == names[::-1]
    assert listed(SortBy="Name", SortOrder="Ascending") == sorted(names)
    assert listed(SortBy="Status", SortOrder="Ascending")[-1] == names[1]
    assert listed(StatusEquals="Failed") == [names[1]]
    second = getattr(aws.sagemaker, f"describe_{kind}_job")(**{f"{title}JobName": names[1]})
    assert listed(CreationTimeAfter=second["CreationTime"], SortOrder="Ascending") == names[1:]
    assert listed(LastModifiedTimeBefore=second["LastModifiedTime"], SortOrder="Ascending") == names[:2]


@pytest.mark.parametrize(
    "path",
    ["/opt/ml/processing/../../etc", "/etc", "/opt/ml/processing", "/opt/ml/processing-other/x", "/opt/ml/config"],
)
def test_a_local_path_outside_of_processing_is_refused(aws: LocalAws, path: str) -> None:
    uri = aws.put("there", "x")
    job = aws.job()
    job["ProcessingInputs"].append(processing_input("bad", uri, path))
    assert aws.run_job(job)["FailureReason"] == (
        f"ClientError: LocalPath '{path}' must start with /opt/ml/processing/ and hold no .."
    )
    output = {"Outputs": [processing_output("bad", "s3://data/out", path)]}
    assert "must start with /opt/ml/processing/" in aws.run_job(aws.job(ProcessingOutputConfig=output))["FailureReason"]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://no-such-bucket/x", "there is no bucket no-such-bucket; fix: create it: aws s3 mb s3://no-such-bucket"),
        ("https://data/x", "'https://data/x' is not an S3 URI (s3://BUCKET/KEY)"),
        ("s3://data/../../escape", "this one has a . or .. between slashes"),
    ],
)
def test_an_output_that_cannot_be_stored_is_refused_before_the_program_runs(
    aws: LocalAws, uri: str, reason: str
) -> None:
    job = aws.run_job(aws.job("print('ran', flush=True)", outputs={"out": uri}))
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: output out: ")
    assert reason in job["FailureReason"]
    assert aws.log(job["ProcessingJobName"]) == []


def test_gzip_needs_a_pipe(aws: LocalAws) -> None:
    job = aws.job()
    job["ProcessingInputs"][0]["S3Input"] |= {"S3CompressionType": "Gzip"}
    assert aws.run_job(job)["FailureReason"] == "ClientError: input code: S3CompressionType Gzip needs S3InputMode Pipe"


def test_each_instance_has_a_log_stream(aws: LocalAws) -> None:
    job = aws.job("print(json.loads((ML / 'config/resourceconfig.json').read_text())['current_host'])")
    job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    ended = aws.run_job(job)
    assert ended["ProcessingJobStatus"] == "Completed"
    name, group = ended["ProcessingJobName"], "/aws/sagemaker/ProcessingJobs"
    streams = aws.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [f"{name}/algo-1", f"{name}/algo-2"]
    for host in ("algo-1", "algo-2"):
        events = aws.logs.get_log_events(logGroupName=group, logStreamName=f"{name}/{host}")["events"]
        assert events[-1]["message"] == host


def test_an_unknown_image_needs_an_entrypoint(aws: LocalAws) -> None:
    job = aws.job()
    job["AppSpecification"] = {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/unknown:1"}
    assert aws.run_job(job)["FailureReason"] == (
        "nothing is known of the image 1.dkr.ecr.us-east-1.amazonaws.com/unknown:1, and the step names no entrypoint; "
        "fix: add to pipeline.yaml, under environments: local: images:, the line "
        '"1.dkr.ecr.us-east-1.amazonaws.com/unknown:1": '
        "{ requirements: ./requirements.txt, entrypoint: [python3, -m, PROGRAM] } (or { build: ./FOLDER }); "
        "deploy the project that builds it; or run the real image: --runner docker"
    )


def test_an_unknown_image_with_an_entrypoint_runs_in_bare_python_and_the_log_says_so(aws: LocalAws) -> None:
    job = aws.job("print('here')")
    job["AppSpecification"]["ImageUri"] = "1.dkr.ecr.us-east-1.amazonaws.com/unknown:1"
    ended = aws.run_job(job)
    assert ended["ProcessingJobStatus"] == "Completed"
    assert aws.log(ended["ProcessingJobName"]) == [
        "pipelines: nothing is known of 1.dkr.ecr.us-east-1.amazonaws.com/unknown:1; the program runs in bare Python, "
        "without the image's packages",
        "here",
    ]


def test_a_message_that_is_not_text_fails_the_job(aws: LocalAws) -> None:
    job = aws.run_job(aws.job("(ML / 'output/message').write_bytes(b'a\\xff')"))
    assert job["FailureReason"] == ("ClientError: /opt/ml/output/message is not UTF-8: invalid start byte at byte 1")


def test_only_the_contracts_variables_reach_the_program(aws: LocalAws) -> None:
    code = "print(json.dumps(sorted(os.environ)), flush=True)"
    job = aws.run_job(aws.job(code, Environment={"MODE": "fast"}))
    names = set(json.loads(aws.log(job["ProcessingJobName"])[0]))
    own = {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert names - {"OPT_ML", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "PATH"} == {"MODE"} | own


def test_a_link_in_place_of_an_output_leads_nowhere(aws: LocalAws) -> None:
    """A program that replaces its output folder by a link must not have the machine's files moved into S3."""
    outside = aws.home.root.parent / fresh()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    base = fresh()
    code = f"""
out = ML / 'processing/output/out'
out.rmdir()
out.symlink_to({str(outside)!r})
(ML / 'output/message').symlink_to({str(outside / "secret")!r})
"""
    job = aws.run_job(aws.job(code, outputs={"out": f"s3://data/{base}"}))
    assert job["ProcessingJobStatus"] == "Completed"
    assert "ExitMessage" not in job
    assert aws.keys(base) == []
    assert (outside / "secret").read_text() == "secret"
