"""Who has submitted what: the ledger's view, per district, dataset and quarter."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.findings import Finding
from ingest.ledger import Ledger, Submission
from ingest.ledger.decisions import locked_quarters
from ingest.ledger.explanations import explanations_of
from ingest.ledger.store import FINDINGS_PER_RULE, RuleCount, newest_accepted
from ingest.quarters import Quarter, quarters_between
from ingest.queries import queries_path, read_queries
from ingest.settings import Settings

DAYS_UNTIL_LOCK = 60
"""Days after a quarter's end at which locking it is proposed (the contract: Deadline)."""


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
    open_queries: int = 0
    """Queries that no explanation answers."""
    refused: int = 0
    """Refused submissions of the key that no accepted one has followed."""
    submission_id: str | None = None
    is_locked: bool = False


@dataclass(frozen=True)
class OpenQuery:
    """One query of a submission in force that nobody has explained. `row_key` is what `explain` takes."""

    submission_id: str
    district_code: str
    dataset: str
    quarter: str
    rule: str
    row: int | None
    row_key: str
    message: str


@dataclass(frozen=True)
class SubmissionStatus:
    """The status of all expected files.

    Attributes:
        lines: one per expected file.
        refusals: the newest refused files, also those whose name can't be read.
        to_lock: quarters with something in force that are old enough to be locked and are not.
        open_queries: when asked for; of each rule and file at most the first FINDINGS_PER_RULE.
    """

    lines: tuple[StatusLine, ...]
    refusals: tuple[Refusal, ...]
    to_lock: tuple[str, ...] = ()
    open_queries: tuple[OpenQuery, ...] = ()

    def unnamed_since(self, quarter: Quarter, district: str | None = None) -> int:
        """How many refused files no dataset was read of, come since a quarter's end; only a unit's when given."""
        return sum(
            one.submission.dataset is None
            and one.submission.submitted_at.date() > quarter.end
            and district in (None, one.submission.district_code)
            for one in self.refusals
        )


@dataclass(frozen=True)
class LockedOut:
    """What locking a quarter now would shut out.

    Attributes:
        missing: dataset → codes of the units that report in the quarter and have nothing in force.
        refused: the newest file of its key was refused.
        open_queries: (unit, dataset, number of queries that nobody has explained) of files in force.
    """

    missing: dict[str, tuple[str, ...]]
    refused: tuple[Submission, ...]
    open_queries: tuple[tuple[str, str, int], ...]


def locked_out(settings: Settings, quarter: Quarter) -> LockedOut:
    """What locking a quarter would shut out."""
    found = submission_status(settings, quarter)
    missing: dict[str, tuple[str, ...]] = {}
    for line in found.lines:
        if line.state != "in_force":
            missing[line.dataset] = (*missing.get(line.dataset, ()), line.district_code)
    refused = [one.submission for one in found.refusals if one.submission.reporting_quarter == str(quarter)]
    asked = [(line.district_code, line.dataset, line.open_queries) for line in found.lines if line.open_queries]
    return LockedOut(missing, tuple(refused), tuple(asked))


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


def open_queries_of(settings: Settings, ledger: Ledger, found: Submission) -> list[OpenQuery]:
    """The open queries of one submission, in the order of its rules; at most FINDINGS_PER_RULE of each rule."""
    if not found.open_query_count:
        return []
    queries = read_queries(queries_path(settings.home, found.district_code, found.submission_id))
    explained = {(one.rule, one.row_key) for one in explanations_of(ledger, found.submission_id)}
    findings = ledger.findings(found.submission_id)
    messages = {(f.rule, f.row): f.message for f in findings}
    any_row = {f.rule: f.message for f in reversed(findings)}
    given: Counter[str] = Counter()
    listed = []
    for one in queries.to_pylist():
        rule, row, key = one["rule"], one["source_row_number"], one["row_key"]
        given[rule] += (rule, key) not in explained
        if (rule, key) not in explained and given[rule] <= FINDINGS_PER_RULE:
            message = messages.get((rule, row), any_row.get(rule, ""))
            listed.append(
                OpenQuery(
                    found.submission_id, found.district_code, found.dataset or "", found.reporting_quarter or "",
                    rule, row, key, message,
                )
            )  # fmt: skip
    return listed


