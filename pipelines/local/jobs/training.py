"""A Training job: CreateTrainingJob request → DescribeTrainingJob response (CONTRACT.md section 3.6)."""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED, STOPPING, ContainerJob, Host, Job, JobError, Json
from pipelines.local.jobs.message import NotTextError, crosses_link
from pipelines.local.jobs.metrics import MetricError, compiled, definitions, final_metrics
from pipelines.local.jobs.parse import split_uri
from pipelines.local.jobs.place import Place
from pipelines.local.jobs.source import MANIFEST, PREFIX, NothingThereError, Source, list_items
from pipelines.local.runner.scratch import walk

_GROUP = "homogeneousCluster"  # of a job that names none
_CHECKPOINTS = "/opt/ml/checkpoints"
_TAKEN = ("input", "model", "output")


@dataclass(frozen=True)
class Group:
    """Hosts of one instance type."""

    name: str
    instance_type: str
    places: tuple[Place, ...]


class TrainingJob(ContainerJob):
    """Containers with channels below /opt/ml/input/data and a model in /opt/ml/model."""

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

    @property
    def instance_count(self) -> int:
        return sum(int(group.get("InstanceCount") or 1) for group in self._group_requests)

    def refuse_what_is_not_here(self) -> None:
        if "TrainingImage" not in self._algorithm:
            raise JobError("not executed locally: a training job without TrainingImage")
        self._metrics  # noqa: B018 -- raises for a Regex that is none
        for channel in self._channels:
            refuse_channel(channel, self._mode(channel))
        if self._checkpoints:
            _checkpoint_path(self._checkpoints)

    @cached_property
    def _metrics(self) -> dict[str, re.Pattern[str]]:
        try:
            return compiled(definitions(self._algorithm, self.request.get("HyperParameters") or {}))
        except MetricError as error:
            raise JobError(f"ClientError: {error}") from error

    def stage(self) -> None:
        self.check_output("OutputDataConfig", self._output)
        for place in self.places:
            for folder in ("model", "output/data", "input/data", "input/config"):
                (place.ml / folder).mkdir(parents=True, exist_ok=True)
        self.change(SecondaryStatus="Downloading")
        for channel in self._channels:
            self._stage_channel(channel)
        self._stage_checkpoints()
        channels = {channel["ChannelName"]: self._channel_config(channel) for channel in self._channels}
        self.write_config("input/config/hyperparameters.json", self.request.get("HyperParameters") or {})
        for group in self._groups:
            for place in group.places:
                known = {name: config for name, config in channels.items() if group.name in self._receivers(name)}
                place.write("input/config/inputdataconfig.json", known)
                place.write("input/config/resourceconfig.json", self._resource_config(place, group))
        self.change(SecondaryStatus="Training")

    def _stage_channel(self, channel: Json) -> None:
        name, given = channel["ChannelName"], channel["DataSource"]["S3DataSource"]
        shuffle = channel.get("ShuffleConfig")
        source = Source(
            uri=given["S3Uri"],
            data_type=given["S3DataType"],
            sharded=given.get("S3DataDistributionType") == "ShardedByS3Key",
            pipe=self._mode(channel) == "Pipe",
            gzip=channel.get("CompressionType") == "Gzip",
            seed=int(shuffle["Seed"]) if shuffle else None,
        )
        receivers = self._receivers(name)
        places = [place for group in self._groups if group.name in receivers for place in group.places]
        self.bring(f"channel {name}", source, PurePosixPath("input/data", name), places)

    def _stage_checkpoints(self) -> None:
        """What an earlier job left there, and from then on what this one writes."""
        if not self._checkpoints:
            return
        path, uri = _checkpoint_path(self._checkpoints), self._checkpoints["S3Uri"].removesuffix("/") + "/"
        self.check_output("CheckpointConfig", uri)
        for place in self.places:
            (place.ml / path).mkdir(parents=True, exist_ok=True)
        with suppress(NothingThereError):
            list_items(self.host.store, Source(uri))
            self.bring("CheckpointConfig", Source(uri), path)
        self.upload_while_it_runs(uri, path)

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
        """One archive of all hosts' files; of files of one path the last host's stays."""
        metrics = final_metrics((place.log for place in self.places), self._metrics)
        if metrics:
            now = self._time()
            listed = [{"MetricName": name, "Value": value, "Timestamp": now} for name, value in metrics.items()]
            self.change(FinalMetricDataList=listed)
        self.change(SecondaryStatus="Uploading")
        models = [place.ml / "model" for place in self.places]
        if any(crosses_link(place.ml, place.ml / "model") for place in self.places) or not all(
            model.is_dir() for model in models
        ):
            raise JobError("ClientError: /opt/ml/model is no folder any more")
        outputs = [place.ml / "output/data" for place in self.places if _is_folder(place, "output/data")]
        if any(any(output.iterdir()) for output in outputs):
            self._archive(outputs, "output.tar.gz")
        self.change(ModelArtifacts={"S3ModelArtifacts": self._archive(models, "model.tar.gz")})

    def collect_stopped(self) -> None:
        """The model as far as it got: the time between SIGTERM and SIGKILL is there to save it."""
        if any(_is_folder(place, "model") and any((place.ml / "model").iterdir()) for place in self.places):
            self.collect()

    def _archive(self, folders: Sequence[Path], name: str) -> str:
        archive = self.folder / name
        write_archive(folders, archive)
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

    def _resource_config(self, place: Place, group: Group) -> Json:
        return {
            "current_host": place.host,
            "current_instance_type": group.instance_type,
            "current_group_name": group.name,
            "hosts": [each.host for each in self.places],
            "instance_groups": [
                {
                    "instance_group_name": each.name,
                    "instance_type": each.instance_type,
                    "hosts": [member.host for member in each.places],
                }
                for each in self._groups
            ],
            "network_interface_name": "lo",
        }

    @property
    def _group_requests(self) -> list[Json]:
        return self._resources.get("InstanceGroups") or [{**self._resources, "InstanceGroupName": _GROUP}]

    @cached_property
    def _groups(self) -> list[Group]:
        """The hosts in groups, numbered through."""
        groups, places = [], iter(self.places)
        for given in self._group_requests:
            members = tuple(islice(places, int(given.get("InstanceCount") or 1)))
            groups.append(Group(given["InstanceGroupName"], given.get("InstanceType", "local"), members))
        return groups

    def _receivers(self, name: str) -> list[str]:
        """The groups whose hosts get a channel."""
        channel = next(channel for channel in self._channels if channel["ChannelName"] == name)
        named = channel["DataSource"]["S3DataSource"].get("InstanceGroupNames")
        return named or [group.name for group in self._groups]

    @property
    def _checkpoints(self) -> Json:
        checkpoints: Json = self.request.get("CheckpointConfig") or {}
        return checkpoints


