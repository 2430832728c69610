"""What stands in for images that others publish: the table, and the programs that run in their jobs."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pipelines.context import read_context
from pipelines.local.images import push
from pipelines.local.stand_ins import script_mode, spark_submit
from pipelines.local.stand_ins.table import TABLE, stand_in
from tests.local.local_aws import Json, LocalAws, fresh

AWS = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("uri", "packages", "entrypoint"),
    [
        (f"{AWS}/sagemaker-scikit-learn:1.2-1-cpu-py3", "scikit_learn_1_2.txt", ()),
        (f"{AWS}/sagemaker-scikit-learn:0.23-1-cpu-py3", "scikit_learn_1_2.txt", ()),
        (
            "1" * 12 + ".dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-scikit-learn:1.4-2-cpu-py3",
            "scikit_learn_1_4.txt",
            (),
        ),
        (f"{AWS}/sagemaker-xgboost:1.7-1", "xgboost_1_7.txt", ()),
        (f"{AWS}/sagemaker-spark-processing:3.5-cpu-py39-v1.0", "spark_3_5.txt", ("smspark-submit",)),
    ],
)
def test_prebuilt_images_have_packages_of_their_kind(uri, packages, entrypoint):
    image = stand_in(uri)
    assert image is not None
    assert image.requirements is not None
    assert (image.requirements.name, image.entrypoint) == (packages, entrypoint)
    assert all(copy.source.is_file() for copy in image.copies)
    assert uri in image.notices[0]


@pytest.mark.parametrize(
    ("uri", "python"),
    [
        ("python", None),
        ("python:3", None),
        ("python:3.10", "3.10"),
        ("python:3.11-slim-bookworm", "3.11"),
        ("public.ecr.aws/docker/library/python:3.12.1", "3.12"),
        (f"{AWS}/docker-hub/library/python:3.11", "3.11"),
    ],
)
def test_plain_python_images_name_their_version(uri, python):
    image = stand_in(uri)
    assert image is not None
    assert (image.python, image.cmd, image.requirements, image.notices) == (python, ("python3",), None, ())


@pytest.mark.parametrize("uri", ["team/python:3.11", f"{AWS}/python:3", "sagemaker-xgboost:1", f"{AWS}/other:1", "x"])
def test_of_a_teams_own_images_nothing_is_presumed(uri):
    assert stand_in(uri) is None


@pytest.mark.parametrize("packages", sorted({entry.packages for entry in TABLE}))
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_package_is_named_once_for_each_python(packages, python):
    text = Path(spark_submit.__file__).with_name(f"{packages}.txt").read_text(encoding="utf-8")
    read = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    names = [item.name for item in read if not item.marker or item.marker.evaluate({"python_version": python})]
    assert len(names) == len(set(names))
    assert "boto3" in names


def test_what_smspark_submit_alone_knows_is_dropped_and_folders_become_their_files(tmp_path):
    for name in ("b.py", "a.zip"):
        (tmp_path / name).write_text("")
    words = ["--local-spark-event-logs-dir", "/opt/ml/x", "--spark-event-logs-s3-uri=s3://b/x", "-v"]
    words += ["--py-files", f"{tmp_path},other.py", "--class=Main", "--conf", "a=b", "app.py", "--files", "theirs"]
    assert list(spark_submit.options(words)) == [
        "-v",
        *("--py-files", f"{tmp_path}/a.zip,{tmp_path}/b.py,other.py"),
        *("--class=Main", "--conf", "a=b"),
        *("app.py", "--files", "theirs"),
    ]


def test_the_users_spark_defaults_are_passed_on(tmp_path, monkeypatch, capsys):
    file = tmp_path / "configuration.json"
    monkeypatch.setattr(spark_submit, "CONFIGURATION", file)
    assert list(spark_submit.defaults()) == []
    defaults = {"Classification": "spark-defaults", "Properties": {"spark.sql.shuffle.partitions": "2"}}
    file.write_text(json.dumps([defaults, {"Classification": "core-site", "Properties": {"a": "b"}}]))
    assert list(spark_submit.defaults()) == ["--conf", "spark.sql.shuffle.partitions=2"]
    assert capsys.readouterr().out == "pipelines: configuration of 'core-site' has no effect here\n"


def test_without_java_spark_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(spark_submit, "MESSAGE", tmp_path / "output" / "message")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SystemExit, match="Spark needs Java, which is not on this machine: install Java 17, or run the"):
        spark_submit.main()
    assert (tmp_path / "output" / "message").read_text().startswith("Spark needs Java")


def test_hyperparameters_are_read_as_the_sdk_writes_them():
    values = script_mode.decoded({"a": "1", "b": '"text"', "c": "plain", "d": "[1, 2]", "e": "true"})
    assert values == {"a": 1, "b": "text", "c": "plain", "d": [1, 2], "e": True}
    assert list(script_mode.arguments({**values, "name": 1})) == [
        *("-a", "1", "-b", "text", "-c", "plain", "-d", "[1, 2]", "-e", "True", "--name", "1")
    ]


def archive(**files: str) -> bytes:
    """A sourcedir.tar.gz."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(
                name.replace("__", "/")
                .replace("_py", ".py")
                .replace("UP", "..")
                .replace("requirements/txt", "requirements.txt")
            )
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()


