"""The local SageMaker as one WSGI application: S3, SageMaker's pipelines and jobs, their logs, and moto for the rest.

Only programs on this machine may speak to it: a request whose Host is another name (DNS rebinding), or that a page in a
browser sends (Origin), is refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.local.api.executions import ExecutionApi
from pipelines.local.api.jobs import JobApi
from pipelines.local.api.logs import LogApi
from pipelines.local.api.pipelines import PipelineApi
from pipelines.local.api.protocol import MAX_BODY, ApiError, Json, JsonApi
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.home import Home
from pipelines.local.jobs.job import Host
from pipelines.local.jobs.service import KINDS, Jobs
from pipelines.local.moto import Moto, MotoError
from pipelines.local.runner.process import ProcessRunner
from pipelines.local.s3.application import is_s3_request, s3_application
from pipelines.local.store import ObjectStore
from pipelines.local.wsgi import Environ, StartResponse, WsgiApplication

ACCOUNT = "123456789012"
HEALTH = "/_local/health"
_HOST = re.compile(r"(?:[a-z0-9.-]+\.)?(?:127\.0\.0\.1|localhost)(?::[0-9]+)?|\[::1\](?::[0-9]+)?")


@dataclass(frozen=True)
class LocalSageMaker:
    """The parts that live as long as the server does."""

    database: Database
    engine: Engine
    application: WsgiApplication

    def close(self) -> None:
        """Stop what runs, wait for it to end, and close the state."""
        self.engine.close()
        self.database.close()


def build(home: Home, region: str, now: Callable[[], datetime], report: Callable[[str], None]) -> LocalSageMaker:
    """The local SageMaker of a project. Raises `LocalError` when its state cannot be read or written."""
    home.create()
    database = Database(home.database)
    store = ObjectStore(home.objects)
    store.clear_staging()

    def record(kind: str, name: str, body: Json) -> None:
        database.put(kind, name.lower(), body, created=float(body["CreationTime"]))

    runner = ProcessRunner(home.environments, report)
    jobs = Jobs(Host(home, store, runner, region, ACCOUNT, now, record), database)
    moto = Moto(database, region)
    engine = Engine(database, store, jobs, Registry(moto), now)
    jobs.recover()
    engine.recover()
    pipelines = PipelineApi(database, store, engine, region, ACCOUNT, now)
    operations = pipelines.operations() | ExecutionApi(pipelines, engine).operations()
    for kind in KINDS:
        operations |= JobApi(jobs, kind).operations()
    sagemaker = JsonApi("sagemaker", operations, _through(moto))
    logs = LogApi(jobs, home.logs)
    return LocalSageMaker(database, engine, _guarded(_router(s3_application(store), sagemaker, logs, moto, home)))


@dataclass(frozen=True)
class Registry:
    """RegisterModel steps → model packages in moto's registry."""

    moto: Moto

    def prepare(self) -> None:
        """Make ready for a registration that will come."""
        self.moto.prepare()

    def __call__(self, request: Json) -> Json:
        """Register a model package, with its group if that is not there; gives its Describe response."""
        group = request.get("ModelPackageGroupName")
        if group:
            name = group.rpartition("/")[2]
            groups = self.moto.sagemaker("ListModelPackageGroups", {"NameContains": name, "MaxResults": 100})
            if name not in {item["ModelPackageGroupName"] for item in groups["ModelPackageGroupSummaryList"]}:
                self.moto.sagemaker("CreateModelPackageGroup", {"ModelPackageGroupName": name})
        arn = self.moto.sagemaker("CreateModelPackage", request)["ModelPackageArn"]
        return self.moto.sagemaker("DescribeModelPackage", {"ModelPackageName": arn})


def _through(moto: Moto) -> Callable[[str, Json], Json]:
    """SageMaker operations that are not ours."""

    def call(operation: str, request: Json) -> Json:
        if "Pipeline" in operation:
            raise ApiError("UnknownOperationException", f"not executed locally: {operation}")
        try:
            return moto.sagemaker(operation, request)
        except MotoError as error:
            raise ApiError(error.kind, f"{operation}: {error.message}") from error

    return call


def _router(s3: WsgiApplication, sagemaker: JsonApi, logs: LogApi, moto: Moto, home: Home) -> WsgiApplication:
    log_api = JsonApi("logs", logs.operations(), _through(moto))

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
        if environ["PATH_INFO"] == HEALTH:
            return _json(start_response, 200, {"home": str(home.root.resolve())})
        if target.startswith("SageMaker."):
            return sagemaker(environ, start_response)
        if target.startswith("Logs_20140328.") and logs.owns(_peek(environ)):
            return log_api(environ, start_response)
        if is_s3_request(environ):
            return s3(environ, start_response)
        if environ["PATH_INFO"].startswith("/moto-api"):
            return _json(start_response, 404, {"__type": "NotFound", "message": "not part of the local SageMaker"})
        return moto(environ, start_response)

    return application


def _guarded(application: WsgiApplication) -> WsgiApplication:
    def guard(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not _HOST.fullmatch(str(environ.get("HTTP_HOST", "")).lower()) or "HTTP_ORIGIN" in environ:
            message = "the local SageMaker answers programs on this machine only: use http://127.0.0.1:PORT"
            return _json(start_response, 403, {"__type": "AccessDeniedException", "message": message})
        return application(environ, start_response)

    return guard


def _peek(environ: Environ) -> Json:
    """A small request's JSON body; the body can be read again."""
    body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        request = json.loads(body)
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _json(start_response: StartResponse, status: int, answer: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {'OK' if status == 200 else 'Refused'}", headers)
    return [body]
