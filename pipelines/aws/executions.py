"""Executions of pipelines, their steps and jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from urllib.parse import quote

from pipelines.aws.pipelines import Pipelines
from pipelines.aws.session import Json


class Executions(Pipelines):
    """Executions: start, stop, retry, look at."""

    def start_execution(
        self, name: str, parameters: Mapping[str, str], select: Iterable[str] = (), source: str = ""
    ) -> str:
        """Start an execution; gives its ARN. With `select` those steps alone, upon the results of the source (ARN)."""
        listed = [{"Name": key, "Value": value} for key, value in parameters.items()]
        request: Json = {"PipelineName": name, **({"PipelineParameters": listed} if listed else {})}
        selected = [{"StepName": step} for step in select]
        if selected:
            origin = {"SourcePipelineExecutionArn": source} if source else {}
            request["SelectiveExecutionConfig"] = {"SelectedSteps": selected, **origin}
        answer = self._sagemaker("start_pipeline_execution", f"start pipeline {name}", **request)
        return str(answer["PipelineExecutionArn"])

    def retry_execution(self, arn: str) -> None:
        """Let an execution that has ended go on from where it failed or stopped."""
        self._sagemaker("retry_pipeline_execution", f"retry {arn}", PipelineExecutionArn=arn)

    def execution_parameters(self, arn: str) -> dict[str, str]:
        """The values of parameters that an execution was started with."""
        operation, key = "list_pipeline_parameters_for_execution", "PipelineParameters"
        items = self._items("sagemaker", operation, key, f"list the parameters of {arn}", PipelineExecutionArn=arn)
        return {item["Name"]: item["Value"] for item in items}

    def stop_execution(self, arn: str) -> None:
        """Ask an execution to stop."""
        self._sagemaker("stop_pipeline_execution", f"stop {arn}", PipelineExecutionArn=arn)

    def execution(self, arn: str) -> Json:
        """DescribePipelineExecution's answer."""
        return self._sagemaker("describe_pipeline_execution", f"describe {arn}", PipelineExecutionArn=arn)

    def execution_definition(self, arn: str) -> str:
        """The definition that an execution started with."""
        answer = self._sagemaker(
            "describe_pipeline_definition_for_execution", f"read the definition of {arn}", PipelineExecutionArn=arn
        )
        return str(answer["PipelineDefinition"])

    def execution_steps(self, arn: str) -> list[Json]:
        """All steps of an execution, in the order they started."""
        operation, key = "list_pipeline_execution_steps", "PipelineExecutionSteps"
        request = {"PipelineExecutionArn": arn, "SortOrder": "Ascending"}
        return list(self._items("sagemaker", operation, key, f"list the steps of {arn}", **request))

    def executions(self, name: str, since: datetime | None = None) -> Iterator[Json]:
        """A pipeline's executions, newest first; with `since` those that began later."""
        operation, key = "list_pipeline_executions", "PipelineExecutionSummaries"
        request: Json = {"PipelineName": name, "SortBy": "CreationTime", "SortOrder": "Descending"}
        request |= {"CreatedAfter": since} if since else {}
        return self._items("sagemaker", operation, key, f"list the executions of {name}", **request)

    def cache_misses(self, arn: str) -> dict[str, str]:
        """Why the step cache had no result for a step, by step. The local SageMaker alone says so, at a door of its
        own: botocore drops what AWS's model does not have."""
        if self._endpoint is None:
            return {}
        with self._translated(f"ask for the cache misses of {arn}"):
            url = f"{self._endpoint.url}/_local/cache-misses?execution={quote(arn)}"
            response = self._get(url)
        return dict(json.loads(response.content)) if response.status_code == 200 else {}

    def job(self, kind: str, name: str) -> Json:
        """The Describe response of a job; `kind` is ProcessingJob, TrainingJob or TransformJob."""
        operation = f"describe_{kind.removesuffix('Job').lower()}_job"
        return self._sagemaker(operation, f"describe job {name}", **{f"{kind}Name": name})
