"""Inputs and outputs that Spark reads and writes itself, at URIs (s3://, hdfs://): no host has to hold a copy.

In: `name=URI` for inputs and outputs. Out: the contract's paths, with a folder of stand-ins for each such input, and
the URI of every path. A stand-in is the head of its file: the step looks at headers, keys and first records on the
driver. Where a record further on is bad, the message tells the source and how many, and no line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession  # type: ignore[import-not-found]

from processing.contract import Paths
from processing.errors import ContainerError, DataError, Problem, SettingError

HEAD = 4 * 1024**2
"""Bytes that are fetched of a file."""


@dataclass(frozen=True)
class RemotePaths(Paths):
    """The contract's paths; some inputs lie elsewhere."""

    inputs: Mapping[str, Path] = field(default_factory=dict)

    def processing_input(self, name: str) -> Path:
        return self.inputs.get(name) or super().processing_input(name)


def read_places(given: Sequence[str], argument: str) -> dict[str, str]:
    """`name=URI` texts as a mapping."""
    found = dict(text.partition("=")[::2] for text in given)
    for name, uri in found.items():
        if not name or "/" in name or "://" not in uri:
            what = f"'{name}={uri}' is not a name and a URI"
            raise SettingError([Problem(argument, what, f"write '{argument} raw=s3://bucket/prefix/'")])
    return found


def fetch(session: SparkSession, paths: Paths, inputs: Mapping[str, str], folder: Path) -> tuple[Paths, dict[str, str]]:
    """Make the stand-ins below `folder`; the URI of each."""
    uris: dict[str, str] = {}
    for name, uri in inputs.items():
        for below, size, file in _files(session, uri, f"--input {name}"):
            target = folder / name / below
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_head(session, file, size))
            uris[str(target)] = str(file.toString())
    own = {name: folder / name for name in inputs}
    return RemotePaths(paths.root, paths.temporary, own), uris


def upload(session: SparkSession, folder: Path, uri: str) -> None:
    """The files of a folder, in the order of their age: the one that says that all is there comes last."""
    place = _path(session, uri)
    system = place.getFileSystem(session._jsc.hadoopConfiguration())
    for file in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        system.copyFromLocalFile(False, True, _path(session, f"file://{file}"), _path(session, f"{uri}/{file.name}"))


def at_home(error: ContainerError, uris: Mapping[str, str]) -> ContainerError:
    """The error with URIs for stand-ins."""

    def told(text: str) -> str:
        for path, uri in uris.items():
            text = text.replace(path, uri)
        return text

    return type(error)([Problem(told(one.where), told(one.what), one.fix) for one in error.problems])


def _files(session: SparkSession, uri: str, argument: str) -> list[tuple[str, int, Any]]:
    """Path below the URI, size, and the file itself, of every file."""
    place = _path(session, uri)
    try:
        system = place.getFileSystem(session._jsc.hadoopConfiguration())
        listed, found = system.listFiles(place, True), []
        start = str(system.getFileStatus(place).getPath().toString()).rstrip("/") + "/"
        while listed.hasNext():
            status = listed.next()
            found.append((str(status.getPath().toString()), int(status.getLen()), status.getPath()))
    except Exception as error:  # Java's errors have no common class
        what = f"cannot be listed: {(str(error).splitlines() or [''])[-1][:300]}"
        raise DataError([Problem(f"{argument}={uri}", what, "mend the URI, or the role's permissions")]) from error
    return [(text.removeprefix(start) if text != start[:-1] else Path(text).name, size, at) for text, size, at in found]


def _head(session: SparkSession, file: Any, size: int) -> bytes:
    """The whole lines of the first bytes; a gzipped file's as a gzipped file. All of a small one."""
    stream = file.getFileSystem(session._jsc.hadoopConfiguration()).open(file)
    try:
        head = bytes(session._jvm.org.apache.commons.io.IOUtils.toByteArray(stream, min(size, HEAD)))
    finally:
        stream.close()
    if size <= HEAD:
        return head
    if file.getName().lower().endswith(".gz"):
        return gzip.compress(_lines(zlib.decompressobj(wbits=31).decompress(head)), 1)
    return _lines(head)


def _lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _path(session: SparkSession, uri: str) -> Any:
    return session._jvm.org.apache.hadoop.fs.Path(uri)
