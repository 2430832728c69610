"""Model steps: a model, created in moto's registry, where Transform jobs find it by its ModelName."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.machine.events import Launch
from pipelines.local.moto import Moto, MotoError
from pipelines.local.steps.step import StepKind, Tell, refused
from pipelines.service_model import request_faults

_OPERATION = "sagemaker:CreateModel"


@dataclass(frozen=True)
class CreateModel(StepKind):
    """A model under the name that a job of the step would have."""

    moto: Moto

    def prepare(self) -> None:
        self.moto.prepare()

    def run(self, launch: Launch, tell: Tell) -> None:
        request = {**launch.arguments, "ModelName": launch.job_name}
        faults = request_faults("sagemaker", "CreateModel", request)
        if faults:
            tell.failed(refused(_OPERATION, "; ".join(f"{fault.path} {fault.what}" for fault in faults[:10])))
            return
        try:
            arn = self.moto.sagemaker("CreateModel", request)["ModelArn"]
            described = self.moto.sagemaker("DescribeModel", {"ModelName": launch.job_name})
        except MotoError as error:
            tell.failed(refused(_OPERATION, error))
            return
        # moto forgets what it has no member for.
        tell.succeeded({**request, **described, "ModelArn": arn}, {"Model": {"Arn": arn}})
