"""Pipelines of SageMaker, their versions and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.aws.session import Json, Session
from pipelines.errors import AwsError

MAX_INLINE_DEFINITION = 100 * 1024  # bytes; larger ones go by S3 (CONTRACT.md section 2)


class Pipelines(Session):
    """Pipelines; what is asked of SageMaker goes by `_sagemaker`."""

    def pipeline(self, name: str) -> Json | None:
        """DescribePipeline's answer, or None when there is no such pipeline."""
        try:
            return self._sagemaker("describe_pipeline", f"describe pipeline {name}", PipelineName=name)
        except AwsError as error:
            if error.code == "ResourceNotFound":
                return None
            raise

    def create_pipeline(self, name: str, **request: Any) -> str:
        """Create a pipeline; gives its ARN. botocore's token makes its own retries harmless."""
        answer = self._sagemaker("create_pipeline", f"create pipeline {name}", PipelineName=name, **request)
        return str(answer["PipelineArn"])

    def update_pipeline(self, name: str, **request: Any) -> str:
        """Update a pipeline; gives its ARN."""
        answer = self._sagemaker("update_pipeline", f"update pipeline {name}", PipelineName=name, **request)
        return str(answer["PipelineArn"])

    def pipeline_definition(self, name: str, version: int) -> str:
        """The definition of one version of a pipeline."""
        action = f"describe version {version} of pipeline {name}"
        answer = self._sagemaker("describe_pipeline", action, PipelineName=name, PipelineVersionId=version)
        return str(answer["PipelineDefinition"])

    def pipeline_versions(self, name: str) -> Iterator[Json]:
        """A pipeline's versions, newest first."""
        operation, key = "list_pipeline_versions", "PipelineVersionSummaries"
        request = {"PipelineName": name, "SortOrder": "Descending"}
        return self._items("sagemaker", operation, key, f"list the versions of {name}", **request)

    def tags(self, arn: str) -> dict[str, str]:
        """All tags of a resource of SageMaker's."""
        items = self._items("sagemaker", "list_tags", "Tags", f"list the tags of {arn}", ResourceArn=arn)
        return {item["Key"]: item["Value"] for item in items}

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags; others stay."""
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._sagemaker("add_tags", f"tag {arn}", ResourceArn=arn, Tags=listed)

    def delete_tags(self, arn: str, keys: Iterable[str]) -> None:
        """Remove tags; those that are not there are no error."""
        self._sagemaker("delete_tags", f"remove tags of {arn}", ResourceArn=arn, TagKeys=list(keys))

    def _sagemaker(self, operation: str, action: str, **request: Any) -> Json:
        with self._translated(action):
            answer: Json = getattr(self._client("sagemaker"), operation)(**request)
        return answer
