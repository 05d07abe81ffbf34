"""Finding harmful characters: NUL, control characters beyond ASCII, and code points that are no characters.

Merely invisible characters are removed elsewhere. These are not: NUL ends a text in PostgreSQL, and a wrong encoding
leaves the others in place of letters. In free text the others are a query about garbled text.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from ingest.contracts import Column
from ingest.reading.byte_columns import ByteColumn, Mask, matching

_NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_HARMFUL = re.compile(f"[\0\x80-\x84\x86-\x9f{_NO_CHARACTERS}]")
"""U+0085 is a line's end."""
_BYTES = r"\x00|\xc2[\x80-\x9f]|\xef\xb7[\x90-\xaf]|\xbf[\xbe\xbf]"
"""Bytes of UTF-8 in which each of these is, and few others."""


def first_harmful(column: Column, text: str) -> str:
    """The first such character in a cell of a column, as a message names it; empty where there is none."""
    found = re.search("\0", text) if column.type == "text" else _HARMFUL.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def rows_with_harmful(column: Column, cells: ByteColumn, encoding: str) -> Mask:
    """Which cells of a column hold such a character. Other encodings than UTF-8 have none."""
    if encoding != "utf-8":
        return np.zeros(len(cells.column), bool)
    return cells.rows_holding(_maybe, lambda cell: bool(first_harmful(column, cell.decode())))


def _maybe(spellings: pa.Array) -> Mask:
    data = spellings.buffers()[2]
    raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    if not ((raw == 0) | (raw == 0xC2) | (raw >= 0xEF)).any():
        return np.zeros(len(spellings), bool)
    return matching(spellings, _BYTES)
