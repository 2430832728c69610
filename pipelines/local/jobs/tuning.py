"""A tuning job: CreateHyperParameterTuningJob request → training jobs, run and compared → its Describe response.

Each trial is a training job of ours with a name of its own. The record holds, beside what Describe gives, the trials as
ListTrainingJobsForHyperParameterTuningJob gives them, the best first: references to a Tuning step read both.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, Protocol, cast

from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED, Host, Job, JobError, Json
from pipelines.local.jobs.metrics import MetricError, compiled, definitions
from pipelines.local.jobs.ranges import GRID, RangeError, combinations, parse_ranges

MAXIMIZE, MINIMIZE = "Maximize", "Minimize"
SUMMARIES: Final = "TrainingJobSummaries"
OBJECTIVE: Final = "FinalHyperParameterTuningJobObjectiveMetric"
# Of a training job's definition; what is not a member of CreateTrainingJob has another name or no meaning here.
_PASSED_ON: Final = (
    *("AlgorithmSpecification", "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig"),
    *("StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption"),
    *("EnableManagedSpotTraining", "CheckpointConfig", "RetryStrategy", "Environment"),
)
_NO_METRIC: Final = "ClientError: no objective metric {0} was found in the job's log; its Regex is {1!r}"


class Trainings(Protocol):
    """What runs training jobs."""

    def create(self, kind: str, name: str, request: Json) -> Job:
        """A job that has not begun; raises what the service refuses."""

    def run(self, job: Job) -> Json:
        """Run a job to its end; gives its Describe response."""


class TuningJob(Job):
    """Trials, some at a time, until there are enough."""

    kind = "hyper-parameter-tuning-job"
    prefix = "HyperParameterTuning"
    log_group = ""  # its trials have logs

    def __init__(self, host: Host, name: str, request: Json, keep: Callable[[Job], None], trainings: Trainings) -> None:
        super().__init__(host, name, request, keep)
        self._trainings = trainings
        self._running: dict[str, Job] = {}
        self._over = threading.Event()  # no more trials begin
        self._cut_short = threading.Event()  # those that run are to end, too
        self._problem = ""  # why no trial can begin
        config = self._config
        self.record |= {"Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}
        self.record |= {**_counted([]), SUMMARIES: []}

    def interrupt(self, grace: float) -> None:
        self._over.set()
        self._cut_short.set()
        with self._lock:
            running = list(self._running.values())
        for job in running:
            job.stop(grace)

    def clean_up(self) -> None:
        """Its trials cleaned up after themselves."""

    def _run(self) -> tuple[str, str]:
        points = self._points()
        limit = self._limits.get("MaxRuntimeInSeconds")
        timer = threading.Timer(limit, self.interrupt, [self.host.stop_grace]) if limit else None
        if timer:
            timer.daemon = True
            timer.start()
        threads = int(self._limits["MaxParallelTrainingJobs"])
        with ThreadPoolExecutor(threads, thread_name_prefix="trial") as trials:
            for _ in range(threads):
                trials.submit(self._work, points)
        if timer:
            timer.cancel()
        return self._verdict()

    def _verdict(self) -> tuple[str, str]:
        if self._stop_requested:
            return STOPPED, ""
        if self._problem:
            return FAILED, self._problem
        best = self.record.get("BestTrainingJob")
        if best is None:
            reasons = (trial.get("FailureReason") for trial in self.record[SUMMARIES])
            first = next(filter(None, reasons), "no training job ran")
            return FAILED, f"ClientError: no training job gave the objective metric; the first: {first}"
        return COMPLETED, ""

    def _points(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The numbered sets of values to try, each once. Raises `JobError` for what is not searched here."""
        for name in ("TrainingJobDefinitions", "WarmStartConfig", "Autotune"):
            if self.request.get(name):
                raise JobError(f"not executed locally: {name}")
        if not self.request.get("TrainingJobDefinition"):
            raise JobError("ClientError: a tuning job needs a TrainingJobDefinition")
        objective = self._config.get("HyperParameterTuningJobObjective")
        if not objective:
            raise JobError("ClientError: a tuning job needs a HyperParameterTuningJobObjective")
        try:
            if objective["MetricName"] not in compiled(self._definitions):
                raise JobError(
                    f"not executed locally: the objective {objective['MetricName']} without a MetricDefinition of it, "
                    "as of a built-in algorithm"
                )
            ranges = parse_ranges(self._config.get("ParameterRanges") or {})
            found = combinations(ranges, self._config["Strategy"], int(self._config.get("RandomSeed") or 0))
        except (RangeError, MetricError) as error:
            raise JobError(f"ClientError: {error}") from error
        most = self._limits.get("MaxNumberOfTrainingJobs")
        if not most and self._config["Strategy"] != GRID:
            raise JobError("ClientError: ResourceLimits needs MaxNumberOfTrainingJobs")
        return islice(enumerate(found, start=1), most or None)

    def _work(self, points: Iterator[tuple[int, dict[str, str]]]) -> None:
        """Run trials, one after the other, as long as there are any."""
        try:
            while point := self._next(points):
                self._try(*point)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the job must not wait for what does not come
            self._problem = self._problem or f"{type(error).__name__}: {error}"
            self._over.set()

    def _next(self, points: Iterator[tuple[int, dict[str, str]]]) -> tuple[int, dict[str, str]] | None:
        with self._lock:
            return None if self._over.is_set() else next(points, None)

    def _try(self, number: int, values: dict[str, str]) -> None:
        tail = hashlib.sha256(f"{self.arn}/{number}".encode()).hexdigest()[:8]
        name = f"{self.name}-{number:03d}-{tail}"
        job = self._trainings.create("Training", name, self._training(values))
        with self._lock:
            self._running[name] = job
        self._note(self._summary(job.record, values))
        if self._cut_short.is_set():
            job.stop(0)
        record = self._trainings.run(job)
        with self._lock:
            del self._running[name]
        self._note(self._summary(record, values))
        if self._enough():
            self._over.set()

    def _training(self, values: dict[str, str]) -> Json:
        """The CreateTrainingJob request of a trial, without its name."""
        definition = self._definition
        request = {name: definition[name] for name in _PASSED_ON if definition.get(name) is not None}
        tuning = definition.get("HyperParameterTuningResourceConfig")
        if tuning and "ResourceConfig" not in request:
            first = (tuning.get("InstanceConfigs") or [tuning])[0]
            kept = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
            request["ResourceConfig"] = {name: first[name] for name in kept if name in first}
        fixed = definition.get("StaticHyperParameters") or {}
        request["HyperParameters"] = {**fixed, **values, "_tuning_objective_metric": self._objective["MetricName"]}
        return request

    def _summary(self, record: Json, values: dict[str, str]) -> Json:
        """A trial as the API lists it."""
        status, metric = record["TrainingJobStatus"], self._objective["MetricName"]
        names = ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "CreationTime", "TrainingStartTime")
        summary: Json = {name: record[name] for name in (*names, "TrainingEndTime", "FailureReason") if name in record}
        summary["TunedHyperParameters"] = values
        if self._definition.get("DefinitionName"):
            summary["TrainingJobDefinitionName"] = self._definition["DefinitionName"]
        found = {item["MetricName"]: item["Value"] for item in record.get("FinalMetricDataList") or []}
        if status == COMPLETED and metric in found:
            summary[OBJECTIVE] = {"MetricName": metric, "Value": found[metric], "Type": self._objective["Type"]}
            summary["ObjectiveStatus"] = "Succeeded"
        elif status == COMPLETED:
            regex = next(item["Regex"] for item in self._definitions if item["Name"] == metric)
            summary |= {"ObjectiveStatus": "Failed", "FailureReason": _NO_METRIC.format(metric, regex)}
        else:
            summary["ObjectiveStatus"] = "Failed" if status in (FAILED, STOPPED) else "Pending"
        return summary

    def _note(self, summary: Json) -> None:
        """Put a trial into the record, or in the place of what was known of it: the best first."""
        with self._lock:
            name = summary["TrainingJobName"]
            others = [item for item in self.record[SUMMARIES] if item["TrainingJobName"] != name]
            trials = sorted([*others, summary], key=self._rank)
            best = {"BestTrainingJob": trials[0]} if OBJECTIVE in trials[0] else {}
            self.change(**{SUMMARIES: trials, **_counted(trials), **best})

    def _rank(self, summary: Json) -> tuple[bool, float, str]:
        value = summary.get(OBJECTIVE, {}).get("Value", 0.0)
        return (
            OBJECTIVE not in summary,
            -value if self._objective["Type"] == MAXIMIZE else value,
            str(summary["TrainingJobName"]),
        )

    def _enough(self) -> bool:
        """Whether the completion criteria say that no more trials are needed."""
        criteria = self._config.get("TuningJobCompletionCriteria") or {}
        trials = [item for item in self.record[SUMMARIES] if OBJECTIVE in item]
        target = criteria.get("TargetObjectiveMetricValue")
        if trials and target is not None:
            best = trials[0][OBJECTIVE]["Value"]
            if best >= target if self._objective["Type"] == MAXIMIZE else best <= target:
                return True
        patience = (criteria.get("BestObjectiveNotImproving") or {}).get("MaxNumberOfTrainingJobsNotImproving")
        if trials and patience:
            later = [item for item in trials if item["CreationTime"] > trials[0]["CreationTime"]]
            return len(later) >= int(patience)
        return False

    @property
    def _config(self) -> Json:
        return cast(Json, self.request["HyperParameterTuningJobConfig"])

    @property
    def _limits(self) -> Json:
        return cast(Json, self._config["ResourceLimits"])

    @property
    def _objective(self) -> Json:
        return cast(Json, self._config["HyperParameterTuningJobObjective"])

    @property
    def _definition(self) -> Json:
        return cast(Json, self.request["TrainingJobDefinition"])

    @property
    def _definitions(self) -> list[Json]:
        return definitions(
            self._definition["AlgorithmSpecification"], self._definition.get("StaticHyperParameters") or {}
        )


def _counted(trials: list[Json]) -> Json:
    """The counters of a tuning job's record."""
    statuses = [item["TrainingJobStatus"] for item in trials]
    objectives = [item["ObjectiveStatus"] for item in trials]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count(COMPLETED),
            "InProgress": len(statuses) - sum(map(statuses.count, (COMPLETED, FAILED, STOPPED))),
            "RetryableError": 0,
            "NonRetryableError": statuses.count(FAILED),
            "Stopped": statuses.count(STOPPED),
        },
        "ObjectiveStatusCounters": {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")},
    }
