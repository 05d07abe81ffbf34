"""Which quarters are to be closed, whom that question waits for, and the lock that follows from yes.

A quarter is to be closed when all expected files are in force, or from day 60 after its end. It is asked about once in
each state: again when something has changed, or after a week without a yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from followup import deciding
from followup.closing.completeness import Completeness, completeness_in, store_report
from followup.status import DAYS_UNTIL_LOCK
from ingest.ledger import Ledger, closings
from ingest.ledger.closings import Reason
from ingest.ledger.decisions import locked_quarters
from ingest.quarters import Quarter, quarters_between
from ingest.settings import Settings

ASKED_AGAIN = timedelta(days=7)
"""A question that was not answered with yes is asked again after so long, though nothing has changed."""
OLDEST = 8
"""Quarters that are looked at: older ones are closed only when a person asks for it."""


class ChangedSince(Exception):
    """The quarter is in another state than the one that somebody said yes to; nothing is locked."""


@dataclass(frozen=True)
class Question:
    """What somebody is asked: whether to close a quarter in the state of a report, which is stored at a path."""

    closing_id: int
    report: Completeness
    reason: Reason
    path: Path


def open_quarters(settings: Settings, ledger: Ledger) -> list[Quarter]:
    """Quarters that have ended, hold files and are not locked, oldest first; at most OLDEST back."""
    newest, locked = Quarter.of(settings.now_date()).previous(), locked_quarters(ledger)
    with_files = set(ledger.quarters())
    return [
        one
        for one in quarters_between(newest.back(OLDEST - 1), newest)
        if str(one) in with_files and str(one) not in locked
    ]


def reason_to_close(settings: Settings, report: Completeness) -> Reason | None:
    """Why a quarter may be closed now; None: it is to be waited for."""
    quarter = Quarter.parse(report.quarter)
    if report.is_locked or settings.now_date() <= quarter.end:
        return None
    if report.is_complete:
        return "complete"
    return "due" if settings.now_date() >= quarter.end + timedelta(days=DAYS_UNTIL_LOCK) else None


def is_asked(settings: Settings, ledger: Ledger, report: Completeness, but_by: str = "") -> bool:
    """Whether somebody was asked about the quarter in this very state, less than a week ago, and not `but_by`."""
    now = deciding.now_naive(settings)
    return any(
        one.fingerprint == report.fingerprint and one.asked_by != but_by and one.asked_at > now - ASKED_AGAIN
        for one in closings.questions(ledger, Quarter.parse(report.quarter))
    )


def quarters_to_ask_about(settings: Settings, ledger: Ledger) -> list[Quarter]:
    """Quarters that are to be closed and that nobody has been asked about in their present state."""
    found = []
    for quarter in open_quarters(settings, ledger):
        report = completeness_in(ledger, settings, quarter)
        if reason_to_close(settings, report) is not None and not is_asked(settings, ledger, report):
            found.append(quarter)
    return found


def complete_units(settings: Settings, ledger: Ledger) -> list[tuple[str, str]]:
    """(unit, quarter) of all whose files are in force, in open quarters that nobody is asked about as they are."""
    found: list[tuple[str, str]] = []
    for quarter in open_quarters(settings, ledger):
        report = completeness_in(ledger, settings, quarter)
        if not is_asked(settings, ledger, report):
            found += [(code, str(quarter)) for code in report.complete_units]
    return found


def ask(
    settings: Settings, ledger: Ledger, quarter: Quarter, asked_by: str, *, is_wanted: bool = False
) -> Question | None:
    """Store the report and record the question; None where there is nothing to ask.

    Args:
        settings, ledger: the installation's.
        quarter: which.
        asked_by: who asks, such as a run; asked again, it is the same question.
        is_wanted: a person wants it closed: it is asked whatever its state, and though it was asked before.

    Raises:
        DecisionRefused: it has not ended.
    """
    deciding.require_ended(settings, quarter)
    report = completeness_in(ledger, settings, quarter)
    reason: Reason | None = reason_to_close(settings, report)
    if report.is_locked:
        return None
    if is_wanted:
        reason = reason or "asked"
    elif reason is None or is_asked(settings, ledger, report, asked_by):
        return None
    path = store_report(settings, report)
    now = deciding.now_naive(settings)
    number = closings.record_question(ledger, quarter, reason, report.fingerprint, asked_by, now)
    return Question(number, report, reason, path)


def close(settings: Settings, ledger: Ledger, quarter: Quarter, fingerprint: str) -> bool:
    """Lock a quarter that is in the state that somebody said yes to.

    Args:
        settings, ledger: the installation's.
        quarter: which.
        fingerprint: of the report that was shown.

    Returns:
        Whether it was open until now; one that is locked already stays so, whatever its state.

    Raises:
        ChangedSince: something has changed since: show the report again.
        DecisionRefused: it has not ended.
    """
    if str(quarter) in locked_quarters(ledger):
        return False
    if completeness_in(ledger, settings, quarter).fingerprint != fingerprint:
        raise ChangedSince(f"{quarter} has changed since its report was made: nothing is locked; look at it again")
    return deciding.lock(settings, ledger, quarter)
