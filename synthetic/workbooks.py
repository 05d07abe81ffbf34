"""Puts columns into an Excel workbook, for the districts that fill in their counts in Excel.

The table is on the first sheet, its headers on the first row; dates are real dates and counts real numbers. A
second sheet, "Läs mig", says that it is synthetic. Equal columns give equal bytes.
"""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from itertools import pairwise

import xlsxwriter

from ingest.contracts import load_contracts
from ingest.quarters import Quarter
from synthetic.file_columns import Columns
from synthetic.habits import HABITS, header
from synthetic.writing import NOTICE, column_order

_CREATED = datetime(2018, 1, 1, tzinfo=UTC)
_READ_ME = "Läs mig"


def workbook_bytes(unit: str, dataset: str, quarter: Quarter, columns: Columns, *, merged: str | None = None) -> bytes:
    """A whole file.

    Args:
        unit: whose headers.
        dataset, quarter: whose contract says which columns are dates and counts.
        columns: as the views give them, dates in ISO form.
        merged: a column in which the first two neighbours that are alike are merged into one cell, as people do for
            the eye; no cells are when none are alike.
    """
    contract = load_contracts()[dataset]
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _CREATED, "author": "", "title": contract.title_sv})
    bold = book.add_format({"bold": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet(dataset.capitalize()[:31] if HABITS[unit].headers == "upper" else "Blad1")
    for place, name in enumerate(column_order(unit, dataset, quarter)):
        column = contract.column(name)
        sheet.write_string(0, place, header(unit, column), bold)
        for row, text in enumerate(columns[name], start=1):
            if not text:
                continue
            if column.type == "date":
                sheet.write_datetime(row, place, date.fromisoformat(text), day)
            elif column.type == "integer":
                sheet.write_number(row, place, int(text))
            else:
                sheet.write_string(row, place, text)
        if name == merged:
            alike = next((row for row, (a, b) in enumerate(pairwise(columns[name]), start=1) if a == b), None)
            if alike is not None:
                sheet.merge_range(alike, place, alike + 1, place, columns[name][alike])
    sheet.freeze_panes(1, 0)
    note = book.add_worksheet(_READ_ME)
    note.write_string(0, 0, contract.title_sv, bold)
    note.write_string(1, 0, NOTICE)
    note.write_string(2, 0, "Tabellen står på första bladet, med rubrikerna på första raden.")
    book.close()
    return buffer.getvalue()
