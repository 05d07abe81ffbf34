"""Columns of cells as bytes, looked at by spelling: each distinct one once where a column is dictionary-encoded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Spelling = Callable[[bytes], bool]


def rows_where(column: pa.ChunkedArray, candidates: Callable[[pa.Array], Mask], holds: Spelling) -> Mask:
    """Which rows hold a spelling of a kind.

    Args:
        column: cells as bytes, dictionary-encoded or not.
        candidates: of an array of bytes, which come into question; quick.
        holds: whether one of those is of the kind; exact.
    """
    parts = [np.empty(0, bool)]
    memo: dict[bytes, bool] = {}
    for chunk in column.chunks:
        is_listed = pa.types.is_dictionary(column.type)
        spellings = chunk.dictionary if is_listed else chunk
        found = np.zeros(len(spellings) + 1, bool)
        for place in np.flatnonzero(candidates(spellings)).tolist():
            cell = spellings[place].as_py()
            if cell is None:
                continue
            if cell not in memo:
                memo[cell] = holds(cell)
            found[place] = memo[cell]
        if is_listed and found.any():
            parts.append(found[chunk.indices.fill_null(len(spellings)).to_numpy(zero_copy_only=False)])
        else:
            parts.append(found[:-1] if not is_listed else np.zeros(len(chunk), bool))
    return np.concatenate(parts)


def respelt(
    column: pa.ChunkedArray, candidates: Callable[[pa.Array], Mask], new: Callable[[bytes], bytes]
) -> pa.ChunkedArray:
    """A column whose candidates are spelt anew; the same column where nothing changes."""
    is_listed = pa.types.is_dictionary(column.type)
    chunks, is_changed = [], False
    for chunk in column.chunks:
        spellings = chunk.dictionary if is_listed else chunk
        places = np.flatnonzero(candidates(spellings)).tolist()
        cells = {place: spellings[place].as_py() for place in places}
        changed = {place: other for place, cell in cells.items() if cell is not None and (other := new(cell)) != cell}
        if changed:
            is_changed = True
            whole = spellings.to_pylist()
            for place, other in changed.items():
                whole[place] = other
            spellings = pa.array(whole, pa.binary())
            chunk = pa.DictionaryArray.from_arrays(chunk.indices, spellings) if is_listed else spellings
        chunks.append(chunk)
    return pa.chunked_array(chunks, column.type) if is_changed else column


def holds_byte(cells: pa.Array, byte: int) -> bool:
    """Whether a byte occurs anywhere in the cells' buffer: much quicker than looking at each."""
    data = cells.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == byte).any())


def lengths(cells: pa.Array) -> npt.NDArray[np.int32]:
    """Bytes of each cell; 0 where it is empty."""
    found: npt.NDArray[np.int32] = pc.binary_length(cells).fill_null(0).to_numpy(zero_copy_only=False)
    return found
