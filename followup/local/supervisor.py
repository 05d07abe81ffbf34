"""Supervises a native Airflow and the portal beside it: starts a component that ends again, with a line in the log.

`followup.local.orchestrator` starts one beside every Airflow (`python -m followup.local.supervisor HOME`), and runs one
itself under `run`. It ends when the Airflow that it watches is stopped or replaced.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from followup.local.marked_processes import has_ended, stop_marked
from followup.local.postgres_server import PostgresServer, PostgresServerError
from ingest.file_permissions import go_private, write_private_file
from ingest.settings import ROOT

log = logging.getLogger(__name__)

COMPONENTS = {
    "api-server": ("airflow", "api-server"),
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
    "dag-processor": ("airflow", "dag-processor"),
    "portal": ("portal",),
}
"""Name → module and its arguments."""
PORTAL = "portal"
OF_AIRFLOW = tuple(name for name in COMPONENTS if name != PORTAL)
MARK = "FOLLOWUP_AIRFLOW_MARK"
COMPONENT = "FOLLOWUP_AIRFLOW_COMPONENT"
"""Variable by which a component's own processes are found, its tasks' among them."""
CHECK_SECONDS = 1.0
POSTGRES_CHECK_SECONDS = 10.0
LONGEST_PAUSE = 60.0
CALM_SECONDS = 600.0
"""A component that has lived for so long is started again without a pause."""


@dataclass(frozen=True)
class Running:
    """An Airflow that was started: where it answers, its processes, and the PostgreSQL and the portal beside it."""

    url: str
    mark: str
    pids: dict[str, int]
    supervisor: int = 0
    postgres_home: str = ""
    """Empty when it has none."""
    portal_url: str = ""
    """Empty when it has none."""


def read_state(home: Path) -> Running | None:
    """What was started from a home, by its state file; None when nothing was, or the file can't be read."""
    try:
        return Running(**json.loads(_state_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(home: Path, running: Running) -> None:
    """Replace the state file."""
    write_private_file(_state_file(home), json.dumps(asdict(running)))


def remove_state(home: Path) -> None:
    """Say that nothing runs from a home."""
    _state_file(home).unlink(missing_ok=True)


def _state_file(home: Path) -> Path:
    return home / "running.json"


def start_component(name: str, home: Path, environment: Mapping[str, str], *, is_again: bool = False) -> int:
    """Start one component and return its process id; its output goes to `logs/NAME.log`.

    Args:
        name: a key of COMPONENTS.
        home: Airflow's home.
        environment: of the whole Airflow, with its mark.
        is_again: add to the log of the one that ended instead of replacing it.
    """
    with (home / "logs" / f"{name}.log").open("a" if is_again else "w", encoding="utf-8") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *COMPONENTS[name]],
            cwd=ROOT, env={**environment, COMPONENT: name}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        ).pid  # fmt: skip


@dataclass
class _Lifetime:
    """When a component was last started, and how often it has ended soon after."""

    started_at: float
    early_ends: int = 0


@dataclass
class Supervisor:
    """Watches the components of one Airflow.

    Args:
        home: Airflow's home.
        environment: with which components are started; holds the mark.
    """

    home: Path
    environment: Mapping[str, str]
    _lives: dict[str, _Lifetime] = field(default_factory=dict, init=False)
    _looked_at_postgres: float = field(default=0.0, init=False)

    def watch(self) -> None:
        """Start again what ends, until the state file names another Airflow or none."""
        now = time.monotonic()
        self._lives = {name: _Lifetime(now) for name in COMPONENTS}
        while (running := self._own_state()) is not None:
            for name, pid in running.pids.items():
                if has_ended(pid):
                    self._restart(name, pid)
            self._check_postgres(running)
            time.sleep(CHECK_SECONDS)

    def _own_state(self) -> Running | None:
        running = read_state(self.home)
        return running if running is not None and running.mark == self.environment[MARK] else None

    def _restart(self, name: str, pid: int) -> None:
        """End what the dead component has left, its tasks too, and start it again: at once, or after a pause when it
        has ended soon after its start several times."""
        life = self._lives[name]
        life.early_ends = life.early_ends + 1 if time.monotonic() - life.started_at < CALM_SECONDS else 0
        pause = min(2.0**life.early_ends - 2, LONGEST_PAUSE) if life.early_ends else 0.0
        log.warning("%s (process %d) has ended; it is started again in %.0f s. See %s.log", name, pid, pause, name)
        stop_marked({MARK: self.environment[MARK], COMPONENT: name})
        waited_until = time.monotonic() + pause
        while time.monotonic() < waited_until and self._own_state() is not None:
            time.sleep(min(CHECK_SECONDS, pause))
        running = self._own_state()  # it may have been stopped meanwhile
        if running is None:
            return
        new = start_component(name, self.home, self.environment, is_again=True)
        write_state(self.home, replace(running, pids={**running.pids, name: new}))
        life.started_at = time.monotonic()
        log.info("%s runs again (process %d)", name, new)

    def _check_postgres(self, running: Running) -> None:
        """Start the PostgreSQL for readers again when it has ended; `down` ends the supervisor before it stops it."""
        now = time.monotonic()
        if not running.postgres_home or now - self._looked_at_postgres < POSTGRES_CHECK_SECONDS:
            return
        self._looked_at_postgres = now
        server = PostgresServer(Path(running.postgres_home))
        if server.rotate_log():
            log.info("PostgreSQL's log had grown long and is begun anew; the old one is server.log.1")
        with contextlib.suppress(PostgresServerError):
            if server.running() is not None:
                return
        log.warning("PostgreSQL has ended; it is started again")
        try:
            server.start()
        except PostgresServerError as error:
            log.warning("%s", error)
        else:
            log.info("PostgreSQL runs again")


def start_supervisor(home: Path, environment: Mapping[str, str]) -> int:
    """Start a supervisor of its own process beside an Airflow; returns its id. Its log is `logs/supervisor.log`."""
    with (home / "logs" / "supervisor.log").open("a", encoding="utf-8") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "followup.local.supervisor", str(home)],
            cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        ).pid  # fmt: skip


def main() -> None:
    """Watch the Airflow whose home is the argument and whose environment is this process's."""
    go_private()
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)sZ %(message)s", datefmt="%FT%T")
    log.info("the supervisor watches")
    Supervisor(Path(sys.argv[1]), dict(os.environ)).watch()
    log.info("the supervisor ends: what it watched was stopped")


if __name__ == "__main__":
    main()
