"""A full quarter on the composed services, run natively, while parts of them are killed: `make test-cluster`.

Two workers share the volume, the ledger and the queue, and nothing else: host name, scratch, temporary folder and home
are each one's own, and each finds the volume at another path. The tests go in order, as one story. At the end every
submission is in force once, and marts and release are those of a quiet run on one machine, row for row.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import psycopg
import pytest
from free_ports import free_port
from native import Cluster, can_name_hosts, up
from variables import drawn_variables

from followup.local.airflow_client import FINISHED, AirflowClient, AirflowError, Run
from ingest.ledger import Ledger, LedgerError, acts
from ingest.ledger.releases import current_release
from ingest.quarters import Quarter
from ingest.settings import ROOT
from publish.serving.csv_files import narrow
from publish.serving.release_file import read_release
from synthetic.city import DATASETS, draw_city

T = TypeVar("T")
pytestmark = [pytest.mark.airflow, pytest.mark.server, pytest.mark.kill]
QUARTER, UNITS = Quarter(2018, 1), ("alvsjo", "bromma", "farsta", "norrmalm", "skarholmen")
TOTAL = len(UNITS) * len(DATASETS)
REHEARSED = {"FOLLOWUP_NOW": "2018-04-10T08:00:00", "FOLLOWUP_SETTLE_SECONDS": "0"}
LONG = 900
"""Seconds after which something that should happen does not any more."""
BEGAN = time.monotonic()


def say(line: str) -> None:
    """A line of the log, with the seconds since it began."""
    sys.stdout.write(f"\n  {time.monotonic() - BEGAN:6.0f} s  {line}")
    sys.stdout.flush()


@dataclass
class City:
    """The cluster with its clients."""

    cluster: Cluster
    drawn: Path

    @property
    def airflow(self) -> AirflowClient:
        url = f"http://127.0.0.1:{self.cluster.ports['api-server']}"
        login = self.cluster.variables["AIRFLOW_ADMIN_USER"], self.cluster.variables["AIRFLOW_ADMIN_PASSWORD"]
        return AirflowClient(url, *login, seconds=60)

    @property
    def home(self) -> Path:
        return self.cluster.volume("data") / "home"

    def ledger(self) -> Ledger:
        return Ledger(self.cluster.environment("worker-1")["FOLLOWUP_LEDGER_URL"])

    def in_force(self) -> list[tuple[str, str]]:
        with closing(self.ledger()) as ledger:
            return [(found.district_code, str(found.dataset)) for found in ledger.in_force()]

    def send(self) -> None:
        for unit in UNITS:
            folder = self.cluster.volume("inbox") / unit
            folder.mkdir(exist_ok=True)
            for path in (self.drawn / unit).iterdir():
                shutil.copy(path, folder)

    def ask(self, dag: str, conf: dict[str, Any] | None = None) -> str:
        say(f"{dag} is asked for")
        return str(patiently(lambda: self.airflow.trigger(dag, conf), f"{dag} is started"))

    def ended(self, dag: str, run_id: str) -> Run:
        def look() -> Run | None:
            run = self.airflow.run(dag, run_id)
            return run if run.state in FINISHED else None

        run = patiently(look, f"{dag} {run_id} ends")
        say(f"{dag} has ended: {run.state}")
        return run

    def lose(self, container: str, *, hold: bool = False) -> int:
        """Kill all processes of a container; returns how many there were."""
        count = self.cluster.kill(container, hold=hold)
        say(f"{container} is lost: {count} processes killed" + (", and stays away" if hold else ""))
        return count

    def give_back(self, container: str) -> None:
        """Start a container that stayed away."""
        self.cluster.release(container)
        say(f"{container} comes back")

    def running(self, dag: str, *tasks: str) -> list[dict[str, Any]]:
        """Tasks of a DAG that run now, as Airflow's API says them."""
        listed = self.airflow.call("GET", f"dags/{dag}/dagRuns/~/taskInstances", state="running", limit=100)
        return [task for task in listed["task_instances"] if not tasks or task["task_id"] in tasks]

    def states(self, dag: str, run_id: str) -> dict[str, str | None]:
        listed = patiently(lambda: self.airflow.tasks(dag, run_id), "the tasks are listed")
        return {f"{task.task_id} {task.mapped_name or ''}".strip(): task.state for task in listed}


