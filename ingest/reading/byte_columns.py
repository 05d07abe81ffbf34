"""Columns of cells as bytes, searched and changed by spelling: once per distinct spelling where it is encoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Candidates = Callable[[pa.Array], Mask]
"""Which cells of an array are worth a look: quick, and never without a cell that should be looked at."""


class ByteColumn:
    """A column of cells as bytes, with its distinct spellings."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Gather the spellings."""
        self.column = column
        self._is_listed = pa.types.is_dictionary(column.type)
        if self._is_listed:
            found: set[bytes | None] = set()
            for chunk in column.chunks:
                found.update(chunk.dictionary.to_pylist())
            self._spellings = [pa.array(found - {None}, pa.binary())]
        else:
            self._spellings = list(column.chunks)

    def __getitem__(self, row: int) -> bytes:
        """The cell at a position; empty where there is none."""
        return bytes(self.column[row].as_py() or b"")

    def rows_holding(self, candidates: Candidates, holds: Callable[[bytes], bool]) -> Mask:
        """Which rows hold a spelling of a kind; `holds` decides about each candidate."""
        parts, is_any = [np.empty(0, bool)], False
        for spellings in self._spellings:
            found = np.zeros(len(spellings), bool)
            for place in np.flatnonzero(candidates(spellings)).tolist():
                cell = spellings[place].as_py()
                found[place] = cell is not None and holds(cell)
            is_any = is_any or bool(found.any())
            parts.append(found)
        if not is_any:
            return np.zeros(len(self.column), bool)
        if not self._is_listed:
            return np.concatenate(parts)
        wanted = self._spellings[0].filter(pa.array(parts[1]))
        rows: Mask = pc.is_in(self.column.cast(pa.binary()), value_set=wanted).to_numpy()
        return rows

    def respelled(self, candidates: Candidates, new: Callable[[bytes], bytes]) -> ByteColumn:
        """The column with candidates respelled; itself where nothing changes."""
        if not any(candidates(spellings).any() for spellings in self._spellings):
            return self
        chunks, is_changed = [], False
        for chunk in self.column.chunks:
            spellings = chunk.dictionary if self._is_listed else chunk
            cells = spellings.to_pylist()
            for place in np.flatnonzero(candidates(spellings)).tolist():
                other = new(cells[place])
                is_changed = is_changed or other != cells[place]
                cells[place] = other
            changed = pa.array(cells, pa.binary())
            chunks.append(pa.DictionaryArray.from_arrays(chunk.indices, changed) if self._is_listed else changed)
        return ByteColumn(pa.chunked_array(chunks, self.column.type)) if is_changed else self


_FEW, _FEW_BYTES = 256, 1 << 16


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("latin-1"))


def matching(cells: pa.Array | pa.ChunkedArray, pattern: str) -> Mask:
    """In which cells, bytes, a pattern of bytes is found; in none that is null.

    Few cells are searched one by one: pyarrow makes ready a pattern anew at each call, which takes longer than the
    search. The pattern must mean the same to `re` and to RE2, but for what is a blank: to both it is one in ASCII.
    """
    if len(cells) <= _FEW and cells.nbytes <= _FEW_BYTES:
        search = _compiled(pattern).search
        return np.fromiter((cell is not None and search(cell) is not None for cell in cells.to_pylist()), bool)
    found: Mask = pc.match_substring_regex(cells, pattern).fill_null(False).to_numpy(zero_copy_only=False)
    return found


def holds_byte(cells: pa.Array, byte: int) -> bool:
    """Whether a byte occurs anywhere in the cells' buffer: much quicker than looking at each."""
    data = cells.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == byte).any())


def is_without_letters(cells: pa.Array) -> bool:
    """Whether the cells' buffer holds only digits, blanks and signs such as `-/.,`: no letter, no `%&<_`, only ASCII.

    Identifiers of a large file often do; then no pattern of words need be sought in them.
    """
    data = cells.buffers()[2]
    if data is None:
        return True
    raw = np.frombuffer(data, np.uint8)
    return not bool(((raw > ord("9")) | (raw == ord("%")) | (raw == ord("&"))).any())


def lengths(cells: pa.Array) -> npt.NDArray[np.int32]:
    """Bytes of each cell; 0 where it is empty."""
    found: npt.NDArray[np.int32] = pc.binary_length(cells).fill_null(0).to_numpy(zero_copy_only=False)
    return found
