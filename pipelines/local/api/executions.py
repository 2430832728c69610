"""Start, retry, stop, update, describe and list executions and their steps (CONTRACT.md section 4)."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipelines.definition import Definition, parse
from pipelines.definition.parameters import ParameterError, resolve_parameters
from pipelines.errors import DefinitionError
from pipelines.local.api.aliases import aliases_of, version_of
from pipelines.local.api.pipelines import PipelineApi
from pipelines.local.api.protocol import ApiError, Json, Operation, given, invalid, not_found, ordered, page, within
from pipelines.local.api.tokens import answered, once
from pipelines.local.engine import Engine
from pipelines.local.execution import Execution, StartRequest
from pipelines.local.machine.selection import Source
from pipelines.local.machine.state import ExecutionState, Refusal, StepState

_ID_LETTERS = string.ascii_lowercase + string.digits
_CHANGEABLE = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
_DETAILS = (*_CHANGEABLE, "PipelineParameters", "SelectiveExecutionConfig")
_REASON = 1024  # characters of a step's FailureReason; AWS's model has the limits
_EXECUTION_REASON = 1300

definition_of = lru_cache(maxsize=32)(parse)


@dataclass(frozen=True)
class ExecutionApi:
    """Operations on executions."""

    pipelines: PipelineApi
    engine: Engine

    def operations(self) -> dict[str, Operation]:
        return {
            "StartPipelineExecution": self.start,
            "RetryPipelineExecution": self.retry,
            "StopPipelineExecution": self.stop,
            "UpdatePipelineExecution": self.update,
            "DescribePipelineExecution": self.describe,
            "DescribePipelineDefinitionForExecution": self.definition,
            "ListPipelineExecutions": self.list,
            "ListPipelineExecutionSteps": self.steps,
            "ListPipelineParametersForExecution": self.parameters,
        }

    def start(self, request: Json) -> Json:
        name = request["PipelineName"].rpartition("/")[2].lower()
        return self._begin(f"StartPipelineExecution/{name}", request, lambda: self._prepare(request), parent=name)

    def retry(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        key, parent = f"RetryPipelineExecution/{record['arn']}", record["pipeline_name"].lower()
        return self._begin(key, request, lambda: self._resume(request), parent=parent)

    def _begin(self, key: str, request: Json, prepare: Callable[[], Execution], parent: str) -> Json:
        prepared: list[Execution] = []

        def act() -> Json:
            prepared.append(prepare())
            return {"PipelineExecutionArn": prepared[0].arn}

        answer = once(self.pipelines.database, key, request, act, parent=parent)
        for execution in prepared:  # after the transaction: it must hold no lock that jobs wait for
            self.engine.begin(execution)
        return answer

    def _prepare(self, request: Json) -> Execution:
        if request.get("MlflowExperimentName"):
            raise invalid("not executed locally: MlflowExperimentName")
        if request.get("RoleArn"):
            raise invalid("RoleArn is for pipelines that AWS manages: executions of this one use the pipeline's role")
        record = self.pipelines.chosen(request)
        definition = definition_of(record["PipelineDefinition"])
        details = given(record, "ParallelismConfiguration", "PipelineVersionId") | given(request, *_DETAILS)
        start = StartRequest(
            pipeline_name=record["PipelineName"],
            pipeline_arn=record["PipelineArn"],
            execution_id="".join(secrets.choice(_ID_LETTERS) for _ in range(12)),
            definition=definition,
            parameters=_parameters(definition, request),
            limit=_limit(details),
            details=details,
        )
        try:
            return _accepted(self.engine.prepare(start, _selected(details), self._source(details, record)))
        except DefinitionError as error:
            raise invalid(str(error)) from error

    def _source(self, details: Json, pipeline: Json) -> Source | None:
        """The execution that a selective one copies from; as on the service, the newest is not taken unasked."""
        arn = (details.get("SelectiveExecutionConfig") or {}).get("SourcePipelineExecutionArn")
        if not arn:
            return None
        source = self.record(arn)
        if source["pipeline_arn"] != pipeline["PipelineArn"]:
            raise invalid(f"Invalid SourcePipelineExecutionArn: {arn}. It is of another pipeline")
        return Source(source["arn"], self.engine.state(source))

    def _resume(self, request: Json) -> Execution:
        record = self.record(request["PipelineExecutionArn"])
        details = record["details"] | given(request, "ParallelismConfiguration")
        return _accepted(self.engine.resume(record, details, _limit(details), _selected(details)))

    def update(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        details = given(request, *_CHANGEABLE)
        self.engine.update(record["arn"], details, _limit(record["details"] | details))
        return {"PipelineExecutionArn": record["arn"]}

    def stop(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        key = f"StopPipelineExecution/{record['arn']}"
        # The token is asked before, and kept after: posting an event inside a transaction could wait for ever.
        if not self.engine.stop(record["arn"]) and not answered(self.pipelines.database, key, request):
            status = self.record(record["arn"])["state"]["status"]
            raise ApiError("ConflictException", f"Only executing executions can be stopped; this one is {status}")
        answer = {"PipelineExecutionArn": record["arn"]}
        return once(self.pipelines.database, key, request, lambda: answer, parent=record["pipeline_name"].lower())

    def describe(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        definition = definition_of(self.engine.definition(record))
        return {
            "PipelineArn": record["pipeline_arn"],
            "PipelineExecutionArn": record["arn"],
            "PipelineExecutionDisplayName": _display_name(record),
            "PipelineExecutionStatus": record["state"]["status"],
            **_experiment(definition.document, record),
            **_reason("FailureReason", record),
            "CreationTime": record["start_time"],
            "LastModifiedTime": record["last_modified"],
            **{key: value for key, value in record["details"].items() if key != "PipelineParameters"},
            **_aliases(self.pipelines.record(record["pipeline_arn"]), record),
        }

    def definition(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        return {"PipelineDefinition": self.engine.definition(record), "CreationTime": record["start_time"]}

    def list(self, request: Json) -> Json:
        pipeline = self.pipelines.record(request["PipelineName"])
        alias = request.get("PipelineVersionAlias")
        version = version_of(pipeline, alias) if alias else None
        found = [
            record
            for record in self.engine.list(pipeline["PipelineName"])
            if within(request, "Created", record["start_time"])
            and version in (None, record["details"]["PipelineVersionId"])
        ]
        keys = {"CreationTime": "start_time", "PipelineExecutionArn": "arn"}
        answer = page(
            ordered(found, request, keys), request, "PipelineExecutionSummaries", name=lambda record: record["arn"]
        )
        answer["PipelineExecutionSummaries"] = [
            _summary(record) | _aliases(pipeline, record) for record in answer["PipelineExecutionSummaries"]
        ]
        return answer

    def steps(self, request: Json) -> Json:
        if "PipelineExecutionArn" not in request:
            raise invalid("PipelineExecutionArn is required")
        record = self.record(request["PipelineExecutionArn"])
        definition = definition_of(self.engine.definition(record))
        listed = _by_start(self.engine.state(record))
        if request.get("SortOrder") != "Ascending":
            listed.reverse()
        answer = page(listed, request, "PipelineExecutionSteps", name=lambda item: item[0])
        answer["PipelineExecutionSteps"] = [
            _step(name, step, definition.step(name).raw) for name, step in answer["PipelineExecutionSteps"]
        ]
        return answer

    def cache_misses(self, query: Mapping[str, str]) -> Json:
        """Why the cache had no result for a step, by step: AWS's own operations have no place for it."""
        state = self.engine.state(self.record(query.get("execution", "")))
        return {name: step.cache_miss for name, step in state.steps.items() if step.cache_miss}

    def parameters(self, request: Json) -> Json:
        record = self.record(request["PipelineExecutionArn"])
        return page(record["details"].get("PipelineParameters") or [], request, "PipelineParameters")

    def record(self, arn: str) -> Json:
        """What is kept of an execution. Raises `ApiError` (ResourceNotFound)."""
        record = self.engine.describe(arn)
        if record is None:
            raise not_found(f"Pipeline execution {arn} does not exist")
        return record


