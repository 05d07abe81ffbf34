"""Decisions of the city in the ledger: locked quarters, exceptions, withdrawals, local names of interventions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from ingest.contracts import LocalName
from ingest.folding import fold
from ingest.ledger.acts import add_act
from ingest.ledger.freezes import is_frozen, require_not_frozen
from ingest.ledger.quarter_revisions import open_revision
from ingest.ledger.store import ChangeRefused, Ledger, Submission
from ingest.ledger.tables import local_name, lock_exception, quarter_lock, submission, withdrawal
from ingest.quarters import Quarter


@dataclass(frozen=True)
class LockException:
    """Leave to submit into a locked quarter. `dataset` None means every dataset; `until_date` None: until closed."""

    lock_exception_id: int
    reporting_quarter: str
    district_code: str
    dataset: str | None
    opened_at: datetime
    until_date: date | None
    why: str


@dataclass(frozen=True)
class Withdrawal:
    """A submission that was taken out of force; `withdrawn_at` in UTC, without zone."""

    submission_id: str
    withdrawn_at: datetime
    why: str


def lock_quarter(ledger: Ledger, quarter: Quarter, now: datetime) -> bool:
    """Lock a quarter: from now on its files are refused unless an exception is open.

    Returns:
        Whether it was open until now.
    """
    with ledger.engine.begin() as connection:
        if _is_locked(connection, quarter):
            return False
        connection.execute(quarter_lock.insert().values(reporting_quarter=str(quarter), locked_at=now))
        add_act(connection, "quarter.locked", str(quarter))
        return True


def unlock_quarter(ledger: Ledger, quarter: Quarter, now: datetime) -> bool:
    """Open a locked quarter again.

    Returns:
        Whether it was locked until now.

    Raises:
        ChangeRefused: its figures are frozen.
    """
    with ledger.engine.begin() as connection:
        require_not_frozen(connection, quarter)
        changed = connection.execute(
            quarter_lock.update()
            .where(quarter_lock.c.reporting_quarter == str(quarter), quarter_lock.c.unlocked_at.is_(None))
            .values(unlocked_at=now)
        )
        if changed.rowcount:
            add_act(connection, "quarter.unlocked", str(quarter))
        return bool(changed.rowcount)


def require_changeable(ledger: Ledger, quarter: Quarter) -> None:
    """Require that a quarter's figures can still change.

    Raises:
        ChangeRefused: they are frozen.
    """
    with ledger.reading() as connection:
        require_not_frozen(connection, quarter)


def locked_quarters(ledger: Ledger) -> set[str]:
    """The quarters that are locked now, such as `2018Q3`."""
    with ledger.reading() as connection:
        return set(
            connection.scalars(sa.select(quarter_lock.c.reporting_quarter).where(quarter_lock.c.unlocked_at.is_(None)))
        )


def newest_lock(ledger: Ledger) -> datetime | None:
    """When a quarter was last locked that still is; UTC, without zone. None when none is."""
    statement = sa.select(quarter_lock.c.locked_at).where(quarter_lock.c.unlocked_at.is_(None))
    with ledger.reading() as connection:
        return max(connection.scalars(statement), default=None)


def _is_locked(connection: sa.Connection, quarter: Quarter) -> bool:
    found = connection.execute(
        sa.select(quarter_lock.c.quarter_lock_id).where(
            quarter_lock.c.reporting_quarter == str(quarter), quarter_lock.c.unlocked_at.is_(None)
        )
    ).first()
    return found is not None


def open_exception(
    ledger: Ledger,
    quarter: Quarter,
    district_code: str,
    dataset: str | None,
    *,
    until: date | None,
    why: str,
    now: datetime,
) -> int:
    """Let a district submit into a locked quarter, until a day or until it is closed.

    Returns:
        The exception's number.

    Raises:
        ChangeRefused: the quarter's figures are frozen.
    """
    with ledger.engine.begin() as connection:
        require_not_frozen(connection, quarter)
        added = connection.execute(
            lock_exception.insert()
            .values(
                reporting_quarter=str(quarter),
                district_code=district_code,
                dataset=dataset,
                opened_at=now,
                until_date=until,
                why=why,
            )
            .returning(lock_exception.c.lock_exception_id)
        )
        number = int(added.scalar_one())
        subject = f"{number}: {quarter} {district_code} {dataset or 'every dataset'}, until {until or 'closed'}"
        add_act(connection, "exception.opened", subject, why)
        return number


def close_exception(ledger: Ledger, number: int, now: datetime) -> bool:
    """Close an exception.

    Returns:
        Whether it was open until now.
    """
    with ledger.engine.begin() as connection:
        changed = connection.execute(
            lock_exception.update()
            .where(lock_exception.c.lock_exception_id == number, lock_exception.c.closed_at.is_(None))
            .values(closed_at=now)
        )
        if changed.rowcount:
            add_act(connection, "exception.closed", str(number))
        return bool(changed.rowcount)


def open_exceptions(ledger: Ledger, today: date) -> list[LockException]:
    """The exceptions that hold today, oldest first."""
    columns = [lock_exception.c[name] for name in LockException.__dataclass_fields__]
    statement = sa.select(*columns).where(
        lock_exception.c.closed_at.is_(None),
        sa.or_(lock_exception.c.until_date.is_(None), lock_exception.c.until_date >= today),
    )
    with ledger.reading() as connection:
        rows = connection.execute(statement.order_by(lock_exception.c.lock_exception_id))
        return [LockException(**row._mapping) for row in rows]


def is_closed_to(ledger: Ledger, district_code: str, dataset: str, quarter: Quarter, today: date) -> bool:
    """Whether the quarter is frozen, or is locked and no exception is open for this district and dataset."""
    with ledger.reading() as connection:
        if is_frozen(connection, quarter):
            return True
    if str(quarter) not in locked_quarters(ledger):
        return False
    return not any(
        found.reporting_quarter == str(quarter)
        and found.district_code == district_code
        and found.dataset in (None, dataset)
        for found in open_exceptions(ledger, today)
    )


def withdraw(ledger: Ledger, found: Submission, why: str, now: datetime) -> None:
    """Take an accepted submission out of force; the newest accepted version before it, if any, is in force again.

    Raises:
        ChangeRefused: it is not accepted, or its quarter is frozen.
    """
    with ledger.engine.begin() as connection:
        if found.reporting_quarter is not None:
            require_not_frozen(connection, found.reporting_quarter)
        changed = connection.execute(
            submission.update()
            .where(submission.c.submission_id == found.submission_id, submission.c.state == "accepted")
            .values(state="withdrawn")
        )
        if not changed.rowcount:
            raise ChangeRefused(f"submission {found.submission_id} is {found.state}: only an accepted one is withdrawn")
        connection.execute(withdrawal.insert().values(submission_id=found.submission_id, withdrawn_at=now, why=why))
        open_revision(connection, found.reporting_quarter, now)
        add_act(connection, "submission.withdrawn", found.submission_id, why)


def withdrawals_of(ledger: Ledger, submission_ids: Collection[str]) -> dict[str, Withdrawal]:
    """The withdrawals among these submissions, by id."""
    columns = [withdrawal.c[name] for name in Withdrawal.__dataclass_fields__]
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(*columns).where(withdrawal.c.submission_id.in_(list(submission_ids))))
        return {row.submission_id: Withdrawal(**row._mapping) for row in rows}


def record_rows_restored(ledger: Ledger, submission_id: str, parquet_sha256: str, row_count: int) -> None:
    """Record a submission's file of rows after it was stored again with other content."""
    with ledger.engine.begin() as connection:
        connection.execute(
            submission.update()
            .where(submission.c.submission_id == submission_id)
            .values(parquet_sha256=parquet_sha256, row_count=row_count)
        )
        add_act(connection, "submission.rows_restored", submission_id)


def add_local_name(ledger: Ledger, name: LocalName, now: datetime) -> None:
    """Add a district's own name of an intervention, or say anew what it means."""
    key = {"district_code": name.district_code, "folded_alias": fold(name.alias)}
    with ledger.engine.begin() as connection:
        connection.execute(
            local_name.delete().where(
                local_name.c.district_code == key["district_code"], local_name.c.folded_alias == key["folded_alias"]
            )
        )
        connection.execute(
            local_name.insert().values(**key, alias=name.alias, intervention_code=name.intervention_code, added_at=now)
        )
        add_act(connection, "local_name.added", f"{name.district_code}: {name.intervention_code}")


def local_names(ledger: Ledger) -> tuple[LocalName, ...]:
    """The names that the city has added beside the seed `intervention_aliases`."""
    columns = (local_name.c.district_code, local_name.c.alias, local_name.c.intervention_code)
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(*columns).order_by(local_name.c.district_code, local_name.c.folded_alias))
        return tuple(LocalName(row.district_code, row.alias, row.intervention_code) for row in rows)
