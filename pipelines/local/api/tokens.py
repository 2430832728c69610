"""ClientRequestToken: a request that is repeated with its token is answered as before and does not act twice.

Tokens count for one operation on one name, as long as that exists. What a token's request held is not compared.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.local.api.protocol import Json
from pipelines.local.database import Database

_TOKEN = "token"  # noqa: S105 -- a kind of document


def once(database: Database, key: str, request: Json, act: Callable[[], Json], *, parent: str = "") -> Json:
    """The answer of `act`, or the one kept for this token; `act` writes to the database only, in one transaction."""
    token = request.get("ClientRequestToken")
    with database.transaction():
        kept = answered(database, key, request)
        if kept is not None:
            return kept
        answer = act()
        if token:
            database.put(_TOKEN, f"{key}/{token}", answer, parent=parent)
        return answer


def answered(database: Database, key: str, request: Json) -> Json | None:
    """The answer that is kept for the request's token."""
    token = request.get("ClientRequestToken")
    return database.get(_TOKEN, f"{key}/{token}") if token else None


def forget_tokens(database: Database, parent: str) -> None:
    """Forget the tokens of what is deleted."""
    database.delete_children(_TOKEN, parent)