def patiently(look: Callable[[], T | None], what: str, every: float = 0.5) -> T:
    """What `look` gives, once that is something (no empty list); servers that are down meanwhile are waited for."""
    give_up_at, trouble = time.monotonic() + LONG, ""
    while time.monotonic() < give_up_at:
        try:
            found = look()
        except (AirflowError, LedgerError, psycopg.Error) as error:
            found, trouble = None, str(error)
        if found:
            return found
        time.sleep(every)
    pytest.fail(f"waited in vain until {what}: {trouble}")


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    try:
        yield from _city(folder)
    finally:
        if place := os.environ.get("CLUSTER_PRINTED"):
            shutil.copytree(folder / "printed", place, dirs_exist_ok=True)
            shutil.copytree(folder / "volumes" / "logs", Path(place) / "tasks", dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _city(folder: Path) -> Iterator[City]:
    drawn = folder / "drawn"
    draw_city(drawn, QUARTER, QUARTER, scale=0.1)
    located = "".join(f"  {unit}: {{url: '${{FOLLOWUP_INBOX}}/{unit}'}}\n" for unit in UNITS)
    (folder / "districts.yml").write_text(f"districts:\n{located}", encoding="utf-8")
    port = free_port()
    variables = drawn_variables(folder, port) | {
        "FOLLOWUP_DISTRICTS_FILE": str(folder / "districts.yml"),
        "FOLLOWUP_LOST_TASK_SECONDS": "40",
        "AIRFLOW_RETRY_SECONDS": "10",
    }
    cluster = Cluster(folder, variables, free_port, REHEARSED, workers=2, ports={"proxy": port})
    with up(cluster, lambda name: say(f"{name} is started")):
        city = City(cluster, drawn)
        patiently(lambda: set(city.airflow.health().values()) == {"healthy"}, "Airflow says that it is well")
        patiently(lambda: len(city.airflow.dags()) == len(list((ROOT / "dags").glob("*.py"))), "its DAGs are read")
        say("all services are healthy, and the DAGs are read")
        yield city
    say("all services are stopped")


def test_every_container_is_healthy_and_each_worker_is_a_machine_of_its_own(city: City) -> None:
    first, second = (city.cluster.environment(f"worker-{number}") for number in (1, 2))
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert {"FOLLOWUP_HOME", "FOLLOWUP_SCRATCH", "TMPDIR", "HOME", "AIRFLOW_HOME", "FOLLOWUP_CONTAINER"} <= differing
    assert Path(first["FOLLOWUP_HOME"]).parent.samefile(Path(second["FOLLOWUP_HOME"]).parent)
    assert not Path(first["FOLLOWUP_SCRATCH"]).samefile(second["FOLLOWUP_SCRATCH"])


def test_a_worker_is_lost_while_files_are_taken_in(city: City) -> None:
    city.send()
    run_id = city.ask("collect_submissions")
    patiently(lambda: 3 <= len(city.in_force()) < TOTAL, "some files are in force, and not all", every=0.1)
    hosts = Counter(task["hostname"] for task in city.running("collect_submissions", "receive_district"))
    lost = max(hosts, key=hosts.__getitem__) if hosts and can_name_hosts() else "worker-1"
    assert city.lose(lost, hold=True) > 1
    there = len(city.in_force())
    assert there < TOTAL, "it was lost in the middle"
    say(f"{there} of {TOTAL} files are in force")
    run = city.ended("collect_submissions", run_id)
    assert run.state == "success", city.states("collect_submissions", run_id)
    assert sorted(city.in_force()) == sorted((unit, dataset) for unit in UNITS for dataset in DATASETS)
    say(f"{TOTAL} of {TOTAL} files are in force")
    city.give_back(lost)
    patiently(lambda: city.cluster.is_healthy(lost), f"{lost} is back")


def test_the_scheduler_is_lost_while_the_marts_are_built(city: City) -> None:
    patiently(lambda: city.running("build_marts", "build"), "the marts are being built", every=0.2)
    assert city.lose("scheduler") >= 1

    def built() -> bool:
        runs = city.airflow.runs("build_marts")
        return bool(runs) and all(run.state in FINISHED for run in runs)

    patiently(built, "all builds have ended", every=2)
    assert {run.state for run in city.airflow.runs("build_marts")} == {"success"}
    say(f"{len(city.airflow.runs('build_marts'))} builds have ended: success")
    assert city.cluster.restarts["scheduler"] >= 1
    with closing(city.ledger()) as ledger:
        assert ledger.last_build() is not None


def test_postgresql_is_lost_while_a_release_is_published(city: City) -> None:
    run_id = city.ask("publish_release", {"approve": True})
    patiently(
        lambda: city.running("publish_release", "propose_release", "serve_release"), "it is being made", every=0.2
    )
    assert city.lose("postgres", hold=True) > 1
    time.sleep(20)
    with pytest.raises(LedgerError, match="out of reach"):
        city.in_force()
    city.give_back("postgres")
    run = city.ended("publish_release", run_id)
    assert run.state == "success", city.states("publish_release", run_id)
    with closing(city.ledger()) as ledger:
        release = current_release(ledger)
    assert release is not None and release.state == "released"


def test_every_submission_is_in_force_once_and_the_log_of_acts_is_whole(city: City) -> None:
    with closing(city.ledger()) as ledger:
        every = ledger.submissions()
        assert acts.verify(ledger).holds
        done = Counter((one.action, one.subject) for one in acts.acts(ledger))
    assert len(every) == TOTAL and {one.state for one in every} == {"accepted"}
    assert set(Counter((one.district_code, one.dataset) for one in every).values()) == {1}
    assert all(done["submission.accepted", one.submission_id] == 1 for one in every)
    left = [path for path in city.cluster.volume("inbox").rglob("*_2018Q1.*") if "aterkoppling" not in path.parts]
    assert left == []
    say(f"{len(every)} submissions, each in force once; {done.total()} acts, their chain is whole")


def test_nothing_half_done_is_left_and_nothing_is_where_it_has_no_business(city: City) -> None:
    run_id = city.ask("collect_submissions")  # takes in nothing, and tidies up
    assert city.ended("collect_submissions", run_id).state == "success"
    half_done = [path for path in city.home.rglob(".*") if path.suffix in (".tmp", ".new")]
    assert half_done == []
    for name in city.cluster.lasting:
        scratch = city.cluster.machine(name) / "scratch"
        assert not list(scratch.glob("warehouse.next.duckdb*")), name
        if not name.startswith("worker-") and name not in ("portal", "redis"):
            assert not (city.cluster.machine(name) / "data").exists(), name
    assert not list(city.cluster.volume("data").rglob("*.sqlite"))


def quiet(city: City) -> dict[str, str]:
    """The same files on one machine with nothing in the way; returns its environment."""
    root = city.cluster.folder / "quiet"
    shutil.copytree(city.drawn, root / "inbox")
    for folder in (root / "inbox").iterdir():
        if folder.name not in UNITS:
            shutil.rmtree(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")} | REHEARSED
    environment |= {
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_INBOX": str(root / "inbox"),
        "FOLLOWUP_KEYS": str(city.cluster.volume("keys") / "keys.json"),
        "FOLLOWUP_PUBLISHED": str(root / "published" / "current"),
        "FOLLOWUP_DISTRICTS": str(city.cluster.folder / "districts.yml"),
        "FOLLOWUP_TEST_NETWORK_LOG": os.environ["FOLLOWUP_TEST_NETWORK_LOG"],
    }
    (root / "published").mkdir()
    for command in ("receive", "build", "publish --approve"):
        done = subprocess.run(
            [Path(sys.executable).with_name("followup"), *command.split()],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return environment


def differences(one: Path, other: Path, schemas: tuple[str, ...]) -> list[str]:
    """Tables that are not the same in two files, row for row."""
    with duckdb.connect() as connection:
        for name, path in (("one", one), ("other", other)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        listed = "select schema_name, table_name from duckdb_tables() where database_name = ? and schema_name in ?"
        tables, others = (set(connection.execute(listed, [name, schemas]).fetchall()) for name in ("one", "other"))
        assert tables == others and len(tables) > 10
        found = []
        for schema, table in sorted(tables):
            counts = [
                connection.execute(
                    f'select count(*) from (from {a}.{schema}."{table}" except all from {b}.{schema}."{table}")'
                ).fetchone()
                for a, b in (("one", "other"), ("other", "one"))
            ]
            if counts != [(0,), (0,)]:
                found.append(f"{schema}.{table}: {counts}")
        return found


def test_marts_and_release_are_those_of_a_quiet_run(city: City) -> None:
    environment = quiet(city)
    assert differences(city.home / "warehouse.duckdb", Path(environment["FOLLOWUP_HOME"]) / "warehouse.duckdb",
                       ("core", "marts")) == []  # fmt: skip
    published = city.cluster.volume("published") / "current"
    quiet_release = Path(environment["FOLLOWUP_PUBLISHED"])
    assert differences(published / "followup.duckdb", quiet_release / "followup.duckdb", ("published",)) == []
    say("marts and release are those of a quiet run on one machine, row for row")
    release = read_release(published / "followup.duckdb")
    with release.reading() as connection:
        shown = {
            table.name: connection.execute(f"select count(*) from ({release.query(table)}{narrow(table)})").fetchone()
            for table in release.tables
        }
    logins = json.loads((city.cluster.folder / "secrets" / "logins.json").read_text())
    address = {"host": "127.0.0.1", "port": city.cluster.ports["postgres"], "dbname": "followup"}
    with psycopg.connect(**address, user="followup_reader", password=logins["followup_reader"]) as reader:
        for table, count in shown.items():
            assert reader.execute(f'select count(*) from published."{table}"').fetchone() == count, table
    say(f"PostgreSQL serves the same {len(shown)} tables")
