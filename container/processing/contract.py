"""SageMaker's container contract: where things lie under /opt/ml, and how a failure is told.

In: one root folder (environment variable OPT_ML, /opt/ml when unset). Out: paths, and the reason file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REASON_BYTES = 1024
"""The service keeps the first 1 KB of /opt/ml/output/message and 1,024 characters of /opt/ml/output/failure."""


@dataclass(frozen=True)
class Paths:
    """Every path of the contract, from one root; `temporary` is where scratch files go instead of it."""

    root: Path
    temporary: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Paths:
        """The root is OPT_ML where mount namespaces are refused to the local runner; else /opt/ml."""
        temporary = environment.get("TMPDIR")
        return cls(Path(environment.get("OPT_ML") or "/opt/ml"), Path(temporary) if temporary else None)

    def processing_input(self, name: str) -> Path:
        return self.root / "processing" / "input" / name

    def processing_output(self, name: str) -> Path:
        return self.root / "processing" / "output" / name

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    @property
    def hyperparameters(self) -> Path:
        return self.root / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """There when the training job has a CheckpointConfig."""
        return self.root / "checkpoints"

    @property
    def message(self) -> Path:
        """Becomes the ExitMessage of a processing job."""
        return self.root / "output" / "message"

    @property
    def failure(self) -> Path:
        """Becomes the FailureReason of a training job."""
        return self.root / "output" / "failure"


def cut(text: str, limit: int = REASON_BYTES) -> str:
    """The longest start of `text` within `limit` bytes of UTF-8 that ends between two characters.

    Bytes that are not UTF-8 would fail the job with a ClientError in place of the reason.
    """
    return text.encode("utf-8", errors="replace")[:limit].decode("utf-8", errors="ignore")


def write_reason(path: Path, text: str) -> None:
    """Leave the reason of a failure where the service looks for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cut(text).encode("utf-8"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either absent or complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(content)
    draft.replace(path)
