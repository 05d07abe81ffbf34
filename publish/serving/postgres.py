"""A release in PostgreSQL: loaded beside the current one, then put in its place by one transaction.

Rows are loaded frozen, so that a reader whose transaction began before the load sees them whole and not none of them.
The swap locks every table that readers use before it renames: a reader's transaction of several statements sees one
release, in READ COMMITTED too.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from publish.serving.folder import Identity, identity
from publish.serving.release_file import ReleaseFile, ServedTable, ServingError
from publish.serving.sessions import Connection

_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_COMMENT = re.compile(r"release (?P<release_id>.*), checksum (?P<sha256>[0-9a-f]{64})$", re.DOTALL)
_SHARE_OF_DEADLOCK_TIMEOUT = 0.6
_BLOCK = 1 << 17
_PAUSE_SECONDS = (0.1, 0.6)


class NotSwapped(ServingError):
    """A swap did not happen: the schemas are certainly as they were."""


@dataclass(frozen=True)
class Loading:
    """A schema to be put in place, the role that reads it, the release that is loaded for it, plain CSV files of it."""

    schema: str
    role: str
    release: ReleaseFile
    files: Path

    @property
    def new(self) -> str:
        """Where it is loaded until the swap."""
        return f"{self.schema}__new"


def served(connection: Connection, schema: str) -> Identity | None:
    """The release that a schema holds; None when there is no such schema.

    Raises:
        ServingError: there is one, and it is not ours to replace.
    """
    row = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", [schema]
    ).fetchone()
    if row is None:
        return None
    said = _COMMENT.search(str(row[0] or ""))
    if said is None:
        raise ServingError(f"the database has a schema {schema} that holds no release: give releases one of their own")
    return Identity(said["release_id"], said["sha256"])


def holds_release(connection: Connection, schema: str) -> bool:
    """Whether there is such a schema and it is one of ours."""
    try:
        return served(connection, schema) is not None
    except ServingError:
        return False


def load(connection: Connection, loading: Loading, on_step: Callable[[str], None]) -> None:
    """Load a release into `<schema>__new` in one transaction; what a killed run left there goes first.

    Raises:
        ServingError: another process loads at the same time, or the server refuses a value.
    """
    release = loading.release
    try:
        with connection.transaction():
            connection.execute("set local statement_timeout = 0")
            connection.execute("set local maintenance_work_mem = '256MB'")
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(loading.new)))
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(loading.new)))
            comment = f"release {release.release_id}, checksum {release.sha256}"
            connection.execute(
                sql.SQL("comment on schema {} is {}").format(sql.Identifier(loading.new), sql.Literal(comment))
            )
            for table in release.tables:
                on_step(f"load {loading.schema}.{table.name}")
                _load_table(connection, loading, table)
            _declare_references(connection, loading)
    except (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation) as error:
        if error.diag.constraint_name not in (None, "pg_namespace_nspname_index"):
            raise ServingError(f"PostgreSQL refuses the release's rows: {error.diag.message_primary}") from None
        raise ServingError("another process is loading a release into this database") from None
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise  # the server is gone or full: said by `sessions.lost`
    except psycopg.Error as error:
        raise ServingError(f"loading into PostgreSQL failed: {error.diag.message_primary or error}") from None


def _load_table(connection: Connection, loading: Loading, table: ServedTable) -> None:
    target = sql.Identifier(loading.new, table.name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(postgres_type(column.sent_as)))
        for column in table.columns
    )
    # Never changed after this, so never vacuumed: an autovacuum would only hold up the next swap.
    connection.execute(sql.SQL("create table {} ({}) with (autovacuum_enabled = off)").format(target, columns))
    statement = sql.SQL("copy {} from stdin (format csv, header, freeze)").format(target)
    with (
        (loading.files / f"{table.name}.csv").open("rb") as rows,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        while block := rows.read(_BLOCK):
            copy.write(block)
    if table.key:
        kind = sql.SQL("primary key") if table.key_kind == "PRIMARY KEY" else sql.SQL("unique")
        key = sql.SQL(", ").join(map(sql.Identifier, table.key))
        connection.execute(sql.SQL("alter table {} add {} ({})").format(target, kind, key))
    described = sql.SQL("comment on table {} is {}")
    connection.execute(described.format(target, sql.Literal(table.comment or table.name)))
    for column in table.columns:
        field = sql.Identifier(loading.new, table.name, column.name)
        connection.execute(
            sql.SQL("comment on column {} is {}").format(field, sql.Literal(column.comment or column.label))
        )
    connection.execute(sql.SQL("analyze {}").format(target))


def _declare_references(connection: Connection, loading: Loading) -> None:
    """Declare foreign keys, so that clients find how tables belong together.

    They are not validated: a release is checked where it is made, and never changed here.
    """
    keys = {(table.name, table.key) for table in loading.release.tables}
    for table in loading.release.tables:
        for reference in table.references:
            columns = sql.SQL(", ").join(map(sql.Identifier, reference.columns))
            to = sql.SQL(", ").join(map(sql.Identifier, reference.table_columns))
            other = sql.Identifier(loading.new, reference.table)
            if (reference.table, reference.table_columns) not in keys:
                connection.execute(sql.SQL("alter table {} add unique ({})").format(other, to))
                keys.add((reference.table, reference.table_columns))
            connection.execute(
                sql.SQL("alter table {} add foreign key ({}) references {} ({}) not valid").format(
                    sql.Identifier(loading.new, table.name), columns, other, to
                )
            )


def postgres_type(kind: str) -> str:
    """PostgreSQL's type for one of DuckDB's; what has no counterpart goes as text."""
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "numeric")
    return _TYPES.get(kind, "text")


def swap(
    connection: Connection,
    loaded: Sequence[Loading],
    removed: Sequence[str],
    patience_seconds: float,
    on_step: Callable[[str], None],
) -> None:
    """Put what is loaded in place of what readers see, and grant it to them, in one transaction.

    Args:
        connection: the owner's.
        loaded: what `load` has loaded.
        removed: schemas that go away with the swap.
        patience_seconds: how long readers' open transactions are waited for, over several tries.
        on_step: called before each try and, inside the transaction, before it is committed.

    Raises:
        ServingError: readers held their locks for too long, or something is not as it was loaded; nothing is changed.
    """
    give_up_at = time.monotonic() + patience_seconds
    # A try ends before PostgreSQL looks for deadlocks: else it could end a reader's transaction instead of ours.
    row = connection.execute("select setting::int from pg_settings where name = 'deadlock_timeout'").fetchone()
    wait = max(1, int(int(str(row[0]) if row else 1000) * _SHARE_OF_DEADLOCK_TIMEOUT))
    while True:
        on_step("swap tables")
        try:
            with connection.transaction():
                _swap(connection, loaded, removed, wait)
                on_step("commit tables")
            return
        except (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.QueryCanceled,
            psycopg.errors.DeadlockDetected,
        ):
            if time.monotonic() > give_up_at:
                raise NotSwapped(
                    f"readers' transactions held the tables locked for {patience_seconds:g} s, so the release is not "
                    f"in place; the one before it is. {_holders(connection, [item.schema for item in loaded])}"
                ) from None
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise  # the server is gone or full: said by `sessions.lost`
        except psycopg.Error as error:
            raise ServingError(f"the swap in PostgreSQL failed: {error.diag.message_primary or error}") from None
        time.sleep(random.uniform(*_PAUSE_SECONDS))


def _swap(connection: Connection, loaded: Sequence[Loading], removed: Sequence[str], wait: int) -> None:
    for item in loaded:
        if served(connection, item.new) != identity(item.release):
            raise NotSwapped("another process has loaded a release since: nothing is swapped")
        served(connection, item.schema)
    schemas = [*(item.schema for item in loaded), *removed]
    tables = connection.execute(
        "select nspname::text, relname::text from pg_class c join pg_namespace n on n.oid = relnamespace "
        "where nspname = any(%s) and relkind = 'r' order by 1, 2",
        [schemas],
    ).fetchall()
    if tables:
        names = sql.SQL(", ").join(sql.Identifier(str(schema), str(table)) for schema, table in tables)
        # The statement as a whole: lock_timeout counts anew for every table, while those before it are held.
        connection.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(wait)))
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
    for schema in schemas:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
    connection.execute("set local statement_timeout = 0")
    for item in loaded:
        named, role = sql.Identifier(item.schema), sql.Identifier(item.role)
        connection.execute(sql.SQL("alter schema {} rename to {}").format(sql.Identifier(item.new), named))
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(named, role))
        # The information schema shows foreign keys only to who may do more than read; who makes no tables can use no
        # reference, and Power BI finds its relations there.
        connection.execute(sql.SQL("grant select, references on all tables in schema {} to {}").format(named, role))


def sweep(connection: Connection, schemas: Sequence[str]) -> None:
    """Remove what was loaded and will not be swapped in."""
    for schema in schemas:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(f"{schema}__new")))


def _holders(connection: Connection, schemas: Sequence[str]) -> str:
    rows = connection.execute(
        "select distinct pid, usename::text, coalesce(nullif(application_name, ''), '-') from pg_locks "
        "join pg_class c on c.oid = relation join pg_namespace n on n.oid = relnamespace "
        "join pg_stat_activity using (pid) where nspname = any(%s) and granted and pid <> pg_backend_pid() order by 1",
        [list(schemas)],
    ).fetchall()
    if not rows:
        return "Try again."
    named = ", ".join(f"{pid} ({role}, {program})" for pid, role, program in rows)
    return f"They are held by the server's processes {named}: end them, or wait, and publish again."
