"""InputFilter, OutputFilter and JoinSource."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.local.jobs.filters import DataProcessing, FilterError, Format, data_processing, format_of, parse_path

Json = dict[str, Any]
CSV, JSON = Format(csv=True), Format(csv=False)


@pytest.mark.parametrize(
    ("path", "record", "expected"),
    [
        ("$", [1, 2], [1, 2]),
        ("$[1:]", ["a", "b", "c"], ["b", "c"]),
        ("$[:-1]", ["a", "b", "c"], ["a", "b"]),
        ("$[0,2]", ["a", "b", "c"], ["a", "c"]),
        ("$[-1]", ["a", "b"], "b"),
        ("$.a.b[1]", {"a": {"b": [1, 2]}}, 2),
        ("$['a','b']", {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}),
        ('$["a b"]', {"a b": 1}, 1),
    ],
)
def test_a_path_picks_a_part_of_a_record(path: str, record: Any, expected: Any) -> None:
    assert parse_path(path).of(record) == expected


@pytest.mark.parametrize("path", ["$..a", "$[*]", "$[?(@.a > 1)]", "a", "$.a[", "$['a',1]", "$[::2]", "$a", "$.a.b()"])
def test_other_paths_are_refused_with_what_is_known(path: str) -> None:
    with pytest.raises(FilterError, match="is not executed locally; fix: write members, positions and slices"):
        parse_path(path)


@pytest.mark.parametrize(
    ("path", "record"), [("$.a", {"b": 1}), ("$[3]", [1]), ("$.a", [1]), ("$[0]", "text"), ("$['a','b']", [1])]
)
def test_a_record_that_does_not_fit_is_refused(path: str, record: Any) -> None:
    with pytest.raises(FilterError, match="picks nothing of a record"):
        parse_path(path).of(record)


def test_csv_keeps_its_quotes_where_they_are_needed() -> None:
    assert CSV.write(CSV.read(b'1,"a,b","say ""x""",plain')) == b'1,"a,b","say ""x""",plain'


def test_other_formats_are_refused() -> None:
    assert format_of("text/csv; charset=utf-8") == CSV
    with pytest.raises(FilterError, match="DataProcessing of image/png is not executed locally"):
        format_of("image/png")


def request(processing: Json | None, kind: str = "text/csv", accept: str = "") -> Json:
    return {
        "DataProcessing": processing,
        "TransformInput": {"ContentType": kind},
        "TransformOutput": {"Accept": accept},
    }


@pytest.mark.parametrize("processing", [None, {}, {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}])
def test_filters_that_pick_all_leave_the_data_as_it_is(processing: Json | None) -> None:
    assert data_processing(request(processing, "image/png")) is None


def processing(**asked: str) -> DataProcessing:
    found = data_processing(request(asked))
    assert found
    return found


def test_an_answer_is_joined_with_the_whole_record_not_the_filtered_one() -> None:
    found = processing(InputFilter="$[1:]", JoinSource="Input")
    records = [b"1,a,b", b"2,c,d"]
    assert found.body(records) == b"a,b\nc,d\n"
    assert found.kept(records, b"0.1\n0.2\n", "text/csv") == b"1,a,b,0.1\n2,c,d,0.2\n"


def test_answers_that_do_not_match_the_records_are_refused_with_the_mend() -> None:
    with pytest.raises(FilterError, match=r"2 records were answered with 1, .* fix: answer one line for each record"):
        processing(JoinSource="Input").kept([b"1", b"2"], b"0.1\n", "text/csv")


def test_a_json_record_gets_the_answer_as_a_member() -> None:
    found = data_processing(request({"JoinSource": "Input"}, "application/json", "application/json"))
    assert found
    assert found.kept([b'{"a": 1}'], b'{"p": 2}', "") == b'{"a": 1, "SageMakerOutput": {"p": 2}}\n'
    assert found.kept([b"[1]"], b"2", "") == b'{"SageMakerInput": [1], "SageMakerOutput": 2}\n'
