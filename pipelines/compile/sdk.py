"""The only door to the SageMaker SDK: the names that compilation uses of it, and a session that calls nobody.

`loaded(region, bucket)` imports the SDK (seconds: so only when a definition has to be compiled) and gives a `Sdk`.
What the SDK would do beyond building steps is prevented here: see docs/decisions/0001-one-door-to-the-sdk.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

VALUES = {
    # The SDK makes clients when it is imported; they are never called.
    "AWS_ACCESS_KEY_ID": "compile",
    "AWS_SECRET_ACCESS_KEY": "compile",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_VALIDATE_ROLE": "false",
    # Neither the user's nor the site's SDK configuration may change what a definition says.
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# For code of the user's, which does call: proxies must not stand between it and its own machine.
_SERVED = {"AWS_MAX_ATTEMPTS": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@dataclass(frozen=True)
class Sdk:
    """The SDK's classes by name, and a fresh `PipelineSession`."""

    session: Any
    names: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.names[name]
        except KeyError:
            raise AttributeError(name) from None


@contextlib.contextmanager
def loaded(region: str, bucket: str, **variables: str) -> Iterator[Sdk]:
    """The SDK, with the process's environment, logging and warnings as it needs them; all are put back afterwards."""
    values = {**VALUES, "AWS_DEFAULT_REGION": region, "AWS_REGION": region, **variables}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(values))
        stack.enter_context(_quiet())
        yield _load(region, bucket, stack)


@contextlib.contextmanager
def served(region: str, bucket: str, role: str, endpoint: str) -> Iterator[None]:
    """The SDK for code that is not ours and makes sessions of its own: `endpoint` answers them, `role` is who asks."""
    with loaded(region, bucket, AWS_ENDPOINT_URL=endpoint, **_SERVED):
        from sagemaker.core import common_utils
        from sagemaker.core.helper import session_helper

        with contextlib.ExitStack() as stack:
            # Its STS endpoints are the region's own, whatever the environment says; and whom those name is no role.
            for module in (common_utils, session_helper):
                stack.enter_context(_replaced(module, "sts_regional_endpoint", lambda _region: endpoint))
            stack.enter_context(_replaced(session_helper.Session, "get_caller_identity_arn", lambda _session: role))
            yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings; no log below error, and none of the handlers that the import adds."""
    root, disabled = logging.root, logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """These variables, and no other of AWS's: no profile, endpoint or token of the user's."""
    before = _taken(values)
    os.environ.update(values)
    try:
        yield
    finally:
        _taken(values)
        os.environ.update(before)


def _taken(names: Container[str]) -> dict[str, str]:
    """Those variables and all of AWS's, taken out of the environment."""
    taken = {name: value for name, value in os.environ.items() if name in names or name.startswith("AWS_")}
    for name in taken:
        del os.environ[name]
    return taken


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class Offline:
    """Stands for a boto3 session where the SDK insists on one: knows its region and can call nobody."""

    def __init__(self, region: str) -> None:
        self.region_name = region

    def client(self, service: str, **_options: Any) -> Any:
        return _OfflineClient(service)

    resource = client


class _OfflineClient:
    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        raise RuntimeError(f"compilation must not call {self._service}.{operation}")


class _NoLocalClient:
    """The SDK makes a local session for each processing or transform step, to read a method's name: 0.1 s each."""

    def create_processing_job(self) -> None:
        raise NotImplementedError

    def create_transform_job(self) -> None:
        raise NotImplementedError


def _load(region: str, bucket: str, stack: contextlib.ExitStack) -> Sdk:
    from sagemaker.core import _studio, processing, shapes
    from sagemaker.core.model_registry import create_model_package_from_containers
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.telemetry import telemetry_logging
    from sagemaker.core.workflow import conditions, execution_variables, functions, parameters, properties
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow import (
        condition_step,
        fail_step,
        model_step,
        parallelism_config,
        pipeline,
        retry,
        steps,
    )
    from sagemaker.train import ModelTrainer, configs

    # Telemetry would send account ids and error texts; the SDK's own way to opt out makes every look-up slow.
    stack.enter_context(_replaced(telemetry_logging, "_send_telemetry_request", _nothing))
    # A .sagemaker-code-config in a folder above the current one would add tags to every job.
    stack.enter_context(_replaced(_studio, "_find_config", _nothing))
    stack.enter_context(_replaced(steps, "LocalSagemakerClient", _NoLocalClient))
    session = PipelineSession(boto_session=Offline(region), default_bucket=bucket)
    modules = [shapes, processing, conditions, execution_variables, functions, parameters, properties, configs]
    modules += [condition_step, fail_step, model_step, parallelism_config, pipeline, retry, steps]
    names: dict[str, Any] = {}
    for module in modules:
        names.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    names.update(
        ModelTrainer=ModelTrainer,
        NetworkConfig=NetworkConfig,
        create_model_package_from_containers=create_model_package_from_containers,
    )
    return Sdk(session, names)


def _nothing(*_arguments: Any, **_options: Any) -> None:
    return None
