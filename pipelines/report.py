"""What came out of an execution: metrics, the gates' decisions, model packages, outputs, report pages; and, of the
local SageMaker, why a step's cache had nothing.

Takes a `Gateway`, the execution's definition and a snapshot of it; gives a `Report`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from pipelines.aws import Gateway, Json
from pipelines.definition import Definition, Step
from pipelines.errors import AwsError
from pipelines.executions import Execution

_MAX_KEYS = 1000  # of an output's objects, among which report pages are looked for


@dataclass(frozen=True)
class Report:
    """What came out of an execution."""

    metrics: Mapping[str, Mapping[str, float]]  # by step, by metric
    gates: tuple[str, ...]
    packages: tuple[str, ...]
    outputs: Mapping[str, str]  # "step/output": S3 URI
    pages: tuple[str, ...]  # S3 URIs of HTML pages
    cache_misses: Mapping[str, str] = field(default_factory=dict)  # why a step with a cache ran, by step


def report(gateway: Gateway, definition: Definition, execution: Execution) -> Report:
    """Metrics, gates, model packages and outputs of an execution; what cannot be read is left out."""
    outputs: dict[str, str] = {}
    metrics: dict[str, Mapping[str, float]] = {}
    for run in execution.steps:
        if run.job is None or run.status != "Succeeded":
            continue
        with suppress(AwsError):
            found = _outputs(run.name, gateway.job(*run.job))
            outputs |= found
            documents = _documents(definition.step(run.name), found) if definition.has_step(run.name) else ()
            values = {name: value for uri in documents for name, value in _metrics(gateway, uri).items()}
            if values:
                metrics[run.name] = values
    misses: dict[str, str] = {}
    with suppress(AwsError):
        misses = gateway.cache_misses(execution.arn)
    gates, pages = tuple(_gates(definition, execution)), _pages(gateway, outputs)
    return Report(metrics, gates, _packages(execution), outputs, pages, misses)


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
            yield f"{base.removesuffix('/')}/{file.file_path}"


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
        if outcome and definition.has_step(run.name):
            step = definition.step(run.name)
            taken = step.if_steps if outcome == "True" else step.else_steps
            yield f"{run.name}: {outcome.lower()} → {', '.join(child.name for child in taken) or 'nothing'}"


def _packages(execution: Execution) -> tuple[str, ...]:
    arns = ((run.metadata.get("RegisterModel") or {}).get("Arn") for run in execution.steps)
    return tuple(arn for arn in arns if arn)


def _pages(gateway: Gateway, outputs: Mapping[str, str]) -> tuple[str, ...]:
    pages = []
    for uri in outputs.values():
        bucket, _, prefix = uri.removeprefix("s3://").removesuffix("/").partition("/")
        with suppress(AwsError):
            keys = islice(gateway.keys(bucket, f"{prefix}/"), _MAX_KEYS)
            pages += [f"s3://{bucket}/{key}" for key in keys if key.endswith(".html")]
    return tuple(dict.fromkeys(pages))
