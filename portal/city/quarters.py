"""Locking and unlocking quarters; exceptions from a lock."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup import deciding
from followup.status import DAYS_UNTIL_LOCK, locked_out
from ingest.contracts import load_contracts
from ingest.ledger import decisions
from ingest.quarters import Quarter
from portal.city.asked import LONGEST_REASON, day_named, one_line, quarter_named, quarter_or_newest
from portal.city.said import DONE, FAULTS, TOO_LONG, fault_of
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.numbers import number_named
from portal.pages.render import dataset_name, page, quarter_name, shown_again
from portal.security.guard import Form
from portal.signing_in.access import CityUser, NotHere, SentForm

router = APIRouter()


@router.get("/staden/kvartal/{quarter}/las")
def ask_lock(request: Request, user: CityUser, quarter: str) -> Response:
    """What locking a quarter shuts out, and the question whether to."""
    return _ask_lock(request, quarter_named(portal_of(request), quarter))


def _ask_lock(request: Request, quarter: Quarter, error: str = "", status: int = 200) -> Response:
    portal = portal_of(request)
    hindrance = ""
    if str(quarter) in decisions.locked_quarters(portal.ledger):
        hindrance = DONE["var-last"]
    elif portal.today <= quarter.end:
        hindrance = FAULTS[deciding.Fault.NOT_ENDED]
    found = None if hindrance else locked_out(portal.settings, quarter)
    early = (portal.today - quarter.end).days < DAYS_UNTIL_LOCK
    return page(
        request,
        "city/lock.html",
        status=status,
        tabs=of_quarter(quarter, "wall"),
        quarter=quarter,
        found=found,
        is_anything=found is not None and bool(found.missing or found.refused or found.open_queries),
        hindrance=error or hindrance,
        days_until_lock=DAYS_UNTIL_LOCK,
        is_early=early,
    )


@router.post("/staden/kvartal/{quarter}/las")
def lock(request: Request, user: CityUser, quarter: str, form: SentForm) -> Response:
    """Lock a quarter."""
    portal = portal_of(request)
    chosen = quarter_named(portal, quarter)
    try:
        with user.acting():
            changed = deciding.lock(portal.settings, portal.ledger, chosen)
    except deciding.DecisionRefused as refused:
        return _ask_lock(request, chosen, fault_of(refused), 422)
    return RedirectResponse(f"/staden?kvartal={chosen}&sagt={'last' if changed else 'var-last'}", 303)


@router.post("/staden/kvartal/{quarter}/oppna")
def unlock(request: Request, user: CityUser, quarter: str, form: SentForm) -> Response:
    """Open a locked quarter again."""
    portal = portal_of(request)
    chosen = quarter_named(portal, quarter)
    try:
        with user.acting():
            changed = deciding.unlock(portal.settings, portal.ledger, chosen)
    except deciding.DecisionRefused:
        return RedirectResponse(f"/staden?kvartal={chosen}&sagt=fryst", 303)
    return RedirectResponse(f"/staden?kvartal={chosen}&sagt={'oppnat' if changed else 'var-oppet'}", 303)


@router.get("/staden/undantag")
def exceptions(
    request: Request, user: CityUser, kvartal: str = "", enhet: str = "", datamangd: str = "", sagt: str = ""
) -> Response:
    """The exceptions that are open, and the form for another; `kvartal`, `enhet` and `datamangd` fill it in."""
    quarter = quarter_or_newest(portal_of(request), kvartal)
    given = Form((("kvartal", str(quarter)), ("enhet", enhet), ("datamangd", datamangd)))
    return _exceptions(request, quarter, given, (), done=DONE.get(sagt))


def _exceptions(
    request: Request,
    quarter: Quarter,
    given: Form,
    errors: tuple[tuple[str, str], ...],
    status: int = 200,
    done: str | None = None,
) -> Response:
    portal = portal_of(request)
    locked = sorted(decisions.locked_quarters(portal.ledger), reverse=True)
    return page(
        request,
        "city/exceptions.html",
        status=status,
        tabs=of_quarter(quarter, "exceptions"),
        quarter=quarter,
        found=decisions.open_exceptions(portal.ledger, portal.today),
        quarters=[(one, quarter_name(one)) for one in sorted({*locked, str(quarter)}, reverse=True)],
        locked=locked,
        units=[(one.code, one.name) for one in portal.registry.districts],
        datasets=[(name, dataset_name(name)) for name in load_contracts()],
        given={name: given.get(name) for name in ("kvartal", "enhet", "datamangd", "till", "why")},
        errors=errors,
        done=done,
        longest=LONGEST_REASON,
        today=portal.today,
    )


@router.post("/staden/undantag")
def open_exception(request: Request, user: CityUser, form: SentForm) -> Response:
    """Open an exception."""
    portal = portal_of(request)
    why, until = one_line(form.get("why")), form.get("till").strip()
    errors: list[tuple[str, str]] = []
    try:
        quarter = quarter_named(portal, form.get("kvartal"))
    except NotHere:
        quarter = portal.newest_quarter
        errors.append(("kvartal", "Välj ett kvartal i listan."))
    if portal.registry.get(form.get("enhet")) is None:
        errors.append(("enhet", "Välj en enhet i listan."))
    if form.get("datamangd") and form.get("datamangd") not in load_contracts():
        errors.append(("datamangd", "Välj en datamängd i listan, eller alla."))
    if until and day_named(until) is None:
        errors.append(("till", "Skriv dagen som ÅÅÅÅ-MM-DD."))
    if len(why) > LONGEST_REASON:
        errors.append(("why", TOO_LONG.format(LONGEST_REASON)))
    given = Form((*((name, value) for name, value in form.fields if name != "why"), ("why", shown_again(why))))
    if not errors:
        try:
            with user.acting():
                deciding.open_exception(
                    portal.settings, portal.ledger, quarter, form.get("enhet"), form.get("datamangd") or None,
                    until or None, why,
                )  # fmt: skip
        except deciding.DecisionRefused as refused:
            field = "till" if refused.fault is deciding.Fault.DAY else "why"
            errors.append((field, fault_of(refused)))
    if errors:
        return _exceptions(request, quarter, given, tuple(errors), 422)
    is_locked = str(quarter) in decisions.locked_quarters(portal.ledger)
    code = "undantag" if is_locked else "undantag-utan-las"
    return RedirectResponse(f"/staden/undantag?kvartal={quarter}&sagt={code}", 303)


@router.post("/staden/undantag/{number}/stang")
def close_exception(request: Request, user: CityUser, number: str, form: SentForm) -> Response:
    """Close an exception."""
    portal = portal_of(request)
    chosen = number_named(number)
    with user.acting():
        changed = decisions.close_exception(portal.ledger, chosen, deciding.now_naive(portal.settings))
    quarter = quarter_or_newest(portal, form.get("kvartal"))
    return RedirectResponse(f"/staden/undantag?kvartal={quarter}&sagt={'stangt' if changed else 'var-stangt'}", 303)
