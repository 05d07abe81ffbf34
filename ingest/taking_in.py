"""Taking in one file that has arrived, by whatever way: check it, compare it with the version in force, record it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ingest.checking import CheckReport, check_file
from ingest.comparing import with_changes
from ingest.ledger import Submission
from ingest.ledger.mappings import mapping_in_use, words_that_judged
from ingest.logs import at_hand
from ingest.maintenance.reimporting import mark_begun, require_ledger_not_lost
from ingest.mappings.documents import DatasetWords
from ingest.naming import FileName
from ingest.quarters import Quarter
from ingest.recording import Arrival, IntakeContext, circumstances_of, next_submission, record
from ingest.storing import remove_unfinished

log = logging.getLogger(__name__)
TakenInState = Literal["accepted", "refused", "duplicate", "held"]


@dataclass(frozen=True)
class TakenIn:
    """What became of a file.

    Attributes:
        state: accepted; refused; duplicate (the same content is in force, nothing changed); held (accepted by the
            check, and left to the sender: nothing is recorded).
        submission: recorded now; of a duplicate and of what is held, the version in force.
        report: the check; None for a duplicate, which is not checked.
    """

    state: TakenInState
    submission: Submission | None
    report: CheckReport | None


def prepare(intake: IntakeContext, district_code: str) -> None:
    """Make ready to take in a district's files: remove what killed processes left. The caller holds its lease.

    Raises:
        LedgerError: the ledger is empty, and landing/ holds originals.
    """
    settings, ledger = intake.settings, intake.ledger
    if ledger.is_empty():
        require_ledger_not_lost(settings, ledger)
        mark_begun(ledger)
    own = [folder / district_code for folder in (settings.landing, settings.feedback, settings.home / "queries")]
    remove_unfinished(own)
    intake.rows.remove_unfinished(district_code)


def checksum_of(raw: bytes) -> str:
    """The SHA-256 of a file's bytes, hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def same_in_force(intake: IntakeContext, district_code: str, name: FileName, checksum: str) -> Submission | None:
    """The version in force that has the same content; None where there is none."""
    current = in_force(intake, district_code, name)
    return current if current is not None and _is_the_same(intake, current, checksum) else None


def _is_the_same(intake: IntakeContext, current: Submission, checksum: str) -> bool:
    """Whether a content is that of the version in force, and would be read as that was: by the same words."""
    if current.source_file_sha256 != checksum or current.dataset is None or current.reporting_quarter is None:
        return False
    mapping = mapping_in_use(intake.ledger, current.district_code, Quarter.parse(current.reporting_quarter))
    words = mapping.words_of(current.dataset) if mapping is not None else DatasetWords()
    return words == words_that_judged(intake.ledger, current)


def in_force(intake: IntakeContext, district_code: str, name: FileName) -> Submission | None:
    """The version in force of what a file's name says; None where there is none, or the name does not say."""
    if name.dataset is None or name.quarter is None:
        return None
    found = intake.ledger.in_force(district=district_code, dataset=name.dataset, quarter=str(name.quarter))
    return found[0] if found else None


def check_arrived(
    intake: IntakeContext, raw: bytes, name: FileName, district_code: str, *, is_replacing: bool = False
) -> CheckReport:
    """Check a file as it is checked when it is taken in, and compare it with the version in force."""
    report = check_file(raw, name, circumstances_of(intake.settings, intake.keys, intake.ledger, name, district_code))
    return with_changes(report, intake.ledger, intake.rows, intake.keys, is_replacing=is_replacing)


def take_in(
    intake: IntakeContext,
    arrival: Arrival,
    *,
    is_to_hold: Callable[[CheckReport, Submission], bool] = lambda report, current: False,
    on_step: Callable[[str], None] = lambda step: None,
) -> TakenIn:
    """Take in one file, up to the ledger's commit. The caller holds the district's lease.

    What follows the commit (`ingest.rechecking.recheck_after`, feedback beside the file) is the caller's: it is done
    again when a run was killed before it.

    Args:
        intake: the installation's.
        arrival: the file.
        is_to_hold: asked about an accepted file and the version in force that it would replace.
        on_step: called with `prövar regler` and `lagrar` as these begin.

    Raises:
        StorageFailure, LedgerError, OSError: storage failed; nothing counts.
        ClaimLost: another process works with the upload by now; nothing counts.
    """
    current = in_force(intake, arrival.district_code, arrival.name)
    if current is not None and _is_the_same(intake, current, arrival.checksum):
        return TakenIn("duplicate", current, None)
    with at_hand(submission=next_submission(intake.ledger, arrival)[1]):
        taken = _checked_and_recorded(intake, arrival, current, is_to_hold, on_step)
        if taken.state != "held" and taken.submission is not None:
            log.info("%s: %s", arrival.name.shown, taken.state)
    return taken


def _checked_and_recorded(
    intake: IntakeContext,
    arrival: Arrival,
    current: Submission | None,
    is_to_hold: Callable[[CheckReport, Submission], bool],
    on_step: Callable[[str], None],
) -> TakenIn:
    on_step("prövar regler")
    report = check_arrived(intake, arrival.raw, arrival.name, arrival.district_code, is_replacing=True)
    if report.accepted and current is not None and is_to_hold(report, current):
        return TakenIn("held", current, report)
    on_step("lagrar")
    submission = record(intake, arrival, report)
    return TakenIn("accepted" if submission.state == "accepted" else "refused", submission, report)
