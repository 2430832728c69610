"""A container engine (Docker, or Podman) behind its command.

Takes words, gives what the command printed; it is a process, never a shell. Errors leave as `LocalError`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.errors import LocalError

_LAST_LINES = 15
_KEPT = (
    *("PATH", "HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK"),
    *("PIP_CONFIG_FILE", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST"),
)
# One plain image, as SageMaker takes it: no index around it with attestations, no format of Podman's own.
_BUILDS = {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDAH_FORMAT": "docker"}


@dataclass(frozen=True)
class Engine:
    """An engine: the command that speaks to it, and that command's environment (DOCKER_HOST …)."""

    program: str = "docker"
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, check: bool = True, variables: Mapping[str, str] | None = None) -> str:
        """Run one command of the engine's; gives what it printed. Raises `LocalError` with its last lines."""
        environment = {**self.environment, **(variables or {})}
        try:
            done = subprocess.run(
                [self.program, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            fix = "install Docker or Podman, or use the process runner"
            raise LocalError(f"{self.program} cannot be run: {error}", fix=fix) from error
        if check and done.returncode != 0:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:])
            fix = f"see that it works: {self.program} {words[0]} …"
            raise LocalError(f"{self.program} {words[0]} failed:\n{last}", fix=fix)
        return done.stdout


def find_engine(environ: Mapping[str, str] = os.environ, programs: tuple[str, ...] = ("docker",)) -> Engine:
    """The first of these commands behind which an engine answers. Raises `LocalError` when none does."""
    kept = {name: environ[name] for name in _KEPT if name in environ} | _BUILDS
    refusals = []
    for program in programs:
        engine = Engine(program, kept)
        try:
            engine.run("version", "--format", "{{.Server.Version}}" if program == "docker" else "{{.Client.Version}}")
            return engine
        except LocalError as error:
            refusals.append(error)
    raise refusals[0]
