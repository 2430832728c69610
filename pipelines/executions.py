"""Executions, as their users see them: snapshots, watching to the end, logs, and what came out.

Takes a `Gateway` and an execution's ARN; `sleep` is passed in. Works the same on AWS and the local SageMaker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.aws import Gateway, Json
from pipelines.definition import Definition, Step, parse
from pipelines.errors import AwsError, UsageError
from pipelines.nearest import suggestion

TERMINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
JOB_KINDS = {"ProcessingJob": "/aws/sagemaker/ProcessingJobs", "TrainingJob": "/aws/sagemaker/TrainingJobs"}
_RETRIED = ("ThrottlingException", "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError")


@dataclass(frozen=True)
class StepRun:
    """One step of an execution; statuses are AWS's (CONTRACT.md section 1.10)."""

    name: str
    status: str
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def job(self) -> tuple[str, str] | None:
        """The kind and name of the step's job; the name in lower case, as ARNs have it."""
        for kind in JOB_KINDS:
            arn = (self.metadata.get(kind) or {}).get("Arn")
            if arn:
                return kind, arn.rpartition("/")[2]
        return None

    def seconds(self, now: datetime) -> float | None:
        """How long it took, or has taken so far."""
        return ((self.end or now) - self.start).total_seconds() if self.start else None


@dataclass(frozen=True)
class Execution:
    """A snapshot of an execution, its steps in the order they started."""

    arn: str
    status: str
    reason: str
    started: datetime
    steps: tuple[StepRun, ...]

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    def step(self, name: str) -> StepRun:
        """The step of that name. Raises `UsageError` naming the nearest one."""
        for step in self.steps:
            if step.name == name:
                return step
        fix = suggestion(name, [step.name for step in self.steps])
        raise UsageError(f"no step {name!r} has run in execution {self.id}", where=self.arn, fix=fix)


def snapshot(gateway: Gateway, arn: str) -> Execution:
    """An execution as it is now. Raises `AwsError`."""
    described = gateway.execution(arn)
    steps = tuple(_step_run(step) for step in gateway.execution_steps(arn))
    return Execution(
        arn=described["PipelineExecutionArn"],
        status=described["PipelineExecutionStatus"],
        reason=described.get("FailureReason", ""),
        started=described["CreationTime"],
        steps=steps,
    )


def _step_run(step: Json) -> StepRun:
    return StepRun(
        name=step["StepName"],
        status=step["StepStatus"],
        start=step.get("StartTime"),
        end=step.get("EndTime"),
        reason=step.get("FailureReason", ""),
        metadata=step.get("Metadata") or {},
    )


def watch(gateway: Gateway, arn: str, show: Callable[[Execution], None], sleep: Callable[[float], None]) -> Execution:
    """Show snapshots until the execution has ended, whichever way; gives the last. Survives throttling."""
    pause, longest = (0.1, 1.0) if gateway.target.is_local else (5.0, 30.0)
    while True:
        try:
            execution = snapshot(gateway, arn)
        except AwsError as error:
            if error.code not in _RETRIED:
                raise
        else:
            show(execution)
            if execution.ended:
                return execution
        sleep(pause)
        pause = min(pause * 1.2, longest)


def latest(gateway: Gateway, pipeline: str) -> str:
    """The ARN of a pipeline's newest execution. Raises `UsageError` when there is none."""
    newest = next(gateway.executions(pipeline), None)
    if newest is None:
        env = "" if gateway.target.is_local else f" --env {gateway.target.name}"
        fix = f"pipelines start{env}"
        raise UsageError(
            f"pipeline {pipeline} has no execution yet", where=f"environment {gateway.target.name}", fix=fix
        )
    return str(newest["PipelineExecutionArn"])


