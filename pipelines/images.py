"""Images in ECR: a build context or another registry's image in, an image under its content's tag out.

An image is built for the processor that SageMaker has, looked at before it is pushed, and found again afterwards under
the digest that was pushed. The engine is Docker or Podman; the registry's password lies in a private folder of its own
while it is needed, never in arguments, logs or the user's configuration. Nothing is built or pushed that is there.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from pipelines.aws import Gateway
from pipelines.compile import ImageSource
from pipelines.context import read_context
from pipelines.engine import Engine, find_engine
from pipelines.errors import AwsError, LocalError, UsageError

Report = Callable[[str], None]
PLATFORM: Final = "linux/amd64"  # every instance type of SageMaker's Processing and Training jobs
_BUNDLES: Final = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_INSPECT: Final = ("image", "inspect", "--format")


class Registry(Protocol):
    """What is asked of a registry; the gateway answers it for ECR."""

    def manifest(self, repository: str, tag: str) -> tuple[str, str] | None: ...
    def blob(self, repository: str, digest: str) -> bytes: ...
    def has_repository(self, name: str) -> bool: ...
    def ensure_repository(self, name: str) -> bool: ...
    def registry_token(self) -> str: ...


@dataclass(frozen=True)
class EcrImages:
    """The images of an environment. `source` is the registry that images are copied from, where it is another one."""

    registry: Registry
    engine: Callable[[], Engine] = lambda: find_engine(programs=("docker", "podman"))
    source: Callable[[str], Registry] | None = None
    _checked: set[str] = field(default_factory=set)

    def digest(self, uri: str) -> str | None:
        """The digest of the image that is there, None when there is none. Raises `AwsError` for a wrong processor."""
        repository, tag = _name(uri)
        found = self.registry.manifest(repository, tag)
        if found is None:
            return None
        digest, manifest = found
        if digest not in self._checked:
            platforms = _platforms(json.loads(manifest), partial(self.registry.blob, repository))
            if PLATFORM not in platforms:
                fix = f"delete it, then deploy: aws ecr batch-delete-image --repository-name {repository} --image-ids"
                what = f"the image is for {', '.join(platforms)}, not for {PLATFORM}"
                raise AwsError(what, where=uri, fix=f"{fix} imageTag={tag}")
            self._checked.add(digest)
        return digest

    def has_repository(self, uri: str) -> bool:
        return self.registry.has_repository(_name(uri)[0])

    def build(self, image: ImageSource, uri: str, report: Report) -> None:
        """Build an image and push it. Raises `LocalError` (the engine), `UsageError` (its files), `AwsError`."""
        engine, root = self._engine(), image.context.root.absolute()  # a relative one may read like an option
        engine.run("build", "--platform", PLATFORM, "--tag", uri, *build_secrets(root, engine.environment), str(root))
        if read_context(root.resolve().parent, root.resolve().name).hash != image.context.hash:
            raise UsageError("the image's folder changed while it was built", where=str(root), fix="repeat the command")
        self._push(engine, uri, report)

    def copy(self, source: str, uri: str, report: Report) -> None:
        """Bring an image, named by its digest, from another registry. Raises `LocalError`, `AwsError`."""
        engine = self._engine()
        registry = self.source(source) if self.source else self.registry
        with signed_in(engine, _host(source), registry.registry_token()) as variables:
            engine.run("pull", "--platform", PLATFORM, source, variables=variables)
        engine.run("tag", source, uri)
        self._push(engine, uri, report)

    def _engine(self) -> Engine:
        try:
            return self.engine()
        except LocalError as error:
            what = "the image must be built, and no container engine answers"
            said = " ".join(error.what.split())
            raise LocalError(what, fix=f"start Docker or Podman, then repeat the command ({said})") from error

    def _push(self, engine: Engine, uri: str, report: Report) -> None:
        platform = engine.run(*_INSPECT, "{{.Os}}/{{.Architecture}}", uri).strip()
        if platform != PLATFORM:
            fix = f"correct its Dockerfile: a FROM with --platform, or a base image that is {platform} only"
            raise LocalError(f"the image came out for {platform}, not for {PLATFORM}", where=uri, fix=fix)
        repository, _ = _name(uri)
        if not self.registry.ensure_repository(repository):
            fix = f"aws ecr put-image-tag-mutability --repository-name {repository} --image-tag-mutability IMMUTABLE"
            report(f"note: tags of repository {repository} can be moved to other images; forbid it: {fix}")
        with signed_in(engine, _host(uri), self.registry.registry_token()) as variables:
            try:
                engine.run("push", uri, variables=variables)
            except LocalError:
                # An immutable tag that is there: somebody else was faster with the same content.
                if self.digest(uri) is None:
                    raise
                report(f"image {uri} is there meanwhile")
                return
        self._refuse_another(engine, uri)

    def _refuse_another(self, engine: Engine, uri: str) -> None:
        """What the tag names now is what was pushed."""
        there = self.digest(uri)
        pushed = json.loads(engine.run(*_INSPECT, "{{json .RepoDigests}}", uri)) or []
        if f"{uri.rpartition(':')[0]}@{there}" not in pushed:
            what = f"its tag names another image ({there}) than the one that was pushed"
            raise AwsError(what, where=uri, fix="see who pushed it: aws ecr describe-images; then repeat the command")


def ecr_images(gateway: Gateway, source: Gateway | None = None) -> EcrImages:
    """The images of an environment; those that it copies are read with `source`'s credentials, or with its own."""
    return EcrImages(gateway, source=lambda uri: source or _reading(gateway, uri))


