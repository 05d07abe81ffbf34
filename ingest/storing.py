"""Storing: writing files whole, and accepted rows as Parquet. The ledger decides which files count."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.conforming import ConformedTable
from ingest.contracts import Column, Contract
from ingest.failures import StorageFailure
from ingest.ledger import Submission
from ingest.sentinels import DATE_BAD
from ingest.sketching import Sketch, SketchColumn, sketch_of

if TYPE_CHECKING:
    from ingest.row_files import RowFiles  # which writes files by this module

_UNFINISHED = ".tmp"


class DamagedRows(StorageFailure):
    """The stored rows of a submission are missing or damaged; the message names it, its file and the command to run."""


def write_whole(path: Path, *parts: bytes | pa.Buffer) -> None:
    """Put a file in place whole: temporary name, fsync, rename. Killed at any instant, the old or none is there.

    One writer at a time for a path (the caller holds a lease); `remove_unfinished` removes what a killed one left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        with temporary.open("wb") as handle:
            for part in parts:
                handle.write(part)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None:  # a write that failed does not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_new(path: Path, content: bytes) -> None:
    """Put a file in place whole where none is yet.

    Raises:
        FileExistsError: one is there; it is left as it is.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        write_whole(beside, content)
        try:
            path.hardlink_to(beside)  # fails where a file has been made meanwhile
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            beside.replace(path)  # a disk without hard links
    except OSError as error:
        if not isinstance(error, FileExistsError):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        beside.unlink(missing_ok=True)


def remove_unfinished(folders: Iterable[Path]) -> None:
    """Remove the temporary files that killed writers left in these folders."""
    for folder in folders:
        for leftover in folder.glob(f".*{_UNFINISHED}"):
            leftover.unlink(missing_ok=True)


@dataclass(frozen=True)
class Provenance:
    """What every stored row says about where it came from."""

    submission_id: str
    district_code: str
    reporting_quarter: str
    source_file_sha256: str
    submitted_at: datetime
    """UTC, without zone."""


_PROVENANCE = [
    ("submission_id", pa.string()),
    ("district_code", pa.string()),
    ("reporting_quarter", pa.string()),
    ("source_file_sha256", pa.string()),
    ("submitted_at", pa.timestamp("us")),
    ("source_row_number", pa.int32()),
]
_PERSON = [
    ("person_key", pa.string()),
    ("match_person_key", pa.string()),
    ("is_linkable", pa.bool_()),
    ("birth_date", pa.date32()),
    ("is_birth_date_exact", pa.bool_()),
    ("id_typ", pa.string()),
]
_KINDS = {"date": pa.date32(), "integer": pa.int32()}


def stored_schema(contract: Contract) -> pa.Schema:
    """Names and types of a dataset's stored rows."""
    person = _PERSON if contract.about_persons else []
    own = [(column.name, _KINDS.get(column.type, pa.string())) for column in contract.stored_columns]
    return pa.schema([*_PROVENANCE, *person, *own])


def empty_table(contract: Contract) -> pa.Table:
    """No rows, typed: what a dataset looks like before anything is in force."""
    return stored_schema(contract).empty_table()


def texts_at(position: npt.NDArray[np.signedinteger], texts: pa.Array | list[str]) -> pa.Array:
    """Texts by position; negative positions are null. Plain text where few repeat: a dictionary would be as long."""
    values = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    if not len(values):
        return pa.nulls(len(position), pa.string())
    index = pa.array(position.astype(np.int32), mask=position < 0)
    return values.take(index) if 2 * len(values) > len(index) else pa.DictionaryArray.from_arrays(index, values)


def _dates(days: npt.NDArray[np.signedinteger]) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=days <= DATE_BAD).view(pa.date32())


def _stored(column: Column, table: ConformedTable) -> pa.Array:
    values = table.values[column.name]
    if column.type == "date":
        return _dates(values)
    if column.type == "integer":
        return pa.array(values.astype(np.int32), mask=values < 0)
    if column.type in ("identifier", "text"):
        return texts_at(values, table.texts[column.name])
    codes = table.codes[column.name].codes
    return texts_at(values, _code_set_texts(column, table) if column.type == "code_list" else list(codes))


def _code_set_texts(column: Column, table: ConformedTable) -> list[str]:
    codes = table.codes[column.name].codes
    return ["|".join(sorted(codes[i] for i in chosen)) for chosen in table.code_sets[column.name]]


def sketch_of_table(table: ConformedTable, contract: Contract) -> Sketch:
    """The sketch of a file's rows as they are stored."""
    cells = {}
    for column in contract.stored_columns:
        texts: pa.Array | list[str] | None = None
        if column.type in ("identifier", "text"):
            texts = table.texts[column.name]
        elif column.type == "code_list":
            texts = _code_set_texts(column, table)
        elif column.type == "code":
            texts = list(table.codes[column.name].codes)
        cells[column.name] = SketchColumn(table.values[column.name], texts)
    return sketch_of(cells, contract)