IMAGE = "111111111111.dkr.ecr.us-east-1.amazonaws.com/script-mode:1"
TRAIN = """
import json, os, pathlib, sys
import helper
names = ("SM_MODEL_DIR", "SM_CHANNEL_TRAIN", "SM_HP_RATE", "SM_CHANNELS", "SM_HOSTS")
shown = {name: os.environ[name] for name in names}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps([sys.argv[1:], shown, helper.NAME]))
print(pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "x.csv").read_text().strip())
"""


@pytest.fixture(scope="module")
def _script_mode(aws: LocalAws) -> None:
    """An image whose `train` is the stand-in's, without the packages of AWS's: those take long to install."""
    folder = aws.home.root.parent / "script-mode"
    folder.mkdir()
    (folder / "train").write_bytes(Path(script_mode.__file__).read_bytes())
    (folder / "train").chmod(0o755)
    (folder / "Dockerfile").write_text("FROM python:3\nCOPY train /usr/local/bin/train\n")
    push(aws.home.images, IMAGE, read_context(folder, "."))


def train(aws: LocalAws, source: bytes, **more: str) -> Json:
    """A training job in script mode, as the SDK asks for one."""
    uri = aws.put(f"{fresh()}/sourcedir.tar.gz", source)
    rows = aws.put(f"{fresh()}/x.csv", "1,2\n")
    request = aws.training("", channels={"train": rows})
    request["AlgorithmSpecification"] = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    request["HyperParameters"] = {"sagemaker_submit_directory": json.dumps(uri), **more}
    return aws.run_job(request, "training")


@pytest.mark.usefixtures("_script_mode")
def test_a_script_trains_with_its_hyperparameters_and_the_toolkits_variables(aws):
    source = archive(train_py=TRAIN, helper_py="NAME = 'helper'", requirements__txt="other")
    job = train(aws, source, sagemaker_program='"train.py"', rate="0.5", kind='"deep"')
    assert job["TrainingJobStatus"] == "Completed", job
    with tarfile.open(fileobj=io.BytesIO(aws.get(job["ModelArtifacts"]["S3ModelArtifacts"]))) as tar:
        words, variables, helper = json.load(tar.extractfile("model.json"))
    assert words == ["--kind", "deep", "--rate", "0.5"]
    assert helper == "helper"
    assert variables == {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "SM_HP_RATE": "0.5",
        "SM_CHANNELS": '["code", "train"]',
        "SM_HOSTS": '["algo-1"]',
    }
    assert aws.log(job["TrainingJobName"], "Training")[-1] == "1,2"


@pytest.mark.parametrize(
    ("files", "values", "reason"),
    [
        ({"a_py": ""}, {}, "no sagemaker_program: the image's built-in algorithm is not here."),
        ({"a_py": ""}, {"sagemaker_program": "b.py"}, "there is no b.py in"),
        ({"a_py": ""}, {"sagemaker_program": "../../etc/passwd"}, "../../etc/passwd leads out of the source archive"),
        ({"UP__a_py": ""}, {"sagemaker_program": "a.py"}, "cannot be unpacked: '../a.py' would be extracted"),
        (
            {"a_py": ""},
            {"sagemaker_program": "a.py", "sagemaker_submit_directory": "s3://bucket/none.tar.gz"},
            "s3://bucket/none.tar.gz cannot be fetched: the job is isolated from the network",
        ),
    ],
)
def test_what_cannot_train_says_why(tmp_path, monkeypatch, files, values, reason):
    source = tmp_path / "sourcedir.tar.gz"
    source.write_bytes(archive(**files))
    (tmp_path / "input/config").mkdir(parents=True)
    given = {"sagemaker_submit_directory": str(source), **values}
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
    monkeypatch.setattr(script_mode, "ROOT", tmp_path)
    monkeypatch.setattr(script_mode, "CODE", tmp_path / "code")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(SystemExit, match=re.escape(reason)):
        script_mode.main()
    assert reason in (tmp_path / "output/failure").read_text()
    assert not (tmp_path / "a.py").exists()
