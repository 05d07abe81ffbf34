"""Files that were handed over in the portal: what each is, and how far it has come.

    receiving → waiting → working → checked | to_confirm | unnamed | accepted | refused | duplicate | unpacked | failed

`unnamed`, `checked` and `to_confirm` wait for the sender, who names, submits or confirms (→ waiting) or cancels
(→ cancelled); after a while they are `expired`. What a sender does is an act in the audit log.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

import sqlalchemy as sa

from ingest.acting_user import Actor, ActorKind
from ingest.ledger.acts import add_act, system_now
from ingest.ledger.claims import Claim, end_claimed, is_free
from ingest.ledger.leases import LIFETIME, holder_here, is_dead, now_by
from ingest.ledger.opening import ChangeRefused
from ingest.ledger.tables import upload
from ingest.quarters import Quarter

if TYPE_CHECKING:
    from ingest.ledger.store import Ledger

Purpose = Literal["check", "submit"]
UploadState = Literal[
    "receiving", "waiting", "working", "unnamed", "checked", "to_confirm", "accepted", "refused", "duplicate",
    "unpacked", "failed", "cancelled", "expired",
]  # fmt: skip
PreviewState = Literal["waiting", "working", "again", "done", "failed"]
FOR_SENDER = ("unnamed", "checked", "to_confirm")
"""States in which the sender decides."""
ENDED = ("accepted", "refused", "duplicate", "unpacked", "failed", "cancelled", "expired")
"""States in which an upload stays."""
_ONE_AT_A_TIME = 7_240_032
"""PostgreSQL's advisory lock for claiming what is to be taken in."""
REMEMBERED = timedelta(days=120)
"""How long pages can show an upload that has ended; its submission and acts stay."""
MOST_ATTEMPTS = 3
"""A file at which so many workers died is not tried again."""
GAVE_UP = (
    "Filen gick inte att läsa: det tog slut på minne eller tid varje gång. Dela upp den, eller hör av dig till oss."
)
BROKEN_OFF = "Överföringen bröts innan hela filen hade kommit fram. Skicka filen igen."

MOST_PREVIEWS = 9
"""Previews of a unit that may wait at once: one of each dataset. They are made one at a time, of all units."""


class TooManyPreviews(ChangeRefused):
    """A preview was not begun: too many of the unit's wait."""


@dataclass(frozen=True)
class Upload:
    """One file. Columns as in `ingest.ledger.tables.upload`; times in UTC, without zone."""

    upload_id: str
    batch_id: str
    district_code: str
    purpose: Purpose
    file_name: str
    actor_kind: str
    actor: str
    created_at: datetime
    changed_at: datetime
    dataset: str | None = None
    quarter: str | None = None
    is_named_by_sender: bool = False
    size_bytes: int = 0
    sha256: str | None = None
    state: UploadState = "receiving"
    step: str | None = None
    is_accepted: bool | None = None
    replaces: str | None = None
    is_confirmed: bool = False
    submitted_at: datetime | None = None
    submission_id: str | None = None
    detail: str | None = None
    is_synthetic: bool = False
    is_settled: bool = False
    attempts: int = 0
    claimed_by: str | None = None
    claim_until: datetime | None = None
    preview_state: PreviewState | None = None

    @property
    def sender(self) -> Actor:
        """Who handed it over."""
        return Actor(cast(ActorKind, self.actor_kind), self.actor)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED

    @property
    def is_under_way(self) -> bool:
        """Whether its page is to be looked at again soon."""
        return self.state in ("receiving", "waiting", "working")


def new_id() -> str:
    """An id that can't be guessed: 26 letters and digits (130 bits)."""
    return base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def add_upload(ledger: Ledger, new: Upload) -> None:
    """Add an upload before its first byte is stored; this process receives it."""
    with ledger.engine.begin() as connection:
        connection.execute(
            upload.insert().values(
                **asdict(replace(new, claimed_by=holder_here(), claim_until=now_by(connection) + LIFETIME))
            )
        )


def keep_receiving(ledger: Ledger, batch_id: str) -> None:
    """Say that a batch's bytes still come."""
    with ledger.engine.begin() as connection:
        connection.execute(
            upload.update()
            .where(upload.c.batch_id == batch_id, upload.c.state == "receiving")
            .values(claim_until=now_by(connection) + LIFETIME)
        )


