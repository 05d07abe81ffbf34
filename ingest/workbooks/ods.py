"""What calamine does not report about a sheet of an .ods: hidden and struck rows, hidden columns, errors,
formulas without values.

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
_CELL_STYLE = re.compile(rb"\btable:style-name=\"([^\"<>]*)\"")
_DEFAULT_STYLE = re.compile(rb"\btable:default-cell-style-name=\"([^\"<>]*)\"")
_NAME = re.compile(rb"\bstyle:name=\"([^\"<>]*)\"")
_PARENT = re.compile(rb"\bstyle:parent-style-name=\"([^\"<>]*)\"")
_LINE_THROUGH = re.compile(rb"\bstyle:text-line-through-(?:style|type)=\"([^\"<>]*)\"")
_MOST_COLUMNS, _MOST_PARENTS = 20_000, 20
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


def struck_styles(*parts: bytes) -> frozenset[bytes]:
    """Names of the cell styles that are struck out, by themselves or by the style that they build upon.

    Args:
        parts: the document's parts with styles, content.xml and styles.xml.
    """
    own: dict[bytes, bool] = {}
    parents: dict[bytes, bytes] = {}
    for part in parts:
        body = part.find(b"<office:body")
        for element in part[: body if body >= 0 else None].split(b"<style:style ")[1:]:
            head, _, rest = element.partition(b">")
            name = _NAME.search(head)
            if name is None or b'style:family="table-cell"' not in head:
                continue
            if parent := _PARENT.search(head):
                parents[name[1]] = parent[1]
            inner = b"" if head.endswith(b"/") else rest[: max(rest.find(b"</style:style>"), 0)]
            if lines := _LINE_THROUGH.findall(inner):
                own[name[1]] = any(line != b"none" for line in lines)
    return frozenset(name for name in {*own, *parents} if _is_struck(name, own, parents))


def _is_struck(name: bytes, own: dict[bytes, bool], parents: dict[bytes, bytes]) -> bool:
    for _ in range(_MOST_PARENTS):
        if name in own:
            return own[name]
        if name not in parents:
            return False
        name = parents[name]
    return False


def struck_rows(table: bytes, struck: frozenset[bytes]) -> frozenset[int]:
    """Numbers of the rows all of whose filled cells are in one of these styles; a cell without one has its row's or its
    column's."""
    start = table.find(b"<table:table-row")
    if not struck or start < 0:
        return frozenset()
    of_columns: list[bytes] = []
    for given in _COLUMN.finditer(table, 0, start):
        default = _DEFAULT_STYLE.search(given[1])
        room = _MOST_COLUMNS - len(of_columns)
        of_columns += [default[1] if default else b""] * min(_repeated(given[1], b"columns", _MOST_COLUMNS), room)
    found: set[int] = set()
    first, count, column, of_row, is_struck, is_plain = 1, 0, 0, b"", False, False
    for token in _ROW_OR_CELL.finditer(table, start):
        if token[1] == b"table-row":
            if is_struck:
                found.update(range(first, first + count))
            first, column, is_struck, is_plain = first + count, 0, False, False
            count = _repeated(token[2], b"rows", MOST_ROWS)
            default = _DEFAULT_STYLE.search(token[2])
            of_row = default[1] if default else b""
            if first > MOST_ROWS:
                break
            continue
        if not is_plain and token[1] == b"table-cell" and b"value-type=" in token[2]:
            style = _CELL_STYLE.search(token[2])
            by_place = of_row or (of_columns[column] if column < len(of_columns) else b"")
            is_plain = (style[1] if style else by_place) not in struck
            is_struck = not is_plain
        column += _repeated(token[2], b"columns", _MOST_COLUMNS)
    return frozenset(found | set(range(first, first + count)) if is_struck else found)


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
        column += _repeated(token[2], b"columns", _MOST_COLUMNS)
