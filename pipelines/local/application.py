"""The local SageMaker as one WSGI application: S3, SageMaker's pipelines and jobs, their logs, and moto for the rest.

Only programs on this machine may speak to it: a request whose Host is another name (DNS rebinding), or that a page in a
browser sends (Origin, Sec-Fetch-Site), is refused.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl

from pipelines.local.api.callbacks import CallbackApi
from pipelines.local.api.executions import ExecutionApi
from pipelines.local.api.jobs import JobApi, TrialApi
from pipelines.local.api.logs import LogApi
from pipelines.local.api.pipelines import PipelineApi
from pipelines.local.api.protocol import ApiError, Json, JsonApi, read_body, read_request, respond
from pipelines.local.api.tags import TagApi
from pipelines.local.api.versions import VersionApi
from pipelines.local.bus import EventBus
from pipelines.local.call import send
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.execution import Services
from pipelines.local.home import Home
from pipelines.local.jobs.job import Host
from pipelines.local.jobs.model import Models
from pipelines.local.jobs.service import KINDS, Jobs
from pipelines.local.moto import Moto, MotoError
from pipelines.local.runners import Runners
from pipelines.local.s3.application import is_s3_request, s3_application
from pipelines.local.scheduler import ClockAlarm, Scheduler
from pipelines.local.settings import read
from pipelines.local.steps.callback import Callback
from pipelines.local.steps.faults import Faults
from pipelines.local.steps.kinds import Parts, step_kinds
from pipelines.local.store import ObjectStore
from pipelines.local.targets import Targets
from pipelines.local.wsgi import Environ, StartResponse, WsgiApplication

ACCOUNT = "123456789012"
HEALTH = "/_local/health"
CACHE_MISSES = "/_local/cache-misses"  # ?execution=ARN
WORKERS = 64  # jobs at once
READERS = 4
_HOST = re.compile(r"(?:[a-z0-9.-]+\.)?(?:127\.0\.0\.1|localhost)(?::[0-9]+)?|\[::1\](?::[0-9]+)?")
_OWN_PAGES = ("", "none", "same-origin")  # Sec-Fetch-Site: no browser, its address bar, our own answer
# moto would call these done without having run anything.
_PRETENDED = re.compile(r"(?:Create|Start|Send|Retry|Update|Delete|Stop)\w*(?:Job|Pipeline\w*)")
_log = logging.getLogger(__name__)

Door = Callable[[Mapping[str, str]], Json]  # of the server's own: what a GET's query asks for


class LocalSageMaker:
    """The parts that live as long as the server does. Raises `LocalError` when the state cannot be read or written."""

    def __init__(
        self,
        home: Home,
        region: str,
        now: Callable[[], datetime],
        report: Callable[[str], None],
        faults: Faults | None = None,
    ) -> None:
        home.create()
        self._database = Database(home.database)
        try:
            self._assemble(home, region, now, report, faults or Faults())
        except BaseException:
            self._database.close()
            raise

    def _assemble(
        self, home: Home, region: str, now: Callable[[], datetime], report: Callable[[str], None], faults: Faults
    ) -> None:
        database, store = self._database, ObjectStore(home.objects)
        store.clear_staging()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="document")
        runners = Runners(home, region, report)
        runners.remove_leftovers()
        moto = Moto(database, region, now)
        models = Models(moto).find
        host = Host(home, store, runners.process, region, ACCOUNT, now, settled=runners.settled, models=models)
        targets = Targets(moto.call, lambda call: send(sagemaker, call))
        self._bus = EventBus(moto, targets, ACCOUNT, now)
        self._scheduler = Scheduler(moto, targets, now, ClockAlarm(now))
        self.jobs = Jobs(host, database, self._bus.job_changed)
        callbacks, settings = Callback(moto, database, self._readers), partial(read, home)
        parts = Parts(home, store, self.jobs, moto, callbacks, runners.process, settings)
        kinds = step_kinds(parts).behind(faults)
        services = Services(database, store, kinds, now, self._workers, self._readers, self._bus.observe)
        self._engine = Engine(services)
        self.jobs.recover()
        self._engine.recover()
        pipelines = PipelineApi(database, store, self._engine, region, ACCOUNT, now)
        other = _through(moto)
        executions = ExecutionApi(pipelines, self._engine)
        operations = pipelines.operations() | executions.operations()
        operations |= VersionApi(pipelines).operations() | TagApi(database, other).operations()
        operations |= CallbackApi(callbacks, database).operations() | TrialApi(self.jobs).operations()
        for kind in KINDS:
            operations |= JobApi(kind, self.jobs, database, self._workers).operations()
        sagemaker, logs = JsonApi("sagemaker", operations, other), LogApi(home.logs)
        doors = {HEALTH: lambda _query: _health(home), CACHE_MISSES: executions.cache_misses}
        self.application = _guarded(_router(s3_application(store), sagemaker, logs, moto, doors))
        self._bus.start()
        self._scheduler.start()

    @property
    def busy(self) -> bool:
        """Whether an execution or a job runs."""
        return self._engine.busy or self.jobs.busy

    def stop(self) -> None:
        """Stop all that runs and wait for it to end. What asks meanwhile is still answered."""
        self._scheduler.close()
        self._engine.close()
        self.jobs.stop_all()
        self._workers.shutdown()
        self._readers.shutdown()
        self._bus.close()

    def close(self) -> None:
        """`stop`, and close the state."""
        self.stop()
        self._database.close()


def _through(moto: Moto) -> Callable[[str, Json], Json]:
    """SageMaker operations that are not ours."""

    def call(operation: str, request: Json) -> Json:
        if _PRETENDED.fullmatch(operation):
            raise ApiError("UnknownOperationException", f"not executed locally: {operation}")
        try:
            return moto.sagemaker(operation, request)
        except MotoError as error:
            raise ApiError(error.kind, f"{operation}: {error.message}") from error

    return call


def _health(home: Home) -> Json:
    return {"home": str(home.root.resolve()), "pid": os.getpid()}


def _router(
    s3: WsgiApplication, sagemaker: JsonApi, logs: LogApi, moto: Moto, doors: Mapping[str, Door]
) -> WsgiApplication:
    log_api = JsonApi("logs", logs.operations(), _through(moto))

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        target, path = str(environ.get("HTTP_X_AMZ_TARGET", "")), str(environ["PATH_INFO"])
        if path in doors:
            query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
            return respond(start_response, 200, doors[path](query))
        if target.startswith("SageMaker."):
            return sagemaker(environ, start_response)
        if target.startswith("Logs_20140328.") and logs.owns(_peek(environ)):
            return log_api(environ, start_response)
        if not target and is_s3_request(environ):
            return s3(environ, start_response)
        if path.lstrip("/").startswith("moto-api"):
            raise ApiError("NotFound", "not part of the local SageMaker", 404)
        return moto(environ, start_response)

    return application


def _guarded(application: WsgiApplication) -> WsgiApplication:
    """Refuse what a browser's page may have sent; answer whatever goes wrong in JSON."""

    def guard(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            _refuse_pages(environ)
            return application(environ, start_response)
        except ApiError as error:
            return respond(start_response, error.status, {"__type": error.code, "message": error.message})
        except Exception as error:  # noqa: BLE001 -- our bug: logged with its traceback, and told; clients would retry a 500
            _log.exception("%s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            message = f"{type(error).__name__}: {error}"
            return respond(start_response, 400, {"__type": "InternalFailure", "message": message})

    return guard


def _refuse_pages(environ: Environ) -> None:
    host, site = str(environ.get("HTTP_HOST", "")).lower(), environ.get("HTTP_SEC_FETCH_SITE", "")
    if not _HOST.fullmatch(host) or "HTTP_ORIGIN" in environ or site not in _OWN_PAGES:
        message = "the local SageMaker answers programs on this machine only: use http://127.0.0.1:PORT"
        raise ApiError("AccessDeniedException", message, 403)


def _peek(environ: Environ) -> Json:
    """A request's JSON; its body can be read again. Raises `ApiError`."""
    body = read_body(environ)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    request = read_request({**environ, "wsgi.input": io.BytesIO(body)})
    environ["wsgi.input"] = io.BytesIO(body)
    return request
