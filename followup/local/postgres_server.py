"""A PostgreSQL of this checkout, so that BI can be tried at once: Debian's binaries, or those that pip brought.

It listens on 127.0.0.1 alone and asks everyone for a password (SCRAM); there is no socket. The passwords are drawn when
the cluster is made and stored in a file for its owner alone. Started by root, the server runs as another user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from followup.local.ports import free_port
from followup.local.postgres_binaries import found_binaries
from ingest.file_permissions import close_to_others, go_private, make_folder, write_private_file
from ingest.postgres import SCRAM
from ingest.settings import ROOT
from publish.serving.roles import LOG_LINE_PREFIX, set_bounds
from publish.serving.sessions import ANALYST, OWNER, READER

HOME_VARIABLE = "FOLLOWUP_POSTGRES_HOME"
DEFAULT_HOME = ROOT / "data" / "postgres"
DATABASE = "followup"
OWNER_ROLE = "followup_owner"
SUPERUSER = "postgres"
PREFERRED_PORT = 5433
START_SECONDS = 60
PORTS_TRIED = 5
OPTIONS = ("-c max_prepared_transactions=0", "-c log_connections=on", f"-c log_line_prefix='{LOG_LINE_PREFIX}'")
"""Nobody leaves locks behind without a session, and the log says who connected from where and who asked what."""


_LONGEST_LOG = 20_000_000
"""Bytes of the server's log, and as much again of the one before it."""


class PostgresServerError(Exception):
    """The server can't be started or stopped; the message says why, and which log to read."""


@dataclass(frozen=True)
class RunningServer:
    """A server that was started: where it listens, and the settings by which a release is served to it."""

    port: int
    logins_file: Path

    @property
    def owner_url(self) -> str:
        """For FOLLOWUP_PUBLISH_POSTGRES; the password is in the file of logins."""
        return f"postgresql://{OWNER_ROLE}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def reader_url(self) -> str:
        """What a BI tool is given, its password apart."""
        return f"postgresql://{READER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings as variables."""
        return {"FOLLOWUP_PUBLISH_POSTGRES": self.owner_url, "FOLLOWUP_PUBLISH_LOGINS": str(self.logins_file)}