def rows_to_store(table: ConformedTable, contract: Contract, provenance: Provenance) -> pa.Table:
    """Accepted rows as they are stored: canonical codes, dates, keys instead of persons, and where they came from.

    The sketch of the rows is in the metadata: a Parquet file's footer holds it.
    """
    count = table.rows

    def constant(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))

    columns: list[pa.Array] = [
        constant(provenance.submission_id),
        constant(provenance.district_code),
        constant(provenance.reporting_quarter),
        constant(provenance.source_file_sha256),
        pa.array(np.full(count, np.datetime64(provenance.submitted_at, "us"))),
        pa.array(table.row_numbers),
    ]
    if contract.about_persons:
        person = table.values["person"]
        linkable = np.r_[table.linkable, False][person]
        birth = table.values["birth"]
        columns += [
            texts_at(person, table.person_keys),
            texts_at(person, table.match_keys),
            pa.array(linkable),
            _dates(birth),
            pa.array(table.values["birth_exact"].astype(bool)),
            texts_at(table.values["id_typ"], list(table.codes["id_typ"].codes)),
        ]
    columns += [_stored(column, table) for column in contract.stored_columns]
    sketch = table.sketch or sketch_of_table(table, contract)
    return pa.table(columns, names=stored_schema(contract).names, metadata=sketch.as_footer())


def as_parquet(rows: pa.Table) -> pa.Buffer:
    """Rows as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", compression_level=1)
    return sink.getvalue()


def write_rows(path: Path, rows: pa.Table) -> str:
    """Put rows in place as one Parquet file.

    Returns:
        The file's SHA-256, hexadecimal.
    """
    content = as_parquet(rows)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def store_rows(files: RowFiles, name: str, rows: pa.Table) -> str:
    """Put the rows of a submission in place under a name; returns the file's SHA-256, hexadecimal.

    Raises:
        StorageFailure, OSError: they can't be written.
    """
    content = as_parquet(rows)
    files.write(name, content)
    return hashlib.sha256(content).hexdigest()


def stored_content(files: RowFiles, found: Submission, *, is_as_stored: bool = True) -> bytes:
    """The bytes of the file with the rows of an accepted submission.

    Args:
        files: where rows are.
        found: whose.
        is_as_stored: whether the file must be byte for byte what the ledger says; changed ones may be readable too.

    Raises:
        DamagedRows: its file is missing or is not what was stored.
        StorageFailure, OSError: the place of the rows, the disk or its rights are at fault.
    """
    name = found.parquet_path or ""
    try:
        content = files.read(name)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise damaged_rows(files, found) from None
    except OSError as error:
        error.filename = error.filename or str(files.local(name) or name)
        raise
    if is_as_stored and hashlib.sha256(content).hexdigest() != found.parquet_sha256:
        raise damaged_rows(files, found)
    return content


def read_rows(
    files: RowFiles, found: Submission, columns: list[str] | None = None, *, is_as_stored: bool = True
) -> pa.Table:
    """The stored rows of an accepted submission; of all columns or only these.

    Raises:
        DamagedRows: its file is missing, is not what was stored, or can't be read.
        StorageFailure, OSError: as `stored_content`.
    """
    content = stored_content(files, found, is_as_stored=is_as_stored)
    try:
        return pq.read_table(pa.BufferReader(content), columns=columns)
    except (OSError, pa.ArrowException):
        raise damaged_rows(files, found) from None


def damaged_rows(files: RowFiles, found: Submission) -> DamagedRows:
    """The error for a submission whose rows are missing or damaged."""
    state = "damaged" if files.is_there(found.parquet_path or "") else "missing"
    return DamagedRows(
        f"the rows of submission {found.submission_id} ({found.district_code} {found.dataset} "
        f"{found.reporting_quarter}) are {state}: {found.parquet_path} {files.shown}; "
        f"`followup restore-rows {found.submission_id}` stores them again from the original"
    )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal; read piece by piece."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def not_as_stored(files: RowFiles, submissions: Collection[Submission]) -> list[Submission]:
    """Those of accepted submissions whose files of rows are missing or are not what was stored.

    Raises:
        StorageFailure, OSError: as `has_rows_as_stored`.
    """
    with ThreadPoolExecutor(files.at_once) as threads:
        are_right = threads.map(lambda found: has_rows_as_stored(files, found), submissions)
        return [found for found, is_right in zip(submissions, are_right, strict=True) if not is_right]


def has_rows_as_stored(files: RowFiles, found: Submission) -> bool:
    """Whether the file of an accepted submission's rows is there, byte for byte as it was stored.

    Raises:
        StorageFailure, OSError: the place of the rows, the disk or its rights are at fault.
    """
    name = found.parquet_path or ""
    path = files.local(name)
    try:
        actual = sha256_of(path) if path is not None else hashlib.sha256(files.read(name)).hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False
    return actual == found.parquet_sha256
