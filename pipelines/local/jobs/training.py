"""A Training job: CreateTrainingJob request → DescribeTrainingJob response (CONTRACT.md section 3.6)."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.local.jobs.job import COMPLETED, FAILED, HOST, STOPPED, STOPPING, Host, Job, JobError, Json
from pipelines.local.jobs.message import NotTextError, crosses_link
from pipelines.local.jobs.parse import split_uri

_GROUP = "homogeneousCluster"


class TrainingJob(Job):
    """One container with channels below /opt/ml/input/data and a model in /opt/ml/model."""

    kind = "training-job"
    prefix = "Training"
    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, host: Host, name: str, request: Json, keep: Callable[[Job], None]) -> None:
        super().__init__(host, name, request, keep)
        self.record["SecondaryStatus"] = "Starting"

    def change(self, **values: Any) -> None:
        secondary = {COMPLETED: "Completed", FAILED: "Failed", STOPPED: "Stopped", STOPPING: "Stopping"}
        status = values.get("TrainingJobStatus")
        if status:
            timed_out = status == STOPPED and "FailureReason" in values
            values["SecondaryStatus"] = "MaxRuntimeExceeded" if timed_out else secondary[status]
        super().change(**values)

    def refuse_what_is_not_here(self) -> None:
        if int(self._resources.get("InstanceCount") or 1) != 1 or self._resources.get("InstanceGroups"):
            raise JobError("not executed locally: InstanceCount other than 1, and InstanceGroups")
        if self.request.get("CheckpointConfig"):
            raise JobError("not executed locally: CheckpointConfig")
        if "TrainingImage" not in self._algorithm:
            raise JobError("not executed locally: a training job without TrainingImage")
        for channel in self._channels:
            source = channel["DataSource"].get("S3DataSource")
            if not source or source.get("S3DataType") != "S3Prefix" or self._mode(channel) == "Pipe":
                name = channel["ChannelName"]
                raise JobError(f"not executed locally: channel {name} with other than S3Prefix in File mode")

    def stage(self) -> None:
        self.check_output("OutputDataConfig", self._output)
        for folder in ("model", "output/data", "input/data", "input/config"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.change(SecondaryStatus="Downloading")
        for channel in self._channels:
            name, uri = channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]
            self.fetch(f"channel {name}", uri, self.root / "input/data" / name)
        channels = {channel["ChannelName"]: self._channel_config(channel) for channel in self._channels}
        self.write_config("input/config/hyperparameters.json", self.request.get("HyperParameters") or {})
        self.write_config("input/config/inputdataconfig.json", channels)
        self.write_config("input/config/resourceconfig.json", self._resource_config())
        self.change(SecondaryStatus="Training")

    def program(self) -> tuple[str, Sequence[str] | None, Sequence[str] | None]:
        entrypoint = self._algorithm.get("ContainerEntrypoint")
        arguments = self._algorithm.get("ContainerArguments")
        # `docker run IMAGE train`: the word stands in for the image's CMD.
        return self._algorithm["TrainingImage"], entrypoint, arguments or (None if entrypoint else ["train"])

    def environment(self) -> dict[str, str]:
        own = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.arn}
        return {**(self.request.get("Environment") or {}), **own}

    def message(self) -> str:
        """/opt/ml/output/failure; no rule of the contract makes one that is not text fail the job."""
        try:
            return self.text_at("output/failure")
        except NotTextError:
            return ""

    def collect(self) -> None:
        self.change(SecondaryStatus="Uploading")
        model, output = self.root / "model", self.root / "output/data"
        if not crosses_link(self.root, output) and any(output.iterdir()):
            self._archive(output, "output.tar.gz")
        if crosses_link(self.root, model) or not model.is_dir():
            raise JobError("ClientError: /opt/ml/model is no folder any more")
        self.change(ModelArtifacts={"S3ModelArtifacts": self._archive(model, "model.tar.gz")})

    def _archive(self, folder: Path, name: str) -> str:
        archive = self.root.parent / name
        write_archive(folder, archive)
        uri = f"{self._output}/{self.name}/output/{name}"
        self.host.store.adopt(*split_uri(uri), archive)
        return uri

    @property
    def _algorithm(self) -> Json:
        algorithm: Json = self.request.get("AlgorithmSpecification") or {}
        return algorithm

    @property
    def _resources(self) -> Json:
        resources: Json = self.request.get("ResourceConfig") or {}
        return resources

    @property
    def _channels(self) -> list[Json]:
        return self.request.get("InputDataConfig") or []

    @property
    def _output(self) -> str:
        return str(self.request["OutputDataConfig"]["S3OutputPath"]).rstrip("/")

    def _mode(self, channel: Json) -> str:
        return str(channel.get("InputMode") or self._algorithm.get("TrainingInputMode", "File"))

    def _channel_config(self, channel: Json) -> Json:
        source = channel["DataSource"]["S3DataSource"]
        return {
            "TrainingInputMode": self._mode(channel),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }

    def _resource_config(self) -> Json:
        instance = self._resources.get("InstanceType", "local")
        return {
            "current_host": HOST,
            "current_instance_type": instance,
            "current_group_name": _GROUP,
            "hosts": [HOST],
            "instance_groups": [{"instance_group_name": _GROUP, "instance_type": instance, "hosts": [HOST]}],
            "network_interface_name": "lo",
        }


def write_archive(folder: Path, archive: Path) -> None:
    """A .tar.gz of a folder's files whose bytes depend on names, modes and contents alone. Links stay links."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None  # pipes and devices have no content
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
