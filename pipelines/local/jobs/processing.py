"""A Processing job: CreateProcessingJob request → DescribeProcessingJob response (CONTRACT.md section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pipelines.local.jobs.job import MAX_RUNTIME_SECONDS, ContainerJob, JobError, Json
from pipelines.local.jobs.message import crosses_link, first_kilobyte
from pipelines.local.jobs.place import Place, below
from pipelines.local.jobs.source import MANIFEST, PREFIX, Source
from pipelines.local.jobs.staging import upload

_CONTAINER_ROOT = PurePosixPath("/opt/ml")
_DATA_ROOT = PurePosixPath("/opt/ml/processing")


class ProcessingJob(ContainerJob):
    """Containers with inputs and outputs below /opt/ml/processing."""

    kind = "processing-job"
    prefix = "Processing"
    log_group = "/aws/sagemaker/ProcessingJobs"

    @property
    def instance_count(self) -> int:
        return int(self._cluster_config.get("InstanceCount") or 1)

    def refuse_what_is_not_here(self) -> None:
        for item in self._inputs():
            refuse_input(f"input {item['InputName']}", item)
        for item in (self.request.get("ProcessingOutputConfig") or {}).get("Outputs") or []:
            what = f"output {item['OutputName']}"
            if item.get("FeatureStoreOutput"):
                fix = "write an S3Output, and ingest it by a step of your own"
                raise JobError(f"not executed locally: {what} is a FeatureStoreOutput; fix: {fix}")
            if not item.get("AppManaged") and "S3Output" not in item:
                raise JobError(f"ClientError: {what} names no S3Output")

    def stage(self) -> None:
        for item in self._outputs():
            self.check_output(f"output {item['OutputName']}", item["S3Output"]["S3Uri"])
            for place in self.places:
                (place.ml / inside(item["S3Output"])).mkdir(parents=True, exist_ok=True)
        for item in self._inputs():
            self.bring(f"input {item['InputName']}", _source(item["S3Input"]), inside(item["S3Input"]))
        for item in self._outputs():
            if _continuous(item):
                self.upload_while_it_runs(item["S3Output"]["S3Uri"], inside(item["S3Output"]))
        hosts = [place.host for place in self.places]
        for place in self.places:
            (place.ml / "output").mkdir(parents=True, exist_ok=True)
            place.write("config/processingjobconfig.json", self._job_config())
            place.write("config/resourceconfig.json", {"current_host": place.host, "hosts": hosts})

    def collected(self) -> Sequence[PurePosixPath]:
        return [inside(item["S3Output"]) for item in self._outputs()]

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
        """What the failed host said; the ExitMessage is what all said, one after the other."""
        texts = {place: self.text_at("output/message", place) for place in self.places}
        if any(texts.values()):
            self.change(ExitMessage=first_kilobyte("\n".join(filter(None, texts.values()))))
        return texts[self.failed or self.places[0]]

    def collect(self) -> None:
        """Hosts in their order: of files of one path the last host's stays."""
        for place in self.places:
            self._collect(place)

    def _collect(self, place: Place) -> None:
        outputs = [(inside(item["S3Output"]), item) for item in self._outputs()]
        for index, (path, item) in enumerate(outputs):
            if _continuous(item) or crosses_link(place.ml, place.ml / path) or not (place.ml / path).is_dir():
                continue
            # What lies in several outputs goes to all of them: the last one takes the files away.
            again = any(below(later, path) for later, _ in outputs[index + 1 :])
            upload(self.host.store, place.ml / path, item["S3Output"]["S3Uri"], keep=again)

    def _inputs(self) -> list[Json]:
        """The inputs that are not the program's own business."""
        return [item for item in self.request.get("ProcessingInputs") or [] if not item.get("AppManaged")]

    def _outputs(self) -> list[Json]:
        outputs = (self.request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        return [item for item in outputs if not item.get("AppManaged")]

    @property
    def _cluster_config(self) -> Json:
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
            "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": None, **self._cluster_config}},
            "RoleArn": self.request.get("RoleArn"),
            "StoppingCondition": self.request.get("StoppingCondition") or {"MaxRuntimeInSeconds": MAX_RUNTIME_SECONDS},
        }


def _with_mode(item: Json) -> Json:
    """An input as processingjobconfig.json has it: with a member that the request does not know."""
    if not item.get("S3Input"):
        return item
    return {**item, "S3Input": {**item["S3Input"], "S3DownloadMode": "StartOfJob"}}


def refuse_input(what: str, item: Json) -> None:
    """Raises `JobError` for an input that is not brought here, or that the contract does not allow."""
    source = item.get("S3Input")
    if item.get("DatasetDefinition"):
        fix = "write the query's result to S3 by a step of your own, and name it as S3Input"
        raise JobError(f"not executed locally: {what} is a DatasetDefinition (Athena, Redshift); fix: {fix}")
    if not source:
        raise JobError(f"ClientError: {what} names no S3Input")
    if source.get("S3CompressionType", "None") != "None" and source.get("S3InputMode") != "Pipe":
        raise JobError(f"ClientError: {what}: S3CompressionType Gzip needs S3InputMode Pipe")
    if source.get("S3DataType", PREFIX) not in (PREFIX, MANIFEST):
        raise JobError(f"not executed locally: {what} with S3DataType {source['S3DataType']}")
    inside(source)


def inside(source: Json) -> PurePosixPath:
    """A LocalPath, from /opt/ml on. Raises `JobError` for one outside of /opt/ml/processing."""
    local_path = source.get("LocalPath", "")
    path = PurePosixPath(local_path)
    if ".." in path.parts or _DATA_ROOT not in path.parents:
        raise JobError(f"ClientError: LocalPath {local_path!r} must start with {_DATA_ROOT}/ and hold no ..")
    return path.relative_to(_CONTAINER_ROOT)


def _source(given: Json) -> Source:
    return Source(
        uri=given["S3Uri"],
        data_type=given.get("S3DataType", PREFIX),
        sharded=given.get("S3DataDistributionType") == "ShardedByS3Key",
        pipe=given.get("S3InputMode") == "Pipe",
        gzip=given.get("S3CompressionType") == "Gzip",
    )


def _continuous(item: Json) -> bool:
    return bool(item["S3Output"].get("S3UploadMode") == "Continuous")
