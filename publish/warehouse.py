"""Opening the private warehouse, and saying in one way what is wrong with it, whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ingest.failures import DAMAGED, DANGLING, IS_FOLDER, StorageFailure, cause_of, place_of, sentence
from ingest.settings import Settings
from publish.tables import TOTAL

REMEDY = "run `followup build --force`, which makes it anew"
_MADE_ANEW = (DAMAGED, DANGLING, IS_FOLDER)


class WarehouseFailed(StorageFailure):
    """The warehouse is there and can't be read; the message says why and what to do."""


@contextmanager
def reading_warehouse(path: Path) -> Iterator[None]:
    """What DuckDB says of the warehouse in the block is raised in words.

    Raises:
        WarehouseFailed: it is damaged, held by a writer, out of reach. Other errors of DuckDB (of a query) pass.
    """
    try:
        yield
    except duckdb.Error as error:
        cause = cause_of(error)
        if cause is None and isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.IOException):
            cause = DAMAGED
        if cause is None:
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


class CutError(Exception):
    """The marts can't be cut as tables.yml says, or contradict themselves; the message names table and relation."""


class Warehouse:
    """The marts and dimensions of a warehouse file, read only."""

    def __init__(self, path: Path) -> None:
        """Open.

        Raises:
            CutError: there is no such file.
            WarehouseFailed: it is damaged or can't be opened; from the other methods too.
        """
        if not path.exists():
            raise CutError("there is no warehouse yet: run `followup build` first")
        self.path = path
        with reading_warehouse(path):
            self.connection = duckdb.connect(str(path), read_only=True)
        self._dimensions: dict[str, list[str]] = {}

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def table(self, sql: str) -> pd.DataFrame:
        """The answer to a query, texts as Python strings."""
        with reading_warehouse(self.path):
            found: pd.DataFrame = self.connection.execute(sql).df()
        return found

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with reading_warehouse(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def columns(self, mart: str) -> dict[str, str]:
        """Column → type of a mart.

        Raises:
            CutError: there is no such mart.
        """
        found = self.rows(
            "select column_name, data_type from duckdb_columns() where schema_name = 'marts' and table_name = ? "
            "order by column_index",
            [mart],
        )
        if not found:
            raise CutError(f"the warehouse holds no {mart}: run `followup build` again")
        return dict(found)

    def dimensions(self, mart: str) -> list[str]:
        """The columns by which a mart is cut: texts that are `alla` in some row."""
        if mart not in self._dimensions:
            texts = [name for name, kind in self.columns(mart).items() if kind == "VARCHAR"]
            held = ", ".join(f"bool_or(\"{name}\" = '{TOTAL}')" for name in texts)
            (found,) = self.rows(f"select {held} from marts.{mart}")
            self._dimensions[mart] = [name for name, is_held in zip(texts, found, strict=True) if is_held]
        return self._dimensions[mart]

    def merged(self) -> dict[str, str]:
        """District code → the merged unit that it is part of today (itself, for the merged unit's own files)."""
        found = self.rows(
            "select district_code, counts_in_code from core.dim_district_membership where counts_in_basis = 'today'"
        )
        return {str(code): str(unit) for code, unit in found}

    def validity(self) -> dict[str, tuple[str, str]]:
        """District code → first and last quarter in which it is valid; an open end is `9999Q4`."""
        quarter = "year({0}) || 'Q' || quarter({0})"
        found = self.rows(
            f"select district_code, {quarter.format('valid_from')}, coalesce({quarter.format('valid_to')}, '9999Q4') "
            "from core.dim_district"
        )
        return {code: (first, last) for code, first, last in found}
