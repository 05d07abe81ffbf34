"""What a finished release holds: a DuckDB file whose schema `published` holds tables, comments, keys, `about`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from ingest.failures import in_words
from publish.labels import label
from publish.marts.dimensions import Reference, references_of_codes
from publish.views.declared import PREFIX as VIEW
from publish.views.declared import load_views

PUBLISHED = "published"
_NOT_SENT = {"STRUCT", "MAP", "UNION", "ENUM", "INTERVAL", "BLOB", "UHUGEINT"}


class ServingError(Exception):
    """A release could not be served. What readers saw before is what they see; the message says what to do."""


@dataclass(frozen=True)
class ServedColumn:
    """A column as it is published: DuckDB's name of its type, and its comment (Swedish label, colon, description).

    `own_label`: a view's columns are called as their comments say, whatever else has that name.
    """

    name: str
    type: str
    comment: str
    own_label: str = ""

    @property
    def sent_as(self) -> str:
        """The type in which a value leaves the file: sums, which DuckDB counts in 128 bits, as 64, for few tools read
        more; a list, a struct or an enum as DuckDB writes it in text."""
        if self.type == "HUGEINT":
            return "BIGINT"
        if self.type.endswith("]") or self.type.split("(")[0] in _NOT_SENT:
            return "VARCHAR"
        return self.type

    @property
    def label(self) -> str:
        """The Swedish label; the name itself where the glossary has none."""
        return self.own_label or label(self.name) or self.name

    @property
    def description(self) -> str:
        """The comment without the label before it."""
        return self.comment.removeprefix(f"{self.label}:").strip()


@dataclass(frozen=True)
class ServedTable:
    """A table as it is published; `key_kind` is PRIMARY KEY, UNIQUE, or empty when the file declares no key.

    `references`: columns whose values are rows of other tables of the same file.
    """

    name: str
    comment: str
    columns: tuple[ServedColumn, ...]
    key: tuple[str, ...]
    key_kind: str
    rows: int
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class ReleaseFile:
    """A release to serve: where it is, what it holds, and what it says of itself in `about`."""

    path: Path
    schema: str
    tables: tuple[ServedTable, ...]
    about: dict[str, str]
    sha256: str

    @property
    def release_id(self) -> str:
        """As `about` has it; a file that names none goes by its checksum."""
        return self.about.get("release_id") or f"unnamed-{self.sha256[:12]}"

    @property
    def notice(self) -> str:
        """What every reader must know, for example that the data are synthetic; may be empty."""
        return self.about.get("notice", "")

    @property
    def swedish_notice(self) -> str:
        """The notice without its English: for pages and sheets that are Swedish."""
        return in_swedish(self.notice)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in which the file is attached as `release`, its times in UTC."""
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach {sql_literal(self.path)} as release (read_only)")
            yield connection

    def relation(self, table: ServedTable) -> str:
        """The table's name inside `reading`, quoted."""
        return f"release.{name(self.schema)}.{name(table.name)}"

    def query(self, table: ServedTable) -> str:
        """The query that gives a table's values as they are sent, inside `reading`."""
        cells = (
            f"{name(column.name)}::{column.sent_as} as {name(column.name)}"
            if column.sent_as != column.type
            else name(column.name)
            for column in table.columns
        )
        return f"select {', '.join(cells)} from {self.relation(table)}"


def in_swedish(notice: str) -> str:
    """The Swedish half of a notice, which is in both languages, apart by a slash."""
    return notice.partition(" / ")[0]


def name(identifier: str) -> str:
    """An identifier in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def sql_literal(value: object) -> str:
    """A string literal in SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def read_release(path: Path, schema: str = PUBLISHED) -> ReleaseFile:
    """Read what a finished file holds.

    Args:
        path: a DuckDB file that nobody writes to any more.
        schema: the schema to serve.

    Raises:
        ServingError: it can't be opened, or has no table in that schema.
    """
    try:
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        bare = ReleaseFile(path, schema, (), {}, sha256)
        with bare.reading() as connection:
            tables = _with_references(tuple(_tables(connection, bare)))
            about = _about(connection, bare, tables)
    except (OSError, duckdb.Error) as error:
        raise ServingError(f"{path} can't be read as a release: {in_words(error) or type(error).__name__}") from error
    if not tables:
        raise ServingError(f"{path} has no table in the schema {schema}")
    return ReleaseFile(path, schema, tables, about, sha256)


def _tables(connection: duckdb.DuckDBPyConnection, release: ReleaseFile) -> Iterator[ServedTable]:
    here = f"database_name = 'release' and schema_name = {sql_literal(release.schema)}"
    columns: dict[str, list[ServedColumn]] = {}
    for table, column, kind, comment in connection.execute(
        f"select table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns() where {here} "
        "order by table_name, column_index"
    ).fetchall():
        own = comment.partition(": ")[0] if table.startswith(VIEW) else ""
        columns.setdefault(table, []).append(ServedColumn(column, kind, comment.strip(), own.strip()))
    keys: dict[str, tuple[str, tuple[str, ...]]] = {}
    for table, kind, names in connection.execute(
        "select table_name, constraint_type, constraint_column_names from duckdb_constraints() "
        f"where {here} and constraint_type in ('PRIMARY KEY', 'UNIQUE') order by constraint_type"
    ).fetchall():
        keys.setdefault(table, (kind, tuple(names)))
    for table, comment in connection.execute(
        f"select table_name, coalesce(comment, '') from duckdb_tables() where {here} union all "
        f"select view_name, coalesce(comment, '') from duckdb_views() where {here} and not internal order by 1"
    ).fetchall():
        kind, key = keys.get(table, ("", ()))
        bare = ServedTable(table, comment.strip(), tuple(columns[table]), key, kind, 0)
        (rows,) = connection.execute(f"select count(*) from {release.relation(bare)}").fetchone() or (0,)
        yield replace(bare, rows=rows)


def _with_references(tables: tuple[ServedTable, ...]) -> tuple[ServedTable, ...]:
    """The tables with what their columns refer to, as far as it is in the file, and the keys of views.

    A key in DuckDB's file takes more room than a view: what makes its rows unique is known of its declaration.
    """
    there = {(table.name, column.name) for table in tables for column in table.columns}
    views = {view.name: view for view in load_views()}
    found = []
    for table in tables:
        names = tuple(column.name for column in table.columns)
        view = views.get(table.name)
        wanted = references_of_codes(names) if view is None else view.references()
        known = tuple(
            one
            for one in wanted
            if one.table != table.name
            and set(one.columns) <= set(names)
            and {(one.table, column) for column in one.table_columns} <= there
        )
        if view is not None and not table.key and set(view.key) <= set(names):
            table = replace(table, key=view.key, key_kind="PRIMARY KEY")
        found.append(replace(table, references=known))
    return tuple(found)


def _about(
    connection: duckdb.DuckDBPyConnection, release: ReleaseFile, tables: tuple[ServedTable, ...]
) -> dict[str, str]:
    for table in tables:
        if table.name == "about":
            return dict(connection.execute(f"select key, value from {release.relation(table)}").fetchall())
    return {}
