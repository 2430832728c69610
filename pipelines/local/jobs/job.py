"""One SageMaker job on this machine: what every kind of job shares.

A `Job` is made from a Create…Job request; `run()` stages inputs, runs the container, collects outputs and gives the
job's Describe response; `stop()` may come from another thread at any time. Whatever goes wrong ends the job as Failed
with the reason; it does not raise. Outputs are collected from programs that succeeded only.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.images import find
from pipelines.local.jobs.message import NotTextError, read_message
from pipelines.local.jobs.parse import BadUriError
from pipelines.local.jobs.staging import NothingThereError, check_target, download
from pipelines.local.runner.image import Image, bare_image, command
from pipelines.local.runner.process import Container, ContainerRequest
from pipelines.local.store import ObjectStore, StoreError

IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED = "InProgress", "Completed", "Failed", "Stopping", "Stopped"
ENDED = (COMPLETED, FAILED, STOPPED)
HOST = "algo-1"
STOP_GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL; the service gives 120 (CONTRACT.md section 3.1)
MAX_RUNTIME_SECONDS = 86400  # of a job that names none
INTERRUPTED = "InternalServerError: interrupted: the local SageMaker was ended while it ran"

Json = dict[str, Any]
_log = logging.getLogger(__name__)


class JobError(Exception):
    """The job cannot go on; the text is its FailureReason."""


class Runner(Protocol):
    """Runs containers."""

    def start(self, request: ContainerRequest) -> Container:
        """Start one. Raises `LocalError` when it cannot be."""


@dataclass(frozen=True)
class Host:
    """What jobs run on: the home folder, the objects, the runner of containers and a clock."""

    home: Home
    store: ObjectStore
    runner: Runner
    region: str
    account: str
    now: Callable[[], datetime]
    stop_grace: float = STOP_GRACE_SECONDS


class Job(ABC):
    """One job; its record is the Describe response, with times as seconds since 1970."""

    kind: str  # in ARNs
    prefix: str  # of the record's name, status and times
    log_group: str

    def __init__(self, host: Host, name: str, request: Json, keep: Callable[[Job], None]) -> None:
        """`keep` is told of each change of the record."""
        self.host = host
        self.name = name
        self.request = request
        self._keep = keep
        self._lock = threading.RLock()  # of the record, the container and the wish to stop
        self._container: Container | None = None
        self._stop_requested = False
        self.arn = f"arn:aws:sagemaker:{host.region}:{host.account}:{self.kind}/{name.lower()}"
        self.record: Json = {
            **{key: value for key, value in request.items() if value is not None},
            f"{self.prefix}JobName": name,
            f"{self.prefix}JobArn": self.arn,
            f"{self.prefix}JobStatus": IN_PROGRESS,
            "CreationTime": self._time(),
            "LastModifiedTime": self._time(),
        }

    @property
    def status(self) -> str:
        return str(self.record[f"{self.prefix}JobStatus"])

    @property
    def root(self) -> Path:
        """The folder that the container sees as /opt/ml."""
        return self.host.home.jobs / self.prefix / self.name / "ml"

    @property
    def log(self) -> Path:
        return self.host.home.logs / self.prefix / self.name / HOST

    def run(self) -> Json:
        """Run the job to its end and give its record."""
        self.change(**{f"{self.prefix}StartTime": self._time()})
        status, reason = self._outcome()
        shutil.rmtree(self.root.parent, ignore_errors=True)
        more = {"FailureReason": reason[:1024]} if reason else {}
        self.change(**{f"{self.prefix}JobStatus": status, f"{self.prefix}EndTime": self._time()}, **more)
        return self.record

    def stop(self) -> None:
        """Ask a running job to stop: SIGTERM to its program, SIGKILL later. Returns at once."""
        with self._lock:
            if self.status != IN_PROGRESS:
                return
            self._stop_requested = True
            self.change(**{f"{self.prefix}JobStatus": STOPPING})
            container = self._container
        if container:
            container.stop(self.host.stop_grace)

    def change(self, **values: Any) -> None:
        """Change the record; readers see one state or the other."""
        with self._lock:
            self.record = {**self.record, **values, "LastModifiedTime": self._time()}
            self._keep(self)

    def _outcome(self) -> tuple[str, str]:
        """The status that the job ends with, and the reason if it is no success."""
        try:
            return self._run()
        except JobError as error:
            return FAILED, str(error)
        except StoreError as error:
            return FAILED, f"ClientError: {error.message}"
        except LocalError as error:
            return FAILED, f"{error.what}; fix: {error.problems[0].fix}"
        except Exception as error:  # noqa: BLE001 -- a job that ends in silence would be waited for for ever
            _log.exception("job %s", self.name)
            return FAILED, f"InternalServerError: {type(error).__name__}: {error}"

    def _run(self) -> tuple[str, str]:
        shutil.rmtree(self.root.parent, ignore_errors=True)
        self.refuse_what_is_not_here()
        self.stage()
        if self._stop_requested:
            return STOPPED, ""
        code, timed_out = self._execute()
        try:
            message, unreadable = self.message(), ""
        except NotTextError as error:
            message, unreadable = "", f"ClientError: {error}"
        if self._stop_requested:
            return STOPPED, ""
        if timed_out:
            return STOPPED, f"the job ran longer than its MaxRuntimeInSeconds of {self.limit}"
        if code != 0:
            return FAILED, f"AlgorithmError: {message or 'See job logs for more information'}, exit code: {code}"
        if unreadable:
            return FAILED, unreadable
        self.collect()
        return COMPLETED, ""

    def _execute(self) -> tuple[int, bool]:
        """Run the container: its exit code, and whether it was ended for taking too long."""
        uri, entrypoint, arguments = self.program()
        image = self._image(uri, entrypoint)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        request = ContainerRequest(
            image=image,
            command=command(image, entrypoint, arguments),
            environment=self.environment(),
            opt_ml=self.root,
            log=self.log,
            network=not self._isolated(),
            reference=uri,
        )
        # Not under the lock: it may build an environment, and a stop must not wait for that.
        container = self.host.runner.start(request)
        with self._lock:
            self._container = container
            stop_requested = self._stop_requested
        if stop_requested:
            container.stop(self.host.stop_grace)
        code = container.wait(self.limit)
        if code is None:
            container.stop(self.host.stop_grace)
            return container.wait() or 0, True
        return code, False

    def _image(self, uri: str, entrypoint: Sequence[str] | None) -> Image:
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

    def fetch(self, what: str, uri: str, folder: Path) -> None:
        """Put the objects of an input into its folder. Raises `JobError` that names the input."""
        try:
            download(self.host.store, uri, folder)
        except (NothingThereError, BadUriError) as error:
            raise JobError(f"ClientError: {what}: {error}") from error

    def check_output(self, what: str, uri: str) -> None:
        """Refuse an output that could not be uploaded, before the program runs."""
        try:
            check_target(self.host.store, uri)
        except BadUriError as error:
            raise JobError(f"ClientError: {what}: {error}") from error
        except StoreError as error:
            raise JobError(f"ClientError: {what}: {error.message}") from error

    def write_config(self, name: str, content: Any) -> None:
        """Write a JSON file below /opt/ml."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def text_at(self, name: str) -> str:
        """The first KB of a message that the program left below /opt/ml. Raises `NotTextError`."""
        return read_message(self.root, name)

    @property
    def limit(self) -> int:
        """How many seconds the program may take."""
        stopping = self.request.get("StoppingCondition") or {}
        return int(stopping.get("MaxRuntimeInSeconds") or MAX_RUNTIME_SECONDS)

    def _isolated(self) -> bool:
        network = self.request.get("NetworkConfig") or self.request
        return bool(network.get("EnableNetworkIsolation"))

    def _time(self) -> float:
        return self.host.now().timestamp()

    @abstractmethod
    def refuse_what_is_not_here(self) -> None:
        """Raises `JobError` for what would be executed with another meaning (issue C completes these)."""

    @abstractmethod
    def stage(self) -> None:
        """Lay out /opt/ml: inputs, configuration, empty outputs."""

    @abstractmethod
    def program(self) -> tuple[str, Sequence[str] | None, Sequence[str] | None]:
        """The image's URI, and the entrypoint and arguments of the request."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The environment variables that the contract gives the container."""

    @abstractmethod
    def message(self) -> str:
        """What the program said of its end. Raises `NotTextError`."""

    @abstractmethod
    def collect(self) -> None:
        """Put the outputs into the store."""
