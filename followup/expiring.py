"""Erasing what has been stored longer than the settings say, and a report of how much of what went."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from followup.build.freezing import Due, due_quarters, freeze_and_erase, rows_due
from followup.deciding import now_naive
from ingest.feedback_files import FEEDBACK_ENDINGS, feedback_path
from ingest.ledger import sessions
from ingest.ledger.acts import system_now
from ingest.ledger.freezes import add_expiry_report, expiry_reports, newest_frozen
from ingest.ledger.store import newest_accepted
from ingest.ledger.uploads import REMEMBERED, forget
from ingest.maintenance.erasing import erase_originals, originals_older_than
from ingest.maintenance.reducing import files_without_use
from ingest.queries import queries_path
from ingest.recording import IntakeContext

if TYPE_CHECKING:
    from followup.build.building import NodeResult


@dataclass(frozen=True)
class Expired:
    """How much went, or would go in a dry run; nothing personal.

    Attributes:
        rows, files_of_rows: rows about persons, and the files that held them.
        frozen_to, erased_to: the newest quarter whose figures are frozen, and whose rows went; None where none did.
        waits_for: a quarter that is due and not locked; with it all later ones wait.
        originals: encrypted originals.
        feedback: files of feedback, and of queries of versions that are not in force or whose quarter has no rows.
        sessions: sessions of the portal.
        logs: files.
    """

    rows: int
    files_of_rows: int
    frozen_to: str | None
    erased_to: str | None
    waits_for: str | None
    originals: int
    feedback: int
    sessions: int
    logs: int

    @property
    def is_anything(self) -> bool:
        """Whether anything went."""
        return any((self.erased_to, self.originals, self.feedback, self.sessions, self.logs))

    def as_text(self, *, is_dry_run: bool = False) -> list[str]:
        """The report in Swedish, for the city; a line each."""
        verb = "skulle gallras" if is_dry_run else "har gallrats"
        if self.erased_to:
            went = f"Rader om personer till och med {self.erased_to}: {self.rows} i {self.files_of_rows} filer {verb}."
            lines = [went, f"Siffrorna till och med {self.frozen_to} {'skulle frysas' if is_dry_run else 'är frysta'}."]
        else:
            lines = ["Rader om personer: inga."]
        if self.waits_for:
            lines.append(
                f"{self.waits_for} är inte låst. Raderna från det kvartalet och framåt väntar på att det låses."
            )
        for name, count in (
            ("Krypterade original", self.originals), ("Filer med återkoppling och frågor", self.feedback),
            ("Avslutade inloggningar", self.sessions), ("Loggfiler", self.logs),
        ):  # fmt: skip
            lines.append(f"{name}: {count} {verb}.")
        return lines


def what_expires(intake: IntakeContext) -> tuple[Expired, list[str]]:
    """What would go now, and for rows about persons a line per quarter and dataset; nothing is changed.

    Raises:
        DamagedRows: stored rows are missing or damaged.
    """
    due = due_quarters(intake)
    found = rows_due(intake, due)
    sums: dict[tuple[str, str], list[int]] = {}
    for one in found:
        key = (one.found.reporting_quarter or "", one.found.dataset or "")
        of_key = sums.setdefault(key, [0, 0])
        of_key[0] += one.gone
        of_key[1] += one.left
    lines = [
        f"{quarter} {dataset}: {gone} rader, {left} kvar" for (quarter, dataset), (gone, left) in sorted(sums.items())
    ]
    return _expired(intake, due, sum(one.gone for one in found), len(found)), lines


def _expired(intake: IntakeContext, due: Due, rows: int, files: int) -> Expired:
    settings, now = intake.settings, now_naive(intake.settings)
    erased_to, frozen = str(due.erased) if due.erased else None, newest_frozen(intake.ledger)
    without_rows = max(erased_to or "", frozen.erased_quarter if frozen else "")
    return Expired(
        rows=rows,
        files_of_rows=files,
        frozen_to=str(due.through) if due.through else None,
        erased_to=erased_to,
        waits_for=str(due.waits_for) if due.waits_for else None,
        originals=len(originals_older_than(intake, _before(now, settings.originals_kept_days), without_rows)),
        feedback=len({*_old_feedback(intake, now), *files_without_use(intake, without_rows)}),
        sessions=sessions.count_old(intake.ledger, system_now(), timedelta(days=settings.sessions_kept_days)),
        logs=sum(1 for _ in _old_logs(intake, now)),
    )


def earlier_reports(intake: IntakeContext, last: int) -> list[tuple[datetime, Expired]]:
    """The last so many reports, newest first, with when (UTC, without zone)."""
    return [(when, Expired(**json.loads(content))) for when, content in expiry_reports(intake.ledger, last)]


def erase_expired(intake: IntakeContext, on_node: Callable[[NodeResult], None] | None = None) -> Expired:
    """Erase it, and store the report. Killed and run again, it ends what was begun.

    Raises:
        FiguresWouldChange, RowsCameMeanwhile, BuildFailed, DamagedRows: see
            `freeze_and_erase`; nothing else went either.
        LeaseBusy: another process works with files, builds, or publishes.
    """
    settings, ledger, now = intake.settings, intake.ledger, now_naive(intake.settings)
    before = _expired(intake, due_quarters(intake), 0, 0)  # freezing erases some of it too
    done = freeze_and_erase(intake, now, on_node)
    counted = replace(before, rows=done.rows, files_of_rows=done.files) if done else before
    if counted.originals:
        erase_originals(intake, _before(now, settings.originals_kept_days), now)
    for path in (*_old_feedback(intake, now), *_old_logs(intake, now)):
        path.unlink(missing_ok=True)
    sessions.forget_old(ledger, system_now(), timedelta(days=settings.sessions_kept_days))
    forget(ledger, system_now() - REMEMBERED)
    if counted.is_anything:
        add_expiry_report(ledger, json.dumps(asdict(counted)), now)
    return counted


def _before(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def _old_feedback(intake: IntakeContext, now: datetime) -> Iterator[Path]:
    """Feedback that is too old, and the queries of versions that count no more."""
    settings, submissions = intake.settings, intake.ledger.submissions()
    in_force = {found.submission_id for found in newest_accepted(submissions)}
    for found in submissions:
        if found.submitted_at > _before(now, settings.feedback_kept_days):
            continue
        paths = [feedback_path(settings, found.district_code, found.submission_id, e) for e in FEEDBACK_ENDINGS]
        if found.submission_id not in in_force:
            paths.append(queries_path(settings.home, found.district_code, found.submission_id))
        yield from (path for path in paths if path.is_file())


def _old_logs(intake: IntakeContext, now: datetime) -> Iterator[Path]:
    """Logs of Airflow's tasks, and older logs of builds. Airflow's own components begin theirs anew at each start."""
    settings = intake.settings
    limit = time.time() - settings.logs_kept_days * 86400
    tasks = os.environ.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER") or settings.airflow_home / "logs" / "tasks"
    for folder in (Path(tasks), settings.half_done / "build" / "logs"):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < limit:
                yield path
