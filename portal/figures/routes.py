"""The pages of figures: for everybody where the installation says so, else for who has signed in."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import duckdb
from fastapi import APIRouter, FastAPI, Path
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from portal.figures.choices import Garbled, NotThere, read_address
from portal.figures.described import definition, reading
from portal.figures.drawing import Scheme, Width, size, warm
from portal.figures.making import Figures, figures_at, topic_of
from portal.figures.pictures import Picture
from portal.figures.released import NoRelease, Release
from portal.figures.sections import Content
from portal.figures.topics.listed import DISTRICT_PAGE, TOPICS, Topic
from portal.pages.render import page, render
from portal.signing_in.access import FigureReader, NotHere

log = logging.getLogger(__name__)
_OF_CHART = ("del", "bredd", "tema", "utgava")
_CHART_SECONDS = 300
"""So long a browser keeps a chart, whose address names its release."""
_UNREADABLE = "Den senaste utgåvan kan inte läsas just nu. Försök igen om en stund."
CHART, FILE = "diagram.svg", "siffror.csv"
Code = Annotated[str, Path(max_length=40, pattern=r"^[a-z0-9-]+$")]
Part = Annotated[str, Path(max_length=40)]


@asynccontextmanager
async def _warmed(app: FastAPI) -> AsyncIterator[None]:
    """Start the drawing engine and read the release beside, so that nobody waits for them."""
    threading.Thread(target=_warm, args=(app,), daemon=True, name="figures-warm").start()
    yield


def _warm(app: FastAPI) -> None:
    warm()
    with suppress(NoRelease, duckdb.Error):
        figures = figures_at(app)
        figures.cards(figures.releases.current())


router = APIRouter(prefix="/siffror", lifespan=_warmed)


# -- pages -------------------------------------------------------------------------------------------------------------


@router.get("")
def overview(request: Request, visit: FigureReader) -> Response:
    """What the latest release says of each question, in a sentence."""
    figures = figures_at(request.app)

    def shown(release: Release) -> Response:
        cards, districts = figures.cards(release), figures.districts(release)
        return _page(request, "figures/overview.html", release, "Siffror", cards=cards, districts=districts)

    return _showing(request, figures, "", shown)


@router.get("/om")
def about(request: Request, visit: FigureReader) -> Response:
    """How published figures are read, and what this release holds."""

    def shown(release: Release) -> Response:
        return _page(request, "figures/about.html", release, "Så läser du siffrorna", reading=reading())

    return _showing(request, figures_at(request.app), "", shown)


@router.get("/stadsdel/{code}")
def district(request: Request, visit: FigureReader, code: Code) -> Response:
    """A district beside the city."""
    return _topic_page(request, DISTRICT_PAGE, f"/siffror/stadsdel/{code}", {"stadsdel": code})


@router.get("/stadsdel/{code}/{part}")
def part_of_district(request: Request, visit: FigureReader, code: Code, part: Part) -> Response:
    """A chart or a table of a district's page."""
    return _part(request, DISTRICT_PAGE, part, {"stadsdel": code})


@router.get("/{slug}")
def topic(request: Request, visit: FigureReader, slug: Code) -> Response:
    """A question: its findings, charts and tables."""
    found = topic_of(slug)
    if found is None:
        raise NotHere
    return _topic_page(request, found, f"/siffror/{slug}", {})


@router.get("/{slug}/{part}")
def part_of_topic(request: Request, visit: FigureReader, slug: Code, part: Part) -> Response:
    """A chart or a table of a question's page."""
    found = topic_of(slug)
    if found is None:
        raise NotHere
    return _part(request, found, part, {})


def _topic_page(request: Request, topic: Topic, address: str, fixed: Mapping[str, str]) -> Response:
    figures = figures_at(request.app)

    def shown(release: Release) -> Response:
        chosen = _chosen(request, topic, fixed)
        content = figures.content(release, topic, chosen)
        made = figures.body(release, topic, chosen, lambda content: _body(release, topic, address, content, chosen))
        # rendered by the template that escapes what it shows
        return _page(request, "figures/topic.html", release, content.title, body=Markup(made), slug=topic.slug)

    return _showing(request, figures, address, shown)


def _chosen(request: Request, topic: Topic, fixed: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in topic.filters if name not in fixed]
    return read_address(request.query_params.multi_items(), names) | dict(fixed)


