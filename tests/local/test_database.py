"""Documents that outlive the process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import LocalError
from pipelines.local.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "state.sqlite3")
    yield found
    found.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Database]:
    """A database on a disk that is nearly full: SQLite refuses more pages than this."""
    found = Database(tmp_path / "state.sqlite3")
    limit(found, 12)
    yield found
    limit(found, 1_000_000)
    found.close()


def limit(database: Database, pages: int) -> None:
    database._run(f"PRAGMA max_page_count={pages}")


LARGE = {"x": "x" * 50_000}


def test_a_document_is_read_as_it_was_written_and_replaced(database: Database) -> None:
    assert database.get("kind", "a") is None
    database.put("kind", "a", {"n": 1, "t": "é\u2028"}, parent="p", place=5)
    assert database.get("kind", "a") == {"n": 1, "t": "é\u2028"}
    database.put("kind", "a", {"n": 2}, parent="p", place=5)
    assert database.list("kind", "p") == [{"n": 2}]
    database.delete("kind", "a")
    assert database.get("kind", "a") is None


def test_lists_come_newest_first_and_by_parent(database: Database) -> None:
    for place, (key, parent) in enumerate([("a", "p"), ("b", "q"), ("c", "p")]):
        database.put("kind", key, {"key": key}, parent=parent, place=place)
    database.put("other", "d", {"key": "d"}, parent="p", place=9)
    assert [item["key"] for item in database.list("kind")] == ["c", "b", "a"]
    assert [item["key"] for item in database.list("kind", "p")] == ["c", "a"]
    assert [item["key"] for item in database.list("kind", "p", limit=1)] == ["c"]
    database.delete_children("kind", "p")
    assert [item["key"] for item in database.list("kind")] == ["b"]


def test_documents_outlive_the_process(tmp_path: Path) -> None:
    first = Database(tmp_path / "state.sqlite3")
    first.put("kind", "a", {"n": 1})
    first.close()
    second = Database(tmp_path / "state.sqlite3")
    assert second.get("kind", "a") == {"n": 1}
    second.close()


def test_a_transaction_happens_whole_or_not_at_all(database: Database) -> None:
    def fails() -> None:
        with database.transaction():
            database.put("kind", "a", {})
            with database.transaction():
                database.put("kind", "b", {})
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fails()
    assert database.list("kind") == []
    with database.transaction():
        database.put("kind", "c", {})
    assert database.list("kind") == [{}]


def test_errors_of_the_caller_pass_a_transaction_unchanged(database: Database) -> None:
    def fails() -> None:
        with database.transaction():
            raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        fails()


def test_threads_see_each_others_transactions_whole(database: Database) -> None:
    database.put("kind", "n", {"n": 0})

    def count() -> None:
        for _ in range(50):
            with database.transaction():
                value = (database.get("kind", "n") or {})["n"]
                database.put("kind", "n", {"n": value + 1})

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.get("kind", "n") == {"n": 400}


def test_a_full_disk_refuses_a_write_and_keeps_what_was_there(full: Database) -> None:
    full.put("kind", "a", {"n": 1})
    with pytest.raises(LocalError, match="the state cannot be read or written: database or disk is full") as caught:
        full.put("kind", "b", LARGE)
    assert caught.value.problems[0].fix.startswith("free disk space or make the folder writable")
    assert full.list("kind") == [{"n": 1}]
    full.put("kind", "a", {"n": 2})
    assert full.get("kind", "a") == {"n": 2}


def test_a_full_disk_within_a_transaction_undoes_all_of_it(full: Database) -> None:
    def fails() -> None:
        with full.transaction():
            full.put("kind", "a", {})
            full.put("kind", "b", LARGE)

    with pytest.raises(LocalError, match="full"):
        fails()
    assert full.list("kind") == []
    with full.transaction():
        full.put("kind", "c", {})
    assert full.list("kind") == [{}]


def test_what_must_not_be_lost_is_read_from_memory_until_it_can_be_written(full: Database, tmp_path: Path) -> None:
    full.put("kind", "old", {"n": 1}, parent="p", place=1)
    full.keep("kind", "large", LARGE, parent="p", place=2)
    assert full.get("kind", "large") == LARGE
    assert full.list("kind", "p") == [LARGE, {"n": 1}]
    assert full.list("kind", "p", limit=1) == [LARGE]
    assert full.list("kind", "q") == []
    with pytest.raises(LocalError, match="full"):
        full.put("kind", "new", {})  # nothing new while something old is unwritten
    limit(full, 1_000_000)
    full.put("kind", "new", {})
    other = sqlite3.connect(tmp_path / "state.sqlite3")
    assert other.execute("SELECT count(*) FROM documents").fetchone() == (3,)
    other.close()


def test_closing_writes_what_is_only_in_memory(tmp_path: Path) -> None:
    first = Database(tmp_path / "state.sqlite3")
    limit(first, 12)
    first.keep("kind", "a", LARGE)
    limit(first, 1_000_000)
    first.close()
    second = Database(tmp_path / "state.sqlite3")
    assert second.get("kind", "a") == LARGE
    second.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(LocalError, match="file is not a database") as caught:
        Database(tmp_path / "state.sqlite3")
    problem = caught.value.problems[0]
    assert problem.where == str(tmp_path / "state.sqlite3")
    assert problem.fix.endswith("if the file is damaged, remove it")


def test_the_state_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.sqlite3")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(LocalError, match="written by a newer version") as caught:
        Database(tmp_path / "state.sqlite3")
    assert caught.value.problems[0].fix.startswith("update this package, or remove the file")


def test_a_closed_database_refuses(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.sqlite3")
    database.close()
    for use in (lambda: database.put("kind", "a", {}), lambda: database.get("kind", "a")):
        with pytest.raises(LocalError, match="closed database"):
            use()
