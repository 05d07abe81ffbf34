"""What calamine doesn't tell about a sheet of an xlsx: hidden rows and columns, error cells, formulas without values.

The part is searched as bytes: the patterns allow a namespace prefix, any order of attributes and either quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ROW = re.compile(rb"<(?:\w+:)?row\b([^<>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^<>]*)>")
_HIDDEN = re.compile(rb"\bhidden\s*=\s*[\"'](?:1|true)[\"']|\b(?:ht|width)\s*=\s*[\"']0(?:\.0*)?[\"']")
_ROW_NUMBER = re.compile(rb"\br\s*=\s*[\"'](\d+)[\"']")
_ERROR = re.compile(rb"(<(?:\w+:)?c\b[^<>]*?\bt\s*=\s*)(?:\"e\"|'e')")
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b([^<>]*)>\s*<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\b(?:\s[^<>]*)?(?:/>|>\s*(0?)\s*</(?:\w+:)?v>)\s*)?</(?:\w+:)?c>"
)
_OF_TEXT = re.compile(rb"\bt\s*=\s*[\"']str[\"']")
_CELL_ROW = re.compile(rb"\br\s*=\s*[\"'][A-Z]+(\d+)[\"']")
_FAR_COLUMN = re.compile(rb" r=[\"'][A-Za-z]{3,}\d")


def hidden_rows(sheet: bytes) -> frozenset[int]:
    """Numbers of the rows that Excel hides: by hand, by a filter or by a folded group."""
    found, number = set(), 0
    if b"hidden" not in sheet and b' ht="0' not in sheet:
        return frozenset()
    for row in _ROW.finditer(sheet):
        given = _ROW_NUMBER.search(row[1])
        number = int(given[1][:8]) if given else number + 1
        if _HIDDEN.search(row[1]):
            found.add(number)
    return frozenset(found)


def hidden_columns(sheet: bytes, most: int) -> frozenset[int]:
    """Positions (from 1) of the columns that Excel hides, up to `most`."""
    found: set[int] = set()
    head = sheet[: max(sheet.find(b"sheetData"), 0)]
    for column in _COLUMN.finditer(head):
        if _HIDDEN.search(column[1]):
            first, last = (_number(column[1], name, most) for name in (b"min", b"max"))
            found.update(range(first, last + 1))
    return frozenset(found)


def _number(attributes: bytes, name: bytes, most: int) -> int:
    match = re.search(rb"\b" + name + rb"\s*=\s*[\"'](\d{1,7})[\"']", attributes)
    return min(int(match[1]), most) if match else most


def errors_as_text(sheet: bytes) -> bytes:
    """The sheet with error cells turned into text cells: calamine would give them back empty."""
    return _ERROR.sub(rb'\1"str"', sheet) if b'"e"' in sheet or b"'e'" in sheet else sheet


def formulas_without_value(sheet: bytes, never_calculated: bool) -> Iterator[int]:
    """Row numbers of formulas whose value isn't stored; where nothing was ever calculated, also those that say 0."""
    if b"<f" not in sheet and b":f" not in sheet:
        return
    for cell in _FORMULA.finditer(sheet):
        if _OF_TEXT.search(cell[1]) or (cell[2] and not never_calculated):
            continue
        row = _CELL_ROW.search(cell[1])
        yield int(row[1][:8]) if row else 0


def last_row(sheet: bytes) -> int:
    """The number of the last row; 0 where rows aren't numbered."""
    rows = list(_ROW.finditer(sheet, max(sheet.rfind(b"<row"), sheet.rfind(b":row "), 0)))
    given = _ROW_NUMBER.search(rows[-1][1]) if rows else None
    return int(given[1][:9]) if given else 0


def cells(sheet: bytes) -> int:
    """About how many cells there are."""
    return sheet.count(b"<c ") + sheet.count(b":c ")


def has_far_columns(sheet: bytes) -> bool:
    """Whether any cell stands at column AAA (703) or beyond."""
    return _FAR_COLUMN.search(sheet) is not None
