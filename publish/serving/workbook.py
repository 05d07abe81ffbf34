"""An Excel workbook of a release: a sheet for each view, one that explains them, and one of their columns.

Cells are what they are: numbers, percentages, dates, and text that no program takes for a formula. The same release
gives the same bytes on any machine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import xlsxwriter

from ingest.organisation import own_words
from publish.labels import label
from publish.serving.release_file import ReleaseFile, ServedTable, ServingError, name
from publish.serving.series_breaks import notes_on, series_breaks
from publish.views.declared import CITY, NULLABLE, TOO_FEW, Kind, View, ViewColumn, load_views

ROWS_IN_SHEET = 1_048_573
"""As many as a sheet of Excel's holds below notice and header; a longer view goes on in a sheet of its own."""
README, COLUMNS = "Läs mig", "Kolumner"
TITLE = "Uppföljning av stöd till barn, unga och föräldrar"
_LONGEST_NAME = 31
_BATCH = 4096
_NO_NAME = re.compile(r"[\[\]:*?/\\']")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_ENDINGS = {"kvartal": "", "ar": " år", "rullande_ar": " rullande år"}
GROUPED = "#,##" + "0"
"""Excel's format of whole numbers with thousands apart."""
_FORMATS: dict[Kind, str] = {
    "count": GROUPED, "rate": "0.0\\ %", "per_1000": "0.0", "number": "0.0", "days": "0", "rank": "0", "whole": "0",
    "date": "yyyy-mm-dd",
}  # fmt: skip
_UNTIL = {"rate": 8, "count": 9, "per_1000": 9, "number": 9, "days": 8, "rank": 7, "whole": 7, "date": 11, "flag": 8}
"""How wide a column of figures must be, in characters."""
_WIDEST = 44
_README_WIDTHS = (34, 96, 10)
_LITTLE = {"och", "efter", "per", "i", "av", "med", "till", "för"}
"""Words that no shortened name ends with."""
_SHORT = {"vy_erbjudna_kon_alder": "Erbjudna efter kön och ålder"}
"""Names of sheets whose title would lose what it is about."""
_EMPTY = (
    "En tom, grå cell är en andel eller tid som inte visas, i en rad där ”För få” är ja. En tom, vit cell saknar värde "
    "av en annan orsak: tiden har inte gått, eller så finns det inget att räkna. En tom cell är aldrig noll."
)
_ABOVE_MARTS = {"is_capped": "minst_sa_stor", "too_few": TOO_FEW}
"""Columns of marts that the release's own words name, and what the views call them."""
_USE = (
    "Varje blad svarar på en fråga och har en sorts period. Raderna kan filtreras och användas i pivottabeller. "
    "Andelar och tider får inte summeras eller räknas om till medelvärden: använd stadens egna kolumner."
)


@dataclass(frozen=True)
class _Sheet:
    """A part of a view on a sheet: which rows of it."""

    name: str
    view: View
    table: ServedTable
    first: int
    rows: int


class _Styles:
    """The formats of a workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        wrapped = {"text_wrap": True, "valign": "top"}
        self.title = book.add_format({"bold": True, "font_size": 18})
        self.notice = book.add_format(
            {**wrapped, "bold": True, "font_size": 16, "bg_color": "#FFE9A8", "font_color": "#3B2A00", "border": 1}
        )
        self.heading = book.add_format({"bold": True, "font_size": 14, "valign": "top"})
        self.strong = book.add_format({**wrapped, "bold": True})
        self.text = book.add_format(wrapped)
        self.link = book.add_format({**wrapped, "font_color": "#0B4F8A", "underline": 1})
        self.head = book.add_format({**wrapped, "bold": True, "bg_color": "#DDE5EE", "bottom": 1})
        self.cell = book.add_format({"valign": "top"})
        self.flag = book.add_format({"valign": "top", "align": "center"})
        self.quoted = book.add_format({"valign": "top", "quote_prefix": True})
        self.figures = {kind: book.add_format({"num_format": code, "valign": "top"}) for kind, code in _FORMATS.items()}
        self.band = book.add_format({"bold": True, "bg_color": "#FFE9A8", "font_color": "#3B2A00"})
        self.lacking = book.add_format({"bg_color": "#E4E4E4"})


def find_workbook(folder: Path) -> Path | None:
    """The workbook in a release's folder; None where there is none."""
    return next(iter(sorted(folder.glob("uppfoljning_*.xlsx"))), None)


