"""CloudWatch Logs over the plain log files of jobs: streams and events of `/aws/sagemaker/…Jobs`.

A stream is JOB/HOST. Tokens of its events are places in its file: `f/BYTE` reads on from there, `b/BYTE` what lies
before. A line that its program has not ended yet is not there yet.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from pipelines.local.api.protocol import ApiError, Json, Operation, page
from pipelines.local.jobs.service import KINDS

_GROUPS = {kind.log_group: name for name, kind in KINDS.items() if kind.log_group}
_PAGE_BYTES = 1 << 20  # CloudWatch Logs' own limits of an answer
_PAGE_EVENTS = 10_000
_PAGE_STREAMS = 50
_STREAM = re.compile(r"([A-Za-z0-9-]+)/([A-Za-z0-9-]+)")
_TOKEN = re.compile(r"([fb])/([0-9]{1,15})")


@dataclass(frozen=True)
class LogApi:
    """Operations on the logs of jobs; below `folder`, a folder for each kind and job, and a file for each host."""

    folder: Path

    def operations(self) -> dict[str, Operation]:
        return {"DescribeLogStreams": self.streams, "GetLogEvents": self.events, "FilterLogEvents": self.filter}

    def owns(self, request: Json) -> bool:
        """Whether a request is about a log group of jobs."""
        return request.get("logGroupName") in _GROUPS

    def streams(self, request: Json) -> Json:
        group = request["logGroupName"]
        streams = [self._described(group, name) for name in self._names(request)]
        if request.get("orderBy") == "LastEventTime":
            streams.sort(key=lambda stream: stream["lastEventTimestamp"])
        if request.get("descending"):
            streams.reverse()
        return _page(streams, request, "logStreams", _PAGE_STREAMS)

    def events(self, request: Json) -> Json:
        """A page of one stream: from the head on, from a token on, or else the last one."""
        file = self._file(request["logGroupName"], request["logStreamName"])
        direction, place = _place(request, file)
        limit = int(request.get("limit") or _PAGE_EVENTS)
        start, lines = _forward(file, place, limit) if direction == "f" else _backward(file, place, limit)
        end = start + sum(map(len, lines))
        events = [event for event in map(_event, lines) if _in_time(event, request)]
        return {"events": events, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{start}"}

    def filter(self, request: Json) -> Json:
        """Events of several streams, in the order of their times."""
        if request.get("filterPattern"):
            raise _wrong("not part of the local SageMaker: filterPattern")
        group = request["logGroupName"]
        names = request.get("logStreamNames") or self._names(request)
        streams = (self._events(self._file(group, name), name) for name in names)
        merged = heapq.merge(*streams, key=lambda event: int(event["timestamp"]))
        start, size = _number(request), int(request.get("limit") or _PAGE_EVENTS)
        found = list(islice((event for event in merged if _in_time(event, request)), start, start + size + 1))
        more = {"nextToken": str(start + size)} if len(found) > size else {}
        return {"events": found[:size], **more}

    def _names(self, request: Json) -> list[str]:
        """The streams of a group that begin with the request's prefix, by name."""
        prefix = request.get("logStreamNamePrefix", "")
        job = prefix.partition("/")[0]
        group = self.folder / _GROUPS[request["logGroupName"]]
        folders = sorted(group.iterdir()) if group.is_dir() else []
        # A job is asked for by its whole name: the folders of the others stay closed.
        wanted = (item for item in folders if (item.name == job if "/" in prefix else item.name.startswith(job)))
        names = (f"{item.name}/{host.name}" for item in wanted for host in sorted(item.iterdir()))
        return [name for name in names if name.startswith(prefix)]

    def _file(self, group: str, stream: str) -> Path:
        match = _STREAM.fullmatch(stream)
        if not match:
            raise _wrong(f"logStreamName {stream!r} is not JOB/HOST")
        file = self.folder / _GROUPS[group] / match[1] / match[2]
        if not file.is_file():
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        return file

    def _described(self, group: str, name: str) -> Json:
        file = self._file(group, name)
        written = int(file.stat().st_mtime * 1000)
        ends = (_forward(file, 0, 1)[1], _backward(file, file.stat().st_size, 1)[1])
        first, last = (_event(lines[0])["timestamp"] if lines else written for lines in ends)
        times = {"firstEventTimestamp": first, "lastEventTimestamp": last, "lastIngestionTime": last}
        return {"logStreamName": name, "creationTime": first, **times}

    def _events(self, file: Path, name: str) -> Iterator[Json]:
        place = 0
        while True:
            start, lines = _forward(file, place, _PAGE_EVENTS)
            if not lines:
                return
            for line in lines:
                yield {**_event(line), "logStreamName": name}
            place = start + sum(map(len, lines))


def _place(request: Json, file: Path) -> tuple[str, int]:
    """The direction to read in, and the byte to read from."""
    token = request.get("nextToken")
    if token is None:
        return ("f", 0) if request.get("startFromHead") else ("b", file.stat().st_size)
    match = _TOKEN.fullmatch(token)
    if not match:
        raise _wrong(f"nextToken {token!r} is not valid")
    return match[1], min(int(match[2]), file.stat().st_size)


def _forward(file: Path, start: int, limit: int) -> tuple[int, list[bytes]]:
    """Where the whole lines from a byte on begin, and these lines."""
    lines: list[bytes] = []
    size = 0
    with file.open("rb") as stream:
        stream.seek(start)
        for line in stream:
            if not line.endswith(b"\n") or len(lines) == limit or size >= _PAGE_BYTES:
                break
            lines.append(line)
            size += len(line)
    return start, lines


def _backward(file: Path, end: int, limit: int) -> tuple[int, list[bytes]]:
    """Where the last whole lines before a byte begin, and these lines."""
    begin = max(end - _PAGE_BYTES, 0)
    with file.open("rb") as stream:
        stream.seek(begin)
        *texts, rest = stream.read(end - begin).split(b"\n")  # splitlines would split at \r as well
    end -= len(rest)
    lines = [text + b"\n" for text in texts]
    if begin > 0:
        lines = lines[1:]  # it may begin in the middle
    kept = lines[-limit:]
    return end - sum(map(len, kept)), kept


def _event(line: bytes) -> Json:
    """One line of a log file, `TIME TEXT`, as CloudWatch Logs gives it."""
    stamp, _, text = line.decode("utf-8", errors="replace").rstrip("\n").partition(" ")
    try:
        milliseconds = int(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        milliseconds = 0
    return {"timestamp": milliseconds, "message": text, "ingestionTime": milliseconds}


def _in_time(event: Json, request: Json) -> bool:
    start, end = request.get("startTime"), request.get("endTime")
    return (start is None or event["timestamp"] >= start) and (end is None or event["timestamp"] < end)


def _page(items: list[Json], request: Json, key: str, size: int) -> Json:
    """A page in the words of CloudWatch Logs."""
    start = _number(request)
    answer = page(items, {"NextToken": str(start), "MaxResults": request.get("limit")}, key, size)
    return {"nextToken" if name == "NextToken" else name: value for name, value in answer.items()}


def _number(request: Json) -> int:
    token = request.get("nextToken") or "0"
    if not re.fullmatch(r"[0-9]{1,15}", token):
        raise _wrong(f"nextToken {token!r} is not valid")
    return int(token)


def _wrong(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
