"""Rendering pages: Jinja2 with everything escaped, Swedish numbers and dates, and what every page shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from followup.swedish import NO_BREAK as _SPACE
from followup.swedish import counted as counted
from followup.swedish import dataset_name as dataset_name
from followup.swedish import day as day
from followup.swedish import moment as moment
from followup.swedish import number as number
from followup.swedish import quarter_name as quarter_name
from followup.swedish import unit_name as unit_name
from ingest.districts import load_districts
from ingest.ledger.portal_users import PortalUser, Role
from ingest.organisation import own_words
from ingest.persons.number_search import reads_as_number
from portal.context import portal_of
from portal.pages.own_words import OwnWordsLoader, page_in_own_words
from portal.security.visit import Visit, visit_of

_FOLDER = Path(__file__).parent
_OF_FIGURES = "figures/"
ROLES = {
    Role.OFFICER: "handläggare",
    Role.CITY: "stadens team",
    Role.READER: "läsare",
    Role.ADMINISTRATOR: "administratör",
}
"""What users are called."""


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page.

    Args:
        request: whose user, path and forms the page shows.
        template: below portal/pages, such as `district/overview.html`.
        status: of HTTP.
        context: what the template names besides what every page has.
    """
    visit = getattr(request.state, "visit", None)
    return HTMLResponse(render(template, **(_shared(request, visit) | context)), status)


def render(template: str, **context: Any) -> str:
    """A template as text."""
    made = _ENVIRONMENT.get_template(template).render(**context)
    # pages of figures hold no text that a user wrote, and sentences that are put together from parts
    return page_in_own_words(made) if template.startswith(_OF_FIGURES) else made


def _shared(request: Request, visit: Visit | None) -> dict[str, Any]:
    portal = portal_of(request)
    user = visit.user if visit is not None else None
    return {
        "user": user,
        "role": own_words(ROLES[user.role]) if user is not None else None,
        "csrf_token": (visit_of(request).csrf_token or "") if visit is not None else "",
        "path": request.url.path,
        "nav": navigation(user, request.url.path, portal.own.figures_are_open),
        "is_synthetic": portal.is_synthetic(),
        "settings": portal.settings,
        "messages": (),
    }


def navigation(user: PortalUser | None, path: str, figures_are_open: bool) -> list[tuple[str, str, bool]]:
    """(address, label, whether it is the page shown or one below it), for the user's role."""
    links: list[tuple[str, str]] = []
    if user is not None and user.role is Role.OFFICER:
        for code in sorted(user.units, key=load_districts().place):
            unit = load_districts().get(code)
            links.append((f"/enhet/{code}/", unit.name if unit is not None else code))
    if user is not None and user.role is Role.CITY:
        links += [("/staden", "Läget"), ("/staden/publiceringar", "Publiceringar"), ("/staden/logg", "Logg")]
    if user is not None and user.role is Role.ADMINISTRATOR:
        links += [("/konton", "Konton"), ("/konton/logg", "Logg")]
    if user is not None or figures_are_open:
        links.append(("/siffror", "Siffror"))
    found = [link for link, _ in links if path == link or path.startswith(link.rstrip("/") + "/")]
    current = max(found, key=len, default=None)
    return [(link, label, link == current) for link, label in links]


def percent(value: float | None) -> str:
    """A share between 0 and 1 as `42,3 %`; `–` for none."""
    return "–" if value is None else f"{number(value * 100, 1)}{_SPACE}%"


def signed(value: float | None) -> str:
    """A change in counts with its sign: `+3`, `−3`, `0`; `–` for none."""
    return "–" if value is None else f"{'+' if value > 0 else ''}{number(value)}"


def points(value: float | None) -> str:
    """A change of a share, in percentage points with its sign: `+1,2`; `–` for none."""
    return "–" if value is None else f"{'+' if value > 0 else ''}{number(value * 100, 1)}"


def size(value: int) -> str:
    """`1,5 MB`, `12 kB`."""
    return f"{number(value / 1e6, 1)}{_SPACE}MB" if value >= 1_000_000 else f"{number(-(-value // 1000))}{_SPACE}kB"


def shown_again(text: str) -> str:
    """A refused text for its field again; nothing where it reads as a personal number."""
    return "" if reads_as_number(text) else text


def _environment() -> Environment:
    made = Environment(
        loader=OwnWordsLoader(_FOLDER),
        autoescape=select_autoescape(("html", "svg", "xml"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (number, percent, signed, points, day, moment, quarter_name, dataset_name, unit_name, size):
        made.filters[function.__name__] = function
    made.globals["counted"] = counted
    return made


_ENVIRONMENT = _environment()
