"""The types of pipeline.yaml. The reader (`reader.py`), the JSON Schema (`schema.py`) and the reference page
(`reference.py`) follow them.

A field's key in the file is its name here (less a trailing underscore, where Python has the word for itself); what
stands beside a type in `Annotated` is its documentation and its limits. Limits are AWS's own (CONTRACT.md section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pipelines.spec.conditions import Condition
from pipelines.spec.expressions import Template, parse_template


@dataclass(frozen=True)
class Doc:
    """What a field means, for the reference and for editors."""

    text: str


@dataclass(frozen=True)
class Pattern:
    """The whole text must match; `what` says it in words."""

    regex: str
    what: str


@dataclass(frozen=True)
class Between:
    """Numbers, seconds of times, and lengths of texts, lists and mappings: both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class Duration:
    """A time such as `90s`, `30m`, `1h`, `30d`; in the file a number and one of s, m, h, d."""

    PATTERN: ClassVar[str] = r"([1-9][0-9]{0,8})([smhd])"

    seconds: int
    text: str


Scalar = Template | bool | int | float
NAME = Pattern(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}", "letters, digits and single hyphens, at most 82")
STEP_NAME = Pattern(r"[A-Za-z0-9_-]{1,64}", "letters, digits, - and _, at most 64")
KEY_NAME = Pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "letters, digits, ., - and _, at most 64")
PARAMETER_NAME = Pattern(r"[A-Za-z0-9_-]{1,64}", "letters, digits, - and _, at most 64")
INSTANCE_TYPE = Pattern(r"ml\.[a-z0-9-]+\.[a-z0-9]+", "an instance type such as ml.m5.xlarge, or a reference")
S3_URI = Pattern(r"s3://[^/]+(/.*)?", "an S3 URI, s3://bucket/key, or a reference")
SOURCE = Pattern(
    r"s3://[^/]+(/.*)?|\.\.?/.*", "s3://bucket/key, ./path for a local file or folder, or ${{ a reference }}"
)
IMAGE_URI = Pattern(r"[^\s]+", "an image's URI, or { build: FOLDER, repository: NAME }")
NOT_EMPTY = Pattern(r"[^\s](.*[^\s])?", "a text without blanks around it")
CONTAINER_PATH = Pattern(r"/.+", "an absolute path in the container")
_SEGMENTS = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*"
TAG_KEY = Pattern(r"(?!aws:)[^$<>{}]{1,128}", "at most 128 characters, not beginning with aws:")
KEY_PREFIX = Pattern(_SEGMENTS, "a key prefix: words joined by /, with no / at either end")
OBJECT_KEY = Pattern(_SEGMENTS + "/?", "a key, or a key prefix that ends in /")
VARIABLE_NAME = Pattern(r"[a-zA-Z_][a-zA-Z0-9_]{0,255}", "letters, digits and _, not beginning with a digit")


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
class Training(JobDefaults):
    """A SageMaker Training job on an image of your own."""

    image: Annotated[Image | None, IMAGE_URI, Doc("The image; the pipeline's if left out.")] = None
    inputs: Annotated[Inputs, Between(0, 20), Doc("Channels by name.")] = field(default_factory=dict)
    hyperparameters: Annotated[
        Mapping[Annotated[str, NOT_EMPTY], Scalar], Between(0, 100), Doc("Given to the program as texts.")
    ] = field(default_factory=dict)


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
class Environment:
    """Where a pipeline is deployed. `local`, the local SageMaker, needs no entry of its own."""

    account: Annotated[str | None, Pattern(r"[0-9]{12}", "twelve digits, in quotes"), Doc("The AWS account.")] = None
    region: Annotated[
        str | None, Pattern(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region such as eu-central-1"), Doc("The AWS region.")
    ] = None
    role: Annotated[
        str | None,
        Pattern(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "a role's whole ARN"),
        Doc("The role of the pipeline and its jobs."),
    ] = None
    bucket: Annotated[
        str | None,
        Pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name, without s3://"),
        Doc("The bucket of assets and outputs."),
    ] = None
    prefix: Annotated[
        str | None,
        KEY_PREFIX,
        Doc("Below it lie assets and outputs; the pipeline's name if left out."),
    ] = None
    tags: Annotated[
        Mapping[Annotated[str, TAG_KEY], Annotated[str, Between(0, 256)]], Between(0, 50), Doc("Tags of the pipeline.")
    ] = field(default_factory=dict)
    parameters: Annotated[Mapping[str, Scalar], Doc("Defaults of parameters in this environment.")] = field(
        default_factory=dict
    )
    data: Annotated[
        Mapping[Annotated[str, OBJECT_KEY], str],
        Doc("Objects that deploy puts into the bucket when they differ: key or prefix: local file or folder."),
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """The whole of a pipeline.yaml."""

    name: Annotated[str, NAME, Doc("The pipeline's name in SageMaker.")]
    steps: Annotated[Mapping[Annotated[str, STEP_NAME], Step], Between(1, 2000), Doc("The steps, in any order.")]
    description: Annotated[str, Between(0, 3072), Doc("Shown in the console.")] = ""
    image: Annotated[Image | None, IMAGE_URI, Doc("The image of every step that names none.")] = None
    parameters: Annotated[Mapping[Annotated[str, PARAMETER_NAME], Parameter], Between(0, 200), Doc("Parameters.")] = (
        field(default_factory=dict)
    )
    defaults: Annotated[Defaults, Doc("What steps have unless they say otherwise.")] = field(default_factory=Defaults)
    max_parallel_steps: Annotated[int | None, Between(1, 1000), Doc("How many steps run at once.")] = None
    environments: Annotated[Mapping[Annotated[str, NAME], Environment], Doc("Where it is deployed.")] = field(
        default_factory=dict
    )
