"""A Docker engine for tests: the one that answers, or one of our own where the machine lets us start it.

Where no registry is reached there is no base image to pull: a stand-in is made by mmdebstrap from the machine's own
package sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import LocalError
from pipelines.local.runner.docker import Engine, find_engine

BASE = "pipelines-test-base:bookworm"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has the engine."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("docker"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    try:
        yield find_engine(os.environ)
        return
    except LocalError:
        pass
    daemon = shutil.which("dockerd")
    if os.geteuid() != 0 or not daemon:
        pytest.skip("no Docker engine answers, and none can be started: that needs root and dockerd")
    yield from started(daemon, tmp_path_factory.mktemp("docker"))


def started(daemon: str, folder: Path) -> Iterator[Engine]:
    """An engine of our own, with its state in `folder`."""
    host = f"unix://{folder}/docker.sock"
    words = [daemon, "--host", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    words += ["--pidfile", f"{folder}/pid", "--mtu", "1400"]
    # Debian's own client has what BuildKit needs built in; a newer one would ask for a plugin.
    program = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
    ours = Engine(
        program, {"PATH": os.environ["PATH"], "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1", "HOME": str(folder)}
    )
    for _ in range(3):  # its first words to the kernel's packet filter can collide with somebody else's
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            if answers(ours, process):
                yield ours
                return
        finally:
            process.terminate()
            process.wait(30)
    last = (folder / "log").read_text(errors="replace").splitlines()[-3:]
    pytest.skip(f"dockerd does not start here: {' '.join(last)}")


def answers(engine: Engine, process: subprocess.Popen[bytes]) -> bool:
    """Whether an engine that is starting comes to answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if engine.run("version", "--format", "{{.Server.Version}}", check=False).strip():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="session")
def base_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base of the image under test: a minimal Debian with python3."""
    if engine.run("images", "--quiet", BASE, check=False).strip():
        return BASE
    maker = shutil.which("mmdebstrap")
    if not maker or not SOURCES.exists():
        pytest.skip("no base image: mmdebstrap (or Debian's package sources) is not here, and no registry is asked")
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(
        [maker, "--quiet", "--variant=minbase", packages, "bookworm", str(archive), str(SOURCES)],
        check=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        timeout=600,
    )
    engine.run("import", str(archive), BASE)
    archive.unlink()
    return BASE


@pytest.fixture(scope="session")
def secret() -> str:
    """What a build is given as a secret."""
    return "a-secret-that-must-not-stay"


@pytest.fixture(scope="session")
def build_options(base_image: str, secret: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """How the image is built here: on the stand-in base, with the machine's pip settings as secrets."""
    configuration = tmp_path_factory.mktemp("pip") / "pip.conf"
    configuration.write_text(f"[global]\n# {secret}\n", encoding="utf-8")
    options = ["--network", "host", "--build-arg", f"BASE_IMAGE={base_image}"]
    options += ["--secret", f"id=pip_conf,src={configuration}"]
    if CERTIFICATES.exists():
        options += ["--secret", f"id=ca_bundle,src={CERTIFICATES}"]
    return tuple(options)
