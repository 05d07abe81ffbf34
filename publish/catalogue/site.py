"""The site for readers of a release: a page for each question, table and column, in Swedish, fetching nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from ingest.findings import count_with_noun
from ingest.organisation import own_words
from ingest.swedish_order import swedish_order
from publish.catalogue.breaks import Break
from publish.catalogue.charts import Drawing, legend, shown_as, svg
from publish.catalogue.described import ABOUT, Column, Described, Table
from publish.catalogue.examples import Example
from publish.catalogue.markup import inline, markdown
from publish.catalogue.pages import BREAKS, COLUMNS, FIGURES, NAME, RELEASES, START, Frame, Page
from publish.catalogue.search import words_of
from publish.release.texts import parts_of
from publish.serving.release_file import in_swedish
from publish.serving.series_breaks import SeriesBreak, notes_on
from publish.serving.workbook import sentences
from publish.views.declared import View

_TYPES = {
    "string": "text",
    "integer": "heltal",
    "number": "decimaltal",
    "boolean": "ja/nej",
    "date": "datum",
    "datetime": "tidpunkt",
}
TEXTS = Path(__file__).with_name("site_sv.md")


@dataclass(frozen=True)
class Issued:
    """A release that has been published: its number and day, until which quarter, and which periods it brought.

    `at` is empty for the one that the site is part of, until it is approved.
    """

    release_id: int
    at: str
    until_quarter: str
    is_revision: bool
    new_periods: tuple[str, ...]
    revised_periods: tuple[str, ...]
    revisions: tuple[tuple[str, int, str], ...] = ()
    """Quarter, number of its revision, and why."""


@dataclass(frozen=True)
class Site:
    """All that the pages are made of.

    Attributes:
        described: the release.
        views: the views of the release, those of a declaration after one another.
        examples: a declaration's name → its chart, where it has one.
        breaks: districts that became one. series_breaks: measures that count something else from a quarter on.
        issued: releases, newest first.
        workbook: name of the release's workbook; empty without one.
        has_files: whether the folder above has the release's files to link to.
    """

    described: Described
    views: tuple[View, ...]
    examples: Mapping[str, Example]
    breaks: tuple[Break, ...]
    issued: tuple[Issued, ...]
    workbook: str
    has_files: bool
    series_breaks: tuple[SeriesBreak, ...] = ()

    def bases(self) -> dict[str, list[View]]:
        """The views by their declarations."""
        found: dict[str, list[View]] = {}
        for view in self.views:
            found.setdefault(view.base, []).append(view)
        return found

    def table(self, name: str) -> Table | None:
        """A table of the release by its name."""
        return next((table for table in self.described.tables if table.name == name), None)


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    """Texts of whole sections by name, from `site_sv.md`."""
    return parts_of(TEXTS)


def site_pages(site: Site) -> dict[str, str]:
    """All pages: path in the site's folder → HTML."""
    described = site.described
    frame = Frame(
        f"Utgåva {described.release_id}", in_swedish(described.notice)
    )  # written before it is approved: of no day yet
    pages = [_start(site), _figures(site), _columns(site), _releases(site), _breaks(site)]
    pages += [_view(site, base, views) for base, views in site.bases().items()]
    views = {view.name for view in site.views}
    pages += [_table(site, table) for table in described.tables if table.name not in views]
    return {page.path: frame.render(page) for page in pages}


def page_of(table: str, site_views: Sequence[View]) -> str:
    """The page of a table or view, in the site's folder."""
    base = next((view.base for view in site_views if view.name == table), None)
    return f"tabell/{table}.html" if base is None else f"vy/{base}.html"


def _said(period: str) -> str:
    """A quarter as it is written in Swedish text; other periods as they are."""
    return re.sub(r"^(\d{4})Q([1-4])$", r"\1 kv \2", period)


def _search(of: str) -> str:
    return (
        f'<div class="search" data-search hidden><label for="sok">Sök bland {of}</label>'
        '<input id="sok" type="search" autocomplete="off"><p class="meta" aria-live="polite"></p></div>'
    )


# -- the start page ----------------------------------------------------------------------------------------------------


