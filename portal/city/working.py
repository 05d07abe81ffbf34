"""Works: acts that take long, each in a process of its own, with a state that survives the page and the portal.

A work is a file, `FOLLOWUP_HOME/work/<id>.json`, that the portal writes once and then only the work's process. It
names who asked, so that the audit log does; the process is handed nothing but the id. While it works it
holds two leases of the ledger: its lane's, so that one work of a lane works at a time, and its own, which nobody holds
any more when it was cut off.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from ingest.file_permissions import make_folder
from ingest.ledger.acts import system_now
from ingest.ledger.leases import is_held
from ingest.settings import Settings
from ingest.storing import write_whole
from portal.context import Portal

log = logging.getLogger(__name__)
BUSY = "Ett annat arbete pågår redan. Vänta tills det är klart och försök sedan igen."
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_STARTS_WITHIN = timedelta(seconds=90)
"""A process that has not begun by then will not."""
_KEPT = timedelta(days=30)
_STARTING = threading.Lock()

State = Literal["waiting", "working", "done", "refused", "failed", "interrupted"]


class Kind(StrEnum):
    """What a work does."""

    PROPOSE = "propose"
    APPROVE = "approve"
    SERVE = "serve"
    WITHDRAW = "withdraw"
    NAME = "name"

    @property
    def lane(self) -> str:
        """Works of one lane follow each other."""
        return "intake" if self in (Kind.WITHDRAW, Kind.NAME) else "release"


@dataclass(frozen=True)
class Work:
    """One work.

    Attributes:
        actor: name of the user who asked for it.
        begun_at, changed_at: by the system's clock; UTC, without zone.
        back: the page to go on from.
        about: what the kind needs: a release's number, a submission's id, a reason.
        step: what is being done, Swedish.
        outcome: how it ended, Swedish; `lines` say more.
        detail: what the program said, English.
    """

    work_id: str
    kind: Kind
    actor: str
    begun_at: datetime
    changed_at: datetime
    back: str
    about: dict[str, str] = field(default_factory=dict)
    state: State = "waiting"
    step: str = ""
    outcome: str = ""
    lines: tuple[str, ...] = ()
    detail: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("waiting", "working")


def start(portal: Portal, actor: str, kind: Kind, *, back: str, **about: str) -> Work | None:
    """Begin a work in a process of its own; None where another of its lane is under way."""
    with _STARTING:
        if under_way(portal, kind.lane) is not None:
            return None
        _forget_old(portal.settings)
        now = system_now()
        work = Work(secrets.token_hex(8), kind, actor, now, now, back, about)
        write(portal.settings, work)
        process = spawn(portal.settings, work.work_id)
    if process is not None:
        threading.Thread(target=process.wait, name=f"work {work.work_id}", daemon=True).start()
    return work


def spawn(settings: Settings, work_id: str) -> subprocess.Popen[bytes] | None:
    """Start the process of a work. It is in a session of its own: it goes on when the portal ends."""
    return subprocess.Popen(
        [sys.executable, "-m", "portal.city.work", work_id],
        env=os.environ | variables_of(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def variables_of(settings: Settings) -> dict[str, str]:
    """The settings that were given, as the environment says them to another process of this machine."""
    found = {}
    for name, declared in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name in settings.model_fields_set and value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            found[declared.alias or f"FOLLOWUP_{name.upper()}"] = text
    return found


def under_way(portal: Portal, lane: str) -> Work | None:
    """The work of a lane that has not ended."""
    return next((one for one in works(portal) if one.kind.lane == lane and one.is_under_way), None)


def works(portal: Portal) -> list[Work]:
    """All works that are remembered, newest first."""
    found = [one for path in _folder(portal.settings).glob("*.json") if (one := find(portal, path.stem)) is not None]
    return sorted(found, key=lambda one: one.begun_at, reverse=True)


def find(portal: Portal, work_id: str) -> Work | None:
    """A work as it is now; one that was cut off says so."""
    work = read(portal.settings, work_id)
    if work is None or not work.is_under_way:
        return work
    if work.state == "working" and is_held(portal.ledger.engine, lease_of(work)):
        return work
    if work.state == "waiting" and system_now() - work.begun_at < _STARTS_WITHIN:
        return work
    again = read(portal.settings, work_id)  # it may have ended just now
    return replace(again, state="interrupted") if again is not None and again.is_under_way else again


def lease_of(work: Work) -> str:
    """The lease that a work's process holds as long as it lives."""
    return f"work:{work.work_id}"


def lease_of_lane(work: Work) -> str:
    """The lease that lets one work of a lane work at a time."""
    return f"works:{work.kind.lane}"


def read(settings: Settings, work_id: str) -> Work | None:
    """A work as its file says; None where there is none that can be read."""
    if not _ID.fullmatch(work_id):
        return None
    try:
        said = json.loads((_folder(settings) / f"{work_id}.json").read_text(encoding="utf-8"))
        times = {name: datetime.fromisoformat(said[name]) for name in ("begun_at", "changed_at")}
        return Work(**{**said, **times, "kind": Kind(said["kind"]), "lines": tuple(said["lines"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(settings: Settings, work: Work) -> None:
    """Store a work as it is now."""
    folder = make_folder(_folder(settings))
    text = json.dumps(asdict(work), default=lambda value: value.isoformat(), ensure_ascii=False)
    write_whole(folder / f"{work.work_id}.json", text.encode())


def _folder(settings: Settings) -> Path:
    return settings.home / "work"


def _forget_old(settings: Settings) -> None:
    for path in _folder(settings).glob("*.json"):
        work = read(settings, path.stem)
        if work is not None and work.changed_at < system_now() - _KEPT:
            with suppress(OSError):
                path.unlink()
