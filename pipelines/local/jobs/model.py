"""The models of the registry, as a job needs them: name → image, model data, environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.local.moto import Moto, MotoError

Json = dict[str, Any]


# The other form that ModelDataUrl may have: https://BUCKET.s3.REGION.amazonaws.com/KEY, https://s3.REGION…/BUCKET/KEY.
_HOST = r"s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?"
_HTTPS = re.compile(rf"https://(?:([^/]+)\.{_HOST}|{_HOST}/([^/]+))/(.+)", re.DOTALL)


class ModelError(Exception):
    """There is no such model, or it is none that is executed locally; the text says which."""


@dataclass(frozen=True)
class Model:
    """One container with its model data: the URI of a .tar.gz, or None."""

    image: str
    data: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def no_model(name: str) -> Model:
    """Of a host without a registry. Raises `ModelError`."""
    raise ModelError(f"ClientError: Could not find model {name}")


@dataclass(frozen=True)
class Models:
    """The models that moto keeps."""

    moto: Moto

    def find(self, name: str) -> Model:
        """The model of a name. Raises `ModelError`."""
        described = self._ask("DescribeModel", {"ModelName": name})
        containers = [described.get("PrimaryContainer") or {}, *(described.get("Containers") or [])]
        given = [container for container in containers if container]
        if len(given) != 1:
            raise ModelError(f"not executed locally: the model {name} of {len(given)} containers in a row")
        container = given[0]
        if container.get("ModelPackageName"):
            container = {**self._packaged(container["ModelPackageName"]), **container}
        if not container.get("Image"):
            raise ModelError(f"not executed locally: the model {name} names no image")
        return Model(container["Image"], s3_uri(container.get("ModelDataUrl")), container.get("Environment") or {})

    def _packaged(self, name: str) -> Json:
        package = self._ask("DescribeModelPackage", {"ModelPackageName": name})
        containers = (package.get("InferenceSpecification") or {}).get("Containers") or []
        if len(containers) != 1:
            raise ModelError(f"not executed locally: the model package {name} of {len(containers)} containers")
        return dict(containers[0])

    def _ask(self, operation: str, request: Json) -> Json:
        try:
            return self.moto.sagemaker(operation, request)
        except MotoError as error:
            raise ModelError(f"ClientError: {error.message}") from error


def s3_uri(url: str | None) -> str | None:
    """The S3 URI of model data whose URL is S3's over https; any other as it is."""
    found = _HTTPS.fullmatch(url or "")
    return f"s3://{found[1] or found[2]}/{found[3]}" if found else url
