"""The completeness report of a quarter as a page, and as the text that a meeting is given."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from followup.closing.completeness import Completeness, completeness_in, in_swedish, left_in_words, summary_of
from portal.city.asked import quarter_named
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.render import page, unit_name
from portal.signing_in.access import CityUser

router = APIRouter()


@dataclass(frozen=True)
class UnitReport:
    """One unit's row: how many of its files are in force, and what is to be said of the others."""

    name: str
    in_force: int
    expected: int
    left: tuple[str, ...]


@router.get("/staden/kvartal/{quarter}/fullstandighet")
def completeness(request: Request, user: CityUser, quarter: str) -> Response:
    """The report as it is now; nothing is stored."""
    portal = portal_of(request)
    chosen = quarter_named(portal, quarter)
    report = completeness_in(portal.ledger, portal.settings, chosen)
    return page(
        request,
        "city/completeness.html",
        tabs=of_quarter(chosen, "completeness"),
        quarter=chosen,
        summary=summary_of(report),
        is_locked=report.is_locked,
        units=_units(report),
        text=in_swedish(report),
    )


def _units(report: Completeness) -> list[UnitReport]:
    found = []
    for code in report.units:
        lines = [line for line in report.lines if line.district_code == code]
        left = tuple(words for line in lines if (words := left_in_words(line)))
        found.append(UnitReport(unit_name(code), sum(line.is_in_force for line in lines), len(lines), left))
    return found
