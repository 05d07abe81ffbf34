"""Opening the private warehouse, and saying in one way what is wrong with it, whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.failures import (
    DAMAGED,
    DANGLING,
    FULL,
    IS_FOLDER,
    MISSING,
    StorageFailure,
    cause_of,
    path_of,
    place_of,
    sentence,
)
from ingest.settings import Settings

PARQUET_FOLDER = "marts"
"""Beside a warehouse file that is views: the Parquet files that Spark built are in it."""
REMEDY = "run `followup build --force`, which makes it anew"
_MADE_ANEW = (DAMAGED, DANGLING, IS_FOLDER)


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
        if cause is MISSING and path.exists():  # the Parquet files that it is views of
            cause = DAMAGED
        named = path_of(error)
        parts = path.absolute().parent / PARQUET_FOLDER
        is_of_it = named is None or named.absolute() == path.absolute() or named.absolute().is_relative_to(parts)
        if cause is None or cause is FULL or not is_of_it:  # it is only read: something else is written in the block
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


def marts_in(connection: duckdb.DuckDBPyConnection, database: str | None = None) -> list[str]:
    """Names of the marts of a warehouse, in alphabetical order: tables that DuckDB built, or views over Spark's files.

    Args:
        connection: has the warehouse open.
        database: the name that the warehouse is attached as; None for the one that is open.
    """
    found = connection.execute(
        "select distinct table_name from duckdb_columns() where schema_name = 'marts' "
        "and database_name = coalesce(?, current_database()) order by 1",
        [database],
    ).fetchall()
    return [str(name) for (name,) in found]


def require_openable(path: Path) -> None:
    """Read the list of its marts, which a file that is cut off or no database does not give, and look at each: what
    Spark built are views over files of their own.

    Raises:
        WarehouseFailed: it can't be read.
    """
    with open_warehouse(path) as connection:
        for mart in marts_in(connection):
            connection.execute(f'select 1 from marts."{mart}" limit 0')


def is_damaged(path: Path) -> bool:
    """Whether a warehouse file can't be read and is to be made anew; one that is held by another process is not."""
    try:
        require_openable(path)
    except WarehouseFailed as failed:
        return str(failed).endswith(REMEDY)
    return False
