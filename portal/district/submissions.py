"""What the unit has handed in: the answer, explaining queries, the receipt, withdrawing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup import deciding
from followup.deciding import DecisionRefused
from followup.status import open_queries_of
from ingest.districts import District
from ingest.explaining import LONGEST_TEXT, CannotBeExplained, explain
from ingest.feedback_files import feedback_path
from ingest.ledger import Submission
from ingest.ledger.decisions import is_closed_to
from ingest.ledger.explanations import explanations_of
from ingest.ledger.leases import LeaseBusy
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter
from ingest.recording import open_intake
from portal.context import Portal, portal_of
from portal.district.results import RuleGroup, query_key, rule_groups
from portal.pages.downloads import download
from portal.pages.render import counted, page, shown_again
from portal.security.guard import Form
from portal.signing_in.access import NotHere, OwnUnit, SentForm, SomeUser

router = APIRouter(prefix="/enhet/{code}/inlamning/{submission_id}")
_Id = Annotated[str, Path(pattern="^[a-z2-7]{26}$")]


@dataclass(frozen=True)
class _Shown:
    """A submission with what its page says of it."""

    submission: Submission
    report: dict[str, Any] | None
    is_in_force: bool
    may_withdraw: bool


@router.get("")
def answer(request: Request, unit: OwnUnit, submission_id: _Id) -> Response:
    """The verdict, what was found, and the queries to explain."""
    return _answer_page(request, unit, _own(request, unit, submission_id))


@router.get("/aterkoppling.xlsx")
def workbook(request: Request, unit: OwnUnit, submission_id: _Id) -> Response:
    """The file with its faults marked."""
    found = _own(request, unit, submission_id).submission
    path = feedback_path(portal_of(request).settings, unit.code, found.submission_id, "xlsx")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotHere from None
    return download(content, f"{found.source_file_name}.aterkoppling.xlsx")


@router.get("/kvitto")
def receipt(request: Request, unit: OwnUnit, submission_id: _Id) -> Response:
    """What proves that the file was handed in; printed by the browser."""
    shown = _own(request, unit, submission_id)
    return page(request, "district/receipt.html", unit=unit, submission=shown.submission, is_in_force=shown.is_in_force)


@router.post("/forklara")
def explain_queries(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, submission_id: _Id) -> Response:
    """Explain queries of one rule: all that are open, or those that are chosen."""
    portal, shown = portal_of(request), _own(request, unit, submission_id)
    rule, text = form.get("rule")[:20], form.get("explanation").strip()
    error = _text_error(text)
    if error is None and shown.submission.state != "accepted":
        error = "Filen gäller inte. Frågorna kan inte förklaras."
    if error is None:
        error = _explain(portal, shown.submission, user, form, rule, text)
    if error is not None:
        return _answer_page(request, unit, shown, status=422, error=(rule, error, shown_again(text)))
    return RedirectResponse(f"/enhet/{unit.code}/inlamning/{submission_id}#regel-{rule}", 303)


def _text_error(text: str) -> str | None:
    """Why a text can't be an explanation; it is never repeated in a message."""
    if not text:
        return "Skriv en förklaring."
    if len(text) > LONGEST_TEXT:
        return f"Förklaringen är för lång: högst {LONGEST_TEXT} tecken."
    if reads_as_number(text):
        return "Förklaringen innehåller något som ser ut som ett personnummer. Ta bort det."
    return None


def _explain(portal: Portal, found: Submission, user: SomeUser, form: Form, rule: str, text: str) -> str | None:
    """Explain; returns why that was not possible."""
    asked = [one for one in open_queries_of(portal.settings, portal.ledger, found) if one.rule == rule]
    if not asked:
        return "Det finns inga öppna frågor om den regeln längre."
    keys: list[str | None] = [None]
    if form.get("scope") == "chosen":
        chosen = {name.removeprefix("row_") for name, _ in form.fields if name.startswith("row_")}
        keys = sorted({one.row_key for one in asked if query_key(one) in chosen}, key=str)
        if not keys:
            return "Markera minst en rad, eller välj alla."
    now = deciding.now_naive(portal.settings)
    try:
        with user.acting():
            for key in keys:
                explain(portal.ledger, portal.settings.home, found, rule, text, now, row_key=key)
    except CannotBeExplained:
        return "Frågan finns inte längre. Ladda om sidan."
    return None


