"""The text of a reminder per unit, to copy into a letter or a chat. Nothing personal is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from followup.status import StatusLine, status_in
from ingest.quarters import Quarter
from portal.city.asked import quarter_or_newest
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.render import counted, dataset_name, day, page, quarter_name, unit_name
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
    order = {one.code: place for place, one in enumerate(portal.registry.districts)}
    found = [
        reminder_of(code, quarter, by_unit[code], portal.today, contact, address)
        for code in sorted(by_unit, key=lambda code: (order.get(code, len(order)), code))
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
    """The reminder of a unit.

    Args:
        code: the unit's.
        quarter: which.
        lines: the unit's of that quarter.
        today: the city's date.
        contact: who signs it.
        address: of the portal.
    """
    missing = [line for line in lines if line.state != "in_force" and not line.refused]
    refused = [line for line in lines if line.refused]
    asked = [line for line in lines if line.state == "in_force" and line.open_queries]
    left = len(missing) + len(refused) + len(asked)
    if not left:
        return Reminder(code, unit_name(code), 0, "")
    is_past, is_locked = today > quarter.deadline, any(line.is_locked for line in lines)
    deadline = f"Sista dagen {'var' if is_past else 'är'} {day(quarter.deadline)}."
    parts = [f"Hej {unit_name(code)}!", f"Det här återstår för {quarter_name(quarter)}. {deadline}"]
    if missing:
        heading = "Saknas:" if is_past else "Har inte kommit än:"
        parts.append("\n".join([heading, *(f"- {dataset_name(line.dataset)}" for line in missing)]))
    if refused:
        listed = (
            f"- {dataset_name(line.dataset)}"
            + (f" (version {line.version} gäller tills vidare)" if line.version else "")
            for line in refused
        )
        parts.append("\n".join(["Togs inte in. Rätta felen i återkopplingen och lämna in igen:", *listed]))
    if asked:
        listed = (f"- {dataset_name(line.dataset)}: {counted(line.open_queries, 'fråga', 'frågor')}" for line in asked)
        parts.append("\n".join(["Frågor att besvara. Rätta filen, eller förklara varför uppgiften stämmer:", *listed]))
    if is_locked:
        parts.append(f"Kvartalet är låst. Hör av er till {contact} innan ni lämnar in.")
    parts.append(f"Allt finns på {address}. Skicka inga personuppgifter i svar på det här meddelandet.")
    parts.append(f"Hälsningar\n{contact}")
    return Reminder(code, unit_name(code), left, "\n\n".join(parts).replace("\u00a0", " "))
