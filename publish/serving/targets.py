"""Serving to all targets: everything is prepared first, then the swaps happen one after the other.

The swap that can fail (PostgreSQL's, by a reader's lock) comes first, the files' link, one rename, last. What is to be
swapped is in a journal from before the first swap until after the last: `finish` completes what a killed run began.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import psycopg
import pyarrow as pa

from ingest.acting_user import acting_user
from ingest.failures import in_words
from ingest.file_permissions import make_folder
from ingest.settings import Settings
from publish.serving import postgres, roles, sessions
from publish.serving.csv_files import PLAIN_FOLDER, write_plain_files
from publish.serving.folder import (
    Identity,
    identity,
    point,
    prepare_folder,
    read_identity,
    releases_folder,
)
from publish.serving.postgres import Loading, NotSwapped
from publish.serving.readers import hindrances
from publish.serving.release_file import PUBLISHED, ReleaseFile, ServedTable, ServingError, read_release
from publish.serving.sessions import ANALYST, READER, Connection
from publish.serving.snapshot import FILE_NAME
from publish.serving.workbook import find_workbook

Step = Callable[[str], None]
ANALYSTS_LOG = "analysts.jsonl"
SITE_FOLDER = "webb"
"""Of the pages for readers, in a release's folder."""


@dataclass(frozen=True)
class Served:
    """What was served, and where readers find it.

    `database` is None when the installation has none; `analysts` tells whether the unprotected marts were loaded;
    `notes` are things an operator should know, in English.
    """

    release_id: str
    tables: tuple[ServedTable, ...]
    folder: Path
    database: str | None
    analysts: bool
    notes: tuple[str, ...]

    @property
    def duckdb_file(self) -> Path:
        """The snapshot, by the link that always leads to the current release."""
        return self.folder / FILE_NAME

    @property
    def parquet_folder(self) -> Path:
        """A Parquet file per table."""
        return self.folder / "parquet"

    @property
    def csv_folder(self) -> Path:
        """A CSV file per view and dimension table."""
        return self.folder / PLAIN_FOLDER

    @property
    def workbook(self) -> Path | None:
        """The Excel workbook; None for a release without views."""
        return find_workbook(self.folder)

    @property
    def site(self) -> Path | None:
        """The first of the pages for readers; None where the release was made without them."""
        page = self.folder / SITE_FOLDER / "index.html"
        return page if page.is_file() else None


def serve(
    release_file: Path, settings: Settings, *, beside: Path | None = None, on_step: Step = lambda _: None
) -> Served:
    """Serve a finished release to every target of the installation. The caller holds the lease `publish`.

    May be called again with the same file after any failure or kill: targets that have it are left as they are, but for
    roles and passwords, which are made as the settings say.

    Args:
        release_file: a DuckDB file with the schema `published`, which nobody writes to any more.
        settings: the installation's.
        beside: a folder whose files go out beside the release's own (certificate, catalogue).
        on_step: called with what is about to be done.

    Raises:
        ServingError: readers see what they saw before, in every target; or, where the connection broke at the commit or
            only the analysts' marts failed, the message says so, and the next `serve` or `finish` completes it.
    """
    with _storage_failures_raised(settings):
        release, pending = read_release(release_file), _read_journal(settings)
        if pending is not None and pending != identity(release):
            finish(settings, on_step=on_step)
        return _serve(release, settings, beside, on_step)


def finish(settings: Settings, *, on_step: Step = lambda _: None) -> Served | None:
    """Complete the serving that was killed between its swaps; None when there is none. The caller holds the lease.

    Raises:
        ServingError: as `serve`.
    """
    with _storage_failures_raised(settings):
        pending = _read_journal(settings)
        if pending is None:
            return None
        for folder in releases_folder(settings).glob("*"):
            if read_identity(folder) == pending:
                return _serve(replace(read_release(folder / FILE_NAME), sha256=pending.sha256), settings, None, on_step)
        _journal(settings).unlink()
        return None


@contextmanager
def _storage_failures_raised(settings: Settings) -> Iterator[None]:
    """What the disk or the server refuses is raised as this module's error."""
    try:
        yield
    except psycopg.Error as error:
        raise sessions.lost(error, settings) from None
    except (OSError, duckdb.Error, pa.ArrowException) as error:
        words = in_words(error) or f"{type(error).__name__}"
        raise ServingError(f"the release's files can't be written: {words}") from error


