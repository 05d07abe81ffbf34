"""A native Airflow for one checkout: its own home, port and password, started and stopped whole.

`python -m followup.orchestrator up|down|status`. Airflow is only ever run here as a program, never imported. Every
process carries a mark in its environment by which all of them are found again, those that tasks have started too.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from followup.airflow_client import AirflowClient, AirflowError
from followup.postgres_server import ServerForReaders
from ingest.private import close_home, go_private, make_folder
from ingest.settings import ROOT, Settings

HOME_VARIABLE = "FOLLOWUP_AIRFLOW_HOME"
DEFAULT_HOME = ROOT / "data" / "airflow"
USER = "admin"
PREFERRED_PORT = 8080
PORTS_TRIED = 3
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
MARK = "FOLLOWUP_AIRFLOW_MARK"
START_SECONDS = 240
STOP_SECONDS = 10


class OrchestratorError(Exception):
    """Airflow could not be started or has stopped; the message names the log to read."""


@dataclass(frozen=True)
class Running:
    """An Airflow that was started: where it answers and which processes it is."""

    url: str
    mark: str
    pids: dict[str, int]


class Orchestrator:
    """One native Airflow under one home.

    Args:
        home: AIRFLOW_HOME; holds its database, logs, secrets and state. Made when missing.
        extra_environment: variables that go before those of the environment and of this class.
    """

    def __init__(self, home: Path = DEFAULT_HOME, extra_environment: dict[str, str] | None = None) -> None:
        """Nothing is started or written yet."""
        self.home = home.absolute()
        self.extra_environment = extra_environment or {}
        self.password_file = self.home / "password.json"
        self.logs = self.home / "logs"
        self._state_file = self.home / "running.json"

    # -- what runs now -------------------------------------------------------------------------------------------------

    def running(self) -> Running | None:
        """The Airflow that was started from this home, if every component of it still lives."""
        started = self._read_state()
        if started is None:
            return None
        alive = set(_marked(started.mark))
        return started if alive.issuperset(started.pids.values()) else None

    def client(self) -> AirflowClient:
        """A client of the Airflow that runs.

        Raises:
            OrchestratorError: none runs.
        """
        running = self.running()
        if running is None:
            raise OrchestratorError(f"no Airflow runs from {self.home}")
        return AirflowClient(running.url, USER, json.loads(self.password_file.read_text(encoding="utf-8"))[USER])

    def _read_state(self) -> Running | None:
        try:
            return Running(**json.loads(self._state_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    # -- start and stop ------------------------------------------------------------------------------------------------

    def start(self, tell: Callable[[str], None] = lambda _: None) -> Running:
        """Start Airflow, or return the one that already runs, when it is ready to take runs.

        What an earlier start left half alive is stopped first. Interrupted or failing, it stops what it started.

        Raises:
            OrchestratorError: a component ended or was not ready in time.
        """
        go_private()
        running = self.running()
        if running is not None:
            return running
        self.stop()
        make_folder(self.home)
        close_home(self.home)
        self.logs.mkdir(exist_ok=True)
        self._migrate(self._environment(PREFERRED_PORT), tell)
        for preferred in (PREFERRED_PORT, *[0] * (PORTS_TRIED - 1)):
            port = _free_port(preferred)
            tell(f"Airflow starts on port {port}")
            try:
                return self._start_on(port)
            except OrchestratorError:
                # free when we looked, and taken by another program while Airflow started
                if not self._found_port_taken():
                    raise
                tell(f"port {port} was taken meanwhile")
        raise OrchestratorError(f"{PORTS_TRIED} ports were taken while Airflow started; see {self.logs}")

    def _start_on(self, port: int) -> Running:
        mark = secrets.token_hex(8)
        environment = self._environment(port) | {MARK: mark}
        try:
            pids = {name: self._spawn(name, arguments, environment) for name, arguments in COMPONENTS.items()}
            running = Running(f"http://127.0.0.1:{port}", mark, pids)
            _write(self._state_file, json.dumps(asdict(running)))
            self._wait_until_ready(running)
        except BaseException:
            _end(mark)
            self._state_file.unlink(missing_ok=True)
            raise
        return running

    def _found_port_taken(self) -> bool:
        log = (self.logs / "api-server.log").read_text(encoding="utf-8", errors="replace")
        return "address already in use" in log.lower()

    def stop(self) -> bool:
        """Stop Airflow and whatever its tasks still run; True when something was stopped."""
        started = self._read_state()
        stopped = started is not None and _end(started.mark)
        self._state_file.unlink(missing_ok=True)
        return stopped

    def _migrate(self, environment: dict[str, str], tell: Callable[[str], None]) -> None:
        done = self.home / "migrated"
        version = _installed_version()
        if (self.home / "airflow.db").exists() and done.exists() and done.read_text(encoding="utf-8") == version:
            return
        tell("Airflow makes its database")
        log = self.logs / "migrate.log"
        with log.open("w", encoding="utf-8") as out:
            code = subprocess.run(
                [*_airflow(), "db", "migrate"], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            ).returncode
        if code:
            raise OrchestratorError(f"airflow db migrate ended with {code}; see {log}")
        _write(done, version)

    def _spawn(self, name: str, arguments: tuple[str, ...], environment: dict[str, str]) -> int:
        with (self.logs / f"{name}.log").open("w", encoding="utf-8") as out:
            return subprocess.Popen(
                [*_airflow(), *arguments],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            ).pid  # fmt: skip

    def _wait_until_ready(self, running: Running) -> None:
        """Ready: all our processes live, both components are healthy, the DAGs are read, the pools are there."""
        wanted = {path.stem for path in (ROOT / "dags").glob("*.py")}
        pools = json.loads((ROOT / "dags" / "pools.json").read_text(encoding="utf-8"))
        client = AirflowClient(running.url, USER, json.loads(self.password_file.read_text(encoding="utf-8"))[USER])
        give_up_at = time.monotonic() + START_SECONDS
        problem = ""
        while time.monotonic() < give_up_at:
            for name, pid in running.pids.items():
                if _has_ended(pid):
                    raise OrchestratorError(f"Airflow's {name} has ended; see {self.logs / name}.log")
            try:
                sick = [name for name, state in client.health().items() if state != "healthy" and name != "triggerer"]
                missing = wanted - set(client.dags())
                problem = f"not healthy: {sick}; DAGs not read: {sorted(missing)}, {client.import_errors()}"
                if not sick and not missing:
                    _put_pools(client, pools)
                    return
            except AirflowError as error:
                problem = str(error)
            time.sleep(0.5)
        raise OrchestratorError(f"Airflow was not ready within {START_SECONDS} s ({problem}); see {self.logs}")

    # -- configuration -------------------------------------------------------------------------------------------------

    def _environment(self, port: int) -> dict[str, str]:
        """The environment of every component: ours for FOLLOWUP_*, nobody else's for Airflow."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW") and k != "PYTHONDONTWRITEBYTECODE"}
        own |= followup_environment()
        hidden = self._secrets()
        url = f"http://127.0.0.1:{port}"
        settings = {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "warm_executor.WarmLocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DEFAULT_TASK_RETRY_DELAY": "60",
            "CORE__FERNET_KEY": hidden["fernet"],
            "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__BASE_URL": url,
            "API__WORKERS": "1",
            "API__SECRET_KEY": hidden["api"],
            "API_AUTH__JWT_SECRET": hidden["jwt"],
            "LOGGING__BASE_LOG_FOLDER": str(self.logs / "tasks"),
            "LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",  # Airflow sets these whatever the umask is
            "LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        local = ",".join(filter(None, [own.get("NO_PROXY") or own.get("no_proxy"), "127.0.0.1", "localhost"]))
        return own | {f"AIRFLOW__{key}": value for key, value in settings.items()} | {
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), own.get("PYTHONPATH")])),
            "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",  # of dbt, at the end of every task that ran it
            "NO_PROXY": local,
            "no_proxy": local,
            "SPT_NOENV": "1",  # or the process titles Airflow sets would overwrite the mark
        } | self.extra_environment  # fmt: skip

    def _secrets(self) -> dict[str, str]:
        """Secrets of this home, made the first time, readable by the owner alone."""
        make_folder(self.home)
        if not self.password_file.exists():
            _write(self.password_file, json.dumps({USER: secrets.token_urlsafe(15)}))
        path = self.home / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        drawn = {"jwt": secrets.token_urlsafe(48), "api": secrets.token_urlsafe(48), "fernet": fernet}
        if not drawn.keys() <= known.keys():
            _write(path, json.dumps(drawn | known))
        return drawn | known


