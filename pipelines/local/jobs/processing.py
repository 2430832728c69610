"""A Processing job: CreateProcessingJob request → DescribeProcessingJob response (CONTRACT.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.local.jobs.job import HOST, MAX_RUNTIME_SECONDS, Job, JobError, Json
from pipelines.local.jobs.message import crosses_link
from pipelines.local.jobs.staging import upload

_CONTAINER_ROOT = PurePosixPath("/opt/ml")
_DATA_ROOT = PurePosixPath("/opt/ml/processing")
# Other values of an input change what the program finds.
_ONLY = {"S3DataType": "S3Prefix", "S3InputMode": "File", "S3CompressionType": "None"}


class ProcessingJob(Job):
    """One container with inputs and outputs below /opt/ml/processing."""

    kind = "processing-job"
    prefix = "Processing"
    log_group = "/aws/sagemaker/ProcessingJobs"

    def refuse_what_is_not_here(self) -> None:
        if int(self._cluster.get("InstanceCount") or 1) != 1:
            raise JobError("not executed locally: InstanceCount other than 1")
        for item in self._inputs():
            what, source = f"input {item['InputName']}", item.get("S3Input")
            if source is None:
                raise JobError(f"not executed locally: {what} is no S3Input")
            for key, only in _ONLY.items():
                if source.get(key, only) != only:
                    raise JobError(f"not executed locally: {what} with {key} {source[key]}")
        for item in self._outputs():
            if "S3Output" not in item:
                raise JobError(f"not executed locally: output {item['OutputName']} is no S3Output")

    def stage(self) -> None:
        for item in self._outputs():
            self.check_output(f"output {item['OutputName']}", item["S3Output"]["S3Uri"])
            self._inside(item["S3Output"]).mkdir(parents=True, exist_ok=True)
        for item in self._inputs():
            source = item["S3Input"]
            self.fetch(f"input {item['InputName']}", source["S3Uri"], self._inside(source))
        (self.root / "output").mkdir(parents=True, exist_ok=True)
        self.write_config("config/processingjobconfig.json", self._job_config())
        self.write_config("config/resourceconfig.json", {"current_host": HOST, "hosts": [HOST]})

    def program(self) -> tuple[str, Sequence[str] | None, Sequence[str] | None]:
        application = self.request["AppSpecification"]
        return (
            application["ImageUri"],
            application.get("ContainerEntrypoint"),
            application.get("ContainerArguments"),
        )

    def environment(self) -> dict[str, str]:
        return dict(self.request.get("Environment") or {})

    def message(self) -> str:
        text = self.text_at("output/message")
        if text:
            self.change(ExitMessage=text)
        return text

    def collect(self) -> None:
        outputs = [(self._inside(item["S3Output"]), item["S3Output"]["S3Uri"]) for item in self._outputs()]
        for index, (folder, uri) in enumerate(outputs):
            if crosses_link(self.root, folder):
                continue
            # What lies in several outputs goes to all of them: the last one takes the files away.
            again = any(
                later.is_relative_to(folder) or folder.is_relative_to(later) for later, _ in outputs[index + 1 :]
            )
            upload(self.host.store, folder, uri, keep=again)

    def _inside(self, source: Json) -> Path:
        """The host's folder of a LocalPath. Raises `JobError` for one outside of /opt/ml/processing."""
        local_path = source.get("LocalPath", "")
        path = PurePosixPath(local_path)
        if ".." in path.parts or _DATA_ROOT not in path.parents:
            raise JobError(f"ClientError: LocalPath {local_path!r} must start with {_DATA_ROOT}/ and hold no ..")
        return self.root / path.relative_to(_CONTAINER_ROOT)

    def _inputs(self) -> list[Json]:
        """The inputs that are not the program's own business."""
        return [item for item in self.request.get("ProcessingInputs") or [] if not item.get("AppManaged")]

    def _outputs(self) -> list[Json]:
        outputs = (self.request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        return [item for item in outputs if not item.get("AppManaged")]

    @property
    def _cluster(self) -> Json:
        cluster: Json = self.request["ProcessingResources"]["ClusterConfig"]
        return cluster

    def _job_config(self) -> dict[str, Any]:
        application = self.request["AppSpecification"]
        output = self.request.get("ProcessingOutputConfig") or {}
        return {
            "ProcessingJobArn": self.arn,
            "ProcessingJobName": self.name,
            "AppSpecification": {
                "ImageUri": application["ImageUri"],
                "ContainerEntrypoint": application.get("ContainerEntrypoint"),
                "ContainerArguments": application.get("ContainerArguments"),
            },
            "Environment": self.environment(),
            "ProcessingInputs": [_with_mode(item) for item in self.request.get("ProcessingInputs") or []],
            "ProcessingOutputConfig": {"Outputs": output.get("Outputs") or [], "KmsKeyId": output.get("KmsKeyId")},
            "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": None, **self._cluster}},
            "RoleArn": self.request.get("RoleArn"),
            "StoppingCondition": self.request.get("StoppingCondition") or {"MaxRuntimeInSeconds": MAX_RUNTIME_SECONDS},
        }


def _with_mode(item: Json) -> Json:
    """An input as processingjobconfig.json has it: with a member that the request does not know."""
    if not item.get("S3Input"):
        return item
    return {**item, "S3Input": {**item["S3Input"], "S3DownloadMode": "StartOfJob"}}