def _serve(release: ReleaseFile, settings: Settings, beside: Path | None, on_step: Step) -> Served:
    with ExitStack() as stack:
        folder = prepare_folder(release, settings, beside, on_step)
        database = _Database(settings, release, on_step, stack) if has_database(settings) else None
        if database is not None:
            _write_journal(settings, identity(release))
            try:
                database.swap_published()
            except NotSwapped:
                _journal(settings).unlink()
                raise
        on_step("link files")
        point(settings, folder)
        on_step("linked files")
        _journal(settings).unlink(missing_ok=True)
        if database is not None:
            database.swap_marts()
    return Served(
        release.release_id,
        release.tables,
        settings.published,
        database.address if database else None,
        settings.publish_analysts and database is not None,
        (*hindrances(settings), *(database.notes if database else ())),
    )


def has_database(settings: Settings) -> bool:
    """Whether the installation serves PostgreSQL too."""
    return bool(settings.publish_postgres and settings.publish_postgres.get_secret_value())


def describe_database(settings: Settings) -> str:
    """Where the database for BI is and which release readers see in it, in English; changes nothing.

    Raises:
        ServingError: it can't be reached, the logins can't be read, or the reader may do more than read.
    """
    with (
        _storage_failures_raised(settings),
        sessions.connect(settings, sessions.load_logins(settings.publish_logins)) as connection,
    ):
        found = postgres.served(connection, PUBLISHED)
        if roles.is_there(connection, READER):
            _refuse_excess(connection, READER, PUBLISHED)
        info = connection.info
        release = f"release {found.release_id}" if found else "nothing published yet"
        return f"{info.host}:{info.port}/{info.dbname}, {release}"


def _refuse_excess(connection: Connection, role: str, schema: str) -> None:
    if excess := roles.excess(connection, role, schema):
        raise ServingError(
            f"{role} may do more than read {schema}, so nothing is served: it {'; '.join(excess[:5])}. Take that away."
        )


