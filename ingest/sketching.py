"""A sketch of a file's rows: a few hashes that say how much two files have in common, without reading either again.

Of each row that says something its content is hashed (not the person, whose keys may change), and the smallest hashes
are kept: the share that two sketches have in common estimates the share of rows that the files have (bottom-k, Broder
1997). Files of up to KEPT different rows are held whole, so their share is exact. The same rows give the same sketch.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contracts import Column, Contract

KEPT = 256
"""Hashes kept; a share is then right to about three hundredths."""
FOOTER = b"followup.sketch"
"""Under which key a Parquet file's metadata holds the sketch of its rows."""
_IDENTIFIER_BITS, _DATE_BITS, _TEXT_BITS = 10.0, 7.0, 10.0
"""How much it says that two rows share a filled identifier, date or free text by chance."""
_MISSING = np.uint64(0x9E3779B97F4A7C15)
_U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Sketch:
    """What is kept of a file's rows.

    Attributes:
        rows: how many rows say something: they hold an identifier, a date, a text or a count above zero.
        digest: sum of their hashes modulo 2^64; equal for the same rows in any order.
        hashes: the smallest different hashes, ascending, at most KEPT.
        bits: for each of them how much it says that another file has the row too (log2 of one in how many by chance).
    """

    rows: int
    digest: int
    hashes: _U64
    bits: npt.NDArray[np.float32]

    @property
    def is_whole(self) -> bool:
        """Whether all different rows are kept."""
        return len(self.hashes) < KEPT

    def as_footer(self) -> dict[bytes, bytes]:
        """For a Parquet file's metadata."""
        packed = self.hashes.astype("<u8").tobytes() + self.bits.astype("<f4").tobytes()
        content = {"rows": self.rows, "digest": self.digest, "kept": base64.b64encode(packed).decode()}
        return {FOOTER: json.dumps(content).encode()}


def _from_footer(content: bytes) -> Sketch:
    found = json.loads(content)
    packed = base64.b64decode(found["kept"])
    kept = len(packed) // 12
    hashes = np.frombuffer(packed, "<u8", kept).astype(np.uint64)
    return Sketch(found["rows"], found["digest"], hashes, np.frombuffer(packed, "<f4", kept, 8 * kept))


def sketch_of(columns: Mapping[str, pa.Array | pa.ChunkedArray], contract: Contract) -> Sketch:
    """The sketch of rows as they are stored.

    Args:
        columns: the contract's stored columns; one that is missing counts as empty.
        contract: the dataset's.
    """
    rows = max((len(cells) for cells in columns.values()), default=0)
    numbers, bits = np.zeros(rows, np.uint64), np.zeros(rows, np.float32)
    for column in contract.stored_columns:
        cells = columns.get(column.name)
        if cells is None:
            cells = pa.nulls(rows, pa.string())
        if isinstance(cells, pa.ChunkedArray):
            cells = cells.combine_chunks()
        if isinstance(cells, pa.ChunkedArray):
            cells = pa.concat_arrays(cells.chunks)
        value, said = _hashed(cells, column, is_key=column.name in contract.row_key)
        numbers = _mixed(numbers * np.uint64(0x100000001B3) + value)
        bits += said
    says = bits > 0
    if not says.all():
        numbers, bits = numbers[says], bits[says]
    digest = int(numbers.sum(dtype=np.uint64))
    hashes, places = _smallest(numbers)
    return Sketch(len(numbers), digest, hashes, bits[places])


def _smallest(numbers: _U64) -> tuple[_U64, npt.NDArray[np.int64]]:
    """The smallest KEPT different numbers, ascending, and where each is found."""
    some = 8 * KEPT
    if len(numbers) > some:
        chosen = np.argpartition(numbers, some)[:some]
        found, first = np.unique(numbers[chosen], return_index=True)
        if len(found) >= KEPT:
            return found[:KEPT], chosen[first[:KEPT]]
    found, first = np.unique(numbers, return_index=True)
    return found[:KEPT], first[:KEPT]


def _mixed(numbers: _U64) -> _U64:
    """Spread over all bits (the finaliser of splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _hashed(cells: pa.Array, column: Column, *, is_key: bool) -> tuple[_U64, npt.NDArray[np.float32]]:
    """Hash and bits of evidence of each cell."""
    if column.type in ("integer", "date") and not pa.types.is_null(cells.type) and not pa.types.is_string(cells.type):
        plain = cells.cast(pa.int32())
        filled = plain.is_valid().to_numpy(zero_copy_only=False)
        values = plain.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        said = np.log2(1 + np.maximum(values, 0)) if column.type == "integer" else _DATE_BITS
        return np.where(filled, values.astype(np.uint64), _MISSING), np.where(filled, said, 0).astype(np.float32)
    encoded = cells if pa.types.is_dictionary(cells.type) else None
    texts = (encoded.dictionary if encoded is not None else cells).cast(pa.string())
    hashes = pd.util.hash_array(texts.fill_null("").to_numpy(zero_copy_only=False), categorize=False)
    place = encoded.indices if encoded is not None else None
    filled = (place if place is not None else texts).is_valid().to_numpy(zero_copy_only=False)
    if place is not None:
        hashes = np.append(hashes, _MISSING)[place.fill_null(len(hashes)).to_numpy(zero_copy_only=False)]
    by_type = {"identifier": _IDENTIFIER_BITS, "text": 0.0 if is_key else _TEXT_BITS}
    return np.where(filled, hashes, _MISSING), np.where(filled, by_type.get(column.type, 0), 0).astype(np.float32)


def sketched(rows: pa.Table, contract: Contract) -> pa.Table:
    """Stored rows with the sketch of them in the metadata, in place of an older one."""
    names = [column.name for column in contract.stored_columns if column.name in rows.column_names]
    return rows.replace_schema_metadata(sketch_of({name: rows[name] for name in names}, contract).as_footer())


def read_sketch(path: Path, contract: Contract) -> Sketch:
    """The sketch of a stored file: from its metadata, or from its rows where an older one has none.

    Raises:
        OSError, pyarrow.ArrowException: the file can't be read.
    """
    with pq.ParquetFile(path) as file:
        kept = (file.schema_arrow.metadata or {}).get(FOOTER)
        if kept is not None:
            return _from_footer(kept)
        known = set(file.schema_arrow.names)
        wanted = [column.name for column in contract.stored_columns if column.name in known]
        rows = file.read(columns=wanted)
    return sketch_of({name: rows[name] for name in wanted}, contract)
