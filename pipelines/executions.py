"""Executions, as their users see them: snapshots, watching to the end, stopping, logs. What came out is `report`'s.

Takes a `Gateway` and an execution's ARN; `sleep` is passed in. Works the same on AWS and the local SageMaker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.aws import EXPIRED, TRANSIENT, Gateway, Json
from pipelines.errors import AwsError, Mend, UsageError

TERMINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
JOB_KINDS = {
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}
_CHECKS = ("QualityCheck", "ClarifyCheck")  # processing jobs, named another way
_LOG_TAIL = 20  # lines
_NAMED = 5  # executions in a message
_SIGN_IN_PATIENCE = 3600.0  # seconds that a watch waits for its user to sign in again


@dataclass(frozen=True)
class StepRun:
    """One step of an execution; statuses are AWS's (CONTRACT.md section 1.10)."""

    name: str
    status: str
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cached_from: str = ""  # the execution whose result the step cache gave instead of running the step
    reused_from: str = ""  # the execution that a selective one took the result from

    @property
    def job(self) -> tuple[str, str] | None:
        """The kind and name of the step's job; the name in lower case, as ARNs have it."""
        arns = {kind: (self.metadata.get(kind) or {}).get("Arn") for kind in JOB_KINDS}
        checks = ((self.metadata.get(kind) or {}).get("CheckJobArn") for kind in _CHECKS)
        arns["ProcessingJob"] = arns["ProcessingJob"] or next(filter(None, checks), None)
        return next(((kind, arn.rpartition("/")[2]) for kind, arn in arns.items() if arn), None)

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
        cached_from=(step.get("CacheHitResult") or {}).get("SourcePipelineExecutionArn") or "",
        reused_from=(step.get("SelectiveExecutionResult") or {}).get("SourcePipelineExecutionArn") or "",
    )


def watch(
    gateway: Gateway,
    arn: str,
    show: Callable[[Execution], None],
    sleep: Callable[[float], None],
    say: Callable[[str], None] = lambda _text: None,
) -> Execution:
    """Show snapshots until the execution has ended, whichever way; gives the last.

    Errors that pass by themselves are waited out, and expired credentials until the user, who is told so by `say`, has
    signed in again; raises `AwsError` for others, and when they do not pass.
    """
    pause, longest, patience = (0.1, 1.0, 5) if gateway.target.is_local else (5.0, 30.0, 30)
    failures, signed_out = 0, 0.0
    while True:
        try:
            execution = snapshot(gateway, arn)
        except AwsError as error:
            if error.code in EXPIRED and signed_out < _SIGN_IN_PATIENCE:
                if not signed_out:
                    say(f"{error.what}\n  fix: sign in again in another shell (aws sso login): the watch goes on then")
                signed_out += pause
                gateway.sign_in_again()
            else:
                failures += 1
                if error.code not in TRANSIENT or failures > patience:
                    raise
        else:
            failures, signed_out = 0, 0.0
            show(execution)
            if execution.ended:
                return execution
        sleep(pause)
        pause = min(pause * 1.2, longest)


def stop(gateway: Gateway, arn: str) -> None:
    """Ask an execution to stop; one that has ended meanwhile is fine. Raises `AwsError`."""
    try:
        gateway.stop_execution(arn)
    except AwsError:
        if gateway.execution(arn)["PipelineExecutionStatus"] not in TERMINAL:
            raise


@dataclass(frozen=True)
class Summary:
    """An execution as a list has it."""

    arn: str
    status: str
    started: datetime
    reason: str

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


def summaries(
    gateway: Gateway, pipeline: str, statuses: Collection[str] = (), since: datetime | None = None
) -> Iterator[Summary]:
    """A pipeline's executions, newest first: those of the statuses (all if none is named) that began after `since`."""
    for item in gateway.executions(pipeline, since):
        status = item["PipelineExecutionStatus"]
        if not statuses or status in statuses:
            reason = item.get("PipelineExecutionFailureReason", "")
            yield Summary(item["PipelineExecutionArn"], status, item["StartTime"], reason)