def hand_over(ledger: Ledger, whole: Sequence[Upload], submitted_at: datetime) -> None:
    """Let workers have a batch whose files are whole: all of them in one transaction, with the sender's act.

    Args:
        ledger: the installation's.
        whole: the batch's uploads with their sizes and checksums.
        submitted_at: UTC, without zone, by the installation's clock.

    Raises:
        ChangeRefused: the batch was given up meanwhile.
    """
    with ledger.engine.begin() as connection:
        for one in whole:
            changed = connection.execute(
                upload.update()
                .where(upload.c.upload_id == one.upload_id, upload.c.state == "receiving")
                .values(
                    state="waiting",
                    size_bytes=one.size_bytes,
                    sha256=one.sha256,
                    submitted_at=submitted_at if one.purpose == "submit" else None,
                    changed_at=system_now(),
                    claimed_by=None,
                    claim_until=None,
                )
            )
            if changed.rowcount != 1:
                raise ChangeRefused("the batch was given up: it took too long")
            if one.purpose == "submit":
                add_act(connection, "upload.submitted", one.upload_id)


def unpack(ledger: Ledger, claim: Claim, parts: Sequence[Upload]) -> None:
    """Put an archive's files in its place, in one transaction: they wait, and it has ended.

    Raises:
        ClaimLost: another process works with the archive by now.
    """
    with ledger.engine.begin() as connection:
        end_claimed(connection, claim, "unpacked")
        connection.execute(upload.insert(), [asdict(replace(part, state="waiting")) for part in parts])


def forget_batch(ledger: Ledger, batch_id: str) -> None:
    """Remove what was still being received of a batch."""
    with ledger.engine.begin() as connection:
        connection.execute(upload.delete().where(upload.c.batch_id == batch_id, upload.c.state == "receiving"))


def find_upload(ledger: Ledger, upload_id: str) -> Upload | None:
    """One upload."""
    found = _select(ledger, sa.select(upload).where(upload.c.upload_id == upload_id))
    return found[0] if found else None


def uploads_in_batch(ledger: Ledger, batch_id: str) -> list[Upload]:
    """The files of one request, in order of quarter, dataset and name."""
    return _select(ledger, _in_order(sa.select(upload).where(upload.c.batch_id == batch_id)))


def uploads_of(ledger: Ledger, district_code: str, most: int = 200) -> list[Upload]:
    """A unit's newest uploads, newest first."""
    own = sa.select(upload).where(upload.c.district_code == district_code)
    return _select(ledger, own.order_by(upload.c.created_at.desc(), upload.c.upload_id).limit(most))


def uploads_in_states(ledger: Ledger, states: Sequence[str]) -> list[Upload]:
    """All uploads in some states, oldest first."""
    return _select(ledger, _in_order(sa.select(upload).where(upload.c.state.in_(states))))


def _select(ledger: Ledger, statement: sa.Select[Any]) -> list[Upload]:
    with ledger.reading() as connection:
        return [Upload(**row._mapping) for row in connection.execute(statement)]


def _in_order(statement: sa.Select[Any]) -> sa.Select[Any]:
    """Oldest batch first; in one, as drop locations are read: older quarters first, then datasets in order."""
    return statement.order_by(
        upload.c.created_at,
        upload.c.batch_id,
        sa.func.coalesce(upload.c.quarter, ""),
        sa.func.coalesce(upload.c.dataset, ""),
        upload.c.file_name,
        upload.c.upload_id,
    )


# what workers do


def claim_next(ledger: Ledger) -> Upload | None:
    """Take the next upload that waits, that a dead worker had, or that has ended and is not settled.

    A unit's submissions are taken in one at a time. An upload at which workers died again and again has failed.
    """
    open_ones = sa.select(upload).where(
        sa.or_(upload.c.state.in_(("waiting", "working")), upload.c.is_settled.is_(False) & upload.c.state.in_(ENDED))
    )
    found = _select(ledger, _in_order(open_ones))
    if not found:
        return None
    now = _now(ledger)
    free = [one for one in found if is_free(one.claimed_by, one.claim_until, now)]
    free.sort(key=lambda one: one.has_ended)  # a verdict comes before what follows another
    busy = {one.district_code for one in found if _is_being_taken_in(one, now)}
    for one in free:
        if _is_to_take_in(one) and one.district_code in busy:
            continue
        claimed = _claim(ledger, one)
        if claimed is not None:
            return claimed
    return None


