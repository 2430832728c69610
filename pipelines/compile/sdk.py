"""The only door to the SageMaker SDK: the names that compilation uses of it, and a session that calls nobody.

`load(region, bucket)` imports the SDK (seconds: so only when a definition has to be compiled) and gives a `Sdk`.
What the import would do beyond that is prevented here: see docs/decisions/0001-one-door-to-the-sdk.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VALUES = {
    # The SDK makes clients when it is imported and when a session is made; they are never called.
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
REMOVED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER")


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
def loaded(region: str, bucket: str) -> Iterator[Sdk]:
    """The SDK, with the process's environment, logging and warnings as it needs them; all are put back afterwards."""
    handlers, level, disabled = logging.root.handlers[:], logging.root.level, logging.root.manager.disable
    with _environment({**VALUES, "AWS_DEFAULT_REGION": region, "AWS_REGION": region}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield _load(region, bucket)
        finally:
            logging.disable(disabled)
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    touched = [*values, *REMOVED]
    before = {name: os.environ.pop(name) for name in touched if name in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for name in touched:
            os.environ.pop(name, None)
        os.environ.update(before)


def _load(region: str, bucket: str) -> Sdk:
    import boto3
    from sagemaker.core import processing, shapes
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
    telemetry_logging._send_telemetry_request = lambda *_args, **_kwargs: None
    session = PipelineSession(boto_session=boto3.Session(region_name=region), default_bucket=bucket)
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