def _accepted(prepared: Execution | Refusal) -> Execution:
    if isinstance(prepared, Refusal):
        raise ApiError(prepared.code, prepared.message)
    return prepared


def _limit(details: Json) -> int | None:
    limit: int | None = (details.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
    return limit


def _selected(details: Json) -> tuple[str, ...]:
    """The steps of a selective execution."""
    config = details.get("SelectiveExecutionConfig") or {}
    return tuple(step["StepName"] for step in config.get("SelectedSteps") or ())


def _parameters(definition: Definition, request: Json) -> dict[str, Any]:
    overrides = {item["Name"]: item["Value"] for item in request.get("PipelineParameters") or []}
    try:
        return dict(resolve_parameters(definition, overrides))
    except ParameterError as error:
        raise invalid("; ".join(f"{item.what} ({item.fix})" for item in error.problems)) from error


def _aliases(pipeline: Json, record: Json) -> Json:
    """The aliases that the version of an execution has now."""
    aliases = aliases_of(pipeline, record["details"]["PipelineVersionId"])
    return {"PipelineVersionAliases": aliases} if aliases else {}


def _summary(record: Json) -> Json:
    return {
        "PipelineExecutionArn": record["arn"],
        "StartTime": record["start_time"],
        "PipelineExecutionStatus": record["state"]["status"],
        "PipelineExecutionDisplayName": _display_name(record),
        **given(record["details"], "PipelineExecutionDisplayName", "PipelineExecutionDescription"),
        **_reason("PipelineExecutionFailureReason", record),
    }


def _display_name(record: Json) -> str:
    """The name of an execution that was given none."""
    return f"execution-{int(record['start_time'] * 1000)}"


def _reason(name: str, record: Json) -> Json:
    reason = record["state"]["failure_reason"]
    return {name: reason[:_EXECUTION_REASON]} if reason else {}


def _by_start(state: ExecutionState) -> list[tuple[str, StepState]]:
    """The steps that the service lists, in the order in which they began."""
    listed = [(name, step) for name, step in state.steps.items() if step.listed]
    return sorted(listed, key=lambda item: item[1].start.timestamp() if item[1].start else 0.0)


def _step(name: str, step: StepState, raw: Json) -> Json:
    answer: Json = {
        "StepName": name,
        "StepDisplayName": raw.get("DisplayName"),
        "StepDescription": raw.get("Description"),
        "StartTime": _seconds(step.start),
        "EndTime": _seconds(step.end),
        "StepStatus": step.status,
        "AttemptCount": step.attempt,
        "FailureReason": (step.failure_reason or "")[:_REASON] or None,
        "Metadata": dict(step.metadata) or None,
        "CacheHitResult": step.cache_hit and {"SourcePipelineExecutionArn": step.cache_hit},
        "SelectiveExecutionResult": step.selective_source and {"SourcePipelineExecutionArn": step.selective_source},
        "IterationContext": _iteration(step),
    }
    return {key: value for key, value in answer.items() if value is not None}


def _iteration(step: StepState) -> Json | None:
    found = step.iteration
    return {"ParentStepName": found.parent, "Index": found.index, "Item": found.text} if found else None


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
