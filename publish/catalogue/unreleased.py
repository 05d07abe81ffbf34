"""A release without figures: every table and column that releases have, as declared, for the site of `make docs`."""

from __future__ import annotations

from pathlib import Path

import duckdb

from publish.catalogue.manifest import Manifest
from publish.marts.declared import Mart, load_marts
from publish.marts.dimensions import load_dimensions
from publish.release.dimensions import PERIODS
from publish.release.texts import column_comment
from publish.release.writing import LABELLED
from publish.serving.release_file import name, sql_literal
from publish.views.declared import Kind, load_views

_TYPES: dict[Kind, str] = {
    "count": "bigint", "rate": "double", "per_1000": "double", "number": "double", "days": "integer", "rank": "integer",
    "whole": "integer", "date": "date", "flag": "boolean",
}  # fmt: skip
_ADDED = {
    "cut": "varchar", "too_few": "boolean", "is_capped": "boolean", "is_provisional": "boolean",
    "release_id": "integer", "released_at": "timestamptz",
}  # fmt: skip
"""What the rows of every mart have beside the mart's own columns."""


def write_without_figures(path: Path, manifest: Manifest) -> None:
    """Write the file: marts and views without rows, dimension tables with the codes that are declared.

    Args:
        path: it must not exist.
        manifest: says the types of the marts' columns; a mart that it lacks is left out.
    """
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published; use published")
        for table, mart in load_marts().items():
            columns = _columns(mart, manifest)
            if columns:
                _create(connection, table, columns)
        for table, listed in PERIODS.items():
            known = _types(table, manifest)
            _create(connection, table, {one: known.get(one, "varchar") for one in listed.split(", ")})
        for table, dimension in load_dimensions().items():
            more = dimension.warehouse.columns if dimension.warehouse is not None else ()
            known = _types(dimension.warehouse.table, manifest) if dimension.warehouse is not None else {}
            _create(
                connection,
                table,
                {dimension.key: "varchar", dimension.label: "varchar", "sort_order": "integer"}
                | {one: known.get(one, "varchar") for one in more},
            )
            filled = f"{name(dimension.key)}, {name(dimension.label)}, sort_order"
            for order, (code, said) in enumerate(dimension.known().items()):
                connection.execute(f"insert into {table} ({filled}) values (?, ?, ?)", [code, said, order])
        for view in load_views():
            _create(connection, view.name, {one.name: _TYPES.get(one.kind, "varchar") for one in view.columns})
            for column in view.columns:
                _comment(connection, view.name, column.name, f"{column.label}: {column.explanation}")
        connection.execute("create table about (key varchar primary key, value varchar not null)")
        connection.execute("insert into about values ('release_id', 'utan siffror')")


def _types(table: str, manifest: Manifest) -> dict[str, str]:
    described = manifest.table(table)
    return {one.name: one.data_type or "varchar" for one in described.columns} if described else {}


def _columns(mart: Mart, manifest: Manifest) -> dict[str, str]:
    """Published columns and their types, codes with their labels beside them."""
    left_out = {one for one, kind in mart.column_types().items() if kind == "not_published"}
    found: dict[str, str] = {}
    for column, kind in _types(mart.mart, manifest).items():
        if column not in left_out:
            found[column] = kind
            if column in LABELLED:
                found[load_dimensions()[LABELLED[column]].label] = "varchar"
    return found | {one: kind for one, kind in _ADDED.items() if one not in found} if found else {}


def _create(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> None:
    listed = ", ".join(f"{name(one)} {kind}" for one, kind in columns.items())
    connection.execute(f"create table {table} ({listed})")
    for column in columns:
        _comment(connection, table, column, column_comment(table, column))


def _comment(connection: duckdb.DuckDBPyConnection, table: str, column: str, words: str) -> None:
    connection.execute(f"comment on column {table}.{name(column)} is {sql_literal(words)}")