def find(gateway: Gateway, pipeline: str, wanted: str | None) -> str:
    """An execution's ARN from an ARN, an id, or nothing (the newest). Raises `UsageError`."""
    if wanted is None:
        return latest(gateway, pipeline)
    if wanted.startswith("arn:"):
        return wanted
    for summary in gateway.executions(pipeline):
        arn = str(summary["PipelineExecutionArn"])
        if arn.rpartition("/")[2] == wanted:
            return arn
    fix = "name its id or ARN, or leave it out for the newest"
    raise UsageError(f"pipeline {pipeline} has no execution {wanted!r}", fix=fix)


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log."""

    host: str
    time: datetime
    text: str


def log_lines(gateway: Gateway, step: StepRun, tokens: dict[str, str] | None = None) -> Iterator[LogLine]:
    """A step's log, all hosts. `tokens` remembers where each stream was read to, so that a later call goes on there."""
    if step.job is None:
        return
    kind, lower_name = step.job
    name = gateway.job(kind, lower_name)[f"{kind}Name"]
    group = JOB_KINDS[kind]
    tokens = {} if tokens is None else tokens
    for stream in gateway.log_streams(group, f"{name}/"):
        token = tokens.get(stream)
        while True:
            events, following = gateway.log_events(group, stream, token)
            for event in events:
                time = datetime.fromtimestamp(event["timestamp"] / 1000).astimezone()
                yield LogLine(stream.rpartition("/")[2], time, event["message"].rstrip("\n"))
            tokens[stream] = following
            if not events or following == token:
                break
            token = following


@dataclass(frozen=True)
class Report:
    """What came out of an execution."""

    metrics: Mapping[str, Mapping[str, float]]  # by step, by metric
    gates: tuple[str, ...]
    packages: tuple[str, ...]
    outputs: Mapping[str, str]  # "step/output": S3 URI
    pages: tuple[str, ...]  # S3 URIs of HTML pages


def report(gateway: Gateway, execution: Execution) -> Report:
    """Metrics, gates, model packages and outputs of an execution; what cannot be read is left out."""
    definition = parse(gateway.execution_definition(execution.arn))
    outputs: dict[str, str] = {}
    metrics: dict[str, Mapping[str, float]] = {}
    for run in execution.steps:
        if run.job is None or run.status != "Succeeded":
            continue
        with suppress(AwsError):
            found = _outputs(run.name, gateway.job(*run.job))
            outputs |= found
            step = definition.step(run.name)
            values = {name: value for uri in _documents(step, found) for name, value in _metrics(gateway, uri).items()}
            if values:
                metrics[run.name] = values
    return Report(
        metrics, tuple(_gates(definition, execution)), _packages(execution), outputs, _pages(gateway, outputs)
    )


def _outputs(step: str, job: Json) -> dict[str, str]:
    found = {}
    for output in (job.get("ProcessingOutputConfig") or {}).get("Outputs", []):
        if output.get("S3Output"):
            found[f"{step}/{output['OutputName']}"] = output["S3Output"]["S3Uri"]
    model = (job.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    return found | ({f"{step}/model": model} if model else {})


def _documents(step: Step, outputs: Mapping[str, str]) -> Iterator[str]:
    for file in step.property_files:
        base = outputs.get(f"{step.name}/{file.output_name}")
        if base:
            yield f"{base.rstrip('/')}/{file.file_path}"


def _metrics(gateway: Gateway, uri: str) -> dict[str, float]:
    """The scalar metrics of a report in the Model Registry's layout (CONTRACT.md section 5)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        document = json.loads(gateway.read_object(bucket, key))
    except ValueError:
        return {}
    metrics = {}
    for group in document.values() if isinstance(document, dict) else ():
        for name, metric in group.items() if isinstance(group, dict) else ():
            value = metric.get("value") if isinstance(metric, dict) else None
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                metrics[name] = float(value)
    return metrics


def _gates(definition: Definition, execution: Execution) -> Iterator[str]:
    for run in execution.steps:
        outcome = (run.metadata.get("Condition") or {}).get("Outcome")
        if outcome:
            step = definition.step(run.name)
            taken = step.if_steps if outcome == "True" else step.else_steps
            yield f"{run.name}: {outcome.lower()} → {', '.join(child.name for child in taken) or 'nothing'}"


def _packages(execution: Execution) -> tuple[str, ...]:
    arns = ((run.metadata.get("RegisterModel") or {}).get("Arn") for run in execution.steps)
    return tuple(arn for arn in arns if arn)


def _pages(gateway: Gateway, outputs: Mapping[str, str]) -> tuple[str, ...]:
    pages = []
    for uri in outputs.values():
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        with suppress(AwsError):
            pages += [f"s3://{bucket}/{key}" for key in gateway.keys(bucket, prefix) if key.endswith(".html")]
    return tuple(dict.fromkeys(pages))