def refuse_channel(channel: Json, mode: str) -> None:
    """Raises `JobError` for a channel that is not brought here, or that the contract does not allow."""
    name = channel["ChannelName"]
    what, source = f"channel {name}", channel["DataSource"].get("S3DataSource")
    if name in (".", ".."):
        raise JobError(f"ClientError: {what}: no folder can have that name")
    if not source:
        fix = "name an S3DataSource"
        raise JobError(f"not executed locally: {what} with another source than S3; fix: {fix}")
    if source["S3DataType"] not in (PREFIX, MANIFEST):
        fix = "name the objects in a ManifestFile, and their attributes in a channel of their own"
        raise JobError(f"not executed locally: {what} with S3DataType {source['S3DataType']}; fix: {fix}")
    if mode == "FastFile" and source["S3DataType"] != PREFIX:
        raise JobError(f"ClientError: {what}: InputMode FastFile needs S3DataType {PREFIX}")
    if channel.get("CompressionType", "None") != "None" and mode != "Pipe":
        raise JobError(f"ClientError: {what}: CompressionType Gzip needs InputMode Pipe")
    if channel.get("RecordWrapperType", "None") != "None" and mode == "Pipe":
        fix = "write the objects as RecordIO, and leave RecordWrapperType out"
        raise JobError(f"not executed locally: {what} with RecordWrapperType RecordIO; fix: {fix}")


def _checkpoint_path(config: Json) -> PurePosixPath:
    """Where checkpoints lie below /opt/ml. Raises `JobError`."""
    path = PurePosixPath(config.get("LocalPath") or _CHECKPOINTS)
    inner = path.relative_to("/opt/ml") if path.is_relative_to("/opt/ml") else PurePosixPath()
    if ".." in path.parts or not inner.parts or inner.parts[0] in _TAKEN:
        raise JobError(f"not executed locally: checkpoints in {path}; fix: leave LocalPath out, for {_CHECKPOINTS}")
    return inner


def _is_folder(place: Place, name: str) -> bool:
    return not crosses_link(place.ml, place.ml / name) and (place.ml / name).is_dir()


def write_archive(folders: Sequence[Path], archive: Path) -> None:
    """A .tar.gz of folders' files whose bytes depend on names, modes and contents alone. Links stay links.

    Of files of one path the last folder's stays.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in (Path(parent, name) for parent, inner, files in walk(folder) for name in (*inner, *files)):
            name = path.relative_to(folder).as_posix()
            replaced = found.get(name)
            if replaced and replaced.is_dir() and (path.is_symlink() or not path.is_dir()):
                found = {other: at for other, at in found.items() if not other.startswith(f"{name}/")}
            found[name] = path
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, path in sorted(found.items()):
            tar.add(path, arcname=name, recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None  # pipes and devices have no content
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member
