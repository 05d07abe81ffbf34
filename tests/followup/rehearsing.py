"""What `make drill` and `make test-freeze` share: commands with their answers, and the search for keys of persons.

A person's key is a text of 43 letters. It is searched for where it is read as such (rows, marts, ledger, tables of a
PostgreSQL), and in the bytes of every file, in which removed rows may be left.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from backed_up import BackedUpPlace, rows_of
from full_disk import run
from psycopg import sql
from pydantic import SecretStr

from followup.local.postgres_server import DATABASE, PostgresServer, RunningServer
from ingest.explaining import explain
from ingest.ledger import Ledger, Submission
from ingest.ledger.explanations import explanations_of
from ingest.queries import WHOLE_FILE, queries_path, read_queries
from ingest.settings import Settings

BEGAN = time.monotonic()
LEDGER = "ledger"
"""The database of the ledger, beside the one that readers have."""
_LETTERS = 43
_RUNS = re.compile(rb"[A-Za-z0-9_-]{43,}")


def say(line: str) -> None:
    """A line of the log, with the seconds since it began."""
    sys.stdout.write(f"{time.monotonic() - BEGAN:6.0f} s  {line}\n")
    sys.stdout.flush()


def followup(place: BackedUpPlace, *command: str) -> str:
    """Run a command, which must end well; the end of what it printed is said."""
    ended = run(place, list(command))
    said = " ".join(ended.printed.split())
    say(f"followup {' '.join(command)}: {said[-200:]}")
    assert ended.code == 0, ended.printed
    return said


@dataclass(frozen=True)
class ServedPlace(BackedUpPlace):
    """An installation whose ledger is in a PostgreSQL, to which its releases are served too."""

    server: PostgresServer
    running: RunningServer

    @property
    def ledger_url(self) -> str:
        password = json.loads((self.server.home / "superuser.json").read_text(encoding="utf-8"))["postgres"]
        return f"postgresql://postgres:{password}@127.0.0.1:{self.running.port}/{LEDGER}"

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.running.environment, "FOLLOWUP_LEDGER_URL": self.ledger_url}

    @property
    def settings(self) -> Settings:
        served = {
            "ledger_url": self.ledger_url,
            "publish_postgres": SecretStr(self.running.owner_url),
            "publish_logins": self.running.logins_file,
        }
        return super().settings.model_copy(update=served)

    def ledger(self) -> Ledger:
        return Ledger(self.ledger_url)


@contextmanager
def postgres() -> Iterator[tuple[PostgresServer, RunningServer]]:
    """A PostgreSQL with an empty database for readers and one for a ledger, while the block runs."""
    home = Path(tempfile.mkdtemp(prefix="followup-postgres-"))
    home.chmod(0o755)  # the server's user must reach its cluster in it
    server = PostgresServer(home)
    try:
        running = server.start()
        with server.superuser() as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(LEDGER)))
        yield server, running
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


# searching


def keys_in(content: bytes, wanted: Collection[bytes]) -> set[bytes]:
    """Those of some texts of 43 letters that are in some bytes, whatever letters stand before and after."""
    found = set()
    for part in _RUNS.findall(content):
        found |= {part[at : at + _LETTERS] for at in range(len(part) - _LETTERS + 1)} & set(wanted)
    return found


def persons_in_rows(home: Path) -> set[str]:
    """Every person's key in a stored file of rows."""
    tables = (pq.read_table(path) for path in home.glob("validated/**/*.parquet"))
    return {
        key
        for rows in tables
        for name in {"person_key", "match_person_key"} & set(rows.column_names)
        for key in rows[name].to_pylist()
    }


