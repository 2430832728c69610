"""What outlives the server: JSON documents in SQLite, by kind and id.

A document has a parent (an execution's is its pipeline) and a time of creation; lists come newest first. One
connection, one lock: documents are small and writes are short.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import LocalError

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, created REAL NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_parent ON documents (kind, parent, created);
"""


class Database:
    """Documents by kind and id. Raises `LocalError` when the file cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        with self._errors():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside happens whole or not at all, and alone."""
        with self._lock, self._errors():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def put(self, kind: str, key: str, body: Document, *, parent: str = "", created: float = 0.0) -> None:
        """Store a document; a later one of the same kind and id replaces its body and keeps parent and time."""
        text = json.dumps(body, separators=(",", ":"))
        with self._lock, self._errors():
            self._connection.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, parent, created, text),
            )

    def get(self, kind: str, key: str) -> Document | None:
        with self._lock, self._errors():
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def list(self, kind: str, parent: str | None = None) -> list[Document]:
        """Documents of a kind, newest first; of one parent, or of all."""
        query, values = "SELECT body FROM documents WHERE kind = ?", [kind]
        if parent is not None:
            query, values = f"{query} AND parent = ?", [kind, parent]
        with self._lock, self._errors():
            rows = self._connection.execute(f"{query} ORDER BY created DESC, id DESC", values).fetchall()
        return [json.loads(row[0]) for row in rows]

    def delete(self, kind: str, key: str) -> None:
        with self._lock, self._errors():
            self._connection.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, key))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            fix = "free disk space or make the folder writable; if the file is damaged, remove it"
            raise LocalError(f"the state cannot be read or written: {error}", where=str(self._file), fix=fix) from error
