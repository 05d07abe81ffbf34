"""Real runs through a real Airflow: a district that can't be reached, what is announced, a build that fails.

One Airflow for the whole file; the tests go in order, as one story.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from migrated_airflow import migrated_airflow

from followup.backup.sealing import make_backup_key
from followup.local.airflow_client import AirflowClient, Run
from followup.local.orchestrator import Orchestrator
from ingest.contracts import load_contracts
from ingest.ledger import Ledger, acts
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.settings import Settings
from synthetic.city import draw_city

sys.path.insert(0, str(Path(__file__).parents[1] / "followup"))
from numbers_sent import numbers_in, search

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(400)]
FIRST, SECOND = Quarter(2018, 1), Quarter(2018, 2)
REACHABLE, UNREACHABLE = "norrmalm", "alvsjo"


@dataclass
class Installation:
    """An installation of two districts with an Airflow that runs; only one has a drop location that is there."""

    root: Path
    drawn: Path
    client: AirflowClient = field(init=False)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    def send(self, district: str, quarter: Quarter, folder: str = "") -> None:
        into = self.root / "inbox" / (folder or district)
        into.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.drawn / district / "SYNTETISK.json", into)
        for path in (self.drawn / district).glob(f"*_{quarter}.*"):
            shutil.copy(path, into)

    def set_clock(self, quarter: Quarter) -> None:
        (self.root / "clock").write_text(f"{quarter.next().start.replace(day=10)}T08:00:00", encoding="utf-8")

    def collect(self, **conf: object) -> Run:
        run_id = self.client.trigger("collect_submissions", conf)
        return self.client.wait("collect_submissions", run_id, seconds=180)

    def tasks(self, run: Run) -> dict[str, str | None]:
        """State of each task; a mapped one with the name of what it maps."""
        found = self.client.tasks(run.dag_id, run.run_id)
        return {f"{t.task_id} {t.mapped_name}" if t.mapped_name else t.task_id: t.state for t in found}

    def builds(self, at_least: int) -> list[Run]:
        """The runs of build_marts when none is left, once there are so many."""
        give_up_at = time.monotonic() + 180
        while time.monotonic() < give_up_at:
            runs = self.client.runs("build_marts")
            if len(runs) >= at_least and all(run.state in ("success", "failed") for run in runs):
                return runs
            time.sleep(1)
        pytest.fail(f"build_marts has not ended: {runs}")

    def in_force(self) -> list[tuple[str, str, str]]:
        ledger = Ledger(f"sqlite:///{self.home}/ledger.sqlite")
        try:
            return sorted((s.district_code, str(s.dataset), str(s.reporting_quarter)) for s in ledger.in_force())
        finally:
            ledger.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    root, drawn = tmp_path_factory.mktemp("installation"), tmp_path_factory.mktemp("drawn")
    draw_city(drawn, FIRST, SECOND, scale=0.2)
    make_keys(root / "keys.json")
    (root / "districts.yml").write_text(
        f"districts:\n"
        f"  {REACHABLE}: {{url: '${{FOLLOWUP_INBOX}}/{REACHABLE}'}}\n"
        f"  {UNREACHABLE}: {{url: '${{FOLLOWUP_INBOX}}/{UNREACHABLE}'}}\n",
        encoding="utf-8",
    )
    place = Installation(root, drawn)
    place.set_clock(FIRST)
    environment = {
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_INBOX": str(root / "inbox"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_NOW": f"@{root / 'clock'}",
        "FOLLOWUP_DISTRICTS": str(root / "districts.yml"),
        "FOLLOWUP_BACKUP_URL": str(root / "backups"),
        "FOLLOWUP_BACKUP_KEY": str(root / "backup_key.json"),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "6",
    }
    (root / "backups").mkdir()
    make_backup_key(Settings.model_validate({"home": root / "home", "FOLLOWUP_BACKUP_KEY": root / "backup_key.json"}))
    orchestrator = Orchestrator(migrated_airflow(root / "airflow"), environment)
    orchestrator.start()
    try:
        place.client = orchestrator.client()
        yield place
    finally:
        orchestrator.stop()


def test_an_unreachable_district_fails_alone_and_is_named_and_the_run_shows_it(place: Installation) -> None:
    place.send(REACHABLE, FIRST)
    names_while_waiting: set[str | None] = set()
    built_while_waiting = False

    def look(run: Run) -> None:
        nonlocal built_while_waiting
        waiting = [t for t in place.client.tasks(run.dag_id, run.run_id) if t.state == "up_for_reschedule"]
        names_while_waiting.update(task.mapped_name for task in waiting)
        built_while_waiting = built_while_waiting or bool(waiting and place.client.runs("build_marts"))

    run_id = place.client.trigger("collect_submissions")
    run = place.client.wait("collect_submissions", run_id, seconds=180, on_poll=look)
    assert place.tasks(run) == {
        "list_districts": "success",
        f"receive_district {REACHABLE}": "success",
        f"receive_district {UNREACHABLE}": "failed",
        "announce_changes": "success",
        "list_failed_districts": "success",
        f"receive_again {UNREACHABLE}": "failed",
        "announce_late_changes": "upstream_failed",
        "every_district_received": "upstream_failed",
    }
    assert run.state == "failed"
    assert names_while_waiting == {UNREACHABLE}
    assert built_while_waiting, "the others' build waited for a district that can't be reached"
    log = next((place.root / "airflow" / "logs" / "tasks").glob("**/task_id=receive_again/**/*.log"))
    assert log.read_text(encoding="utf-8").count("can't be reached (the folder is not there)") >= 1


def test_runs_are_named_by_quarter(place: Installation) -> None:
    for dag_id in ("collect_submissions", "build_marts"):
        runs = place.client.call("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
        assert {run["note"] for run in runs if run["start_date"]} == {"2018Q1"}
    assert all("__2018Q1__" in run.run_id for run in place.client.runs("collect_submissions"))


def test_the_other_district_is_in_force_and_built(place: Installation) -> None:
    builds = place.builds(at_least=1)
    assert [(build.state, build.partition_key) for build in builds] == [("success", "2018Q1")]
    assert {district for district, _, _ in place.in_force()} == {REACHABLE}
    assert len(place.in_force()) == len(load_contracts())
    with duckdb.connect(str(place.warehouse), read_only=True) as warehouse:
        found = warehouse.execute("select distinct district_code from core.fct_case").fetchall()
    assert found == [(REACHABLE,)]


def test_what_tasks_did_is_logged_as_done_by_their_runs(place: Installation) -> None:
    with closing(Ledger(f"sqlite:///{place.home / 'ledger.sqlite'}")) as ledger:
        logged = {(one.action, one.actor_kind, one.actor.split()[0]) for one in acts.acts(ledger)}
    assert logged >= {
        ("submission.accepted", "dag_run", "collect_submissions"),
        ("build.built", "dag_run", "build_marts"),
    }


def test_lines_of_a_task_s_log_name_their_run_and_submission(place: Installation) -> None:
    logs = (place.root / "airflow" / "logs" / "tasks").glob("**/task_id=receive_district/**/*.log")
    lines = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    taken_in = [one for one in lines if one.get("logger") == "ingest.taking_in"]
    with closing(Ledger(f"sqlite:///{place.home / 'ledger.sqlite'}")) as ledger:
        assert {one["submission"] for one in taken_in} == {one.submission_id for one in ledger.submissions()}
    assert {one["run_id"] for one in taken_in} <= {run.run_id for run in place.client.runs("collect_submissions")}


def test_the_event_carries_district_and_quarter(place: Installation) -> None:
    events = place.client.call("GET", "assets/events", limit=50)["asset_events"]
    key = f"{REACHABLE}|2018Q1"
    assert {(event["name"], event["partition_key"]) for event in events} == {
        ("submissions", key),
        ("complete_units", key),
    }


def test_the_log_of_a_build_has_a_line_for_every_model(place: Installation) -> None:
    (log,) = (place.root / "airflow" / "logs" / "tasks").glob("dag_id=build_marts/**/task_id=build/**/*.log")
    text = log.read_text(encoding="utf-8")
    for model in ("stg_arenden", "fct_case", "mart_case_flow", "mart_submission_status"):
        assert f"{model}: success" in text


def test_with_nothing_new_nothing_is_announced_or_built(place: Installation) -> None:
    run = place.collect(districts=[REACHABLE])
    assert run.state == "success"
    assert place.tasks(run)["announce_changes"] == "skipped"
    assert not any(UNREACHABLE in name for name in place.tasks(run))
    assert len(place.client.runs("build_marts")) == 1


def test_what_the_command_line_took_in_is_announced_too(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.receiving import receive_district

    place.set_clock(SECOND)
    place.send(REACHABLE, SECOND)
    environment = {"HOME": "home", "INBOX": "inbox", "KEYS": "keys.json", "DISTRICTS": "districts.yml"}
    for name, value in environment.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", str(place.root / value))
    monkeypatch.setenv("FOLLOWUP_NOW", f"@{place.root / 'clock'}")
    assert receive_district(Settings(), REACHABLE).changed_quarters == ("2018Q2",)
    place.collect(districts=[REACHABLE])
    assert [(build.state, build.partition_key) for build in place.builds(at_least=2)][1:] == [("success", "2018Q2")]


def test_a_failing_build_fails_its_run_once_and_the_last_good_marts_stay(place: Installation) -> None:
    before = place.warehouse.read_bytes()
    spoilt = next((place.home / "validated" / "arenden").glob("**/*.parquet"))
    whole = spoilt.read_bytes()
    spoilt.write_bytes(b"no parquet")
    place.send(UNREACHABLE, SECOND)
    assert place.collect(quarter="2018Q2").state == "success"
    failed = place.builds(at_least=3)[-1]
    assert failed.state == "failed"
    tasks = {task.task_id: task for task in place.client.tasks("build_marts", failed.run_id)}
    assert tasks["build"].try_number == 1
    assert tasks["announce_complete_units"].state == "upstream_failed"
    assert place.warehouse.read_bytes() == before
    spoilt.write_bytes(whole)


def test_what_a_failed_build_left_is_built_and_a_district_that_comes_within_reach_is_announced_late(
    place: Installation,
) -> None:
    folder = place.root / "inbox" / UNREACHABLE
    folder.rename(folder.with_name("away"))

    def come(run: Run) -> None:
        waits = any(task.state == "up_for_reschedule" for task in place.client.tasks(run.dag_id, run.run_id))
        if waits and not folder.exists():
            place.send(UNREACHABLE, FIRST, folder="away")
            folder.with_name("away").rename(folder)

    run_id = place.client.trigger("collect_submissions")
    run = place.client.wait("collect_submissions", run_id, seconds=180, on_poll=come)
    states = place.tasks(run)
    assert run.state == "success", states
    assert states[f"receive_district {UNREACHABLE}"] == "failed"
    assert states[f"receive_again {UNREACHABLE}"] == states["announce_late_changes"] == "success"
    assert {build.state for build in place.builds(at_least=5)[3:]} == {"success"}
    expected = 2 * 2 * len(load_contracts())  # districts, quarters, datasets
    assert len(place.in_force()) == expected
    with duckdb.connect(str(place.warehouse), read_only=True) as warehouse:
        (count,) = warehouse.execute("select count(*) from core.fct_submission where is_in_force").fetchone() or (0,)
    assert count == expected


def test_no_number_that_was_sent_is_in_airflows_logs_or_database(place: Installation) -> None:
    sent = numbers_in(place.drawn)
    assert len(sent) > 100
    airflow = place.root / "airflow"
    assert len(list(airflow.glob("logs/tasks/**/*.log"))) > 10
    assert search([airflow, place.home], sent) == []


def test_what_tasks_hand_on_is_codes_only(place: Installation) -> None:
    run = place.client.runs("collect_submissions")[0]
    path = f"dags/collect_submissions/dagRuns/{run.run_id}/taskInstances/receive_district/xcomEntries/return_value"
    index = next(t.map_index for t in place.client.tasks(run.dag_id, run.run_id) if t.mapped_name == REACHABLE)
    assert place.client.call("GET", path, map_index=index)["value"] == {
        "district": REACHABLE,
        "changed": [f"{REACHABLE}|2018Q1"],
    }


def test_backup_trial_of_the_contract_and_erasing_run_to_their_ends(place: Installation) -> None:
    asked: dict[str, dict[str, object]] = {
        "back_up": {}, "apply_contract": {"figures": False, "dataset": "utbud"}, "erase_expired": {"dry_run": True},
    }  # fmt: skip
    runs = {dag_id: place.client.trigger(dag_id, conf) for dag_id, conf in asked.items()}
    ended = {dag_id: place.client.wait(dag_id, run_id, seconds=180) for dag_id, run_id in runs.items()}
    assert {dag_id: run.state for dag_id, run in ended.items()} == dict.fromkeys(asked, "success")
    assert place.tasks(ended["apply_contract"]) == {"try_contract": "success", "record_again": "skipped"}
    assert list((place.root / "backups" / "sets").iterdir())
    log = next((place.root / "airflow" / "logs" / "tasks").glob("**/task_id=try_contract/**/*.log"))
    assert f"{len(place.in_force()) // len(load_contracts())} submissions in force: " in log.read_text(encoding="utf-8")


def test_a_scheduler_that_is_killed_is_started_again_and_the_log_says_so(place: Installation) -> None:
    orchestrator = Orchestrator(place.root / "airflow")
    before = orchestrator.running()
    assert before is not None
    os.kill(before.pids["scheduler"], signal.SIGKILL)
    give_up_at = time.monotonic() + 60
    while (now := orchestrator.running()) is not None and now.pids == before.pids and time.monotonic() < give_up_at:
        time.sleep(0.2)
    assert now is not None
    assert {name for name in now.pids if now.pids[name] != before.pids[name]} == {"scheduler"}
    assert place.collect(districts=[REACHABLE]).state == "success"
    log = (place.root / "airflow" / "logs" / "supervisor.log").read_text(encoding="utf-8")
    assert f"scheduler (process {before.pids['scheduler']}) has ended" in log
    assert f"scheduler runs again (process {now.pids['scheduler']})" in log


def test_nothing_is_left_running_after_a_stop(place: Installation) -> None:
    orchestrator = Orchestrator(place.root / "airflow")
    assert orchestrator.running() is not None
    assert orchestrator.stop()
    assert orchestrator.running() is None
    wanted = f"AIRFLOW_HOME={place.root / 'airflow'}".encode()
    left = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    left.append(entry.name)
            except OSError:
                continue
    assert left == []
