"""Start, stop, describe and list executions and their steps (CONTRACT.md section 4)."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Any

from pipelines.definition import parse
from pipelines.definition.parameters import ParameterError, resolve_parameters
from pipelines.errors import PipelinesError
from pipelines.local.api.pipelines import PipelineApi, once
from pipelines.local.api.protocol import ApiError, Json, Operation, invalid, not_found, ordered, page
from pipelines.local.engine import Engine, StartRequest
from pipelines.local.machine import from_json
from pipelines.local.machine.state import StepState

_ID_LETTERS = string.ascii_lowercase + string.digits
_NOT_EXECUTED = ("SelectiveExecutionConfig", "PipelineVersionAlias", "MlflowExperimentName")


@dataclass(frozen=True)
class ExecutionApi:
    """Operations on executions."""

    pipelines: PipelineApi
    engine: Engine

    def operations(self) -> dict[str, Operation]:
        return {
            "StartPipelineExecution": self.start,
            "StopPipelineExecution": self.stop,
            "DescribePipelineExecution": self.describe,
            "DescribePipelineDefinitionForExecution": self.definition,
            "ListPipelineExecutions": self.list,
            "ListPipelineExecutionSteps": self.steps,
            "ListPipelineParametersForExecution": self.parameters,
        }

    def start(self, request: Json) -> Json:
        return once(self.engine.database, "StartPipelineExecution", request, self._start)

    def _start(self, request: Json) -> Json:
        for name in _NOT_EXECUTED:
            if request.get(name):
                raise invalid(f"not executed locally: {name}")
        record = self.pipelines.record(request["PipelineName"], request.get("PipelineVersionId"))
        definition = parse(record["PipelineDefinition"])
        overrides = {item["Name"]: item["Value"] for item in request.get("PipelineParameters") or []}
        try:
            values = resolve_parameters(definition, overrides)
        except ParameterError as error:
            raise invalid("; ".join(f"{item.what} ({item.fix})" for item in error.problems)) from error
        parallelism = request.get("ParallelismConfiguration") or record.get("ParallelismConfiguration") or {}
        details = {
            key: request[key]
            for key in ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "PipelineParameters")
            if request.get(key)
        }
        if parallelism:
            details["ParallelismConfiguration"] = parallelism
        start = StartRequest(
            pipeline_name=record["PipelineName"],
            pipeline_arn=record["PipelineArn"],
            execution_id="".join(secrets.choice(_ID_LETTERS) for _ in range(12)),
            definition=definition,
            parameters=values,
            limit=parallelism.get("MaxParallelExecutionSteps"),
            details={**details, "PipelineVersionId": record["PipelineVersionId"]},
        )
        try:
            return {"PipelineExecutionArn": self.engine.start(start)}
        except PipelinesError as error:
            raise invalid(str(error)) from error

    def stop(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        if not self.engine.stop(record["arn"]):
            status = record["state"]["status"]
            raise ApiError("ConflictException", f"Only executing executions can be stopped; this one is {status}")
        return {"PipelineExecutionArn": record["arn"]}

    def describe(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        definition = parse(self.engine.definition(record))
        return {
            "PipelineArn": record["pipeline_arn"],
            "PipelineExecutionArn": record["arn"],
            "PipelineExecutionDisplayName": f"execution-{int(record['start_time'] * 1000)}",
            "PipelineExecutionStatus": record["state"]["status"],
            **_experiment(definition.document, record),
            **({"FailureReason": record["state"]["failure_reason"]} if record["state"]["failure_reason"] else {}),
            "CreationTime": record["start_time"],
            "LastModifiedTime": record["last_modified"],
            **{key: value for key, value in record["details"].items() if key != "PipelineParameters"},
        }

    def definition(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        return {"PipelineDefinition": self.engine.definition(record), "CreationTime": record["start_time"]}

    def list(self, request: Json) -> Json:
        pipeline = self.pipelines.record(request["PipelineName"])
        summaries = [
            _summary(record)
            for record in self.engine.list(pipeline["PipelineName"])
            if request.get("CreatedAfter", 0) <= record["start_time"]
            and record["start_time"] <= request.get("CreatedBefore", record["start_time"])
        ]
        by_time = [{**summary, "CreationTime": summary["StartTime"]} for summary in summaries]
        answer = page(ordered(by_time, request, "CreationTime"), request, "PipelineExecutionSummaries")
        for summary in answer["PipelineExecutionSummaries"]:
            del summary["CreationTime"]
        return answer

    def steps(self, request: Json) -> Json:
        if "PipelineExecutionArn" not in request:
            raise invalid("PipelineExecutionArn is required")
        record = self.record(request["PipelineExecutionArn"])
        definition = parse(self.engine.definition(record))
        state = from_json(record["state"])
        order = {name: index for index, name in enumerate(state.steps)}
        listed = [(name, step) for name, step in state.steps.items() if step.listed]
        newest_first = request.get("SortOrder") != "Ascending"
        listed.sort(key=lambda item: (_seconds(item[1].start) or 0.0, order[item[0]]), reverse=newest_first)
        steps = [_step(name, step, definition.step(name).raw) for name, step in listed]
        return page(steps, request, "PipelineExecutionSteps")

    def parameters(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        return page(record["details"].get("PipelineParameters") or [], request, "PipelineParameters")

    def record(self, arn: str) -> Json:
        """What is kept of an execution. Raises `ApiError` (ResourceNotFound)."""
        record = self.engine.describe(arn)
        if record is None:
            raise not_found(f"Pipeline execution {arn} does not exist")
        return record


def _summary(record: Json) -> Json:
    summary = {
        "PipelineExecutionArn": record["arn"],
        "StartTime": record["start_time"],
        "PipelineExecutionStatus": record["state"]["status"],
        "PipelineExecutionDisplayName": record["details"].get(
            "PipelineExecutionDisplayName", f"execution-{int(record['start_time'] * 1000)}"
        ),
    }
    for source, name in ((record["details"].get("PipelineExecutionDescription"), "PipelineExecutionDescription"),):
        if source:
            summary[name] = source
    if record["state"]["failure_reason"]:
        summary["PipelineExecutionFailureReason"] = record["state"]["failure_reason"]
    return summary


def _step(name: str, step: StepState, raw: Json) -> Json:
    answer: Json = {
        "StepName": name,
        "StepDisplayName": raw.get("DisplayName"),
        "StepDescription": raw.get("Description"),
        "StartTime": _seconds(step.start),
        "EndTime": _seconds(step.end),
        "StepStatus": step.status,
        "AttemptCount": step.attempt,
        "FailureReason": (step.failure_reason or "")[:1024] or None,
        "Metadata": dict(step.metadata) or None,
    }
    return {key: value for key, value in answer.items() if value is not None}


def _experiment(document: Json, record: Json) -> Json:
    """The experiment's names, where the definition gives the defaults or plain texts."""
    config = document.get("PipelineExperimentConfig")
    if not isinstance(config, dict):
        return {}
    known: dict[Any, str] = {
        "Execution.PipelineName": record["pipeline_name"],
        "Execution.PipelineExecutionId": record["id"],
    }
    named = {
        key: value if isinstance(value, str) else known.get(value.get("Get") if isinstance(value, dict) else None)
        for key, value in config.items()
    }
    return {"PipelineExperimentConfig": {key: value for key, value in named.items() if value}}


def _seconds(moment: Any) -> float | None:
    return moment.timestamp() if moment else None
