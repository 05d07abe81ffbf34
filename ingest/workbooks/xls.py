"""What calamine does not report about a sheet of an .xls: what is hidden or struck out, errors, formats.

The file is a compound file with one stream of records.

Containers after [MS-CFB], records after [MS-XLS].
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.workbooks.number_formats import BUILT_IN_SHARES, Share, Template, only_looks_like_a_date, shown_by
from ingest.workbooks.refusals import DAMAGED, LOCKED, MOST_SHEETS, OTHER_KIND, TOO_LARGE, Refused

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_END_OF_CHAIN = 0xFFFFFFFA
"""This sector number and those above it are no sectors."""
_EOF, _FILEPASS, _BOUNDSHEET, _BOF = 0x000A, 0x002F, 0x0085, 0x0809
_ROW, _COLINFO, _BOOLERR, _FORMULA = 0x0208, 0x007D, 0x0205, 0x0006
_FORMAT, _XF, _NUMBER, _RK, _MULRK = 0x041E, 0x00E0, 0x0203, 0x027E, 0x00BD
_FONT, _LABEL, _LABEL_OF_LIST, _RICH_LABEL = 0x0031, 0x0204, 0x00FD, 0x00D6
_FILLED = (_NUMBER, _RK, _MULRK, _FORMULA, _BOOLERR, _LABEL, _LABEL_OF_LIST, _RICH_LABEL)
"""Records of cells that hold something."""
_BIFF8 = 0x0600
_HIDDEN_ROW, _STRUCK_OUT = 0x20, 0x08
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


@dataclass(frozen=True)
class OldSheet:
    """A sheet of an .xls.

    Attributes:
        hidden: whether Excel hides it.
        hidden_rows: numbers from 1.
        hidden_columns: positions from 1.
        shown: row index → column index → what calamine gives back otherwise: error values (empty), numbers whose
            format shows a fixed number of digits (without them), numbers whose format is called like a date's (a day).
        struck_rows: numbers from 1 of the rows all of whose filled cells are struck out.
    """

    hidden: bool
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]
    shown: dict[int, dict[int, str | float]]
    struck_rows: frozenset[int]


class _Compound:
    """A compound file: sectors, chained by a table."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._size = 1 << struct.unpack_from("<H", raw, 30)[0]
        if self._size not in (512, 4096):
            raise Refused(DAMAGED)
        tables = list(struct.unpack_from("<109I", raw, 76))
        more = struct.unpack_from("<I", raw, 68)[0]
        entries = self._size // 4
        for _ in range(len(raw) // self._size):
            if more >= _END_OF_CHAIN:
                break
            *found, more = struct.unpack(f"<{entries}I", self._sector(more))
            tables += found
        self._next: list[int] = []
        for sector in tables:
            if sector < _END_OF_CHAIN:
                self._next += struct.unpack(f"<{entries}I", self._sector(sector))

    def _sector(self, number: int) -> bytes:
        found = self._raw[(number + 1) * self._size : (number + 2) * self._size]
        if len(found) < self._size:
            if not found:
                raise Refused(DAMAGED)
            found = found.ljust(self._size, b"\0")
        return found

    def _chain(self, start: int) -> bytes:
        parts: list[bytes] = []
        while start < _END_OF_CHAIN:
            if start >= len(self._next) or len(parts) > len(self._next):
                raise Refused(DAMAGED)  # beyond the file, or a ring
            parts.append(self._sector(start))
            start = self._next[start]
        return b"".join(parts)

    def stream(self, *names: str) -> bytes:
        """The content of the first stream of one of these names; empty when there is none."""
        directory = self._chain(struct.unpack_from("<I", self._raw, 48)[0])
        entries = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
        for entry in entries:
            length = struct.unpack_from("<H", entry, 64)[0]
            name = entry[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            if entry[66] == 2 and name in names:
                start, size = struct.unpack_from("<II", entry, 116)
                if size >= struct.unpack_from("<I", self._raw, 56)[0]:
                    return self._chain(start)[:size]
                return self._small(entries[0], start, size)
        return b""

    def _small(self, root: bytes, start: int, size: int) -> bytes:
        """A stream in small sectors within the root's own stream."""
        table = self._chain(struct.unpack_from("<I", self._raw, 60)[0])
        following = struct.unpack(f"<{len(table) // 4}I", table)
        inner = self._chain(struct.unpack_from("<I", root, 116)[0])
        parts: list[bytes] = []
        while start < _END_OF_CHAIN:
            if start >= len(following) or len(parts) > len(following):
                raise Refused(DAMAGED)
            parts.append(inner[start * 64 : start * 64 + 64])
            start = following[start]
        return b"".join(parts)[:size]


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Records of one substream, those of charts within it passed over."""
    depth = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        content = stream[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, content


def old_sheets(raw: bytes) -> list[OldSheet]:
    """The sheets of an .xls, in its own order.

    Raises:
        Refused: damaged, locked with a password, or another kind of document.
    """
    if _ENCRYPTED in raw:
        raise Refused(LOCKED)
    try:
        stream = _Compound(raw).stream("Workbook", "Book", "WORKBOOK", "BOOK")
        if not stream:
            raise Refused(OTHER_KIND, kind="ett dokument i ett äldre Officeformat")
        bounds, codes, formats = [], dict(BUILT_IN_SHARES), []
        fonts: list[bool] = []
        fonts_of: list[int] = []
        for kind, content in _records(stream, 0):
            if kind == _FILEPASS:
                raise Refused(LOCKED)
            if kind == _BOUNDSHEET:
                bounds.append(struct.unpack_from("<IB", content))
            elif kind == _FORMAT:
                codes[struct.unpack_from("<H", content)[0]] = _format_code(content, stream)
            elif kind == _XF:
                formats.append(struct.unpack_from("<H", content, 2)[0])
                fonts_of.append(struct.unpack_from("<H", content)[0])
            elif kind == _FONT:
                fonts.append(struct.unpack_from("<H", content, 2)[0] & _STRUCK_OUT != 0)
            if len(bounds) > MOST_SHEETS:
                raise Refused(TOO_LARGE, kind=f"fler än {MOST_SHEETS} blad")
        styles = _Styles(
            {place: how for place, number in enumerate(formats) if (how := shown_by(codes.get(number, "")))},
            frozenset(place for place, number in enumerate(formats) if only_looks_like_a_date(codes.get(number, ""))),
            frozenset(place for place, font in enumerate(fonts_of) if _is_struck(fonts, font)),
        )
        return [_sheet(stream, offset, (state & 3) != 0, styles) for offset, state in bounds]
    except (struct.error, IndexError):
        raise Refused(DAMAGED) from None


@dataclass(frozen=True)
class _Styles:
    """Numbers of cell styles: how those show numbers that have fixed digits or are shares; those that are no dates;
    those that are struck out."""

    templates: dict[int, Template | Share]
    false_dates: frozenset[int]
    struck: frozenset[int]

    def shown(self, style: int, value: float) -> str | float | None:
        """What a cell shows, where calamine gives back something else."""
        how = self.templates.get(style)
        if how is not None and (text := how.shown(value)) is not None:
            return text
        return value if style in self.false_dates else None


def _is_struck(fonts: list[bool], number: int) -> bool:
    """Whether a font is struck out. Its number passes over 4, which no font has."""
    place = number - (number > 4)
    return place < len(fonts) and fonts[place]


def _format_code(content: bytes, stream: bytes) -> str:
    if struct.unpack_from("<H", stream, 4)[0] != _BIFF8:
        return content[3 : 3 + content[2]].decode("cp1252", "replace")
    length, flags = struct.unpack_from("<HB", content, 2)
    return (
        content[5 : 5 + 2 * length].decode("utf-16-le", "replace")
        if flags & 1
        else content[5 : 5 + length].decode("latin-1")
    )


def _compressed(value: int) -> float:
    """A number of the form RK: thirty bits of a double or a whole number, either perhaps in hundredths."""
    if value & 2:
        number = float((value - (1 << 32) if value >> 31 else value) >> 2)
    else:
        number = float(struct.unpack("<d", struct.pack("<Q", (value & 0xFFFFFFFC) << 32))[0])
    return number / 100 if value & 1 else number


def _numbers(kind: int, content: bytes) -> Iterator[tuple[int, int, int, float]]:
    """Row, column, style and value of the numbers that a record holds."""
    if kind == _NUMBER:
        yield struct.unpack_from("<3Hd", content)
    elif kind == _RK:
        row, column, style, value = struct.unpack_from("<3HI", content)
        yield row, column, style, _compressed(value)
    elif kind == _MULRK:
        row, first = struct.unpack_from("<2H", content)
        for place, (style, value) in enumerate(struct.iter_unpack("<HI", content[4 : 4 + (len(content) - 6) // 6 * 6])):
            yield row, first + place, style, _compressed(value)
    elif kind == _FORMULA and content[12:14] != b"\xff\xff":
        yield struct.unpack_from("<3Hd", content)


def _cell_styles(kind: int, content: bytes) -> Iterator[tuple[int, int]]:
    """Row and style of the filled cells that a record holds."""
    if kind == _MULRK:
        for row, _, style, _ in _numbers(kind, content):
            yield row, style
    else:
        row, _, style = struct.unpack_from("<3H", content)
        yield row, style


def _sheet(stream: bytes, offset: int, hidden: bool, styles: _Styles) -> OldSheet:
    rows: set[int] = set()
    columns: set[int] = set()
    shown: dict[int, dict[int, str | float]] = {}
    looked_at = (_NUMBER, _RK, _MULRK, _FORMULA) if styles.templates or styles.false_dates else ()
    is_struck: dict[int, bool] = {}
    for kind, content in _records(stream, offset):
        if styles.struck and kind in _FILLED:
            for row, style in _cell_styles(kind, content):
                is_struck[row] = is_struck.get(row, True) and style in styles.struck
        if kind in looked_at:
            for row, column, style, value in _numbers(kind, content):
                if (other := styles.shown(style, value)) is not None:
                    shown.setdefault(row, {})[column] = other
        if kind == _ROW:
            row, flags = struct.unpack_from("<H", content)[0], struct.unpack_from("<H", content, 12)[0]
            if flags & _HIDDEN_ROW:
                rows.add(row + 1)
        elif kind == _COLINFO:
            first, last, _, _, options = struct.unpack_from("<5H", content)
            if options & 1:
                columns.update(range(first + 1, min(last, 255) + 2))
        elif kind in (_BOOLERR, _FORMULA):
            row, column, _ = struct.unpack_from("<3H", content)
            if kind == _BOOLERR:
                code = content[6] if content[7] else None
            else:  # the stored result: FFFF at its end and 2 at its beginning say that it is an error
                code = content[8] if content[12:14] == b"\xff\xff" and content[6] == 2 else None
            if code is not None:
                shown.setdefault(row, {})[column] = _ERRORS.get(code, "#VALUE!")
    struck = frozenset(row + 1 for row, is_so in is_struck.items() if is_so)
    return OldSheet(hidden, frozenset(rows), frozenset(columns), shown, struck)
