"""Opening the private warehouse, and saying in one way what is wrong with it, whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np

from ingest.failures import DAMAGED, DANGLING, FULL, IS_FOLDER, StorageFailure, cause_of, path_of, place_of, sentence
from ingest.settings import Settings

REMEDY = "run `followup build --force`, which makes it anew"
_MADE_ANEW = (DAMAGED, DANGLING, IS_FOLDER)
_HEADER_BYTES, _PAGE_BYTES, _PAGES_AT_ONCE = 3 * 4096, 1 << 18, 64
_FIRST, _FACTOR = np.uint64(5381), np.uint64(0xBF58476D1CE4E5B9)
"""A page of a DuckDB file begins with its checksum: the first number, by exclusive or with each of its words times the
factor, modulo 2^64 (duckdb 1.5, src/common/checksum.cpp)."""


class WarehouseFailed(StorageFailure):
    """The warehouse is there and can't be read; the message says why and what to do."""


@contextmanager
def reading_warehouse(path: Path) -> Iterator[None]:
    """What DuckDB says of the warehouse in the block is raised in words.

    Raises:
        WarehouseFailed: it is damaged, held by a writer, out of reach. DuckDB's errors of a query or another file pass.
    """
    try:
        yield
    except duckdb.Error as error:
        cause = cause_of(error)
        if cause is None and isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
            cause = DAMAGED
        named = path_of(error)
        is_of_another = named is not None and named.absolute() != path.absolute()
        if cause is None or cause is FULL or is_of_another:  # it is only read: something else is written in the block
            raise
        place = place_of(path, Settings())
        raise WarehouseFailed(
            sentence(cause, f"the warehouse {place}", REMEDY if cause in _MADE_ANEW else None)
        ) from None


@contextmanager
def open_warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads a warehouse file.

    Raises:
        WarehouseFailed: as `reading_warehouse`.
    """
    with reading_warehouse(path), duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def require_whole(path: Path) -> None:
    """Compare every page of a warehouse with its checksum.

    DuckDB does so for a page that holds one large column, but not for one that several small columns share: it gives
    back other values then.

    Raises:
        WarehouseFailed: it can't be opened, or a page is not as it was written.
    """
    with open_warehouse(path) as connection:
        (unused,) = connection.execute("select free_blocks from pragma_database_size()").fetchone() or (0,)
    empty, is_damaged = 0, False
    with path.open("rb") as file:
        file.seek(_HEADER_BYTES)
        while content := file.read(_PAGES_AT_ONCE * _PAGE_BYTES):
            pages = np.frombuffer(content, np.uint64, len(content) // _PAGE_BYTES * _PAGE_BYTES // 8)
            pages = pages.reshape(-1, _PAGE_BYTES // 8)
            sums = _FIRST ^ np.bitwise_xor.reduce(pages[:, 1:] * _FACTOR, axis=1)
            wrong = np.flatnonzero(sums != pages[:, 0])
            blank = sum(not pages[page].any() for page in wrong.tolist())
            empty += blank
            is_damaged |= blank < len(wrong)
    if is_damaged or empty > unused:  # a page that was never used is nothing but noughts
        raise WarehouseFailed(sentence(DAMAGED, f"the warehouse {place_of(path, Settings())}", REMEDY))


def require_openable(path: Path) -> None:
    """Read the list of its marts, which a file that is cut off or no database does not give.

    Raises:
        WarehouseFailed: it can't be read.
    """
    with open_warehouse(path) as connection:
        connection.execute("select count(*) from duckdb_tables() where schema_name = 'marts'").fetchone()


def is_damaged(path: Path) -> bool:
    """Whether a warehouse file can't be read and is to be made anew; one that is held by another process is not."""
    try:
        require_openable(path)
    except WarehouseFailed as failed:
        return str(failed).endswith(REMEDY)
    return False