def _start(site: Site) -> Page:
    described = site.described
    marts = [table for table in described.tables if table.holds_figures and not table.name.startswith("vy_")]
    codes = [table for table in described.tables if table.is_dimension or table.name == ABOUT]
    until = _said(described.about.get("until_quarter", ""))
    lead = f"Utgåva {escape(described.release_id)}{f', till och med {escape(until)}' if until else ''}. "
    body = [
        f"<h1>{NAME}</h1><p>{lead}Sidorna beskriver vad som finns, vad det betyder och hur det läses.</p>",
        _search("frågor, tabeller och kolumner"),
    ]
    if site.views:
        cards = "".join(_card_of_view(site, views) for views in site.bases().values())
        body.append(f'<section data-group><h2>Frågor</h2><ul class="cards">{cards}</ul></section>')
    if marts:
        cards = "".join(map(_card_of_table, marts))
        body.append(
            '<section data-group><h2>Tabeller med alla uppdelningar</h2><p class="soft">För den som vill räkna själv.'
            f'</p><ul class="cards">{cards}</ul></section>'
        )
    if codes:
        cards = "".join(map(_card_of_table, codes))
        body.append(f'<section data-group><h2>Koder</h2><ul class="cards">{cards}</ul></section>')
    return Page(START, NAME, "".join(body) + _downloads(site))


def _card_of_view(site: Site, views: Sequence[View]) -> str:
    first = views[0]
    table = site.table(first.name)
    kinds = ", ".join(view.periods for view in views)
    words = words_of(table.columns if table else (), first.subject, first.question, *(view.name for view in views))
    return (
        f'<li data-words="{words}"><a href="{page_of(first.name, views)}">{escape(first.subject)}</a>'
        f'<p>{escape(first.question)}</p><p class="meta">{escape(kinds[:1].upper() + kinds[1:])}</p></li>'
    )


def _card_of_table(table: Table) -> str:
    question = re.search(r"### Fråga\n(.+)", table.page)
    said = question[1] if question else table.explanation
    return (
        f'<li data-words="{words_of(table.columns, table.label, said)}">'
        f'<a href="tabell/{escape(table.name)}.html">{escape(table.label)}</a>'
        f'<p>{inline(said)}</p><p class="meta"><code>{escape(table.name)}</code></p></li>'
    )


def _downloads(site: Site) -> str:
    if not site.has_files:
        return ""
    book = f'<li><a href="../{escape(site.workbook)}">Excel: ett blad per fråga</a></li>' if site.workbook else ""
    return (
        f'<section><h2>Hämta</h2><ul>{book}<li><a href="../csv/LAS_MIG.txt">CSV: vad filerna i mappen csv är</a></li>'
        '<li><a href="../catalogue.jsonld">Katalogen (DCAT-AP-SE) över alla filer</a></li>'
        '<li><a href="../certificate.html">Certifikatet: hur utgåvan har prövats</a></li></ul></section>'
    )


# -- how figures are read, columns, releases, breaks -------------------------------------------------------------------


def _figures(site: Site) -> Page:
    about = site.described.about
    said = [
        f"<h2>{heading}</h2><ul>{''.join(f'<li>{inline(one)}</li>' for one in sentences(text))}</ul>"
        for heading, text in (
            ("Vad som gäller för den här utgåvan", about.get("how_to_read", "")),
            ("Vad som inte finns", about.get("not_there", "")),
        )
        if text
    ]
    proved = '<p><a href="../certificate.html">Certifikatet visar hur utgåvan har prövats.</a></p>'
    texts = _texts()
    body = (
        f"<h1>Så läser du siffrorna</h1>{markdown(texts['reading'], level=2)}{''.join(said)}"
        f"{proved if site.has_files else ''}"
        f"<h2>Tabeller med alla uppdelningar</h2>{markdown(texts['marts'], level=3)}"
    )
    return Page(FIGURES, "Så läser du siffrorna", body)


def _columns(site: Site) -> Page:
    """Every column by its label, with the tables that have it."""
    found: dict[tuple[str, str], list[Table]] = {}
    for table in site.described.tables:
        for column in table.columns:
            found.setdefault((column.label, column.name), []).append(table)
    letters: dict[str, list[str]] = {}
    for (label, name), tables in sorted(found.items(), key=lambda one: swedish_order(one[0][0])):
        places: dict[str, str] = {}
        for table in tables:
            base = next((view for view in site.views if view.name == table.name), None)
            places.setdefault(page_of(table.name, site.views), base.subject if base else table.label)
        links = ", ".join(f'<a href="{page}#{escape(name)}">{escape(said)}</a>' for page, said in places.items())
        letters.setdefault(label[:1].upper(), []).append(
            f'<li data-words="{words_of((), label)}"><strong>{escape(label)}</strong> <code>{escape(name)}</code>'
            f'<p class="meta">{links}</p></li>'
        )
    groups = "".join(
        f'<section data-group><h2>{escape(letter)}</h2><ul class="cards">{"".join(items)}</ul></section>'
        for letter, items in letters.items()
    )
    return Page(COLUMNS, "Alla kolumner", f"<h1>Alla kolumner</h1>{_search('kolumner')}{groups}")


