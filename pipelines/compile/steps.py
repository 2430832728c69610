"""One step of a spec → one step of the SDK.

Takes a step's body, the scope of expressions and what local files became; gives `ProcessingStep`, `TrainingStep`,
`ConditionStep`, `ModelStep` or `FailStep`. Fresh SDK objects each time: the SDK changes the ones it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

from pipelines.compile.values import Scope
from pipelines.spec.expressions import Template
from pipelines.spec.model import (
    BUILT_IN,
    Checkpoints,
    ConditionStep,
    Defaults,
    Duration,
    Image,
    Input,
    JobDefaults,
    Output,
    Processing,
    Register,
    Retry,
    Step,
    Training,
)
from pipelines.spec.source import ValuePath

_INPUT = "/opt/ml/processing/input"
_OUTPUT = "/opt/ml/processing/output"
_CHECKPOINTS = "/opt/ml/checkpoints"
_PAUSE = Duration(30, "30s")
_DEFAULT_RETRIES = (
    Retry(on=("Step.SERVICE_FAULT", "Step.THROTTLING"), attempts=5, interval=_PAUSE),
    Retry(on=("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"), attempts=5, interval=_PAUSE),
)


@dataclass(frozen=True)
class Builder:
    """Builds the steps of one pipeline. `locals` maps the place of a local input to its S3 URI."""

    scope: Scope
    defaults: Defaults
    image: Callable[[Image | None], Any]
    local_uris: Mapping[ValuePath, str]

    def build(self, name: str, step: Step) -> Any:
        """The SDK's step."""
        body = step.body
        common = {"name": name, "depends_on": list(step.depends_on) or None}
        common["description"] = step.description or None
        match body:
            case Processing():
                return self._processing(name, body, common)
            case Training():
                return self._training(name, body, common)
            case ConditionStep():
                return self._condition(body, common)
            case Register():
                return self._register(body, common)
            case Template():
                return self.scope.sdk.FailStep(error_message=self.scope.text(body), **common)
        raise TypeError(f"no such kind of step: {body!r}")

    def _processing(self, name: str, body: Processing, common: dict[str, Any]) -> Any:
        sdk, scope = self.scope.sdk, self.scope
        job = with_defaults(body, self.defaults.processing, BUILT_IN)
        processor = sdk.Processor(
            role=scope.target.role,
            image_uri=self.image(body.image),
            entrypoint=[scope.text(item) for item in body.entrypoint] or None,
            instance_type=scope.text(job.instance_type),
            instance_count=scope.number(job.instance_count),
            volume_size_in_gb=scope.number(job.volume_gb),
            max_runtime_in_seconds=_seconds(job.max_runtime),
            env=self._environment(job) or None,
            network_config=sdk.NetworkConfig(enable_network_isolation=True) if job.network_isolation else None,
            sagemaker_session=sdk.session,
        )
        arguments = processor.run(
            inputs=[self._input(name, key, value) for key, value in body.inputs.items()],
            outputs=[self._output(name, key, value) for key, value in _outputs(body)],
            arguments=[scope.text(item) for item in body.arguments] or None,
        )
        reports = [_property_file(sdk, key, value) for key, value in body.reports.items()]
        return sdk.ProcessingStep(step_args=arguments, property_files=reports, **self._repeats(job), **common)

    def _training(self, name: str, body: Training, common: dict[str, Any]) -> Any:
        sdk, scope = self.scope.sdk, self.scope
        job = with_defaults(body, self.defaults.training, self.defaults.processing, BUILT_IN)
        trainer = sdk.ModelTrainer(
            role=scope.target.role,
            training_image=self.image(body.image),
            compute=sdk.Compute(
                instance_type=scope.text(job.instance_type),
                instance_count=scope.number(job.instance_count),
                volume_size_in_gb=scope.number(job.volume_gb),
                enable_managed_spot_training=True if body.spot else None,
            ),
            stopping_condition=sdk.StoppingCondition(
                max_runtime_in_seconds=_seconds(job.max_runtime),
                **({"max_wait_time_in_seconds": body.spot.max_wait.seconds} if body.spot else {}),
            ),
            checkpoint_config=self._checkpoints(name, body),
            networking=sdk.Networking(enable_network_isolation=True) if job.network_isolation else None,
            output_data_config=sdk.OutputDataConfig(s3_output_path=self._execution_uri(name)),
            hyperparameters={key: scope.text(value) for key, value in body.hyperparameters.items()},
            environment=self._environment(job),
            base_job_name=name,
            sagemaker_session=sdk.session,
        )
        channels = [self._channel(name, key, value) for key, value in body.inputs.items()]
        return sdk.TrainingStep(step_args=trainer.train(input_data_config=channels), **self._repeats(job), **common)

    def _checkpoints(self, step: str, body: Training) -> Any:
        if body.checkpoints is None:
            return None
        more = Checkpoints() if body.checkpoints is True else body.checkpoints
        uri = self.scope.text(more.uri) if more.uri is not None else self._execution_uri(step, "checkpoints")
        return self.scope.sdk.CheckpointConfig(s3_uri=uri, local_path=more.path or _CHECKPOINTS)

    def _condition(self, body: ConditionStep, common: dict[str, Any]) -> Any:
        return self.scope.sdk.ConditionStep(
            conditions=self.scope.conditions(body.if_),
            if_steps=[self.scope.steps[child] for child in body.then],
            else_steps=[self.scope.steps[child] for child in body.else_],
            **common,
        )

    def _register(self, body: Register, common: dict[str, Any]) -> Any:
        sdk, scope = self.scope.sdk, self.scope
        metrics = None
        if body.metrics is not None:
            source = {"ContentType": "application/json", "S3Uri": scope.text(body.metrics)}
            metrics = {"ModelQuality": {"Statistics": source}}
        sdk.session.init_model_step_arguments(SimpleNamespace(sagemaker_session=sdk.session))
        sdk.create_model_package_from_containers(
            sagemaker_session=sdk.session,
            containers=[{"Image": self.image(body.image), "ModelDataUrl": scope.text(body.model)}],
            content_types=list(body.content_types),
            response_types=list(body.response_types),
            model_package_group_name=body.group,
            model_metrics=metrics,
            approval_status=body.approval,
        )
        arguments, sdk.session.context = sdk.session.context, None
        return sdk.ModelStep(step_args=arguments, **common)

    def _source(self, step: str, kind: str, key: str, value: Template | Input) -> Any:
        local = self.local_uris.get(("steps", step, kind, "inputs", key))
        return local or self.scope.text(value.source if isinstance(value, Input) else value)

    def _input(self, step: str, key: str, value: Template | Input) -> Any:
        sdk = self.scope.sdk
        more = value if isinstance(value, Input) else None
        source = sdk.ProcessingS3Input(
            s3_uri=self._source(step, "processing", key, value),
            local_path=(more and more.path) or f"{_INPUT}/{key}",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
            s3_data_distribution_type=more.distribution if more else "FullyReplicated",
        )
        return sdk.ProcessingInput(input_name=key, s3_input=source)

    def _channel(self, step: str, key: str, value: Template | Input) -> Any:
        sdk = self.scope.sdk
        source = sdk.S3DataSource(
            s3_data_type="S3Prefix",
            s3_uri=self._source(step, "training", key, value),
            s3_data_distribution_type=value.distribution if isinstance(value, Input) else "FullyReplicated",
        )
        return sdk.Channel(channel_name=key, data_source=sdk.DataSource(s3_data_source=source), input_mode="File")

    def _output(self, step: str, key: str, value: Output) -> Any:
        sdk = self.scope.sdk
        destination = sdk.ProcessingS3Output(
            s3_uri=self.scope.text(value.uri) if value.uri is not None else self._execution_uri(step, key),
            local_path=value.path or f"{_OUTPUT}/{key}",
            s3_upload_mode=value.mode,
        )
        return sdk.ProcessingOutput(output_name=key, s3_output=destination)

    def _execution_uri(self, *parts: str) -> Any:
        """An S3 URI below the execution's id, so that executions never overwrite each other."""
        target = self.scope.target
        execution = self.scope.sdk.ExecutionVariable("PipelineExecutionId")
        return self.scope.sdk.Join(on="/", values=["s3:/", target.bucket, *target.prefix.split("/"), execution, *parts])

    def _environment(self, job: JobDefaults) -> dict[str, Any]:
        return {key: self.scope.text(value) for key, value in job.environment.items()}

    def _repeats(self, job: JobDefaults) -> dict[str, Any]:
        """Caching and retries of a job step."""
        sdk = self.scope.sdk
        repeats: dict[str, Any] = {}
        if isinstance(job.cache, Duration):
            repeats["cache_config"] = sdk.CacheConfig(enable_caching=True, expire_after=iso_duration(job.cache))
        retries: tuple[Retry, ...] = job.retry if isinstance(job.retry, tuple) else ()
        if job.retry == "default":
            retries = _DEFAULT_RETRIES
        if retries:
            repeats["retry_policies"] = [policy for retry in retries for policy in _retry_policies(sdk, retry)]
        return repeats


