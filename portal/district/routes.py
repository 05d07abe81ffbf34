"""A unit's first page, its templates and its history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from followup.templates import as_csv, as_template, file_name
from ingest.contracts import load_contracts
from ingest.ledger.decisions import local_names
from portal.context import portal_of
from portal.district.figures import own_figures, vacancies
from portal.district.files import FileLine
from portal.district.overview import quarter_overview, reported_quarters
from portal.district.parameters import chosen_quarter
from portal.pages.downloads import download
from portal.pages.render import page
from portal.signing_in.access import NotHere, OwnUnit

router = APIRouter(prefix="/enhet/{code}")
_HISTORY_PAGE = 50


@router.get("/")
def overview(request: Request, unit: OwnUnit, kvartal: str = "") -> Response:
    """The quarter's nine datasets."""
    portal = portal_of(request)
    quarter = chosen_quarter(portal, unit, kvartal)
    under_way = [one for one in portal.handover.uploads_of(unit.code) if not one.has_ended]
    return page(
        request,
        "district/overview.html",
        unit=unit,
        overview=quarter_overview(portal, unit, quarter),
        under_way=[FileLine.of(one) for one in under_way],
        predecessors=[one for one in map(portal.registry.get, portal.registry.predecessors(unit.code)) if one],
        max_megabytes=portal.settings.max_file_megabytes,
    )


@router.get("")
def without_slash(unit: OwnUnit) -> Response:
    """Lead to the page."""
    return RedirectResponse(f"/enhet/{unit.code}/", 303)


@router.get("/mall/{dataset}.{ending}")
def template(
    request: Request,
    unit: OwnUnit,
    dataset: Annotated[str, Path(max_length=40)],
    ending: Annotated[str, Path(pattern="^(csv|xlsx)$")],
    kvartal: str = "",
) -> Response:
    """A dataset's template, named and filled for the unit and the quarter."""
    portal = portal_of(request)
    quarter = chosen_quarter(portal, unit, kvartal)
    contract = load_contracts(quarter).get(dataset)
    if contract is None:
        raise NotHere
    if ending == "csv":
        content = as_csv(contract)
    else:
        content = as_template(contract, unit, quarter, local_names(portal.ledger))
    return download(content, file_name(contract, unit, quarter, ending))


@router.get("/historik")
def history(request: Request, unit: OwnUnit, sida: int = 1) -> Response:
    """Every file that the unit has handed in, newest first."""
    portal = portal_of(request)
    submissions = portal.ledger.submissions(district=unit.code)[::-1]
    pages = max(1, -(-len(submissions) // _HISTORY_PAGE))
    if not 1 <= sida <= pages:
        raise NotHere
    in_force = {one.submission_id for one in portal.ledger.in_force(district=unit.code)}
    return page(
        request,
        "district/history.html",
        unit=unit,
        submissions=submissions[(sida - 1) * _HISTORY_PAGE : sida * _HISTORY_PAGE],
        in_force=in_force,
        number_of_page=sida,
        pages=pages,
    )


@router.get("/siffror")
def figures(request: Request, unit: OwnUnit, kvartal: str = "") -> Response:
    """The unit's own figures beside the city's released ones."""
    portal = portal_of(request)
    quarter = chosen_quarter(portal, unit, kvartal)
    return page(
        request,
        "district/figures.html",
        unit=unit,
        figures=own_figures(portal.settings, unit, quarter),
        quarters=reported_quarters(portal, unit),
    )


@router.get("/lediga-platser")
def places(request: Request, unit: OwnUnit) -> Response:
    """Free places in other units for the unit's own queues."""
    portal = portal_of(request)
    quarter, found = vacancies(portal.settings, unit)
    return page(request, "district/places.html", unit=unit, quarter=quarter, vacancies=found)
