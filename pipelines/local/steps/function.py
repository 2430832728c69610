"""Lambda steps: a Python function that the user named in the `local:` block, in a process of its own.

The event is the step's Arguments. What the function returns gives the output parameters; a `statusCode` in it that is
not 200 to 299 fails the step (the service's own rule is not documented). What it raises is the FailureReason. It runs
in an environment with the requirements.txt that lies beside its file, or else, where it imports it, with the boto3 that
Lambda's Python has; and sees that file alone.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import LocalError
from pipelines.local import stand_ins
from pipelines.local.home import Home
from pipelines.local.jobs.cluster import Runner
from pipelines.local.machine.events import Launch
from pipelines.local.runner.context import Copy
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import ContainerRequest
from pipelines.local.runner.scratch import remove
from pipelines.local.settings import Function, Settings
from pipelines.local.steps import invoke
from pipelines.local.steps.outputs import OutputError, declared, listed, typed
from pipelines.local.steps.step import REASON, Json, StepKind, Tell
from pipelines.local.steps.stub import Stubs

TIMEOUT_SECONDS: Final = 600.0  # what a Lambda step may take at most (CONTRACT.md 1.9)
_KIND: Final = "Lambda"
_PROGRAM: Final = "/var/runtime/invoke.py"
_BOTO3: Final = Path(stand_ins.__file__).with_name("lambda.txt")
_RESULT: Final = 6 << 20  # bytes of an answer, Lambda's own limit


class FunctionError(Exception):
    """The function gave no result; the text says why."""


@dataclass(frozen=True)
class LambdaStep(StepKind):
    """Invokes functions; a step whose function is not known here may have a stub result."""

    home: Home
    runner: Runner
    settings: Callable[[], Settings]
    stubs: Stubs
    timeout: float = TIMEOUT_SECONDS

    def run(self, launch: Launch, tell: Tell) -> None:
        arn = str(launch.settings.get("FunctionArn") or "")
        function = self.settings().function(arn)
        if function is None:
            fix = f"name it under environments: local: functions: {arn}: ./FILE.py:FUNCTION"
            self.stubs.instead(launch, tell, f"the function {arn}, of which nothing is known here", fix)
            return
        stopping, metadata = threading.Event(), {"Lambda": {"Arn": arn}}
        tell.started(metadata, stopping.set)
        try:
            outputs = _outputs(launch, self._invoke(launch, function))
        except (FunctionError, OutputError, LocalError) as error:
            tell.failed(f"ClientError: function {arn}: {error}"[:REASON], metadata)
            return
        if stopping.is_set():  # as the service does, it waits for the function's end
            tell.stopped(metadata)
            return
        shown = {"OutputParameters": listed(outputs)} if outputs else {}
        tell.succeeded({"OutputParameters": outputs}, {"Lambda": {"Arn": arn, **shown}})

    def _invoke(self, launch: Launch, function: Function) -> Any:
        """What the function returns. Raises `FunctionError` or `LocalError`."""
        folder = self.home.jobs / _KIND / launch.job_name
        root, log = folder / "ml", self.home.logs / _KIND / launch.job_name / "function"
        root.mkdir(parents=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            (root / "event.json").write_text(json.dumps(launch.arguments), encoding="utf-8")
            container = self.runner.start(_request(function, root, log))
            code = container.wait(self.timeout)
            if code is None:
                container.stop(0)
                container.wait()
                raise FunctionError(f"it took longer than {self.timeout:g} seconds")
            return _result(root / "result.json", code, log)
        finally:
            remove(folder)


def _request(function: Function, root: Path, log: Path) -> ContainerRequest:
    if not function.file.is_file():
        fix = "correct the path under environments: local: functions"
        raise LocalError(f"there is no file {function.file}", fix=fix)
    target = f"/var/task/{function.file.name}"
    copies = (Copy(Path(invoke.__file__), _PROGRAM), Copy(function.file, target))
    image = Image(copies=copies, requirements=_requirements(function.file), workdir="/var/task")
    command = ("python3", _PROGRAM, target, function.handler, "/opt/ml/event.json", "/opt/ml/result.json")
    return ContainerRequest(image, command, {}, root, log)


def _requirements(file: Path) -> Path | None:
    """What its environment is built of: its own, or Lambda's; a function that needs neither waits for neither."""
    own = file.with_name("requirements.txt")
    if own.is_file():
        return own
    text = file.read_text(encoding="utf-8", errors="replace")
    return _BOTO3 if re.search(r"^\s*(?:import|from)\s+(?:boto3|botocore)\b", text, re.MULTILINE) else None


def _result(file: Path, code: int, log: Path) -> Any:
    if not file.is_file() or file.is_symlink():
        raise FunctionError(f"it ended with exit code {code} and no result; its log: {log}")
    with file.open("rb") as stream:
        text = stream.read(_RESULT + 1)
    if len(text) > _RESULT:
        raise FunctionError(f"its result is larger than {_RESULT:,} bytes")
    answer = json.loads(text)
    if "error" in answer:
        raise FunctionError(answer["error"])
    return answer["result"]


def _outputs(launch: Launch, result: Any) -> Json:
    """The declared values of a result. Raises `FunctionError` or `OutputError`."""
    types = declared(launch)
    values = result if isinstance(result, dict) else {}
    status = values.get("statusCode", 200)
    if not str(status).isdigit() or not 200 <= int(status) < 300:
        raise FunctionError(f"it returned statusCode {status}: {json.dumps(values.get('body', ''))[:500]}")
    missing = [name for name in types if name not in values]
    if missing:
        raise FunctionError(
            f"it returned no {', '.join(missing)}; the step's OutputParameters declare {', '.join(types)}"
        )
    return typed(types, values)
