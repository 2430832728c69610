"""Jobs upon a runner, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.database import Database
from pipelines.local.home import Home
from pipelines.local.jobs.job import Host, Job
from pipelines.local.jobs.service import Jobs
from pipelines.local.runner.process import ProcessRunner
from pipelines.local.store import ObjectStore
from tests.local.local_aws import IMAGE, PRELUDE, ROLE, processing_input

Json = dict[str, Any]
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@dataclass
class Bench:
    """Jobs upon a runner, and a bucket `data`."""

    jobs: Jobs
    store: ObjectStore
    home: Home
    database: Database
    overlays: bool
    prelude: str = PRELUDE

    def create(self, kind: str, request: Json, name: str = "Job-1") -> Job:
        return self.jobs.create(kind, name, request)

    def run(self, kind: str, request: Json, name: str = "Job-1") -> Json:
        return self.jobs.run(self.create(kind, request, name))

    def put(self, key: str, text: str) -> str:
        return self.put_bytes(key, text.encode())

    def put_bytes(self, key: str, content: bytes) -> str:
        file = self.home.root / "upload"
        file.write_bytes(content)
        self.store.adopt("data", key, file)
        return f"s3://data/{key}"

    def keys(self, prefix: str = "") -> list[str]:
        return [stored.key for stored in self.store.objects("data", prefix)]

    def processing(self, code: str = "", **more: Any) -> Json:
        """A Processing job whose input `code` holds the program."""
        code_uri = self.put("code/main.py", PRELUDE + code)
        return {
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/main.py"],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
            },
            "ProcessingInputs": [processing_input("code", code_uri, "/opt/ml/processing/code")],
            "RoleArn": ROLE,
        } | more


@pytest.fixture
def bench(tmp_path: Path, environments: Path) -> Iterator[Callable[..., Bench]]:
    """Makes a `Bench` upon a runner, that of processes if none is given."""
    opened: list[Database] = []

    def make(runner: Any = None, stop_grace: float = 0.5) -> Bench:
        home = Home(tmp_path / ".pipelines")
        home.create()
        store = ObjectStore(home.objects)
        if "data" not in dict(store.buckets()):
            store.create_bucket("data")
        if not opened:
            opened.append(Database(home.database))
        runner = runner or ProcessRunner(environments, lambda _: None)
        host = Host(home, store, runner, "eu-central-1", "123456789012", lambda: NOW, stop_grace=stop_grace)
        return Bench(Jobs(host, opened[-1]), store, home, opened[-1], runner.overlays(home.local))

    yield make
    for database in opened:
        database.close()
