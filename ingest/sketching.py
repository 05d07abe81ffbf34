"""Sketches: a few hashes of a file's rows, which say how much two files have in common without reading them again.

The content of each informative row is hashed, without the person, whose keys may change. The smallest hashes are the
sketch: the share that two sketches have in common estimates the share of rows that the files have in common (bottom-k,
Broder 1997). A file of at most MOST_HASHES different rows is held whole, so its share is exact. The same rows give the
same sketch.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contracts import Column, Contract
from ingest.sentinels import AMBIGUOUS, DATE_BAD, DATE_EMPTY, EMPTY

MOST_HASHES = 256
"""Hashes in a sketch; a share is then right to about three hundredths."""
FOOTER = b"followup.sketch"
"""Under which key a Parquet file's metadata holds the sketch of its rows."""
_BITS = {"date": 7.0, "identifier": 10.0, "text": 10.0}
"""Bits of evidence when two rows share a filled cell; a count gives log2(1 + count), a code none."""
_CANDIDATES = 8 * MOST_HASHES
_LOW = np.uint64(2**24 - 1)
"""Bits of a row's hash that come from its identifiers and texts; the others from its dates, counts and codes."""
_U64 = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.signedinteger]


@dataclass(frozen=True)
class SketchColumn:
    """A column: whole numbers, days since 1970 or positions in `texts`, with sentinels where it is empty."""

    values: npt.NDArray[np.signedinteger]
    texts: Sequence[str] | pa.Array | None = None


@dataclass(frozen=True)
class Sketch:
    """What a sketch holds of a file's rows.

    Attributes:
        rows: how many rows say something: they hold an identifier, a date, a text or a count above zero.
        digest: sum over them of a hash of dates, counts and codes modulo 2^64; equal for the same rows in any order.
        hashes: the smallest different hashes, ascending, at most MOST_HASHES.
        bits: for each of them how much it says that another file has the row too (log2 of one in how many by chance).
    """

    rows: int
    digest: int
    hashes: _U64
    bits: npt.NDArray[np.float32]

    @property
    def is_whole(self) -> bool:
        """Whether the sketch holds all different rows."""
        return len(self.hashes) < MOST_HASHES

    def as_footer(self) -> dict[bytes, bytes]:
        """For a Parquet file's metadata."""
        packed = self.hashes.astype("<u8").tobytes() + self.bits.astype("<f4").tobytes()
        content = {"rows": self.rows, "digest": self.digest, "kept": base64.b64encode(packed).decode()}
        return {FOOTER: json.dumps(content).encode()}


def _from_footer(content: bytes) -> Sketch:
    found = json.loads(content)
    packed = base64.b64decode(found["kept"])
    count = len(packed) // 12
    hashes = np.frombuffer(packed, "<u8", count).astype(np.uint64)
    return Sketch(found["rows"], found["digest"], hashes, np.frombuffer(packed, "<f4", count, 8 * count))


def sketch_of(columns: Mapping[str, SketchColumn], contract: Contract) -> Sketch:
    """The sketch of rows as they are stored.

    Identifiers and texts, slow to hash, are hashed only in the rows whose other columns hash low; which rows these are
    follows from what they hold, so equal rows are chosen in every file.

    Args:
        columns: the contract's stored columns; one that is missing counts as empty.
        contract: the dataset's.
    """
    rows = max((len(cells.values) for cells in columns.values()), default=0)
    use = np.flatnonzero(_informative_rows(columns, contract, rows))
    saying = len(use)
    high = np.zeros(rows, np.uint64)
    multipliers = np.random.default_rng(0).integers(1, 2**64, len(contract.compared_columns), dtype=np.uint64)
    slow = [c for c in contract.compared_columns if c.type in ("identifier", "text")]
    for column, multiplier in zip(contract.compared_columns, multipliers, strict=True):
        cells = columns.get(column.name)
        if cells is None or not len(cells.values) or column in slow:
            continue
        if cells.texts is None:
            high += cells.values.astype(np.uint64) * multiplier
        else:
            high += (_hashes(cells.texts) * multiplier)[cells.values]
    high = _mixed(high if saying == rows else high[use])
    digest = int(high.sum(dtype=np.uint64))
    high &= ~_LOW
    if len(high) > _CANDIDATES:
        chosen = np.flatnonzero(high <= np.partition(high, _CANDIDATES)[_CANDIDATES])
        high, use = high[chosen], use[chosen]
    low = np.zeros(len(use), np.uint64)
    for place, column in enumerate(slow, start=1):
        cells = columns.get(column.name)
        if cells is not None:
            low = low * np.uint64(2 * place + 1) + _hashes_at(cells, use)
    hashes, first = np.unique(high | (_mixed(low) & _LOW), return_index=True)
    chosen = use[first[:MOST_HASHES]]
    return Sketch(saying, digest, hashes[:MOST_HASHES], _bits(columns, contract, chosen))