def retry(gateway: Gateway, arn: str) -> None:
    """Let an execution go on from where it failed or was stopped. Raises `UsageError` when it cannot."""
    execution = snapshot(gateway, arn)
    where = f"execution {execution.id}"
    env = gateway.target.option
    if not execution.ended:
        fix = Mend("wait for its end", f"status --watch --execution {execution.id}{env}")
        raise UsageError(f"it has not ended: {execution.status}", where=where, fix=fix)
    if execution.status == "Succeeded":
        raise UsageError("it succeeded: there is nothing to retry", where=where, fix=Mend("", f"start{env}"))
    gate = next((step.name for step in execution.steps if "Fail" in step.metadata and step.status == "Failed"), None)
    if gate:
        what = f"it was ended by its Fail step {gate}: SageMaker does not retry such an execution"
        fix = Mend("see why, and how to go on", f"why {execution.id}{env}")
        raise UsageError(what, where=where, fix=fix)
    gateway.retry_execution(arn)


def find(gateway: Gateway, pipeline: str, wanted: str | None) -> str:
    """An execution's ARN from an ARN, an id, or nothing (the newest). Raises `UsageError`."""
    where = f"environment {gateway.target.name}"
    env = gateway.target.option
    seen: list[str] = []
    try:
        if wanted and wanted.startswith("arn:"):
            return str(gateway.execution(wanted)["PipelineExecutionArn"])
        for summary in gateway.executions(pipeline):
            arn = str(summary["PipelineExecutionArn"])
            seen.append(arn.rpartition("/")[2])
            if wanted in (None, seen[-1]):
                return arn
    except AwsError as error:
        if error.code != "ResourceNotFound":
            raise
        if wanted and wanted.startswith("arn:"):
            fix = Mend("see which there are", f"executions{env}")
            raise UsageError(f"there is no execution {wanted}", where=where, fix=fix) from error
        fix = Mend("", f"deploy --start{env}")
        raise UsageError(f"pipeline {pipeline} is not deployed", where=where, fix=fix) from error
    if not seen:
        raise UsageError(f"pipeline {pipeline} has no execution yet", where=where, fix=Mend("", f"start{env}"))
    fix = Mend(f"name one of: {', '.join(seen[:_NAMED])}; all of them", f"executions{env}")
    raise UsageError(f"pipeline {pipeline} has no execution {wanted!r}", where=where, fix=fix)


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log."""

    host: str
    time: datetime
    text: str
    is_of_many: bool = False  # the job ran on several hosts


def log_lines(gateway: Gateway, step: StepRun, tokens: dict[str, str] | None = None) -> Iterator[LogLine]:
    """A step's log, all hosts. `tokens` remembers where each stream was read to, so that a later call goes on there."""
    if step.job is None:
        return
    kind, lower_name = step.job
    name = gateway.job(kind, lower_name)[f"{kind}Name"]
    group = JOB_KINDS[kind]
    tokens = {} if tokens is None else tokens
    streams = gateway.log_streams(group, f"{name}/")
    for stream in streams:
        token = tokens.get(stream)
        while True:
            events, following = gateway.log_events(group, stream, token)
            for event in events:
                time = datetime.fromtimestamp(event["timestamp"] / 1000).astimezone()
                yield LogLine(stream.rpartition("/")[2], time, event["message"].rstrip("\n"), len(streams) > 1)
            tokens[stream] = following
            if following == token:  # the end; an empty page alone is none
                break
            token = following


def log_tail(gateway: Gateway, step: StepRun) -> tuple[LogLine, ...]:
    """The last lines of a step's log; none when it is gone, or not ours to read."""
    with suppress(AwsError):
        return tuple(deque(log_lines(gateway, step), _LOG_TAIL))
    return ()
