"""Rendering pages: Jinja2 with everything escaped, Swedish numbers and dates, and what every page shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger.portal_users import PortalUser, Role
from ingest.persons.number_search import reads_as_number
from ingest.settings import CITY_TIME
from portal.context import portal_of
from portal.security.visit import Visit, visit_of

_FOLDER = Path(__file__).parent
_SPACE = "\u00a0"
_MONTHS = (
    "januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november",
    "december",
)  # fmt: skip
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
    return _ENVIRONMENT.get_template(template).render(**context)


def _shared(request: Request, visit: Visit | None) -> dict[str, Any]:
    portal = portal_of(request)
    user = visit.user if visit is not None else None
    return {
        "user": user,
        "role": ROLES[user.role] if user is not None else None,
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
        for code in user.units:
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


def number(value: float | int | None, decimals: int = 0) -> str:
    """A number as Swedish writes it: `1 234,5` with no-break spaces; `–` for none."""
    if value is None:
        return "–"
    return f"{value:,.{decimals}f}".replace(",", _SPACE).replace(".", ",").replace("-", "−")


def percent(value: float | None) -> str:
    """A share between 0 and 1 as `42,3 %`; `–` for none."""
    return "–" if value is None else f"{number(value * 100, 1)}{_SPACE}%"


def signed(value: float | None) -> str:
    """A change in counts with its sign: `+3`, `−3`, `0`; `–` for none."""
    return "–" if value is None else f"{'+' if value > 0 else ''}{number(value)}"


def points(value: float | None) -> str:
    """A change of a share, in percentage points with its sign: `+1,2`; `–` for none."""
    return "–" if value is None else f"{'+' if value > 0 else ''}{number(value * 100, 1)}"


def day(value: date | datetime | None) -> str:
    """`9 april 2018`; of a moment, stored in UTC without zone, the city's date."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC).astimezone(CITY_TIME).date()
    return f"{value.day}{_SPACE}{_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime | None) -> str:
    """`9 april 2018 kl. 08.05`, in the city's time, of a moment stored in UTC without zone."""
    if value is None:
        return "–"
    local = value.replace(tzinfo=UTC).astimezone(CITY_TIME)
    return f"{day(value)} kl.{_SPACE}{local:%H.%M}"


def counted(count: int, one: str, many: str) -> str:
    """`1 rad`, `1 234 rader`."""
    return f"{number(count)} {one if count == 1 else many}"


def quarter_name(value: object) -> str:
    """`kvartal 3 2018` of `2018Q3`."""
    text = str(value)
    return f"kvartal {text[5:]} {text[:4]}"


def dataset_name(value: str | None) -> str:
    """A dataset's Swedish title; `okänd fil` where a file's name could not be read."""
    contract = load_contracts().get(value or "")
    return contract.title_sv.partition(" (")[0] if contract is not None else "okänd fil"


def unit_name(code: str) -> str:
    """A unit's name."""
    unit = load_districts().get(code)
    return unit.name if unit is not None else code


def size(value: int) -> str:
    """`1,5 MB`, `12 kB`."""
    return f"{number(value / 1e6, 1)}{_SPACE}MB" if value >= 1_000_000 else f"{number(-(-value // 1000))}{_SPACE}kB"


def shown_again(text: str) -> str:
    """A refused text for its field again; nothing where it reads as a personal number."""
    return "" if reads_as_number(text) else text


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
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