def _informative_rows(columns: Mapping[str, SketchColumn], contract: Contract, rows: int) -> npt.NDArray[np.bool_]:
    """Rows with an identifier, a date, a text or a count above zero: other rows do not distinguish files."""
    says = np.zeros(rows, dtype=bool)
    for column in contract.compared_columns:
        cells = columns.get(column.name)
        if cells is not None and _is_informative(column, contract) and not says.all():
            says |= cells.values > 0 if column.type == "integer" else cells.values > _EMPTY[column.type]
    return says


_EMPTY = {"date": DATE_BAD, "identifier": EMPTY, "text": EMPTY}


def _is_informative(column: Column, contract: Contract) -> bool:
    return column.type in ("integer", "date", "identifier") or (
        column.type == "text" and column.name not in contract.row_key
    )


def _bits(columns: Mapping[str, SketchColumn], contract: Contract, places: IntArray) -> npt.NDArray[np.float32]:
    """Evidence of these rows."""
    bits = np.zeros(len(places), np.float32)
    for column in contract.compared_columns:
        cells = columns.get(column.name)
        if cells is None or not len(cells.values) or not _is_informative(column, contract):
            continue
        values = cells.values[places]
        if column.type == "integer":
            bits += np.log2(1 + np.maximum(values, 0))
        else:
            bits += np.where(values > _EMPTY[column.type], _BITS[column.type], 0)
    return bits


def _mixed(numbers: _U64) -> _U64:
    """Spread numbers over all bits (the finaliser of splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _U64 = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _hashes(texts: Sequence[str] | pa.Array) -> _U64:
    """Hashes of texts, and after them one for every sentinel: these are negative positions."""
    plain = texts.to_pylist() if isinstance(texts, pa.Array) else list(texts)
    found: _U64 = pd.util.hash_array(np.array(plain, dtype=object), categorize=False)
    return np.append(found, np.zeros(-AMBIGUOUS, np.uint64))


def _hashes_at(cells: SketchColumn, places: IntArray) -> _U64:
    """Hashes of the texts in these rows."""
    assert cells.texts is not None
    values, position = np.unique(cells.values[places], return_inverse=True)
    filled = values[values > EMPTY]
    texts = (
        cells.texts.take(pa.array(filled)) if isinstance(cells.texts, pa.Array) else [cells.texts[i] for i in filled]
    )
    hashes = _hashes(texts)
    return np.concatenate([np.zeros(len(values) - len(filled), np.uint64), hashes[: len(filled)]])[position]


def _cells(column: Column, stored: pa.ChunkedArray) -> SketchColumn:
    """A stored column's cells."""
    plain = stored.combine_chunks()
    if isinstance(plain, pa.ChunkedArray):
        plain = pa.concat_arrays(plain.chunks)
    if column.type == "integer":
        return SketchColumn(plain.fill_null(EMPTY).to_numpy(zero_copy_only=False))
    if column.type == "date":
        return SketchColumn(plain.cast(pa.int32()).fill_null(DATE_EMPTY).to_numpy(zero_copy_only=False))
    encoded = plain if pa.types.is_dictionary(plain.type) else plain.cast(pa.string()).dictionary_encode()
    return SketchColumn(
        encoded.indices.fill_null(EMPTY).to_numpy(zero_copy_only=False), encoded.dictionary.cast(pa.string())
    )


def _stored_cells(rows: pa.Table, contract: Contract) -> dict[str, SketchColumn]:
    known = [column for column in contract.compared_columns if column.name in rows.column_names]
    return {column.name: _cells(column, rows[column.name]) for column in known}


def with_sketch(rows: pa.Table, contract: Contract) -> pa.Table:
    """Stored rows with the sketch of them in the metadata, in place of an older one."""
    return rows.replace_schema_metadata(sketch_of(_stored_cells(rows, contract), contract).as_footer())


def read_sketch(source: Path | pa.BufferReader, contract: Contract) -> Sketch:
    """The sketch of a stored file, or of its content: from its metadata, or from its rows where an older one has none.

    Raises:
        OSError, pyarrow.ArrowException: the file can't be read.
    """
    with pq.ParquetFile(source) as file:
        footer = (file.schema_arrow.metadata or {}).get(FOOTER)
        if footer is not None:
            return _from_footer(footer)
        known = set(file.schema_arrow.names)
        wanted = [column.name for column in contract.compared_columns if column.name in known]
        rows = file.read(columns=wanted)
    return sketch_of(_stored_cells(rows, contract), contract)
