"""The audit log: acts newest first, filtered, page by page, and whether the chain holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ingest.ledger.act_search import ActSearch, known_actions, known_actors
from ingest.ledger.acts import Act, Verified, system_now, verify
from portal.city.asked import begin_of, day_named, end_of
from portal.context import Portal, portal_of
from portal.pages.acts import action_of, actor_of, page_of_acts
from portal.pages.render import page
from portal.signing_in.access import CityUser

router = APIRouter()
PER_PAGE = 50
_REMEMBERED = timedelta(minutes=5)


@dataclass(frozen=True)
class Looked:
    """What was found of the chain, and when it was looked at; UTC, without zone."""

    found: Verified
    at: datetime


@router.get("/staden/logg")
def log(
    request: Request, user: CityUser, vem: str = "", vad: str = "", fran: str = "", till: str = "", sida: str = "",
    prova: str = "",
) -> Response:  # fmt: skip
    """The acts that fit the filter."""
    portal = portal_of(request)
    actors, actions = known_actors(portal.ledger), known_actions(portal.ledger)
    first, last = day_named(fran), day_named(till)
    search = ActSearch(
        actor=vem if vem in actors else "",
        action=vad if vad in actions else "",
        begin=None if first is None else begin_of(first),
        end=None if last is None else end_of(last),
    )
    shown = page_of_acts(portal.ledger, search, sida, PER_PAGE)
    kept = {
        "vem": search.actor, "vad": search.action, "fran": str(first or ""), "till": str(last or ""),
    }  # fmt: skip
    address = urlencode({name: value for name, value in kept.items() if value})
    return page(
        request,
        "city/audit.html",
        acts=[(one, action_of(one.action), actor_of(one), address_of(one)) for one in shown.acts],
        count=shown.count,
        number=shown.number,
        pages=shown.pages,
        href=f"/staden/logg?{address}{'&' if address else ''}sida={{page}}",
        actors=[(one, one) for one in actors],
        actions=[(one, action_of(one)) for one in actions],
        given=kept,
        errors=[
            (name, "Skriv dagen som ÅÅÅÅ-MM-DD.")
            for name, typed, read in (("fran", fran, first), ("till", till, last))
            if typed and read is None
        ],
        chain=looked(portal, request, again=prova == "nu"),
    )


def address_of(one: Act) -> str | None:
    """The page about what an act was done on; None where there is none."""
    thing, subject = one.action.partition(".")[0], one.subject.partition(":")[0]
    if thing in ("submission", "query"):
        return f"/staden/inlamning/{subject}"
    if thing == "quarter":
        return f"/staden?kvartal={subject}"
    return f"/staden/publiceringar/{subject}" if thing == "release" else None


def looked(portal: Portal, request: Request, *, again: bool = False) -> Looked:
    """Whether the chain holds: looked at now, or at most five minutes ago, since it goes through the whole log."""
    known = getattr(request.app.state, "audit_log_looked", None)
    if isinstance(known, Looked) and not again and system_now() - known.at < _REMEMBERED:
        return known
    found = Looked(verify(portal.ledger), system_now())
    request.app.state.audit_log_looked = found
    return found
