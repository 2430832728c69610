"""What stands in for AWS's images when they serve a model: the server, the user's script, XGBoost's algorithm."""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy
import pytest

from pipelines.context import read_context
from pipelines.local.images import push
from pipelines.local.stand_ins import script_mode, serve, serve_script, serve_xgboost
from pipelines.local.stand_ins.table import stand_in
from pipelines.local.stand_ins.toolkit import absent, encoders, xgboost_encoder
from tests.local.local_aws import ROLE, Json, LocalAws, eventually, fresh

AWS = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = "111111111111.dkr.ecr.us-east-1.amazonaws.com/serving:1"
STAND_INS = Path(serve.__file__).parent


def archive(**files: str) -> bytes:
    """A .tar.gz; in its names `_in_` is a slash."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_in_", "/").replace("_py", ".py").replace("_txt", ".txt"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()


# The server, and a script: in jobs, upon an image with the programs and without the packages, which take long.


@pytest.fixture(scope="module")
def _image(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> None:
    known = stand_in(f"{AWS}/sagemaker-scikit-learn:1.2-1-cpu-py3")
    assert known is not None
    folder = tmp_path_factory.mktemp("serving")
    lines = ["FROM python:3", *(f"ENV {name}={value}" for name, value in known.environment.items())]
    for number, copy in enumerate(known.copies):
        shutil.copy(copy.source, folder / str(number))
        (folder / str(number)).chmod(0o755)
        lines.append(f"COPY {number} {copy.destination}")
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    push(aws.home.images, IMAGE, read_context(folder, "."))


def create_transform(aws: LocalAws, model: bytes, variables: dict[str, str], **more: Any) -> str:
    """A transform of two lines of CSV by a new model; gives its name."""
    name, data = fresh(), aws.put(f"{fresh()}/model.tar.gz", model)
    rows = aws.put(f"{name}/rows.csv", "1,2\n3,4\n")
    container = {"Image": IMAGE, "ModelDataUrl": data, "Environment": variables}
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": rows}}
    aws.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"} | more,
        TransformOutput={"S3OutputPath": f"s3://data/{name}-out", "Accept": "text/csv"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    return name


def transform(aws: LocalAws, model: bytes, variables: dict[str, str], **more: Any) -> Json:
    return aws.wait_for_job(create_transform(aws, model, variables, **more), "transform")


SCRIPT = """
import pathlib
from sagemaker_containers.beta.framework import content_types, env, modules, server, transformer
import helper

def model_fn(model_dir):
    return pathlib.Path(model_dir, "weight.txt").read_text()

def input_fn(content, content_type):
    assert content_type == content_types.CSV
    return [sum(map(int, line.split(","))) for line in content.splitlines()]

def predict_fn(rows, weight):
    return [row * int(weight) + helper.MORE for row in rows]

def output_fn(found, accept):
    return "".join(f"{value}\\n" for value in found), accept
