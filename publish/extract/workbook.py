"""An extract as an Excel workbook: what its use obliges to, what the columns mean, and a sheet per mart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from ingest.feedback_workbook import CREATED
from publish.extract.choosing import ChosenMart, ExtractRefused, load_own_rows
from publish.labels import label, load_terms
from publish.marts.declared import load_marts
from publish.marts.dimensions import CUT, LIST_SEPARATOR, TOTAL, load_dimensions, said_of_cut
from publish.release.dimensions import labels_of
from publish.serving.series_breaks import SeriesBreak

READ_ME = Path(__file__).with_name("read_me_sv.md")
MOST_ROWS = 1_048_575
"""Rows of a sheet of Excel below its heading."""
_BLOCK = 20_000
_LONGEST_SHEET_NAME = 31
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@dataclass(frozen=True)
class About:
    """What the first sheet says: the unit, the moment of the marts in words, a notice (empty for real data), and the
    breaks that its tables' series cross."""

    unit: str
    when: str
    notice: str
    breaks: tuple[SeriesBreak, ...] = ()


@dataclass(frozen=True)
class _Formats:
    title: Format
    heading: Format
    text: Format
    share: Format
    day: Format


def write_workbook(
    path: Path,
    about: About,
    connection: duckdb.DuckDBPyConnection,
    marts: list[ChosenMart],
    code: str,
    *,
    temporary: Path,
    on_step: Callable[[int | None, int | None, str], None],
) -> dict[str, int]:
    """Write a unit's rows.

    Args:
        path: the file to be written.
        about: for the first sheet.
        connection: with the warehouse attached as `warehouse`.
        marts: from `chosen_marts`.
        code: the unit's.
        temporary: a private folder, for rows that are not in the file yet.
        on_step: called with (number, total, mart) before each mart.

    Returns:
        Mart → how many rows it has in the file.

    Raises:
        ExtractRefused: a mart has more rows than a sheet of Excel.
    """
    counts: dict[str, int] = {}
    words = code_words(connection, {column for mart in marts for column in mart.columns})
    with xlsxwriter.Workbook(path, _OPTIONS | {"tmpdir": str(temporary)}) as book:
        book.set_properties({"title": f"Exakta siffror: {about.unit}", "created": CREATED})
        formats = _Formats(
            title=book.add_format({"bold": True, "font_size": 14}),
            heading=book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E5E9EE"}),
            text=book.add_format({"text_wrap": True, "valign": "top"}),
            share=book.add_format({"num_format": "0.0 %"}),
            day=book.add_format({"num_format": "yyyy-mm-dd"}),
        )
        _write_read_me(book.add_worksheet("Läs mig"), formats, about)
        _write_columns(book.add_worksheet("Kolumner"), formats, marts)
        for number, mart in enumerate(marts):
            on_step(number, len(marts), mart.name)
            counts[mart.name] = _write_mart(
                book.add_worksheet(sheet_name(mart.name)), formats, mart, connection.execute(mart.query, [code]), words
            )
    return counts


def code_words(connection: duckdb.DuckDBPyConnection, columns: Iterable[str]) -> dict[str, Callable[[str], str]]:
    """Column → how a code of it is said in Swedish, for columns of codes."""
    found: dict[str, Callable[[str], str]] = {}
    for dimension in load_dimensions().values():
        labels = labels_of(connection, dimension)
        for column in columns:
            if column == CUT and dimension.holds(CUT):
                found[column] = partial(said_of_cut, known=labels)
            elif dimension.holds(column):
                found[column] = partial(_said, labels)
            elif column in dimension.lists:
                found[column] = partial(_said_of_list, labels)
    # names that districts give have the total among them
    return {column: partial(_said, {TOTAL: "Alla"}) for column in columns} | found


def _said(labels: Mapping[str, str], code: str) -> str:
    return labels.get(code, code)


def _said_of_list(labels: Mapping[str, str], codes: str) -> str:
    return ", ".join(labels.get(code, code) for code in codes.split(LIST_SEPARATOR))


