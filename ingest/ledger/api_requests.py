"""Requests of the API that may be sent twice: under a key, the second one gets the answer of the first.

A row is there from the moment a request begins, so of two at once one is answered and the other must wait. A process
that dies leaves a claim that another may take over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ingest.ledger.claims import is_free
from ingest.ledger.leases import holder_here
from ingest.ledger.store import Ledger
from ingest.ledger.tables import api_request

KEPT_FOR = timedelta(hours=24)
_CLAIMED_FOR = timedelta(hours=1)
"""Longer than any request lasts; a process that has died is known before."""


@dataclass(frozen=True)
class Answer:
    """What was answered. `request_hash` is of the request's method, path and content."""

    request_hash: str
    status: int
    answer: str


class AnsweredElsewhere(Exception):
    """The same key is being answered at this moment."""


def begin(ledger: Ledger, token_id: int, key: str, now: datetime) -> Answer | None:
    """Begin a request under a key.

    Returns:
        The answer that was given to it before; None where it is for the caller to answer, who then calls `finish` or
        `give_up`.

    Raises:
        AnsweredElsewhere: another request with this key has begun and not ended.
    """
    with ledger.engine.begin() as connection:
        connection.execute(api_request.delete().where(api_request.c.created_at < now - KEPT_FOR))
        claim = {"claimed_by": holder_here(), "claim_until": now + _CLAIMED_FOR}
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        row = {"token_id": token_id, "key_hash": _hash(key), "created_at": now, **claim}
        adding = dialect.insert(api_request).values(**row).on_conflict_do_nothing().returning(api_request.c.token_id)
        found = None
        while found is None:  # the other request may have given up just now
            if connection.execute(adding).first() is not None:
                return None
            found = connection.execute(sa.select(api_request).where(*_is(token_id, key)).with_for_update()).first()
        if found.status is not None:
            return Answer(found.request_hash, found.status, found.answer)
        if not is_free(found.claimed_by, found.claim_until, now):
            raise AnsweredElsewhere
        connection.execute(api_request.update().where(*_is(token_id, key)).values(**claim))
        return None


def finish(ledger: Ledger, token_id: int, key: str, answer: Answer) -> None:
    """Keep the answer of a request that was begun."""
    with ledger.engine.begin() as connection:
        connection.execute(
            api_request.update()
            .where(*_is(token_id, key))
            .values(
                request_hash=answer.request_hash, status=answer.status, answer=answer.answer, claimed_by=None,
                claim_until=None,
            )
        )  # fmt: skip


def give_up(ledger: Ledger, token_id: int, key: str) -> None:
    """Forget a request that was begun and did nothing: the key may be used again."""
    with ledger.engine.begin() as connection:
        connection.execute(api_request.delete().where(*_is(token_id, key), api_request.c.status.is_(None)))


def _is(token_id: int, key: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return api_request.c.token_id == token_id, api_request.c.key_hash == _hash(key)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
