"""What calamine does not report about a sheet of an .ods: hidden rows and columns, errors, formulas without values.

The content is searched as bytes; producers all use the prefixes `table:` and `office:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.workbooks.number_formats import whole
from ingest.workbooks.refusals import DAMAGED, LOCKED, MOST_SHEETS, NO_VALUES, TOO_LARGE, Refused

MOST_ROWS = 1_048_576
_TABLE = re.compile(rb"<table:table\b[^<>]*>")
_ROW = re.compile(rb"<table:table-row\b([^<>]*)>")
_COLUMN = re.compile(rb"<table:table-column\b([^<>]*)>")
_CELL = re.compile(rb"<table:(?:covered-)?table-cell\b([^<>]*)>")
_ROW_OR_CELL = re.compile(rb"<table:(table-row|table-cell|covered-table-cell)\b([^<>]*)>")
_HIDDEN = re.compile(rb"table:visibility=\"(?:collapse|filter)\"")
_ERROR = re.compile(rb"<table:table-cell\b[^<>]*\bcalcext:value-type=\"error\"[^<>]*>")
_STRING_VALUE = re.compile(rb"\boffice:string-value=\"[^\"<>]*\"")
_SHOWN_NUMBER = re.compile(
    rb"<table:table-cell\b(?=[^<>]*\boffice:value-type=\"float\")(?=[^<>]*\boffice:value=\"([^\"<>]*)\")([^<>]*)>"
    rb"\s*<text:p>(?=0\d|\d+[-/]|[^<\d]*(?:[A-Za-z]|\xc3[\x80-\xbf])\d)([^<>.,%:]*)(?=</text:p>\s*</table:table-cell>)"
)
_SHARE = re.compile(
    rb"<table:table-cell\b(?=[^<>]*\boffice:value-type=\"percentage\")([^<>/]*(?:/[^<>/]+)*)(>\s*<text:p>)"
)
_NUMBER_ATTRIBUTES = re.compile(rb"\s(?:office|calcext):value(?:-type)?=\"[^\"]*\"")


def padded_as_text(content: bytes) -> bytes:
    """Whole numbers that are shown with fixed digits (`000123`, `2018-0123`), and shares, as the text that is shown."""

    def as_text(found: re.Match[bytes]) -> bytes:
        number, digits = whole(found[1]), re.sub(rb"\D", b"", found[3])
        if number is None or not digits or int(digits[:40]) != number:
            return found[0]
        attributes = _NUMBER_ATTRIBUTES.sub(b"", found[2])
        return b'<table:table-cell office:value-type="string"' + attributes + b"><text:p>" + found[3]

    return _SHARE.sub(_share_as_text, _SHOWN_NUMBER.sub(as_text, content))


def _share_as_text(found: re.Match[bytes]) -> bytes:
    """A share as the text that is shown (`100%`): the number behind it is no count."""
    return b'<table:table-cell office:value-type="string"' + _NUMBER_ATTRIBUTES.sub(b"", found[1]) + found[2]


def tables(content: bytes) -> list[bytes]:
    """Each sheet's part of the content, in order.

    Raises:
        Refused: a sheet doesn't end, or there are too many.
    """
    found: list[bytes] = []
    at = 0
    while start := _TABLE.search(content, at):
        if len(found) == MOST_SHEETS:
            raise Refused(TOO_LARGE, kind=f"fler än {MOST_SHEETS} blad")
        at = end = start.end()
        if not start[0].endswith(b"/>"):
            end = content.find(b"</table:table>", at)
            if end < 0:
                raise Refused(DAMAGED)
            at = end
        found.append(content[start.start() : end])
    return found


def refuse_locked(manifest: bytes) -> None:
    """Refuse a document that is encrypted.

    Raises:
        Refused: it is.
    """
    if b"encryption-data" in manifest:
        raise Refused(LOCKED)


def errors_as_text(content: bytes) -> bytes:
    """Error cells keep the text that is shown: calamine would take their value, which is empty."""
    if b'"error"' not in content:
        return content
    return _ERROR.sub(lambda cell: _STRING_VALUE.sub(b"", cell[0], count=1), content)


def refuse_without_values(table: bytes) -> None:
    """Refuse formulas whose result isn't stored.

    Raises:
        Refused: there is one.
    """
    if b"table:formula=" not in table:
        return
    for cell in _CELL.finditer(table):
        if b"table:formula=" in cell[1] and b"office:value-type=" not in cell[1]:
            raise Refused(NO_VALUES)


def _repeated(attributes: bytes, what: bytes, most: int) -> int:
    match = re.search(rb"table:number-" + what + rb"-repeated=\"(\d{1,8})\"", attributes)
    return max(min(int(match[1]), most), 1) if match else 1


def _spanned(attributes: bytes, what: bytes) -> int:
    match = re.search(rb"table:number-" + what + rb"-spanned=\"(\d{1,8})\"", attributes)
    return max(int(match[1]), 1) if match else 1


def hidden_rows(table: bytes) -> frozenset[int]:
    """Numbers of the rows that are hidden or filtered away."""
    found: set[int] = set()
    number = 0
    for row in _ROW.finditer(table):
        count = _repeated(row[1], b"rows", MOST_ROWS - number)
        if _HIDDEN.search(row[1]):
            found.update(range(number + 1, number + count + 1))
        number += count
        if number >= MOST_ROWS:
            break
    return frozenset(found)


def hidden_columns(table: bytes, most: int) -> frozenset[int]:
    """Positions (from 1) of the columns that are hidden, up to `most`."""
    found: set[int] = set()
    position = 0
    for column in _COLUMN.finditer(table):
        count = _repeated(column[1], b"columns", most)
        if _HIDDEN.search(column[1]):
            found.update(range(position + 1, min(position + count, most) + 1))
        position += count
    return frozenset(found)


def merged(table: bytes) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Merged cells as calamine reports them of an .xlsx: (top, left), (bottom, right), counted from 0."""
    if b"-spanned=" not in table:
        return
    row, following, column = -1, 0, 0
    for token in _ROW_OR_CELL.finditer(table):
        if token[1] == b"table-row":
            row, following, column = following, following + _repeated(token[2], b"rows", MOST_ROWS), 0
            continue
        wide, high = _spanned(token[2], b"columns"), _spanned(token[2], b"rows")
        if wide > 1 or high > 1:
            yield (row, column), (row + high - 1, column + wide - 1)
        column += _repeated(token[2], b"columns", 20_000)
