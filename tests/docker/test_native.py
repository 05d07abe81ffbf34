"""The processes of docker-compose.yml come up natively, with its commands, its settings and its health checks.

No Docker engine is needed: hosts become 127.0.0.1, ports free ones, mounted paths temporary folders. What the images
themselves do (building, users, volumes) is not covered here.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from composefile import required
from natively import LASTING, Native, configure_proxy, postgres_server

from followup.local.airflow_client import AirflowClient, AirflowError
from ingest.persons.keys import load_keys
from ingest.settings import ROOT

pytestmark = [pytest.mark.airflow, pytest.mark.server, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    folder = tmp_path_factory.mktemp("compose")
    variables = {name: secrets.token_hex(16) for name in required()}
    variables["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    variables["AIRFLOW_ADMIN_USER"], variables["AIRFLOW_ADMIN_EMAIL"] = "chief", "chief@example.org"
    for name in ("data", "inbox", "keys", "published", "airflow/logs", "secrets", "nginx/tmp"):
        (folder / name).mkdir(parents=True)
    native = Native(folder, variables)
    with postgres_server(native):
        try:
            redis = native.services["redis"]
            redis["command"] += ["--port", str(native.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(folder)]
            native.start("redis")
            native.wait_until_healthy("redis", 20)
            assert native.start("init").wait(180) == 0, (folder / "init.log").read_text()[-3000:]
            for name in LASTING:
                native.start(name)
            configure_proxy(native)
            native.start("proxy")
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
    while len(client.dags()) < 4 and time.monotonic() < give_up_at:
        time.sleep(1)
    assert set(client.dags()) == {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert client.import_errors() == {}


def test_another_password_is_refused(native: Native, client: AirflowClient) -> None:
    with pytest.raises(AirflowError, match="login"):
        AirflowClient(client.url, native.variables["AIRFLOW_ADMIN_USER"], "airflow").dags()


def test_the_pools_are_there(client: AirflowClient) -> None:
    pools = {pool["name"]: pool["slots"] for pool in client.call("GET", "pools")["pools"]}
    assert (pools["intake"], pools["duckdb_writer"]) == (2, 1)


def test_the_worker_takes_a_task_from_the_queue(native: Native, client: AirflowClient) -> None:
    (native.folder / "inbox" / "farsta").mkdir(exist_ok=True)
    run_id = client.trigger("collect_submissions", {"districts": ["farsta"]})
    run = client.wait("collect_submissions", run_id, seconds=90)
    states = {task.mapped_name or task.task_id: task.state for task in client.tasks("collect_submissions", run_id)}
    assert run.state == "success", states
    assert states["farsta"] == "success"


def test_the_first_start_drew_keys_for_the_owner_alone(native: Native) -> None:
    path = native.folder / "keys" / "keys.json"
    assert load_keys(path).person_version == 1
    assert path.stat().st_mode & 0o077 == 0


def test_no_password_is_an_argument_of_a_process(native: Native, client: AirflowClient) -> None:
    hidden = [v.encode() for k, v in native.variables.items() if "PASSWORD" in k or "SECRET" in k or "FERNET" in k]
    seen = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            seen += b"redis-server" in arguments or b"airflow" in arguments
            assert not any(secret in arguments for secret in hidden), entry
    assert seen > 5
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert "PASSWORD" not in script.replace('"${AIRFLOW_ADMIN_PASSWORD:?}"', "")


class Outside:
    """Somebody on the other side of the proxy."""

    def __init__(self, native: Native) -> None:
        self.url = f"https://localhost:{native.ports['proxy']}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(native.folder / "secrets" / "proxy_certificate")

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=20, allow_redirects=False)

    def log_in(self, user: str, password: str) -> requests.Response:
        body = {"username": user, "password": password}
        return self.session.post(f"{self.url}/auth/token", json=body, timeout=20)


@pytest.fixture(scope="module")
def outside(native: Native, client: AirflowClient) -> Outside:
    found = Outside(native)
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        with contextlib.suppress(requests.ConnectionError):
            found.get("/api/v2/monitor/health")
            break
        time.sleep(0.2)
    return found


def test_the_proxy_speaks_tls_and_passes_airflow_on(native: Native, outside: Outside) -> None:
    answer = outside.get("/api/v2/monitor/health")
    assert (answer.status_code, answer.json()["scheduler"]["status"]) == (200, "healthy")
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert outside.get("/execution/health").status_code == 404
    plain = outside.session.get(outside.url.replace("https", "http"), timeout=20)
    assert plain.status_code == 400
    assert native.is_healthy("proxy")


def test_guessing_passwords_through_the_proxy_is_throttled(native: Native, outside: Outside) -> None:
    right = outside.log_in(native.variables["AIRFLOW_ADMIN_USER"], native.variables["AIRFLOW_ADMIN_PASSWORD"])
    assert right.status_code == 201
    answers = [outside.log_in("chief", f"guess {number}").status_code for number in range(20)]
    assert answers.count(401) <= 12
    assert answers[-1] == 429
    assert outside.get("/api/v2/monitor/health").status_code == 200


def test_no_password_is_in_a_log(native: Native, client: AirflowClient) -> None:
    hidden = [v.encode() for k, v in native.variables.items() if "PASSWORD" in k or "SECRET" in k or "FERNET" in k]
    logs = [*native.folder.glob("*.log"), *native.folder.glob("airflow/logs/**/*.log")]
    assert len(logs) > 5
    for log in logs:
        content = log.read_bytes()
        assert not any(secret in content for secret in hidden), log
