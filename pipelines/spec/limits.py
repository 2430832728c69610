"""What stands beside the types of pipeline.yaml: documentation, limits and patterns, and the values of their own kind.

Limits are AWS's own (CONTRACT.md sections 2 and 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipelines.spec.expressions import Template


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
ROLE_ARN = Pattern(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "a role's whole ARN")
QUEUE_ARN = Pattern(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}", "the ARN of a standard SQS queue")
SHORT_NAME = Pattern(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", "letters, digits, - and _, at most 32")
VARIABLE_NAME = Pattern(r"[a-zA-Z_][a-zA-Z0-9_]{0,255}", "letters, digits and _, not beginning with a digit")
