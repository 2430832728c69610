"""The types of pipeline.yaml; those of an environment are in `environment.py`. The reader (`reader.py`), the JSON
Schema (`schema.py`) and the reference page (`reference.py`) follow them.

A field's key in the file is its name here (less a trailing underscore, where Python has the word for itself); what
stands beside a type in `Annotated` is its documentation and its limits (`limits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pipelines.spec.conditions import Condition
from pipelines.spec.environment import Environment
from pipelines.spec.expressions import Template, parse_template
from pipelines.spec.limits import (
    CONTAINER_PATH,
    IMAGE_URI,
    INSTANCE_TYPE,
    KEY_NAME,
    NAME,
    NOT_EMPTY,
    PARAMETER_NAME,
    S3_URI,
    SOURCE,
    STEP_NAME,
    VARIABLE_NAME,
    Between,
    Doc,
    Pattern,
)
from pipelines.spec.limits import Duration as Duration  # these two with the types of steps, for those who build them
from pipelines.spec.limits import Scalar as Scalar


@dataclass(frozen=True)
class ImageBuild:
    """An image built from a folder of this project; its tag is the hash of the folder's content."""

    build: Annotated[str, Doc("The build context: a folder with a Dockerfile, relative to this file.")]
    repository: Annotated[
        str,
        Pattern(r"[a-z0-9]+([._/-][a-z0-9]+)*", "lower-case letters and digits, joined by . _ - or /"),
        Doc("The ECR repository that holds the image."),
    ]


Image = ImageBuild | Template


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline, given at each start or by its default."""

    type: Annotated[Literal["String", "Integer", "Float", "Boolean"], Doc("The parameter's type.")]
    default: Annotated[
        Scalar | None, Doc("Used when a start gives no value. Without it every start must give one.")
    ] = None
    enum: Annotated[tuple[str, ...], Between(1, 16), Doc("The values allowed (String parameters only).")] = ()
    description: Annotated[str, Doc("What the parameter is for.")] = ""


@dataclass(frozen=True)
class Retry:
    """When and how often the service starts a failed step's job again."""

    on: Annotated[
        tuple[
            Literal[
                "Step.SERVICE_FAULT",
                "Step.THROTTLING",
                "SageMaker.JOB_INTERNAL_ERROR",
                "SageMaker.CAPACITY_ERROR",
                "SageMaker.RESOURCE_LIMIT",
            ],
            ...,
        ],
        Between(1, 5),
        Doc("The failures that are retried. A program that exits non-zero is none of them."),
    ]
    attempts: Annotated[int, Between(1, 20), Doc("How often at most.")] = 5
    interval: Annotated[Duration, Between(1, 43200), Doc("The pause before the first retry.")] = field(
        default_factory=lambda: Duration(30, "30s")
    )
    backoff: Annotated[float, Between(1, 100), Doc("What the pause is multiplied by at each further retry.")] = 2.0


Retries = Literal["default", "none"] | tuple[Retry, ...]


@dataclass(frozen=True)
class JobDefaults:
    """What every step of a kind has unless it says otherwise."""

    instance_type: Annotated[Template | None, INSTANCE_TYPE, Doc("The instance type of the job.")] = None
    instance_count: Annotated[Template | int | None, Between(1, 100), Doc("The number of instances.")] = None
    volume_gb: Annotated[Template | int | None, Between(1, 16384), Doc("The volume of each instance, in GB.")] = None
    max_runtime: Annotated[
        Duration | None,
        Between(1, 28 * 86400),
        Doc("The job is stopped after this time: at most 9d for processing, 28d for training."),
    ] = None
    cache: Annotated[
        Duration | Literal[False] | None,
        Doc("Reuse a result with the same inputs that is not older (in whole minutes); false: never."),
    ] = None
    retry: Annotated[Retries | None, Doc("`default`, `none`, or a list of policies.")] = None
    environment: Annotated[
        Mapping[Annotated[str, VARIABLE_NAME], Scalar],
        Between(0, 100),
        Doc("Environment variables of the container. The definition is readable to many: no secrets."),
    ] = field(default_factory=dict)
    network_isolation: Annotated[bool | None, Doc("No network in the container, S3 transfers apart.")] = None


