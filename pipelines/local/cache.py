"""The results that the step cache keeps: the machine's questions in, its answers out (CONTRACT.md 1.9).

Of each step the newest result of each key and status is kept, so a question reads a handful of documents however often
a pipeline ran. The service looks at URIs only; here a result whose objects have gone from the store is not used
either: what follows would fail for want of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.local.database import Database
from pipelines.local.jobs.parse import BadUriError, split_uri
from pipelines.local.machine.cache import CacheEntry, look_up
from pipelines.local.machine.events import CacheAnswered, LookUpCache
from pipelines.local.machine.state import ENDED
from pipelines.local.store import ObjectStore, StoreError

Json = dict[str, Any]
RESULT = "step-result"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The result of a step, and those of its outputs that hold objects."""

    entry: CacheEntry
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class StepCache:
    """Results of steps, kept in the database; their objects lie in the store."""

    database: Database
    store: ObjectStore

    def result(self, entry: CacheEntry) -> Result:
        """What is to be kept of a step that ended. It looks into the store; `keep` does not."""
        return Result(entry, tuple(uri for uri in output_uris(entry.properties) if self._holds_objects(uri)))

    def keep(self, result: Result) -> None:
        """Keep a result, in the place of an older one with the same key and status."""
        entry = result.entry
        parent = _parent(entry.pipeline, entry.step, entry.status)
        body = {"entry": entry.to_json(), "outputs": list(result.outputs)}
        self.database.put(RESULT, f"{parent}/{entry.digest}", body, parent=parent, place=entry.end.timestamp())

    def answer(self, question: LookUpCache, at: datetime) -> CacheAnswered:
        """The answer to a question; whatever goes wrong is a miss that says so."""
        try:
            return self._answer(question, at)
        except Exception as error:  # noqa: BLE001 -- the step waits for an answer, whatever it is
            _log.exception("cache of step %s", question.step)
            return CacheAnswered(at, question.step, unusable=f"the cache cannot be read: {error}")

    def _answer(self, question: LookUpCache, at: datetime) -> CacheAnswered:
        bodies = list(self._candidates(question))
        entries = [CacheEntry.from_json(body["entry"]) for body in bodies]
        hit, nearest = look_up(entries, question.digest, question.oldest)
        if hit is None:
            return CacheAnswered(at, question.step, nearest=nearest)
        gone = [uri for uri in bodies[entries.index(hit)]["outputs"] if not self._holds_objects(uri)]
        if not gone:
            return CacheAnswered(at, question.step, hit)
        why = f"not used: the result of {hit.execution_arn} is no longer there: {', '.join(gone)}"
        return CacheAnswered(at, question.step, nearest=hit, unusable=why)

    def _candidates(self, question: LookUpCache) -> Iterator[Json]:
        """Of each status the newest result, and the one with the key that is asked for."""
        for status in sorted(ENDED):
            parent = _parent(question.pipeline, question.step, status)
            yield from self.database.list(RESULT, parent, limit=1)
            same = self.database.get(RESULT, f"{parent}/{question.digest}")
            if same:
                yield same

    def _holds_objects(self, uri: str) -> bool:
        with suppress(BadUriError, StoreError):
            bucket, key = split_uri(uri)
            below = f"{key.removesuffix('/')}/" if key else ""
            return any(True for _ in self.store.objects(bucket, below)) or self.store.find(bucket, key) is not None
        return False


def forget_results(database: Database, pipeline: str) -> None:
    """Forget the results of a pipeline that is deleted."""
    database.delete_below(RESULT, pipeline.lower())


def output_uris(properties: Mapping[str, Any]) -> Iterator[str]:
    """Where the job of a Describe response wrote to: outputs, a model, transformed objects."""
    for output in (properties.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        if output.get("S3Output"):
            yield str(output["S3Output"]["S3Uri"])
    for holder, member in (("ModelArtifacts", "S3ModelArtifacts"), ("TransformOutput", "S3OutputPath")):
        uri = (properties.get(holder) or {}).get(member)
        if uri:
            yield str(uri)


def _parent(pipeline: str, step: str, status: str) -> str:
    return f"{pipeline.lower()}/{step}/{status}"
