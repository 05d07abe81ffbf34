"""Leases: one holder at a time for a named piece of work, across processes and machines.

A lease expires soon unless a thread renews it. A lease whose holder is a dead process of this machine is taken over at
once, so that a killed run can be repeated without waiting.
"""

from __future__ import annotations

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


def _started(pid: int) -> str | None:
    """When a process of this machine started, in kernel ticks; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def holder_here() -> str:
    """This thread of this process, as a holder is written in the ledger."""
    return f"{socket.gethostname()}|{os.getpid()}|{_started(os.getpid())}|{threading.get_ident()}"


def is_dead(holder: str) -> bool:
    """Whether a holder is a process of this machine that has ended."""
    host, pid, started, _ = holder.split("|")
    return host == socket.gethostname() and _started(int(pid)) != started


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _take(engine: sa.Engine, name: str, holder: str) -> bool:
    """Take the lease when it is free, expired, or its holder dead. One transaction."""
    with engine.begin() as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == name).with_for_update()).first()
        if row is not None and row.holder != holder and row.expires_at > _now() and not is_dead(row.holder):
            return False
        values = {"holder": holder, "expires_at": _now() + LIFETIME}
        if row is None:
            connection.execute(lease.insert().values(name=name, **values))
        else:
            connection.execute(lease.update().where(lease.c.name == name).values(**values))
        return True


def is_held(engine: sa.Engine, name: str) -> bool:
    """Whether somebody who lives holds the lease now."""
    with engine.connect().execution_options(reading=True) as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == name)).first()
    return row is not None and row.expires_at > _now() and not is_dead(row.holder)


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
                        .values(expires_at=_now() + LIFETIME)
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
