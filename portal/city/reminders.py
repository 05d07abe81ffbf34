"""The text of a reminder per unit, to copy into a letter or a chat. Nothing personal is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from followup.reminding.letters import letter_to_unit
from followup.status import StatusLine, status_in
from ingest.quarters import Quarter
from portal.city.asked import quarter_or_newest
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.render import page, unit_name
from portal.signing_in.access import CityUser

router = APIRouter()


@dataclass(frozen=True)
class Reminder:
    """The reminder of one unit; without `text` nothing is left to do."""

    code: str
    name: str
    left: int
    text: str


@router.get("/staden/paminnelse")
def reminders(request: Request, user: CityUser, kvartal: str = "") -> Response:
    """A text for each unit that has something left to do."""
    portal = portal_of(request)
    quarter = quarter_or_newest(portal, kvartal)
    by_unit: dict[str, list[StatusLine]] = {}
    for line in status_in(portal.ledger, portal.settings, quarter).lines:
        by_unit.setdefault(line.district_code, []).append(line)
    contact, address = portal.settings.catalogue_contact, portal.own.url
    found = [
        reminder_of(code, quarter, by_unit[code], portal.today, contact, address)
        for code in sorted(by_unit, key=portal.registry.place)
    ]
    return page(
        request,
        "city/reminders.html",
        tabs=of_quarter(quarter, "reminder"),
        quarter=quarter,
        wanted=[one for one in found if one.text],
        complete=[one for one in found if not one.text],
    )


def reminder_of(
    code: str, quarter: Quarter, lines: Sequence[StatusLine], today: date, contact: str, address: str
) -> Reminder:
    """The reminder of a unit about one quarter: arguments as of `followup.reminding.letters.letter_to_unit`."""
    letter = letter_to_unit(code, {quarter: lines}, today, contact=contact, address=address)
    return Reminder(code, unit_name(code), letter.left, letter.text)