def _releases(site: Site) -> Page:
    rows = "".join(map(_issued, site.issued))
    listed = f'<h2>Utgåvor</h2><ul class="columns">{rows}</ul>' if rows else "<p>Ingen utgåva har getts ut ännu.</p>"
    body = (
        "<h1>Siffror som har getts ut</h1><p>Siffror för låsta kvartal ändras bara genom en numrerad revidering. "
        "En rättelse av några få poster visas först när tillräckligt många har ändrats.</p>"
    )
    return Page(RELEASES, "Siffror som har getts ut", body + listed)


def _issued(one: Issued) -> str:
    kind = "Revidering" if one.is_revision else "Ny utgåva"
    return (
        f"<li><h3>Utgåva {one.release_id}</h3><div><p>{escape(one.at) or 'Den här utgåvan'}. {kind}, till och med "
        f"{escape(_said(one.until_quarter)) or '–'}.</p>{_periods('Nya perioder', one.new_periods)}"
        f"{_periods('Reviderade perioder', one.revised_periods)}"
        f"{''.join(map(_revision, one.revisions))}</div></li>"
    )


def _revision(one: tuple[str, int, str]) -> str:
    period, number, text = one
    return f"<p>Revidering {number} av {escape(_said(period))}. {escape(text)}</p>"


def _periods(said: str, periods: Sequence[str]) -> str:
    return f'<p class="meta">{said}: {escape(", ".join(map(_said, periods)))}</p>' if periods else ""


def _breaks(site: Site) -> Page:
    items = "".join(f"<li>{escape(one.in_words)}</li>" for one in site.breaks)
    listed = (
        f"<ul>{items}</ul>"
        if items
        else own_words("<p>Inga stadsdelar har slagits ihop till och med utgåvans sista kvartal.</p>")
    )
    spans = "".join(
        f'<tr><td>{escape(table.label)}</td><td class="day">{table.first_day}</td>'
        f'<td class="day">{table.last_day}</td></tr>'
        for table in site.described.tables
        if table.first_day
    )
    periods = (
        "<h2>Från och till när</h2><table><caption>Tabellernas perioder</caption><thead><tr>"
        '<th scope="col">Tabell</th><th scope="col">Från</th><th scope="col">Till</th></tr></thead>'
        f"<tbody>{spans}</tbody></table>"
        if spans
        else ""
    )
    by_why: dict[str, list[str]] = {}
    for one in site.series_breaks:
        table = site.table(one.mart)
        by_why.setdefault(one.in_words, []).append(table.label if table else one.mart)
    rules = "".join(f"<li>{escape(', '.join(dict.fromkeys(of)))}: {escape(why)}</li>" for why, of in by_why.items())
    changed = f"<h2>Ändrade regler</h2><ul>{rules}</ul>" if rules else ""
    body = (
        f"<h1>Avbrott i serierna</h1><h2>{own_words('Stadsdelar')}</h2>{listed}{markdown(_texts()['breaks'], level=3)}"
        f"{changed}{periods}"
    )
    return Page(BREAKS, "Avbrott i serierna", body)


# -- a page per view and table -----------------------------------------------------------------------------------------


def _view(site: Site, base: str, views: Sequence[View]) -> Page:
    first, example = views[0], site.examples.get(base)
    table = site.table(first.name)
    figure = _figure(example.drawing, base) if example else ""
    sources = [found for name in first.sources if (found := site.table(name)) is not None]
    origin = ", ".join(f'<a href="../tabell/{one.name}.html">{escape(one.label)}</a>' for one in sources)
    body = (
        f'<h1>{escape(first.subject)}</h1><p class="question">{escape(first.question)}</p>{figure}'
        f"<h2>Så läser du</h2>{markdown(first.how_to_read, level=3)}"
        f"<h2>Se upp</h2>{markdown(first.traps, level=3)}{_notes_on_breaks(site, first.sources)}"
        f"<h2>Tabeller</h2><ul>{''.join(_of_period(site, view) for view in views)}</ul>"
        f"<h2>Fråga databasen</h2><pre><code>{escape(example.query if example else first.query)}</code></pre>"
        f"<h2>Kolumner</h2>{_column_list(table.columns if table else ())}"
        f"{f'<h2>Källa</h2><p>{origin}</p>' if origin else ''}"
    )
    return Page(f"vy/{base}.html", first.subject, body)


