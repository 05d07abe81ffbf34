"""What Spark reads of the files in force: one Parquet file per dataset and quarter.

A file per submission would be 209,000 of them in a country of 290 units: to list and open them costs more than the
work. They are made once and found again by the next build, until a submission of their quarter changes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contracts import load_contracts
from ingest.storing import stored_schema, write_whole


def write_sources(inputs: Path, folder: Path, cache: Path) -> dict[str, Path]:
    """Make the folders that Spark's source tables are read from.

    Args:
        inputs: the folder of `write_inputs`.
        folder: for the sources; an old one is replaced.
        cache: where compacted files are found again. What `inputs` does not list is removed from it.

    Returns:
        Table → its folder: each dataset, `submissions`, `clock`, `frozen`, and `frozen_<model>` of each frozen file.

    Raises:
        OSError, pyarrow.ArrowException: a file can't be read or written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    sources, used = {}, set()
    for (dataset, quarter), files in _listed(inputs).items():
        compacted = cache / f"{dataset}-{quarter or 'empty'}-{_digest(files.values())}.parquet"
        if not compacted.exists():
            _compact(list(files), stored_schema(load_contracts()[dataset]), compacted)
        used.add(compacted.name)
        sources[dataset] = _place(compacted, folder / dataset)
    for name in ("submissions", "clock", "frozen"):
        sources[name] = _place(inputs / f"{name}.parquet", folder / name)
    for row in pq.read_table(inputs / "frozen.parquet").to_pylist():
        name = f"frozen_{row['model']}"
        sources[name] = _place(Path(row["file"]), folder / name)
    for left in cache.iterdir():
        if left.name not in used:
            left.unlink()
    return sources


def _listed(inputs: Path) -> dict[tuple[str, str | None], dict[Path, str]]:
    """The files of each dataset and quarter, with their SHA-256."""
    listed: dict[tuple[str, str | None], dict[Path, str]] = {}
    for row in pq.read_table(inputs / "files.parquet").sort_by("place").to_pylist():
        listed.setdefault((row["dataset"], row["reporting_quarter"]), {})[Path(row["file"])] = row["sha256"]
    return listed


def _digest(checksums: Iterable[str]) -> str:
    """Of contents: files without a person, or under another key, have other checksums."""
    return sha256("\n".join(checksums).encode()).hexdigest()[:32]


def _compact(files: list[Path], schema: pa.Schema, target: Path) -> None:
    """Write the rows of files as one, by the columns of today's contract: those that a file lacks are null."""
    tables = []
    for path in files:
        table = pq.read_table(path)
        columns = [
            table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
            for field in schema
        ]
        tables.append(pa.table(columns, schema=schema))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables(tables), sink)
    write_whole(target, sink.getvalue().to_pybytes())


def _place(file: Path, folder: Path) -> Path:
    """A second name of a file, or a copy, in a folder of its own; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(file, folder / file.name)
    except OSError:  # no second names on this file system
        shutil.copyfile(file, folder / file.name)
    return folder
