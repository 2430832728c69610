"""One SageMaker job on this machine: what every kind of job shares.

A `Job` is made from a Create…Job request; `run()` stages inputs, runs the container, collects outputs and gives the
job's Describe response; `stop()` may come from another thread at any time. Errors of the request's making end the job
as Failed with the reason; they do not raise.
"""

from __future__ import annotations

import json
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.images import find
from pipelines.local.jobs.message import read_message
from pipelines.local.runner.image import Image, bare_image, command
from pipelines.local.runner.process import Container, ContainerRequest, ProcessRunner
from pipelines.local.store import ObjectStore

IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED = "InProgress", "Completed", "Failed", "Stopping", "Stopped"
HOST = "algo-1"
STOP_GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL; the service gives 120 (CONTRACT.md section 3.1)

Json = dict[str, Any]


class JobError(Exception):
    """The job cannot go on; the text is its FailureReason."""


@dataclass(frozen=True)
class Host:
    """What jobs run on: the home folder, the objects, the runner of containers and a clock."""

    home: Home
    store: ObjectStore
    runner: ProcessRunner
    region: str
    account: str
    now: Callable[[], datetime]
    record: Callable[[str, str, Json], None]  # keeps a job's record: kind, name, Describe response


@dataclass
class Job(ABC):
    """One job; its record is the Describe response, with times as seconds since 1970."""

    host: Host
    name: str
    request: Json
    record: Json = field(default_factory=dict)

    kind = "job"  # in ARNs
    prefix = ""  # of the record's status and times
    log_group = ""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._container: Container | None = None
        self._stop_requested = False
        self.record = {
            **{key: value for key, value in self.request.items() if value is not None},
            f"{self.prefix}JobName": self.name,
            f"{self.prefix}JobArn": self.arn,
            f"{self.prefix}JobStatus": IN_PROGRESS,
            "CreationTime": self.time(),
            "LastModifiedTime": self.time(),
        }
        self.host.record(self.kind, self.name, self.record)

    @property
    def arn(self) -> str:
        return f"arn:aws:sagemaker:{self.host.region}:{self.host.account}:{self.kind}/{self.name.lower()}"

    @property
    def status(self) -> str:
        return str(self.record[f"{self.prefix}JobStatus"])

    @property
    def root(self) -> Path:
        """The folder that the container sees as /opt/ml."""
        return self.host.home.jobs / self.name / "ml"

    @property
    def log(self) -> Path:
        return self.host.home.logs / self.name / HOST

    def time(self) -> float:
        return self.host.now().timestamp()

    def run(self) -> Json:
        """Run the job to its end and give its record."""
        self.change(**{f"{self.prefix}StartTime": self.time()})
        try:
            status, reason = self._run()
        except JobError as error:
            status, reason = FAILED, str(error)
        except LocalError as error:
            status, reason = FAILED, f"{error.what}; fix: {error.problems[0].fix}"
        except OSError as error:
            status, reason = FAILED, f"InternalServerError: {error}"
        finally:
            shutil.rmtree(self.root.parent, ignore_errors=True)
        more = {"FailureReason": reason[:1024]} if reason else {}
        self.change(**{f"{self.prefix}JobStatus": status, f"{self.prefix}EndTime": self.time()}, **more)
        return self.record

    def stop(self) -> None:
        """Ask the job to stop: SIGTERM to its program, SIGKILL later. Returns at once."""
        with self._lock:
            self._stop_requested = True
            container = self._container
        if self.status == IN_PROGRESS:
            self.change(**{f"{self.prefix}JobStatus": STOPPING})
        if container:
            container.stop(STOP_GRACE_SECONDS)

    def change(self, **values: Any) -> None:
        """Change the record; readers see one state or the other."""
        self.record = {**self.record, **values, "LastModifiedTime": self.time()}
        self.host.record(self.kind, self.name, self.record)

    def _run(self) -> tuple[str, str]:
        shutil.rmtree(self.root.parent, ignore_errors=True)
        self.stage()
        if self._stop_requested:
            return STOPPED, ""
        code, timed_out = self._execute()
        message = self.message()
        if self._stop_requested:
            return STOPPED, ""
        if timed_out:
            return STOPPED, f"the job ran longer than its MaxRuntimeInSeconds of {self._limit():g}"
        if code != 0:
            return FAILED, self.failure(code, message)
        self.collect()
        return COMPLETED, ""

    def _execute(self) -> tuple[int, bool]:
        """Run the container: its exit code, and whether it was ended for taking too long."""
        image, entrypoint, arguments = self.image()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        request = ContainerRequest(
            image=image,
            command=command(image, entrypoint, arguments),
            environment=self.environment(),
            opt_ml=self.root,
            log=self.log,
            network=not self._isolated(),
        )
        with self._lock:
            if self._stop_requested:
                return 0, False
            self._container = container = self.host.runner.start(request)
        code = container.wait(self._limit())
        if code is None:
            container.stop(STOP_GRACE_SECONDS)
            return container.wait() or 0, True
        return code, False

    def known_image(self, uri: str, entrypoint: Sequence[str] | None) -> Image:
        """The image of a URI; one that nothing is known of serves where the request names its own program."""
        image = find(self.host.home.images, uri)
        if image:
            return image
        if not entrypoint:
            raise JobError(
                f"nothing is known of the image {uri}, and the step names no entrypoint: "
                "deploy from the project that builds the image (pipelines deploy), or name an entrypoint"
            )
        return bare_image()

    def write_config(self, folder: str, name: str, content: Any) -> None:
        file = self.root / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def text_at(self, name: str) -> str:
        """The first KB of a message that the program left below /opt/ml (CONTRACT.md section 3.2)."""
        return read_message(self.root / name)

    def _limit(self) -> float:
        stopping = self.request.get("StoppingCondition") or {}
        return float(stopping.get("MaxRuntimeInSeconds") or 86400)

    def _isolated(self) -> bool:
        network = self.request.get("NetworkConfig") or self.request
        return bool(network.get("EnableNetworkIsolation"))

    @abstractmethod
    def stage(self) -> None:
        """Lay out /opt/ml: inputs, configuration, empty outputs."""

    @abstractmethod
    def image(self) -> tuple[Image, Sequence[str] | None, Sequence[str] | None]:
        """The image, and the entrypoint and arguments of the request."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The environment variables that the contract gives the container."""

    @abstractmethod
    def message(self) -> str:
        """What the program said of its end."""

    @abstractmethod
    def failure(self, code: int, message: str) -> str:
        """The job's FailureReason for a program that exited with `code`."""

    @abstractmethod
    def collect(self) -> None:
        """Put the outputs into the store."""
