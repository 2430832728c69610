"""A Python function of the user's → the name and the definition of the pipeline that it gives.

The function runs, in a process of its own (`called.py`): whatever it does to that process ends with it. What it finds
as AWS is the local SageMaker, so it needs no account and no network, and what it uploads lies there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.errors import CompileError
from pipelines.spec import Target

_STDERR = 2  # what the function prints is no result of ours


@dataclass(frozen=True)
class Call:
    """What the process is told: the function, what it finds as AWS, and the file that its answer is to lie in."""

    place: str
    endpoint: str
    region: str
    bucket: str
    role: str
    answer: str


def call(place: str, target: Target, endpoint: str) -> tuple[str, str]:
    """The pipeline's name ("" if what it gives has none) and its definition's text, by `MODULE_OR_FILE:FUNCTION`.

    Raises `CompileError`: there is no such function, it raised, or what it gives is no pipeline.
    """
    with tempfile.TemporaryDirectory(prefix="pipelines-") as folder:
        answer = Path(folder) / "answer.json"
        told = json.dumps(asdict(Call(place, endpoint, target.region, target.bucket, target.role, str(answer))))
        # -P: a folder called `pipelines` in the current one is the user's, not we.
        words = [sys.executable, "-P", "-m", "pipelines.compile.called", told]
        code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=_STDERR, check=False).returncode
        try:
            said = json.loads(answer.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            what = f"it ended Python before it gave a pipeline (exit code {code})"
            raise CompileError(what, where=place, fix="let it return the pipeline") from error
    if "what" in said:
        raise CompileError(said["what"], where=said["where"], fix=said["fix"])
    return said["name"], said["definition"]
