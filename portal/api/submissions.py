"""Endpoints: what was handed in, its queries, and taking it back."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from followup import deciding
from followup.deciding import DecisionRefused
from followup.status import open_queries_of
from ingest.contracts import load_contracts
from ingest.explaining import CannotBeExplained, explain
from ingest.feedback_files import feedback_path
from ingest.ledger import Submission as LedgerSubmission
from ingest.ledger.api_tokens import Scope
from ingest.ledger.leases import LeaseBusy
from ingest.recording import open_intake
from portal.api.caller import Caller, needs
from portal.api.models import (
    QUARTER,
    Explained,
    ExplanationIn,
    FindingOut,
    Queries,
    Report,
    Submission,
    SubmissionDetails,
    Submissions,
    WithdrawalIn,
    Withdrawn,
)
from portal.api.models import Query as OpenQuery
from portal.api.once import Key, done_once
from portal.api.problems import Problem
from portal.api.uploads import WORKBOOK, XLSX, as_attachment

router = APIRouter(tags=["submissions"])
Id = Annotated[str, Path(pattern=r"^[a-z2-7]{26}$")]
Reader = Annotated[Caller, needs(Scope.READ)]
Explainer = Annotated[Caller, needs(Scope.EXPLAIN)]
ReaderOrExplainer = Annotated[Caller, needs(Scope.READ, Scope.EXPLAIN)]
Submitter = Annotated[Caller, needs(Scope.SUBMIT)]


@router.get("/submissions", response_model=Submissions)
def history(
    caller: Reader,
    dataset: Annotated[str | None, Query(max_length=60)] = None,
    quarter: Annotated[str | None, Query(pattern=QUARTER)] = None,
) -> Submissions:
    """Every version that was handed in, newest first; of units merged into this one too. Needs scope `read`."""
    if dataset is not None and dataset not in load_contracts():
        raise Problem(422, "invalid-values", f"dataset is one of {', '.join(load_contracts())}.")
    found: list[LedgerSubmission] = []
    for code in sorted(caller.units):
        found += caller.portal.ledger.submissions(district=code, dataset=dataset, quarter=quarter)
    newest = sorted(found, key=lambda one: (one.submitted_at, one.submission_id), reverse=True)
    return Submissions(submissions=[Submission.of(one) for one in newest])


@router.get("/submissions/{submission_id}", response_model=SubmissionDetails)
def one(caller: Reader, submission_id: Id) -> SubmissionDetails:
    """One version with its findings. Needs scope `read`."""
    found = caller.submission(submission_id)
    listed = [FindingOut.of(finding) for finding in caller.portal.ledger.findings(submission_id)]
    return SubmissionDetails(**Submission.of(found).model_dump(), findings=listed)


@router.get("/submissions/{submission_id}/report", response_model=Report)
def report(caller: Reader, submission_id: Id) -> JSONResponse:
    """The answer that the unit got. Needs scope `read`."""
    found = _answer(caller, submission_id, "json")
    return JSONResponse(json.loads(found))


@router.get("/submissions/{submission_id}/workbook", response_class=Response, responses=WORKBOOK)
def workbook(caller: Reader, submission_id: Id) -> Response:
    """The file with its faults marked. Needs scope `read`."""
    return as_attachment(_answer(caller, submission_id, "xlsx"), XLSX, f"{submission_id}.xlsx")


def _answer(caller: Caller, submission_id: str, ending: str) -> bytes:
    found = caller.submission(submission_id)
    try:
        return feedback_path(caller.portal.settings, found.district_code, submission_id, ending).read_bytes()
    except FileNotFoundError:
        raise Problem(404, "not-found", "There is no such answer to this submission.") from None


@router.get("/submissions/{submission_id}/queries", response_model=Queries)
def queries(caller: ReaderOrExplainer, submission_id: Id) -> Queries:
    """The queries that nobody has explained. Needs scope `read` or `explain`."""
    found = caller.submission(submission_id)
    asked = open_queries_of(caller.portal.settings, caller.portal.ledger, found)
    return Queries(open_queries=found.open_query_count, queries=[OpenQuery.of(one) for one in asked])


@router.post("/submissions/{submission_id}/explanations", response_model=Explained)
def give_explanation(caller: Explainer, submission_id: Id, given: ExplanationIn, key: Key = None) -> Response:
    """Explain queries: those under a row key, of a row, or all of the rule's. Needs scope `explain`."""
    found = caller.submission(submission_id)
    settings = caller.portal.settings

    def act() -> dict[str, Any]:
        try:
            done = explain(
                caller.portal.ledger, settings.home, found, given.rule, given.text,
                settings.now().astimezone(UTC).replace(tzinfo=None), row_key=given.row_key, row=given.row,
            )  # fmt: skip
        except CannotBeExplained as refused:
            raise Problem(422, "invalid-values", _sentence(refused)) from None
        return Explained(explained=done.explained, open_queries=done.still_open).model_dump(mode="json")

    return done_once(caller, key, ("explain", submission_id, given.model_dump_json()), act)


@router.post("/submissions/{submission_id}/withdrawal", response_model=Withdrawn)
def withdraw(caller: Submitter, submission_id: Id, given: WithdrawalIn, key: Key = None) -> Response:
    """Take a submission out of force while its quarter is open; the version before it is in force again.

    Withdrawn again, nothing changes. Needs scope `submit`.
    """
    found = caller.submission(submission_id)

    def act() -> dict[str, Any]:
        try:
            with open_intake(caller.portal.settings) as intake:
                done = deciding.withdraw(intake, found, given.why)
        except DecisionRefused as refused:
            if refused.fault is deciding.Fault.REASON:
                raise Problem(422, "invalid-values", _sentence(refused)) from None
            raise Problem(409, "not-allowed", _sentence(refused)) from None
        except LeaseBusy:
            detail = "The unit's files are being taken in: try again soon."
            raise Problem(503, "unavailable", detail, headers={"retry-after": "5"}) from None
        left = done.in_force.submission_id if done.in_force else None
        return Withdrawn(submission_id=submission_id, in_force=left).model_dump(mode="json")

    return done_once(caller, key, ("withdraw", submission_id, given.why), act)


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
