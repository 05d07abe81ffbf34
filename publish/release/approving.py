"""From a proposal to what readers see: approval is one transaction in the ledger, and only after it is the file served.

Killed at any point, readers have the old release or the new one whole; the ledger knows everything that they may have
seen; and the next run completes what was approved.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ingest.ledger import Ledger, releases
from ingest.ledger.releases import ReleaseRow
from ingest.settings import Settings
from publish.release.certificate import Certificate
from publish.release.writing import holds_the_same, stamp
from publish.serving import Served, finish, read_release, serve
from publish.serving.folder import Identity, current_folder, read_identity

Step = Callable[[int | None, int | None, str], None]
FILE_NAME = "release.duckdb"


class ReleaseRefused(Exception):
    """Nothing was released, and nothing was tried; the message says why. What readers see stays."""


@dataclass(frozen=True)
class Release:
    """What became of a release; `unchanged`: none was made, for this one shows the same already.

    A proposal that waits with the same figures is returned as it is.
    """

    release_id: int
    state: Literal["released", "proposed", "unchanged"]
    is_revision: bool
    until_quarter: str | None
    tables: dict[str, int]
    """Table → rows."""
    certificate: Certificate | None
    served: Served | None
    waits_because: str | None
    """Why a proposal waits for approval."""
    warnings: tuple[str, ...] = ()
    notice: str = ""


def approve_release(
    settings: Settings,
    release_id: int,
    *,
    now: datetime | None = None,
    on_step: Step = lambda number, total, what: None,
) -> Release:
    """Let a proposed release go out.

    Raises:
        ChangeRefused: there is no such release, or it does not wait.
        ReleaseRefused: its file is gone: make a new one.
        ServingError, LeaseBusy: as `release`.
    """
    with ledger_for_release(settings) as ledger:
        complete(settings, ledger, on_step)
        row = next((one for one in releases.releases(ledger) if one.release_id == release_id), None)
        file = proposal_folder(settings, release_id) / FILE_NAME
        if row is not None and row.state == "proposed" and not file.exists():
            raise ReleaseRefused(f"the file of release {release_id} is gone: run `followup publish` again")
        served = approve_and_serve(settings, ledger, release_id, now or settings.now(), on_step)
        rows = {table.name: table.rows for table in served.tables}
        notice = read_release(file).notice
        is_revision, until = (row.is_revision, row.until_quarter) if row else (False, None)
        return Release(release_id, "released", is_revision, until, rows, None, served, None, (), notice)


def reject_release(settings: Settings, release_id: int, why: str, *, wait_seconds: float = 120.0) -> None:
    """Say that a proposed release is not published, and remove its file. What readers see stays.

    Args:
        settings: the installation's.
        release_id: of a proposal.
        why: for the ledger; nothing personal.
        wait_seconds: for another process that releases.

    Raises:
        ChangeRefused: there is no such release, or it does not wait.
        LeaseBusy: another process is releasing.
    """
    with ledger_for_release(settings, wait_seconds) as ledger:
        releases.reject(ledger, release_id, why)
        _clear(settings, ledger)


def serve_current(settings: Settings, *, on_step: Step = lambda number, total, what: None) -> Served:
    """Serve once more what has gone out: to a new database, with new passwords, with or without analysts' marts.

    Raises:
        ReleaseRefused: nothing has gone out, or its file is gone.
        ServingError, LeaseBusy: as `release`.
    """
    with ledger_for_release(settings) as ledger:
        complete(settings, ledger, on_step)
        current = releases.current_release(ledger)
        if current is None:
            raise ReleaseRefused("nothing has gone out yet: run `followup publish` first")
        if not (proposal_folder(settings, current.release_id) / FILE_NAME).exists():
            raise ReleaseRefused(f"the file of release {current.release_id} is gone: make a new one")
        return _serve(settings, current.release_id, on_step)


@contextmanager
def ledger_for_release(settings: Settings, wait_seconds: float = 120.0) -> Iterator[Ledger]:
    """The ledger, while nobody else releases.

    Raises:
        LeaseBusy: somebody does.
    """
    ledger = Ledger(settings.ledger)
    try:
        with ledger.lease("publish", wait_seconds):
            yield ledger
    finally:
        ledger.close()


def proposal_folder(settings: Settings, release_id: int) -> Path:
    """Where the file of a proposal is, and what is published beside it."""
    return settings.home.absolute() / "proposed" / str(release_id)


def complete(settings: Settings, ledger: Ledger, on_step: Step) -> None:
    """Serve what was approved before a run was killed, and clear away what was never recorded.

    Raises:
        ReleaseRefused: readers see a release that the ledger does not hold, so that it is not this release's ledger or
            an older one; nothing is changed.
    """
    served = current_folder(settings)
    seen = read_identity(served) if served is not None else None
    _hold_what_is_public(settings, ledger, seen)
    finish(settings, on_step=lambda what: on_step(None, None, what))
    current = _clear(settings, ledger)
    if current is None or not (proposal_folder(settings, current) / FILE_NAME).exists():
        return
    if seen is None or seen.release_id != str(current):
        _serve(settings, current, on_step)


def _hold_what_is_public(settings: Settings, ledger: Ledger, seen: Identity | None) -> None:
    # without its cells another release could show what that one hides, and the file of that one would be cleared away
    out = {str(one.release_id) for one in releases.releases(ledger) if one.state == "released"}
    if seen is not None and seen.release_id not in out:
        raise ReleaseRefused(
            f"readers see release {seen.release_id} at {settings.published}, and the ledger does not hold it: put the "
            "ledger back from backup, for without it nothing more may be released"
        )


def approve_and_serve(settings: Settings, ledger: Ledger, release_id: int, now: datetime, on_step: Step) -> Served:
    """Approve and serve. The ledger is first: it must know everything that readers may have seen."""
    path = proposal_folder(settings, release_id) / FILE_NAME
    if path.exists():
        copy = path.with_name(".stamped")
        copy.with_name(".stamped.wal").unlink(missing_ok=True)  # of a run that was killed: not of this copy
        shutil.copy(path, copy)
        stamp(copy, now)
        copy.replace(path)
    releases.approve(ledger, release_id, naive(now))
    served = _serve(settings, release_id, on_step)
    _clear(settings, ledger)
    return served


def shown_by(settings: Settings, ledger: Ledger, path: Path) -> ReleaseRow | None:
    """The current release, or else the proposal that waits, that shows the very same as a written one."""
    waiting = [one for one in releases.releases(ledger) if one.state == "proposed"]
    for one in (releases.current_release(ledger), *waiting):
        if one is not None:
            file = proposal_folder(settings, one.release_id) / FILE_NAME
            if file.exists() and holds_the_same(path, file):
                return one
    return None


def no_other(
    settings: Settings, ledger: Ledger, same: ReleaseRow, made: Release, waits: str | None, now: datetime, on_step: Step
) -> Release:
    """What there is to say instead of another release: a waiting proposal with the same is published where it may."""
    if same.state != "proposed":
        return made
    if waits is not None:
        return replace(made, state="proposed", waits_because=waits)
    return replace(made, state="released", served=approve_and_serve(settings, ledger, same.release_id, now, on_step))


def _clear(settings: Settings, ledger: Ledger) -> int | None:
    """Remove the files of what neither waits nor is current; returns the current release's number."""
    rows = releases.releases(ledger)
    current = next((one.release_id for one in reversed(rows) if one.state == "released"), None)
    wanted = {one.release_id for one in rows if one.state == "proposed"} | {current}
    folder = settings.home.absolute() / "proposed"
    for found in folder.iterdir() if folder.exists() else ():
        if not found.name.isdigit() or int(found.name) not in wanted:
            shutil.rmtree(found)
    return current


def _serve(settings: Settings, release_id: int, on_step: Step) -> Served:
    folder = proposal_folder(settings, release_id)
    return serve(folder / FILE_NAME, settings, beside=folder / "beside", on_step=lambda what: on_step(None, None, what))


def naive(moment: datetime) -> datetime:
    """A moment as the ledger keeps it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
