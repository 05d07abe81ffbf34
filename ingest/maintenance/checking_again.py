"""Checking submissions in force again under the contract that is deployed now, and putting what comes out in force."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from ingest.contracts import load_contracts
from ingest.history import Past
from ingest.ledger import Submission
from ingest.ledger.decisions import is_closed_to
from ingest.maintenance.reprocessing import check_again
from ingest.maintenance.restoring_rows import NotRestorable, read_again, rows_differing
from ingest.mappings.documents import UnitMapping
from ingest.originals import DamagedOriginal
from ingest.quarters import Quarter
from ingest.recording import IntakeContext
from ingest.storing import Provenance, as_parquet, rows_to_store

OUR_FAULT = "FIL-020"
"""The rule that refuses a file because ours failed."""


class Outcome(StrEnum):
    """What a check comes to now, beside what it came to when the file was taken in."""

    same = "same"
    refused = "refused"
    asked = "asked"
    rows_differ = "rows differ"
    not_tried = "not tried"
    fault = "fault"


@dataclass(frozen=True)
class CheckedAgain:
    """A submission in force and what its check comes to now.

    Attributes:
        outcome: `refused` by errors, `asked` more than before, `rows differ` without either, `not tried`, or `fault`:
            a rule of ours could not be run. Nothing is recorded of the last two.
        rules: how many errors refuse it, by rule; or how many more queries there are, by rule.
        rows: how many of its rows would be others; None when it is refused or not tried.
        why: why it was not tried, or which rule could not be run.
    """

    submission: Submission
    outcome: Outcome
    rules: tuple[tuple[str, int], ...] = ()
    rows: int | None = None
    why: str = ""


def check_in_force(
    intake: IntakeContext,
    submissions: Collection[Submission],
    on_rows: Callable[[Submission, pa.Table], None] = lambda found, rows: None,
    words_for: Callable[[Submission], UnitMapping | None] = lambda found: None,
) -> Iterator[CheckedAgain]:
    """Check submissions in force again from their originals. Nothing is stored.

    Args:
        intake: the installation's.
        submissions: in force.
        on_rows: called with the rows of each that would be taken in with other rows.
        words_for: a mapping to read a submission by instead of the one that judged it; None for that one.
    """
    for found in submissions:
        yield _checked(intake, found, on_rows, words_for(found))


def _checked(
    intake: IntakeContext,
    found: Submission,
    on_rows: Callable[[Submission, pa.Table], None],
    words: UnitMapping | None,
) -> CheckedAgain:
    quarter = Quarter.parse(found.reporting_quarter or "")
    contract = load_contracts(quarter)[found.dataset or ""]
    past = Past(intake.ledger, intake.rows, found.district_code, quarter)
    try:
        report = read_again(intake, found, past, words)
    except (NotRestorable, DamagedOriginal) as error:
        return CheckedAgain(found, Outcome.not_tried, why=str(error))
    except FileNotFoundError:
        why = f"the original of submission {found.submission_id} is missing: restore {found.original_path}"
        return CheckedAgain(found, Outcome.not_tried, why=why)
    faults = [one.rule.code for one in report.outcomes if one.raised]
    if faults or any(one.rule == OUR_FAULT for one in report.file_findings):
        what = f"{', '.join(faults)} can't be run" if faults else "an error of ours, see the log"
        return CheckedAgain(found, Outcome.fault, why=f"{what}: mend it before the contract is used")
    counts = report.counts()
    if not report.accepted or report.table is None:
        refusing = tuple((one.rule, one.row_count) for one in counts if one.severity == "error")
        return CheckedAgain(found, Outcome.refused, refusing)
    before = {one.rule: one.row_count for one in intake.ledger.rule_counts(found.submission_id)}
    more = [(one.rule, one.row_count - before.get(one.rule, 0)) for one in counts]
    asked = tuple((rule, count) for rule, count in more if count > 0)
    provenance = Provenance(
        found.submission_id, found.district_code, str(quarter), found.source_file_sha256, found.submitted_at
    )
    rows = rows_to_store(report.table, contract, provenance)
    differing = 0
    if hashlib.sha256(as_parquet(rows)).hexdigest() != found.parquet_sha256:
        differing = rows_differing(intake, found, rows) or 0
        if differing or contract.version != found.contract_version:
            on_rows(found, rows)
            differing = differing or rows.num_rows
    outcome = Outcome.asked if asked else Outcome.rows_differ if differing else Outcome.same
    return CheckedAgain(found, outcome, asked, differing)


@dataclass(frozen=True)
class Applied:
    """What came of putting a contract in use: the checks that came out otherwise, what was recorded, what is locked."""

    checked: tuple[CheckedAgain, ...]
    recorded: tuple[Submission, ...]
    locked: tuple[Submission, ...]


def apply_contract(
    intake: IntakeContext,
    submissions: Collection[Submission],
    on_file: Callable[[Submission, int, int], None] = lambda found, number, total: None,
) -> Applied:
    """Check submissions in force again, and record those anew whose check comes out otherwise. Safe to repeat.

    One that is refused now is recorded as refused, once, and the version before stays in force.

    Args:
        intake: the installation's.
        submissions: in force.
        on_file: called after each with its number and how many there are.

    Raises:
        LeaseBusy: a district's files are being taken in.
    """
    checked: list[CheckedAgain] = []
    recorded: list[Submission] = []
    locked: list[Submission] = []
    for number, found in enumerate(submissions, start=1):
        (one,) = check_in_force(intake, [found])
        if one.outcome is not Outcome.same:
            checked.append(one)
        if one.outcome not in (Outcome.same, Outcome.not_tried, Outcome.fault) and not _is_answered(intake, found):
            if _is_locked(intake, found):
                locked.append(found)
            else:
                with intake.lease(found.district_code):
                    recorded.append(check_again(intake, found))
        on_file(found, number, len(submissions))
    return Applied(tuple(checked), tuple(recorded), tuple(locked))


def _is_locked(intake: IntakeContext, found: Submission) -> bool:
    quarter = Quarter.parse(found.reporting_quarter or "")
    today = intake.settings.now_date()
    return is_closed_to(intake.ledger, found.district_code, found.dataset or "", quarter, today)


def _is_answered(intake: IntakeContext, found: Submission) -> bool:
    """Whether the same bytes were refused after they came into force: by this contract, or the district sent them."""
    later = intake.ledger.submissions(
        district=found.district_code, dataset=found.dataset, quarter=found.reporting_quarter
    )
    return any(
        one.state == "refused"
        and one.sequence > found.sequence
        and one.source_file_sha256 == found.source_file_sha256
        and one.contract_version == _version_now(found)
        for one in later
    )


def _version_now(found: Submission) -> int:
    return load_contracts(Quarter.parse(found.reporting_quarter or ""))[found.dataset or ""].version
