"""A warehouse of Parquet files: a folder of its own for each build, and a DuckDB file of views over it.

The file is the one pointer to the folder: putting it in place of the last one swaps all marts at once, and whoever has
the old file open reads on from the old folder. The folders of the warehouse in place and of the one before it stay.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import duckdb

from publish.catalogue.manifest import DescribedTable, Manifest
from publish.serving.release_file import sql_literal
from publish.warehouse import PARQUET_FOLDER, WarehouseFailed, open_warehouse

COMPACTED = "compacted"
"""In the folder of builds: what Spark read of the files in force, to be found again."""
SCHEMAS = ("seeds", "intermediate", "core", "marts", "keyed")
_BUILT = "built"
"""A table in the DuckDB file's `main` with the name of its folder."""
_COMPLETE = "COMPLETE"
"""A file in the folder of a build that succeeded."""


def new_folder(marts: Path) -> Path:
    """The folder of a new build in `marts`, absolute; it is made."""
    folder = marts.absolute() / secrets.token_hex(8)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def folder_of(warehouse: Path) -> str | None:
    """Name of the folder that a warehouse file reads; None where DuckDB built it, or there is none.

    Raises:
        WarehouseFailed, duckdb.Error: it can't be read.
    """
    if not warehouse.exists():
        return None
    try:
        with open_warehouse(warehouse) as connection:
            row = connection.execute(f"select folder from main.{_BUILT}").fetchone()
    except duckdb.CatalogException:
        return None
    return str(row[0]) if row else None


def write_views(upcoming: Path, folder: Path, described: Manifest) -> None:
    """Write the DuckDB file whose views read a build's folder, and mark the build as complete.

    Args:
        upcoming: the file; an old one is replaced.
        folder: from `new_folder`, with `<schema>.db/<table>/*.parquet`.
        described: columns of core and marts have the types that it says.

    Raises:
        duckdb.Error: a Parquet file can't be read.
        OSError: something can't be written.
    """
    _sync(folder)
    upcoming.unlink(missing_ok=True)
    types = {(table.name, column.name): column.data_type for table in described.tables for column in table.columns}
    with duckdb.connect(str(upcoming), config={"storage_compatibility_version": "latest"}) as target:
        target.execute(f"create table main.{_BUILT} as select ? as folder", [folder.name])
        for schema in SCHEMAS:
            target.execute(f"create schema {schema}")
            for place in sorted(one for one in (folder / f"{schema}.db").glob("*") if one.is_dir()):
                _write_view(target, schema, place, types)
        for table in described.tables:
            if (folder / f"{table.layer}.db" / table.name).is_dir():
                _describe(target, table)
    with upcoming.open("rb") as handle:
        os.fsync(handle.fileno())
    (folder / _COMPLETE).touch()


def _write_view(target: duckdb.DuckDBPyConnection, schema: str, table: Path, types: dict[tuple[str, str], str]) -> None:
    quoted = str(table / "*.parquet").replace("'", "''")
    found = target.execute(f"describe select * from read_parquet('{quoted}')").fetchall()
    columns = ", ".join(f'"{name}"::{_type(table.name, name, kind, types)} as "{name}"' for name, kind, *_ in found)
    target.execute(f"create view {schema}.\"{table.name}\" as select {columns} from read_parquet('{quoted}')")


def _describe(target: duckdb.DuckDBPyConnection, table: DescribedTable) -> None:
    """The descriptions as comments, as dbt writes them on DuckDB."""
    view = f'{table.layer}."{table.name}"'
    comments = [f"comment on view {view} is {sql_literal(table.description)}"]
    comments += [f'comment on column {view}."{one.name}" is {sql_literal(one.description)}' for one in table.columns]
    target.execute("; ".join(comments))


def _type(table: str, column: str, kind: str, types: dict[tuple[str, str], str]) -> str:
    if column.endswith("__key"):  # Parquet that Spark writes has no numbers without a sign
        return "UINTEGER"
    return types.get((table, column), kind)


def _sync(folder: Path) -> None:
    """Wait until all files of a folder are on disk."""
    for place in folder.rglob("*"):
        if place.is_file():
            with place.open("rb") as handle:
                os.fsync(handle.fileno())


def remove_unused(warehouse: Path, *, only_in_place: bool = False) -> None:
    """Remove the folders of builds but those of the warehouse in place and of the newest other that succeeded.

    `only_in_place`: that other goes too.
    """
    parent = warehouse.absolute().parent / PARQUET_FOLDER
    if not parent.is_dir():
        return
    folders = [place for place in parent.iterdir() if place.name != COMPACTED]
    complete = [place for place in folders if (place / _COMPLETE).exists()]
    try:
        in_place = folder_of(warehouse)
    except (WarehouseFailed, duckdb.Error):  # any that is complete may be what it reads
        spared = complete
    else:
        others = [place for place in complete if place.name != in_place and not only_in_place]
        newest = sorted(others, key=lambda place: (place / _COMPLETE).stat().st_mtime)[-1:]
        spared = [parent / in_place, *newest] if in_place else newest
    for place in folders:
        if place not in spared:
            shutil.rmtree(place, ignore_errors=True)