def followup_environment() -> dict[str, str]:
    """The installation's settings as absolute paths, so that they mean the same in every process."""
    settings = Settings()
    found = {key: value for key, value in os.environ.items() if key.startswith("FOLLOWUP_") and key != MARK}
    found["FOLLOWUP_HOME"] = str(settings.home.absolute())
    found["FOLLOWUP_KEYS"] = str(settings.keys.absolute())
    found["FOLLOWUP_DISTRICTS"] = str(settings.districts.absolute())
    if settings.publish_logins is not None:
        found["FOLLOWUP_PUBLISH_LOGINS"] = str(settings.publish_logins.absolute())
    inbox = str(settings.inbox)
    found["FOLLOWUP_INBOX"] = inbox if "://" in inbox else str(Path(inbox).absolute())
    clock = settings.now_text
    if clock and clock.startswith("@"):
        found["FOLLOWUP_NOW"] = f"@{Path(clock[1:]).absolute()}"
    return found


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _installed_version() -> str:
    from importlib.metadata import version

    return version("apache-airflow")


def _put_pools(client: AirflowClient, pools: dict[str, dict[str, object]]) -> None:
    present = {pool["name"] for pool in client.call("GET", "pools", limit=100)["pools"]}
    for name, pool in pools.items():
        if name in present:
            client.call("PATCH", f"pools/{name}", {"pool": name, **pool})
        else:
            client.call("POST", "pools", {"name": name, **pool})