BUILT_IN = JobDefaults(
    instance_type=parse_template("ml.m5.xlarge"),
    instance_count=1,
    volume_gb=30,
    max_runtime=Duration(86400, "1d"),
    cache=False,
    retry="none",
    network_isolation=False,
)  # what a job has that neither it nor the defaults of its kind say


@dataclass(frozen=True)
class Input:
    """An input with more to say than where it comes from."""

    source: Annotated[Template, SOURCE, Doc("An S3 URI, a reference, or a local file or folder (./…).")]
    path: Annotated[
        str | None,
        CONTAINER_PATH,
        Doc("Where it lies in the container (processing only); /opt/ml/processing/input/NAME if left out."),
    ] = None
    distribution: Annotated[
        Literal["FullyReplicated", "ShardedByS3Key"], Doc("All objects on every instance, or a share on each.")
    ] = "FullyReplicated"


Inputs = Mapping[Annotated[str, KEY_NAME], Annotated[Template, SOURCE] | Input]


@dataclass(frozen=True)
class Output:
    """An output with more to say than its name."""

    path: Annotated[
        str | None, CONTAINER_PATH, Doc("Where the container writes it; /opt/ml/processing/output/NAME if left out.")
    ] = None
    uri: Annotated[
        Template | None,
        S3_URI,
        Doc("A fixed S3 URI. Without it the URI carries the execution id, so executions never mix."),
    ] = None
    mode: Annotated[Literal["EndOfJob", "Continuous"], Doc("When it is uploaded.")] = "EndOfJob"


