"""A Transform job: CreateTransformJob request → DescribeTransformJob response.

The model's container is started with `serve`; the input's objects go to its server as requests, and the answers to
KEY.out below the output's prefix. Its server is reached by `Container.connect` alone, so jobs do not collide on port
8080. A job of several instances is one container: the service shares out whole objects, so the output is the same.
"""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from pipelines.local.jobs.filters import DataProcessing, FilterError, data_processing
from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED, ContainerJob, Host, Job, JobError, Json
from pipelines.local.jobs.model import Model, ModelError
from pipelines.local.jobs.parse import BadUriError, split_uri
from pipelines.local.jobs.records import MEBIBYTE, MULTI, SINGLE, Payload, RecordError, Splitting, assembled
from pipelines.local.jobs.serving import PORT, ModelServer, ServingError
from pipelines.local.jobs.source import MANIFEST, PREFIX, InputError, Item, Source, list_items
from pipelines.local.jobs.staging import key_below
from pipelines.local.jobs.unpack import UnpackError, unpack
from pipelines.local.runner.image import command
from pipelines.local.runner.process import Container, ContainerRequest
from pipelines.local.store import StoreError

_SUGGESTED: Final = {"MULTI_RECORD": MULTI, "SINGLE_RECORD": SINGLE}
_SPLITS: Final = ("None", "Line")
_GRACE_SECONDS: Final = 0.5  # a server that has answered all has nothing more to do
_PAYLOAD_MB: Final = 6  # the service's default


@dataclass(frozen=True)
class Limits:
    """How requests are sent: so many at once, of so many bytes."""

    concurrent: int
    splitting: Splitting


