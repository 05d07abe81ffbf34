"""Districts' own names of interventions: the list, and adding one."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup import deciding
from ingest.ledger import decisions
from ingest.organisation_tables import read_seed
from ingest.swedish_order import swedish_order
from portal.city import working
from portal.city.asked import one_line
from portal.city.said import fault_of
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.render import page, shown_again
from portal.signing_in.access import CityUser, SentForm

router = APIRouter()


@router.get("/staden/namn")
def names(request: Request, user: CityUser) -> Response:
    """The names that the city has added, and the form for another."""
    return _names(request)


def _names(
    request: Request,
    given: dict[str, str] | None = None,
    errors: tuple[tuple[str | None, str], ...] = (),
    status: int = 200,
) -> Response:
    portal = portal_of(request)
    catalogue = {row["intervention_code"]: row["name"] for row in read_seed("interventions")}
    return page(
        request,
        "city/names.html",
        status=status,
        tabs=of_quarter(portal.newest_quarter, "names"),
        found=decisions.local_names(portal.ledger),
        catalogue=catalogue,
        codes=sorted(catalogue.items(), key=lambda one: swedish_order(one[1])),
        units=[(one.code, one.name) for one in portal.registry.districts],
        given=given or {"name": "", "means": "", "unit": ""},
        errors=errors,
        longest=deciding.LONGEST_NAME,
    )


@router.post("/staden/namn")
def add_name(request: Request, user: CityUser, form: SentForm) -> Response:
    """Add a name: a work of its own, since the files refused for it are checked again."""
    portal = portal_of(request)
    name, means, unit = one_line(form.get("name")), form.get("means"), form.get("unit")
    errors: list[tuple[str | None, str]] = []
    if unit and portal.registry.get(unit) is None:
        errors.append(("unit", "Välj en enhet i listan, eller alla."))
    try:
        deciding.checked_local_name(name, means, unit or None)
    except deciding.DecisionRefused as refused:
        errors.append(("means" if refused.fault is deciding.Fault.CODE else "name", fault_of(refused)))
    shown = {"name": shown_again(name), "means": means, "unit": unit}
    if errors:
        return _names(request, shown, tuple(errors), 422)
    started = working.start(
        portal, user.user.name, working.Kind.NAME, back="/staden/namn", name=name, means=means, unit=unit
    )
    if started is None:
        return _names(request, shown, ((None, working.BUSY),), 409)
    return RedirectResponse(f"/staden/arbete/{started.work_id}", 303)
