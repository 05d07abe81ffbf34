"""The districts' explanations of queries in the files in force of a quarter."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from portal.city.asked import quarter_or_newest
from portal.city.cell import GivenExplanation, address_of, given_explanations
from portal.city.tabs import of_quarter
from portal.context import portal_of
from portal.pages.render import page
from portal.signing_in.access import CityUser

router = APIRouter()


@dataclass(frozen=True)
class OfFile:
    """The explanations of one file in force, and how many of its queries are open."""

    district_code: str
    dataset: str
    address: str
    open_queries: int
    given: list[GivenExplanation]


@router.get("/staden/forklaringar")
def explanations(request: Request, user: CityUser, kvartal: str = "") -> Response:
    """All explanations of a quarter's files in force."""
    portal = portal_of(request)
    quarter = quarter_or_newest(portal, kvartal)
    files = [
        OfFile(
            one.district_code, one.dataset or "", address_of(one), one.open_query_count, given_explanations(portal, one)
        )
        for one in portal.ledger.in_force(quarter=str(quarter))
        if one.query_count
    ]
    return page(
        request,
        "city/explanations.html",
        tabs=of_quarter(quarter, "explanations"),
        quarter=quarter,
        files=[one for one in files if one.given],
        unanswered=[one for one in files if one.open_queries],
    )
