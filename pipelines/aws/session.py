"""A session with AWS, or with the local SageMaker in its place: credentials, clients, pages, errors translated.

Takes a `Target` (and, for the local SageMaker, its endpoint). The services' modules say what is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.awsrequest
import botocore.config
import botocore.configprovider
import botocore.httpsession
import botocore.session

from pipelines.aws.errors import translated
from pipelines.errors import AwsError
from pipelines.spec import Target

Json = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where AWS's requests go instead of AWS."""

    url: str


class Session:
    """AWS, for one environment. Clients are made when they are first needed."""

    def __init__(self, target: Target, endpoint: Endpoint | None = None, profile: str = "") -> None:
        self.target = target
        self._profile = profile  # the one in use if empty
        self._endpoint = endpoint
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._account = ""

    def sign_in_again(self) -> None:
        """Forget the credentials: the next request looks for them anew."""
        self._session, self._clients = None, {}

    def account(self) -> str:
        """The account that the credentials belong to; asked once."""
        if not self._account:
            with self._translated("ask whose the credentials are"):
                self._account = str(self._client("sts").get_caller_identity()["Account"])
        return self._account

    def _items(self, service: str, operation: str, key: str, action: str, **request: Any) -> Iterator[Json]:
        """The entries of all pages of a list."""
        with self._translated(action):
            for page in self._client(service).get_paginator(operation).paginate(**request):
                yield from page.get(key, [])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._session = self._session or _boto_session(self.target, self._profile, local=self._endpoint is not None)
            if self._endpoint:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint.url, config=_LOCAL_CONFIG
                )
            else:
                self._clients[service] = self._session.client(service, config=_AWS_CONFIG)
        return self._clients[service]

    @contextmanager
    def _unless_gone(self, action: str) -> Iterator[None]:
        """For what need not be there."""
        try:
            with self._translated(action):
                yield
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        with translated(action, self.target):
            yield

    def _get(self, url: str) -> botocore.awsrequest.AWSResponse:
        """What a URL answers that needs no signature."""
        request = botocore.awsrequest.AWSRequest("GET", url)
        return botocore.httpsession.URLLib3Session(timeout=30).send(request.prepare())


_AWS_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=60
)
_LOCAL_CONFIG = botocore.config.Config(
    # A server on this machine that refuses a connection has ended: waiting long for it helps nobody.
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=10,
    read_timeout=60,
    proxies={},  # a proxy must not stand between a command and its own machine
    s3={"addressing_style": "path"},
)


def _boto_session(target: Target, profile: str, *, local: bool) -> Any:
    """A session that names its region. The local SageMaker's uses nothing of the user's configuration."""
    if not local:
        return boto3.Session(region_name=target.region, profile_name=profile or None)
    # Every setting at its default, whatever variables and files would say; FIPS endpoints alone would break it.
    settings = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    session_vars = {name: (None, None, default, convert) for name, (_, _, default, convert) in settings}
    session_vars |= dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars=session_vars)
    core.set_credentials("local", "local")
    return boto3.Session(botocore_session=core, region_name=target.region)
