"""What calamine does not report about a sheet of an .xlsx: hidden rows and columns, errors, formulas without values,
and what number formats show.

The part is searched as bytes: the patterns allow a namespace prefix, any order of attributes and either quote. None
looks beyond the next `<` more than once, and none takes the same white space in two ways: a sheet made to be slow is
read in time that grows with its size alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from ingest.workbooks.number_formats import BUILT_IN_SHARES, Share, Template, only_looks_like_a_date, shown_by

_ROW = re.compile(rb"<(?:\w+:)?row\b([^<>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^<>]*)>")
_HIDDEN = re.compile(rb"\bhidden\s*=\s*[\"'](?:1|true)[\"']|\b(?:ht|width)\s*=\s*[\"']0(?:\.0*)?[\"']")
_ROW_NUMBER = re.compile(rb"\br\s*=\s*[\"'](\d+)[\"']")
_ERROR = re.compile(rb"(<(?:\w+:)?c\b[^<>]*?\bt\s*=\s*)(?:\"e\"|'e')")
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b([^<>]*)>\s*<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\b(?:\s[^<>]*)?(?:/>|>\s*+(0?+)\s*+</(?:\w+:)?v>)\s*)?</(?:\w+:)?c>"
)
_OF_TEXT = re.compile(rb"\bt\s*=\s*[\"']str[\"']")
_CELL_ROW = re.compile(rb"\br\s*=\s*[\"'][A-Z]+(\d+)[\"']")
_ATTRIBUTES = rb"((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)"
_NUMBER_FORMAT = re.compile(rb"<(?:\w+:)?numFmt\b" + _ATTRIBUTES + rb">")
_STYLE = re.compile(rb"<(?:\w+:)?xf\b" + _ATTRIBUTES + rb">")
_FORMAT_ID = re.compile(rb"\bnumFmtId\s*=\s*[\"'](\d{1,9})[\"']")
_FORMAT_CODE = re.compile(rb"(\bformatCode\s*=\s*)(?:\"([^\"]*)\"|'([^']*)')")
_FONT_ID = re.compile(rb"\bfontId\s*=\s*[\"'](\d{1,9})[\"']")
_FONT = re.compile(rb"<(?:\w+:)?font\b")
_STRIKE = re.compile(rb"<(?:\w+:)?strike\b([^<>]*)>")
_NOT = re.compile(rb"\bval\s*=\s*[\"'](?:0|false)[\"']")
_ROW_OR_CELL = re.compile(rb"<(?:\w+:)?(row|c)\b([^<>]*)>")
_CELL_STYLE = re.compile(rb"\ss\s*=\s*[\"'](\d{1,9})[\"']")
_KIND = re.compile(rb"\s\bt\s*=\s*[\"'](\w*)[\"']")
_MOST_ALTERNATIVES = 64
"""Styles that a pattern names one by one: each is tried at each cell."""
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


def struck_styles(styles: bytes) -> frozenset[int]:
    """Numbers of the cell styles whose font is struck out."""
    begin, end = _part(styles, b"fonts")
    found = (_STRIKE.search(font) for font in _FONT.split(styles[begin:end])[1:])
    fonts = [strike is not None and _NOT.search(strike[1]) is None for strike in found]
    begin, end = _part(styles, b"cellXfs")
    numbers = (_FONT_ID.search(style[1]) for style in _STYLE.finditer(styles, begin, end))
    return frozenset(
        place
        for place, number in enumerate(numbers)
        if number is not None and int(number[1]) < len(fonts) and fonts[int(number[1])]
    )


def struck_rows(sheet: bytes, struck: frozenset[int]) -> frozenset[int]:
    """Numbers of the rows all of whose filled cells are in one of these styles."""
    if not struck:
        return frozenset()
    found: set[int] = set()
    number, is_struck, is_plain = 0, False, False
    for tag in _ROW_OR_CELL.finditer(sheet):
        if tag[1] == b"row":
            if is_struck:
                found.add(number)
            given = _ROW_NUMBER.search(tag[2])
            number, is_struck, is_plain = int(given[1][:8]) if given else number + 1, False, False
        elif not tag[2].endswith(b"/") and not is_plain:
            style = _CELL_STYLE.search(tag[2])
            is_plain = style is None or int(style[1]) not in struck
            is_struck = not is_plain
    return frozenset(found | {number} if is_struck else found)


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
    """Whether any cell is in column AAA (703) or beyond."""
    return _FAR_COLUMN.search(sheet) is not None


def _part(styles: bytes, name: bytes) -> tuple[int, int]:
    """Where the first element of a name begins and ends; an empty place where there is none."""
    start = re.search(rb"<(?:\w+:)?" + name + rb"\b", styles)
    end = re.compile(rb"</(?:\w+:)?" + name + rb"\s*>").search(styles, start.end()) if start else None
    return (start.start(), end.end()) if start and end else (0, 0)


def _code(attributes: bytes) -> str:
    found = _FORMAT_CODE.search(attributes)
    return html.unescape((found[2] or found[3] or b"").decode("utf-8", "replace")) if found else ""


def without_false_dates(styles: bytes) -> bytes:
    """The styles with General for every format that calamine would take for a date's by a letter of its name."""
    begin, end = _part(styles, b"numFmts")

    def plain(found: re.Match[bytes]) -> bytes:
        if not only_looks_like_a_date(_code(found[1])):
            return found[0]
        return _FORMAT_CODE.sub(rb'\1"General"', found[0])

    return styles[:begin] + _NUMBER_FORMAT.sub(plain, styles[begin:end]) + styles[end:]


def templates(styles: bytes) -> dict[int, Template | Share]:
    """Number of a cell style → how it shows numbers, for styles with a fixed number of digits and for shares."""
    begin, end = _part(styles, b"numFmts")
    formats = {number: how for number, code in BUILT_IN_SHARES.items() if (how := shown_by(code))}
    for found in _NUMBER_FORMAT.finditer(styles, begin, end):
        number, shown = _FORMAT_ID.search(found[1]), shown_by(_code(found[1]))
        if number and shown:
            formats[int(number[1])] = shown
    begin, end = _part(styles, b"cellXfs")
    numbers = (_FORMAT_ID.search(style[1]) for style in _STYLE.finditer(styles, begin, end))
    return {
        place: formats[int(number[1])]
        for place, number in enumerate(numbers)
        if number is not None and int(number[1]) in formats
    }


def padded_as_text(sheet: bytes, shown: Mapping[int, Template | Share]) -> bytes:
    """The sheet with numbers of these styles turned into the text that Excel shows: `000123`, `100%`."""
    if not shown:
        return sheet
    styles = b"|".join(b"%d" % style for style in shown) if len(shown) <= _MOST_ALTERNATIVES else rb"\d{1,9}"
    cell = re.compile(
        rb"(<(?:\w+:)?c\b(?=[^<>]*?\ss\s*=\s*[\"'](" + styles + rb")[\"'])[^<>]*)"
        rb"(>\s*(?:<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)\s*)?<(?:\w+:)?v\b[^<>]*>)([^<]*)(?=</)"
    )

    def as_text(found: re.Match[bytes]) -> bytes:
        kind = _KIND.search(found[1])
        if kind is not None and kind[1] != b"n":
            return found[0]
        how = shown.get(int(found[2]))
        text = None if how is None else how.shown(found[4])
        if text is None:
            return found[0]
        start = found[1].replace(kind[0], b"") if kind is not None else found[1]
        return start + b' t="str"' + found[3] + html.escape(text, quote=False).encode()

    return cell.sub(as_text, sheet)
