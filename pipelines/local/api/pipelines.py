"""Create, update, describe, list and delete pipelines and their versions (CONTRACT.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.definition import parse, unknown_references
from pipelines.errors import DefinitionError
from pipelines.local.api.protocol import ApiError, Json, Operation, invalid, not_found, ordered, page
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.machine import build_flow
from pipelines.local.store import ObjectStore, StoreError

PIPELINE, VERSION, TOKEN = "pipeline", "pipeline-version", "token"
_USER = {"UserProfileArn": "arn:aws:sagemaker:local:user", "UserProfileName": "local", "DomainId": "local"}


@dataclass(frozen=True)
class PipelineApi:
    """Operations on pipelines."""

    database: Database
    store: ObjectStore
    engine: Engine
    region: str
    account: str
    now: Callable[[], datetime]

    def operations(self) -> dict[str, Operation]:
        return {
            "CreatePipeline": self.create,
            "UpdatePipeline": self.update,
            "DeletePipeline": self.delete,
            "DescribePipeline": self.describe,
            "ListPipelines": self.list,
            "ListPipelineVersions": self.versions,
        }

    def create(self, request: Json) -> Json:
        return once(self.database, "CreatePipeline", request, self._create)

    def _create(self, request: Json) -> Json:
        name = request["PipelineName"]
        if self.database.get(PIPELINE, name.lower()):
            raise invalid(
                f"Pipeline names must be unique within an AWS account and region. Pipeline {name} already exists"
            )
        text = self._definition_text(request)
        self._check(text)
        now = self.now().timestamp()
        arn = f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{name}"
        record = {
            "PipelineArn": arn,
            "PipelineName": name,
            "PipelineDisplayName": request.get("PipelineDisplayName") or name,
            "RoleArn": request["RoleArn"],
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "Tags": request.get("Tags") or [],
            **_given(request, "PipelineDescription", "ParallelismConfiguration"),
        }
        self._keep(record, text, version=1)
        return {"PipelineArn": arn}

    def update(self, request: Json) -> Json:
        with self.database.transaction():
            record = self.record(request["PipelineName"])
            changes = _given(
                request, "PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration"
            )
            record.update(changes, LastModifiedTime=self.now().timestamp())
            version, text = int(record["PipelineVersionId"]), record["PipelineDefinition"]
            if "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request:
                new = self._definition_text(request)
                self._check(new)
                version += new != text
                text = new
            self._keep(record, text, version)
        return {"PipelineArn": record["PipelineArn"], "PipelineVersionId": version}

    def delete(self, request: Json) -> Json:
        record = self.record(request["PipelineName"])
        name = record["PipelineName"]
        executions = self.engine.list(name)
        running = [
            execution["arn"] for execution in executions if execution["state"]["status"] in ("Executing", "Stopping")
        ]
        if running:
            raise ApiError("ConflictException", f"Pipeline {name} has running executions: {', '.join(running)}")
        with self.database.transaction():
            for execution in executions:
                self.database.delete("execution", execution["arn"])
            for version in self.database.list(VERSION, name.lower()):
                self.database.delete(VERSION, _version_key(name, version["PipelineVersionId"]))
            self.database.delete(PIPELINE, name.lower())
        return {"PipelineArn": record["PipelineArn"]}

    def describe(self, request: Json) -> Json:
        record = self.record(request["PipelineName"], request.get("PipelineVersionId"))
        answer = {key: value for key, value in record.items() if key not in ("Tags", "PipelineVersionDescription")}
        runs = self.engine.list(record["PipelineName"])
        return {**answer, "CreatedBy": _USER, "LastModifiedBy": _USER} | (
            {"LastRunTime": runs[0]["start_time"]} if runs else {}
        )

    def list(self, request: Json) -> Json:
        summaries = []
        for record in self.database.list(PIPELINE):
            created, name = record["CreationTime"], record["PipelineName"]
            if not name.startswith(request.get("PipelineNamePrefix", "")):
                continue
            if not request.get("CreatedAfter", 0) <= created <= request.get("CreatedBefore", created):
                continue
            runs = self.engine.list(name)
            summary = _given(
                record, "PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn"
            ) | _given(record, "CreationTime", "LastModifiedTime")
            summaries.append({**summary, "Name": name} | ({"LastExecutionTime": runs[0]["start_time"]} if runs else {}))
        answer = page(ordered(summaries, request, "CreationTime"), request, "PipelineSummaries")
        for summary in answer["PipelineSummaries"]:
            del summary["Name"]
        return answer

    def versions(self, request: Json) -> Json:
        record = self.record(request["PipelineName"])
        versions = [
            _given(version, "PipelineArn", "PipelineVersionId", "CreationTime")
            for version in self.database.list(VERSION, record["PipelineName"].lower())
        ]
        versions.sort(key=lambda version: version["PipelineVersionId"], reverse=request.get("SortOrder") != "Ascending")
        return page(versions, request, "PipelineVersionSummaries")

    def record(self, name_or_arn: str, version: int | None = None) -> Json:
        """A pipeline's record, at a version or the latest. Raises `ApiError` (ResourceNotFound)."""
        name = name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn
        record = self.database.get(PIPELINE, name.lower())
        if record is None:
            raise not_found(f"Pipeline {name_or_arn} does not exist")
        if version is not None:
            kept = self.database.get(VERSION, _version_key(name, version))
            if kept is None:
                raise not_found(f"Pipeline {name} has no version {version}")
            record = {**record, **_given(kept, "PipelineDefinition", "PipelineVersionId")}
        return record

    def _keep(self, record: Json, text: str, version: int) -> None:
        name = record["PipelineName"]
        record.update(PipelineDefinition=text, PipelineVersionId=version)
        with self.database.transaction():
            self.database.put(PIPELINE, name.lower(), record, created=record["CreationTime"])
            kept = {
                "PipelineArn": record["PipelineArn"],
                "PipelineVersionId": version,
                "PipelineDefinition": text,
                "CreationTime": record["LastModifiedTime"],
            }
            self.database.put(VERSION, _version_key(name, version), kept, parent=name.lower(), created=float(version))

    def _definition_text(self, request: Json) -> str:
        location = request.get("PipelineDefinitionS3Location")
        if ("PipelineDefinition" in request) == bool(location):
            raise invalid("Provide either PipelineDefinition or PipelineDefinitionS3Location")
        if not location:
            return str(request["PipelineDefinition"])
        try:
            _, _, stream = self.store.open(location["Bucket"], location["ObjectKey"])
            with stream:
                return stream.read().decode("utf-8")
        except (StoreError, UnicodeDecodeError) as error:
            raise invalid(f"Unable to read the pipeline definition: {error}") from error

    def _check(self, text: str) -> None:
        try:
            definition = parse(text)
            build_flow(definition)
        except DefinitionError as error:
            raise invalid(f"Unable to parse pipeline definition. {error}") from error
        unknown = unknown_references(definition)
        if unknown:
            raise invalid(f"Unable to parse pipeline definition. {'; '.join(str(item) for item in unknown[:5])}")


def once(database: Database, operation: str, request: Json, act: Operation) -> Json:
    """The same answer for the same ClientRequestToken: a repeated request does not act twice."""
    token = request.get("ClientRequestToken")
    with database.transaction():
        key = f"{operation}/{token}"
        kept = database.get(TOKEN, key) if token else None
        if kept:
            return kept
        answer = act(request)
        if token:
            database.put(TOKEN, key, answer)
        return answer


def _version_key(name: str, version: Any) -> str:
    return f"{name.lower()}/{int(version):09d}"


def _given(request: Json, *names: str) -> Json:
    return {name: request[name] for name in names if request.get(name) is not None}