"""
IN_MODEL = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.mark.usefixtures("_image")
def test_a_script_in_the_model_answers(aws):
    model = archive(weight_txt="10", code_in_serve_py=SCRIPT, code_in_helper_py="MORE = 1")
    job = transform(aws, model, IN_MODEL)
    assert job["TransformJobStatus"] == "Completed", job
    assert aws.get(f"s3://data/{job['TransformJobName']}-out/rows.csv.out") == b"31\n71\n"


@pytest.mark.usefixtures("_image")
def test_a_script_in_s3_answers_though_the_servers_container_has_no_network(aws):
    source = aws.put(f"{fresh()}/sourcedir.tar.gz", archive(serve_py=SCRIPT, helper_py="MORE = 2"))
    job = transform(
        aws, archive(weight_txt="1"), {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": source}
    )
    assert job["TransformJobStatus"] == "Completed", job
    assert aws.get(f"s3://data/{job['TransformJobName']}-out/rows.csv.out") == b"5\n9\n"


@pytest.mark.usefixtures("_image")
def test_a_source_in_s3_that_is_not_there_is_named(aws):
    gone = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://data/none.tar.gz"}
    job = transform(aws, archive(weight_txt="1"), gone)
    assert job["FailureReason"].startswith("ClientError: the code data s3://data/none.tar.gz: ")


@pytest.mark.usefixtures("_image")
def test_what_a_script_raises_is_the_reason_and_its_traceback_is_in_the_log(aws):
    broken = "def model_fn(model_dir): pass\ndef transform_fn(model, content, kind, accept): raise KeyError('rings')\n"
    job = transform(aws, archive(code_in_serve_py=broken), IN_MODEL)
    assert job["FailureReason"] == "AlgorithmError: POST /invocations was answered with 500: KeyError: 'rings'"
    log = aws.log(job["TransformJobName"], "Transform")
    assert any(line.startswith("Traceback") for line in log)
    assert any("in transform_fn" in line for line in log)


@pytest.mark.usefixtures("_image")
@pytest.mark.parametrize(
    ("variables", "files", "said"),
    [
        ({}, {"a_py": ""}, "SAGEMAKER_PROGRAM names no script, and the image has no algorithm that serves a model"),
        (IN_MODEL, {"code_in_a_py": ""}, "there is no serve.py in /opt/ml/model/code"),
        ({"SAGEMAKER_PROGRAM": "serve.py"}, {"code_in_serve_py": ""}, "SAGEMAKER_SUBMIT_DIRECTORY says where it lies"),
        (IN_MODEL, {"code_in_serve_py": ""}, "serve has no model_fn: write model_fn(model_dir), which gives the model"),
        (IN_MODEL, {"code_in_serve_py": "import lost"}, "ModuleNotFoundError: No module named 'lost'"),
        (
            IN_MODEL,
            {"code_in_serve_py": "def model_fn(d): pass\ndef predict_fn(r, m): pass\ntransform_fn = model_fn"},
            "serve has a transform_fn and one of input_fn, predict_fn, output_fn: leave either out",
        ),
        ({"SAGEMAKER_MULTI_MODEL": "true"}, {"a_py": ""}, "several models behind one server are not here"),
    ],
)
def test_what_cannot_be_served_is_said_in_the_log(aws, variables, files, said):
    job = transform(aws, archive(**files), variables)
    assert job["FailureReason"].startswith("AlgorithmError: the model server ended, exit code: 1"), job
    assert any(said in line for line in aws.log(job["TransformJobName"], "Transform"))


@pytest.mark.usefixtures("_image")
def test_a_server_is_stopped_while_its_script_answers(aws):
    slow = (
        "import time\ndef model_fn(d): pass\n"
        "def transform_fn(*_):\n    print('asked', flush=True)\n    time.sleep(600)\n"
    )
    name = create_transform(aws, archive(code_in_serve_py=slow), IN_MODEL)
    eventually(lambda: "asked" in aws.log(name, "Transform"))
    aws.sagemaker.stop_transform_job(TransformJobName=name)
    assert aws.wait_for_job(name, "transform")["TransformJobStatus"] == "Stopped"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The programs under their names in the image."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, file in {"serve": "serve.py", "serve-script": "serve_script.py", "train": "script_mode.py"}.items():
        shutil.copy(STAND_INS / file, folder / name)
    return folder


def test_a_server_that_loads_its_model_ends_at_sigterm_and_is_not_waited_for(programs):
    algorithm = "import time\ndef load():\n    print('loading', flush=True)\n    time.sleep(600)\n"
    (programs / serve.ALGORITHM).write_text(algorithm)
    with subprocess.Popen([sys.executable, str(programs / "serve")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


class Echo:
    """An application that gives what it gets."""

    limit = 10

    def invoke(self, body: bytes, content_type: str, accept: str) -> serve.Answer:
        if body == b"raise":
            raise ValueError("not this")
        return 200, accept, content_type.encode() + body

    def parameters(self) -> serve.Answer | None:
        return None


def test_a_body_that_is_too_large_is_refused_and_an_error_is_answered(capsys):
    assert serve.answer(Echo(), b"abc", "text/csv", "x/y") == (200, "x/y", b"text/csvabc")
    status, _, body = serve.answer(Echo(), b"a" * 11, "", "")
    assert status == 413
    assert body == (
        b"11 bytes are more than the 10 that the server takes: give the model the variable MAX_CONTENT_LENGTH, or send "
        b"less at once\n"
    )
    assert serve.answer(Echo(), b"raise", "", "") == (500, serve.TEXT, b"ValueError: not this\n")
    assert "Traceback" in capsys.readouterr().err


def test_the_server_knows_the_paths_of_the_contract():
    import threading

    server = serve.Server(Echo(), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        connection = HTTPConnection("127.0.0.1", server.server_port)
        seen = []
        for method, path, body in [
            ("GET", "/ping", None),
            ("GET", "/execution-parameters", None),
            ("GET", "/other", None),
            ("POST", "/other", b"a"),
            ("POST", "/invocations", b"a"),
        ]:
            connection.request(method, path, body, {"Content-Type": "k", "Accept": "text/x"} if body else {})
            answer = connection.getresponse()
            seen.append((answer.status, answer.read()))
        connection.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert seen == [(200, b"\n"), (404, b"not served\n"), (404, b"not served\n"), (404, b"not served\n"), (200, b"ka")]


# The defaults of a script, and the modules that it imports.


@pytest.fixture
def toolkit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The modules of an image's toolkit, as they are imported there."""

    def install(*, xgboost: bool = False) -> None:
        for name in ("sagemaker_containers", "sagemaker_containers.beta", "sagemaker_containers.beta.framework"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, "sagemaker_containers.beta.framework.encoders", encoders)
        if xgboost:
            monkeypatch.setitem(sys.modules, "sagemaker_xgboost_container", ModuleType("x"))
            monkeypatch.setitem(sys.modules, "sagemaker_xgboost_container.encoder", xgboost_encoder)

    return install


