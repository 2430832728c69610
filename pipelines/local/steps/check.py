"""QualityCheck and ClarifyCheck steps: their container as a Processing job, its baseline files as their properties.

The container computes a baseline (statistics.json and constraints.json, or analysis.json). The comparison with an older
baseline is the service's own work and not documented; where the container does it itself and writes
constraint_violations.json, that decides. A check that nobody made is never a success.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import LocalError
from pipelines.local.home import Home
from pipelines.local.images import image_of
from pipelines.local.jobs.parse import split_uri
from pipelines.local.jobs.service import Jobs
from pipelines.local.machine.events import Launch
from pipelines.local.moto import Moto, MotoError
from pipelines.local.settings import Settings
from pipelines.local.steps.jobs import completed
from pipelines.local.steps.step import Json, StepKind, Tell
from pipelines.local.steps.stub import Stubs
from pipelines.local.store import ObjectStore, StoreError

_VIOLATIONS: Final = "constraint_violations.json"
# What the container of a check writes, by the property that names it.
_FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "QualityCheck": {"Statistics": "statistics.json", "Constraints": "constraints.json"},
    "ClarifyCheck": {"Constraints": "analysis.json"},
}
# Where a model package keeps the baseline of a check: DriftCheckBaselines' member, and its members by property.
_REGISTERED: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "DATA_QUALITY": ("ModelDataQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "MODEL_QUALITY": ("ModelQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "DATA_BIAS": ("Bias", {"Constraints": "PreTrainingConstraints"}),
    "MODEL_BIAS": ("Bias", {"Constraints": "PostTrainingConstraints"}),
    "MODEL_EXPLAINABILITY": ("Explainability", {"Constraints": "Constraints"}),
}


@dataclass(frozen=True)
class Check(StepKind):
    """Runs the container, finds the baselines, judges."""

    jobs: Jobs
    moto: Moto
    store: ObjectStore
    home: Home
    settings: Callable[[], Settings]
    stubs: Stubs

    def run(self, launch: Launch, tell: Tell) -> None:
        application = launch.arguments.get("AppSpecification") or {}
        has_program = bool(application.get("ContainerEntrypoint"))
        try:
            image_of(self.home, self.settings(), str(application.get("ImageUri")), has_program=has_program)
        except LocalError as error:
            self.stubs.instead(launch, tell, f"{launch.type}: {error.what}", error.problems[0].fix)
            return
        record = completed(self.jobs, "Processing", launch, tell, lambda arn: _metadata(launch, {}, arn))
        if record is None:
            return
        calculated = self._calculated(launch, record)
        used = calculated if launch.settings.get("RegisterNewBaseline") else self._baseline(launch)
        found = _named("CalculatedBaseline", calculated) | _named("BaselineUsedForDriftCheck", used)
        report = self._object(record, _VIOLATIONS)
        metadata = _metadata(
            launch, found | ({"ViolationReport": report} if report else {}), record["ProcessingJobArn"]
        )
        reason = "" if launch.settings.get("SkipCheck") else self._judge(launch, self._baseline(launch), report)
        if reason:
            tell.failed(reason, metadata, record | found)
        else:
            tell.succeeded(record | found, metadata)

    def _calculated(self, launch: Launch, record: Json) -> dict[str, str]:
        files = ((name, self._object(record, file)) for name, file in _FILES[launch.type].items())
        return {name: uri for name, uri in files if uri}

    def _object(self, record: Json, name: str) -> str | None:
        """The URI of a file of the job's first output, if it is there."""
        outputs = (record.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        if not outputs:
            return None
        uri = f"{outputs[0]['S3Output']['S3Uri'].removesuffix('/')}/{name}"
        try:
            _, _, stream = self.store.open(*split_uri(uri))
        except StoreError:
            return None
        stream.close()
        return uri

    def _baseline(self, launch: Launch) -> dict[str, str]:
        """The baseline to check against: the one supplied, else that of the group's last approved model package."""
        names = _FILES[launch.type]
        supplied = {name: launch.settings.get(f"SuppliedBaseline{name}") for name in names}
        if any(supplied.values()):
            return {name: str(uri) for name, uri in supplied.items() if uri}
        member, members = _REGISTERED[str(launch.settings.get("CheckType"))]
        baselines = (self._approved(launch).get("DriftCheckBaselines") or {}).get(member) or {}
        found = {name: (baselines.get(key) or {}).get("S3Uri") for name, key in members.items()}
        return {name: uri for name, uri in found.items() if uri}

    def _approved(self, launch: Launch) -> Json:
        group = launch.settings.get("ModelPackageGroupName")
        if not group:
            return {}
        wanted = {"ModelPackageGroupName": str(group).rpartition("/")[2], "ModelApprovalStatus": "Approved"}
        try:
            listed = self.moto.sagemaker("ListModelPackages", wanted)["ModelPackageSummaryList"]
            approved = [item for item in listed if item.get("ModelApprovalStatus") == "Approved"]
            if not approved:
                return {}
            last = max(approved, key=lambda item: item.get("ModelPackageVersion") or 0)
            return self.moto.sagemaker("DescribeModelPackage", {"ModelPackageName": last["ModelPackageArn"]})
        except MotoError:  # no such group yet
            return {}

    def _judge(self, launch: Launch, baseline: Mapping[str, str], report: str | None) -> str:
        """Why the check fails its step, or nothing."""
        name = launch.settings.get("CheckType")
        if not baseline:
            return f"ClientError: {name}: there is no baseline to check against; supply one, or set SkipCheck"
        if report is None:
            return (
                f"not executed locally: the {name} check itself, as the container wrote no {_VIOLATIONS}; "
                "fix: set SkipCheck, as by a parameter of the local environment"
            )
        count = len(self._violations(report))
        if count and launch.settings.get("FailOnViolation", True):
            return f"ClientError: {name}: {count} violation{'s'[: count > 1]} of the baseline, see {report}"
        return ""

    def _violations(self, report: str) -> list[Any]:
        _, _, stream = self.store.open(*split_uri(report))
        with stream:
            document = json.loads(stream.read())
        return list(document.get("violations") or []) if isinstance(document, dict) else []


def _named(prefix: str, uris: Mapping[str, str]) -> Json:
    return {f"{prefix}{name}": uri for name, uri in uris.items()}


def _metadata(launch: Launch, found: Json, arn: str) -> Json:
    """The members that AWS's model has for this type."""
    members = ("CheckType", "ModelPackageGroupName", "SkipCheck", "RegisterNewBaseline")
    given = {name: launch.settings[name] for name in members if launch.settings.get(name) is not None}
    return {launch.type: {**given, **found, "CheckJobArn": arn}}
