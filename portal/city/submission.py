"""One submission by its id: the workbook that its sender got, and withdrawing it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup import deciding
from ingest.ledger import Submission
from ingest.quarters import Quarter
from portal.city import working
from portal.city.asked import LONGEST_REASON, one_line, submission_named
from portal.city.cell import address_of, rules_found, versions_of, workbook_of
from portal.city.said import TOO_LONG, fault_of
from portal.context import portal_of
from portal.pages.render import page, shown_again
from portal.signing_in.access import CityUser, NotHere, SentForm

router = APIRouter()
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/staden/inlamning/{submission}/arbetsbok")
def workbook(request: Request, user: CityUser, submission: str) -> Response:
    """The marked workbook that the sender got."""
    portal = portal_of(request)
    found = submission_named(portal, submission)
    content = workbook_of(portal, found)
    if content is None:
        raise NotHere
    parts = [found.district_code, found.dataset or "okand", found.reporting_quarter or "", found.submission_id[:8]]
    name = f"aterkoppling_{'_'.join(filter(None, parts))}.xlsx"
    return Response(content, media_type=_WORKBOOK, headers={"content-disposition": f'attachment; filename="{name}"'})


@router.get("/staden/inlamning/{submission}")
def unnamed(request: Request, user: CityUser, submission: str) -> Response:
    """One submission; where its key is known, as part of that key's page."""
    portal = portal_of(request)
    found = submission_named(portal, submission)
    if found.dataset is not None and found.reporting_quarter is not None:
        return RedirectResponse(f"{address_of(found)}?inlamning={found.submission_id}", 303)
    return page(
        request,
        "city/unnamed.html",
        shown=versions_of(portal, [found])[0],
        rules=rules_found(portal, found),
        has_workbook=workbook_of(portal, found) is not None,
    )


@router.get("/staden/inlamning/{submission}/aterkalla")
def ask_withdrawal(request: Request, user: CityUser, submission: str) -> Response:
    """What withdrawing does, and the question why."""
    return _ask(request, submission_named(portal_of(request), submission))


def _ask(request: Request, found: Submission, why: str = "", error: str = "", status: int = 200) -> Response:
    portal = portal_of(request)
    if found.state != "accepted":
        raise NotHere
    earlier = [
        one
        for one in portal.ledger.submissions(
            district=found.district_code, dataset=found.dataset, quarter=found.reporting_quarter
        )
        if one.state == "accepted" and (one.version or 0) < (found.version or 0)
    ]
    hindrance = ""
    try:
        deciding.require_withdrawable(portal.settings, portal.ledger, found)
    except deciding.DecisionRefused as refused:
        hindrance = fault_of(refused)
    return page(
        request,
        "city/withdraw.html",
        status=status,
        quarter=Quarter.parse(found.reporting_quarter or ""),
        found=found,
        back=f"{address_of(found)}?inlamning={found.submission_id}",
        before=max((one.version or 0 for one in earlier), default=None),
        hindrance=hindrance,
        why=shown_again(why),
        error=error,
        longest=LONGEST_REASON,
    )


@router.post("/staden/inlamning/{submission}/aterkalla")
def withdraw(request: Request, user: CityUser, submission: str, form: SentForm) -> Response:
    """Withdraw: a work of its own, since files that look at this one are looked at again."""
    portal = portal_of(request)
    found, why = submission_named(portal, submission), one_line(form.get("why"))
    try:
        if len(why) > LONGEST_REASON:
            return _ask(request, found, why, TOO_LONG.format(LONGEST_REASON), 422)
        deciding.checked_reason(why)
        deciding.require_withdrawable(portal.settings, portal.ledger, found)
    except deciding.DecisionRefused as refused:
        return _ask(request, found, why, fault_of(refused), 422)
    if found.state != "accepted":
        raise NotHere
    started = working.start(
        portal, user.user.name, working.Kind.WITHDRAW, back=address_of(found), submission=found.submission_id, why=why
    )
    if started is None:
        return _ask(request, found, why, working.BUSY, 409)
    return RedirectResponse(f"/staden/arbete/{started.work_id}", 303)