def _reading(gateway: Gateway, uri: str) -> Gateway:
    """The same credentials in the region of an image's registry: ECR's tokens are a region's."""
    parts = _host(uri).split(".")
    region = parts[3] if parts[1:3] == ["dkr", "ecr"] else gateway.target.region
    return gateway if region == gateway.target.region else Gateway(replace(gateway.target, region=region))


def _name(uri: str) -> tuple[str, str]:
    """Repository and tag."""
    repository, _, tag = uri.partition("/")[2].rpartition(":")
    return repository, tag


def _host(uri: str) -> str:
    return uri.partition("/")[0]


def _platforms(manifest: Mapping[str, Any], blob: Callable[[str], bytes]) -> tuple[str, ...]:
    """What an image runs on: the platforms of an index, or that of the image's configuration."""
    if "manifests" in manifest:
        return tuple(sorted({_platform(item.get("platform") or {}) for item in manifest["manifests"]}))
    return (_platform(json.loads(blob(manifest["config"]["digest"]))),)


def _platform(described: Mapping[str, Any]) -> str:
    return f"{described.get('os', 'unknown')}/{described.get('architecture', 'unknown')}"


def build_secrets(root: Path, environment: Mapping[str, str]) -> list[str]:
    """BuildKit secrets that the Dockerfile mounts and this machine has: pip's settings, the certificate authorities."""
    dockerfile = (root / "Dockerfile").read_text(encoding="utf-8", errors="replace")
    home = Path(environment.get("HOME") or "/nonexistent")
    pip = [home / ".config/pip/pip.conf", home / ".pip/pip.conf", Path("/etc/pip.conf")]
    candidates = {
        "pip_conf": [Path(environment["PIP_CONFIG_FILE"])] if environment.get("PIP_CONFIG_FILE") else pip,
        "ca_bundle": [Path(environment[name]) for name in _BUNDLES if environment.get(name)],
    }
    found: list[str] = []
    for name, files in candidates.items():
        file = next((file for file in files if file.is_file()), None)
        if file and f"id={name}" in dockerfile:
            found += ["--secret", f"id={name},src={file}"]
    return found


@contextmanager
def signed_in(engine: Engine, host: str, token: str) -> Iterator[dict[str, str]]:
    """Variables under which the engine's command may use a registry.

    `login` is not asked: it would keep the password in the machine's key store, where one is found.
    """
    with tempfile.TemporaryDirectory(prefix="pipelines-registry-") as folder:  # its owner's alone
        file = Path(folder, "config.json")
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump({"auths": {host: {"auth": token}}}, stream)
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file), **_engine_host(engine)}


def _engine_host(engine: Engine) -> dict[str, str]:
    """Where the user's own configuration says that the engine is: the private one does not know."""
    if engine.program != "docker" or engine.environment.get("DOCKER_HOST"):
        return {}
    found = engine.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", check=False).strip()
    return {"DOCKER_HOST": found} if found else {}
