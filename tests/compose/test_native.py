"""The processes of docker-compose.yml come up natively, with its commands, its settings and its health checks.

No Docker engine is needed: hosts become 127.0.0.1, ports free ones, mounted paths temporary folders. What the images
themselves do (building, users, volumes) is not covered here.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from composefile import load, required

from followup.airflow_client import AirflowClient, AirflowError
from ingest.keys import make_keys
from ingest.settings import ROOT

pytestmark = [pytest.mark.airflow, pytest.mark.server, pytest.mark.timeout(420)]
LASTING = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
PORTS = {"postgres": 5432, "redis": 6379, "api-server": 8080}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Native:
    """The composed services as processes of this machine."""

    folder: Path
    variables: dict[str, str]
    ports: dict[str, int] = field(default_factory=lambda: {name: _free_port() for name in PORTS})
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = load(self.variables)["services"]

    def here(self, text: str) -> str:
        """What the file says about hosts and paths in containers, as it is on this machine."""
        for name, port in PORTS.items():
            for host in (name, "localhost"):
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[name]}")
        for inside, outside in {"/data": "data", "/opt/airflow": "airflow", "/run/secrets": "secrets"}.items():
            if text == inside or text.startswith(f"{inside}/"):
                text = str(self.folder / outside) + text.removeprefix(inside)
        return str(ROOT) + text.removeprefix("/app") if text.startswith("/app") else text

    def environment(self, name: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "FOLLOWUP_"))}
        clean["FOLLOWUP_TEST_NETWORK_LOG"] = os.environ["FOLLOWUP_TEST_NETWORK_LOG"]
        given = {key: self.here(str(value)) for key, value in self.services[name].get("environment", {}).items()}
        if "AIRFLOW__API__PORT" in given:
            given["AIRFLOW__API__PORT"] = str(self.ports["api-server"])
            # One machine instead of a container each: the worker and the triggerer would serve their logs on one port.
            given["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(self.ports.setdefault("worker-logs", _free_port()))
            given["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] = str(
                self.ports.setdefault("trigger-logs", _free_port())
            )
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = str(self.folder / "airflow")
        return {**clean, **given, "PATH": path, "AIRFLOW_HOME": home, "HOME": home}

    def command(self, name: str) -> list[str]:
        command = [self.here(part) for part in self.services[name]["command"]]
        return [*command, "--skip-serve-logs"] if name == "scheduler" else command

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("w") as out:
            self.running[name] = subprocess.Popen(
                self.command(name),
                cwd=ROOT,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self.running[name]

    def is_healthy(self, name: str) -> bool:
        """Run the service's own health check once."""
        kind, *check = self.services[name]["healthcheck"]["test"]
        command = ["sh", "-c", self.here(check[0])] if kind == "CMD-SHELL" else [self.here(part) for part in check]
        if name == "postgres":
            command += [f"--port={self.ports['postgres']}"]
        if name == "redis":
            command[1:1] = ["-p", str(self.ports["redis"])]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(name), capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    def wait_until_healthy(self, name: str, seconds: float = 150) -> None:
        give_up_at = time.monotonic() + seconds
        while not self.is_healthy(name):
            process = self.running.get(name)
            log = self.folder / f"{name}.log"
            if process is not None and process.poll() is not None:
                pytest.fail(f"{name} ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
            if time.monotonic() > give_up_at:
                pytest.fail(f"{name} is not healthy:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.5)

    def stop(self) -> None:
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        give_up_at = time.monotonic() + 15
        while time.monotonic() < give_up_at and any(process.poll() is None for process in self.running.values()):
            time.sleep(0.2)
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pid in _with_home(self.folder / "airflow"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _with_home(home: Path) -> list[int]:
    wanted, found = f"AIRFLOW_HOME={home}".encode(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


@contextlib.contextmanager
def _postgres(native: Native) -> Iterator[None]:
    """PostgreSQL from Debian's package, set up from the service's environment as its image does."""
    environment, port = native.services["postgres"]["environment"], native.ports["postgres"]
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = next((str(path / "initdb") for path in candidates), shutil.which("initdb"))
    if initdb is None:
        pytest.fail("no PostgreSQL server: make test installs it (tools/setup.sh system)")
    binaries, data = Path(initdb).parent, native.folder / "postgres"
    data.mkdir()
    password = data / "password"
    password.write_text(environment["POSTGRES_PASSWORD"])
    owner: dict[str, Any] = {}
    if os.getuid() == 0:  # a server refuses to run as root
        user = pwd.getpwnam("postgres")
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        for path in (data, password):
            os.chown(path, user.pw_uid, user.pw_gid)
        for parent in [native.folder, *native.folder.parents]:
            if (
                parent.owner() == "root"
                and parent != Path("/")
                and parent.is_relative_to("/tmp")
                and parent != Path("/tmp")
            ):
                parent.chmod(parent.stat().st_mode | 0o011)

    def run(program: str, *arguments: object) -> None:
        done = subprocess.run(
            [binaries / program, *map(str, arguments)], cwd=data, stdin=subprocess.DEVNULL, capture_output=True, **owner
        )
        assert done.returncode == 0, done.stderr.decode()

    user = environment["POSTGRES_USER"]
    run(
        "initdb", "-D", data / "db", "-U", user, "-A", "scram-sha-256", f"--pwfile={password}", "-N", "--locale=C.UTF-8"
    )
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off"
    with subprocess.Popen(
        [binaries / "postgres", "-D", data / "db", *options.split()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **owner,
    ) as server:
        try:
            native.services["postgres"]["healthcheck"]["test"][0] = "CMD"
            give_up_at = time.monotonic() + 30
            while not native.is_healthy("postgres") and time.monotonic() < give_up_at:
                time.sleep(0.2)
            _make_database(environment, port)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def _make_database(environment: dict[str, str], port: int) -> None:
    """What the image does at its first start."""
    import psycopg

    login = {"host": "127.0.0.1", "port": port, "user": environment["POSTGRES_USER"]}
    with psycopg.connect(
        **login, password=environment["POSTGRES_PASSWORD"], dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"create database {environment['POSTGRES_DB']}")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    folder = tmp_path_factory.mktemp("compose")
    variables = {name: secrets.token_hex(16) for name in required()}
    variables["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    variables["AIRFLOW_ADMIN_USER"], variables["AIRFLOW_ADMIN_EMAIL"] = "chief", "chief@example.org"
    variables["FOLLOWUP_KEYS_FILE"] = str(folder / "secrets" / "followup_keys")
    make_keys(Path(variables["FOLLOWUP_KEYS_FILE"]))
    for name in ("data/inbox", "airflow/logs"):
        (folder / name).mkdir(parents=True)
    native = Native(folder, variables)
    with _postgres(native):
        try:
            redis = native.services["redis"]
            redis["command"] += ["--port", str(native.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(folder)]
            native.start("redis")
            native.wait_until_healthy("redis", 20)
            assert native.start("init").wait(180) == 0, (folder / "init.log").read_text()[-3000:]
            for name in LASTING:
                native.start(name)
            yield native
        finally:
            native.stop()


@pytest.fixture(scope="module")
def client(native: Native) -> AirflowClient:
    native.wait_until_healthy("api-server")
    url = f"http://127.0.0.1:{native.ports['api-server']}"
    return AirflowClient(url, native.variables["AIRFLOW_ADMIN_USER"], native.variables["AIRFLOW_ADMIN_PASSWORD"])


@pytest.mark.parametrize("name", ["postgres", "redis", *LASTING])
def test_service_is_healthy_by_its_own_check(native: Native, name: str) -> None:
    native.wait_until_healthy(name)


def test_every_component_reports_itself_healthy(client: AirflowClient) -> None:
    assert client.health() == dict.fromkeys(("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy")


def test_the_administrator_of_the_environment_can_log_in_and_sees_all_dags(client: AirflowClient) -> None:
    give_up_at = time.monotonic() + 60
    while len(client.dags()) < 3 and time.monotonic() < give_up_at:
        time.sleep(1)
    assert set(client.dags()) == {"collect_submissions", "build_marts", "publish_release", "guard_readers"}
    assert client.import_errors() == {}


def test_another_password_is_refused(native: Native, client: AirflowClient) -> None:
    with pytest.raises(AirflowError, match="login"):
        AirflowClient(client.url, native.variables["AIRFLOW_ADMIN_USER"], "airflow").dags()


def test_the_pools_are_there(client: AirflowClient) -> None:
    pools = {pool["name"]: pool["slots"] for pool in client.call("GET", "pools")["pools"]}
    assert (pools["intake"], pools["duckdb_writer"]) == (2, 1)


def test_the_worker_takes_a_task_from_the_queue(native: Native, client: AirflowClient) -> None:
    (native.folder / "data" / "inbox" / "farsta").mkdir()
    run_id = client.trigger("collect_submissions", {"districts": ["farsta"]})
    run = client.wait("collect_submissions", run_id, seconds=90)
    states = {task.mapped_name or task.task_id: task.state for task in client.tasks("collect_submissions", run_id)}
    assert run.state == "success", states
    assert states["farsta"] == "success"


def test_no_password_is_in_a_log(native: Native, client: AirflowClient) -> None:
    hidden = [v.encode() for k, v in native.variables.items() if "PASSWORD" in k or "SECRET" in k or "FERNET" in k]
    logs = [*native.folder.glob("*.log"), *native.folder.glob("airflow/logs/**/*.log")]
    assert len(logs) > 5
    for log in logs:
        content = log.read_bytes()
        assert not any(secret in content for secret in hidden), log
