"""CloudWatch Logs over the plain log files of jobs: streams and events of `/aws/sagemaker/…Jobs`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.local.api.protocol import ApiError, Json, Operation, invalid, page
from pipelines.local.jobs.service import KINDS, Jobs

_PAGE_BYTES = 1 << 20  # CloudWatch Logs' own limit of an answer
_PAGE_EVENTS = 10_000


@dataclass(frozen=True)
class LogApi:
    """Operations on the logs of jobs; `folder` holds a folder a job and a file a host."""

    jobs: Jobs
    folder: Path

    def operations(self) -> dict[str, Operation]:
        return {"DescribeLogStreams": self.streams, "GetLogEvents": self.events, "FilterLogEvents": self.filter}

    def owns(self, request: Json) -> bool:
        """Whether a request is about a log group of jobs."""
        return request.get("logGroupName") in {kind.log_group for kind in KINDS.values()}

    def streams(self, request: Json) -> Json:
        prefix = request.get("logStreamNamePrefix", "")
        names = [name for name in self._names(request["logGroupName"]) if name.startswith(prefix)]
        answer = page([{"logStreamName": name} for name in names], _tokens(request, "limit", 50), "logStreams")
        return _renamed(answer)

    def events(self, request: Json) -> Json:
        """A page of one stream; the forward token is the byte that the next page begins at."""
        file = self._file(request["logStreamName"])
        token = request.get("nextToken") or "f/0"
        if not token.startswith("f/") or not token[2:].isdigit():
            raise ApiError("InvalidParameterException", f"nextToken {token!r} is not valid")
        events, end = _read(file, int(token[2:]), int(request.get("limit") or _PAGE_EVENTS))
        return {"events": events, "nextForwardToken": f"f/{end}", "nextBackwardToken": "f/0"}

    def filter(self, request: Json) -> Json:
        prefix = request.get("logStreamNamePrefix", "")
        names = request.get("logStreamNames") or [
            name for name in self._names(request["logGroupName"]) if name.startswith(prefix)
        ]
        events = [
            {**event, "logStreamName": name} for name in names for event in _read(self._file(name), 0, 1 << 30)[0]
        ]
        return _renamed(page(events, _tokens(request, "limit", _PAGE_EVENTS), "events"))

    def _names(self, group: str) -> Iterator[str]:
        kind = next(name for name, job in KINDS.items() if job.log_group == group)
        for record in self.jobs.list(kind):
            name = record[f"{kind}JobName"]
            folder = self.folder / name
            if folder.is_dir():
                yield from (f"{name}/{host.name}" for host in sorted(folder.iterdir()))

    def _file(self, stream: str) -> Path:
        job, _, host = stream.partition("/")
        if not job or not host or {job, host} & {".", ".."} or "/" in host:
            raise invalid(f"logStreamName {stream!r} is not valid")
        file = self.folder / job / host
        if not file.is_file():
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return file


def _read(file: Path, start: int, limit: int) -> tuple[list[Json], int]:
    """Whole lines from a byte on, as events, and the byte after them."""
    events: list[Json] = []
    with file.open("rb") as stream:
        stream.seek(start)
        while len(events) < limit and stream.tell() - start < _PAGE_BYTES:
            line = stream.readline()
            if not line.endswith(b"\n"):
                break
            start_of_next = stream.tell()
            stamp, _, text = line.decode("utf-8", errors="replace").rstrip("\n").partition(" ")
            milliseconds = _milliseconds(stamp)
            events.append({"timestamp": milliseconds, "message": text, "ingestionTime": milliseconds})
            end = start_of_next
        return events, (end if events else start)


def _milliseconds(stamp: str) -> int:
    try:
        return int(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        return 0


def _tokens(request: Json, limit: str, default: int) -> Json:
    return {"NextToken": request.get("nextToken"), "MaxResults": request.get(limit) or default}


def _renamed(answer: Json) -> Json:
    if "NextToken" in answer:
        answer["nextToken"] = answer.pop("NextToken")
    return answer
