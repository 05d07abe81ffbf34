"""Reading and writing submissions and builds. Every change is one transaction; stored files count once it commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from ingest.findings import Finding, Severity
from ingest.ledger import leases
from ingest.ledger.acts import add_act
from ingest.ledger.claims import Claim, end_claimed
from ingest.ledger.opening import ChangeRefused, LedgerError, open_engine
from ingest.ledger.quarter_revisions import open_revision
from ingest.ledger.revisions import migrate
from ingest.ledger.tables import build, explanation, finding, finding_count, installation, submission

__all__ = ["ChangeRefused", "Ledger", "LedgerError", "Submission"]
FINDINGS_PER_RULE = 200
"""Findings stored per rule and submission; all are counted."""


@dataclass(frozen=True)
class Submission:
    """One submission as the ledger holds it. Columns as in `ingest.ledger.tables.submission`."""

    submission_id: str
    district_code: str
    dataset: str | None
    reporting_quarter: str | None
    sequence: int
    version: int | None
    state: str
    source_file_name: str
    source_file_sha256: str
    size_bytes: int
    submitted_at: datetime
    deadline_date: date | None
    is_on_time: bool | None
    is_synthetic: bool
    row_count: int
    error_count: int
    query_count: int
    contract_version: int | None
    person_key_version: int | None
    original_path: str
    parquet_path: str | None
    parquet_sha256: str | None
    is_source_cleared: bool
    open_query_count: int = 0
    original_erased_at: datetime | None = None
    mapping_version: int | None = None


@dataclass(frozen=True)
class RuleCount:
    """How many times a rule fired in a submission."""

    rule: str
    severity: Severity
    row_count: int


@dataclass(frozen=True)
class Explanation:
    """A district's explanation of a query, by rule and row key; the row key is `*` for a rule about the file."""

    submission_id: str
    rule: str
    row_key: str
    text: str
    explained_at: datetime
    carried_from: str | None = None


@dataclass(frozen=True)
class Build:
    """One build of the warehouse."""

    fingerprint: str
    state: str
    started_at: datetime
    seconds: float
    detail: str | None


def newest_accepted(submissions: Iterable[Submission]) -> list[Submission]:
    """What is in force among submissions: per (district, dataset, quarter) the newest accepted; ordered by that key."""
    newest: dict[tuple[str, str, str], Submission] = {}
    for found in submissions:
        key = (found.district_code, found.dataset or "", found.reporting_quarter or "")
        if found.state == "accepted" and (key not in newest or (newest[key].version or 0) < (found.version or 0)):
            newest[key] = found
    return [newest[key] for key in sorted(newest)]


