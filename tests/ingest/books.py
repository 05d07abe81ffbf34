"""Workbooks made of rows, and workbooks taken apart and put together otherwise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import xlsxwriter

from ingest.contracts import load_contracts

Cell = str | int | float | bool | date | datetime | None
Change = Callable[[Any, Any], None]


def typed(dataset: str, row: dict[str, str]) -> list[Cell]:
    """A row as a person would have it in Excel: dates as dates, whole numbers as numbers."""
    cells: list[Cell] = []
    for column in load_contracts()[dataset].columns:
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
    return [column.label_sv for column in load_contracts()[dataset].columns]


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