def with_defaults(body: JobDefaults, *defaults: JobDefaults) -> JobDefaults:
    """What a job says itself, and what it leaves out from the first of the defaults that says it."""
    merged = JobDefaults(**{item.name: getattr(body, item.name) for item in fields(JobDefaults)})
    for default in defaults:
        open_ones = {
            item.name: getattr(default, item.name) for item in fields(JobDefaults) if getattr(merged, item.name) is None
        }
        merged = replace(merged, **open_ones, environment={**default.environment, **merged.environment})
    return merged


def iso_duration(duration: Duration) -> str:
    """ISO 8601 with days and a time part apart, so that minutes are never read as months (CONTRACT.md section 1.9)."""
    minutes = max(1, round(duration.seconds / 60))
    return f"P{minutes // 1440}D" if minutes % 1440 == 0 else f"PT{minutes}M"


def _seconds(duration: Duration | None) -> int | None:
    return duration.seconds if duration else None


def _outputs(body: Processing) -> list[tuple[str, Output]]:
    if isinstance(body.outputs, tuple):
        return [(name, Output()) for name in body.outputs]
    return list(body.outputs.items())


def _property_file(sdk: Any, name: str, report: str) -> Any:
    output, _, file = report.partition("/")
    return sdk.PropertyFile(name=name, output_name=output, path=file)


def _retry_policies(sdk: Any, retry: Retry) -> list[Any]:
    """The SDK has one class of policy for failures of steps and one for failures of jobs."""
    options = {
        "interval_seconds": retry.interval.seconds,
        "backoff_rate": retry.backoff,
        "max_attempts": retry.attempts,
    }
    policies = []
    for policy, kinds in (
        (sdk.StepRetryPolicy, sdk.StepExceptionTypeEnum),
        (sdk.SageMakerJobStepRetryPolicy, sdk.SageMakerJobExceptionTypeEnum),
    ):
        chosen = [kind for kind in kinds if kind.value in retry.on]
        if chosen:
            policies.append(policy(exception_types=chosen, **options))
    return policies
