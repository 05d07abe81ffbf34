"""Claims on uploads: one worker at a time works with each. A killed worker's upload is free for another at once.

A claim is checked again in the transaction that ends the upload: a worker that was stopped for so long that another
took over can't record anything. How long a claim lasts is reckoned by the clock that all machines share.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ingest.ledger.acts import system_now
from ingest.ledger.leases import LIFETIME, RENEWAL_SECONDS, is_dead, now_by
from ingest.ledger.opening import LedgerError
from ingest.ledger.tables import upload


class ClaimLost(Exception):
    """Another process works with the upload by now, or it was cancelled; what was done does not count."""


@dataclass(frozen=True)
class Claim:
    """A worker's right to an upload. `holder` is as in `ingest.ledger.leases`."""

    upload_id: str
    holder: str


def is_free(claimed_by: str | None, claim_until: datetime | None, now: datetime) -> bool:
    """Whether nobody works with an upload: its worker is dead or silent, or its pause is over."""
    if claimed_by is not None and is_dead(claimed_by):
        return True
    return claim_until is None or claim_until <= now


def hold_claim(connection: sa.Connection, claim: Claim, **changes: Any) -> None:
    """Change an upload, and keep it for a while longer.

    Raises:
        ClaimLost: it is not this worker's.
    """
    _change(connection, claim, {"claim_until": now_by(connection) + LIFETIME, **changes})


def end_claimed(
    connection: sa.Connection,
    claim: Claim,
    state: str,
    submission_id: str | None = None,
    **changes: Any,
) -> None:
    """Bring an upload that a worker has to a state in which it stays, and let go of it: it has still to be settled.

    Raises:
        ClaimLost: it is not this worker's.
    """
    ended = {
        "state": state, "step": None, "changed_at": system_now(), "is_settled": False, "claimed_by": None,
        "claim_until": None,
    }  # fmt: skip
    if submission_id is not None:
        ended |= {"submission_id": submission_id, "is_accepted": state != "refused"}
    _change(connection, claim, ended | changes, only_working=True)


def give_back(connection: sa.Connection, claim: Claim, pause: timedelta, **changes: Any) -> None:
    """Let others take an upload, after a pause.

    Raises:
        ClaimLost: it is not this worker's.
    """
    _change(connection, claim, {"claimed_by": None, "claim_until": now_by(connection) + pause, **changes})


@contextmanager
def renewing(engine: sa.Engine, claim: Claim) -> Iterator[None]:
    """Keep a claim while the block runs, however long that takes. One that was lost is not taken back."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWAL_SECONDS):
            with suppress(LedgerError, ClaimLost), engine.begin() as connection:
                hold_claim(connection, claim)

    renewer = threading.Thread(target=renew, name=f"claim {claim.upload_id}", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        renewer.join()


def _change(connection: sa.Connection, claim: Claim, values: dict[str, Any], *, only_working: bool = False) -> None:
    statement = upload.update().where(upload.c.upload_id == claim.upload_id, upload.c.claimed_by == claim.holder)
    if only_working:
        statement = statement.where(upload.c.state == "working")
    if connection.execute(statement.values(**values)).rowcount != 1:
        raise ClaimLost(f"upload {claim.upload_id} is not this process's any more")
