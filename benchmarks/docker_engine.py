"""A Docker engine and the reference image, for benchmarks and tests: what answers, or an engine of our own.

`docker_engine(folder)` gives an `Engine`, `base_image` and `build_options` what the image is built with. Where no
registry is reached there is no base image to pull: a stand-in is made by mmdebstrap from the machine's own package
sources. Whatever is missing is a `Missing` with its reason: the caller skips and tells it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import LocalError
from pipelines.local.runner.docker import Engine, find_engine

BASE = "pipelines-test-base:bookworm"
CONTAINER = Path(__file__).parent.parent / "container"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Missing(Exception):
    """What the machine lacks."""


@contextmanager
def docker_engine(folder: Path) -> Iterator[Engine]:
    """The engine that answers, or one with its state in `folder` for as long as the context lasts."""
    try:
        answering = find_engine(os.environ)
    except LocalError:
        with _started(folder) as ours:
            yield ours
    else:
        yield answering


@contextmanager
def _started(folder: Path) -> Iterator[Engine]:
    daemon = shutil.which("dockerd")
    if os.geteuid() != 0 or not daemon:
        raise Missing("no Docker engine answers, and none can be started: that needs root and dockerd")
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
            if _answers(ours, process):
                yield ours
                return
        finally:
            process.terminate()
            process.wait(180)
    last = (folder / "log").read_text(errors="replace").splitlines()[-3:]
    raise Missing(f"dockerd does not start here: {' '.join(last)}")


def _answers(engine: Engine, process: subprocess.Popen[bytes]) -> bool:
    """Whether an engine that is starting comes to answer."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        if engine.run("version", "--format", "{{.Server.Version}}", check=False).strip():
            return True
        time.sleep(0.1)
    return False


def base_image(engine: Engine, folder: Path) -> str:
    """A minimal Debian with python3, of which the reference image can be built; `folder` is for the moment."""
    if engine.run("images", "--quiet", BASE, check=False).strip():
        return BASE
    maker = shutil.which("mmdebstrap")
    if not maker or not SOURCES.exists():
        raise Missing("no base image: mmdebstrap (or Debian's package sources) is not here, and no registry is asked")
    archive = folder / "base.tar"
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(
        [maker, "--quiet", "--variant=minbase", packages, "bookworm", str(archive), str(SOURCES)],
        check=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        timeout=1800,
    )
    engine.run("import", str(archive), BASE)
    archive.unlink()
    return BASE


def build_options(base: str, configuration: Path) -> tuple[str, ...]:
    """How the image is built where no registry is reached: on `base`, with pip's settings as a secret."""
    options = ["--network", "host", "--build-arg", f"BASE_IMAGE={base}", "--secret", f"id=pip_conf,src={configuration}"]
    if CERTIFICATES.exists():
        options += ["--secret", f"id=ca_bundle,src={CERTIFICATES}"]
    return tuple(options)


def build(engine: Engine, tag: str, options: tuple[str, ...]) -> str:
    """The reference image under `tag`."""
    engine.run("build", "--quiet", "--tag", tag, *options, str(CONTAINER))
    return tag


def compose_environment(engine: Engine) -> dict[str, str]:
    """What the SDK's local mode needs of the environment to speak to `engine`; Missing without Docker Compose."""
    own = dict(engine.environment)
    if "/" in engine.program:
        own["PATH"] = f"{Path(engine.program).parent}:{own['PATH']}"
    plugin = engine.run("compose", "version", "--short", check=False).strip().removeprefix("v")
    if plugin.partition(".")[0] in ("", "1") and not shutil.which("docker-compose", path=own["PATH"]):
        raise Missing("Docker Compose is not here, without which the SDK has no local mode: apt install docker-compose")
    credentials = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "local")
    return {**own, **credentials, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
