"""A local SageMaker in the test's own process: what it holds, what is run in it, and what is made to fail.

`serving(folder)` gives a `SageMaker`. Definitions are JSON documents, files of them, or a pipeline.yaml, which is
deployed as the command would.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.aws import Endpoint, Gateway
from pipelines.elsewhere import is_elsewhere, read
from pipelines.errors import UsageError
from pipelines.executions import Execution, StepRun, watch
from pipelines.local.home import Home
from pipelines.local.server import Server
from pipelines.local.steps.faults import Faults
from pipelines.spec import LOCAL, Target, local_target

PATIENCE = 600.0  # seconds: a busy machine is no failure of the test's
_HURRY = 0.1  # seconds between looks, as a part of what a person at a terminal would wait


class TimeoutExpiredError(AssertionError):
    """An execution did not end in time."""


@dataclass(frozen=True)
class Run:
    """An execution that has ended."""

    execution: Execution

    @property
    def status(self) -> str:
        return self.execution.status

    @property
    def arn(self) -> str:
        return self.execution.arn

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each step that ran."""
        return {step.name: step.status for step in self.execution.steps}

    def step(self, name: str) -> StepRun:
        """A step that ran. Raises `KeyError`."""
        return {step.name: step for step in self.execution.steps}[name]


@dataclass(frozen=True)
class SageMaker:
    """A local SageMaker that serves one test; objects are files below `objects`, BUCKET/KEY."""

    home: Home
    endpoint: str
    faults: Faults = field(default_factory=Faults)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead boto3, the SDK and the aws command here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": self.target.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAGEMAKER_VALIDATE_ROLE": "false",
        }

    @property
    def objects(self) -> Path:
        return self.home.objects

    @property
    def target(self) -> Target:
        return local_target()

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway(self.target, Endpoint(self.endpoint))

    def put(self, uri: str, content: str | bytes) -> str:
        """Write an object, and its bucket if that is not there; gives its URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        (self.objects / bucket).mkdir(parents=True, exist_ok=True)
        self.gateway.write_object(bucket, key, content.encode() if isinstance(content, str) else content)
        return uri

    def read(self, uri: str) -> bytes:
        """The content of an object. Raises `AwsError`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.gateway.read_object(bucket, key)

    def deploy(self, pipeline: Path | str | Mapping[str, Any], name: str = "pipeline") -> str:
        """Deploy a pipeline.yaml, or under `name` a definition: a document, a .json file, `flow.py:function`.

        Gives the name.
        """
        if isinstance(pipeline, Mapping):
            return self._put(name, json.dumps(pipeline))
        file = Path(pipeline)
        if is_elsewhere(file):
            return self._put(name, read(file, name, self.target, lambda: self.endpoint).definition.text)
        if file.is_dir() or file.suffix in (".yaml", ".yml"):
            return self._deploy(file / "pipeline.yaml" if file.is_dir() else file)
        raise UsageError("it is no definition", where=str(file), fix="name a .json file, a pipeline.yaml or its folder")

    def start(self, name: str, parameters: Mapping[str, str] | None = None) -> str:
        """Start a deployed pipeline; gives the execution's ARN."""
        return self.gateway.start_execution(name, dict(parameters or {}))

    def wait(self, arn: str, seconds: float = PATIENCE) -> Run:
        """Wait until an execution has ended. Raises `TimeoutExpiredError`."""
        deadline = time.monotonic() + seconds

        def look(execution: Execution) -> None:
            if not execution.ended and time.monotonic() > deadline:
                running = ", ".join(step.name for step in execution.steps if step.end is None)
                raise TimeoutExpiredError(f"{arn} did not end within {seconds:g} s; running: {running or 'nothing'}")

        return Run(watch(self.gateway, arn, look, lambda pause: time.sleep(pause * _HURRY)))

    def run(
        self,
        pipeline: Path | str | Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
        name: str = "pipeline",
        seconds: float = PATIENCE,
    ) -> Run:
        """Deploy, start, wait."""
        return self.wait(self.start(self.deploy(pipeline, name), parameters), seconds)

    def retry(self, arn: str, seconds: float = PATIENCE) -> Run:
        """Let an execution go on from where it failed, and wait."""
        self.gateway.retry_execution(arn)
        return self.wait(arn, seconds)

    def _put(self, name: str, definition: str) -> str:
        request = {"PipelineDefinition": definition, "RoleArn": self.target.role}
        if self.gateway.pipeline(name) is None:
            self.gateway.create_pipeline(name, **request)
        else:
            self.gateway.update_pipeline(name, **request)
        return name

    def _deploy(self, file: Path) -> str:
        from pipelines.compile import compile_spec
        from pipelines.deploy import Site, apply, make_plan, wanted
        from pipelines.local.images import LocalImages
        from pipelines.local.settings import of_spec, write
        from pipelines.spec import load

        spec = load(file)
        write(self.home, of_spec(spec))
        cache = Home(spec.folder / ".pipelines").compiled
        compiled = compile_spec(spec, LOCAL, cache=cache)
        neutral = compile_spec(spec, spec.neutral_target(), cache=cache).definition.digest
        site = Site(self.gateway, LocalImages(self.home), spec.folder, lambda _text: None)
        made, live = make_plan(wanted(compiled, neutral, spec.pipeline, spec.folder), site)
        apply(made, site, live)
        return spec.pipeline.name


@contextmanager
def serving(folder: Path) -> Iterator[SageMaker]:
    """Serve a local SageMaker that keeps its state in `folder`. What runs at the end is stopped."""
    faults = Faults()
    server = Server(Home(folder), local_target().region, faults=faults)
    thread = threading.Thread(target=server.serve, name="local-sagemaker", daemon=True)
    thread.start()
    try:
        yield SageMaker(server.home, server.endpoint, faults)
    finally:
        faults.end()
        server.shutdown()
        thread.join()
