"""What the API answers, and takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from followup.status import OpenQuery, StatusLine
from ingest.findings import Finding
from ingest.ledger import Submission as LedgerSubmission
from ingest.ledger.api_tokens import Scope
from ingest.ledger.uploads import Purpose, UploadState
from ingest.ledger.uploads import Upload as LedgerUpload

Next = Literal["wait", "name", "correct", "submit", "confirm", "nothing"]
QUARTER = r"^(19|20)\d{2}Q[1-4]$"


def _printable(text: str) -> str:
    """Text that databases and pages can hold.

    Raises:
        ValueError: it has control characters, or halves of surrogate pairs.
    """
    if not all(one.isprintable() or one in "\r\n\t" for one in text):
        raise ValueError("control characters can't be used")
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
RowKey = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_printable)]
QuarterText = Annotated[str, Field(pattern=QUARTER, examples=["2018Q3"])]


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


class Model(BaseModel):
    """What is the same for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(Model):
    """The token that was sent."""

    number: int
    name: str
    unit: str = Field(description="code of the unit that it acts for")
    scopes: list[Scope]
    expires_at: datetime


class Upload(Model):
    """A file on its way in."""

    upload_id: str
    batch_id: str = Field(description="the request it came in")
    purpose: Purpose
    file: str = Field(description="its name, as it may be shown")
    dataset: str | None
    quarter: str | None
    state: UploadState = Field(
        description="receiving, waiting, working: it is under way. unnamed: say dataset and quarter. checked: see "
        "is_accepted. to_confirm: it would replace a version in force. The others are ends."
    )
    is_under_way: bool = Field(description="ask again soon")
    is_accepted: bool | None = Field(description="by the last check; null before it")
    next: Next = Field(description="what its sender does now")
    detail: str | None = Field(description="Swedish")
    submission_id: str | None = Field(description="what it became, or is a copy of")
    size_bytes: int
    sha256: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, found: LedgerUpload) -> Upload:
        """An upload of the ledger."""
        return cls(
            upload_id=found.upload_id, batch_id=found.batch_id, purpose=found.purpose, file=found.file_name,
            dataset=found.dataset, quarter=found.quarter, state=found.state, is_under_way=found.is_under_way,
            is_accepted=found.is_accepted, next=_next(found), detail=found.detail, submission_id=found.submission_id,
            size_bytes=found.size_bytes, sha256=found.sha256, created_at=found.created_at.replace(tzinfo=UTC),
            changed_at=found.changed_at.replace(tzinfo=UTC),
        )  # fmt: skip


def _next(found: LedgerUpload) -> Next:
    if found.is_under_way:
        return "wait"
    if found.state == "checked":
        return "submit" if found.is_accepted else "correct"
    return {"unnamed": "name", "to_confirm": "confirm", "refused": "correct", "failed": "correct"}.get(  # type: ignore[return-value]  # all are Next
        found.state, "nothing"
    )


class Uploads(Model):
    """Files that came together, or the newest of a unit."""

    batch_id: str | None
    uploads: list[Upload]


class FindingOut(Model):
    """One fault or query: as `followup check --format json` prints it."""

    rule: str
    severity: Literal["error", "query"]
    row: int | None = Field(description="as Excel numbers it (header = 1); null for the file as such")
    column: str | None
    message: str = Field(description="Swedish; what to do")

    @classmethod
    def of(cls, found: Finding) -> FindingOut:
        """A finding of the ledger."""
        return cls(rule=found.rule, severity=found.severity, row=found.row, column=found.column, message=found.message)


class Report(BaseModel):
    """What a check found: an object as `followup check --format json` prints it, with at most 200 findings a rule."""

    model_config = ConfigDict(extra="allow", frozen=True)

    file: str
    accepted: bool
    verdict: str = Field(description="Swedish, one line")
    district: str | None
    dataset: str | None
    quarter: str | None
    rows: int
    findings: list[FindingOut]
    skipped: list[str] = Field(description="rules that could not be tried")
    changes: dict[str, Any] | None = Field(None, description="what it changes in the version in force")
    changes_text: list[str] | None = Field(None, description="the same in Swedish, line by line")
    mapping: dict[str, Any] | None = Field(
        None, description="which of the unit's own column names and codes the file uses; `text` says it in Swedish"
    )
    explained: dict[str, int] | None = Field(None, description="rule → queries that are explained already")
    counts: dict[str, int] | None = Field(None, description="rule → findings, the ones not listed too")


