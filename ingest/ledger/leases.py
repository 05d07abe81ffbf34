"""Leases: one holder at a time for a named piece of work, across processes and machines.

A lease expires soon unless a thread renews it. A lease whose holder is a dead process of this machine is taken over at
once, so that a killed run can be repeated without waiting. Times are the database's where it has a clock: those of
several machines may differ by more than a lease lasts.

A holder may be stopped for so long that another takes over, and then go on. What it does last, and only that, counts:
it does so in `fenced`, the transaction that sees that the lease is still its own.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from ingest.ledger.opening import LedgerError
from ingest.ledger.tables import lease

LIFETIME = timedelta(seconds=90)
RENEWAL_SECONDS = 20.0
_RETRY_SECONDS = 2.0


class LeaseBusy(Exception):
    """Another process holds the lease; try again when it is done."""


class LeaseLost(LeaseBusy):
    """This process was stopped for so long that another took the lease over; what it did does not count."""


def _started(pid: int) -> str | None:
    """When a process of this machine started, in kernel ticks; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def machine() -> str:
    """This machine since its start: two machines may have one name (copies of one image), and pids are of each."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        boot = b""
    return f"{socket.gethostname()}@{hashlib.sha256(boot).hexdigest()[:8]}"


def holder_here() -> str:
    """This thread of this process, as a holder is written in the ledger."""
    return f"{machine()}|{os.getpid()}|{_started(os.getpid())}|{threading.get_ident()}"


def is_dead(holder: str) -> bool:
    """Whether a holder is a process of this machine that has ended."""
    host, pid, started, _ = holder.split("|")
    return host == machine() and _started(int(pid)) != started


def now_by(connection: sa.Connection) -> datetime:
    """The time, UTC without zone, by the clock that all machines share: the database's; this machine's for SQLite."""
    if connection.dialect.name == "postgresql":
        return connection.execute(sa.select(sa.func.timezone("UTC", sa.func.clock_timestamp()))).scalar_one()
    return datetime.now(UTC).replace(tzinfo=None)


def _take(engine: sa.Engine, name: str, holder: str) -> bool:
    """Take the lease when it is free, expired, or its holder dead. One transaction."""
    with engine.begin() as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == name).with_for_update()).first()
        now = now_by(connection)
        if row is not None and row.holder != holder and row.expires_at > now and not is_dead(row.holder):
            return False
        values = {"holder": holder, "expires_at": now + LIFETIME}
        if row is None:
            connection.execute(lease.insert().values(name=name, **values))
        else:
            connection.execute(lease.update().where(lease.c.name == name).values(**values))
        return True


def is_held(engine: sa.Engine, name: str) -> bool:
    """Whether somebody who lives holds the lease now."""
    with engine.connect().execution_options(reading=True) as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == name)).first()
        now = now_by(connection)
    return row is not None and row.expires_at > now and not is_dead(row.holder)


@contextmanager
def fenced(engine: sa.Engine, name: str) -> Iterator[sa.Connection]:
    """The transaction in which this thread, which holds the lease, puts in place what it has done.

    Nobody can take the lease over before it ends, for it locks the lease's row.

    Raises:
        LeaseLost: the lease is another's by now; the block does not run.
    """
    with engine.begin() as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == name).with_for_update()).first()
        if row is None or row.holder != holder_here():
            raise LeaseLost(f"{name} was taken over by another process while this one was stopped: run it again")
        yield connection


@contextmanager
def hold(engine: sa.Engine, name: str, wait_seconds: float) -> Iterator[None]:
    """Hold a lease while the block runs.

    Raises:
        LeaseBusy: it did not come free within `wait_seconds`.
    """
    holder, until = holder_here(), time.monotonic() + wait_seconds
    while True:
        try:
            if _take(engine, name, holder):
                break
        except sa.exc.IntegrityError:
            pass  # another process inserted the row first: look again
        if time.monotonic() > until:
            raise LeaseBusy(f"{name} is being done by another process; try again when it has ended")
        time.sleep(0.2)
    done = threading.Event()

    def renew() -> None:
        pause = RENEWAL_SECONDS
        while not done.wait(pause):
            pause = RENEWAL_SECONDS
            try:
                with engine.begin() as connection:
                    connection.execute(
                        lease.update()
                        .where(lease.c.name == name, lease.c.holder == holder)
                        .values(expires_at=now_by(connection) + LIFETIME)
                    )
            except LedgerError:
                pause = _RETRY_SECONDS  # a database that restarts: the lease outlives it

    renewer = threading.Thread(target=renew, name=f"lease {name}", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        renewer.join()
        # What was done is done: a database that is gone by now only lets the lease expire.
        with suppress(LedgerError), engine.begin() as connection:
            connection.execute(lease.delete().where(lease.c.name == name, lease.c.holder == holder))
