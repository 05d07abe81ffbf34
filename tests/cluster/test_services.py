"""The processes of docker-compose.yml come up natively, with its commands, its settings and its health checks.

No Docker engine is needed: see `tools/cluster/native.py`. What the images themselves do (building, users, volumes) is
not covered here.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from free_ports import free_port
from native import Cluster, up
from variables import drawn_variables

from followup.local.airflow_client import AirflowClient, AirflowError
from ingest.ledger import Ledger
from ingest.persons.keys import load_keys
from ingest.settings import ROOT

pytestmark = [pytest.mark.airflow, pytest.mark.server, pytest.mark.timeout(420)]
LASTING = ["postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "worker-1", "portal"]


@pytest.fixture(scope="module")
def native() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))  # short: sockets are in it, and PostgreSQL's user must reach it
    port = free_port()
    cluster = Cluster(folder, drawn_variables(folder, port), free_port, workers=1, ports={"proxy": port})
    try:
        with up(cluster):
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def client(native: Cluster) -> AirflowClient:
    url = f"http://127.0.0.1:{native.ports['api-server']}"
    login = native.variables["AIRFLOW_ADMIN_USER"], native.variables["AIRFLOW_ADMIN_PASSWORD"]
    return AirflowClient(url, *login, seconds=120)


@pytest.mark.parametrize("name", [*LASTING, "log-remover", "proxy"])
def test_service_is_healthy_by_its_own_check(native: Cluster, name: str) -> None:
    native.wait_until_healthy(name)


def test_every_component_reports_itself_healthy(client: AirflowClient) -> None:
    assert client.health() == dict.fromkeys(("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy")


def test_the_administrator_of_the_environment_can_log_in_and_sees_all_dags(client: AirflowClient) -> None:
    give_up_at = time.monotonic() + 60
    while len(client.dags()) < 4 and time.monotonic() < give_up_at:
        time.sleep(1)
    assert set(client.dags()) == {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert client.import_errors() == {}


def test_another_password_is_refused(native: Cluster, client: AirflowClient) -> None:
    with pytest.raises(AirflowError, match="login"):
        AirflowClient(client.url, native.variables["AIRFLOW_ADMIN_USER"], "airflow").dags()


def test_the_pools_are_there(client: AirflowClient) -> None:
    pools = {pool["name"]: pool["slots"] for pool in client.call("GET", "pools")["pools"]}
    assert (pools["intake"], pools["duckdb_writer"]) == (2, 1)


def test_the_worker_takes_a_task_from_the_queue(native: Cluster, client: AirflowClient) -> None:
    (native.volume("inbox") / "farsta").mkdir(exist_ok=True)
    run_id = client.trigger("collect_submissions", {"districts": ["farsta"]})
    run = client.wait("collect_submissions", run_id, seconds=200)
    states = {task.mapped_name or task.task_id: task.state for task in client.tasks("collect_submissions", run_id)}
    assert run.state == "success", states
    assert states["farsta"] == "success"


def test_the_first_start_drew_keys_for_the_owner_alone(native: Cluster) -> None:
    path = native.volume("keys") / "keys.json"
    assert load_keys(path).person_version == 1
    assert path.stat().st_mode & 0o077 == 0


def secrets_of(native: Cluster) -> list[bytes]:
    drawn = [v for k, v in native.variables.items() if any(word in k for word in ("PASSWORD", "SECRET", "FERNET"))]
    files = [json.loads((native.folder / "secrets" / name).read_text()) for name in ("logins.json", "portal.json")]
    return [one.encode() for one in [*drawn, *files[0].values(), files[1]["password"]]]


def test_no_password_is_an_argument_of_a_process(native: Cluster, client: AirflowClient) -> None:
    hidden, seen = secrets_of(native), 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            seen += b"redis-server" in arguments or b"airflow" in arguments or b"portal" in arguments
            assert not any(secret in arguments for secret in hidden), entry
    assert seen > 5
    script = (ROOT / "docker" / "init.sh").read_text(encoding="utf-8")
    assert "PASSWORD" not in re.sub(r'"\$\{\w+_PASSWORD:\?\}"', "", script)


def test_the_ledger_is_its_own_users_and_no_other_service_reaches_it(native: Cluster) -> None:
    worker = native.environment("worker-1")
    ledger = Ledger(worker["FOLLOWUP_LEDGER_URL"])
    assert ledger.in_force() == []
    ledger.close()
    as_airflow = sa.make_url(worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).set(drivername="postgresql+psycopg")
    for database in ("followup_ledger", "followup", "postgres"):
        engine = sa.create_engine(as_airflow.set(database=database))
        with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
            engine.connect()
    assert not list(native.volume("data").rglob("*.sqlite"))


def test_only_containers_with_the_data_have_it(native: Cluster) -> None:
    for name in LASTING:
        inside = {path.name for path in native.machine(name).iterdir()} & {"data", "scratch", "keys", "inbox"}
        if name not in ("redis",):
            assert bool(inside) == (name in ("worker-1", "portal")), name


class Outside:
    """Somebody on the other side of the proxy."""

    def __init__(self, native: Cluster) -> None:
        self.url, self.portal = (f"https://localhost:{native.ports[name]}" for name in ("proxy-airflow", "proxy"))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(native.folder / "secrets" / "certificate.pem")

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=20, allow_redirects=False)

    def log_in(self, user: str, password: str) -> requests.Response:
        body = {"username": user, "password": password}
        return self.session.post(f"{self.url}/auth/token", json=body, timeout=20)


@pytest.fixture(scope="module")
def outside(native: Cluster, client: AirflowClient) -> Outside:
    found = Outside(native)
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        with contextlib.suppress(requests.ConnectionError):
            found.get("/api/v2/monitor/health")
            break
        time.sleep(0.2)
    return found


def test_the_proxy_speaks_tls_and_passes_airflow_on(native: Cluster, outside: Outside) -> None:
    answer = outside.get("/api/v2/monitor/health")
    assert (answer.status_code, answer.json()["scheduler"]["status"]) == (200, "healthy")
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert outside.get("/execution/health").status_code == 404
    plain = outside.session.get(outside.url.replace("https", "http"), timeout=20)
    assert plain.status_code == 400
    assert native.is_healthy("proxy")


def test_guessing_passwords_through_the_proxy_is_throttled(native: Cluster, outside: Outside) -> None:
    right = outside.log_in(native.variables["AIRFLOW_ADMIN_USER"], native.variables["AIRFLOW_ADMIN_PASSWORD"])
    assert right.status_code == 201
    answers = [outside.log_in("chief", f"guess {number}").status_code for number in range(20)]
    assert answers.count(401) <= 12
    assert answers[-1] == 429
    assert outside.get("/api/v2/monitor/health").status_code == 200


def test_the_portal_is_behind_the_proxy_under_its_own_address(native: Cluster, outside: Outside) -> None:
    answer = outside.session.get(f"{outside.portal}/halsa", timeout=20)
    assert (answer.status_code, answer.text) == (200, "ok")
    other = outside.session.get(f"{outside.portal}/halsa", headers={"Host": "elsewhere.example.org"}, timeout=20)
    assert other.status_code == 400
    page = outside.session.get(f"{outside.portal}/logga-in", timeout=20)
    assert page.status_code == 200 and "Secure" in page.headers.get("set-cookie", "Secure")
    assert "/halsa" not in native.log("proxy").read_text(), "the portal's addresses name units and submissions"


def test_a_service_that_is_killed_comes_back(native: Cluster, client: AirflowClient) -> None:
    assert native.kill("triggerer") >= 1
    native.wait_until_healthy("triggerer")
    assert native.restarts["triggerer"] >= 1


def test_no_password_is_in_a_log(native: Cluster, client: AirflowClient) -> None:
    hidden = secrets_of(native)
    logs = [*native.log("worker-1").parent.glob("*.log"), *native.volume("logs").rglob("*.log")]
    assert len(logs) > 5
    for log in logs:
        content = log.read_bytes()
        assert not any(secret in content for secret in hidden), log