def script(**functions: Any) -> serve_script.Script:
    return serve_script.Script(SimpleNamespace(__name__="user", model_fn=lambda _: Model(), **functions))  # type: ignore[arg-type]


class Model:
    def predict(self, rows: Any) -> Any:
        return rows.sum(axis=1)


@pytest.mark.parametrize(
    ("body", "kind", "accept", "answer"),
    [
        (b"1,2\n3,4\n", "text/csv", "text/csv", (200, "text/csv", b"3.0\n7.0\n")),
        (b"1,2\n3,4\n", "text/csv", "*/*", (200, "application/json", b"[3.0, 7.0]")),
        (b"[[1, 2], [3, 4]]", "", "", (200, "application/json", b"[3.0, 7.0]")),
        (encoders.array_to_npy(numpy.array([[1, 2]])), "application/x-npy", "text/csv", (200, "text/csv", b"3\n")),
    ],
)
def test_what_a_script_lacks_is_answered_as_the_image_does(toolkit, body, kind, accept, answer):
    toolkit()
    assert script().invoke(body, kind, accept) == answer


def test_a_type_that_nothing_reads_or_writes_is_refused(toolkit):
    toolkit()
    status, kind, body = script().invoke(b"1", "image/png", "")
    assert (status, kind, json.loads(body)["error"]) == (415, "application/json", "UnsupportedFormatError")
    assert script().invoke(b"[[1, 2]]", "application/json", "image/png")[0] == 406


def test_the_default_accept_is_a_variable_of_the_model(toolkit, monkeypatch):
    toolkit()
    monkeypatch.setenv("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")
    assert script().invoke(b"[[1, 2]]", "application/json", "")[1] == "text/csv"


def test_what_functions_of_a_script_give_is_taken_as_the_image_takes_it(toolkit):
    from pipelines.local.stand_ins.toolkit.worker import Response

    toolkit()
    given = [
        ("text", (200, "a/b", b"text")),
        ((b"bytes", "c/d"), (200, "c/d", b"bytes")),
        ({"a": 1}, (200, "a/b", b'{"a": 1}')),
        (Response("made", "ignored", mimetype="e/f"), (200, "e/f", b"made")),
        (Response("no", status=422), (422, "application/json", b"no")),
    ]
    for result, answer in given:
        assert script(transform_fn=lambda *_, result=result: result).invoke(b"", "x", "a/b") == answer
    with pytest.raises(TypeError, match="the script answered with list: give a text or bytes, or either with its type"):
        script(output_fn=lambda *_: [1]).invoke(b"[[1, 2]]", "application/json", "a/b")


def test_an_error_of_a_script_is_no_refusal(toolkit):
    toolkit()
    with pytest.raises(ZeroDivisionError):
        script(input_fn=lambda *_: 1 / 0).invoke(b"", "text/csv", "")


def test_a_script_may_suggest_how_it_is_asked(toolkit):
    toolkit()
    assert script().parameters() is None
    asked = script(execution_parameters_fn=lambda: {"MaxPayloadInMB": 1})
    assert asked.parameters() == (200, "application/json", b'{"MaxPayloadInMB": 1}')


def test_pickles_in_arrays_are_not_loaded():
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        encoders.decode(buffer.getvalue(), "application/x-npy")


def test_csv_is_read_as_the_image_reads_it():
    assert encoders.csv_to_numpy("1,2\n").tolist() == [1.0, 2.0]
    assert encoders.csv_to_numpy("a,2\nb,3\n").tolist() == [["a", "2"], ["b", "3"]]
    assert encoders.array_to_csv([[1, "a,b"], [2, "c"]]) == '1,"a,b"\n2,c\n'


