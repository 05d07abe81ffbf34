"""The composed services as processes of this machine, with their servers, certificate and paths."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from composefile import load
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from free_ports import free_port

from ingest.settings import ROOT

LASTING = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
PORTS = {"postgres": 5432, "redis": 6379, "api-server": 8080, "proxy": 8443}
MOUNTED = {
    "/data": "data",
    "/inbox": "inbox",
    "/keys": "keys",
    "/published": "published",
    "/opt/airflow": "airflow",
    "/run/secrets": "secrets",
    "/etc/nginx": "nginx",
}
"""Paths in the containers → the folders that take their place here."""


@dataclass
class Native:
    """The composed services as processes of this machine."""

    folder: Path
    variables: dict[str, str]
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = load(self.variables)["services"]

    def here(self, text: str) -> str:
        """What the file says about hosts and paths in containers, as it is on this machine."""
        for name, port in PORTS.items():
            for host in (name, "localhost"):
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[name]}")
        for inside, outside in MOUNTED.items():
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
            given["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(self.ports.setdefault("worker-logs", free_port()))
            given["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] = str(self.ports.setdefault("trigger-logs", free_port()))
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
def postgres_server(native: Native) -> Iterator[None]:
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


def configure_proxy(native: Native) -> None:
    """The proxy's configuration with paths and ports of this machine, and a certificate that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (native.folder / "secrets" / "proxy_certificate").write_bytes(certificate.public_bytes(pem))
    (native.folder / "secrets" / "proxy_key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    text = (ROOT / "docker" / "proxy.conf").read_text(encoding="utf-8")
    changes = {
        " /tmp/": f" {native.folder}/nginx/tmp/",
        "http://api-server:8080": f"http://127.0.0.1:{native.ports['api-server']}",
        "listen 8443": f"listen 127.0.0.1:{native.ports['proxy']}",
        "/run/secrets/": f"{native.folder}/secrets/",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (native.folder / "nginx" / "proxy.conf").write_text(text, encoding="utf-8")
