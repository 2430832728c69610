"""Known failures: what was said → the likely cause, and what mends it. A table, and the search in it; pure.

Sources: docs/CONTRACT.md, and the messages of the services, of container engines and of Python themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

# What brings an execution on: the same again, or a new deployment.
Way = Literal["retry", "redeploy"]


@dataclass(frozen=True)
class Cause:
    """A known failure; `what` and `mend` may name the groups of its pattern."""

    name: str
    pattern: re.Pattern[str]
    what: str
    mend: str
    way: Way


@dataclass(frozen=True)
class Likely:
    """The likely cause of a failure."""

    name: str
    what: str
    mend: str
    way: Way


def likely_cause(
    reason: str, message: str = "", tail: Sequence[str] = (), *, is_fail_step: bool = False
) -> Likely | None:
    """The first cause of the table that fits: to the reason first, then the message, then the log from its end."""
    if is_fail_step:
        return _GATE
    for said in (reason, message, "\n".join(tail)):
        for cause, match in _matches(said):
            groups = {name: value or "" for name, value in match.groupdict().items()}
            return Likely(cause.name, _filled(cause.what, groups), _filled(cause.mend, groups), cause.way)
    return None


def _filled(text: str, groups: Mapping[str, str]) -> str:
    """A text with what was found; what was not leaves no bracket or colon behind."""
    return text.format(**groups).replace(" ()", "").rstrip(" :")


def _matches(said: str) -> Iterator[tuple[Cause, re.Match[str]]]:
    for cause in CAUSES:
        found = list(cause.pattern.finditer(said)) if said else []
        if found:
            yield cause, found[-1]


def _cause(name: str, pattern: str, what: str, mend: str, way: Way) -> Cause:
    return Cause(name, re.compile(pattern, re.IGNORECASE | re.MULTILINE), what, mend, way)


_GATE = Likely(
    "fail-step",
    "a Fail step of the pipeline ended it: it did what it was told to",
    "look at the metrics that its gate compares; then change data, model or threshold",
    "redeploy",
)

# From the particular to the general: the first that fits is told.
CAUSES: tuple[Cause, ...] = (
    _cause(
        "interrupted",
        r"interrupted: the local SageMaker was ended",
        "the local SageMaker ended while the step ran",
        "nothing is wrong with the step: let it run again",
        "retry",
    ),
    _cause(
        "not-executed-locally",
        r"not executed locally: (?P<what>[^;\n]+)",
        "the local SageMaker does not execute {what}",
        "give the step a stub result (environments: local: stubs:), or run it on AWS",
        "redeploy",
    ),
    _cause(
        "no-engine",
        r"no container engine answers",
        "the local SageMaker is told to run jobs in Docker, and no engine answers",
        "start Docker, or let them run as processes: --runner process",
        "retry",
    ),
    _cause(
        "wrong-processor",
        r"exec format error",
        "the image is built for another processor than the instance has",
        "build it for the instance: docker build --platform linux/amd64 (Graviton: linux/arm64)",
        "redeploy",
    ),
    _cause(
        "image-not-found",
        r"(?:repository|image|manifest)[^\n]{0,120}(?:does not exist|not found|unknown)"
        r"|RepositoryNotFound|ImageNotFound",
        "the image is not in the registry, or not in this region",
        "let deploy build and push it; its URI's region must be that of the environment",
        "redeploy",
    ),
    _cause(
        "pass-role",
        r"not authorized to perform: iam:PassRole",
        "whoever starts the pipeline may not hand its role to SageMaker",
        "allow iam:PassRole on the role, for sagemaker.amazonaws.com",
        "retry",
    ),
    _cause(
        "permission",
        r"not authorized to perform: (?P<action>[\w-]+:\w+)",
        "the role lacks the permission {action}",
        "add {action} to the role of the environment",
        "retry",
    ),
    _cause(
        "kms",
        r"KMS[^\n]{0,80}(?:denied|not authorized|disabled|exception)",
        "the role may not use the key that the data is encrypted with",
        "allow kms:Decrypt and kms:GenerateDataKey on that key to the role",
        "retry",
    ),
    _cause(
        "access-denied",
        r"access ?denied|\b403\b[^\n]{0,40}forbidden|HeadObject[^\n]{0,40}forbidden",
        "the role may not read or write what the step names",
        "allow the role s3:GetObject, s3:PutObject and s3:ListBucket there, and look at the bucket's own policy",
        "retry",
    ),
    _cause(
        "missing-input",
        r"No S3 objects found under S3 URL[ \"']*(?P<uri>s3://[^\s\"']+)?",
        "an input is empty: nothing lies under {uri}",
        "put the data there, or correct the input or the parameter that names it",
        "retry",
    ),
    _cause(
        "no-such-bucket",
        r"NoSuchBucket|there is no bucket|bucket[^\n]{0,60}does not exist",
        "a bucket that the step names is not there",
        "create it, or correct the URI",
        "retry",
    ),
    _cause(
        "quota",
        r"ResourceLimitExceeded|service limit[^\n]{0,120}(?P<type>ml\.[\w.]+)?",
        "the account's quota of that instance type is used up",
        "ask for a higher quota (Service Quotas, SageMaker), or choose another instance_type",
        "retry",
    ),
    _cause(
        "capacity",
        r"CapacityError|insufficient capacity|unable to provision requested ML compute capacity",
        "AWS has no such instance free at the moment",
        "repeat it later; a retry policy on SageMaker.CAPACITY_ERROR does so by itself",
        "retry",
    ),
    _cause(
        "throttled",
        r"ThrottlingException|rate exceeded|Step\.THROTTLING",
        "AWS answered too many requests at once",
        "repeat it; start fewer steps at once (max_parallel_steps)",
        "retry",
    ),
    _cause(
        "internal-error",
        r"InternalServerError|Internal server error|JOB_INTERNAL_ERROR",
        "the service failed, not the program",
        "repeat it; a retry policy on SageMaker.JOB_INTERNAL_ERROR does so by itself",
        "retry",
    ),
    _cause(
        "too-long",
        r"MaxRuntimeExceeded|MaxRuntimeInSeconds|maximum runtime",
        "the job ran longer than its max_runtime",
        "raise max_runtime of the step, or give it a larger instance_type",
        "redeploy",
    ),
    _cause(
        "property-file",
        r"JsonGet|property ?file",
        "the report that a condition or argument reads is not there, or lacks the value",
        "compare the path after `reports.NAME` with the file that the step wrote",
        "redeploy",
    ),
    _cause(
        "disk-full",
        r"No space left on device|disk (?:is )?full|ENOSPC",
        "the volume is full",
        "raise volume_gb of the step, or write less",
        "redeploy",
    ),
    _cause(
        "out-of-memory",
        r"\bMemoryError\b|OutOfMemory|out of memory|Cannot allocate memory|exit code:? 137\b|\bOOM\b",
        "the program used more memory than the instance has",
        "choose a larger instance_type, or read the data in parts",
        "redeploy",
    ),
    _cause(
        "module-missing",
        r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'|ImportError: (?P<import>[^\n]+)",
        "the image lacks a Python module: {module}{import}",
        "add it to the image's requirements; a module of your own must be copied by the Dockerfile",
        "redeploy",
    ),
    _cause(
        "shell-ran-python",
        r"(?:^|: )(?:import|from): (?:command )?not found|syntax error near unexpected token",
        "a shell ran the Python program",
        "name the interpreter: entrypoint: [python3, PROGRAM]",
        "redeploy",
    ),
    _cause(
        "wrong-arguments",
        r"error: (?P<said>(?:unrecognized arguments|the following arguments are required|argument )[^\n]*)",
        "the program does not take these arguments: {said}",
        "compare `arguments` of the step with what the program reads",
        "redeploy",
    ),
    _cause(
        "file-missing",
        r"(?:No such file or directory|can't open file)[^\n]{0,10}[:'\" ]+(?P<file>/[^\s'\"]+)|FileNotFoundError",
        "the program looks for a file that is not there: {file}",
        "inputs lie under /opt/ml/processing/input/NAME; compare with what the program opens",
        "redeploy",
    ),
    _cause(
        "not-writable",
        r"(?:Permission denied|Read-only file system)[:'\" ]*(?P<file>/[^\s'\"]+)?|PermissionError",
        "the program may not write there: {file}",
        "write below /opt/ml/processing; SageMaker's volumes belong to root: no USER in the Dockerfile",
        "redeploy",
    ),
    _cause(
        "no-network",
        r"Temporary failure in name resolution|Name or service not known|Could not connect to the endpoint URL"
        r"|ConnectTimeoutError|Network is unreachable",
        "the program needs a network that its job does not have",
        "network isolation, or a VPC without an endpoint for that service, cuts it off: give the data as an input",
        "redeploy",
    ),
    _cause(
        "program-not-found",
        r"exit code:? 127\b|exit code:? 126\b|executable file not found|CannotStartContainerError",
        "the program of the entrypoint is not in the image, or cannot be executed",
        "correct `entrypoint`; give the file its mode x and a first line such as #!/usr/bin/env python3",
        "redeploy",
    ),
    _cause(
        "crashed",
        r"exit code:? 139\b|Segmentation fault|SIGSEGV",
        "the program crashed in native code",
        "build the image for the processor of the instance, with libraries that fit one another",
        "redeploy",
    ),
    _cause(
        "terminated",
        r"exit code:? 143\b|SIGTERM",
        "something ended the program",
        "a stop, or a spot instance that was taken back: let it run again",
        "retry",
    ),
    _cause(
        "not-text",
        r"UnicodeDecodeError[^\n]*",
        "a file is not in the encoding that the program reads",
        "write it as UTF-8, or name its encoding",
        "retry",
    ),
    _cause(
        "bad-request",
        r"Failed to invoke (?P<operation>sagemaker:\w+)|ValidationException",
        "SageMaker refused what the step asks for ({operation})",
        "correct what the step asks for; `validate` checks it",
        "redeploy",
    ),
    _cause(
        "exception",
        r"^(?:[\w.]+\.)?(?!AlgorithmError|ClientError)(?P<kind>[A-Z]\w*(?:Error|Exception)): (?P<said>[^\n]{1,300})",
        "the program raised {kind}: {said}",
        "correct the program or its data; what raised it stands in the log above",
        "redeploy",
    ),
)