def _body(release: Release, topic: Topic, address: str, content: Content, chosen: Mapping[str, str]) -> str:
    in_path = topic is DISTRICT_PAGE
    query = {name: value for name, value in chosen.items() if not (in_path and name == "stadsdel")}
    notes = [set(one.notes) for one in content.sections if one.table is not None]
    shared = set.intersection(*notes) if notes else set()
    bases = dict.fromkeys(one.base for one in content.sections if one.base)
    return render(
        "figures/body.html",
        content=content,
        topic=topic,
        address=address,
        has_choices=bool(query),
        district_code="" if in_path else chosen.get("stadsdel", ""),
        of_section=lambda key: urlencode({**query, "del": key, "utgava": release.number}),
        sources=_sources,
        shared=[note for one in content.sections[:1] for note in one.notes if note in shared],
        definitions=[found for base in bases if (found := definition(base)) is not None],
        others=TOPICS if in_path else (),
    )


def _sources(picture: Picture) -> list[tuple[str, str, int, int]]:
    """The drawings of a chart: media, part of the address, width and height; the last is for all other media."""
    found: list[tuple[str, str, int, int]] = []
    schemes: tuple[tuple[Scheme, str], ...] = (("mork", "screen and (prefers-color-scheme: dark)"), ("ljus", ""))
    widths: tuple[tuple[Width, str], ...] = (("bred", "(min-width: 48rem)"), ("smal", ""))
    for width, wide in widths:
        for scheme, dark in schemes:
            media = " and ".join(part for part in (dark, wide) if part)
            found.append((media, urlencode({"bredd": width, "tema": scheme}), *size(picture, width)))
    return found


# -- charts and files --------------------------------------------------------------------------------------------------


def _part(request: Request, topic: Topic, part: str, fixed: Mapping[str, str]) -> Response:
    """A section's chart as SVG, or its table as CSV."""
    figures = figures_at(request.app)
    if part not in (CHART, FILE):
        raise NotHere
    try:
        chosen = _chosen(request, topic, fixed)
        asked = read_address(request.query_params.multi_items(), _OF_CHART)
        release = figures.releases.of(asked.get("utgava", ""))
        key = asked.get("del", "")
        if part == FILE:
            return _csv(figures.content(release, topic, chosen), release, topic, key)
        width: Width = "bred" if asked.get("bredd") == "bred" else "smal"
        scheme: Scheme = "mork" if asked.get("tema") == "mork" else "ljus"
        drawn = figures.chart(release, topic, chosen, key, width, scheme)
    except (NoRelease, NotThere) as error:
        return PlainTextResponse(str(error), 503 if isinstance(error, NoRelease) and error.is_fault else 404)
    except Garbled as error:
        return PlainTextResponse(str(error), 400)
    except duckdb.Error as error:
        log.warning("%s while reading the release", type(error).__name__)
        return PlainTextResponse(_UNREADABLE, 503)
    if drawn is None:
        return PlainTextResponse("Det diagrammet finns inte.", 404)
    headers = {"cache-control": f"private, max-age={_CHART_SECONDS}", "content-disposition": "inline"}
    return Response(drawn, 200, headers, media_type="image/svg+xml")


def _csv(content: Content, release: Release, topic: Topic, key: str) -> Response:
    table = next((one.table for one in content.sections if one.key == key), None)
    if table is None:
        return PlainTextResponse("Den tabellen finns inte.", 404)
    parts = (topic.slug, content.district, key, "utgava", release.number)
    name = "_".join(part for one in parts if (part := _in_file_name(one)))
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "x-content-type-options": "nosniff"}
    return Response(table.csv(), 200, headers, media_type="text/csv; charset=utf-8")


def _in_file_name(text: str) -> str:
    plain = text.lower().translate(str.maketrans("åäöé", "aaoe"))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40]


# -- what every page of figures has ------------------------------------------------------------------------------------


def _page(request: Request, template: str, release: Release, title: str, **context: Any) -> Response:
    return page(
        request,
        template,
        title=title,
        release=release,
        topics=TOPICS,
        **context,
    )


def _showing(request: Request, figures: Figures, address: str, shown: Callable[[Release], Response]) -> Response:
    """A page of the current release, or a page that says why there is none."""
    try:
        return shown(figures.releases.current())
    except NoRelease as error:
        heading = "Siffrorna kan inte visas" if error.is_fault else "Inga siffror ännu"
        return _message(request, 503 if error.is_fault else 200, heading, str(error), "")
    except NotThere as error:
        return _message(request, 404, "Det finns inte", str(error), address)
    except Garbled as error:
        return _message(request, 400, "Adressen går inte att läsa", str(error), address)
    except duckdb.Error as error:
        log.warning("%s while reading the release", type(error).__name__)
        return _message(request, 503, "Siffrorna kan inte visas", _UNREADABLE, "")


Status = Literal[200, 400, 404, 503]


def _message(request: Request, status: Status, heading: str, message: str, back: str) -> Response:
    return page(request, "figures/message.html", status=status, title=heading, heading=heading, what=message, back=back)
