"""Who has submitted what: the ledger's view, per district, dataset and quarter."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.findings import Finding
from ingest.ledger import Ledger, Submission
from ingest.ledger.store import RuleCount
from ingest.quarters import Quarter, quarters_between
from ingest.settings import Settings


@dataclass(frozen=True)
class Refusal:
    """The newest submission of a key, refused, with its reasons."""

    submission: Submission
    reasons: tuple[RuleCount, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class StatusLine:
    """One (quarter, district, dataset).

    `state`: in_force, missing (past the deadline), awaited (before it).
    """

    quarter: str
    district_code: str
    dataset: str
    state: str
    version: int | None = None
    is_on_time: bool | None = None
    is_synthetic: bool | None = None
    rows: int = 0
    queries: int = 0
    refused: int = 0
    """Refused submissions of the key that no accepted one has followed."""


@dataclass(frozen=True)
class SubmissionStatus:
    """The whole picture: a line per expected file, and what stands refused (also files whose name can't be read)."""

    lines: tuple[StatusLine, ...]
    refusals: tuple[Refusal, ...]


def _refusals(ledger: Ledger, submissions: list[Submission], quarter: str | None) -> list[Refusal]:
    """Refused submissions that no later submission of their key has followed."""
    newest: dict[tuple[str, str | None, str | None, str | None], Submission] = {}
    for found in submissions:
        name = found.source_file_name if found.dataset is None else None
        newest[(found.district_code, found.dataset, found.reporting_quarter, name)] = found
    return [
        Refusal(found, tuple(ledger.rule_counts(found.submission_id)), tuple(ledger.findings(found.submission_id)))
        for found in newest.values()
        if found.state == "refused" and (quarter is None or found.reporting_quarter in (quarter, None))
    ]


def submission_status(settings: Settings, quarter: Quarter | None = None) -> SubmissionStatus:
    """What has been submitted.

    Args:
        settings: the installation's; its clock decides what is missing and what is only awaited.
        quarter: only this one; None gives every quarter from the first that holds a submission to the newest ended.
    """
    ledger = Ledger(settings.ledger)
    try:
        submissions = ledger.submissions()
        in_force = {(s.reporting_quarter, s.district_code, s.dataset): s for s in ledger.in_force()}
        today = settings.now_date()
        named = sorted({s.reporting_quarter for s in submissions if s.reporting_quarter})
        last = Quarter.of(today).previous()
        quarters = [quarter] if quarter else quarters_between(Quarter.parse(named[0]), last) if named else []
        lines = []
        for one in quarters:
            expected = {(d.code, dataset) for d in load_districts().valid_in(one) for dataset in load_contracts()}
            voluntary = {(s.district_code, s.dataset) for s in in_force.values() if s.reporting_quarter == str(one)}
            for district, dataset in sorted(expected | {(d, s) for d, s in voluntary if s}):
                found = in_force.get((str(one), district, dataset))
                refused = sum(
                    s.state == "refused"
                    and (s.district_code, s.dataset, s.reporting_quarter) == (district, dataset, str(one))
                    and (found is None or s.sequence > found.sequence)
                    for s in submissions
                )
                if found is None:
                    state = "missing" if today > one.deadline else "awaited"
                    lines.append(StatusLine(str(one), district, dataset, state, refused=refused))
                else:
                    lines.append(
                        StatusLine(
                            str(one), district, dataset, "in_force", found.version, found.is_on_time,
                            found.is_synthetic, found.row_count, found.query_count, refused,
                        )
                    )  # fmt: skip
        return SubmissionStatus(tuple(lines), tuple(_refusals(ledger, submissions, str(quarter) if quarter else None)))
    finally:
        ledger.close()