def file_name(release: ReleaseFile) -> str:
    """The workbook's name, by the release."""
    return f"uppfoljning_{re.sub(r'[^A-Za-z0-9._-]', '-', release.release_id)}.xlsx"


def write_workbook(release: ReleaseFile, folder: Path, *, rows_in_sheet: int = ROWS_IN_SHEET) -> Path | None:
    """Write the workbook of a release into a folder.

    Args:
        release: its views are those of `publish/views` that it has tables of.
        folder: where it is written.
        rows_in_sheet: after so many rows a view goes on in another sheet.

    Returns:
        The file; None for a release without views.

    Raises:
        ServingError: a text is longer than a cell of Excel's holds.
    """
    sheets = _sheets(release, rows_in_sheet)
    if not sheets:
        return None
    path = folder / file_name(release)
    with TemporaryDirectory(prefix=".workbook-", dir=folder) as scratch:
        written = Path(scratch) / "whole.xlsx"
        options = {"constant_memory": True, "tmpdir": scratch, "strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(str(written), options) as book:
            book.set_properties({"title": f"{TITLE}, utgåva {release.release_id}", "comments": release.swedish_notice,
                                 "created": _created(release)})  # fmt: skip
            styles = _Styles(book)
            _write_readme(book.add_worksheet(README), styles, release, sheets)
            for sheet in sheets:
                _write_view(book.add_worksheet(sheet.name), styles, release, sheet)
            _write_columns(book.add_worksheet(COLUMNS), styles, sheets)
        _repack(written, path)
    return path


def views_in(release: ReleaseFile) -> tuple[View, ...]:
    """The views that a release has as they are declared, in order."""
    there = {table.name: {column.name for column in table.columns} for table in release.tables}
    return tuple(view for view in load_views() if {one.name for one in view.columns} <= there.get(view.name, set()))


def _created(release: ReleaseFile) -> datetime:
    """When the release was published: the file says no other time."""
    try:
        at = datetime.fromisoformat(release.about.get("released_at", ""))
    except ValueError:
        return datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0) if at.tzinfo else at.replace(microsecond=0)


def _repack(written: Path, path: Path) -> None:
    """Copy the parts without what the machine adds to them: times, modes of files, order."""
    with ZipFile(written) as source, ZipFile(path, "w", ZIP_DEFLATED) as target:
        for part in source.namelist():
            told = ZipInfo(part, (1980, 1, 1, 0, 0, 0))
            told.compress_type, told.external_attr = ZIP_DEFLATED, 0o600 << 16
            with source.open(part) as bytes_of, target.open(told, "w", force_zip64=False) as sink:
                shutil.copyfileobj(bytes_of, sink)


def _sheets(release: ReleaseFile, rows_in_sheet: int) -> list[_Sheet]:
    """The sheets of all views, in order, each with a name of its own."""
    tables = {table.name: table for table in release.tables}
    found: list[_Sheet] = []
    for view in views_in(release):
        table = tables[view.name]
        for part, first in enumerate(range(0, max(table.rows, 1), rows_in_sheet), 1):
            rows = min(rows_in_sheet, table.rows - first)
            used = {sheet.name.casefold() for sheet in found} | {README.casefold(), COLUMNS.casefold()}
            found.append(_Sheet(_sheet_name(view, part, used), view, table, first, rows))
    return found


def _sheet_name(view: View, part: int, used: set[str]) -> str:
    """At most 31 characters, without those that Excel forbids, and no other sheet's."""
    title = _NO_NAME.sub(" ", _SHORT.get(view.base, view.subject)).strip()
    number = part
    while True:
        ending = _ENDINGS[view.period_kind] + (f" {number}" if number > 1 else "")
        shown = title
        if len(shown) + len(ending) > _LONGEST_NAME:
            words = title[: _LONGEST_NAME - len(ending) + 1].split()[:-1]
            while words and words[-1] in _LITTLE:
                words.pop()
            shown = " ".join(words) or title[: _LONGEST_NAME - len(ending)]
        if (found := f"{shown}{ending}").casefold() not in used:
            return found
        number += 1


