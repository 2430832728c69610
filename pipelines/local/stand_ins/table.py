"""Images that others publish → what stands in for them: packages from the Python package index, programs of our own.

Takes an image's URI, gives an `Image` or None. A stand-in has the packages that scripts for the image import, in
versions near the image's own that install on the Pythons of today; it is not the image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.local.runner.context import Copy
from pipelines.local.runner.image import Image

_HERE = Path(__file__).parent
_AWS = r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/"
# python:3.11-slim of Docker Hub, and of the registries that pass its images on.
_PYTHON = re.compile(
    rf"(?:(?:docker\.io/|public\.ecr\.aws/docker/|{_AWS}(?:[\w.-]+/)*)?library/)?python(?::(?P<version>3\.[0-9]+)?[\w.-]*)?"
)


@dataclass(frozen=True)
class StandIn:
    """What runs for the images whose URI matches `pattern`: a requirements file and programs that lie beside this one.

    `programs`: path in the image → file.
    """

    pattern: str
    like: str
    packages: str
    programs: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def image(self, uri: str) -> Image:
        return Image(
            entrypoint=self.entrypoint,
            environment=self.environment,
            copies=_copies(self.programs),
            requirements=_HERE / f"{self.packages}.txt",
            notices=(f"pipelines: packages like those of {self.like} stand in for {uri}",),
        )


def _copies(programs: dict[str, str]) -> tuple[Copy, ...]:
    return tuple(Copy(_HERE / name, path, program=True) for path, name in programs.items())


_BIN, _LIB = "/usr/local/bin", "/usr/local/lib/toolkit"
_FRAMEWORK, _INFERENCE = f"{_LIB}/sagemaker_containers/beta/framework", f"{_LIB}/sagemaker_inference"
# `docker run IMAGE train`, `docker run IMAGE serve`, and the modules of the image that scripts import.
_SCRIPTS = {
    f"{_BIN}/train": "script_mode.py",
    f"{_BIN}/serve": "serve.py",
    f"{_BIN}/serve-script": "serve_script.py",
    **{f"{_FRAMEWORK}/{name}.py": f"toolkit/{name}.py" for name in ("content_types", "encoders", "worker")},
    **{f"{_FRAMEWORK}/{name}.py": "toolkit/absent.py" for name in ("env", "modules", "server", "transformer")},
    f"{_INFERENCE}/content_types.py": "toolkit/content_types.py",
    f"{_INFERENCE}/decoder.py": "toolkit/encoders.py",
    f"{_INFERENCE}/encoder.py": "toolkit/encoders.py",
}
_XGBOOST = {
    **_SCRIPTS,
    f"{_BIN}/train-algorithm": "xgboost_algorithm.py",
    f"{_BIN}/serve-algorithm": "serve_xgboost.py",
    f"{_LIB}/sagemaker_xgboost_container/encoder.py": "toolkit/xgboost_encoder.py",
}
_PATH = {"PYTHONPATH": _LIB}
# Spark would look up the machine's name, which a job without a network cannot.
_SPARK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
TABLE = (
    StandIn(
        _AWS + r"sagemaker-scikit-learn:1\.4.*", "scikit-learn 1.4", "scikit_learn_1_4", _SCRIPTS, environment=_PATH
    ),
    StandIn(_AWS + r"sagemaker-scikit-learn:.*", "scikit-learn 1.2", "scikit_learn_1_2", _SCRIPTS, environment=_PATH),
    StandIn(
        _AWS + r"sagemaker-xgboost:(?:0\.|1\.[0-2]-).*",
        "XGBoost 1.7",
        "xgboost_1_7",
        _XGBOOST,
        environment={**_PATH, "XGBOOST_PICKLE": "1"},
    ),
    StandIn(_AWS + r"sagemaker-xgboost:.*", "XGBoost 1.7", "xgboost_1_7", _XGBOOST, environment=_PATH),
    StandIn(
        _AWS + r"sagemaker-spark-processing:.*",
        "Spark 3.5",
        "spark_3_5",
        {"/usr/local/bin/smspark-submit": "spark_submit.py"},
        ("smspark-submit",),
        _SPARK,
    ),
)


def stand_in(uri: str) -> Image | None:
    """What runs for an image that is not built here; None when nothing is known of it."""
    python = _PYTHON.fullmatch(uri)
    if python:
        return Image(cmd=("python3",), python=python["version"])
    found = (entry for entry in TABLE if re.fullmatch(entry.pattern, uri))
    return next((entry.image(uri) for entry in found), None)


def programs(uri: str) -> Image | None:
    """What starts in an image of AWS's whose packages the user names: what starts in its stand-in, or script mode."""
    known = stand_in(uri)
    if known is None and re.fullmatch(_AWS + r"[\w./-]+-training:.*", uri):
        return Image(copies=_copies({f"{_BIN}/train": "script_mode.py"}))
    return known
