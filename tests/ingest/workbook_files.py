"""Workbooks made of rows, and workbooks taken apart and put together otherwise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
import xlwt

from ingest.contracts import load_contracts
from ingest.quarters import Quarter


@dataclass(frozen=True)
class Shown:
    """A number whose format says how it is shown; `text` is what a spreadsheet shows, and saves to a CSV."""

    value: int | float
    number_format: str
    text: str


Cell = str | int | float | bool | date | datetime | Shown | None
Change = Callable[[Any, Any], None]


def typed(dataset: str, row: dict[str, str]) -> list[Cell]:
    """A row as a person would have it in Excel: dates as dates, whole numbers as numbers."""
    cells: list[Cell] = []
    for column in load_contracts(Quarter(2018, 3))[dataset].columns:
        text = row.get(column.name, "")
        if column.type == "date" and text:
            cells.append(date.fromisoformat(text))
        elif column.type == "integer" and text:
            cells.append(int(text))
        else:
            cells.append(text)
    return cells


def labels(dataset: str) -> list[Cell]:
    """The header row of a dataset."""
    return [column.label_sv for column in load_contracts(Quarter(2018, 3))[dataset].columns]


def workbook(
    sheets: dict[str, list[list[Cell]]], change: Change | None = None, *, date_1904: bool = False, strings: bool = False
) -> bytes:
    """A workbook of sheets of rows; `change` is called with (workbook, first sheet) before it is closed."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "date_1904": date_1904},
    )
    day, moment = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    made = []
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        made.append(sheet)
        for at, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(at, place, cell, moment)
                elif isinstance(cell, date):
                    sheet.write_datetime(at, place, datetime(cell.year, cell.month, cell.day), day)
                elif isinstance(cell, Shown):
                    sheet.write_number(at, place, cell.value, book.add_format({"num_format": cell.number_format}))
                elif isinstance(cell, bool):
                    sheet.write_boolean(at, place, cell)
                elif isinstance(cell, int | float):
                    sheet.write_number(at, place, cell)
                elif cell:
                    sheet.write_string(at, place, cell)
    if change is not None:
        change(book, made[0])
    book.close()
    return out.getvalue()


def book_of(dataset: str, rows: list[dict[str, str]], change: Change | None = None) -> bytes:
    """A workbook with one sheet: the dataset's headers and these rows."""
    return workbook({"Blad1": [labels(dataset), *(typed(dataset, row) for row in rows)]}, change)


def repacked(raw: bytes, **parts: bytes | Callable[[bytes], bytes] | None) -> bytes:
    """The workbook with parts replaced, changed, added or (None) left out; names as `sheet1`, `workbook`, `strings`."""
    names = {
        "sheet1": "xl/worksheets/sheet1.xml",
        "workbook": "xl/workbook.xml",
        "relations": "xl/_rels/workbook.xml.rels",
        "strings": "xl/sharedStrings.xml",
        "styles": "xl/styles.xml",
        "macros": "xl/vbaProject.bin",
    }
    changes = {names[key]: change for key, change in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = changes.pop(name, lambda content: content)
            if change is not None:
                new.writestr(name, change(old.read(name)) if callable(change) else change)
        for name, content in changes.items():
            if isinstance(content, bytes):
                new.writestr(name, content)
    return out.getvalue()


def old_workbook(
    sheets: dict[str, list[list[Cell]]], change: Change | None = None, *, date_1904: bool = False
) -> bytes:
    """The same as .xls; `change` is called with (workbook, first sheet)."""
    book = xlwt.Workbook()
    book.dates_1904 = date_1904
    day, moment = xlwt.easyxf(num_format_str="YYYY-MM-DD"), xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name, cell_overwrite_ok=True)
        for at, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, Shown):
                    sheet.write(at, place, cell.value, xlwt.easyxf(num_format_str=cell.number_format))
                elif cell not in ("", None) or cell is False:
                    style = {datetime: moment, date: day}.get(type(cell))
                    sheet.write(at, place, cell, *([style] if style else []))
    if change is not None:
        change(book, book.get_sheet(0))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_SPACES = " ".join(
    f'xmlns:{prefix}="urn:{name}"'
    for prefix, name in (
        ("office", "oasis:names:tc:opendocument:xmlns:office:1.0"),
        ("table", "oasis:names:tc:opendocument:xmlns:table:1.0"),
        ("text", "oasis:names:tc:opendocument:xmlns:text:1.0"),
        ("calcext", "org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"),
    )
)


def _open_cell(cell: Cell) -> str:
    if cell in ("", None) and cell is not False:
        return "<table:table-cell/>"
    if isinstance(cell, str) and cell.startswith("<"):
        return cell
    if isinstance(cell, Shown):
        kind, shown = f'float" office:value="{cell.value}', escape(cell.text)
    elif isinstance(cell, bool):
        kind, shown = f'boolean" office:boolean-value="{str(cell).lower()}', "SANT" if cell else "FALSKT"
    elif isinstance(cell, date):
        kind, shown = f'date" office:date-value="{cell.isoformat()}', str(cell)
    elif isinstance(cell, int | float):
        kind, shown = f'float" office:value="{cell}', str(cell)
    else:
        kind, shown = "string", escape(str(cell))
    return f'<table:table-cell office:value-type="{kind}"><text:p>{shown}</text:p></table:table-cell>'


def open_document(
    sheets: dict[str, list[list[Cell]]], rows: dict[int, str] | None = None, columns: str = "", *, locked: bool = False
) -> bytes:
    """The same as .ods, as LibreOffice writes it.

    Args:
        sheets: name → rows; a cell that begins with `<` is put in as it is.
        rows: attributes of rows, by number.
        columns: what stands before the rows.
        locked: whether the manifest says that the content is encrypted.
    """
    body = ""
    for name, lines in sheets.items():
        body += f'<table:table table:name="{name}">{columns}'
        for number, line in enumerate(lines, start=1):
            body += (
                f"<table:table-row {(rows or {}).get(number, '')}>{''.join(map(_open_cell, line))}</table:table-row>"
            )
        body += '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        body += 'table:number-columns-repeated="16384"/></table:table-row></table:table>'
    content = f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_SPACES}><office:body>'
    content += f"<office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    entry = f'<m:file-entry m:full-path="/" m:media-type="{kind}">{"<m:encryption-data/>" * locked}</m:file-entry>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", kind)
        book.writestr("content.xml", content)
        space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        book.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{space}">{entry}</m:manifest>')
    return out.getvalue()