def cells_of(warehouse: Path) -> Iterator[set[str]]:
    """The texts of every column of every table of a warehouse or a release."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where data_type = 'VARCHAR' "
            "and not internal and database_name = current_database()"
        ).fetchall()
        for schema, table, column in columns:
            found = connection.execute(f'select distinct "{column}" from "{schema}"."{table}"').fetchall()
            yield {str(cell) for (cell,) in found}


def tables_of(server: PostgresServer, database: str) -> dict[str, bytes]:
    """Every table of a database, as PostgreSQL writes it."""
    found = {}
    with server.superuser(database) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' "
            "and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in names:
            statement = sql.SQL("copy {} to stdout").format(sql.Identifier(schema, table))
            with connection.cursor().copy(statement) as rows:
                found[f"{database}: {schema}.{table}"] = b"".join(bytes(part) for part in rows)
    return found


def places_in_files(folder: Path, is_found: Callable[[bytes], object]) -> list[str]:
    """Files below a folder whose bytes hold something."""
    return [
        str(path) for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and is_found(path.read_bytes())
    ]  # fmt: skip


@dataclass(frozen=True)
class OldKeys:
    """What must be nowhere any more.

    Attributes:
        persons: keys of persons, as they were stored.
        secrets: what they and originals were made with.
    """

    persons: frozenset[str]
    secrets: tuple[bytes, ...]

    def are_in(self, content: bytes) -> bool:
        """Whether any of them is in some bytes."""
        return any(secret in content for secret in self.secrets) or bool(
            keys_in(content, {key.encode() for key in self.persons})
        )

    def places(self, place: BackedUpPlace, *homes: Path) -> dict[str, list[str]]:
        """Where they are: what was looked at → the places in it.

        Args:
            place: the installation.
            homes: homes that were restored from its backups.
        """
        whole = {key.encode() for key in self.persons}
        found: dict[str, list[str]] = {"rows": [], "marts and release": [], "files": [], "backups": []}
        for home in (place.home, *homes):
            found["rows"] += [str(home)] if persons_in_rows(home) & self.persons else []
            releases = (path for path in (place.published / "followup.duckdb",) if path.exists())
            for file in (home / "warehouse.duckdb", *releases):
                found["marts and release"] += [str(file) for cells in cells_of(file) if cells & self.persons]
        for folder in (place.root, *homes):
            found["files"] += [name for name in places_in_files(folder, self.are_in) if name not in found["files"]]
        with closing(place.ledger()) as ledger:
            rows = rows_of(ledger)
        found["ledger"] = [
            name
            for name, lines in rows.items()
            if any(keys_in(str(cell).encode(), whole) for row in lines for cell in row)
        ]
        with place.location() as location:
            for name in location.sizes("objects"):
                if name != ".followup" and self.are_in(location.read("objects", name)):
                    found["backups"].append(name)
        if isinstance(place, ServedPlace):
            tables = tables_of(place.server, DATABASE) | tables_of(place.server, LEDGER)
            assert any(name.startswith(f"{LEDGER}: public.submission") for name in tables), sorted(tables)
            found["PostgreSQL"] = [name for name, content in tables.items() if self.are_in(content)]
            found["PostgreSQL's files"] = places_in_files(place.server.cluster, self.are_in)
        return found


def see_that_the_search_finds(place: ServedPlace) -> None:
    """A text like a person's key, in a table of PostgreSQL, is found in the table and in the server's files."""
    planted = OldKeys(frozenset({"planted-".ljust(_LETTERS, "x")}), ())
    with place.server.superuser(DATABASE) as connection:
        connection.execute("create table public.planted as select %s::text as key", [*planted.persons])
        connection.execute("checkpoint")
    found = planted.places(place)
    with place.server.superuser(DATABASE) as connection:
        connection.execute("drop table public.planted")
    assert found["PostgreSQL"] == [f"{DATABASE}: public.planted"] and found["PostgreSQL's files"], found


def readers_rows(place: ServedPlace) -> dict[str, list[bytes]]:
    """What readers see in PostgreSQL."""
    tables = tables_of(place.server, DATABASE)
    return {name: sorted(rows.splitlines()) for name, rows in tables.items() if ": published." in name}


def explain_somebody(place: BackedUpPlace, quarter: str) -> tuple[Submission, str]:
    """Explain a query about one row of a quarter's cases; returns the submission and the row's key."""
    with closing(place.ledger()) as ledger:
        for found in ledger.in_force(dataset="arenden", quarter=quarter):
            queries = read_queries(queries_path(place.home, found.district_code, found.submission_id))
            for rule, row_key in zip(queries["rule"].to_pylist(), queries["row_key"].to_pylist(), strict=True):
                if row_key != WHOLE_FILE:
                    now = place.settings.now().replace(tzinfo=None)
                    explain(ledger, place.home, found, rule, "Semestertid", now, row_key=row_key)
                    return found, row_key
    raise AssertionError(f"no case of {quarter} is asked about")


def is_explained(place: BackedUpPlace, submission_id: str, row_key: str) -> bool:
    """Whether a row of a submission is explained."""
    with closing(place.ledger()) as ledger:
        return row_key in {one.row_key for one in explanations_of(ledger, submission_id)}


def send_again(place: BackedUpPlace, drawn: Path, found: Submission) -> Submission:
    """Let the unit send the same rows in another file; returns what is in force then."""
    folder = place.inbox / found.district_code
    folder.mkdir(parents=True, exist_ok=True)
    source = drawn / found.district_code / found.source_file_name
    (folder / source.name).write_bytes(source.read_bytes() + b"\r\n")
    followup(place, "receive", "--inbox", str(place.inbox))
    with closing(place.ledger()) as ledger:
        (again,) = ledger.in_force(
            district=found.district_code, dataset="arenden", quarter=found.reporting_quarter or ""
        )
    assert again.submission_id != found.submission_id
    return again
