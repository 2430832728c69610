"""List and update the versions of pipelines (CONTRACT.md 1.11 and section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.api.aliases import aliases_of, with_aliases
from pipelines.local.api.pipelines import PIPELINE, VERSION, PipelineApi, version_key
from pipelines.local.api.protocol import Json, Operation, given, page, within

_NAMED = ("PipelineVersionDisplayName", "PipelineVersionDescription")


@dataclass(frozen=True)
class VersionApi:
    """Operations on versions."""

    pipelines: PipelineApi

    def operations(self) -> dict[str, Operation]:
        return {"ListPipelineVersions": self.list, "UpdatePipelineVersion": self.update}

    def list(self, request: Json) -> Json:
        record = self.pipelines.record(request["PipelineName"])
        versions = self.pipelines.database.list(VERSION, record["PipelineName"].lower())
        found = [version for version in versions if within(request, "Created", version["CreationTime"])]
        if request.get("SortOrder") == "Ascending":
            found.reverse()
        answer = page(found, request, "PipelineVersionSummaries", name=lambda version: version["PipelineVersionId"])
        newest = self._newest_executions(record)
        answer["PipelineVersionSummaries"] = [
            _summary(record, version, newest) for version in answer["PipelineVersionSummaries"]
        ]
        return answer

    def update(self, request: Json) -> Json:
        version, operations = request["PipelineVersionId"], request.get("PipelineVersionAliasOperations") or {}
        database = self.pipelines.database
        with database.transaction():
            record = self.pipelines.record(request["PipelineArn"])
            name = record["PipelineName"].lower()
            kept = self.pipelines.version(record, version) | given(request, *_NAMED)
            record = with_aliases(record, version, operations.get("Add") or (), operations.get("Remove") or ())
            database.put(VERSION, version_key(name, version), kept, parent=name, place=version)
            database.put(PIPELINE, name, record, place=record["CreationTime"])
        return {"PipelineArn": record["PipelineArn"], "PipelineVersionId": version}

    def _newest_executions(self, record: Json) -> dict[int, str]:
        """The newest execution of each version that has one."""
        newest: dict[int, str] = {}
        for execution in self.pipelines.engine.list(record["PipelineName"]):
            newest.setdefault(execution["details"].get("PipelineVersionId"), execution["arn"])
        return newest


def _summary(record: Json, version: Json, newest: dict[int, str]) -> Json:
    ident = version["PipelineVersionId"]
    more = {"LastExecutionPipelineExecutionArn": newest[ident]} if ident in newest else {}
    aliases = {"PipelineVersionAliases": aliases_of(record, ident)}
    return given(version, "PipelineArn", "PipelineVersionId", "CreationTime", *_NAMED) | aliases | more