class TransformJob(ContainerJob):
    """One container that serves, and the requests that it is sent."""

    kind = "transform-job"
    prefix = "Transform"
    log_group = "/aws/sagemaker/TransformJobs"

    def __init__(self, host: Host, name: str, request: Json, keep: Callable[[Job], None]) -> None:
        super().__init__(host, name, request, keep)
        self._server: Container | None = None

    def interrupt(self, grace: float) -> None:
        super().interrupt(grace)
        with self._lock:
            server = self._server
        if server:
            server.stop(_GRACE_SECONDS)

    def refuse_what_is_not_here(self) -> None:
        split, source = self._input.get("SplitType", "None"), self._input["DataSource"].get("S3DataSource")
        if split not in _SPLITS:
            raise JobError(f"not executed locally: SplitType {split}")
        if not source or source["S3DataType"] not in (PREFIX, MANIFEST):
            raise JobError("not executed locally: TransformInput with other than S3Prefix and ManifestFile")
        if self.request.get("DataCaptureConfig"):
            raise JobError("not executed locally: DataCaptureConfig")
        self._processing  # noqa: B018 -- raises for a filter that is not known

    def stage(self) -> None:
        self.check_output("TransformOutput", self._output)
        if not self._items:
            raise JobError(f"ClientError: TransformInput: no objects below {self._input['DataSource']}")
        (self.root / "model").mkdir(parents=True, exist_ok=True)
        if self._model.data:
            self._unpack(self._model.data, "model")
        source = self.environment().get("SAGEMAKER_SUBMIT_DIRECTORY", "")
        if source.startswith("s3://"):  # AWS's images would fetch it to there themselves, had they a network
            self._unpack(source, "code")

    def program(self) -> tuple[str, Sequence[str] | None, Sequence[str] | None]:
        return self._model.image, None, ["serve"]

    def environment(self) -> dict[str, str]:
        strategy = self.request.get("BatchStrategy", MULTI)
        own = {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(self.request.get("MaxPayloadInMB", _PAYLOAD_MB)),
            "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD" if strategy == SINGLE else "MULTI_RECORD",
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(self.request.get("MaxConcurrentTransforms") or 1),
        }
        return {**self._model.environment, **(self.request.get("Environment") or {}), **own}

    def message(self) -> str:
        return ""

    def collect(self) -> None:
        bucket, prefix = split_uri(self._output)
        for item in self._items:
            self.host.store.adopt(bucket, key_below(prefix, f"{item.path}.out"), self._file(item))

    def _work(self) -> tuple[str, str]:
        ended = self._serve()
        return (STOPPED, "") if self._stop_requested else ended

    def _serve(self) -> tuple[str, str]:
        """Start the server, send it everything, stop it."""
        container = self._started()
        config = self.request.get("ModelClientConfig") or {}
        server = ModelServer(
            connect=container.connect,
            given_up=lambda: self._given_up(container),
            timeout=config.get("InvocationsTimeoutInSeconds", 600),
            retries=config.get("InvocationsMaxRetries", 3),
        )
        try:
            server.wait()
            self._transform(server)
        except ServingError as error:
            return FAILED, f"AlgorithmError: {error}"
        except (RecordError, FilterError, EOFError, gzip.BadGzipFile) as error:
            return FAILED, f"ClientError: {error}"
        finally:
            container.stop(_GRACE_SECONDS)
            container.wait()
        return COMPLETED, ""

    def _started(self) -> Container:
        uri, entrypoint, arguments = self.program()
        image = self._image(uri, entrypoint)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        request = ContainerRequest(
            image=image,
            command=command(image, entrypoint, arguments),
            environment=self.environment(),
            opt_ml=self.root,
            log=self.log,
            reference=uri,
            port=PORT,
        )
        container = self.host.runner.start(request)
        with self._lock:
            self._server = container
        if self._stop_requested:
            container.stop(_GRACE_SECONDS)
        return container

    def _given_up(self, container: Container) -> str:
        if self._stop_requested:
            return "the job is being stopped"
        code = container.wait(0)
        return "" if code is None else f"the model server ended, exit code: {code}; see job logs for more information"

    def _transform(self, server: ModelServer) -> None:
        """Send all payloads, so many at once, and write the answers in the order of the input."""
        limits = self._limits(server)
        for item in self._items:
            self._file(item).parent.mkdir(parents=True, exist_ok=True)
            self._file(item).touch()
        waiting: deque[tuple[Item, Future[bytes]]] = deque()
        with ThreadPoolExecutor(limits.concurrent) as threads:
            try:
                for item, payload in self._payloads(limits.splitting):
                    waiting.append((item, threads.submit(self._answer, server, payload)))
                    if len(waiting) > 2 * limits.concurrent:
                        self._write(*waiting.popleft())
                while waiting:
                    self._write(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

    def _limits(self, server: ModelServer) -> Limits:
        """The request's, else those that the server suggests, else the service's defaults."""
        suggested = server.parameters()
        megabytes = self.request.get("MaxPayloadInMB", suggested.get("MaxPayloadInMB", _PAYLOAD_MB))
        strategy = self.request.get("BatchStrategy") or _SUGGESTED.get(str(suggested.get("BatchStrategy")), MULTI)
        concurrent = self.request.get("MaxConcurrentTransforms") or suggested.get("MaxConcurrentTransforms") or 1
        splitting = Splitting(self._input.get("SplitType", "None"), strategy, int(megabytes) * MEBIBYTE)
        return Limits(max(1, min(int(concurrent), 100)), splitting)

    def _payloads(self, splitting: Splitting) -> Iterator[tuple[Item, Payload]]:
        for item in self._items:
            _, _, stored = self.host.store.open(item.bucket, item.key)
            with closing(stored):
                zipped = self._input.get("CompressionType") == "Gzip"
                stream = cast(BinaryIO, gzip.GzipFile(fileobj=stored)) if zipped else stored
                try:
                    for payload in splitting.payloads(stream):
                        yield item, payload
                except RecordError as error:
                    raise RecordError(f"s3://{item.bucket}/{item.key}: {error}") from error

    def _answer(self, server: ModelServer, payload: Payload) -> bytes:
        processing, accept = self._processing, self._accept
        body = processing.body(payload.records) if processing else payload.body
        answer = server.invoke(body, self._input.get("ContentType", "application/octet-stream"), accept)
        if processing:
            return processing.kept(payload.records, answer.body, answer.type)
        return assembled(answer.body, self.request["TransformOutput"].get("AssembleWith", "None"))

    def _write(self, item: Item, answer: Future[bytes]) -> None:
        with self._file(item).open("ab") as file:
            file.write(answer.result())

    def _file(self, item: Item) -> Path:
        """Where the output of an object lies until the job has succeeded: outside of what the program sees."""
        return self.root.parent / "out" / f"{item.path}.out"

    def _unpack(self, uri: str, folder: str) -> None:
        """Unpack an object of the store below a folder of /opt/ml, which says what it is."""
        try:
            _, _, stream = self.host.store.open(*split_uri(uri))
            with stream:
                unpack(stream, self.root / folder)
        except (UnpackError, BadUriError) as error:
            raise JobError(f"ClientError: the {folder} data {uri}: {error}") from error
        except StoreError as error:
            raise JobError(f"ClientError: the {folder} data {uri}: {error.message}") from error

    @cached_property
    def _model(self) -> Model:
        try:
            return self.host.models(self.request["ModelName"])
        except ModelError as error:
            raise JobError(str(error)) from error

    @cached_property
    def _items(self) -> list[Item]:
        source = self._input["DataSource"]["S3DataSource"]
        try:
            return list_items(self.host.store, Source(source["S3Uri"], source["S3DataType"]))
        except (InputError, BadUriError) as error:
            raise JobError(f"ClientError: TransformInput: {error}") from error

    @cached_property
    def _processing(self) -> DataProcessing | None:
        try:
            return data_processing(self.request)
        except FilterError as error:
            raise JobError(f"ClientError: {error}") from error

    @property
    def _input(self) -> Json:
        return cast(Json, self.request["TransformInput"])

    @property
    def _output(self) -> str:
        return str(self.request["TransformOutput"]["S3OutputPath"])

    @property
    def _accept(self) -> str:
        found: Any = self.request["TransformOutput"].get("Accept", "")
        return str(found)
