"""The process that reads one workbook: bytes in, one sheet as text out, nothing else.

It is started by `ingest.workbooks` with limits on memory and time, can write no file, and gets no secrets in its
environment; that it dies on hostile bytes costs one refusal.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run by its path: the tree that started it, not an installed one, is what it imports
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import python_calamine as calamine

from ingest.folding import fold
from ingest.sheets import scanning
from ingest.sheets.compound import refuse_locked
from ingest.sheets.grid import LONGEST_CELL, CellTooLong, HeaderRow, find_header, read_body
from ingest.sheets.package import Package, SheetPart
from ingest.sheets.refusals import DAMAGED, LOCKED, MERGED, NO_VALUES, OTHER_KIND, TOO_LARGE, Refused

MEMORY_BYTES = 4 << 30
SECONDS = 120
MOST_CELLS = 12_000_000
"""Of the sheet that is read; about 150 MB of memory for each million."""
MOST_ROWS = 1_048_576
"""Excel's own limit."""
_WIDEST = 702
_NO_HEADERS, _TOO_WIDE, _LONG_CELL = "FIL-021", "FIL-022", "FIL-023"


@dataclass(frozen=True)
class _Asked:
    known: dict[str, str]
    dates: frozenset[str]
    sheet_names: frozenset[str]
    most_columns: int
    required: int


@dataclass(frozen=True)
class _Chosen:
    """The sheet that is read: its position in the workbook's list, its headers, other sheets that bear headers."""

    position: int
    others: tuple[int, ...]


@dataclass(frozen=True)
class _Candidate:
    position: int
    name: str
    hidden: bool
    header: HeaderRow


