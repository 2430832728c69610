"""RegisterModel steps: a model package, put into moto's registry."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.machine.events import Launch
from pipelines.local.moto import Moto, MotoError
from pipelines.local.steps.step import Json, StepKind, Tell, refused


@dataclass(frozen=True)
class RegisterModel(StepKind):
    """Registers; the group is made where it is not there."""

    moto: Moto

    def prepare(self) -> None:
        self.moto.prepare()

    def run(self, launch: Launch, tell: Tell) -> None:
        generated = {**(launch.arguments.get("MetadataProperties") or {}), "GeneratedBy": tell.context.execution_arn}
        try:
            package = self._register({**launch.arguments, "MetadataProperties": generated})
        except MotoError as error:
            tell.failed(refused("sagemaker:CreateModelPackage", error))
            return
        tell.succeeded(package, {"RegisterModel": {"Arn": package["ModelPackageArn"]}})

    def _register(self, request: Json) -> Json:
        group = request.get("ModelPackageGroupName")
        if group:
            self._ensure_group(group.rpartition("/")[2])
        arn = self.moto.sagemaker("CreateModelPackage", request)["ModelPackageArn"]
        return self.moto.sagemaker("DescribeModelPackage", {"ModelPackageName": arn})

    def _ensure_group(self, name: str) -> None:
        if self._has_group(name):
            return
        try:
            self.moto.sagemaker("CreateModelPackageGroup", {"ModelPackageGroupName": name})
        except MotoError:
            if not self._has_group(name):  # another step was faster
                raise

    def _has_group(self, name: str) -> bool:
        request = {"NameContains": name, "MaxResults": 100}
        groups = self.moto.sagemaker("ListModelPackageGroups", request)["ModelPackageGroupSummaryList"]
        return name in {item["ModelPackageGroupName"] for item in groups}
