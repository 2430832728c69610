"""A Training job: CreateTrainingJob request → DescribeTrainingJob response (CONTRACT.md section 3.6)."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.local.jobs.job import HOST, Job, JobError
from pipelines.local.jobs.parse import BadUriError, split_uri
from pipelines.local.jobs.staging import NothingThereError, download
from pipelines.local.runner.image import Image


class TrainingJob(Job):
    """One container with channels below /opt/ml/input/data and a model in /opt/ml/model."""

    kind = "training-job"
    prefix = "Training"
    log_group = "/aws/sagemaker/TrainingJobs"

    def stage(self) -> None:
        self._refuse_what_is_not_here()
        for folder in ("model", "output/data", "input/data", "input/config"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        channels = {}
        for channel in self.request.get("InputDataConfig") or []:
            channels[channel["ChannelName"]] = self._stage_channel(channel)
        self.write_config("input/config", "hyperparameters.json", self.request.get("HyperParameters") or {})
        self.write_config("input/config", "inputdataconfig.json", channels)
        self.write_config("input/config", "resourceconfig.json", self._resource_config())

    def image(self) -> tuple[Image, Sequence[str] | None, Sequence[str] | None]:
        algorithm = self.request["AlgorithmSpecification"]
        entrypoint = algorithm.get("ContainerEntrypoint")
        if "TrainingImage" not in algorithm:
            raise JobError("not executed locally: a training job without TrainingImage")
        arguments = algorithm.get("ContainerArguments")
        if not entrypoint:
            arguments = arguments or ["train"]
        return self.known_image(algorithm["TrainingImage"], entrypoint), entrypoint, arguments

    def environment(self) -> dict[str, str]:
        own = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.arn}
        return {**own, **(self.request.get("Environment") or {})}

    def message(self) -> str:
        return self.text_at("output/failure")

    def failure(self, code: int, message: str) -> str:
        return f"AlgorithmError: {message or 'See job logs for more information'}, exit code: {code}"

    def collect(self) -> None:
        base = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        model = f"{base}/{self.name}/output/model.tar.gz"
        self._archive(self.root / "model", model)
        if any((self.root / "output/data").iterdir()):
            self._archive(self.root / "output/data", f"{base}/{self.name}/output/output.tar.gz")
        self.change(ModelArtifacts={"S3ModelArtifacts": model})

    def _archive(self, folder: Path, uri: str) -> None:
        archive = self.root.parent / "archive.tar.gz"
        write_archive(folder, archive)
        bucket, key = split_uri(uri)
        self.host.store.adopt(bucket, key, archive)

    def _stage_channel(self, channel: dict[str, Any]) -> dict[str, Any]:
        name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
        mode = channel.get("InputMode") or self.request["AlgorithmSpecification"].get("TrainingInputMode", "File")
        if not source or source.get("S3DataType", "S3Prefix") != "S3Prefix" or mode == "Pipe":
            raise JobError(f"not executed locally: channel {name} with other than S3Prefix in File mode")
        try:
            download(self.host.store, source["S3Uri"], self.root / "input/data" / name)
        except (NothingThereError, BadUriError) as error:
            raise JobError(f"ClientError: channel {name}: {error}") from error
        return {
            "TrainingInputMode": mode,
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }

    def _refuse_what_is_not_here(self) -> None:
        if int(self.request["ResourceConfig"].get("InstanceCount") or 1) != 1:
            raise JobError("not executed locally: InstanceCount other than 1")

    def _resource_config(self) -> dict[str, Any]:
        instance = self.request["ResourceConfig"].get("InstanceType", "local")
        return {
            "current_host": HOST,
            "current_instance_type": instance,
            "current_group_name": "homogeneousCluster",
            "hosts": [HOST],
            "network_interface_name": "lo",
        }


def write_archive(folder: Path, archive: Path) -> None:
    """A .tar.gz of a folder's files whose bytes depend on names, modes and contents alone."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