def _write_view(sheet: Any, styles: _Styles, release: ReleaseFile, of: _Sheet) -> None:
    """The header, then a row of the view a line; blank where a value is missing.

    Above it is the release's notice, if it has one, and an empty row: so pivot tables begin with the header.
    """
    columns = of.view.columns
    head = 2 if release.notice else 0
    if release.notice:
        for at in range(len(columns)):
            sheet.write_blank(0, at, None, styles.band)
        _write_text(sheet, 0, 0, release.swedish_notice, styles.band)
        sheet.set_row(1, 4)
    sheet.freeze_panes(head + 1, 1)
    sheet.autofilter(head, 0, head + max(of.rows, 1), len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(head)
    sheet.set_footer(f"&L{_printed(of.view.title)}&C{_printed(release.swedish_notice)}&R&P (&N)")
    with release.reading() as connection:
        relation = release.relation(of.table)
        widths = _widths(connection, relation, columns)
        for at, width in enumerate(widths):
            sheet.set_column(at, at, width)
        lines = max(-(-len(column.label) // (width - 2)) for column, width in zip(columns, widths, strict=True))
        sheet.set_row(head, 15 * min(lines, 6) + 6)
        for at, column in enumerate(columns):
            _write_text(sheet, head, at, column.label, styles.head)
        listed = ", ".join(name(column.name) for column in columns)
        query = f"select {listed} from {relation} order by rowid limit {of.rows} offset {of.first}"
        rows = connection.execute(query)
        line = head
        few = next((at for at, column in enumerate(columns) if column.name == TOO_FEW), None)
        while batch := rows.fetchmany(_BATCH):
            for row in batch:
                line += 1
                for at, (column, value) in enumerate(zip(columns, row, strict=True)):
                    if value is not None:
                        _write_cell(sheet, styles, line, at, column.kind, value)
                    elif few is not None and row[few] and column.kind in NULLABLE:
                        sheet.write_blank(line, at, None, styles.lacking)


def _write_cell(sheet: Any, styles: _Styles, line: int, at: int, kind: Kind, value: Any) -> None:
    if kind == "flag":
        sheet.write_string(line, at, "ja" if value else "nej", styles.flag)
    elif kind == "date":
        sheet.write_datetime(line, at, value, styles.figures[kind])
    elif kind in _FORMATS:
        sheet.write_number(line, at, value, styles.figures[kind])
    else:
        text = str(value)
        _write_text(sheet, line, at, text, styles.quoted if _FORMULA.match(text) else styles.cell)


def _write_text(sheet: Any, line: int, at: int, text: str, style: Any) -> None:
    if text and sheet.write_string(line, at, text, style) != 0:
        raise ServingError(f"the workbook can't hold the text in row {line + 1} of {sheet.get_name()}: it is too long")


def _widths(connection: Any, relation: str, columns: tuple[ViewColumn, ...]) -> list[int]:
    """Of each column: as wide as its figures or longest text, and the longest word above it; text wraps beyond."""
    texts = [column.name for column in columns if column.kind not in _UNTIL]
    longest = dict.fromkeys(texts, 0)
    if texts:
        asked = ", ".join(f"coalesce(max(length({name(one)}::varchar)), 0)" for one in texts)
        longest = dict(zip(texts, connection.execute(f"select {asked} from {relation}").fetchone(), strict=True))
    found = []
    for column in columns:
        word = max(map(len, re.split(r"[\s-]+", column.label))) + 4  # beside it is the filter's button
        found.append(min(max(_UNTIL.get(column.kind, 0) or longest[column.name] + 2, word, 9), _WIDEST))
    return found


def _printed(text: str) -> str:
    """A text in a footer: `&` begins a code there."""
    return text.replace("&", "&&")[:80]


def _write_readme(sheet: Any, styles: _Styles, release: ReleaseFile, sheets: list[_Sheet]) -> None:
    sheet.hide_gridlines(2)
    for at, width in enumerate(_README_WIDTHS):
        sheet.set_column(at, at, width)
    line = 0

    def write(*cells: tuple[str, Any]) -> None:
        nonlocal line
        large = next((size for style, size in sizes.items() if any(style is one for _, one in cells)), 15)
        lines = max(-(-len(text) // _README_WIDTHS[at]) for at, (text, _) in enumerate(cells))
        sheet.set_row(line, large * max(lines, 1))
        for at, (text, style) in enumerate(cells):
            _write_text(sheet, line, at, text, style)
        line += 1

    words = _Headings(sheets)
    sizes = {styles.title: 26, styles.notice: 24, styles.heading: 22}

    write((TITLE, styles.title))
    released = release.about.get("released_at", "")[:10]
    write((f"Utgåva {release.release_id}{f', {released}' if released else ''}", styles.cell))
    if release.notice:
        write(("Observera", styles.strong), (release.swedish_notice, styles.notice))
    line += 1
    write(("Så läser du siffrorna", styles.heading))
    for heading, text in (
        ("Antal", release.about.get("how_to_read", "")),
        ("Vad som inte finns", release.about.get("not_there", "")),
        ("Tomma celler", _EMPTY),
        ("Bladen", own_words(_USE)),
    ):
        for at, sentence in enumerate(sentences(text)):
            write(("" if at else heading, styles.strong), (words.said(sentence), styles.text))
    with release.reading() as connection:
        broken = series_breaks(connection, release)
    marts = {name for one in sheets for name in one.view.sources}
    for at, note in enumerate(notes_on(broken, sorted(marts))):
        write(("" if at else "Avbrott", styles.strong), (note, styles.text))
    line += 1
    write(("Blad", styles.head), ("Fråga", styles.head), ("Rader", styles.head))
    for one in sheets:
        sheet.write_url(line, 0, f"internal:'{one.name}'!A1", styles.link, one.name)
        _write_text(sheet, line, 1, one.view.question, styles.text)
        sheet.write_number(line, 2, one.rows, styles.figures["count"])
        line += 1
    sheet.write_url(line, 0, f"internal:'{COLUMNS}'!A1", styles.link, COLUMNS)
    write(("", styles.text), ("Vad varje kolumn är.", styles.text))
    line += 1
    firsts: dict[str, View] = {}
    for one in sheets:
        firsts.setdefault(one.view.base, one.view)
    for view in firsts.values():
        write((view.subject, styles.heading), (view.question, styles.strong))
        for heading, text in (("Så läser du", view.how_to_read), ("Se upp", view.traps)):
            for at, item in enumerate(_items(text)):
                write(("" if at else heading, styles.strong), (words.said(item, view), styles.text))
        line += 1
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def sentences(text: str) -> list[str]:
    """A Swedish text, sentence by sentence; none of an empty one."""
    return re.split(r"(?<=[.])\s+(?=[A-ZÅÄÖ0-9])", text) if text else []


def _items(markdown: str) -> Iterator[str]:
    """The items of a list in Markdown as plain text."""
    for item in re.split(r"^- ", markdown, flags=re.MULTILINE):
        if text := " ".join(item.split()):
            yield text


class _Headings:
    """Texts for readers of the workbook: what the database names is called as it is on the sheets."""

    def __init__(self, sheets: list[_Sheet]) -> None:
        self._sheets = {one.view.name: one.name for one in reversed(sheets)}
        self._columns = {column.name: column.label for one in sheets for column in one.view.columns}
        self._columns |= {name: self._columns[of] for name, of in _ABOVE_MARTS.items() if of in self._columns}

    def said(self, text: str, view: View | None = None) -> str:
        """A text with the headings of columns, the names of sheets, and ja for sant."""
        own = {column.name: column.label for column in view.columns} if view else {}
        known = self._sheets | self._columns | own

        def heading(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name.startswith(CITY) and name not in known:
                return own_words("”Hela staden”")
            return f"”{known.get(name) or label(name) or name}”"

        text = re.sub(r"`([^`]+)`|\b(is_capped|too_few)\b", heading, text)
        return re.sub(r"\bsant\b", "ja", re.sub(r"\bSant\b", "Ja", text))


def _write_columns(sheet: Any, styles: _Styles, sheets: list[_Sheet]) -> None:
    words = _Headings(sheets)
    lines = [
        (one.name, column.label, words.said(column.explanation, one.view), column.name, one.view.name)
        for one in sheets
        if not one.first
        for column in one.view.columns
    ]
    headings = ("Blad", "Rubrik", "Vad kolumnen är", "Kolumn i databasen", "Tabell i databasen")
    for at, (heading, width) in enumerate(zip(headings, (31, 40, 80, 34, 34), strict=True)):
        sheet.set_column(at, at, width)
        sheet.write_string(0, at, heading, styles.head)
    for line, cells in enumerate(lines, 1):
        for at, text in enumerate(cells):
            _write_text(sheet, line, at, text, styles.text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(lines), len(headings) - 1)
