"""What a page of figures is made of: sections with a finding, a chart and a table each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from portal.figures.choices import Asked, Choice, Period
from portal.figures.findings import hidden_zeros
from portal.figures.pictures import Picture
from portal.figures.released import Row
from portal.figures.tables import Table
from publish.serving.series_breaks import SeriesBreak, notes_on
from publish.views.declared import load_views


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        key: its name in addresses, its own on the page.
        finding: the sentence, made from the figures.
        base: the declaration of views whose definitions it follows; empty for none.
    """

    key: str
    heading: str
    finding: str
    base: str
    picture: Picture | None = None
    table: Table | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Content:
    """What a page says.

    Attributes:
        lead: the page's finding in one sentence or two.
        choices: what can be chosen.
        sections: in order.
        district: label of the chosen district; empty for the whole city.
    """

    title: str
    lead: str
    choices: tuple[Choice, ...]
    sections: tuple[Section, ...]
    district: str = ""


def state_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """That figures can still change, or that districts are missing, where the rows say so."""
    found = []
    if any(row.get("preliminar") for row in rows):
        found.append("Preliminärt: uppgifterna kan ännu rättas i en senare utgåva.")
    if any(row.get("alla_stadsdelar") is False for row in rows):
        found.append("Alla stadsdelars uppgifter finns inte för perioden. Antal är då för låga.")
    return tuple(found)


def with_breaks(content: Content, breaks: Sequence[SeriesBreak]) -> Content:
    """The same, each section with a note on the breaks that the series of its question cross."""
    if not breaks:
        return content
    sources = {view.base: view.sources for view in load_views()}
    sections = tuple(
        replace(one, notes=(*one.notes, *notes_on(breaks, sources.get(one.base, ())))) for one in content.sections
    )
    return replace(content, sections=sections)


def missing_notes(asked: Asked, *, has_counts_of_persons: bool) -> tuple[str, ...]:
    """What words instead of values, and zeros, mean in a table."""
    few = asked.release.about.get("too_few", "")
    behind = f"färre än {few}" if few.isascii() and few.isdigit() else "få"
    said = [f"”För få” betyder att {behind} ligger bakom: värdet visas inte, för att skydda den enskilde."]
    if has_counts_of_persons:
        said.append(hidden_zeros(asked.release.greatest_deviation))
    return tuple(said)


def other_period(asked: Asked, period: Period) -> tuple[str, ...]:
    """That a section shows another period than the one that was asked for."""
    if asked.get("period") in ("", period.code):
        return ()
    return (f"Uppgiften finns inte för den valda perioden. Här visas {period.label}.",)


def nothing(key: str, heading: str, base: str) -> Section:
    """A section of a question that the release does not answer."""
    return Section(key, heading, "Den här utgåvan har inga uppgifter om det.", base)