class Preview(Model):
    """Which figures a file would change."""

    state: Literal["waiting", "working", "done", "failed"]
    result: dict[str, Any] | None


class Submission(Model):
    """A file that was handed in. One of each unit, dataset and quarter is in force: the newest accepted one."""

    submission_id: str
    unit: str
    dataset: str | None
    quarter: str | None
    version: int | None
    state: str = Field(description="accepted, refused or withdrawn")
    file: str
    sha256: str
    submitted_at: datetime
    is_on_time: bool | None
    rows: int
    errors: int
    queries: int
    open_queries: int

    @classmethod
    def of(cls, found: LedgerSubmission) -> Submission:
        """A submission of the ledger."""
        return cls(
            submission_id=found.submission_id, unit=found.district_code, dataset=found.dataset,
            quarter=found.reporting_quarter, version=found.version, state=found.state, file=found.source_file_name,
            sha256=found.source_file_sha256, submitted_at=found.submitted_at.replace(tzinfo=UTC),
            is_on_time=found.is_on_time, rows=found.row_count, errors=found.error_count, queries=found.query_count,
            open_queries=found.open_query_count,
        )  # fmt: skip


class Submissions(Model):
    """Submissions, newest first."""

    submissions: list[Submission]


class SubmissionDetails(Submission):
    """A submission with its findings, at most 200 of each rule."""

    findings: list[FindingOut]


class Query(Model):
    """A query that nobody has explained."""

    rule: str
    row: int | None
    row_key: str = Field(description="by which it is explained; * for the file")
    message: str

    @classmethod
    def of(cls, found: OpenQuery) -> Query:
        """A query of the ledger."""
        return cls(rule=found.rule, row=found.row, row_key=found.row_key, message=found.message)


class Queries(Model):
    """A submission's open queries, at most 200 of each rule."""

    open_queries: int = Field(description="how many there are")
    queries: list[Query]


class StatusLineOut(Model):
    """One dataset of a quarter."""

    quarter: str
    unit: str
    dataset: str
    state: Literal["in_force", "missing", "awaited"]
    deadline: date
    is_locked: bool
    version: int | None
    is_on_time: bool | None
    rows: int
    open_queries: int
    refused: int = Field(description="refused files that no accepted one has followed")
    submission_id: str | None

    @classmethod
    def of(cls, found: StatusLine, deadline: date) -> StatusLineOut:
        """A line of the status."""
        return cls(
            quarter=found.quarter, unit=found.district_code, dataset=found.dataset, state=found.state,
            deadline=deadline, is_locked=found.is_locked, version=found.version, is_on_time=found.is_on_time,
            rows=found.rows, open_queries=found.open_queries, refused=found.refused,
            submission_id=found.submission_id,
        )  # fmt: skip


class Status(Model):
    """What the unit has handed in."""

    lines: list[StatusLineOut]


class NameIn(Model):
    """Which dataset and quarter a file is."""

    dataset: str = Field(min_length=1, max_length=60, examples=["arenden"])
    quarter: QuarterText


class SubmitIn(Model):
    """How a checked file is handed in."""

    is_confirmed: bool = Field(False, description="its sender has seen what it changes in the version in force")


class ExplanationIn(Model):
    """An explanation of queries: of those under a row key, of a row, or of all of the rule's."""

    rule: str = Field(pattern=r"^[A-Z]{3}-\d{3}$", examples=["ARE-081"])
    text: Text = Field(description="Swedish; nothing personal")
    row_key: RowKey | None = None
    row: int | None = Field(None, ge=1, le=10_000_000)


class Explained(Model):
    """What an explanation answers."""

    explained: int
    open_queries: int = Field(description="that stay open in the submission")


class WithdrawalIn(Model):
    """Why a submission is withdrawn."""

    why: Text = Field(description="nothing personal")


class Withdrawn(Model):
    """What a withdrawal came to."""

    submission_id: str
    in_force: str | None = Field(description="the submission that is in force now")


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(examples=["urn:followup:problem:file-refused"])
    title: str
    status: int
    detail: str = Field(description="what to do; Swedish where it is about a file")
    errors: list[dict[str, Any]] | None = Field(None, description="of values: where, and what")
    upload: Upload | None = Field(None, description="of a file that was refused")
    findings: list[FindingOut] | None = Field(None, description="of a file that was refused")
