"""One SageMaker job on this machine: what every kind of job shares.

A `Job` is made from a Create…Job request; `run()` brings it to its end and gives the job's Describe response; `stop()`
may come from another thread at any time. Whatever goes wrong ends the job as Failed with the reason; it does not raise.
A `ContainerJob` stages inputs, runs the containers, one for each host, and collects outputs, from programs that
succeeded only.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.images import image_of
from pipelines.local.jobs.cluster import Cluster, Ending, Runner
from pipelines.local.jobs.continuous import Watch, Watcher
from pipelines.local.jobs.message import NotTextError, read_message
from pipelines.local.jobs.model import Model, no_model
from pipelines.local.jobs.parse import BadUriError
from pipelines.local.jobs.pipe import Pipe
from pipelines.local.jobs.place import Place, below, host_names, outermost
from pipelines.local.jobs.source import InputError, Item, Source, list_items, shard
from pipelines.local.jobs.staging import bring, check_target
from pipelines.local.runner.image import Image, command
from pipelines.local.runner.process import ContainerRequest
from pipelines.local.runner.scratch import remove
from pipelines.local.s3.errors import disk_refusal
from pipelines.local.settings import Settings
from pipelines.local.store import ObjectStore, StoreError

IN_PROGRESS, COMPLETED, FAILED, STOPPING, STOPPED = "InProgress", "Completed", "Failed", "Stopping", "Stopped"
ENDED = (COMPLETED, FAILED, STOPPED)
STOP_GRACE_SECONDS = 120.0  # between SIGTERM and SIGKILL (CONTRACT.md section 3.1)
MAX_RUNTIME_SECONDS = 86400  # of a job that names none
INTERRUPTED = "InternalServerError: interrupted: the local SageMaker was ended while it ran"

Json = dict[str, Any]
_log = logging.getLogger(__name__)


class JobError(Exception):
    """The job cannot go on; the text is its FailureReason."""


@dataclass(frozen=True)
class Host:
    """What jobs run on: the home folder, the objects, the runner of containers, a clock, the user's settings.

    `models` finds those of the registry. `settled` gives the host of a new job, with settings and runner of that
    moment.
    """

    home: Home
    store: ObjectStore
    runner: Runner
    region: str
    account: str
    now: Callable[[], datetime]
    stop_grace: float = STOP_GRACE_SECONDS
    settings: Settings = field(default_factory=Settings)
    settled: Callable[[Host], Host] = lambda host: host
    models: Callable[[str], Model] = no_model


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
        self._lock = threading.RLock()  # of the record and the wish to stop
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

    def run(self) -> Json:
        """Run the job to its end and give its record."""
        self.change(**{f"{self.prefix}StartTime": self._time()})
        status, reason = self._outcome()
        try:
            self.clean_up()
        except Exception:  # noqa: BLE001 -- what is left goes when the server starts again
            _log.exception("job %s: its folder", self.name)
        more = {"FailureReason": reason[:1024]} if reason else {}
        self.change(**{f"{self.prefix}JobStatus": status, f"{self.prefix}EndTime": self._time()}, **more)
        return self.record

    def stop(self, grace: float | None = None) -> None:
        """Ask a running job to stop, with `grace` seconds for its programs to end. Returns at once."""
        with self._lock:
            if self.status not in (IN_PROGRESS, STOPPING):
                return
            self._stop_requested = True
            if self.status == IN_PROGRESS:
                self.change(**{f"{self.prefix}JobStatus": STOPPING})
        self.interrupt(self.host.stop_grace if grace is None else grace)

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

    def _time(self) -> float:
        return self.host.now().timestamp()

    @abstractmethod
    def _run(self) -> tuple[str, str]:
        """Bring the job to its end: `_outcome`, or what it turns into one."""

    @abstractmethod
    def interrupt(self, grace: float) -> None:
        """End what runs: SIGTERM to programs, SIGKILL after `grace` seconds. Returns at once."""

    @abstractmethod
    def clean_up(self) -> None:
        """Remove what the job needed while it ran."""


class ContainerJob(Job):
    """A job of containers, one for each host."""

    def __init__(self, host: Host, name: str, request: Json, keep: Callable[[Job], None]) -> None:
        super().__init__(host, name, request, keep)
        self._cluster = Cluster(host.stop_grace)
        self._staged: set[PurePosixPath] = set()  # the folders of inputs that no copy was made of
        self._pipes: list[Pipe] = []
        self._watches: list[Watch] = []
        self._rescued = False  # whether the folder holds what could not be uploaded
        self.failed: Place | None = None  # the host whose program failed

    @property
    def instance_count(self) -> int:
        """How many hosts the job has."""
        return 1

    @property
    def folder(self) -> Path:
        return self.host.home.jobs / self.prefix / self.name

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The job's hosts on this machine."""
        logs = self.host.home.logs / self.prefix / self.name
        return tuple(Place(name, self.folder / name, logs / name) for name in host_names(self.instance_count))

    @property
    def root(self) -> Path:
        """The folder that the first host sees as /opt/ml."""
        return self.places[0].ml

    @property
    def log(self) -> Path:
        """The log of the first host."""
        return self.places[0].log

    def interrupt(self, grace: float) -> None:
        self._cluster.stop(grace)

    def clean_up(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        if not self._rescued:
            remove(self.folder)

    def _run(self) -> tuple[str, str]:
        remove(self.folder)
        self.refuse_what_is_not_here()
        with self._disk("the job's folder"):
            self.stage()
        if self._stop_requested:
            return STOPPED, ""
        with self._rescuing():
            status, reason = self._work()
            if status == COMPLETED:
                self.collect()
            elif status == STOPPED:
                self.collect_stopped()
        return status, reason

    def _work(self) -> tuple[str, str]:
        """Run the programs on what is staged: the status that their end means, and the reason if it is no success."""
        with self._while_it_runs():
            code, timed_out = self._execute()
        return self._judge(code, timed_out)

    def _judge(self, code: int, timed_out: bool) -> tuple[str, str]:
        try:
            message, unreadable = self.message(), ""
        except NotTextError as error:
            message, unreadable = "", f"ClientError: {error}"
        problem = next((pipe.problem for pipe in self._pipes if pipe.problem), "")
        if self._stop_requested:
            return STOPPED, ""
        if timed_out:
            return STOPPED, f"the job ran longer than its MaxRuntimeInSeconds of {self.limit}"
        if problem:
            return FAILED, f"ClientError: {problem}"
        if code != 0:
            host = f"{self.failed.host}: " if self.failed and len(self.places) > 1 else ""
            said = message or "See job logs for more information"
            return FAILED, f"AlgorithmError: {host}{said}, exit code: {code}"
        if unreadable:
            return FAILED, unreadable
        return COMPLETED, ""

    def _execute(self) -> tuple[int, bool]:
        """Run the containers: the exit code of the first that failed, and whether they were stopped for their time."""
        uri, entrypoint, arguments = self.program()
        image = self._image(uri, entrypoint)
        words = command(image, entrypoint, arguments)
        self._cluster.start(self.host.runner, [self._container(place, image, uri, words) for place in self.places])
        ending = self._cluster.wait(self.limit)
        timed_out = ending is None
        if timed_out:
            self._cluster.stop(self.host.stop_grace)
            ending = self._cluster.wait(None)
        ending = ending or Ending()
        self.failed = self.places[ending.host] if ending.code else None
        return ending.code, timed_out

    def _container(self, place: Place, image: Image, uri: str, words: tuple[str, ...]) -> ContainerRequest:
        place.log.parent.mkdir(parents=True, exist_ok=True)
        # A named pipe on an overlay would be another pipe than the one that is fed.
        staged_at = outermost(self._staged) if self._pipes else [PurePosixPath()]
        return ContainerRequest(
            image=image,
            command=words,
            environment=self.environment(),
            opt_ml=place.ml,
            log=place.log,
            network=not self._isolated(),
            reference=uri,
            staged=place.staged if self._staged else None,
            staged_at=tuple(map(str, staged_at)),
            host=place.host,
            hosts=tuple(each.host for each in self.places),
            group=self.arn,
        )

    @contextmanager
    def _while_it_runs(self) -> Iterator[None]:
        """Feed pipes, and upload what is Continuous: the last of it when all programs have ended, in whatever way."""
        watcher = Watcher(self.host.store, self._watches)
        for pipe in self._pipes:
            pipe.start()
        watcher.start()
        try:
            yield
        finally:
            for pipe in self._pipes:
                pipe.close()
            watcher.close()

    @contextmanager
    def _rescuing(self) -> Iterator[None]:
        """What cannot be uploaded is not lost: the job's files are moved aside, and the reason names the place."""
        try:
            yield
        except (StoreError, OSError) as error:
            refusal = error if isinstance(error, StoreError) else disk_refusal(error, self.arn, self.folder)
            kept, self._rescued = self.host.home.kept / self.prefix / self.name, True
            try:
                remove(kept)
                kept.parent.mkdir(parents=True, exist_ok=True)
                for place in self.places:  # hard links to objects: who edits what is kept must not change those
                    remove(place.staged)
                self.folder.rename(kept)
            except OSError:
                kept = self.folder
            where = refusal.problems[0].where[:200]  # the reason has 1 KB, and its end must be in it
            reason = f"{refusal.message}; at {where}; what the program wrote is kept in {kept}"
            raise JobError(f"ClientError: {reason}") from error

    @contextmanager
    def _disk(self, what: str) -> Iterator[None]:
        """Turns what the file system refuses into a `JobError`."""
        try:
            yield
        except OSError as error:
            refusal = disk_refusal(error, what, self.host.home.jobs)
            raise JobError(f"ClientError: {what}: {refusal.message}") from error

    def _image(self, uri: str, entrypoint: Sequence[str] | None) -> Image:
        """The image of a URI; one that nothing is known of serves where the request names its own program."""
        return image_of(self.host.home, self.host.settings, uri, has_program=bool(entrypoint))

    def bring(self, what: str, source: Source, path: PurePosixPath, places: Sequence[Place] | None = None) -> None:
        """Put an input's objects at `path` below /opt/ml of the hosts, or feed them into pipes `path`_0, `path`_1 ….

        Raises `JobError` that names the input.
        """
        places = self.places if places is None else places
        with self._disk(what):
            try:
                items = list_items(self.host.store, source)
                for number, place in enumerate(places):
                    self._bring(source, shard(items, number, len(places)) if source.sharded else items, place, path)
            except (InputError, BadUriError) as error:
                raise JobError(f"ClientError: {what}: {error}") from error
            except StoreError as error:
                raise JobError(f"ClientError: {what}: {error.message}") from error

    def _bring(self, source: Source, items: Sequence[Item], place: Place, path: PurePosixPath) -> None:
        if source.pipe:
            self._pipes.append(Pipe(self.host.store, items, place.ml / path, source, self._cut_off))
            return
        if self._overlays and not any(below(path, output) for output in self.collected()):
            bring(self.host.store, items, place.staged / path, link=True)
            self._staged.add(path)
        else:
            bring(self.host.store, items, place.ml / path)

    def _cut_off(self) -> None:
        """End programs whose input has ended too early."""
        self._cluster.stop(self.host.stop_grace)

    @cached_property
    def _overlays(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.host.runner.overlays(self.host.home.jobs)

    def upload_while_it_runs(self, uri: str, path: PurePosixPath) -> None:
        """What any host writes to `path` below /opt/ml goes to the URI while it runs."""
        for place in self.places:
            watch = Watch(place.ml, path, uri)
            watch.known()
            self._watches.append(watch)

    def check_output(self, what: str, uri: str) -> None:
        """Refuse an output that could not be uploaded, before the program runs."""
        try:
            check_target(self.host.store, uri)
        except BadUriError as error:
            raise JobError(f"ClientError: {what}: {error}") from error
        except StoreError as error:
            raise JobError(f"ClientError: {what}: {error.message}") from error

    def write_config(self, name: str, content: Any) -> None:
        """Write a JSON file below each host's /opt/ml."""
        for place in self.places:
            place.write(name, content)

    def text_at(self, name: str, place: Place | None = None) -> str:
        """The first KB of a message that a host's program left below /opt/ml. Raises `NotTextError`."""
        return read_message((place or self.failed or self.places[0]).ml, name)

    @property
    def limit(self) -> int:
        """How many seconds the program may take."""
        stopping = self.request.get("StoppingCondition") or {}
        return int(stopping.get("MaxRuntimeInSeconds") or MAX_RUNTIME_SECONDS)

    def _isolated(self) -> bool:
        network = self.request.get("NetworkConfig") or self.request
        return bool(network.get("EnableNetworkIsolation"))

    def collect_stopped(self) -> None:
        """Put into the store what a job that was stopped, or took too long, is to leave there."""

    def collected(self) -> Sequence[PurePosixPath]:
        """The folders below /opt/ml whose whole content is an output: inputs in them are copied."""
        return ()

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