def test_what_the_toolkit_lacks_says_how_to_have_it():
    with pytest.raises(AttributeError, match=r"absent.ServingEnv is not part of the stand-in for AWS's image: run the"):
        _ = absent.ServingEnv


def test_what_scripts_import_is_in_the_images():
    xgboost = stand_in(f"{AWS}/sagemaker-xgboost:1.7-1")
    sklearn = stand_in(f"{AWS}/sagemaker-scikit-learn:1.4-2-cpu-py3")
    assert xgboost is not None
    assert sklearn is not None
    theirs = {copy.destination.removeprefix("/usr/local/lib/toolkit/") for copy in xgboost.copies}
    for name in (
        "sagemaker_inference/encoder",
        "sagemaker_inference/content_types",
        "sagemaker_xgboost_container/encoder",
    ):
        assert f"{name}.py" in theirs
    assert "/usr/local/bin/serve-algorithm" in theirs
    assert "/usr/local/bin/serve-algorithm" not in {copy.destination for copy in sklearn.copies}
    assert xgboost.environment["PYTHONPATH"] == sklearn.environment["PYTHONPATH"] == "/usr/local/lib/toolkit"


# XGBoost's algorithm, upon something like XGBoost: the real one is executed in tests/executing/prebuilt.


class Booster:
    """A model that answers with the sum of a row, of three columns at most."""

    loaded = b""

    def load_model(self, content: bytes) -> None:
        if not content.startswith(b"{"):
            raise XGBoostError("wrong model format\nStack trace")
        self.loaded = bytes(content)

    def num_features(self) -> int:
        return 3

    def attr(self, name: str) -> str | None:
        return {"best_iteration": "4"}.get(name)

    def predict(self, rows: Any, iteration_range: tuple[int, int], validate_features: bool) -> Any:
        assert iteration_range == (0, 5)
        assert validate_features is False
        return numpy.nansum(rows.values, axis=1)


class XGBoostError(Exception):
    pass


class DMatrix:
    def __init__(self, values: Any) -> None:
        self.values = values.toarray() if hasattr(values, "toarray") else values

    def num_col(self) -> int:
        return int(self.values.shape[1])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toolkit: Callable[..., None]) -> Path:
    """The folder of models, beside something like XGBoost."""
    toolkit(xgboost=True)
    fake, core = ModuleType("xgboost"), ModuleType("xgboost.core")
    fake.Booster, fake.DMatrix, fake.core, fake.__version__ = Booster, DMatrix, core, "1.7.6"  # type: ignore[attr-defined]
    core.Booster, core.XGBoostError = Booster, XGBoostError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "xgboost", fake)
    monkeypatch.setitem(sys.modules, "xgboost.core", core)
    monkeypatch.setattr(Booster, "__module__", "xgboost.core")
    monkeypatch.setattr(serve_xgboost, "MODEL", tmp_path)
    (tmp_path / "xgboost-model").write_bytes(b"{}")
    return tmp_path


@pytest.mark.parametrize(
    ("body", "kind", "accept", "batch", "answer"),
    [
        (b"1,2,3\n4,,6\n", "text/csv", "", True, (200, b"6.0\n10.0\n")),
        (b"1,2,3\n4,,6\n", "text/csv; charset=utf-8", "application/json", True, (200, b"6.0\n10.0\n")),
        (b"1;2;3\n", "", "", False, (200, b"6.0")),
        (b"1\t2\t3\n4\t5\t6\n", "text/csv", "text/csv", False, (200, b"6.0,15.0")),
        (b"1,2,3", "text/csv", "application/json", False, (200, b'{"predictions": [{"score": 6.0}]}')),
        (b"1 0:1.5 2:2\n0\n", "text/libsvm", "", True, (200, b"3.5\n0.0\n")),
        (b"0:1", "text/x-libsvm", "", True, (200, b"1.0\n")),
        (b"", "text/csv", "", True, (204, b"")),
        (
            b"\x00",
            "application/x-recordio-protobuf",
            "",
            True,
            (415, b"Content-type application/x-recordio-protobuf is not served: send text/csv or text/libsvm\n"),
        ),
        (
            b"a,b,c\n1,2,3\n",
            "text/csv",
            "",
            True,
            (415, b"the body cannot be read as csv without a label and a header: could not convert string to float: "),
        ),
        (
            b"1,2,3,4\n",
            "text/csv",
            "",
            True,
            (400, b"the rows do not fit the model: 4 columns were sent, 3 were trained on (the label is not sent)\n"),
        ),
        (b"1,2,3", "text/csv", "image/png", False, (406, b"Accept image/png is not served: ask for one of ")),
    ],
)
@pytest.mark.usefixtures("model")
def test_the_algorithm_answers_as_the_image_does(monkeypatch, body, kind, accept, batch, answer):
    monkeypatch.delenv("SAGEMAKER_BATCH", raising=False)
    if batch:
        monkeypatch.setenv("SAGEMAKER_BATCH", "true")
    status, _, found = serve_xgboost.load().invoke(body, kind, accept)
    assert (status, found[: len(answer[1])]) == answer
    assert answer[1] or not found


