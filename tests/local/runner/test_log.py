"""Log lines: times, bounds, bytes that are no text."""

from __future__ import annotations

import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.local.runner.log import LONGEST, LogWriter, pump


def clock() -> datetime:
    return datetime(2026, 11, 22, 13, 4, 55, 123456, tzinfo=UTC)


STAMP = "2026-11-22T13:04:55.123Z "


def written(tmp_path: Path, *chunks: bytes) -> list[str]:
    file = tmp_path / "log"
    file.unlink(missing_ok=True)
    writer = LogWriter(file, clock)
    for chunk in chunks:
        writer.feed(chunk)
    writer.close()
    lines = file.read_text().split("\n")
    assert lines.pop() == ""
    assert all(line.startswith(STAMP) for line in lines)
    return [line.removeprefix(STAMP) for line in lines]


def test_lines_are_put_together_and_the_last_one_is_kept(tmp_path: Path) -> None:
    assert written(tmp_path, b"on", b"e\ntwo\r\n\nla", b"st") == ["one", "two", "", "last"]


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    assert written(tmp_path, b"a\xffb\n") == ["a\ufffdb"]


def test_a_gigantic_line_is_cut_into_pieces_between_characters(tmp_path: Path) -> None:
    text = "a" + "é" * (2 * LONGEST)
    data = text.encode()
    pieces = written(tmp_path, *[data[at : at + 5000] for at in range(0, len(data), 5000)])
    assert "".join(pieces) == text
    assert len(pieces) == 5
    assert max(len(piece.encode()) for piece in pieces) <= LONGEST


@given(st.lists(st.text("ab\né", max_size=8)))
def test_how_the_bytes_arrive_does_not_matter(tmp_path_factory, texts: list[str]) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("log")
    data = "".join(texts).encode()
    whole = written(folder, data)
    assert written(folder, *[data[at : at + 1] for at in range(len(data))]) == whole
    assert whole == (data.decode().removesuffix("\n").split("\n") if data else [])


def test_the_clock_is_utc_in_milliseconds(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log")
    writer.line("x")
    writer.close()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z x\n", (tmp_path / "log").read_text())


def test_a_full_disk_does_not_stop_the_job(tmp_path: Path) -> None:
    reader, pipe = os.pipe()
    writer = LogWriter(Path("/dev/full"))
    thread = threading.Thread(target=pump, args=(reader, writer))
    thread.start()
    os.write(pipe, b"line\n" * 1000)
    os.write(pipe, b"line\n" * 10000)
    os.close(pipe)
    thread.join(180)
    assert not thread.is_alive()
    os.close(reader)
    writer.close()
