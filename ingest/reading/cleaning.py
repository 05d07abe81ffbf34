"""Cleaning cells: remove invisible characters from every column, and make queries about garbled free text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.characters import garbled, visible
from ingest.contracts import Contract
from ingest.findings import Finding, count_with_noun, file_finding
from ingest.reading.byte_columns import matching
from ingest.reading.spreadsheet_marks import LISTED

_PLAIN = r"[^ -<>-~]"
"""A byte that no plain cell has: control characters, `=`, and everything beyond ASCII."""
_MAYBE_GARBLED = r"[^ -~]|[?{}&\\%=]|_x"
_SWEDISH = "åäöÅÄÖ"


def cleaned(table: pa.Table, contract: Contract, encoding: str) -> pa.Table:
    """A table whose cells hold nothing invisible (see `characters.visible`); each distinct spelling is looked at once.

    Args:
        table: cells as bytes; columns are named after the contract's, or `?n` for the n-th when it is none.
        contract: says in which columns a hard space is made a plain one: free text. In a code it is as good as one when
            it is read (`folding.fold`), and stays for a message that names it.
        encoding: of the bytes; the cells that are given back have it too.
    """
    not_text = {column.name for column in contract.columns if column.type != "text"}
    columns = [
        _cleaned(column, _cleaner(encoding, keep_spaces=name in not_text))
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, names=table.column_names)


def _cleaner(encoding: str, *, keep_spaces: bool) -> Callable[[bytes], bytes]:
    @lru_cache(maxsize=65_536)
    def clean(cell: bytes) -> bytes:
        text = cell.decode(encoding)
        return visible(text, keep_spaces=keep_spaces).encode(encoding)

    return clean


def _is_plain(cells: pa.Array) -> bool:
    """Whether no byte of the cells' buffer is odd: by far most columns."""
    data = cells.buffers()[2]
    if data is None:
        return True
    raw = np.frombuffer(data, np.uint8)
    return not bool(((raw < 0x20) | (raw > 0x7E) | (raw == 0x3D)).any())


def _cleaned(column: pa.ChunkedArray, clean: Callable[[bytes], bytes]) -> pa.ChunkedArray:
    is_listed = pa.types.is_dictionary(column.type)
    if all(_is_plain(chunk.dictionary if is_listed else chunk) for chunk in column.chunks):
        return column
    return pa.chunked_array(
        [_cleaned_list(chunk, clean) if is_listed else _cleaned_cells(chunk, clean) for chunk in column.chunks],
        column.type,
    )


def _cleaned_list(chunk: pa.DictionaryArray, clean: Callable[[bytes], bytes]) -> pa.DictionaryArray:
    if _is_plain(chunk.dictionary):
        return chunk
    spellings = chunk.dictionary.to_pylist()
    changed = [clean(cell) for cell in spellings]
    if changed == spellings:
        return chunk
    return pa.DictionaryArray.from_arrays(chunk.indices, pa.array(changed, pa.binary()))


def _cleaned_cells(chunk: pa.Array, clean: Callable[[bytes], bytes]) -> pa.Array:
    is_odd = pa.array(matching(chunk, _PLAIN))
    if not pc.any(is_odd).as_py():
        return chunk
    changed = pa.array([clean(cell) for cell in chunk.filter(is_odd).to_pylist()], pa.binary())
    return pc.replace_with_mask(chunk, is_odd, changed)


def garbled_texts(
    columns: dict[str, pa.ChunkedArray],
    contract: Contract,
    encoding: str,
    numbers: npt.NDArray[np.int32],
    headers: Sequence[str],
) -> list[Finding]:
    """A query for each row with garbled free text. Codes, dates and numbers that are garbled are errors of their own.

    Args:
        columns: contract column → cells as bytes, cleaned.
        contract: the dataset's.
        encoding: of the cells.
        numbers: each row as Excel numbers it.
        headers: as they are written; they and the cells show whether the file has å, ä or ö at all.
    """
    found: list[Finding] = []
    for column in contract.columns:
        if column.type != "text" or column.name not in columns:
            continue
        cells = columns[column.name].cast(pa.binary())
        maybe = pc.unique(cells.filter(pa.array(matching(cells, _MAYBE_GARBLED))))
        if not len(maybe):
            continue
        has_swedish = _has_swedish(columns.values(), encoding, headers)
        said = {}
        for cell in maybe.to_pylist():
            garbling = garbled(cell.decode(encoding), has_swedish=has_swedish)
            if garbling is not None:
                said[cell] = garbling.in_words
        if not said:
            continue
        hits = np.flatnonzero(pc.is_in(cells, value_set=pa.array(list(said), pa.binary())).to_numpy())
        for place in hits[:LISTED].tolist():
            what, row = said[cells[place].as_py()], int(numbers[place])
            found.append(file_finding("FIL-069", row=row, column=column.name, header=column.label_sv, what=what))
        if len(hits) > LISTED:
            more = f"samma slags fel på {count_with_noun(len(hits) - LISTED, 'rad', 'rader')} till"
            found.append(file_finding("FIL-069", column=column.name, header=column.label_sv, what=more))
    return found


def _has_swedish(columns: Iterable[pa.ChunkedArray], encoding: str, headers: Sequence[str]) -> bool:
    """Whether the file has å, ä or ö somewhere."""
    if any(letter in header for header in headers for letter in _SWEDISH):
        return True
    letters = [letter.encode(encoding, "ignore") for letter in _SWEDISH]
    for column in columns:
        for chunk in column.chunks:
            cells = chunk.dictionary if pa.types.is_dictionary(column.type) else chunk
            data = cells.buffers()[2]
            if data is not None and any(letter and letter in data.to_pybytes() for letter in letters):
                return True
    return False