def _free_port(preferred: int) -> int:
    """The preferred port when nothing listens on it, else one the system gives."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OrchestratorError("no free port on 127.0.0.1")


def _write(path: Path, text: str) -> None:
    """Write a file whole, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    new.replace(path)


# -- processes by their mark -------------------------------------------------------------------------------------------


def _marked(mark: str) -> Iterator[int]:
    """Process ids that carry the mark and have not ended."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0") and not _has_ended(int(entry.name)):
                    yield int(entry.name)


def _has_ended(pid: int) -> bool:
    """Whether a process is gone or a zombie; our own dead children are taken up on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def _end(mark: str) -> bool:
    """End every marked process: TERM, and KILL for what is left; True when there was any."""
    found = False
    give_up_at = time.monotonic() + STOP_SECONDS
    told: set[int] = set()
    while pids := set(_marked(mark)):
        found = True
        overdue = time.monotonic() > give_up_at
        for pid in pids if overdue else pids - told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if overdue else signal.SIGTERM)
        told |= pids
        time.sleep(0.2)
    return found


# -- command line ------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """`up` starts Airflow and a PostgreSQL for BI and leaves them running, `down` stops them, `status` tells.

    `status` exits with 1 when Airflow does not run. An installation that names a database of its own
    (FOLLOWUP_PUBLISH_POSTGRES) gets no other.
    """
    go_private()
    parser = argparse.ArgumentParser(prog="python -m followup.orchestrator", description=main.__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    home = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    parser.add_argument(
        "--home", type=Path, default=home, help=f"Airflow's home (default: {HOME_VARIABLE}, data/airflow)"
    )
    parser.add_argument("--no-postgres", action="store_true", help="leave PostgreSQL alone")
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    errors = Console(stderr=True, soft_wrap=True, markup=False)
    database = ServerForReaders(console.print, errors.print, is_wanted=not chosen.no_postgres)
    orchestrator = Orchestrator(chosen.home)
    if chosen.command == "down":
        console.print("Airflow is stopped" if orchestrator.stop() else "Airflow was not running")
        return 0 if database.stop() else 1
    if chosen.command == "up":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            with database.starting() as environment:
                orchestrator.extra_environment = environment
                orchestrator.start(tell=console.print)
        except OrchestratorError as error:
            errors.print(str(error))
            return 1
    database.describe()
    running = orchestrator.running()
    if running is None:
        console.print("Airflow does not run")
        return 1
    console.print(f"Airflow: {running.url}   user: {USER}   password: in {orchestrator.password_file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
