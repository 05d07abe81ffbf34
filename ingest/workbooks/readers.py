"""Reading each kind of workbook as one sheet of text: which sheet, which header row, and what is odd about it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import python_calamine as calamine

from ingest.folding import fold
from ingest.workbooks import ods, xlsx
from ingest.workbooks.grid import LONGEST_CELL, CellTooLong, HeaderRow, find_header, read_body, text_of
from ingest.workbooks.layouts import LOOKED_AT, other_layout
from ingest.workbooks.package import STYLES, Package
from ingest.workbooks.refusals import DAMAGED, LOCKED, MERGED, MOST_SHEETS, NO_VALUES, TOO_LARGE, Refused
from ingest.workbooks.xls import OldSheet, old_sheets

MOST_CELLS = 12_000_000
"""Of the sheet that is read; about 150 MB of memory for each million."""
MOST_ROWS = 1_048_576
"""Excel's own limit."""
_MOST_COLUMNS = 16_384
"""Excel's own limit; what is beyond is a broken reference."""
_MOST_LAID_OUT = 40_000_000
"""Rows × columns up to the furthest cell: calamine lays out all of them."""
_WIDEST, _TITLE_CELLS = 702, 10
_EMPTY, _NO_HEADERS, _TOO_WIDE, _LONG_CELL, _LONG_TIME = "FIL-004", "FIL-021", "FIL-022", "FIL-023", "FIL-062"

Range = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class SheetRequest:
    """What the reader needs to know of the dataset.

    Attributes:
        known: folded header → column.
        dates: columns that hold days.
        sheet_names: folded names that a sheet of the dataset may bear.
        most_columns: a sheet with more in use is refused.
        required: how many columns a file must have.
        is_any: whether headers may be any: a table is sought, not one of ours.
    """

    known: dict[str, str]
    dates: frozenset[str]
    sheet_names: frozenset[str]
    most_columns: int
    required: int
    is_any: bool = False


@dataclass(frozen=True)
class SheetReply:
    """One sheet: facts about it, its records as CSV, and the row number of each as int32."""

    facts: dict[str, Any]
    body: bytes
    numbers: bytes


@dataclass(frozen=True)
class _Candidate:
    position: int
    name: str
    hidden: bool
    header: HeaderRow


@dataclass(frozen=True)
class _Chosen:
    """The sheet that is read, by its position in the workbook, and others that bear headers and rows."""

    position: int
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Marks:
    """What is known of a sheet beside its cells."""

    kind: str
    sheets: int
    is_hidden: bool
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]
    merged: Iterable[Range]
    name: str
    struck_rows: frozenset[int] = frozenset()


def read_workbook(raw: bytes, request: SheetRequest) -> SheetReply:
    """Read the sheet that bears the headers.

    Raises:
        Refused: with the reason.
    """
    if raw[:2] != b"PK":
        return _read_xls(raw, request)
    package = Package(raw)
    return _read_ods(package, request) if package.kind == "ods" else _read_xlsx(package, request)


