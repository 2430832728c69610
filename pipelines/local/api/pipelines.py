"""Create, update, describe, list and delete pipelines (CONTRACT.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.definition import parse, unknown_references
from pipelines.errors import DefinitionError
from pipelines.local.api.aliases import aliases_of, version_of, with_aliases
from pipelines.local.api.protocol import (
    ApiError,
    Json,
    Operation,
    given,
    invalid,
    not_found,
    ordered,
    page,
    within,
)
from pipelines.local.api.tags import tag
from pipelines.local.api.tokens import forget_tokens, once
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.execution import read_document
from pipelines.local.machine import build_flow
from pipelines.local.store import ObjectStore, StoreError

PIPELINE, VERSION = "pipeline", "pipeline-version"
_BAD = "Unable to parse pipeline definition."  # the service's words; clients look for them
_USER = {"UserProfileArn": "arn:aws:sagemaker:local:user", "UserProfileName": "local", "DomainId": "local"}
_CHANGEABLE = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


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
        }

    def create(self, request: Json) -> Json:
        name = request["PipelineName"].lower()
        key = f"CreatePipeline/{name}"
        return once(self.database, key, request, lambda: self._create(request), parent=name)

    def _create(self, request: Json) -> Json:
        name = request["PipelineName"]
        if self.database.get(PIPELINE, name.lower()):
            raise invalid(
                f"Pipeline names must be unique within an AWS account and region. Pipeline {name} already exists"
            )
        text = self._definition_text(request)
        _check(text)
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
            **given(request, "PipelineDescription", "ParallelismConfiguration"),
        }
        self._keep(with_aliases(record, 1, request.get("PipelineVersionAliases") or ()), text, version=1)
        tag(self.database, arn, request)
        return {"PipelineArn": arn}

    def update(self, request: Json) -> Json:
        with self.database.transaction():
            record = self.record(request["PipelineName"])
            record.update(given(request, *_CHANGEABLE), LastModifiedTime=self.now().timestamp())
            version, text = int(record["PipelineVersionId"]), record["PipelineDefinition"]
            if "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request:
                new = self._definition_text(request)
                _check(new)
                version += new != text
                text = new
            aliases = request.get("PipelineVersionAliases") or ()
            if aliases and version == record["PipelineVersionId"]:
                fix = "to change those of an existing version, use UpdatePipelineVersion"
                raise invalid(f"PipelineVersionAliases are for a changed definition, and it is the same: {fix}")
            self._keep(with_aliases(record, version, aliases), text, version)
        return {"PipelineArn": record["PipelineArn"], "PipelineVersionId": version}

    def delete(self, request: Json) -> Json:
        key = f"DeletePipeline/{request['PipelineName'].lower()}"
        return once(self.database, key, request, lambda: self._delete(request))

    def _delete(self, request: Json) -> Json:
        record = self.record(request["PipelineName"])
        name = record["PipelineName"]
        running = [
            execution["arn"]
            for execution in self.engine.list(name)
            if execution["state"]["status"] in ("Executing", "Stopping")
        ]
        if running:
            raise ApiError("ConflictException", f"Pipeline {name} has running executions: {', '.join(running)}")
        self.engine.forget(name)
        self.database.delete_children(VERSION, name.lower())
        self.database.delete(PIPELINE, name.lower())
        forget_tokens(self.database, name.lower())
        return {"PipelineArn": record["PipelineArn"]}

    def describe(self, request: Json) -> Json:
        record = self.chosen(request)
        del record["PipelineVersionId"]  # AWS's model has no place for it here
        last = self._last_start(record)
        more = {"LastRunTime": last} if last else {}
        return {**record, "CreatedBy": _USER, "LastModifiedBy": _USER, **more}

    def list(self, request: Json) -> Json:
        if request.get("ManagedBy") == "AWS":  # of those there are none here
            return {"PipelineSummaries": []}
        prefix = request.get("PipelineNamePrefix", "")
        found = [
            record
            for record in self.database.list(PIPELINE)
            if record["PipelineName"].startswith(prefix) and within(request, "Created", record["CreationTime"])
        ]
        keys = {"CreationTime": "CreationTime", "Name": "PipelineName"}
        answer = page(
            ordered(found, request, keys), request, "PipelineSummaries", name=lambda record: record["PipelineName"]
        )
        answer["PipelineSummaries"] = [self._summary(record) for record in answer["PipelineSummaries"]]
        return answer

    def record(self, name_or_arn: str) -> Json:
        """What is kept of a pipeline. Raises `ApiError` (ResourceNotFound)."""
        record = self.database.get(PIPELINE, name_or_arn.rpartition("/")[2].lower())
        if record is None:
            raise not_found(f"Pipeline {name_or_arn} does not exist")
        return record

    def version(self, record: Json, version: int) -> Json:
        """What is kept of a pipeline's version. Raises `ApiError` (ResourceNotFound)."""
        kept = self.database.get(VERSION, version_key(record["PipelineName"], version))
        if kept is None:
            raise not_found(f"Pipeline {record['PipelineName']} has no version {version}")
        return kept

    def chosen(self, request: Json) -> Json:
        """The pipeline of a request, at the version that its PipelineVersionId or PipelineVersionAlias names, or the
        latest. Raises `ApiError`.
        """
        record = self.record(request["PipelineName"])
        version, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
        if version is not None and alias is not None:
            raise invalid("Provide either PipelineVersionId or PipelineVersionAlias")
        if alias is not None:
            version = version_of(record, alias)
        kept = self.version(record, record["PipelineVersionId"] if version is None else version)
        aliases = aliases_of(record, kept["PipelineVersionId"])
        pipeline = {key: value for key, value in record.items() if key != "aliases"}
        created = {"CreationTime": record["CreationTime"]}
        return {**pipeline, **kept, **created, **({"PipelineVersionAliases": aliases} if aliases else {})}

    def _summary(self, record: Json) -> Json:
        names = ("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn")
        last = self._last_start(record)
        more = {"LastExecutionTime": last} if last else {}
        return given(record, *names, "CreationTime", "LastModifiedTime") | more

    def _last_start(self, record: Json) -> float | None:
        newest = self.engine.list(record["PipelineName"], limit=1)
        return newest[0]["start_time"] if newest else None

    def _keep(self, record: Json, text: str, version: int) -> None:
        name = record["PipelineName"].lower()
        kept = {
            "PipelineArn": record["PipelineArn"],
            "PipelineVersionId": version,
            "PipelineDefinition": text,
            "CreationTime": record["LastModifiedTime"],
        }
        record = {**record, "PipelineDefinition": text, "PipelineVersionId": version}
        self.database.put(PIPELINE, name, record, place=record["CreationTime"])
        key = version_key(name, version)
        if self.database.get(VERSION, key) is None:
            self.database.put(VERSION, key, kept, parent=name, place=version)

    def _definition_text(self, request: Json) -> str:
        location = request.get("PipelineDefinitionS3Location")
        if ("PipelineDefinition" in request) == bool(location):
            raise invalid("Provide either PipelineDefinition or PipelineDefinitionS3Location")
        if not location:
            return str(request["PipelineDefinition"])
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        if location.get("VersionId"):
            raise invalid(f"not executed locally: VersionId; the local S3 keeps one version of {uri}")
        try:
            return read_document(self.store, uri)
        except (StoreError, ValueError) as error:
            raise invalid(f"Unable to read the pipeline definition at {uri}: {error}") from error


def _check(text: str) -> None:
    """Refuse a definition that could not be executed. Raises `ApiError`."""
    try:
        definition = parse(text)
        build_flow(definition)
    except DefinitionError as error:
        raise invalid(f"{_BAD} {error}") from error
    unknown = unknown_references(definition)
    if unknown:
        item = unknown[0]
        hint = f'; the nearest is "{item.nearest}"' if item.nearest else ""
        raise invalid(f'{_BAD} {item.where}: there is no {item.kind} "{item.name}"{hint}')


def version_key(name: str, version: int) -> str:
    """What a pipeline's version is kept under."""
    return f"{name.lower()}/{version:09d}"
