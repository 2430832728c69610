"""A training job's checkpoint: what a stopped job leaves below /opt/ml/checkpoints, and where the next one goes on.

In: that folder, which is there when the job has a CheckpointConfig (the service keeps it in S3, and fills it again),
and what the training is of: settings, data, library. Out: one file with the booster and how early stopping stands. A
checkpoint of another training, or one that is not whole, is told, and training starts from nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from processing.contract import write_whole
from processing.stopping import Stop

FILE = "training.checkpoint"
EVERY = 10
"""Rounds between two checkpoints."""


@dataclass(frozen=True)
class Standing:
    """How the boosting stands: rounds done, and the best of them by the last measure on validation."""

    rounds: int = 0
    best_round: int = 0
    best_value: float | None = None

    def after(self, value: float, higher: bool) -> Standing:
        """The standing one round later."""
        rounds = self.rounds + 1
        best = self.best_value
        if best is None or (value > best if higher else value < best):
            return Standing(rounds, rounds, value)
        return replace(self, rounds=rounds)


class Course:
    """The rounds of one training: where it starts, what is kept on the way, and when it ends."""

    def __init__(
        self,
        most: int,
        patience: int,
        folder: Path | None = None,
        about: Mapping[str, Any] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._most, self._patience = most, patience
        self._path = folder / FILE if folder is not None else None
        self._about = dict(about or {})
        self._stop = stop or Stop()
        self.standing, self.model = self._load()

    @property
    def ended(self) -> bool:
        """All rounds are done, or the best is `patience` rounds past."""
        now = self.standing
        return now.rounds >= self._most or (now.rounds > 0 and now.rounds - now.best_round >= self._patience)

    def round_done(self, value: float, higher: bool, model: Callable[[], bytes]) -> None:
        """Take note of a round; keep the model where it is time to. Ends the program where a stop is wanted."""
        self.standing = self.standing.after(value, higher)
        if self._path is None:
            return
        wanted = self._stop.wanted
        if wanted or self.standing.rounds % EVERY == 0:
            self._keep(self._path, model())
        if wanted:
            self._stop.saved(f"A checkpoint of {self.standing.rounds} rounds is kept: run the job again to go on.")

    def _keep(self, path: Path, model: bytes) -> None:
        digest = hashlib.sha256(model).hexdigest()
        head = {"about": self._about, "standing": asdict(self.standing), "model_sha256": digest}
        write_whole(path, json.dumps(head).encode() + b"\n" + model)

    def _load(self) -> tuple[Standing, bytes | None]:
        """The standing and the model of the checkpoint; a start from nothing where there is none of this training."""
        if self._path is None or not self._path.is_file():
            return Standing(), None
        head, _, model = self._path.read_bytes().partition(b"\n")
        try:
            document = json.loads(head)
            whole = document["model_sha256"] == hashlib.sha256(model).hexdigest()
            same = document["about"] == json.loads(json.dumps(self._about))
            standing = Standing(**document["standing"])
        except (ValueError, KeyError, TypeError):
            whole = same = False
            standing = Standing()
        if whole and same:
            print(f"train: goes on after round {standing.rounds} of the checkpoint", flush=True)
            return standing, model
        why = "is of other data, settings or library" if whole else "is not whole"
        print(f"train: the checkpoint {why}: training starts from nothing", flush=True)
        return Standing(), None
