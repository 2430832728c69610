"""AWS's errors as ours: what was tried, what AWS said, what to do. Each leaves the room as `AwsError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3.exceptions
import botocore.exceptions

from pipelines.errors import AwsError
from pipelines.spec import Target

# Errors that pass by themselves, by AWS's code or botocore's class.
TRANSIENT = frozenset(
    {
        *("ConnectTimeoutError", "ConnectionClosedError", "EndpointConnectionError", "HTTPClientError"),
        *("IncompleteReadError", "ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError"),
        *("InternalFailure", "InternalServerError", "InternalServerException", "RequestTimeout"),
        *("RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"),
        *("ServiceUnavailable", "ServiceUnavailableException", "500", "502", "503", "504"),
    }
)

# The credentials were good and are not any more: signing in again, in any shell, mends it.
EXPIRED = frozenset(
    {
        *("CredentialRetrievalError", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "SSOTokenLoadError"),
        *("TokenRetrievalError", "UnauthorizedSSOTokenError"),
    }
)

_PERMISSION = "give your user this permission in account {target.account}"
_SIGN_IN = "sign in again (aws sso login), then repeat the command"
_CREDENTIALS = "check your AWS credentials: aws sts get-caller-identity"
_NO_CREDENTIALS = "sign in (aws sso login), or set AWS_PROFILE"
_PROFILE = "correct AWS_PROFILE, or the profile in ~/.aws/config"
_NETWORK = "check the network (a proxy? HTTPS_PROXY), then repeat the command"
LATER = "wait a minute, then repeat the command"
_FIXES = {
    "403": _PERMISSION,
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "RequestExpired": _SIGN_IN,
    "LoginError": _SIGN_IN,
    "SSOError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "CredentialRetrievalError": _NO_CREDENTIALS,
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "ConfigNotFound": _PROFILE,
    "ConfigParseError": _PROFILE,
    "InvalidConfigError": _PROFILE,
    "ProfileNotFound": _PROFILE,
    "NoSuchBucket": "create the bucket, or correct `bucket:` of environment {target.name}",
    "404": "create the bucket, or correct `bucket:` of environment {target.name}",
    "ResourceLimitExceeded": "ask for a higher quota in account {target.account}, {target.region}",
    "ConnectionError": _NETWORK,
    "HTTPClientError": _NETWORK,
    "SlowDown": LATER,
    "Throttling": LATER,
    "ThrottlingException": LATER,
    "TooManyRequestsException": LATER,
}
_OTHER_FIX = "change what AWS names, then repeat the command"
_LOCAL_FIX = "repeat the command: it starts the local SageMaker again; .pipelines/local/server.log says why it ended"


@contextmanager
def translated(action: str, target: Target) -> Iterator[None]:
    """Errors of botocore and boto3 as `AwsError`: what was tried, what AWS said, what to do."""
    try:
        yield
    except (
        botocore.exceptions.ClientError,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.UndefinedModelAttributeError,
        boto3.exceptions.Boto3Error,
    ) as error:
        raise _aws_error(error, action, target) from error


def _aws_error(error: Exception, action: str, target: Target) -> AwsError:
    answer = _answer(error)
    # A class and those it derives from: one fix serves a family.
    families = [family.__name__ for family in type(error).__mro__]
    code = str(answer.get("Code") or families[0])
    said = f"{code}: {answer.get('Message', '')}" if answer else str(error)
    fix = next((_FIXES[name] for name in (code, *families) if name in _FIXES), _OTHER_FIX)
    if target.is_local and fix == _NETWORK:
        fix = _LOCAL_FIX
    return refused(action, said, target, code=code, fix=fix)


def refused(action: str, said: str, target: Target, *, code: str, fix: str = "") -> AwsError:
    """What was not done, with the fix of its code unless another is given."""
    where = f"environment {target.name} ({target.account}, {target.region})"
    fix = (fix or _FIXES.get(code, _OTHER_FIX)).format(target=target)
    return AwsError(f"cannot {action}: {said}", where=where, fix=fix, code=code)


def _answer(error: BaseException) -> dict[str, Any]:
    """What the service answered, also where boto3 wraps it; empty when it did not answer."""
    cause = error if isinstance(error, botocore.exceptions.ClientError) else error.__cause__ or error.__context__
    return dict(cause.response.get("Error", {})) if isinstance(cause, botocore.exceptions.ClientError) else {}
