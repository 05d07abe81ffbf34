"""Copying the marts to where readers open them: a DuckDB file and Parquet, put in place together or not at all.

Disclosure control is not applied yet. Until it is, nothing is published unless every submission in force is marked
synthetic, and what is published says so in itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ingest.ledger import Ledger
from ingest.settings import Settings
from publish.labels import label
from publish.serving import finish, serve
from publish.serving.snapshot import STORAGE_VERSION

NOTICE = (
    "SYNTETISKA UPPGIFTER. Röjandekontroll är inte tillämpad. / "
    "SYNTHETIC DATA. Disclosure control has not been applied."
)


class PublishRefused(Exception):
    """Nothing was published; the message says why. What was published before stays."""


@dataclass(frozen=True)
class PublishedTable:
    """One table as it went out."""

    name: str
    rows: int


@dataclass(frozen=True)
class Published:
    """What was published, and where readers find it."""

    tables: tuple[PublishedTable, ...]
    duckdb_file: Path
    parquet_folder: Path
    notice: str


def publish(settings: Settings, *, on_table: Callable[[str, int, int], None] | None = None) -> Published:
    """Publish all marts.

    Args:
        settings: the installation's.
        on_table: called before each table with its name, number and how many there are.

    Returns:
        The tables and where they lie, under `FOLLOWUP_HOME/published`.

    Raises:
        PublishRefused: a submission in force, or one that the warehouse was built from, is not marked synthetic; or
            there is no warehouse.
        LeaseBusy: another process is publishing.
    """
    ledger = Ledger(settings.ledger)
    try:
        with ledger.lease("publish"):
            _refuse_real_data(ledger)
            if not settings.warehouse.exists():
                raise PublishRefused("there is no warehouse yet: run `followup build` first")
            return _publish(settings, on_table)
    finally:
        ledger.close()


def _refuse_real_data(ledger: Ledger) -> None:
    in_force = ledger.in_force()
    if not in_force:
        raise PublishRefused("nothing is in force: receive files and build first")
    unmarked = [s for s in in_force if not s.is_synthetic]
    if unmarked:
        first = unmarked[0]
        raise PublishRefused(
            f"{len(unmarked)} of {len(in_force)} submissions in force are not marked synthetic (for example "
            f"{first.district_code} {first.dataset} {first.reporting_quarter}). Disclosure control is not applied yet, "
            "so nothing that could be real is published."
        )


def _refuse_real_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """The warehouse may be older than the ledger: what it was built from must be synthetic too."""
    found = connection.execute(
        "select count(*) from warehouse.core.fct_submission where is_in_force and not is_synthetic"
    ).fetchone()
    if found is None or found[0]:
        raise PublishRefused(
            "the warehouse was built from submissions that are not marked synthetic: run `followup build` again"
        )


def _marts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'warehouse' and schema_name = 'marts' order by 1"
    ).fetchall()
    return [row[0] for row in found]


def _publish(settings: Settings, on_table: Callable[[str, int, int], None] | None) -> Published:
    finish(settings)
    for leftover in settings.home.glob(".release-*"):
        shutil.rmtree(leftover)
    with TemporaryDirectory(prefix=".release-", dir=settings.home) as folder:
        tables = _write(settings, Path(folder), on_table)
        served = serve(Path(folder) / "release.duckdb", settings)
    return Published(tuple(tables), served.duckdb_file, served.parquet_folder, NOTICE)


def _write(settings: Settings, folder: Path, on_table: Callable[[str, int, int], None] | None) -> list[PublishedTable]:
    """Write the tables into a folder that nobody reads yet."""
    target = folder / "release.duckdb"
    tables = []
    with duckdb.connect() as connection:
        connection.execute(f"attach '{_quoted(settings.warehouse)}' as warehouse (read_only)")
        _refuse_real_rows(connection)
        connection.execute(f"attach '{_quoted(target)}' as release (storage_version '{STORAGE_VERSION}')")
        connection.execute("create schema release.published")
        names = _marts(connection)
        if not names:
            raise PublishRefused("the warehouse holds no marts: run `followup build` first")
        for number, name in enumerate(names, start=1):
            if on_table is not None:
                on_table(name, number, len(names))
            connection.execute(f"create table release.published.{name} as from warehouse.marts.{name}")
            comments = _comments(connection, name)
            about = _table_comment(connection, name)
            connection.execute(f"comment on table release.published.{name} is '{_quoted(about)}'")
            for column, text in comments.items():
                connection.execute(f"comment on column release.published.{name}.{column} is '{_quoted(text)}'")
            count = connection.execute(f"select count(*) from release.published.{name}").fetchone()
            tables.append(PublishedTable(name, count[0] if count else 0))
        connection.execute("create table release.published.about (key varchar primary key, value varchar not null)")
        connection.executemany(
            "insert into release.published.about values (?, ?)",
            [
                ["notice", NOTICE],
                ["disclosure_control", "not applied"],
                ["is_synthetic", "true"],
                ["published_at", settings.now().isoformat()],
            ],
        )
        connection.execute("detach release")
    return tables


def _table_comment(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """The notice, and after it what the table tells where its model says so."""
    found = connection.execute(
        "select comment from duckdb_tables() where database_name = 'warehouse' and schema_name = 'marts' "
        "and table_name = ?",
        [table],
    ).fetchone()
    described = (found[0] or "").strip() if found else ""
    return f"{NOTICE} {described}".strip()


def _comments(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column → its Swedish label and its description, where there are any."""
    found = connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = 'warehouse' "
        "and schema_name = 'marts' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    texts = {}
    for column, comment in found:
        text = ": ".join(part for part in (label(column), comment) if part)
        if text:
            texts[column] = text
    return texts


def _quoted(value: object) -> str:
    return str(value).replace("'", "''")