def _choose(candidates: list[_Candidate], request: SheetRequest) -> _Chosen:
    """The sheet named after the dataset if it bears headers, else the first that does; shown ones before hidden."""
    enough = min(max(len(c.header.recognised) for c in candidates), max(request.required // 2, 1))
    bearing = [c for c in candidates if len(c.header.recognised) >= enough]
    named = [c for c in bearing if fold(c.name) in request.sheet_names]
    chosen = min(named or bearing, key=lambda c: (c.hidden, c.position))
    others = tuple(c.position for c in bearing if c is not chosen and c.header.followed)
    return _Chosen(chosen.position, others)


def _candidates(
    workbook: calamine.CalamineWorkbook, sheets: Iterable[tuple[int, str, bool]], request: SheetRequest
) -> list[_Candidate]:
    """Sheets that bear any header; (position, name, hidden) of those to look at."""
    found = []
    for position, name, hidden in sheets:
        try:
            header = find_header(_rows(workbook.get_sheet_by_index(position)), request.known, is_any=request.is_any)
        except calamine.CalamineError:  # a chart or macro sheet, or one whose beginning is broken
            continue
        if header is not None:
            found.append(_Candidate(position, name, hidden, header))
    return found


def _without_headers(sheets: list[Iterator[list[Any]]], known: dict[str, str]) -> Refused:
    """Why a workbook none of whose sheets bears headers is not read: it is empty, or laid out otherwise.

    Args:
        sheets: rows of each, from row 1.
        known: folded header → column.
    """
    is_empty, hint = bool(sheets), ""
    for rows in sheets:
        try:
            first = _as_texts(rows)
            is_empty = is_empty and not any(cell.strip() for row in first for cell in row) and next(rows, None) is None
        except Refused:
            is_empty, first = False, []
        hint = hint or other_layout(first, known)
    return Refused(_EMPTY) if is_empty else Refused(_NO_HEADERS, hint=hint)


def _readable(
    workbook: calamine.CalamineWorkbook, sheets: list[tuple[int, str, bool]]
) -> Iterator[calamine.CalamineSheet]:
    """The sheets that calamine opens: no charts or macros, and no broken ones."""
    for position, *_ in sheets:
        try:
            yield workbook.get_sheet_by_index(position)
        except calamine.CalamineError:
            continue


def _as_texts(rows: Iterator[list[Any]]) -> list[list[str]]:
    """The first rows' cells as text."""
    return [[text_of(cell) for cell in row[:_WIDEST]] for row in islice(rows, LOOKED_AT)]


def _rows(sheet: calamine.CalamineSheet) -> Iterator[list[Any]]:
    """A sheet's rows from row 1 (index 0), cells from column A: calamine leaves out unused columns before the first.

    Raises:
        Refused: a cell is so far away that reading all before it would take very long, or holds a span of time too
            long to be counted.
    """
    if sheet.start is None or sheet.end is None:
        return iter(())
    last_row, last_column = sheet.end
    if last_column >= _MOST_COLUMNS or (last_row + 1) * (last_column + 1) > _MOST_LAID_OUT:
        raise Refused(TOO_LARGE, kind="celler långt utanför tabellen")
    return _from_first_column(sheet, sheet.start[1])


def _from_first_column(sheet: calamine.CalamineSheet, before: int) -> Iterator[list[Any]]:
    rows, number = sheet.iter_rows(), 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except OverflowError:  # a large number in a format such as [h]:mm
            raise Refused(_LONG_TIME, row=number) from None
        yield [""] * before + row if before else row


def _load(source: io.BytesIO) -> calamine.CalamineWorkbook:
    try:
        return calamine.load_workbook(source)
    except calamine.PasswordError:
        raise Refused(LOCKED) from None
    except calamine.CalamineError:
        raise Refused(DAMAGED) from None


def _sheet(workbook: calamine.CalamineWorkbook, position: int) -> calamine.CalamineSheet:
    try:
        return workbook.get_sheet_by_index(position)
    except (calamine.CalamineError, IndexError):
        raise Refused(DAMAGED) from None


def _read_xlsx(package: Package, request: SheetRequest) -> SheetReply:
    parts = package.sheets()
    worksheets = [(place, part) for place, part in enumerate(parts) if package.has(part.part)]
    if len(worksheets) == 1:
        chosen = _Chosen(worksheets[0][0])
    else:  # choose by the beginnings of all, so that only one is unpacked whole
        workbook = _load(package.rebuilt({part.part: package.sheet_head(part.part) for _, part in worksheets}))
        sheets = [(place, part.name, part.hidden) for place, part in worksheets]
        chosen = _chosen_among(workbook, sheets, request)
    entry = parts[chosen.position]
    content = package.read(entry.part)
    if xlsx.has_far_columns(content):
        raise Refused(TOO_LARGE, kind="celler långt till höger om tabellen")
    if xlsx.last_row(content) > MOST_ROWS or xlsx.cells(content) > MOST_CELLS:
        raise Refused(TOO_LARGE, kind=f"fler än {MOST_CELLS // 1_000_000} miljoner celler")
    if (row := next(xlsx.formulas_without_value(content, package.never_calculated()), None)) is not None:
        raise Refused(NO_VALUES, row=row)
    hidden_rows, hidden_columns = xlsx.hidden_rows(content), xlsx.hidden_columns(content, _WIDEST)
    styles = package.read(STYLES)
    struck_rows = xlsx.struck_rows(content, xlsx.struck_styles(styles))
    content = xlsx.padded_as_text(xlsx.errors_as_text(content), xlsx.templates(styles))
    changed = {entry.part: content}
    if styles:
        changed[STYLES] = xlsx.without_false_dates(styles)
    plain = package.rebuilt(changed)
    del content, changed
    sheet = _sheet(_load(plain), chosen.position)
    merged = sheet.merged_cell_ranges or ()
    marks = _Marks("xlsx", len(worksheets), entry.hidden, hidden_rows, hidden_columns, merged, entry.name, struck_rows)
    return _read(lambda: _rows(sheet), chosen, marks, request)


def _read_ods(package: Package, request: SheetRequest) -> SheetReply:
    ods.refuse_locked(package.read("META-INF/manifest.xml"))
    content = package.read("content.xml")
    tables, struck = ods.tables(content), ods.struck_styles(content, package.read("styles.xml"))
    content = ods.padded_as_text(ods.errors_as_text(content))
    workbook = _load(package.rebuilt({"content.xml": content}))
    del content
    chosen = _chosen_of(workbook, request)
    if chosen.position >= len(tables):
        raise Refused(DAMAGED)
    table, sheet = tables[chosen.position], _sheet(workbook, chosen.position)
    ods.refuse_without_values(table)
    marks = _Marks(
        "ods",
        len(tables),
        _is_hidden(workbook, chosen.position),
        ods.hidden_rows(table),
        ods.hidden_columns(table, _WIDEST),
        list(ods.merged(table)),
        workbook.sheet_names[chosen.position],
        ods.struck_rows(table, struck),
    )
    return _read(lambda: _rows(sheet), chosen, marks, request)


def _read_xls(raw: bytes, request: SheetRequest) -> SheetReply:
    sheets = old_sheets(raw)
    workbook = _load(io.BytesIO(raw))
    chosen = _chosen_of(workbook, request)
    if chosen.position >= len(sheets):
        raise Refused(DAMAGED)
    old, sheet = sheets[chosen.position], _sheet(workbook, chosen.position)
    merged = sheet.merged_cell_ranges or ()
    marks = _Marks(
        "xls",
        len(sheets),
        old.hidden,
        old.hidden_rows,
        old.hidden_columns,
        merged,
        workbook.sheet_names[chosen.position],
        old.struck_rows,
    )
    return _read(lambda: _as_shown(_rows(sheet), old), chosen, marks, request)


def _as_shown(rows: Iterator[list[Any]], sheet: OldSheet) -> Iterator[list[Any]]:
    """Rows with the cells that calamine gives back otherwise."""
    for index, row in enumerate(rows):
        for column, cell in sheet.shown.get(index, {}).items():
            if column < len(row):
                row[column] = cell
        yield row


def _is_hidden(workbook: calamine.CalamineWorkbook, position: int) -> bool:
    return workbook.sheets_metadata[position].visible is not calamine.SheetVisibleEnum.Visible


def _chosen_of(workbook: calamine.CalamineWorkbook, request: SheetRequest) -> _Chosen:
    names = workbook.sheet_names
    if len(names) > MOST_SHEETS:
        raise Refused(TOO_LARGE, kind=f"fler än {MOST_SHEETS} blad")
    sheets = [(place, name, _is_hidden(workbook, place)) for place, name in enumerate(names)]
    return _chosen_among(workbook, sheets, request)


def _chosen_among(
    workbook: calamine.CalamineWorkbook, sheets: list[tuple[int, str, bool]], request: SheetRequest
) -> _Chosen:
    candidates = _candidates(workbook, sheets, request)
    if not candidates:
        raise _without_headers([_rows(sheet) for sheet in _readable(workbook, sheets)], request.known)
    return _choose(candidates, request)


def _read(rows: Callable[[], Iterator[list[Any]]], chosen: _Chosen, marks: _Marks, request: SheetRequest) -> SheetReply:
    header = find_header(rows(), request.known, is_any=request.is_any)
    if header is None:
        raise _without_headers([rows()], request.known)
    if (
        not request.is_any
        and sum(map(bool, header.cells)) > len(header.recognised)
        and (odd := other_layout(_as_texts(rows()), request.known))
    ):
        raise Refused(_NO_HEADERS, hint=odd)
    if max(map(len, header.cells)) > LONGEST_CELL:
        raise Refused(_LONG_CELL, row=header.index + 1)
    names = [request.known.get(fold(cell[:200])) for cell in header.cells]

    def is_date_column(position: int) -> bool | None:
        name = names[position] if position < len(names) else None
        return None if name is None else name in request.dates

    try:
        body = read_body(rows(), header, is_date_column)
    except CellTooLong as found:
        raise Refused(_LONG_CELL, row=found.row) from None
    filled = [p for p in range(body.width) if header.cells[p].strip() or p in body.filled]
    if len(filled) > request.most_columns:
        raise Refused(_TOO_WIDE, found=len(filled))
    if not request.is_any:
        _refuse_merged(marks.merged, header.index, max(p for p, name in enumerate(names) if name))
    hidden = marks.hidden_rows
    facts = {
        "kind": marks.kind,
        "sheet": chosen.position + 1,
        "sheets": marks.sheets,
        "others": [place + 1 for place in chosen.others],
        "sheet_hidden": marks.is_hidden,
        "hidden_rows": sum(number in hidden for number in body.numbers) if hidden else 0,
        "struck_rows": [number for number in body.numbers if number in marks.struck_rows],
        "hidden_columns": sorted(marks.hidden_columns),
        "headers": list(header.cells),
        "header_row": header.index + 1,
        "above": header.above,
        "titles": [text[:200] for text in (marks.name, *_above(rows(), header)) if text.strip()],
        "filled": filled,
        "dates": {str(place): days for place, days in body.dates.items()},
    }
    return SheetReply(facts, body.csv, body.numbers.tobytes())


def _above(rows: Iterator[list[Any]], header: HeaderRow) -> Iterator[str]:
    """The first cells of the rows above the headers."""
    for row in islice(rows, min(header.index, LOOKED_AT)):
        yield from (text_of(cell) for cell in row[:_TITLE_CELLS])


def _refuse_merged(merged: Iterable[Range], header: int, last_column: int) -> None:
    """Refuse merged cells from the header row down, within the table: all but one of them read as empty."""
    for (top, left), (bottom, right) in merged:
        if bottom >= header and left <= last_column and (top, left) != (bottom, right):
            place = "Rubrikraden" if top <= header else f"Rad {top + 1}"
            raise Refused(MERGED, place=place)