class PostgresServer:
    """One cluster under one folder.

    Args:
        home: holds the cluster, its log and the passwords. Made when missing.
        options: more options of the server, for example `-c fsync=off` in tests.
        binaries: the folder with `initdb` and `pg_ctl`; found when not given.
    """

    def __init__(self, home: Path = DEFAULT_HOME, options: Sequence[str] = (), binaries: Path | None = None) -> None:
        """Nothing is started or written yet."""
        self.home = home.absolute()
        self.options = tuple(options)
        self.cluster = self.home / "cluster"
        self.logins_file = self.home / "logins.json"
        self._superuser_file = self.home / "superuser.json"
        self._port_file = self.home / "port"
        self._binaries = binaries

    def running(self) -> RunningServer | None:
        """The server of this home, if it runs."""
        if not (self.cluster / "PG_VERSION").exists() or self._run("pg_ctl", "-D", self.cluster, "status").returncode:
            return None
        return RunningServer(int(self._port_file.read_text(encoding="utf-8")), self.logins_file)

    def start(self, tell: Callable[[str], None] = lambda _: None) -> RunningServer:
        """Start the server, or return the one that runs already, when it takes connections.

        Raises:
            PostgresServerError: there are no binaries, the folder is out of reach of the server's user, or it fails.
        """
        self._make_home()
        with (self.home / "start.lock").open("w") as lock:  # of two that start it at once, one waits
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._start(tell)

    def _start(self, tell: Callable[[str], None]) -> RunningServer:
        running = self.running()
        if running is None:
            if not (self.cluster / "PG_VERSION").exists():
                tell("PostgreSQL makes its cluster")
                self._make_cluster()
            running = self._start_on_a_free_port(tell)
        self._make_database()
        return running

    def _start_on_a_free_port(self, tell: Callable[[str], None]) -> RunningServer:
        log = self.cluster / "server.log"
        given = " ".join((*OPTIONS, *self.options))
        for number in range(PORTS_TRIED):
            port = self._free_port() if number == 0 else _require_port(free_port(0))
            write_private_file(self._port_file, str(port))
            options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' {given}"
            self.rotate_log()
            wait = ("-w", "-t", START_SECONDS)
            if not self._run("pg_ctl", "-D", self.cluster, "-l", log, *wait, "-o", options, "start").returncode:
                return RunningServer(port, self.logins_file)
            if free_port(port) is not None:
                raise PostgresServerError(f"PostgreSQL did not start; see {log}")
            tell(f"port {port} was taken meanwhile")  # free when we looked, and another program was first
        raise PostgresServerError(f"{PORTS_TRIED} ports were taken while PostgreSQL started; see {log}")

    def stop(self) -> bool:
        """Stop the server; readers' sessions are ended. True when it ran.

        Raises:
            PostgresServerError: it does not stop.
        """
        if self.running() is None:
            return False
        if self._run("pg_ctl", "-D", self.cluster, "-w", "-t", START_SECONDS, "-m", "fast", "stop").returncode:
            raise PostgresServerError(f"PostgreSQL does not stop; see {self.cluster / 'server.log'}")
        return True

    def rotate_log(self) -> bool:
        """Begin the server's log anew when it has grown long; the old one is `server.log.1` in the home. True when so.

        The server appends, so that it writes on at the beginning. Its folder belongs to the server's user: a link
        there is not followed.
        """
        with contextlib.suppress(OSError):
            opened = os.open(self.cluster / "server.log", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(opened, "r+b") as log:
                found = os.fstat(opened)
                if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size <= _LONGEST_LOG:
                    return False
                log.seek(-_LONGEST_LOG, os.SEEK_END)
                write_private_file(self.home / "server.log.1", log.read(_LONGEST_LOG).decode("utf-8", "replace"))
                log.truncate(0)
                return True
        return False

    def superuser(self, database: str = SUPERUSER) -> psycopg.Connection[Any]:
        """A superuser's connection to the server that runs, each statement its own transaction.

        Raises:
            PostgresServerError: it does not run.
        """
        running = self.running()
        if running is None:
            raise PostgresServerError(f"no PostgreSQL runs from {self.home}")
        return psycopg.connect(
            host="127.0.0.1",
            port=running.port,
            dbname=database,
            user=SUPERUSER,
            password=json.loads(self._superuser_file.read_text(encoding="utf-8"))[SUPERUSER],
            autocommit=True,
            connect_timeout=10,
            require_auth=SCRAM,
        )

    # -- making it -----------------------------------------------------------------------------------------------------

    def _make_home(self) -> None:
        """For us alone; the server's user may pass it to the cluster, where it is another one."""
        go_private()
        make_folder(self.home)
        close_to_others(self.home)
        if self._owner:
            os.chown(self.home, -1, self._owner["group"])
            self.home.chmod(0o710)

    def _make_cluster(self) -> None:
        """Run initdb in a folder beside and rename it, so that a cluster is whole or not there."""
        new = self.home / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        write_private_file(self._superuser_file, json.dumps({SUPERUSER: password}))
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix=".password-") as given:
            given.write(password)
            given.flush()
            self._hand_over(new, Path(given.name))
            arguments = ("-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={given.name}", "-E", "UTF8", "--locale=C")
            done = self._run("initdb", "-D", new, *arguments)
        if done.returncode:
            raise PostgresServerError(f"PostgreSQL can't make its cluster: {done.stderr.strip()[-600:]}")
        rules = new / "pg_hba.conf"
        roles = f"{OWNER_ROLE},{READER},{ANALYST}"
        rules.write_text(
            f"host {DATABASE} {roles},{SUPERUSER} 127.0.0.1/32 scram-sha-256\n"
            f"host all {SUPERUSER} 127.0.0.1/32 scram-sha-256\n",
            encoding="utf-8",
        )
        new.replace(self.cluster)

    def _hand_over(self, *paths: Path) -> None:
        """Give paths to the server's user, and see that it can reach them."""
        for path in paths:
            if self._owner:
                os.chown(path, self._owner["user"], self._owner["group"])
        reached = subprocess.run(["test", "-w", str(paths[0])], check=False, cwd="/", **self._owner)
        if reached.returncode:
            raise PostgresServerError(
                f"PostgreSQL does not run as root, and {pwd.getpwuid(self._owner['user']).pw_name} can't reach "
                f"{self.home}: set {HOME_VARIABLE} to a folder that it can, or run as another user than root"
            )

    def _make_database(self) -> None:
        """The owner, its database, and what only a superuser can forbid the readers. Safe to repeat."""
        known: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self.logins_file.read_text(encoding="utf-8"))
        logins = {role: secrets.token_urlsafe(24) for role in (OWNER, READER, ANALYST)} | known
        write_private_file(self.logins_file, json.dumps(logins, indent=1))
        try:
            with self.superuser() as connection:
                _make_owner(connection, logins[OWNER])
                if not connection.execute("select true from pg_database where datname = %s", [DATABASE]).fetchone():
                    connection.execute(
                        sql.SQL("create database {} owner {}").format(
                            sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)
                        )
                    )
                for name in (SUPERUSER, "template1"):
                    connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
            with self.superuser(DATABASE) as connection:
                set_bounds(connection)
        except psycopg.Error as error:
            raise PostgresServerError(f"PostgreSQL started, but can't be set up: {str(error).strip()}") from None

    def write_services(self, running: RunningServer) -> Path:
        """Write how each role connects, for libpq (PGSERVICEFILE): `psql service=followup_reader`; returns the path."""
        logins = json.loads(self.logins_file.read_text(encoding="utf-8"))
        roles = {OWNER_ROLE: OWNER, READER: READER, ANALYST: ANALYST}
        services = [
            f"[{role}]\nhost=127.0.0.1\nport={running.port}\ndbname={DATABASE}\nuser={role}\npassword={logins[login]}\n"
            for role, login in roles.items()
        ]
        path = self.home / "pg_service.conf"
        write_private_file(path, "\n".join(services))
        return path

    # -- the machine ---------------------------------------------------------------------------------------------------

    @property
    def _owner(self) -> dict[str, Any]:
        """As whom programs run, for subprocess: as we do, but never as root."""
        if os.getuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        raise PostgresServerError("PostgreSQL does not run as root, and there is no user postgres or nobody")

    def binaries(self) -> Path:
        """The folder of PostgreSQL's programs; for a cluster that is there, of its own version.

        Raises:
            PostgresServerError: there is none that this user may run, or none of the cluster's version.
        """
        if self._binaries is not None:
            return self._binaries
        version_file, wanted = self.cluster / "PG_VERSION", None
        if version_file.exists():
            wanted = version_file.read_text(encoding="ascii").strip()
        found = False
        for folder in found_binaries():
            with contextlib.suppress(OSError):
                done = subprocess.run(
                    [str(folder / "initdb"), "--version"],
                    capture_output=True,
                    text=True,
                    check=False,
                    cwd="/",
                    **self._owner,
                )
                found = found or not done.returncode
                if not done.returncode and wanted in (None, _major(done.stdout)):
                    self._binaries = folder
                    return folder
        if found:
            raise PostgresServerError(
                f"{self.home} was made by PostgreSQL {wanted}, which is not here; what it holds can be "
                "published again: remove the folder"
            )
        raise PostgresServerError("there is no PostgreSQL server here: sudo apt-get install postgresql, or make setup")

    def _run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self.binaries() / program), *map(str, arguments)]
        passed_on = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        with tempfile.TemporaryFile("w+") as errors:  # a pipe would be held open by the server
            done = subprocess.run(
                command, cwd="/", env={**passed_on, "LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, check=False, **self._owner,
            )  # fmt: skip
            errors.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, "", errors.read())

    def _free_port(self) -> int:
        """The port of last time when it is free, else the preferred one, else any."""
        last = PREFERRED_PORT
        with contextlib.suppress(OSError, ValueError):
            last = int(self._port_file.read_text(encoding="utf-8"))
        return _require_port(free_port(last, PREFERRED_PORT, 0))


def _require_port(port: int | None) -> int:
    if port is None:
        raise PostgresServerError("no free port on 127.0.0.1")
    return port


def _major(version: str) -> str:
    """15 of `initdb (PostgreSQL) 15.14 (Debian 15.14-0)`."""
    return version.partition(")")[2].split()[0].split(".")[0]


def _make_owner(connection: psycopg.Connection[Any], password: str) -> None:
    named = sql.Identifier(OWNER_ROLE)
    if not connection.execute("select true from pg_roles where rolname = %s", [OWNER_ROLE]).fetchone():
        connection.execute(sql.SQL("create role {} login createrole").format(named))
    verifier = connection.pgconn.encrypt_password(password.encode(), OWNER_ROLE.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(named, sql.Literal(verifier)))
