"""Images built, pushed, found again and copied for real: by an engine, to a registry on 127.0.0.1 with a password.

The registry is Debian's docker-registry; a stand-in answers ECR's own operations from what the registry says.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.compile import ImageSource
from pipelines.context import read_context
from pipelines.engine import Engine
from pipelines.errors import AwsError, LocalError, UsageError
from pipelines.images import EcrImages, signed_in

PASSWORD = "let-me-in"
HASH = "$2y$05$abcdefghijklmnopqrstuu3Jd./u/rH1RxB6auX5v7gLP6uWhKCgG"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Registry:
    """What the gateway answers for ECR, of a registry that speaks Docker's protocol."""

    host: str
    repositories: list[str] = field(default_factory=list)

    def manifest(self, repository: str, tag: str) -> tuple[str, str] | None:
        status, digest, body = self._get(f"{repository}/manifests/{tag}")
        assert status in (200, 404)
        return (digest, body.decode()) if status == 200 else None

    def blob(self, repository: str, digest: str) -> bytes:
        return self._get(f"{repository}/blobs/{digest}")[2]

    def has_repository(self, name: str) -> bool:
        return name in self.repositories

    def ensure_repository(self, name: str) -> bool:
        self.repositories.append(name)
        return True

    def registry_token(self) -> str:
        return base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()

    def _get(self, path: str) -> tuple[int, str, bytes]:
        headers = {"Accept": MANIFEST, "Authorization": f"Basic {self.registry_token()}"}
        connection = http.client.HTTPConnection(self.host, timeout=120)
        connection.request("GET", f"/v2/{path}", headers=headers)
        response = connection.getresponse()
        found = response.status, response.headers.get("Docker-Content-Digest", ""), response.read()
        connection.close()
        return found


@pytest.fixture(scope="module")
def make_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("no registry: Debian's docker-registry is not here")
    started: list[subprocess.Popen[bytes]] = []

    def make() -> Registry:
        folder = tmp_path_factory.mktemp("registry")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = probe.getsockname()
        host = f"127.0.0.1:{address[1]}"
        (folder / "htpasswd").write_text(f"AWS:{HASH}\n")
        configuration = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": host},
            "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
        }
        (folder / "config.yml").write_text(json.dumps(configuration))
        with (folder / "log").open("wb") as log:
            words = [program, "serve", str(folder / "config.yml")]
            started.append(subprocess.Popen(words, stdout=log, stderr=log, env={"OTEL_TRACES_EXPORTER": "none"}))
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            with socket.socket() as client:
                if client.connect_ex(address) == 0:
                    return Registry(host)
            time.sleep(0.05)
        pytest.fail((folder / "log").read_text())

    yield make
    for process in started:
        process.terminate()
        process.wait(180)


@pytest.fixture(scope="module")
def registry(make_registry) -> Registry:
    return make_registry()


def source(folder: Path, text: str = "FROM scratch\nCOPY file /file\n") -> ImageSource:
    (folder / "image").mkdir()
    (folder / "image" / "Dockerfile").write_text(text)
    (folder / "image" / "file").write_text(folder.name)
    return ImageSource("tiny", read_context(folder, "image"))


@pytest.fixture
def watched(engine: Engine, tmp_path: Path) -> tuple[Engine, Path]:
    """An engine whose command leaves its words and its client's configuration behind."""
    program, log = tmp_path / "docker", tmp_path / "words"
    script = f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which(engine.program)} "$@"\n'
    program.write_text(script)
    program.chmod(0o755)
    return Engine(str(program), engine.environment), log


def test_an_image_is_built_pushed_and_found_under_the_digest_that_was_pushed(watched, registry, tmp_path):
    engine, log = watched
    images, image, said = EcrImages(registry, lambda: engine), source(tmp_path), []
    uri = f"{registry.host}/tiny:{image.tag}"
    assert images.digest(uri) is None
    images.build(image, uri, said.append)
    digest = images.digest(uri)
    assert digest is not None
    assert digest.startswith("sha256:")
    assert registry.repositories == ["tiny"]
    words = log.read_text()
    assert "build --platform linux/amd64" in words
    for secret in (PASSWORD, registry.registry_token()):
        assert secret not in words + "".join(said)
    assert not (Path(engine.environment.get("HOME", "/nonexistent")) / ".docker" / "config.json").exists()


