"""Which runner a job gets, as the settings say when it is made.

`Runners.settled(host)` gives a host with the settings of the moment and their runner: a change needs no restart, and a
job keeps what it began with. Jobs with a network find the local SageMaker as they would find AWS by their role.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.engine import Engine, find_engine
from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.jobs.cluster import Runner
from pipelines.local.jobs.job import Host
from pipelines.local.runner.docker import DockerRunner
from pipelines.local.runner.process import Container, ContainerRequest, ProcessRunner
from pipelines.local.settings import read
from pipelines.spec.local import DockerOptions


class Runners:
    """The runners of a home; that of an engine is made when it is first asked for."""

    def __init__(self, home: Home, region: str, report: Callable[[str], None]) -> None:
        self._home = home
        self._region = region
        self._report = report
        self._process = ProcessRunner(home.environments, report)
        self._lock = threading.Lock()
        self._docker: dict[DockerOptions, DockerRunner] = {}

    def settled(self, host: Host) -> Host:
        """The host as the settings are now. Raises `LocalError` when they are faulty, or there is no engine."""
        settings = read(self._home)
        if settings.runner == "docker":
            return replace(host, settings=settings, runner=self._of_engine(settings.docker))
        return replace(host, settings=settings, runner=self.process)

    @property
    def process(self) -> Runner:
        """Runs plain processes, whatever the settings say."""
        return _WithEndpoint(self._process, self._home, self._region)

    def remove_leftovers(self) -> None:
        """Remove the containers that a killed server left running, if this home's jobs run in an engine."""
        try:
            settings = read(self._home)
            if settings.runner == "docker":
                self._of_engine(settings.docker)
        except LocalError as error:
            self._report(f"containers of a server before were not looked for: {error}")

    def _of_engine(self, options: DockerOptions) -> DockerRunner:
        with self._lock:
            if options not in self._docker:
                runner = DockerRunner(_engine(), self._home.root, self._report, options.build, options.run)
                if not self._docker:  # before anything of ours runs in it
                    runner.remove_leftovers()
                self._docker[options] = runner
            return self._docker[options]


def _engine() -> Engine:
    try:
        return find_engine()
    except LocalError as error:
        fix = "start Docker, or run the jobs as processes: --runner process"
        raise LocalError(f"no container engine answers: {' '.join(error.what.split())}", fix=fix) from error


@dataclass(frozen=True)
class _WithEndpoint:
    """Gives containers the variables that lead boto3 and the aws command to this server."""

    runner: ProcessRunner
    home: Home
    region: str

    def overlays(self, folder: Path) -> bool:
        return self.runner.overlays(folder)

    def start(self, request: ContainerRequest) -> Container:
        return self.runner.start(replace(request, environment={**self._variables(request), **request.environment}))

    def _variables(self, request: ContainerRequest) -> dict[str, str]:
        if not request.network:
            return {}
        found = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        with suppress(OSError, ValueError, KeyError):  # a job of another time may start before the server is there
            found["AWS_ENDPOINT_URL"] = json.loads(self.home.server.read_text(encoding="utf-8"))["endpoint"]
            found |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        return found