def _now(ledger: Ledger) -> datetime:
    with ledger.reading() as connection:
        return now_by(connection)


def _is_to_take_in(one: Upload) -> bool:
    return one.purpose == "submit" and one.state in ("waiting", "working")


def _is_being_taken_in(one: Upload, now: datetime) -> bool:
    return _is_to_take_in(one) and one.claimed_by is not None and not is_free(one.claimed_by, one.claim_until, now)


def _claim(ledger: Ledger, seen: Upload) -> Upload | None:
    """Claim an upload that is still as it was seen, unless another of its unit is being taken in by now."""
    is_work = seen.state in ("waiting", "working")
    values: dict[str, Any] = {"claimed_by": holder_here(), "claim_until": _now(ledger) + LIFETIME}
    if is_work and seen.attempts >= MOST_ATTEMPTS:
        values |= {"state": "failed", "step": None, "detail": GAVE_UP, "changed_at": system_now()}
    elif is_work:
        values |= {"state": "working", "step": "läser", "attempts": seen.attempts + 1, "changed_at": system_now()}
    with ledger.engine.begin() as connection:
        if _is_to_take_in(seen):
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"select pg_advisory_xact_lock({_ONE_AT_A_TIME})")
            others = sa.select(upload).where(
                upload.c.district_code == seen.district_code, upload.c.upload_id != seen.upload_id,
                upload.c.state == "working",
            )  # fmt: skip
            now = now_by(connection)
            if any(_is_being_taken_in(Upload(**row._mapping), now) for row in connection.execute(others)):
                return None
        changed = connection.execute(
            upload.update()
            .where(
                upload.c.upload_id == seen.upload_id,
                upload.c.state == seen.state,
                upload.c.claimed_by.is_not_distinct_from(seen.claimed_by),
                upload.c.claim_until.is_not_distinct_from(seen.claim_until),
            )
            .values(**values)
        )
    return replace(seen, **values) if changed.rowcount == 1 else None


# what senders do


def name_upload(ledger: Ledger, upload_id: str, dataset: str, quarter: Quarter) -> None:
    """Say which dataset and quarter a file is whose name can't be read.

    Raises:
        ChangeRefused: it does not wait for that.
    """
    _send(ledger, upload_id, ("unnamed",), "upload.named", dataset=dataset, quarter=str(quarter),
          is_named_by_sender=True)  # fmt: skip


def submit_upload(ledger: Ledger, upload_id: str, submitted_at: datetime, *, is_confirmed: bool = False) -> None:
    """Hand in a file that was checked and accepted.

    Args:
        ledger: the installation's.
        upload_id: whose.
        submitted_at: UTC, without zone, by the installation's clock.
        is_confirmed: the sender was shown what changes in the version that it replaces.

    Raises:
        ChangeRefused: it is not such a file.
    """
    _send(ledger, upload_id, ("checked",), "upload.submitted", upload.c.is_accepted.is_(True), purpose="submit",
          submitted_at=submitted_at, is_confirmed=is_confirmed)  # fmt: skip


def confirm_upload(ledger: Ledger, upload_id: str, submitted_at: datetime) -> None:
    """Agree to replace the version in force. It is checked again, and asked for again if that version is another.

    Raises:
        ChangeRefused: it does not wait for that.
    """
    _send(ledger, upload_id, ("to_confirm",), "upload.confirmed", is_confirmed=True, submitted_at=submitted_at)


def cancel_upload(ledger: Ledger, upload_id: str) -> None:
    """Give up a file that has not been taken in.

    Raises:
        ChangeRefused: it is in force, being worked with, or has ended.
    """
    _send(ledger, upload_id, ("waiting", *FOR_SENDER), "upload.cancelled", state="cancelled", is_settled=False)