def sheet_name(mart: str) -> str:
    """The mart's Swedish name, cut where Excel takes no more."""
    return (label(mart) or mart)[:_LONGEST_SHEET_NAME]


def column_heading(column: str) -> str:
    """The Swedish name of a column; its own where the glossary has none."""
    return label(column) or column


def read_me_lines(about: About) -> list[str]:
    """What the first sheet says, its title first."""
    named = {name: column_heading(name) for name in (CUT, "period_kind")}
    text = READ_ME.read_text(encoding="utf-8").format(unit=about.unit, when=about.when, **named)
    return [*text.splitlines(), *_left_out(), *_broken(about)]


def _write_read_me(sheet: Worksheet, formats: _Formats, about: About) -> None:
    sheet.set_column(0, 0, 110)
    title, *lines = read_me_lines(about)
    written = [(title, formats.title), *((line, formats.text) for line in lines)]
    if about.notice:
        written.insert(0, (about.notice, formats.title))
    for row, (line, form) in enumerate(written):
        sheet.write_string(row, 0, line, form)


def _left_out() -> Iterator[str]:
    """A line per mart of which something is left out."""
    for mart, rules in load_own_rows().items():
        named = label(mart) or mart
        if rules.left_out is not None:
            yield f"• {named}: hela tabellen {rules.left_out}."
            continue
        by_reason: dict[str, list[str]] = {}
        for what, why in rules.reasons():
            by_reason.setdefault(why, []).append(column_heading(what))
        for why, names in by_reason.items():
            yield f"• {named}, {why}: {', '.join(names)}."


def _broken(about: About) -> Iterator[str]:
    """A line per table whose series a break crosses."""
    if about.breaks:
        yield "Avbrott i serierna"
    for one in about.breaks:
        yield f"• {label(one.mart) or one.mart}: {one.in_words}"


def _write_columns(sheet: Worksheet, formats: _Formats, marts: list[ChosenMart]) -> None:
    for place, (heading, width) in enumerate(
        (("Blad", 32), ("Rubrik", 40), ("Namn i uppföljningen", 40), ("Förklaring", 90))
    ):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, heading, formats.heading)
    terms = load_terms()
    row = 0
    for mart in marts:
        for column in mart.columns:
            row += 1
            explained = terms[column].explanation if column in terms else ""
            for place, text in enumerate((sheet_name(mart.name), column_heading(column), column, explained)):
                sheet.write_string(row, place, text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, row, 3)


def _write_mart(
    sheet: Worksheet,
    formats: _Formats,
    mart: ChosenMart,
    found: duckdb.DuckDBPyConnection,
    words: Mapping[str, Callable[[str], str]],
) -> int:
    sheet.set_column(0, len(mart.columns) - 1, 16)
    sheet.set_row(0, 60)
    for place, column in enumerate(mart.columns):
        sheet.write_string(0, place, column_heading(column), formats.heading)
    shares = load_marts()[mart.name].columns_of_rates
    forms = [formats.share if column in shares else None for column in mart.columns]
    said = [words.get(column) for column in mart.columns]
    row = 0
    while block := found.fetchmany(_BLOCK):
        if row + len(block) > MOST_ROWS:
            raise ExtractRefused(f"{mart.name} has more rows of the unit than a sheet of Excel takes ({MOST_ROWS})")
        for values in block:
            row += 1
            for place, value in enumerate(values):
                in_words = said[place]
                if value is not None:
                    shown = in_words(value) if in_words is not None and isinstance(value, str) else value
                    _write_value(sheet, row, place, shown, forms[place], formats.day)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, row, len(mart.columns) - 1)
    return row


def _write_value(sheet: Worksheet, row: int, place: int, value: Any, form: Format | None, day: Format) -> None:
    if isinstance(value, bool):
        sheet.write_string(row, place, "ja" if value else "nej")
    elif isinstance(value, int | float):
        sheet.write_number(row, place, value, form)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, day)
    else:  # never as a formula, whatever a district has written
        sheet.write_string(row, place, str(value))