@dataclass(frozen=True)
class Processing(JobDefaults):
    """A SageMaker Processing job on an image of your own."""

    image: Annotated[Image | None, IMAGE_URI, Doc("The image; the pipeline's if left out.")] = None
    entrypoint: Annotated[
        tuple[Template, ...], Between(1, 100), Doc("The program and its first arguments, as a list (no shell).")
    ] = ()
    arguments: Annotated[
        tuple[Scalar, ...], Between(1, 100), Doc("Further arguments, each at most 256 characters.")
    ] = ()
    inputs: Annotated[Inputs, Between(0, 10), Doc("Inputs by name.")] = field(default_factory=dict)
    outputs: Annotated[
        tuple[Annotated[str, KEY_NAME], ...] | Mapping[Annotated[str, KEY_NAME], Output],
        Between(0, 10),
        Doc("Outputs: a list of names, or a map when one needs more."),
    ] = ()
    reports: Annotated[
        Mapping[Annotated[str, STEP_NAME], str],
        Doc("JSON files that conditions read: OUTPUT/path/of/file.json, by name (a PropertyFile)."),
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoints:
    """Where a training job keeps what it goes on from when it is started again (CheckpointConfig)."""

    uri: Annotated[
        Template | None,
        S3_URI,
        Doc(
            "A fixed S3 URI, shared by all executions. Without it the URI carries the execution id: a retry of the "
            "execution goes on from there, and a cache never hits."
        ),
    ] = None
    path: Annotated[
        str | None, CONTAINER_PATH, Doc("Where the container writes them; /opt/ml/checkpoints if left out.")
    ] = None


@dataclass(frozen=True)
class Spot:
    """Managed spot training: cheaper instances, which AWS may take back, and start the job again on others."""

    max_wait: Annotated[
        Duration, Doc("How long the job may take in all, waiting for instances included; at least its max_runtime.")
    ]


@dataclass(frozen=True)
class Training(JobDefaults):
    """A SageMaker Training job on an image of your own."""

    image: Annotated[Image | None, IMAGE_URI, Doc("The image; the pipeline's if left out.")] = None
    inputs: Annotated[Inputs, Between(0, 20), Doc("Channels by name.")] = field(default_factory=dict)
    hyperparameters: Annotated[
        Mapping[Annotated[str, NOT_EMPTY], Scalar], Between(0, 100), Doc("Given to the program as texts.")
    ] = field(default_factory=dict)
    checkpoints: Annotated[
        Literal[True] | Checkpoints | None,
        Doc("Keep checkpoints in S3: `true`, or where they lie. What the program finds there at its start, it wrote."),
    ] = None
    spot: Annotated[Spot | None, Doc("Run on spot instances; without checkpoints an interruption loses all work.")] = (
        None
    )


@dataclass(frozen=True)
class ConditionStep:
    """Chooses between two branches."""

    if_: Annotated[Condition, Doc("A comparison, such as ${{ … }} >= 0.5, joined by and, or, not.")]
    then: Annotated[tuple[str, ...], Doc("The steps that run when it holds.")] = ()
    else_: Annotated[tuple[str, ...], Doc("The steps that run when it does not.")] = ()


@dataclass(frozen=True)
class Register:
    """Registers a model package version in the Model Registry."""

    model: Annotated[Template, Doc("The model: ${{ steps.NAME.model }}.")]
    group: Annotated[str, NAME, Doc("The model package group; created if it is not there.")]
    metrics: Annotated[Template | None, Doc("The evaluation report: ${{ steps.NAME.reports.NAME }}.")] = None
    approval: Annotated[
        Literal["PendingManualApproval", "Approved", "Rejected"], Doc("The approval status it starts with.")
    ] = "PendingManualApproval"
    image: Annotated[Image | None, IMAGE_URI, Doc("The image that serves the model; the pipeline's if left out.")] = (
        None
    )
    content_types: Annotated[tuple[str, ...], Between(1, 50), Doc("What the model accepts.")] = ("text/csv",)
    response_types: Annotated[tuple[str, ...], Between(1, 50), Doc("What the model answers with.")] = ("text/csv",)


@dataclass(frozen=True)
class Step:
    """One step: exactly one of its kinds, and what every kind has."""

    processing: Annotated[Processing | None, Doc("Run a Processing job.")] = None
    training: Annotated[Training | None, Doc("Run a Training job.")] = None
    condition: Annotated[ConditionStep | None, Doc("Choose a branch.")] = None
    register: Annotated[Register | None, Doc("Register a model package.")] = None
    fail: Annotated[Template | None, Doc("End the execution as Failed, with this message.")] = None
    depends_on: Annotated[tuple[str, ...], Doc("Steps to wait for beyond those whose results are used.")] = ()
    description: Annotated[str, Between(0, 3072), Doc("Shown in the console.")] = ""

    @property
    def body(self) -> Processing | Training | ConditionStep | Register | Template:
        """What the step does."""
        found = next(getattr(self, kind) for kind in KINDS if getattr(self, kind) is not None)
        assert isinstance(found, Processing | Training | ConditionStep | Register | Template)  # noqa: S101
        return found

    @property
    def kind(self) -> str:
        """The key of what the step does: one of `KINDS`."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


KINDS = ("processing", "training", "condition", "register", "fail")


@dataclass(frozen=True)
class Defaults:
    """What steps have unless they say otherwise, by kind."""

    processing: Annotated[JobDefaults, Doc("For processing steps.")] = field(default_factory=JobDefaults)
    training: Annotated[JobDefaults, Doc("For training steps; what it leaves out is taken from processing.")] = field(
        default_factory=JobDefaults
    )


@dataclass(frozen=True)
class Pipeline:
    """The whole of a pipeline.yaml."""

    name: Annotated[str, NAME, Doc("The pipeline's name in SageMaker.")]
    steps: Annotated[Mapping[Annotated[str, STEP_NAME], Step], Between(1, 2000), Doc("The steps, in any order.")]
    description: Annotated[str, Between(0, 3000), Doc("Shown in the console.")] = ""
    image: Annotated[Image | None, IMAGE_URI, Doc("The image of every step that names none.")] = None
    parameters: Annotated[Mapping[Annotated[str, PARAMETER_NAME], Parameter], Between(0, 200), Doc("Parameters.")] = (
        field(default_factory=dict)
    )
    defaults: Annotated[Defaults, Doc("What steps have unless they say otherwise.")] = field(default_factory=Defaults)
    max_parallel_steps: Annotated[int | None, Between(1, 1000), Doc("How many steps run at once.")] = None
    environments: Annotated[Mapping[Annotated[str, NAME], Environment], Doc("Where it is deployed.")] = field(
        default_factory=dict
    )
