"""DuckDB: dbt writes the warehouse file itself, in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from followup.build.engines.engine import memory_allowed
from followup.build.engines.parquet_warehouse import remove_unused
from publish.catalogue.manifest import Manifest


class DuckDBEngine:
    """Builds in one file."""

    target = "warehouse"

    def require(self) -> None:
        """It is in this process: nothing can be missing."""

    @contextmanager
    def session(self, warehouse: Path, folder: Path, marts: Path) -> Iterator[None]:
        """Name the file to dbt; afterwards close the connections that dbt leaves open."""
        os.environ["FOLLOWUP_WAREHOUSE"] = str(warehouse)
        os.environ["FOLLOWUP_WAREHOUSE_MEMORY"] = memory_allowed()
        try:
            yield
        finally:
            _close_connections()

    def complete(self, warehouse: Path, described: Manifest) -> None:
        """Wait until the file, which dbt has written, is on disk."""

    def remove(self, warehouse: Path) -> None:
        """Remove the file, and what DuckDB wrote beside it when memory was short."""
        for leftover in (warehouse, Path(f"{warehouse}.wal")):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(f"{warehouse}.tmp", ignore_errors=True)

    def tidy(self, warehouse: Path, *, only_in_place: bool = False) -> None:
        """Remove the Parquet files of warehouses that were built on Spark."""
        remove_unused(warehouse, only_in_place=only_in_place)


def _close_connections() -> None:
    """Close the connections that dbt leaves open, so that the file is whole and free."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    environment = DuckDBConnectionManager._ENV
    DuckDBConnectionManager.close_all_connections()
    if environment is not None:
        environment.close()
