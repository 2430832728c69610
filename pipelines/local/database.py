"""What outlives the server: JSON documents in SQLite, by kind and id.

A document has a parent (an execution's is its pipeline) and a place among its siblings (a time, or a number). One
connection, one lock: documents are small and writes are short.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.errors import LocalError

Document = dict[str, Any]
Row = tuple[str, str, str, float, str]
Rows = list[Any]

_VERSION = 1  # of the documents' shapes; 0 was never released
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, place REAL NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_parent ON documents (kind, parent, place);
CREATE INDEX IF NOT EXISTS by_place ON documents (kind, place);
"""
_PUT = (
    "INSERT INTO documents VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, parent = excluded.parent, place = excluded.place"
)
_log = logging.getLogger(__name__)


class Database:
    """Documents by kind and id. Raises `LocalError` when the file cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._unsaved: dict[tuple[str, str], Row] = {}
        with self._errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._run("PRAGMA journal_mode=WAL")
        self._run("PRAGMA synchronous=NORMAL")
        version = self._run("PRAGMA user_version")[0][0]
        if version > _VERSION:
            fix = "update this package, or remove the file (executions and pipelines kept in it are lost)"
            raise LocalError("the state was written by a newer version", where=str(self._file), fix=fix)
        if version == 0:
            self._run("DROP TABLE IF EXISTS documents")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._run(statement)
        self._run(f"PRAGMA user_version={_VERSION}")

    def close(self) -> None:
        """Write what could not be written before, if it can be now, and close the file."""
        with self._lock:
            with suppress(LocalError):
                self._save()
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside happens whole or not at all, and alone. One within another is part of it."""
        with self._lock:
            if self._in_transaction():
                yield
                return
            self._save()
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            finally:
                if self._in_transaction():  # it failed; a full disk may have rolled it back already
                    with suppress(LocalError):
                        self._run("ROLLBACK")

    def put(self, kind: str, key: str, body: Document, *, parent: str = "", place: float = 0.0) -> None:
        """Store a document; a later one of the same kind and id replaces it."""
        row = (kind, key, parent, place, json.dumps(body, separators=(",", ":")))
        with self.transaction():
            self._run(_PUT, row)

    def keep(self, kind: str, key: str, body: Document, *, parent: str = "", place: float = 0.0) -> None:
        """Store a document that must not be lost: one that cannot be written now is read from memory, and written with
        the next that can be. For what has happened already; whatever can still be refused is `put`."""
        row = (kind, key, parent, place, json.dumps(body, separators=(",", ":")))
        with self._lock:
            try:
                self._run(_PUT, row)
                self._unsaved.pop((kind, key), None)
            except LocalError:
                _log.exception("%s %s is kept in memory", kind, key)
                self._unsaved[kind, key] = row

    def get(self, kind: str, key: str) -> Document | None:
        with self._lock:
            if (kind, key) in self._unsaved:
                return _body(self._unsaved[kind, key])
            rows = self._run("SELECT * FROM documents WHERE kind = ? AND id = ?", (kind, key))
        return _body(rows[0]) if rows else None

    def list(self, kind: str, parent: str | None = None, limit: int = -1) -> list[Document]:
        """Documents of a kind, newest first; of one parent, or of all; at most `limit`, when that is not negative."""
        query, values = "SELECT * FROM documents WHERE kind = ?", [kind]
        if parent is not None:
            query, values = f"{query} AND parent = ?", [kind, parent]
        with self._lock:
            rows = self._run(f"{query} ORDER BY place DESC, id DESC LIMIT ?", (*values, limit))
            unsaved = [row for row in self._unsaved.values() if row[0] == kind and parent in (None, row[2])]
        if unsaved:
            found = {row[1]: row for row in (*rows, *unsaved)}
            rows = sorted(found.values(), key=lambda row: (row[3], row[1]), reverse=True)
            rows = rows[:limit] if limit >= 0 else rows
        return [_body(row) for row in rows]

    def delete(self, kind: str, key: str) -> None:
        with self.transaction():
            self._run("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, key))

    def delete_children(self, kind: str, parent: str) -> None:
        """Delete all documents of a kind that have this parent."""
        with self.transaction():
            self._run("DELETE FROM documents WHERE kind = ? AND parent = ?", (kind, parent))

    def delete_below(self, kind: str, start: str) -> None:
        """Delete all documents of a kind whose id begins with this and a slash."""
        with self.transaction():  # "0" follows "/"
            self._run("DELETE FROM documents WHERE kind = ? AND id > ? AND id < ?", (kind, f"{start}/", f"{start}0"))

    def _save(self) -> None:
        """Write what is only in memory."""
        for name, row in list(self._unsaved.items()):
            self._run(_PUT, row)
            del self._unsaved[name]

    def _in_transaction(self) -> bool:
        with self._errors():
            return self._connection.in_transaction

    def _run(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        with self._errors():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            fix = "free disk space or make the folder writable; if the file is damaged, remove it"
            raise LocalError(f"the state cannot be read or written: {error}", where=str(self._file), fix=fix) from error


def _body(row: Row) -> Document:
    body: Document = json.loads(row[4])
    return body