def test_an_image_for_another_processor_is_refused_before_it_is_pushed_and_when_it_is_found(engine, registry, tmp_path):
    image = source(tmp_path)
    uri = f"{registry.host}/other:{image.tag}"
    root = str(image.context.root)
    engine.run("build", "--platform", "linux/arm64", "--tag", uri, root)
    images = EcrImages(registry, lambda: engine)
    with pytest.raises(LocalError) as caught:
        images._push(engine, uri, print)
    assert caught.value.what == "the image came out for linux/arm64, not for linux/amd64"
    assert registry.manifest("other", image.tag) is None
    with signed_in(engine, registry.host, registry.registry_token()) as variables:
        engine.run("push", uri, variables=variables)
    with pytest.raises(AwsError) as found:
        images.digest(uri)
    assert found.value.what == "the image is for linux/arm64, not for linux/amd64"
    assert found.value.problems[0].fix.endswith(f"--repository-name other --image-ids imageTag={image.tag}")


def test_an_image_is_copied_by_its_digest_from_one_registry_to_another(engine, make_registry, registry, tmp_path):
    image, other = source(tmp_path), make_registry()
    dev = f"{registry.host}/tiny:{image.tag}"
    images = EcrImages(registry, lambda: engine)
    images.build(image, dev, print)
    digest = images.digest(dev)
    configuration = json.loads(registry.manifest("tiny", image.tag)[1])["config"]["digest"]
    engine.run("rmi", "--force", dev)
    prod = EcrImages(other, lambda: engine, lambda _uri: registry)
    prod.copy(f"{registry.host}/tiny@{digest}", f"{other.host}/tiny:{image.tag}", print)
    assert prod.digest(f"{other.host}/tiny:{image.tag}") == digest
    assert json.loads(other.manifest("tiny", image.tag)[1])["config"]["digest"] == configuration


def test_a_wrong_password_is_refused_and_nothing_is_pushed(engine, registry, tmp_path, monkeypatch):
    image = source(tmp_path)
    uri = f"{registry.host}/closed:{image.tag}"
    wrong = Registry(registry.host)
    monkeypatch.setattr(wrong, "manifest", registry.manifest)
    monkeypatch.setattr(wrong, "registry_token", lambda: base64.b64encode(b"AWS:wrong").decode())
    with pytest.raises(LocalError, match="push failed"):
        EcrImages(wrong, lambda: engine).build(image, uri, print)
    assert registry.manifest("closed", image.tag) is None


def test_secrets_of_a_build_are_mounted_and_stay_out_of_the_image(engine, base_image, registry, tmp_path):
    text = f"FROM {base_image}\nRUN --mount=type=secret,id=pip_conf,required=true grep -q index /run/secrets/pip_conf\n"
    (tmp_path / "pip.conf").write_text("[global]\n# index of the house\n")
    image = source(tmp_path, text)
    with_secret = Engine(engine.program, {**engine.environment, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
    uri = f"{registry.host}/secret:{image.tag}"
    EcrImages(registry, lambda: with_secret).build(image, uri, print)
    assert "of the house" not in engine.run("history", "--no-trunc", uri)


def test_a_folder_that_changes_while_it_is_built_is_not_pushed(engine, registry, tmp_path):
    image = source(tmp_path)
    assert image.tag  # hashed now
    (image.context.root / "file").write_text("other")
    with pytest.raises(UsageError, match="changed while it was built"):
        EcrImages(registry, lambda: engine).build(image, f"{registry.host}/moving:{image.tag}", print)
    assert registry.manifest("moving", image.tag) is None
