"""What is measured of an installation, in Prometheus's text format: counts and ages, nothing of any unit or person.

Ages are by the installation's clock, which is the system's unless something is rehearsed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from followup.status import submission_status
from ingest.ledger import Ledger, LedgerError
from ingest.ledger.acts import system_now
from ingest.ledger.counting import (
    blocked_since_release,
    mails_by_state,
    oldest_unbuilt,
    oldest_upload,
    releases_by_state,
    submissions_by_state,
    uploads_by_state,
)
from ingest.ledger.releases import current_release
from ingest.ledger.uploads import FOR_SENDER
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.storing import write_whole

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SUBMISSIONS = ("accepted", "refused", "withdrawn")
_RELEASES = ("proposed", "released", "blocked", "replaced", "rejected")
_UNDER_WAY = ("receiving", "waiting", "working", *FOR_SENDER, "failed")
_MAILS = ("waiting", "claimed", "sent", "refused", "unsure", "expired")
_FILES = ("in_force", "awaited", "missing")


@dataclass(frozen=True)
class Metric:
    """One metric: its name, what it is, and its values by the value of a label (`` for the only one)."""

    name: str
    help: str
    values: dict[str, float]
    label: str = "state"

    def as_text(self) -> Iterator[str]:
        """Its lines."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} gauge"
        for value, number in self.values.items():
            named = f'{{{self.label}="{value}"}}' if value else ""
            yield f"{self.name}{named} {number:.15g}"


def metrics_text(settings: Settings, ledger: Ledger) -> str:
    """All metrics, as Prometheus reads them.

    Raises:
        LedgerError: the ledger does not answer.
    """
    return _text([Metric("followup_ledger_up", "1: the ledger answers.", {"": 1}), *_metrics(settings, ledger)])


def write_metrics(settings: Settings, path: Path) -> bool:
    """Write all metrics for the textfile collector, whole or not at all; only that it is down, where the ledger is.

    Returns:
        Whether the ledger answered.
    """
    try:
        ledger = Ledger(settings.ledger)
    except LedgerError:
        text, is_up = _text([Metric("followup_ledger_up", "1: the ledger answers.", {"": 0}), _made()]), False
    else:
        try:
            text, is_up = metrics_text(settings, ledger), True
        finally:
            ledger.close()
    write_whole(path, text.encode())
    path.chmod(0o644)  # node_exporter is another user; nothing in it is secret
    return is_up


def _text(found: list[Metric]) -> str:
    return "\n".join(line for one in found for line in one.as_text()) + "\n"


def _made() -> Metric:
    now = datetime.now(UTC).timestamp()
    return Metric("followup_metrics_made_timestamp_seconds", "When these metrics were made.", {"": now})


def _metrics(settings: Settings, ledger: Ledger) -> list[Metric]:
    quarter = Quarter.of(settings.now_date()).previous()
    expected = submission_status(settings, quarter)
    files = {state: float(sum(line.state == state for line in expected.lines)) for state in _FILES}
    open_queries = float(sum(line.open_queries for line in expected.lines))
    late = settings.now_date() > quarter.deadline
    week_ago = settings.now_date() - timedelta(days=7)
    refused = sum(one.submission.reporting_quarter == str(quarter) for one in expected.refusals)
    return [
        _made(),
        _counted("followup_submissions", "Submissions in the ledger.", _SUBMISSIONS, submissions_by_state(ledger)),
        Metric("followup_expected_files", "Files of the newest ended quarter that units are to send.", files),
        Metric("followup_refused_files", "Of that quarter: refused, and not sent again.", {"": float(refused)}),
        Metric("followup_open_queries", "Of that quarter: queries that nobody has explained.", {"": open_queries}),
        Metric("followup_deadline_passed", "1: that quarter's deadline has passed.", {"": float(late)}),
        _counted("followup_releases", "Releases in the ledger.", _RELEASES, releases_by_state(ledger)),
        Metric(
            "followup_blocked_audits",
            "Releases that the audit has blocked since the newest that was released.",
            {"": float(blocked_since_release(ledger))},
        ),
        _counted("followup_queue_files", "Files of the portal on their way in.", _UNDER_WAY, uploads_by_state(ledger)),
        _counted("followup_mails", "Mails of the last seven days.", _MAILS, mails_by_state(ledger, week_ago)),
        *_ages(ledger, settings.now().replace(tzinfo=None)),
        *_disks(settings),
    ]


def _counted(name: str, text: str, states: tuple[str, ...], counts: dict[str, int]) -> Metric:
    """A count of each state, 0 where there is none: a series that is absent raises no alert."""
    return Metric(name, text, {state: float(counts.get(state, 0)) for state in states})


def _ages(ledger: Ledger, now: datetime) -> Iterator[Metric]:
    """Seconds since the newest marts and release, and since a build failed that none has followed."""
    real = system_now()
    built, failed, released = ledger.last_build("built"), ledger.last_build("failed"), current_release(ledger)
    if built is not None:
        yield _age("followup_marts_age_seconds", "Since the newest build began.", built.started_at, real)
        unbuilt = oldest_unbuilt(ledger, built.started_at)
        yield _age("followup_unbuilt_age_seconds", "How long marts lack a file.", unbuilt, now)
    is_failing = failed is not None and (built is None or failed.started_at > built.started_at)
    yield Metric("followup_build_failing", "1: the newest build has failed.", {"": float(is_failing)})
    if released is not None and released.released_at is not None:
        yield _age("followup_release_age_seconds", "Since the newest release went out.", released.released_at, now)
    waiting = oldest_upload(ledger, "waiting", "working")
    yield _age("followup_queue_age_seconds", "How long a file waits to be checked.", waiting, real)


def _age(name: str, text: str, since: datetime | None, now: datetime) -> Metric:
    seconds = 0.0 if since is None else max((now - since).total_seconds(), 0.0)
    return Metric(name, text, {"": seconds})


def _disks(settings: Settings) -> Iterator[Metric]:
    """Free and whole size of the disks that the installation writes to."""
    places = {"home": settings.home, "published": settings.published.parent}
    usage = {name: shutil.disk_usage(place) for name, place in places.items() if place.exists()}
    free = {name: float(one.free) for name, one in usage.items()}
    size = {name: float(one.total) for name, one in usage.items()}
    yield Metric("followup_disk_free_bytes", "Free on the disk of a place.", free, "place")
    yield Metric("followup_disk_size_bytes", "Size of the disk of a place.", size, "place")