@router.post("/aterkalla")
def withdraw(request: Request, unit: OwnUnit, user: SomeUser, form: SentForm, submission_id: _Id) -> Response:
    """Take the file out of force while its quarter is open."""
    portal, shown = portal_of(request), _own(request, unit, submission_id)
    why = form.get("why").strip()
    error = None
    if not why or len(why) > LONGEST_TEXT or reads_as_number(why):
        error = "Skriv varför, utan personuppgifter."
    elif not shown.may_withdraw:
        error = "Filen kan inte återkallas: den gäller inte, eller så är kvartalet låst."
    if error is not None:
        return _answer_page(
            request, unit, shown, status=422, withdraw_error=(error, shown_again(why) if len(why) < 500 else "")
        )
    try:
        with user.acting(), open_intake(portal.settings) as intake:
            deciding.withdraw(intake, shown.submission, why)
    except (DecisionRefused, LeaseBusy):
        busy = "Det gick inte just nu: filerna tas in, eller så har något ändrats. Ladda om sidan och försök igen."
        return _answer_page(request, unit, shown, status=409, withdraw_error=(busy, why))
    return RedirectResponse(f"/enhet/{unit.code}/inlamning/{submission_id}", 303)


def _own(request: Request, unit: District, submission_id: str) -> _Shown:
    portal = portal_of(request)
    found = portal.ledger.find(submission_id)
    if found is None or found.district_code != unit.code:
        raise NotHere
    current = portal.ledger.in_force(district=unit.code, dataset=found.dataset, quarter=found.reporting_quarter)
    is_in_force = any(one.submission_id == submission_id for one in current)
    quarter = Quarter.parse(found.reporting_quarter) if found.reporting_quarter else None
    may_withdraw = (
        is_in_force
        and quarter is not None
        and found.dataset is not None
        and not is_closed_to(portal.ledger, unit.code, found.dataset, quarter, portal.today)
    )
    path = feedback_path(portal.settings, unit.code, submission_id, "json")
    report = json.loads(path.read_bytes()) if path.exists() else None
    return _Shown(found, report, is_in_force, may_withdraw)


def _answer_page(
    request: Request,
    unit: District,
    shown: _Shown,
    *,
    status: int = 200,
    error: tuple[str, str, str] = ("", "", ""),
    withdraw_error: tuple[str, str] = ("", ""),
) -> Response:
    portal, found = portal_of(request), shown.submission
    is_open = found.state == "accepted"
    asked = open_queries_of(portal.settings, portal.ledger, found) if is_open else []
    given = explanations_of(portal.ledger, found.submission_id)
    groups: tuple[RuleGroup, ...] = ()
    if shown.report is not None:
        texts = [(one.rule, one.text) for one in given]
        groups = rule_groups(shown.report, asked, texts, is_handed_in=is_open)
    kind, heading, text = _verdict(shown)
    return page(
        request,
        "district/submission.html",
        status=status,
        unit=unit,
        submission=found,
        report=shown.report,
        is_in_force=shown.is_in_force,
        may_withdraw=shown.may_withdraw,
        kind=kind,
        heading=heading,
        text=text,
        groups=groups,
        longest=LONGEST_TEXT,
        error_rule=error[0],
        error=error[1],
        error_text=error[2],
        withdraw_error=withdraw_error[0],
        withdraw_why=withdraw_error[1],
    )


def _verdict(shown: _Shown) -> tuple[str, str, str]:
    """(kind, heading, what to do) of a submission."""
    found = shown.submission
    if found.state == "refused":
        faults = counted(found.error_count, "fel", "fel")
        return (
            "refused",
            f"Filen togs inte in: {faults} att rätta",
            "Rätta i källan eller filen, och lämna in den igen.",
        )
    if found.state == "withdrawn":
        return "note", "Filen är återkallad", "Den räknas inte längre."
    if not shown.is_in_force:
        return "note", "Filen är ersatt", f"Den var version {found.version}; en nyare gäller nu."
    rows = counted(found.row_count, "rad", "rader")
    if found.open_query_count:
        asked = counted(found.open_query_count, "fråga", "frågor")
        return "queries", f"Filen är inlämnad och gäller: {rows}, {asked} kvar", "Rätta filen, eller förklara frågorna."
    return "accepted", f"Filen är inlämnad och gäller: {rows}", "Inget mer att göra."