class _Database:
    """PostgreSQL as a target: made ready at once, swapped when asked."""

    def __init__(self, settings: Settings, release: ReleaseFile, on_step: Step, stack: ExitStack) -> None:
        """Connect, make the roles, load what is not there yet."""
        self.settings, self.release, self.on_step = settings, release, on_step
        self.logins = sessions.load_logins(settings.publish_logins)
        self.connection = stack.enter_context(sessions.connect(settings, self.logins))
        on_step("roles")
        self._let_in(READER, roles.ensure_reader)
        _refuse_excess(self.connection, READER, PUBLISHED)
        loads = [Loading(PUBLISHED, READER, release, self._folder(stack, ".rows-"))]
        if (marts := self._analysts_marts(stack)) is not None:
            loads.append(Loading(roles.MARTS, ANALYST, marts, marts.path.parent))
        postgres.sweep(self.connection, [PUBLISHED, roles.MARTS])
        self.loaded: dict[str, Loading] = {}
        for item in loads:
            if postgres.served(self.connection, item.schema) != identity(item.release):
                write_plain_files(item.release, item.files)
                postgres.load(self.connection, item, on_step)
                self.loaded[item.schema] = item
        info = self.connection.info
        self.address = f"{info.host}:{info.port}/{info.dbname}"
        self.notes = tuple(self._notes())

    def _let_in(self, role: str, ensure: Callable[[Connection, dict[str, str]], None]) -> None:
        """Make a role as it must be. Sessions of an earlier password end: who has no other gets no new one."""
        password = self.logins.get(role)
        had_another = (
            password is not None
            and roles.is_there(self.connection, role)
            and sessions.refusal(self.settings, role, password) is not None
        )
        ensure(self.connection, self.logins)
        if had_another and password is not None:
            sessions.end_sessions(self.connection, role, "true")
            sessions.ensure_password(self.connection, self.settings, role, password)

    def swap_published(self) -> None:
        """Let readers see the release."""
        if PUBLISHED in self.loaded:
            self._swap([self.loaded[PUBLISHED]], [])

    def swap_marts(self) -> None:
        """Let analysts see the newest marts, or none."""
        if roles.MARTS in self.loaded:
            # before they can be read too: a run that is killed right after the swap is not without its line
            _log_analysts(self.settings, "loading", self.loaded[roles.MARTS].release)
            self._swap([self.loaded[roles.MARTS]], [])
            _log_analysts(self.settings, "loaded", self.loaded[roles.MARTS].release)
        elif not self.settings.publish_analysts and postgres.holds_release(self.connection, roles.MARTS):
            self._swap([], [roles.MARTS])
            _log_analysts(self.settings, "removed")

    def _swap(self, loaded: list[Loading], removed: list[str]) -> None:
        postgres.swap(self.connection, loaded, removed, self.settings.publish_patience_seconds, self.on_step)

    def _analysts_marts(self, stack: ExitStack) -> ReleaseFile | None:
        """The warehouse as it is now, under a name of its own: a build may put another in its place meanwhile."""
        if not self.settings.publish_analysts:
            if roles.turn_analyst_off(self.connection):
                _log_analysts(self.settings, "login refused")
            return None
        self._let_in(ANALYST, roles.ensure_analyst)
        _log_analysts(self.settings, "login allowed")
        _refuse_excess(self.connection, ANALYST, roles.MARTS)
        held = self._folder(stack, ".analysts-") / "warehouse.duckdb"
        try:
            held.hardlink_to(self.settings.warehouse)
        except OSError:
            raise ServingError("FOLLOWUP_PUBLISH_ANALYSTS is on, but there is no warehouse: build it first") from None
        return read_release(held, roles.MARTS)

    def _folder(self, stack: ExitStack, prefix: str) -> Path:
        """A folder for what is loaded, which goes with this process; those of killed runs go first."""
        home = self.settings.home.absolute()
        make_folder(home)
        for leftover in home.glob(f"{prefix}*"):
            shutil.rmtree(leftover)
        return Path(stack.enter_context(TemporaryDirectory(prefix=prefix, dir=home)))

    def _notes(self) -> Iterator[str]:
        if others := roles.other_databases(self.connection, READER):
            yield (
                f"{READER} may also connect to the server's databases {', '.join(others)}: "
                "REVOKE CONNECT ON DATABASE … FROM PUBLIC, or say so in pg_hba.conf"
            )
        if harmful := roles.harmful_functions(self.connection, READER):
            yield (
                f"{READER} may call {len(harmful)} functions that fill the disk, take locks or end others' "
                f"sessions: have a superuser run {roles.BOUNDS.name} (docs/runbook.md, PostgreSQL for BI)"
            )
        if not all(roles.may_set(self.connection, name) for name in (*roles.SPACE, *roles.QUIET)):
            yield (
                f"{READER} may fill the disk with sorting or with messages in the server's log: have a superuser "
                f"run {roles.BOUNDS.name} (PostgreSQL 15 or later), or set temp_file_limit in postgresql.conf"
            )


def _log_analysts(settings: Settings, what: str, marts: ReleaseFile | None = None) -> None:
    """Note what was done about the analysts' access to unprotected marts, one line each, on disk when this returns."""
    user = acting_user()
    line: dict[str, object] = {
        "at": settings.now().isoformat(timespec="seconds"),
        "by": user.account,
        "login": user.login,
        "role": ANALYST,
        "what": what,
    }
    if marts is not None:
        line |= {"warehouse": marts.sha256, "tables": {table.name: table.rows for table in marts.tables}}
    with (settings.home / ANALYSTS_LOG).open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")
        handle.flush()
        os.fsync(handle.fileno())


# -- the journal -------------------------------------------------------------------------------------------------------


def _journal(settings: Settings) -> Path:
    return settings.home.absolute() / "serving.json"


def _write_journal(settings: Settings, pending: Identity) -> None:
    make_folder(settings.home)
    path = _journal(settings)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as handle:
        json.dump({"release_id": pending.release_id, "sha256": pending.sha256}, handle)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(path)


def _read_journal(settings: Settings) -> Identity | None:
    try:
        found = json.loads(_journal(settings).read_text(encoding="utf-8"))
        return Identity(found["release_id"], found["sha256"])
    except FileNotFoundError:
        return None
