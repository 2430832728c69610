"""A Processing job: CreateProcessingJob request → DescribeProcessingJob response (CONTRACT.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.local.jobs.job import HOST, Job, JobError
from pipelines.local.jobs.parse import BadUriError
from pipelines.local.jobs.staging import NothingThereError, download, upload
from pipelines.local.runner.image import Image

_CONTAINER_ROOT = PurePosixPath("/opt/ml")
_DATA_ROOT = PurePosixPath("/opt/ml/processing")


class ProcessingJob(Job):
    """One container with inputs and outputs below /opt/ml/processing."""

    kind = "processing-job"
    prefix = "Processing"
    log_group = "/aws/sagemaker/ProcessingJobs"

    def stage(self) -> None:
        self._refuse_what_is_not_here()
        for item in self.request.get("ProcessingInputs") or []:
            self._stage_input(item)
        for item in self._outputs():
            self.inside(item["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        (self.root / "output").mkdir(parents=True, exist_ok=True)
        self.write_config("config", "processingjobconfig.json", self._job_config())
        self.write_config("config", "resourceconfig.json", self._resource_config())

    def image(self) -> tuple[Image, Sequence[str] | None, Sequence[str] | None]:
        application = self.request["AppSpecification"]
        entrypoint, arguments = application.get("ContainerEntrypoint"), application.get("ContainerArguments")
        return self.known_image(application["ImageUri"], entrypoint), entrypoint, arguments

    def environment(self) -> dict[str, str]:
        return dict(self.request.get("Environment") or {})

    def message(self) -> str:
        text = self.text_at("output/message")
        if text:
            self.change(ExitMessage=text)
        return text

    def failure(self, code: int, message: str) -> str:
        return f"AlgorithmError: {message or 'See job logs for more information'}, exit code: {code}"

    def collect(self) -> None:
        for item in self._outputs():
            output = item["S3Output"]
            upload(self.host.store, self.inside(output["LocalPath"]), output["S3Uri"])

    def inside(self, local_path: str) -> Path:
        """The host's folder of a container path. Raises `JobError` for one outside of /opt/ml/processing."""
        path = PurePosixPath(local_path)
        if ".." in path.parts or not path.is_relative_to(_DATA_ROOT):
            raise JobError(f"ClientError: LocalPath {local_path} must start with {_DATA_ROOT}/")
        return self.root / path.relative_to(_CONTAINER_ROOT)

    def _stage_input(self, item: dict[str, Any]) -> None:
        source = item.get("S3Input")
        if not source or item.get("AppManaged"):
            if source is None:
                raise JobError(f"not executed locally: input {item['InputName']} is no S3Input")
            return
        try:
            download(self.host.store, source["S3Uri"], self.inside(source["LocalPath"]))
        except (NothingThereError, BadUriError) as error:
            raise JobError(f"ClientError: input {item['InputName']}: {error}") from error

    def _refuse_what_is_not_here(self) -> None:
        """Better a clear end than another meaning (issue C completes these)."""
        cluster = self.request["ProcessingResources"]["ClusterConfig"]
        if int(cluster.get("InstanceCount") or 1) != 1:
            raise JobError("not executed locally: InstanceCount other than 1")
        for item in self.request.get("ProcessingInputs") or []:
            source = item.get("S3Input") or {}
            for key, only in (("S3DataType", "S3Prefix"), ("S3InputMode", "File"), ("S3CompressionType", "None")):
                if source.get(key, only) != only:
                    raise JobError(f"not executed locally: input {item['InputName']} with {key} {source[key]}")

    def _outputs(self) -> list[dict[str, Any]]:
        config = self.request.get("ProcessingOutputConfig") or {}
        outputs = config.get("Outputs") or []
        return [item for item in outputs if item.get("S3Output") and not item.get("AppManaged")]

    def _job_config(self) -> dict[str, Any]:
        application = self.request["AppSpecification"]
        inputs = [dict(item) for item in self.request.get("ProcessingInputs") or []]
        for item in inputs:
            if item.get("S3Input"):
                item["S3Input"] = {**item["S3Input"], "S3DownloadMode": "StartOfJob"}
        output = self.request.get("ProcessingOutputConfig") or {}
        cluster = self.request["ProcessingResources"]["ClusterConfig"]
        return {
            "ProcessingJobArn": self.arn,
            "ProcessingJobName": self.name,
            "AppSpecification": {
                "ImageUri": application["ImageUri"],
                "ContainerEntrypoint": application.get("ContainerEntrypoint"),
                "ContainerArguments": application.get("ContainerArguments"),
            },
            "Environment": self.environment(),
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": output.get("Outputs") or [], "KmsKeyId": output.get("KmsKeyId")},
            "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": None, **cluster}},
            "RoleArn": self.request.get("RoleArn"),
            "StoppingCondition": self.request.get("StoppingCondition") or {"MaxRuntimeInSeconds": 86400},
        }

    def _resource_config(self) -> dict[str, Any]:
        return {"current_host": HOST, "hosts": [HOST]}
