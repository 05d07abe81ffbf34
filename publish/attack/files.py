"""What the released files say beside their figures: names, metadata, leftovers and sizes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FORBIDDEN_ENDINGS = ("__key", "__true")
FORBIDDEN = frozenset({"record_key", "case_key", "episode_key", "person_key", "key_sum"})
"""Columns of keys, and of what a deviation was added to."""
BLOCK = 1 << 20
SLACK = 4096
"""Bytes of a Parquet file that belong to no column and not to its footer."""
MOST_UNUSED = 0.2
"""The share of a DuckDB file that may be free blocks: what was deleted can still be read in them."""


@dataclass(frozen=True)
class FileFinding:
    """What a file gives away."""

    file: str
    what: str


def inspect(folder: Path, secrets: Iterable[bytes] = ()) -> tuple[FileFinding, ...]:
    """Look through every file of a release.

    Args:
        folder: the release as readers get it.
        secrets: byte strings that may be in no file: a sample of keys of records and persons.

    Returns:
        Findings in the order of the files; none is how it should be.
    """
    found: list[FileFinding] = []
    sought = tuple(secret for secret in secrets if secret)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        whats = _raw(path, sought)
        if path.suffix == ".parquet":
            whats += _parquet(path)
        elif path.suffix == ".duckdb":
            whats += _duckdb(path)
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                header = file.readline().strip().replace(";", ",").split(",")
            whats += _columns([column.strip('"') for column in header])
        found += [FileFinding(name, what) for what in whats]
    return tuple(found)


def _columns(names: Iterable[str]) -> list[str]:
    return [f"column {name}" for name in names if name.endswith(FORBIDDEN_ENDINGS) or name in FORBIDDEN]


def _raw(path: Path, secrets: tuple[bytes, ...]) -> list[str]:
    """Secrets in the bytes; of a workbook in those of its parts."""
    if not secrets:
        return []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            holds = False
            for name in archive.namelist():
                with archive.open(name) as part:
                    holds = holds or _holds(part, secrets)
    else:
        with path.open("rb") as file:
            holds = _holds(file, secrets)
    return ["a key of a record or person"] if holds else []


def _holds(file: IO[bytes], secrets: tuple[bytes, ...]) -> bool:
    """Also across the borders of what is read at a time."""
    overlap, tail = max(map(len, secrets)), b""
    while block := file.read(BLOCK):
        if any(secret in tail + block for secret in secrets):
            return True
        tail = (tail + block)[-overlap:]
    return False


def _parquet(path: Path) -> list[str]:
    file = pq.ParquetFile(path)
    whats = _columns(file.schema_arrow.names)
    if b"pandas" in (file.schema_arrow.metadata or {}):
        whats.append("metadata of pandas: the index that rows had before")
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    held = sum(column.total_compressed_size for column in columns) + metadata.serialized_size
    if path.stat().st_size - held > SLACK:
        whats.append(f"{path.stat().st_size - held} bytes that no column reads")
    table = file.read()
    for number, name in enumerate(table.column_names):
        column = table.column(number)
        for chunk in column.chunks:  # dictionaries may hold codes that no row has any more
            if pa.types.is_dictionary(chunk.type) and len(chunk.dictionary) > pc.count_distinct(chunk.indices).as_py():
                whats.append(f"unused codes of {name}")
                break
        statistics = [one.statistics for one in columns if one.path_in_schema == name and one.statistics is not None]
        largest = [one.max for one in statistics if one.has_min_max]
        if largest and pa.types.is_integer(column.type) and max(largest) != pc.max(column).as_py():
            whats.append(f"statistics of {name}")
    return whats


def _duckdb(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as con:
        columns = con.execute("select distinct column_name from duckdb_columns() where not internal").fetchall()
        _, _, _, total, _, free, *_ = con.execute("pragma database_size").fetchone() or (None,) * 8
    whats = _columns(sorted(name for (name,) in columns))
    if total and free and free > 1 and free / total > MOST_UNUSED:
        whats.append(f"{free} of {total} blocks are free: what was deleted can still be in them")
    return whats