@pytest.mark.usefixtures("model")
def test_the_algorithm_suggests_how_it_is_asked(monkeypatch):
    _, _, body = serve_xgboost.load().parameters()
    expected = {"MaxConcurrentTransforms": os.cpu_count(), "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
    assert json.loads(body) == expected
    monkeypatch.setenv("MAX_CONTENT_LENGTH", str(50 * 1024**2))
    assert serve_xgboost.load().limit == 20 * 1024**2


def test_several_models_answer_with_their_mean_or_the_first_alone(model, monkeypatch):
    (model / "xgboost-model-1").write_bytes(b"{}")
    (model / "code").mkdir()
    assert len(serve_xgboost.load().boosters) == 2
    monkeypatch.setenv("SAGEMAKER_INFERENCE_ENSEMBLE", "false")
    assert len(serve_xgboost.load().boosters) == 1


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            pickle.dumps(Evil()),
            r"xgboost-model is a pickle that is not loaded \(it names (posix|nt|os).mkdir\): of pickles",
        ),
        (
            pickle.dumps(bytearray(b"a")),
            "xgboost-model is a pickle of bytearray, not of a Booster: save the model by save",
        ),
        (b"\x80", "xgboost-model is a pickle that is not loaded .*: of pickles only a Booster's of XGBoost 1.7.6 is"),
        (b"text", "xgboost-model is no model that XGBoost saved: wrong model format$"),
    ],
)
def test_what_is_no_model_is_refused_and_never_run(model, monkeypatch, content, said):
    monkeypatch.chdir(model)
    (model / "xgboost-model").write_bytes(content)
    with pytest.raises(serve_xgboost.Refusal, match=said):
        serve_xgboost.load()
    assert not (model / "evil").exists()


def test_a_pickle_of_a_booster_alone_is_read(model):
    (model / "xgboost-model").write_bytes(pickle.dumps(Booster()))
    assert isinstance(serve_xgboost.load().boosters[0], Booster)


def test_without_a_model_or_with_selected_contents_the_algorithm_does_not_serve(model, monkeypatch):
    (model / "xgboost-model").unlink()
    with pytest.raises(
        serve_xgboost.Refusal, match=r"there is no model in .*: model\.tar\.gz has xgboost-model at its top"
    ):
        serve_xgboost.load()
    monkeypatch.setenv("SAGEMAKER_INFERENCE_OUTPUT", "probability")
    with pytest.raises(serve_xgboost.Refusal, match="selected contents are not answered here; run the real image"):
        serve_xgboost.load()


def test_a_script_for_xgboost_is_given_matrices(model, monkeypatch):
    predict = Booster().predict
    monkeypatch.setattr(Booster, "predict", lambda _, rows, **more: predict(rows, (0, 5), **more))
    made = serve_script.Script(SimpleNamespace(__name__="user", model_fn=lambda _: Booster()))  # type: ignore[arg-type]
    assert made.invoke(b"1,2,3\n4,5,6\n", "text/csv", "text/csv") == (200, "text/csv", b"6.0\n15.0\n")
    assert made.invoke(b"[[1]]", "application/json", "text/csv")[0] == 415


def test_a_scripts_source_is_fetched_and_its_packages_asked_for_once(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "answers_py").write_text("")
    (source / "answers.py").write_text("def model_fn(model_dir): return model_dir\n")
    monkeypatch.setattr(script_mode, "CODE", tmp_path / "code")
    asked: list[Path] = []
    monkeypatch.setattr(script_mode, "install", asked.append)
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "answers.py")
    monkeypatch.setenv("SAGEMAKER_SUBMIT_DIRECTORY", str(source))
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert serve_script.load(script_mode).model == "/opt/ml/model"
    assert asked == [tmp_path / "code/requirements.txt"]
    sys.modules.pop("answers")
    importlib.invalidate_caches()
