"""The services of docker-compose.yml as processes of this machine: for a rehearsal, and where no Docker engine is.

What Compose says of commands, environment, mounts, secrets, health checks and restarts is read from the file. Hosts
become 127.0.0.1, ports free ones, and paths in containers folders of a container's own, in which shared volumes are
links: so each worker has its own scratch, temporary folder and home, and finds the shared volume at a path of its own.
Where the system lets it, each has a host name of its own too. Images, users and limits are not covered.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from composefile import load

from followup.local.postgres_binaries import found_binaries
from ingest.settings import ROOT

PORTS = {"postgres": 5432, "redis": 6379, "api-server": 8080, "portal": 8090, "proxy": 8443, "proxy-airflow": 8444}
MARK = "FOLLOWUP_CONTAINER"
"""Variable that names the container to all its processes."""
_PAUSE_SECONDS = 1.0
_OWN_NAME = ("unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"')


class ClusterError(Exception):
    """A service did not start, or ended; the message has the end of its log."""


@cache
def can_name_hosts() -> bool:
    """Whether a process may have a host name of its own here."""
    done = subprocess.run([*_OWN_NAME, "somewhere", "true"], capture_output=True, check=False)
    return done.returncode == 0


@dataclass
class Cluster:
    """The composed services in a folder, with `variables` in place of the file `.env`.

    Attributes:
        folder: all its files; a short path, since sockets are in it.
        variables: as in .env.
        free_port: gives a port that nothing listens on.
        more: settings of a rehearsal, added to the environment of every container of our image.
        workers: how many there are: worker-1, worker-2, …
    """

    folder: Path
    variables: dict[str, str]
    free_port: Callable[[], int]
    more: dict[str, str] = field(default_factory=dict)
    workers: int = 2
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the file, choose ports, make the folders."""
        self.ports |= {name: self.free_port() for name in PORTS if name not in self.ports}
        self._declared = load(self.variables)
        self.services: dict[str, Any] = self._declared["services"]
        self._held: set[str] = set()
        self._lock, self._is_over = threading.RLock(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="restarts", daemon=True)
        for name in self.containers:
            self._mount(name)

    # names and places

    @property
    def lasting(self) -> list[str]:
        """Containers that are to run all the time, in the order in which they are started."""
        found: list[str] = []
        for name, service in self._in_order():
            if service["restart"] != "no":
                found += [f"{name}-{n}" for n in range(1, self.workers + 1)] if name == "worker" else [name]
        return found

    @property
    def containers(self) -> list[str]:
        """All containers."""
        once = [name for name, service in self.services.items() if service["restart"] == "no"]
        return [*once, *self.lasting]

    def _in_order(self) -> list[tuple[str, Any]]:
        """Services, each after those that it depends on."""
        found: dict[str, Any] = {}
        while len(found) < len(self.services):
            for name, service in self.services.items():
                if name not in found and all(needed in found for needed in service.get("depends_on", {})):
                    found[name] = service
        return list(found.items())

    def service(self, name: str) -> dict[str, Any]:
        """What the file says of a container's service."""
        found: dict[str, Any] = self.services["worker" if name.startswith("worker-") else name]
        return found

    def machine(self, name: str) -> Path:
        """The folder that stands for a container's root."""
        return self.folder / "machines" / name

    def volume(self, name: str) -> Path:
        """A named volume."""
        return self.folder / "volumes" / name

    def log(self, name: str) -> Path:
        """What a container has printed."""
        return self.folder / "printed" / f"{name}.log"

    def _mount(self, name: str) -> None:
        machine, service = self.machine(name), self.service(name)
        for own in ("tmp", "home", "opt/airflow", "run/secrets"):
            (machine / own).mkdir(parents=True, exist_ok=True)
        self.log(name).parent.mkdir(exist_ok=True)
        for declared in service.get("volumes", []):
            source, _, rest = declared.partition(":")
            target = machine / (rest.partition(":")[0] or source).lstrip("/")
            if not rest:
                target.mkdir(parents=True, exist_ok=True)
            elif not source.startswith("."):
                shared = Path(source) if source.startswith("/") else self.volume(source)
                if not shared.is_file():
                    shared.mkdir(parents=True, exist_ok=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.is_symlink():
                    target.symlink_to(shared)
        for secret in service.get("secrets", []):
            link = machine / "run" / "secrets" / secret
            if not link.is_symlink():
                link.symlink_to(self._declared["secrets"][secret]["file"])

    def here(self, name: str, text: str) -> str:
        """What the file says to a container about hosts and paths, as it is on this machine."""
        for service, port in PORTS.items():
            for host in (service, "localhost", "0.0.0.0"):
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[service]}")
        if text == "/app" or text.startswith("/app/"):
            return str(ROOT) + text.removeprefix("/app")
        inside = ("/data", "/scratch", "/inbox", "/keys", "/published", "/opt/airflow", "/run/secrets", "/etc/nginx")
        if any(text == place or text.startswith(f"{place}/") for place in inside):
            return str(self.machine(name)) + text
        return text.replace("/tmp/", f"{self.machine(name)}/tmp/")

    # processes

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a container: what the file says, and of ours only what no container would lack."""
        ours = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "FOLLOWUP_TEST_NETWORK_LOG", "COVERAGE_PROCESS_START")
        found = {key: os.environ[key] for key in ours if key in os.environ}
        service, machine = self.service(name), self.machine(name)
        found |= {key: self.here(name, str(value)) for key, value in service.get("environment", {}).items()}
        found |= {MARK: name, "TMPDIR": str(machine / "tmp"), "HOME": str(machine / "home")}
        found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        if "build" not in service:
            return found
        # one address for all instead of one for each
        at = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(self.ports["postgres"])}
        at |= {"AIRFLOW__API__PORT": str(self.ports["api-server"]), "FOLLOWUP_PORTAL_HOST": "127.0.0.1"}
        at |= {"FOLLOWUP_PORTAL_PORT": str(self.ports["portal"]), "FOLLOWUP_PORTAL_PROXIES": "127.0.0.1"}
        found |= {key: value for key, value in at.items() if key in found}
        for kind in ("WORKER", "TRIGGER"):
            found[f"AIRFLOW__LOGGING__{kind}_LOG_SERVER_PORT"] = str(self._port(f"{name} logs {kind}"))
        found["AIRFLOW_HOME"] = str(machine / "opt" / "airflow")
        for declared in service.get("volumes", []):
            source, _, target = declared.partition(":")
            if target.startswith("/app/ingest/districts.yml"):
                found["FOLLOWUP_DISTRICTS"] = str(ROOT / source)
            if target.startswith("/app/dbt_project/organisation"):
                found["FOLLOWUP_ORGANISATION"] = str(ROOT / source)
        return found | self.more

    def _port(self, what: str) -> int:
        if what not in self.ports:
            self.ports[what] = self.free_port()
        return self.ports[what]

    def command(self, name: str) -> list[str]:
        """The command of a container, as it is started here."""
        found = [self.here(name, part) for part in self.service(name)["command"]]
        if name == "redis":
            found += [
                "--port",
                str(self.ports["redis"]),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self.machine(name) / "data"),
            ]
        if name == "scheduler":
            found += ["--skip-serve-logs"]
        if name.startswith("worker-"):
            found += ["--celery-hostname", f"celery@{name}"]
        if name == "postgres":
            found[0] = str(postgres_binaries() / "postgres")
            data = self.volume("postgres") / "db"
            found += ["-D", str(data), "-p", str(self.ports["postgres"]), "-k", str(data.parent)]
            return [*found, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"]
        return [*_OWN_NAME, name, *found] if can_name_hosts() else found

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a container's process."""
        owner: dict[str, Any] = _postgres_user() if name == "postgres" else {}
        with self._lock, self.log(name).open("a") as out:
            self.running[name] = subprocess.Popen(
                self.command(name),
                cwd="/" if owner else ROOT,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                **owner,
            )
            return self.running[name]

    def up(self, patience: float = 300, tell: Callable[[str], None] = lambda _: None) -> None:
        """Start all services, each when those that it depends on are as Compose would wait for.

        Raises:
            ClusterError: one ended, or is not healthy after so many seconds.
        """
        for name, service in self._in_order():
            for needed, how in service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy":
                    self.wait_until_healthy(needed, patience)
            tell(name)
            if name == "postgres":
                self._make_cluster()
            if name == "proxy":
                self._configure_proxy()
            if service["restart"] == "no":
                if self.start(name).wait(patience) != 0:
                    raise ClusterError(f"{name} failed:\n{self.tail(name)}")
                continue
            for container in self.lasting:
                if container == name or (name == "worker" and container.startswith("worker-")):
                    self.start(container)
        self._watcher.start()

    def is_healthy(self, name: str) -> bool:
        """Run a container's own health check once."""
        kind, *check = self.service(name)["healthcheck"]["test"]
        command = (
            ["sh", "-c", self.here(name, check[0])] if kind == "CMD-SHELL" else [self.here(name, p) for p in check]
        )
        if name == "postgres":
            command += [f"--port={self.ports['postgres']}"]
        if name == "redis":
            command[1:1] = ["-p", str(self.ports["redis"])]
        if can_name_hosts():
            command = [*_OWN_NAME, name, *command]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=self.environment(name), capture_output=True, check=False, timeout=90
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def wait_until_healthy(self, name: str, seconds: float = 150) -> None:
        """Wait until a container's health check is passed.

        Raises:
            ClusterError: it is not after so long, or its process has ended and is not started again.
        """
        give_up_at = time.monotonic() + seconds
        while not self.is_healthy(name):
            process = self.running.get(name)
            if process is not None and process.poll() is not None and not self._watcher.is_alive():
                raise ClusterError(f"{name} ended with {process.returncode}:\n{self.tail(name)}")
            if time.monotonic() > give_up_at:
                raise ClusterError(f"{name} is not healthy:\n{self.tail(name)}")
            time.sleep(0.5)

    def tail(self, name: str) -> str:
        """The end of what a container has printed."""
        return self.log(name).read_text(errors="replace")[-3000:]

    def processes(self, name: str) -> list[psutil.Process]:
        """All processes of a container that run."""
        found = {}
        with contextlib.suppress(KeyError, psutil.NoSuchProcess):
            first = psutil.Process(self.running[name].pid)
            found = {one.pid: one for one in (first, *first.children(recursive=True))}
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if f"{MARK}={name}".encode() in Path(f"/proc/{one.pid}/environ").read_bytes().split(b"\0"):
                    found[one.pid] = one
        return list(found.values())

    def kill(self, name: str, *, hold: bool = False) -> int:
        """End a container as a power cut does (SIGKILL to all its processes); returns how many there were.

        It is started again, as the file says (`restart`), unless it is held.
        """
        with self._lock:
            if hold:
                self._held.add(name)
            ended = self.processes(name)
            for one in ended:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        return len(ended)

    def release(self, name: str) -> None:
        """Let a container that was held be started again."""
        with self._lock:
            self._held.discard(name)

    def _watch(self) -> None:
        while not self._is_over.wait(_PAUSE_SECONDS):
            for name in self.lasting:
                with self._lock:
                    if self._is_over.is_set() or name in self._held or self.running[name].poll() is None:
                        continue
                    for left in self.processes(name):
                        with contextlib.suppress(psutil.NoSuchProcess):
                            left.kill()
                    self.restarts[name] = self.restarts.get(name, 0) + 1
                    self.start(name)

    def down(self) -> None:
        """End all processes, the databases last."""
        self._is_over.set()
        for names in ([name for name in self.running if name not in ("postgres", "redis")], ["redis", "postgres"]):
            ending = [name for name in names if name in self.running]
            for name in ending:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.running[name].pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
            give_up_at = time.monotonic() + 15
            while time.monotonic() < give_up_at and any(self.running[name].poll() is None for name in ending):
                time.sleep(0.2)
            for name in ending:
                self.kill(name, hold=True)
                self.running[name].wait()

    # servers that need more than a command

    def _make_cluster(self) -> None:
        """What PostgreSQL's image does at its first start."""
        volume = self.volume("postgres")
        if (volume / "db").exists():
            return
        environment, owner = self.service("postgres")["environment"], _postgres_user()
        password = volume / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        password.chmod(0o600)
        if owner:
            for path in (volume, password):
                os.chown(path, owner["user"], owner["group"])
            for parent in volume.parents:
                if parent.is_relative_to(self.folder):
                    parent.chmod(parent.stat().st_mode | 0o011)
        done = subprocess.run(
            [
                postgres_binaries() / "initdb", "-D", volume / "db", "-U", environment["POSTGRES_USER"],
                "-A", "scram-sha-256", f"--pwfile={password}", "-N", "--locale=C.UTF-8",
            ],
            cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False, **owner,
        )  # fmt: skip
        password.unlink()
        if done.returncode:
            raise ClusterError(f"PostgreSQL could not be set up: {done.stderr.decode()[-2000:]}")

    def _configure_proxy(self) -> None:
        """The proxy's configuration with paths and ports of this machine."""
        machine = self.machine("proxy")
        text = (ROOT / "docker" / "proxy.conf").read_text(encoding="utf-8")
        changes = {" /tmp/": f" {machine}/tmp/", "/run/secrets/": f"{machine}/run/secrets/"}
        changes |= {"listen 8443": f"listen 127.0.0.1:{self.ports['proxy']}"}
        changes |= {"listen 8444": f"listen 127.0.0.1:{self.ports['proxy-airflow']}"}
        for name in ("portal", "api-server"):
            changes[f"http://{name}:{PORTS[name]}"] = f"http://127.0.0.1:{self.ports[name]}"
        for old, new in changes.items():
            if old not in text:
                raise ClusterError(f"docker/proxy.conf has no {old}")
            text = text.replace(old, new)
        place = machine / "etc" / "nginx" / "proxy.conf"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(("user root;\n" if os.getuid() == 0 else "") + text, encoding="utf-8")


@cache
def postgres_binaries() -> Path:
    """Where the system's PostgreSQL has its programs.

    Raises:
        ClusterError: there is none.
    """
    found = next(found_binaries(), None)
    if found is None:
        raise ClusterError("no PostgreSQL server: make test installs it (tools/setup.sh system)")
    return found


def _postgres_user() -> dict[str, Any]:
    """As whom PostgreSQL runs: it refuses to run as root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def up(cluster: Cluster, tell: Callable[[str], None] = lambda _: None) -> Iterator[Cluster]:
    """The cluster while the block runs."""
    try:
        cluster.up(tell=tell)
        yield cluster
    finally:
        cluster.down()