def start_preview(ledger: Ledger, upload_id: str) -> None:
    """Ask which figures a file would change.

    Raises:
        TooManyPreviews: so many of the unit's wait already that others would wait for long.
        ChangeRefused: it is not a file that was checked and accepted and waits for its sender.
    """
    with ledger.engine.begin() as connection:
        unit = sa.select(upload.c.district_code).where(upload.c.upload_id == upload_id).scalar_subquery()
        asked = upload.c.preview_state.in_(("waiting", "working", "again")) & (upload.c.district_code == unit)
        if (connection.scalar(sa.select(sa.func.count()).select_from(upload).where(asked)) or 0) >= MOST_PREVIEWS:
            raise TooManyPreviews(f"{MOST_PREVIEWS} previews of the unit wait already")
        changed = connection.execute(
            upload.update()
            .where(
                upload.c.upload_id == upload_id,
                upload.c.state.in_(("checked", "to_confirm")),
                upload.c.is_accepted.is_(True),
                sa.or_(upload.c.preview_state.is_(None), upload.c.preview_state == "failed"),
            )
            .values(preview_state="waiting")
        )
        if changed.rowcount != 1:
            raise ChangeRefused("a preview can't be made of this upload now")


def next_preview(ledger: Ledger) -> Upload | None:
    """The oldest upload whose preview waits or was cut off. The caller holds the lease of previews."""
    asked = sa.select(upload).where(
        upload.c.preview_state.in_(("waiting", "working", "again")), upload.c.state.in_(("checked", "to_confirm"))
    )
    found = _select(ledger, _in_order(asked).limit(1))
    return found[0] if found else None


def set_preview(ledger: Ledger, upload_id: str, state: PreviewState) -> None:
    """Say how far a preview is."""
    with ledger.engine.begin() as connection:
        connection.execute(upload.update().where(upload.c.upload_id == upload_id).values(preview_state=state))


def _send(ledger: Ledger, upload_id: str, states: Sequence[str], action: str, *conditions: Any, **changes: Any) -> None:
    """What a sender decides about an upload, with its act; a new state is `waiting` unless another is given."""
    values = {
        "state": "waiting", "changed_at": system_now(), "claimed_by": None, "claim_until": None, "attempts": 0,
        "detail": None, **changes,
    }  # fmt: skip
    with ledger.engine.begin() as connection:
        mine = upload.update().where(upload.c.upload_id == upload_id, upload.c.state.in_(states), *conditions)
        if connection.execute(mine.values(**values)).rowcount != 1:
            raise ChangeRefused("the upload is not in a state in which this can be done")
        add_act(connection, action, upload_id)


# what time does


def end_broken_off(ledger: Ledger) -> None:
    """End uploads whose receiving process is dead or silent."""
    now = _now(ledger)
    for one in uploads_in_states(ledger, ("receiving",)):
        if is_free(one.claimed_by, one.claim_until, now):
            _end(ledger, one, "failed", BROKEN_OFF)


def expire(ledger: Ledger, before: datetime) -> None:
    """End uploads that have waited for their sender since before a moment."""
    for one in uploads_in_states(ledger, FOR_SENDER):
        if one.changed_at < before:
            _end(ledger, one, "expired", None)


def take_back(ledger: Ledger, upload_id: str, detail: str) -> None:
    """Cancel an upload whatever it waits for, also one that is worked with; one that has ended stays as it is."""
    with ledger.engine.begin() as connection:
        connection.execute(
            upload.update()
            .where(upload.c.upload_id == upload_id, upload.c.state.not_in(ENDED))
            .values(state="cancelled", step=None, detail=detail, changed_at=system_now(), claimed_by=None,
                    claim_until=None)
        )  # fmt: skip


def _end(ledger: Ledger, seen: Upload, state: UploadState, detail: str | None) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(
            upload.update()
            .where(
                upload.c.upload_id == seen.upload_id,
                upload.c.state == seen.state,
                upload.c.changed_at == seen.changed_at,
                upload.c.claim_until.is_not_distinct_from(seen.claim_until),
            )
            .values(state=state, detail=detail, changed_at=system_now(), claimed_by=None, claim_until=None)
        )


def forget(ledger: Ledger, before: datetime) -> None:
    """Remove uploads that ended and were settled before a moment; submissions and acts stay."""
    with ledger.engine.begin() as connection:
        connection.execute(
            upload.delete().where(
                upload.c.state.in_(ENDED), upload.c.is_settled.is_(True), upload.c.changed_at < before
            )
        )


def waiting_since(ledger: Ledger) -> datetime | None:
    """Since when the oldest upload waits for a worker, in UTC, without zone; None when none does."""
    now = _now(ledger)
    waiting = [
        one.changed_at
        for one in uploads_in_states(ledger, ("waiting", "working"))
        if one.claimed_by is None or is_dead(one.claimed_by) or is_free(one.claimed_by, one.claim_until, now)
    ]
    return min(waiting, default=None)