class Ledger:
    """The ledger of an installation. Open one per process; it may be used from several threads."""

    def __init__(self, url: str) -> None:
        """Connect, and bring the tables up to date.

        Raises:
            LedgerError: no connection, or the ledger was written by a newer version. From every method: the database
                failed, was restarted, is full, locked or damaged.
        """
        self.engine = open_engine(url)
        migrate(self.engine)

    def claim(self, name: str, value: str) -> str:
        """Remember a fact of the installation unless one is remembered already; returns what is remembered."""
        remembered = self._claimed(name)
        if remembered is None:
            try:
                with self.engine.begin() as connection:
                    connection.execute(installation.insert().values(name=name, value=value))
            except sa.exc.IntegrityError:  # another process was first
                remembered = self._claimed(name)
        return value if remembered is None else remembered

    def is_claimed(self, name: str) -> bool:
        """Whether a fact of the installation is remembered."""
        return self._claimed(name) is not None

    def is_empty(self) -> bool:
        """Whether it has no submission."""
        with self.reading() as connection:
            return connection.execute(sa.select(submission.c.submission_id).limit(1)).first() is None

    def _claimed(self, name: str) -> str | None:
        with self.reading() as connection:
            found = connection.execute(sa.select(installation.c.value).where(installation.c.name == name)).scalar()
        return None if found is None else str(found)

    def require_writable(self) -> None:
        """Change nothing, as a change does it.

        Raises:
            LedgerError: it is read-only, full, or locked for too long.
        """
        with self.engine.begin() as connection:
            connection.execute(installation.update().where(sa.false()).values(value=""))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def lease(self, name: str, wait_seconds: float = 120.0) -> AbstractContextManager[None]:
        """Hold a lease: see `ingest.ledger.leases.hold`."""
        return leases.hold(self.engine, name, wait_seconds)

    def fenced(self, name: str) -> AbstractContextManager[sa.Connection]:
        """The transaction that puts in place what was done under a lease: see `ingest.ledger.leases.fenced`."""
        return leases.fenced(self.engine, name)

    # submissions

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading only: it takes no lock."""
        with self.engine.connect().execution_options(reading=True) as connection:
            yield connection

    def _select(self, statement: sa.Select[Any]) -> list[Submission]:
        with self.reading() as connection:
            return [Submission(**row._mapping) for row in connection.execute(statement)]

    def find(self, submission_id: str) -> Submission | None:
        """The submission with this id; None where there is none."""
        found = self._select(sa.select(submission).where(submission.c.submission_id == submission_id))
        return found[0] if found else None

    def submissions(
        self, *, district: str | None = None, dataset: str | None = None, quarter: str | None = None
    ) -> list[Submission]:
        """All submissions of a key, oldest first; any part of the key may be left open."""
        return self._select(
            _narrowed(sa.select(submission), district, dataset, quarter).order_by(
                submission.c.submitted_at, submission.c.district_code, submission.c.sequence, submission.c.submission_id
            )
        )

    def without_quarter(self, district: str | None = None) -> list[Submission]:
        """Submissions whose file's name did not say the quarter, oldest first; of one district when given."""
        return self._select(
            _narrowed(sa.select(submission), district, None, None)
            .where(submission.c.reporting_quarter.is_(None))
            .order_by(submission.c.submitted_at, submission.c.sequence, submission.c.submission_id)
        )

    def quarters(self) -> list[str]:
        """The quarters that have submissions, oldest first."""
        column = submission.c.reporting_quarter
        with self.reading() as connection:
            rows = connection.execute(sa.select(column).where(column.is_not(None)).distinct().order_by(column))
            return [str(row[0]) for row in rows]

    def in_force(
        self, *, district: str | None = None, dataset: str | None = None, quarter: str | None = None
    ) -> list[Submission]:
        """Per (district, dataset, quarter) the newest accepted version not withdrawn; ordered by that key."""
        accepted = _narrowed(sa.select(submission), district, dataset, quarter).where(submission.c.state == "accepted")
        return newest_accepted(self._select(accepted))

    def next_sequence(self, district: str, dataset: str | None, quarter: str | None) -> int:
        """The number that the next submission of a key gets, counted from 1."""
        with self.reading() as connection:
            count = connection.execute(
                sa.select(sa.func.max(submission.c.sequence)).where(
                    submission.c.district_code == district,
                    submission.c.dataset.is_not_distinct_from(dataset),
                    submission.c.reporting_quarter.is_not_distinct_from(quarter),
                )
            ).scalar()
        return (count or 0) + 1

    def uncleared(self, district: str) -> list[Submission]:
        """Submissions whose drop location's file was still there when they were recorded (a run was cut off)."""
        return self._select(
            sa.select(submission).where(
                submission.c.district_code == district, submission.c.is_source_cleared.is_(False)
            )
        )

    def record(
        self,
        new: Submission,
        counts: Sequence[RuleCount],
        findings: Sequence[Finding],
        explanations: Sequence[Explanation] = (),
        upload: Claim | None = None,
    ) -> Submission:
        """Put a submission into the ledger with what was found in it; an accepted one is in force from here on.

        Args:
            new: the submission; its version is decided here.
            counts: how often each rule fired.
            findings: the first FINDINGS_PER_RULE of each rule are stored.
            explanations: those carried over to it from an earlier submission.
            upload: the upload that it was; it ends in the same transaction.

        Returns:
            The submission with its version.

        Raises:
            ClaimLost: another process works with the upload by now; nothing is recorded.
        """
        with self.engine.begin() as connection:
            if new.state == "accepted":
                newest = connection.execute(
                    sa.select(sa.func.max(submission.c.version)).where(
                        submission.c.district_code == new.district_code,
                        submission.c.dataset == new.dataset,
                        submission.c.reporting_quarter == new.reporting_quarter,
                    )
                ).scalar()
                new = replace(new, version=(newest or 0) + 1)
            connection.execute(submission.insert().values(**asdict(new)))
            insert_findings(connection, new.submission_id, counts, findings)
            if explanations:
                connection.execute(explanation.insert(), [asdict(one) for one in explanations])
            if new.state == "accepted":
                open_revision(connection, new.reporting_quarter, new.submitted_at)
            if upload is not None:
                end_claimed(connection, upload, new.state, new.submission_id)
            add_act(connection, f"submission.{new.state}", new.submission_id)
        return new

    def mark_cleared(self, submission_id: str) -> None:
        """Say that the drop location's file is gone."""
        with self.engine.begin() as connection:
            connection.execute(
                submission.update().where(submission.c.submission_id == submission_id).values(is_source_cleared=True)
            )

    def rule_counts(self, submission_id: str) -> list[RuleCount]:
        """How often each rule fired in a submission, by rule."""
        with self.reading() as connection:
            found = connection.execute(
                sa.select(finding_count.c.rule, finding_count.c.severity, finding_count.c.row_count)
                .where(finding_count.c.submission_id == submission_id)
                .order_by(finding_count.c.rule)
            )
            return [RuleCount(row.rule, row.severity, row.row_count) for row in found]

    def findings(self, submission_id: str) -> list[Finding]:
        """The stored findings of a submission, in the order found (at most FINDINGS_PER_RULE of each rule)."""
        with self.reading() as connection:
            found = connection.execute(
                sa.select(finding).where(finding.c.submission_id == submission_id).order_by(finding.c.finding_id)
            )
            return [
                Finding(row.rule, row.severity, row.source_row_number, row.column_name, row.message) for row in found
            ]

    # builds

    def record_build(self, done: Build, connection: sa.Connection | None = None) -> None:
        """Add a build to the history, in the caller's transaction where one is given."""
        with self.engine.begin() if connection is None else nullcontext(connection) as within:
            within.execute(build.insert().values(**asdict(done)))
            add_act(within, f"build.{done.state}", done.fingerprint or "")

    def last_build(self, state: str = "built") -> Build | None:
        """The newest build in a state, or None."""
        with self.reading() as connection:
            row = connection.execute(
                sa.select(build.c.fingerprint, build.c.state, build.c.started_at, build.c.seconds, build.c.detail)
                .where(build.c.state == state)
                .order_by(build.c.build_id.desc())
                .limit(1)
            ).first()
        return None if row is None else Build(**row._mapping)

    def builds(self, last: int) -> list[Build]:
        """The last so many builds, newest first."""
        columns = [build.c[name] for name in Build.__dataclass_fields__]
        with self.reading() as connection:
            rows = connection.execute(sa.select(*columns).order_by(build.c.build_id.desc()).limit(last))
            return [Build(**row._mapping) for row in rows]


def insert_findings(
    connection: sa.Connection, submission_id: str, counts: Sequence[RuleCount], findings: Sequence[Finding]
) -> None:
    """Add what was found in a submission, in the caller's transaction."""
    if counts:
        connection.execute(
            finding_count.insert(), [{"submission_id": submission_id, **asdict(count)} for count in counts]
        )
    stored: dict[str, int] = {}
    rows = []
    for found in findings:
        stored[found.rule] = stored.get(found.rule, 0) + 1
        if stored[found.rule] <= FINDINGS_PER_RULE:
            rows.append(
                {
                    "submission_id": submission_id,
                    "rule": found.rule,
                    "severity": found.severity,
                    "source_row_number": found.row,
                    "column_name": found.column,
                    "message": found.message,
                }
            )
    if rows:
        connection.execute(finding.insert(), rows)


def _narrowed(
    statement: sa.Select[Any], district: str | None, dataset: str | None, quarter: str | None
) -> sa.Select[Any]:
    columns = (submission.c.district_code, submission.c.dataset, submission.c.reporting_quarter)
    for column, value in zip(columns, (district, dataset, quarter), strict=True):
        if value is not None:
            statement = statement.where(column == value)
    return statement