def _with_state(line: StatusLine, found: Submission | None, *, is_late: bool) -> StatusLine:
    """The line with its state and, when a submission is in force, that submission's counts."""
    if found is None:
        return replace(line, state="missing" if is_late else "awaited")
    return replace(
        line,
        state="in_force",
        version=found.version,
        is_on_time=found.is_on_time,
        is_synthetic=found.is_synthetic,
        rows=found.row_count,
        queries=found.query_count,
        open_queries=found.open_query_count,
        submission_id=found.submission_id,
    )


def submission_status(
    settings: Settings, quarter: Quarter | None = None, *, with_queries: bool = False
) -> SubmissionStatus:
    """What has been submitted, by all units: see `status_in`."""
    ledger = Ledger(settings.ledger)
    try:
        return status_in(ledger, settings, quarter, with_queries=with_queries)
    finally:
        ledger.close()


def status_in(
    ledger: Ledger,
    settings: Settings,
    quarter: Quarter | None = None,
    *,
    district: str | None = None,
    with_queries: bool = False,
) -> SubmissionStatus:
    """What has been submitted.

    Args:
        ledger: the installation's.
        settings: the installation's; its clock decides what is missing and what is only awaited.
        quarter: only this one; None gives every quarter from the first that holds a submission to the newest ended.
        district: only this unit's; None gives all.
        with_queries: whether to list the open queries one by one.
    """
    submissions = ledger.submissions(district=district, quarter=None if quarter is None else str(quarter))
    if quarter is not None:
        submissions += ledger.without_quarter(district)
    in_force = {(s.reporting_quarter, s.district_code, s.dataset): s for s in newest_accepted(submissions)}
    today, locked = settings.now_date(), locked_quarters(ledger)
    named = sorted({s.reporting_quarter for s in submissions if s.reporting_quarter})
    last = Quarter.of(today).previous()
    quarters = [quarter] if quarter else quarters_between(Quarter.parse(named[0]), last) if named else []
    refused_by_key: defaultdict[tuple[str | None, str, str | None], list[int]] = defaultdict(list)
    for s in submissions:
        if s.state == "refused":
            refused_by_key[s.reporting_quarter, s.district_code, s.dataset].append(s.sequence)
    lines, registry = [], load_districts()

    def in_order(key: tuple[str, str]) -> tuple[tuple[int, str], str]:
        return registry.place(key[0]), key[1]

    for one in quarters:
        units = [d.code for d in registry.valid_in(one) if district in (None, d.code)]
        expected = {(code, dataset) for code in units for dataset in load_contracts()}
        voluntary = {(s.district_code, s.dataset) for s in in_force.values() if s.reporting_quarter == str(one)}
        for code, dataset in sorted(expected | {(d, s) for d, s in voluntary if s}, key=in_order):
            found = in_force.get((str(one), code, dataset))
            after = 0 if found is None else found.sequence
            refused = sum(sequence > after for sequence in refused_by_key[str(one), code, dataset])
            line = StatusLine(str(one), code, dataset, "", refused=refused, is_locked=str(one) in locked)
            lines.append(_with_state(line, found, is_late=today > one.deadline))
    shown = {str(one) for one in quarters}
    listed = [
        query
        for key, found in (sorted(in_force.items(), key=str) if with_queries else ())
        if key[0] in shown
        for query in open_queries_of(settings, ledger, found)
    ]
    with_files = {key[0] for key in in_force} - locked
    to_lock = [str(q) for q in quarters if str(q) in with_files and today >= q.end + timedelta(days=DAYS_UNTIL_LOCK)]
    refusals = _refusals(ledger, submissions, str(quarter) if quarter else None)
    return SubmissionStatus(tuple(lines), tuple(refusals), tuple(to_lock), tuple(listed))
