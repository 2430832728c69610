"""What stands in for images that others publish: the table, and the programs that run in their jobs."""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from pipelines.context import read_context
from pipelines.local.images import push
from pipelines.local.stand_ins import script_mode, spark_submit, xgboost_algorithm
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
    source = archive(train_py=TRAIN, helper_py="NAME = 'helper'")
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
        (
            {"a_py": "", "requirements__txt": "a package"},
            {"sagemaker_program": "a.py"},
            "requirements.txt of the source cannot be installed, the log says why",
        ),
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


@pytest.mark.parametrize(
    ("version", "pickled"),
    [("0.90-2-cpu-py3", True), ("1.0-1-cpu-py3", True), ("1.2-2", True), ("1.3-1", False), ("1.7-1", False)],
)
def test_the_xgboost_image_has_its_algorithm_and_keeps_models_as_its_version_does(version, pickled):
    image = stand_in(f"{AWS}/sagemaker-xgboost:{version}")
    assert image is not None
    assert f"/usr/local/bin/{script_mode.ALGORITHM}" in {copy.destination for copy in image.copies}
    assert ("XGBOOST_PICKLE" in image.environment) == pickled


def test_without_a_script_the_algorithm_of_the_image_trains(tmp_path, monkeypatch):
    program = tmp_path / script_mode.ALGORITHM
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(script_mode, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script_mode.prepared() == ([sys.executable, str(program)], {})


def test_the_algorithms_hyperparameters_are_xgboosts_but_for_its_own():
    values = {
        "num_round": "5",
        "max_depth": "3",
        "eval_metric": "auc,rmse",
        "_tuning_objective_metric": "validation:mae",
    }
    assert xgboost_algorithm.parameters(values) == {"max_depth": "3", "eval_metric": ["auc", "rmse", "mae"]}
    assert xgboost_algorithm.parameters({"num_round": "5"}) == {}
    assert xgboost_algorithm.rounds(values) == 5


@pytest.mark.parametrize(
    ("content_type", "read_as"),
    [(None, "libsvm"), ("text/csv", "csv"), ("text/csv; label_size=1", "csv"), ("application/x-parquet", "parquet")],
)
def test_what_a_channel_holds_is_told_by_its_content_type(content_type, read_as):
    assert xgboost_algorithm.kind(content_type) == read_as


@pytest.mark.parametrize(
    ("values", "channels", "hosts", "reason"),
    [
        ({}, {}, ["algo-1"], "there is no channel train"),
        ({}, {"train": {}}, ["algo-1"], "no data in the channel train"),
        ({}, {}, ["algo-1", "algo-2"], "trains on one host here: set InstanceCount to 1"),
    ],
)
def test_what_the_algorithm_cannot_train_it_says(tmp_path, monkeypatch, values, channels, hosts, reason):
    config = tmp_path / "input/config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(values))
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    (config / "resourceconfig.json").write_text(json.dumps({"hosts": hosts}))
    monkeypatch.setattr(xgboost_algorithm, "ROOT", tmp_path)
    monkeypatch.setitem(sys.modules, "xgboost", ModuleType("xgboost"))
    with pytest.raises(SystemExit, match=reason):
        xgboost_algorithm.main()
    assert reason in (tmp_path / "output/failure").read_text()


@pytest.mark.parametrize(
    ("values", "reason"),
    [({}, "num_round is missing"), ({"num_round": "many"}, "num_round is 'many', not a whole number")],
)
def test_the_rounds_of_the_algorithm_are_asked_for(values, reason):
    with pytest.raises(xgboost_algorithm.Refusal, match=reason):
        xgboost_algorithm.rounds(values)


def test_a_content_type_that_the_algorithm_does_not_read_is_refused():
    with pytest.raises(
        xgboost_algorithm.Refusal, match="'application/x-recordio-protobuf' is not read here: use text/csv"
    ):
        xgboost_algorithm.kind("application/x-recordio-protobuf")
