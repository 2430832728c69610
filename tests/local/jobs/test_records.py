"""Objects → the payloads of a batch transform."""

from __future__ import annotations

import io

import pytest

from pipelines.local.jobs.records import LINE, MULTI, NONE, SINGLE, RecordError, Splitting, assembled


def bodies(data: bytes, split: str = LINE, strategy: str = MULTI, limit: int = 0) -> list[bytes]:
    return [payload.body for payload in Splitting(split, strategy, limit).payloads(io.BytesIO(data))]


@pytest.mark.parametrize(
    ("data", "strategy", "limit", "expected"),
    [
        (b"a\nb\nc", MULTI, 0, [b"a\nb\nc\n"]),
        (b"a\nb\nc", SINGLE, 0, [b"a\n", b"b\n", b"c\n"]),
        (b"aa\nbb\ncc\n", MULTI, 6, [b"aa\nbb\n", b"cc\n"]),
        (b"aa\nbbbbbb\n", MULTI, 6, [b"aa\n", b"bbbbbb\n"]),
        (b"a\n\n  \nb\n", MULTI, 0, [b"a\nb\n"]),
        (b"a\r\nb", MULTI, 0, [b"a\r\nb\n"]),
        (b"", MULTI, 0, []),
    ],
)
def test_lines_are_sent_in_batches_of_the_payload(
    data: bytes, strategy: str, limit: int, expected: list[bytes]
) -> None:
    assert bodies(data, LINE, strategy, limit) == expected


def test_a_whole_object_is_sent_as_it_is() -> None:
    assert bodies(b"a\nb", NONE, limit=3) == [b"a\nb"]


@pytest.mark.parametrize(("split", "what"), [(LINE, "line 2"), (NONE, "the object")])
def test_what_is_larger_than_a_payload_is_refused_with_its_place(split: str, what: str) -> None:
    with pytest.raises(RecordError, match=rf"^{what} is larger than MaxPayloadInMB allows \(4 bytes\); fix: set "):
        bodies(b"aaaa\nbbbbb\n", split, limit=4)


def test_no_more_of_a_line_is_read_than_shows_its_size() -> None:
    stream = io.BytesIO(b"x" * 1_000_000)
    with pytest.raises(RecordError):
        list(Splitting(LINE, MULTI, 10).payloads(stream))
    assert stream.tell() < 100


def test_answers_are_put_together_with_line_ends_or_without() -> None:
    assert (assembled(b"a", "Line"), assembled(b"a\n", "Line"), assembled(b"a", "None")) == (b"a\n", b"a\n", b"a")