def _notes_on_breaks(site: Site, marts: Iterable[str]) -> str:
    """What is said of breaks in the series of a page."""
    return "".join(f"<p><strong>{escape(note)}</strong></p>" for note in notes_on(site.series_breaks, marts))


def _of_period(site: Site, view: View) -> str:
    table = site.table(view.name)
    rows = count_with_noun(table.rows if table else 0, "rad", "rader")
    file = f' <a href="../../csv/{view.name}.csv">CSV</a>' if site.has_files else ""
    rows = f", {rows}" if site.has_files else ""
    return f"<li><code>{view.name}</code>: {escape(view.periods)}{rows}.{file}</li>"


def _figure(drawing: Drawing, identifier: str) -> str:
    notes = "".join(f'<p class="meta">{escape(note)}</p>' for note in drawing.notes)
    several = len(drawing.series) > 1
    interval = any(mark.low is not None for mark in drawing.marks)
    rows = "".join(
        f'<tr><th scope="row">{escape(mark.category)}</th>{f"<td>{escape(mark.series)}</td>" if several else ""}'
        f'<td class="n">{mark.lacking if mark.value is None else shown_as(mark.value, drawing.kind)}</td>'
        + (f'<td class="n">{_limits(mark.low, mark.high, drawing)}</td>' if interval else "")
        + "</tr>"
        for mark in drawing.marks
    )
    head = (
        '<th scope="col">Vad</th>'
        + ('<th scope="col">Grupp</th>' if several else "")
        + '<th scope="col" class="n">Värde</th>'
        + ('<th scope="col" class="n">Osäkerhet</th>' if interval else "")
    )
    return (
        f"<figure><figcaption>{escape(drawing.title)}</figcaption>{legend(drawing)}{svg(drawing, identifier)}{notes}"
        f"<details><summary>Siffrorna i diagrammet</summary><table><caption>{escape(drawing.title)}</caption><thead>"
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></details></figure>"
    )


def _limits(low: float | None, high: float | None, drawing: Drawing) -> str:
    if low is None or high is None:
        return "–"
    return f"{shown_as(low, drawing.kind)} till {shown_as(high, drawing.kind)}"


def _table(site: Site, table: Table) -> Page:
    rows = f", {count_with_noun(table.rows, 'rad', 'rader')}" if site.has_files else ""
    span = f", {table.first_day} till {table.last_day}" if table.first_day else ""
    key = ", ".join(f"<code>{escape(column)}</code>" for column in table.key)
    readers = [view for view in site.views if table.name in view.sources and view.base == view.name]
    answers = "".join(f'<li><a href="../vy/{one.base}.html">{escape(one.subject)}</a></li>' for one in readers)
    body = (
        f"<h1>{escape(table.label)}</h1><p>{inline(table.explanation)}</p>"
        f'<p class="meta"><code>{escape(table.name)}</code>{rows}{span}</p>{markdown(table.page, level=2)}'
        f"{_notes_on_breaks(site, (table.name,))}"
        f"{f'<p>Ingen annan rad har samma {key}.</p>' if key else ''}"
        f"{f'<h2>Frågor som den besvarar</h2><ul>{answers}</ul>' if answers else ''}"
        f"<h2>Kolumner</h2>{_column_list(table.columns, is_open=table.is_dimension)}"
    )
    return Page(f"tabell/{table.name}.html", table.label, body)


def _column_list(columns: Sequence[Column], *, is_open: bool = False) -> str:
    """All columns of a table; `is_open` shows their codes at once."""
    return f'<ul class="columns">{"".join(_column(column, is_open) for column in columns)}</ul>'


def _column(column: Column, is_open: bool) -> str:
    facts = ", ".join(_facts(column))
    return (
        f'<li id="{escape(column.name)}"><h3>{escape(column.label)}<br><code>{escape(column.name)}</code></h3><div>'
        f'<p>{inline(column.explanation)}</p><p class="meta">{escape(facts)}</p>{_codes(column, is_open)}</div></li>'
    )


def _facts(column: Column) -> Iterator[str]:
    yield _TYPES[column.type]
    if column.unit:
        yield column.unit
    if column.adds_up:
        yield f"går att summera: {column.adds_up}"


def _codes(column: Column, is_open: bool) -> str:
    if not column.codes:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(code)}</code></th><td>{escape(shown)}</td></tr>'
        for code, shown in column.codes
    )
    return (
        f"<details{' open' if is_open else ''}><summary>Koder i {escape(column.name)} ({len(column.codes)})</summary>"
        '<table><thead><tr><th scope="col">Kod</th><th scope="col">Betyder</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )
