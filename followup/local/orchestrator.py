"""A native Airflow, with the portal beside it, for one checkout: started and stopped whole.

`python -m followup.local.orchestrator up|down|status|run`. Airflow is only run here as a program, never imported. Every
process has a mark in its environment by which all of them are found again, those that tasks have started too.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import requests
from rich.console import Console

from followup.local.airflow_client import AirflowClient, AirflowError
from followup.local.environment import followup_environment
from followup.local.marked_processes import has_ended, marked_pids, stop_marked
from followup.local.portal_accounts import portal_accounts
from followup.local.ports import free_port, only_this_user_listens
from followup.local.readers_server import ServerForReaders
from followup.local.supervisor import (
    MARK,
    OF_AIRFLOW,
    PORTAL,
    Running,
    read_state,
    remove_state,
    start_component,
    start_supervisor,
    write_state,
)
from ingest.failures import in_sentences
from ingest.file_permissions import close_home, go_private, make_folder, write_private_file
from ingest.settings import ROOT, Settings, SettingsError

HOME_VARIABLE = "FOLLOWUP_AIRFLOW_HOME"
DEFAULT_HOME = ROOT / "data" / "airflow"
USER = "admin"
PREFERRED_PORT = 8080
PREFERRED_PORTAL_PORT = 8090
PORTAL_URL = "FOLLOWUP_PORTAL_URL"
PORTS_TRIED = 3
START_SECONDS = 240


class OrchestratorError(Exception):
    """Airflow could not be started or has stopped; the message names the log to read."""


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
        self.postgres_home = ""
        self.has_portal = False
        """Whether the portal is started beside Airflow."""
        self.password_file = self.home / "password.json"
        self.logs = self.home / "logs"

    # -- what runs now -------------------------------------------------------------------------------------------------

    def running(self) -> Running | None:
        """The Airflow that was started from this home, if every component of it lives, or is being started again."""
        started = read_state(self.home)
        if started is None:
            return None
        alive = set(marked_pids({MARK: started.mark}))
        is_alive = alive.issuperset(started.pids.values()) or started.supervisor in alive
        return started if is_alive else None

    def client(self) -> AirflowClient:
        """A client of the Airflow that runs.

        Raises:
            OrchestratorError: none runs.
        """
        running = self.running()
        if running is None:
            raise OrchestratorError(f"no Airflow runs from {self.home}")
        return self._client_of(running)

    def _client_of(self, running: Running) -> AirflowClient:
        """A client that gives the password to no program of another user, which may have taken the port."""
        password = json.loads(self.password_file.read_text(encoding="utf-8"))[USER]
        port = int(running.url.rpartition(":")[2])
        return AirflowClient(running.url, USER, password, may_log_in=lambda: only_this_user_listens(port))

    # -- start and stop ------------------------------------------------------------------------------------------------

    def start(self, tell: Callable[[str], None] = lambda _: None) -> Running:
        """Start Airflow, or return the one that already runs, when it is ready to take runs.

        A supervisor is started beside it. What an earlier start left half alive is stopped first. Interrupted or
        failing, it stops what it started.

        Raises:
            OrchestratorError: a component ended or was not ready in time.
        """
        go_private()
        running = self.running()
        if running is not None:
            return self._ensure_supervised(running)
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
        portal_port = _free_port(PREFERRED_PORTAL_PORT) if self.has_portal else None
        environment = self._environment(port, portal_port) | {MARK: mark}
        names = (*OF_AIRFLOW, PORTAL) if self.has_portal else OF_AIRFLOW
        try:
            pids = {name: start_component(name, self.home, environment) for name in names}
            url, portal = f"http://127.0.0.1:{port}", environment.get(PORTAL_URL, "") if self.has_portal else ""
            running = Running(url, mark, pids, postgres_home=self.postgres_home, portal_url=portal)
            write_state(self.home, running)
            self._wait_until_ready(running)
            return self._ensure_supervised(running)
        except BaseException:
            remove_state(self.home)
            stop_marked({MARK: mark})
            raise

    def _ensure_supervised(self, running: Running) -> Running:
        """The same Airflow with a supervisor that lives."""
        if running.supervisor in set(marked_pids({MARK: running.mark})):
            return running
        portal_port = int(running.portal_url.rpartition(":")[2]) if running.portal_url else None
        environment = self._environment(int(running.url.rpartition(":")[2]), portal_port) | {MARK: running.mark}
        running = replace(running, supervisor=start_supervisor(self.home, environment))
        write_state(self.home, running)
        return running

    def _found_port_taken(self) -> bool:
        log = (self.logs / "api-server.log").read_text(encoding="utf-8", errors="replace")
        return "address already in use" in log.lower()

    def stop(self) -> bool:
        """Stop Airflow and whatever its tasks still run; True when something was stopped."""
        started = read_state(self.home)
        remove_state(self.home)  # first, or the supervisor would start again what is ended here
        return started is not None and stop_marked({MARK: started.mark})

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
        write_private_file(done, version)

    def _portal_environment(self, port: int, portal_port: int) -> dict[str, str]:
        """What the portal is set to where the installation does not say: this machine's address, and this Airflow."""
        return {
            PORTAL_URL: f"http://127.0.0.1:{portal_port}",
            "FOLLOWUP_PORTAL_HOST": "127.0.0.1",
            "FOLLOWUP_PORTAL_PORT": str(portal_port),
            "FOLLOWUP_PORTAL_AIRFLOW_URL": f"http://127.0.0.1:{port}",
            "FOLLOWUP_PORTAL_AIRFLOW_LOGIN": str(self._portal_login()),
        }

    def _portal_login(self) -> Path:
        """The file from which the portal reads whom Airflow knows it as."""
        path = self.home / "portal_login.json"
        self._secrets()
        password = json.loads(self.password_file.read_text(encoding="utf-8"))[USER]
        write_private_file(path, json.dumps({"user": USER, "password": password}))
        return path

    def _wait_until_ready(self, running: Running) -> None:
        """Ready: all our processes live, both components are healthy, the DAGs are read, the pools are there."""
        wanted = {path.stem for path in (ROOT / "dags").glob("*.py")}
        pools = json.loads((ROOT / "dags" / "pools.json").read_text(encoding="utf-8"))
        client = self._client_of(running)
        give_up_at = time.monotonic() + START_SECONDS
        problem = ""
        while time.monotonic() < give_up_at:
            for name, pid in running.pids.items():
                if has_ended(pid):
                    raise OrchestratorError(f"{name} has ended; see {self.logs / name}.log")
            try:
                sick = [name for name, state in client.health().items() if state != "healthy" and name != "triggerer"]
                missing = wanted - set(client.dags())
                problem = f"not healthy: {sick}; DAGs not read: {sorted(missing)}, {client.import_errors()}"
                is_portal_up = not running.portal_url or _answers(running.portal_url)
                problem += "" if is_portal_up else "; the portal does not answer"
                if not sick and not missing and is_portal_up:
                    _put_pools(client, pools)
                    return
            except AirflowError as error:
                problem = str(error)
            time.sleep(0.5)
        raise OrchestratorError(f"Airflow was not ready within {START_SECONDS} s ({problem}); see {self.logs}")

    # -- configuration -------------------------------------------------------------------------------------------------

    def _environment(self, port: int, portal_port: int | None = None) -> dict[str, str]:
        """The environment of every component: ours for FOLLOWUP_*, nobody else's for Airflow.

        The portal has the port and address that the installation sets, else this port of this machine.
        """
        own = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW") and k != "PYTHONDONTWRITEBYTECODE"}
        own |= followup_environment()
        if portal_port is not None:
            own = self._portal_environment(port, portal_port) | own
        hidden = self._secrets()
        url = f"http://127.0.0.1:{port}"
        settings = {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "warm_executor.WarmLocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__DEFAULT_TASK_RETRY_DELAY": "60",
            # The end of a task may be seen this many seconds late. If a sensor is queued again before that, Airflow
            # takes the event of its last poke for a failure.
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "CORE__FERNET_KEY": hidden["fernet"],
            "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{quote(str(self.home / 'airflow.db'))}",
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

    def write_environment(self, more: dict[str, str]) -> Path:
        """Write the installation's settings as a file for a shell to read; returns its path. It holds no password.

        Args:
            more: variables beside those of `followup_environment`.
        """
        path = self.home / "environment"
        settings = installation_variables() | {HOME_VARIABLE: str(self.home), **more}
        write_private_file(
            path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(settings.items()))
        )
        return path

    def _secrets(self) -> dict[str, str]:
        """Secrets of this home, made the first time, readable by the owner alone."""
        make_folder(self.home)
        if not self.password_file.exists():
            write_private_file(self.password_file, json.dumps({USER: secrets.token_urlsafe(15)}))
        path = self.home / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        drawn = {"jwt": secrets.token_urlsafe(48), "api": secrets.token_urlsafe(48), "fernet": fernet}
        if not drawn.keys() <= known.keys():
            write_private_file(path, json.dumps(drawn | known))
        return drawn | known


def installation_variables() -> dict[str, str]:
    """Those of `followup_environment` that are settings and hold no password."""
    # The ledger's URL may hold a password, and so may variables that districts.yml names.
    known = Settings.variables() - {"FOLLOWUP_LEDGER_URL"}
    return {name: value for name, value in followup_environment().items() if name in known}


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


def _answers(url: str) -> bool:
    """Whether the portal answers on this machine; `url` is what browsers use, so its port is asked here."""
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(f"{url}/halsa", timeout=5).ok
    except requests.RequestException:
        return False


def _free_port(preferred: int) -> int:
    """The preferred port when nothing listens on it, else one the system gives."""
    port = free_port(preferred, 0)
    if port is None:
        raise OrchestratorError("no free port on 127.0.0.1")
    return port


# -- command line ------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run a command of `run_command`. A wrong setting, or a disk that fails, is a sentence and exit code 3."""
    go_private()
    try:
        return run_command(arguments)
    except Exception as error:
        lines = in_sentences(error)
        if not lines:
            raise
        for line in lines:
            Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(line)
        return 3


def run_command(arguments: list[str] | None = None) -> int:
    """`up` starts Airflow, the portal and a PostgreSQL for BI, `down` stops them, `status` says what runs.

    `run` starts them and stays until it is ended, as a service manager wants it. `status` exits with 1 when Airflow
    does not run. An installation that names a database of its own (FOLLOWUP_PUBLISH_POSTGRES) gets no other.
    """
    parser = argparse.ArgumentParser(prog="python -m followup.local.orchestrator", description=run_command.__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "run"))
    parser.add_argument(
        "--home",
        type=Path,
        default=Settings().airflow_home,
        help=f"Airflow's home (default: {HOME_VARIABLE}, FOLLOWUP_HOME/airflow, data/airflow)",
    )
    parser.add_argument("--no-postgres", action="store_true", help="leave PostgreSQL alone")
    parser.add_argument("--no-portal", action="store_true", help="start no portal")
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    errors = Console(stderr=True, soft_wrap=True, markup=False)
    database = ServerForReaders(console.print, errors.print, is_wanted=not chosen.no_postgres)
    orchestrator = Orchestrator(chosen.home)
    orchestrator.has_portal = not chosen.no_portal
    if chosen.command == "down":
        console.print("Airflow and the portal are stopped" if orchestrator.stop() else "Airflow was not running")
        return 0 if database.stop() else 1
    if chosen.command in ("up", "run"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            with database.starting() as environment:
                orchestrator.extra_environment = environment
                orchestrator.postgres_home = str(database.server.home) if environment else ""
                orchestrator.start(tell=console.print)
        except OrchestratorError as error:
            errors.print(str(error))
            return 1
        except SettingsError as error:
            errors.print(str(error))
            return 3
    database.describe()
    running = orchestrator.running()
    if running is None:
        console.print("Airflow does not run")
        return 1
    console.print(f"Airflow: {running.url}   user: {USER}   password: in {orchestrator.password_file}")
    console.print(
        "It listens to this machine alone (127.0.0.1). Wrong passwords are not counted: never open its port to others; "
        "put the proxy of docker-compose.yml, or your own, before it."
    )
    if running.portal_url:
        console.print(f"Portal: {running.portal_url}")
        for line in portal_accounts(Settings()):
            console.print(line)
    if chosen.command in ("up", "run"):
        exports = orchestrator.write_environment(database.variables())
        console.print(f"In this shell, commands and psql work on the same installation after: . {exports}")
    if chosen.command == "up":
        console.print(f"What ends is started again: {orchestrator.logs / 'supervisor.log'} says when.")
        console.print("To start all of this with the machine, and without containers: followup service install")
    if chosen.command == "run":
        return _wait_until_ended(orchestrator, database)
    return 0


def _wait_until_ended(orchestrator: Orchestrator, database: ServerForReaders) -> int:
    """Wait until this process is ended (0, all is stopped) or Airflow is stopped by somebody else (1)."""
    try:
        while orchestrator.running() is not None:
            time.sleep(2)
    except (SystemExit, KeyboardInterrupt):
        orchestrator.stop()
        database.stop()
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