def _choose(candidates: list[_Candidate], asked: _Asked) -> _Chosen:
    """The sheet named after the dataset if it bears headers, else the first that does; shown ones before hidden."""
    if not candidates:
        raise Refused(_NO_HEADERS)
    enough = min(max(len(c.header.recognised) for c in candidates), max(asked.required // 2, 1))
    bearing = [c for c in candidates if len(c.header.recognised) >= enough]
    named = [c for c in bearing if fold(c.name) in asked.sheet_names]
    chosen = min(named or bearing, key=lambda c: (c.hidden, c.position))
    others = tuple(c.position for c in bearing if c is not chosen and c.header.followed)
    return _Chosen(chosen.position, others)


def _rows(sheet: calamine.CalamineSheet) -> Iterator[list[Any]]:
    """A sheet's rows from row 1 (index 0), cells from column A: calamine leaves out unused columns before the first."""
    if sheet.start is None:
        return iter(())
    before = sheet.start[1]
    return ([""] * before + row for row in sheet.iter_rows()) if before else sheet.iter_rows()


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
    except calamine.CalamineError:
        raise Refused(DAMAGED) from None


def _xlsx_sheet(package: Package, asked: _Asked) -> tuple[_Chosen, SheetPart, int, bytes]:
    """Choose the sheet of an xlsx by the beginnings of all; its entry, how many there are, and its whole part."""
    parts = package.sheets()
    worksheets = [(place, part) for place, part in enumerate(parts) if package.has(part.part)]
    if len(worksheets) == 1:
        chosen = _Chosen(worksheets[0][0], ())
    else:
        heads = {part.part: package.sheet_head(part.part) for _, part in worksheets}
        workbook = _load(package.rebuilt(heads))
        candidates = []
        for place, part in worksheets:
            try:
                header = find_header(_rows(workbook.get_sheet_by_index(place)), asked.known)
            except calamine.CalamineError:  # a chart or macro sheet, or one whose beginning is broken
                continue
            if header is not None:
                candidates.append(_Candidate(place, part.name, part.hidden, header))
        chosen = _choose(candidates, asked)
    entry = parts[chosen.position]
    return chosen, entry, len(worksheets), package.read(entry.part)


def _read_xlsx(raw: bytes, asked: _Asked) -> tuple[dict[str, Any], bytes, bytes]:
    package = Package(raw)
    chosen, entry, count, part = _xlsx_sheet(package, asked)
    if scanning.has_far_columns(part):
        raise Refused(TOO_LARGE, kind="celler långt till höger om tabellen")
    if scanning.last_row(part) > MOST_ROWS or scanning.cells(part) > MOST_CELLS:
        raise Refused(TOO_LARGE, kind=f"fler än {MOST_CELLS // 1_000_000} miljoner celler")
    if (row := next(scanning.formulas_without_value(part, package.never_calculated()), None)) is not None:
        raise Refused(NO_VALUES, row=row)
    hidden_rows = scanning.hidden_rows(part)
    hidden_columns = scanning.hidden_columns(part, _WIDEST)
    plain = package.rebuilt({entry.part: scanning.errors_as_text(part)})
    del part
    sheet = _sheet(_load(plain), chosen.position)
    found, body, numbers = _read_sheet(sheet, asked, hidden_rows)
    found |= {
        "kind": "xlsx",
        "sheet": chosen.position + 1,
        "sheets": count,
        "others": [place + 1 for place in chosen.others],
        "sheet_hidden": entry.hidden,
        "hidden_columns": sorted(hidden_columns),
    }
    return found, body, numbers


def _read_sheet(
    sheet: calamine.CalamineSheet, asked: _Asked, hidden: frozenset[int]
) -> tuple[dict[str, Any], bytes, bytes]:
    header = find_header(_rows(sheet), asked.known)
    if header is None:
        raise Refused(_NO_HEADERS)
    if max(map(len, header.cells)) > LONGEST_CELL:
        raise Refused(_LONG_CELL, row=header.index + 1)
    names = [asked.known.get(fold(cell[:200])) for cell in header.cells]

    def is_date_column(position: int) -> bool | None:
        name = names[position] if position < len(names) else None
        return None if name is None else name in asked.dates

    try:
        body = read_body(_rows(sheet), header, is_date_column)
    except CellTooLong as found:
        raise Refused(_LONG_CELL, row=found.row) from None
    filled = [p for p in range(body.width) if header.cells[p].strip() or p in body.filled]
    if len(filled) > asked.most_columns:
        raise Refused(_TOO_WIDE, found=len(filled))
    _refuse_merged(sheet, header.index, filled[-1])
    return (
        {
            "headers": list(header.cells),
            "header_row": header.index + 1,
            "above": header.above,
            "kept": filled,
            "hidden_rows": sum(number in hidden for number in body.numbers) if hidden else 0,
            "dates": {str(p): [o.count, o.rows] for p, o in body.dates.items()},
            "times": {str(p): [o.count, o.rows] for p, o in body.times.items()},
        },
        body.csv,
        body.numbers.tobytes(),
    )


def _refuse_merged(sheet: calamine.CalamineSheet, header: int, last_column: int) -> None:
    """Refuse merged cells from the header row down, within the table: all but one of them read as empty."""
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        if bottom >= header and left <= last_column and (top, left) != (bottom, right):
            place = "Rubrikraden" if top <= header else f"Rad {top + 1}"
            raise Refused(MERGED, place=place)


def _limit() -> None:
    """Bound what this process may use, and let it leave nothing behind."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer(raw: bytes, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
    """What is told of a workbook: facts as JSON, records as CSV, row numbers as int32; or `refused` with its facts."""
    wants = _Asked(asked["known"], frozenset(asked["dates"]), frozenset(asked["sheet_names"]),
                   asked["most_columns"], asked["required"])  # fmt: skip
    try:
        if raw[:2] != b"PK":
            refuse_locked(raw)
            raise Refused(OTHER_KIND, kind="ett dokument i ett äldre Officeformat")
        return _read_xlsx(raw, wants)
    except Refused as refusal:
        return {"refused": refusal.rule, "facts": refusal.facts}, b"", b""
    except MemoryError:
        return {"refused": TOO_LARGE, "facts": {"kind": "mer än vad som ryms i minnet"}}, b"", b""


def main() -> None:
    """Read the question and the workbook from standard input, answer on standard output."""
    _limit()
    length = struct.unpack("<I", sys.stdin.buffer.read(4))[0]
    asked = json.loads(sys.stdin.buffer.read(length))
    facts, body, numbers = answer(sys.stdin.buffer.read(), asked)
    told = json.dumps(facts).encode()
    out = sys.stdout.buffer
    out.write(struct.pack("<III", len(told), len(numbers), len(body)))
    for part in (told, numbers, body):
        out.write(part)
    out.flush()


if __name__ == "__main__":
    main()
