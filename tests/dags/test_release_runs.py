"""Releases through a real Airflow: asked about and approved, rejected, approved by the request, nothing new, refused.

One Airflow and one small city for the whole file; the tests go in order, as one story.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from migrated_airflow import migrated_airflow
from rich.console import Console

from followup.local.airflow_client import AirflowClient, Run
from followup.local.figures import release_table
from followup.local.marked_processes import marked_pids
from followup.local.orchestrator import Orchestrator
from followup.local.rehearsal import Rehearsal, RehearsalFiles
from ingest.districts import load_districts
from ingest.file_permissions import find_open_to_others
from ingest.ledger import Ledger, acts
from ingest.ledger.decisions import locked_quarters
from ingest.quarters import Quarter
from ingest.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "followup"))
from city import Place, built_city
from mail_server import MailServer, mail_server

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(400)]
DAG = "publish_release"


class Installation:
    """The city's side of an installation: asks for releases, looks at what they wait for, and answers."""

    def __init__(self, place: Place, airflow: Path, client: AirflowClient, mail: MailServer) -> None:
        self.place, self.airflow, self.client, self.mail = place, airflow, client, mail

    dag, question = DAG, "approve_release"

    def request(self, **params: object) -> str:
        return self.client.trigger(self.dag, params)

    def end(self, run_id: str) -> Run:
        return self.client.wait(self.dag, run_id, seconds=180)

    def tasks(self, run_id: str) -> dict[str, str | None]:
        return {task.task_id: task.state for task in self.client.tasks(self.dag, run_id)}

    def wait_for_question(self, run_id: str) -> dict[str, Any]:
        """What is asked, once somebody is."""
        give_up_at = time.monotonic() + 180
        while time.monotonic() < give_up_at:
            # an answer before the scheduler has seen the asking task's process end is lost with the task
            if self.tasks(run_id).get(self.question) == "awaiting_input" and self._has_seen_the_end_of(run_id):
                asked: dict[str, Any] = self.client.call("GET", self._question(run_id))
                return asked
            assert self.client.run(self.dag, run_id).state != "failed", self.log(run_id)
            time.sleep(1)
        pytest.fail(f"nobody was asked: {self.tasks(run_id)}")

    def _has_seen_the_end_of(self, run_id: str) -> bool:
        log = (self.airflow / "logs" / "scheduler.log").read_text(encoding="utf-8")
        return any(
            "Received executor event" in line and f"'{self.question}'" in line and run_id in line
            for line in log.splitlines()
        )

    def answer(self, run_id: str, word: str) -> None:
        self.client.call("PATCH", self._question(run_id), {"chosen_options": [word], "params_input": {}})

    def _question(self, run_id: str) -> str:
        return f"dags/{self.dag}/dagRuns/{run_id}/taskInstances/{self.question}/-1/hitlDetails"

    def log(self, run_id: str) -> str:
        logs = (self.airflow / "logs" / "tasks" / f"dag_id={self.dag}" / f"run_id={run_id}").glob("**/*.log")
        return "\n".join(path.read_text(encoding="utf-8") for path in logs)

    def published(self) -> Path | None:
        link = self.place.published
        return link.resolve() if link.exists() else None


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    root = tmp_path_factory.mktemp("installation")
    place = built_city().copy(root / "place")
    with mail_server() as mail:
        environment = place.environment | {
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "FOLLOWUP_MAIL_HOST": "127.0.0.1",
            "FOLLOWUP_MAIL_PORT": str(mail.port),
            "FOLLOWUP_MAIL_TLS": "none",
            "FOLLOWUP_MAIL_SENDER": "uppfoljning@staden.example",
            "FOLLOWUP_MAIL_TEAM": "teamet@staden.example",
        }
        orchestrator = Orchestrator(migrated_airflow(root / "airflow"), environment)
        orchestrator.start()
        try:
            yield Installation(place, root / "airflow", orchestrator.client(), mail)
        finally:
            orchestrator.stop()


class Closing(Installation):
    """The same for closing a quarter."""

    dag, question = "close_quarter", "approve_closing"


@pytest.fixture
def closing_of(installation: Installation) -> Closing:
    return Closing(installation.place, installation.airflow, installation.client, installation.mail)


def test_nothing_reaches_readers_before_somebody_says_yes(installation: Installation) -> None:
    run_id = installation.request()
    asked = installation.wait_for_question(run_id)
    assert asked["options"] == ["Approve", "Reject"]
    assert "may it go out?" in asked["subject"] and "mart_" in asked["body"]
    assert installation.tasks(run_id)["serve_release"] is None
    assert installation.published() is None
    installation.answer(run_id, "Approve")
    assert installation.end(run_id).state == "success"
    assert set(installation.tasks(run_id).values()) == {"success"}
    assert installation.published() is not None
    with closing(Ledger(f"sqlite:///{installation.place.home / 'ledger.sqlite'}")) as ledger:
        approved = [one for one in acts.acts(ledger) if one.action == "release.approved"]
    assert [(one.actor_kind, one.actor) for one in approved] == [("dag_run", f"{DAG} {run_id}, answered by admin")]


def test_a_run_on_unchanged_marts_makes_no_release_succeeds_and_says_so(installation: Installation) -> None:
    before = installation.published()
    run_id = installation.request(approve=True)
    assert installation.end(run_id).state == "success", installation.log(run_id)
    tasks = installation.tasks(run_id)
    assert (tasks["check_marts"], tasks["propose_release"], tasks["serve_release"]) == ("success", "skipped", "skipped")
    assert "nothing new: release 1, which readers see, shows the same; none is made" in installation.log(run_id)
    assert installation.published() == before


def test_a_rejected_release_is_not_served_and_the_run_is_no_failure(installation: Installation) -> None:
    before = installation.published()
    with duckdb.connect(str(installation.place.home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("update core.dim_district set district_label = 'Nytt namn' where district_code = 'farsta'")
    run_id = installation.request(approve=False)
    installation.wait_for_question(run_id)
    installation.answer(run_id, "Reject")
    assert installation.end(run_id).state == "success", installation.tasks(run_id)
    assert installation.tasks(run_id)["serve_release"] == "skipped"
    assert installation.published() == before


def test_a_request_that_approves_asks_nobody_as_in_the_rehearsal(installation: Installation, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": installation.place.home, "published": installation.place.published})
    console = Console(width=120, record=True, file=(tmp_path / "printed").open("w", encoding="utf-8"))
    Rehearsal(RehearsalFiles(tmp_path), settings, installation.client, console).release()
    console.print(release_table(settings.published))
    run_id = installation.client.runs(DAG)[-1].run_id
    assert installation.tasks(run_id)["approve_release"] == "skipped"
    assert installation.tasks(run_id)["serve_release"] == "success"
    printed = console.export_text()
    assert "publish_release succeeded" in printed
    assert "mart_case_flow" in printed and "of too few" in printed


def test_the_last_of_all_units_starts_the_closing_which_looks_in_the_ledger(closing_of: Closing) -> None:
    assets = closing_of.client.call("GET", "assets", name_pattern="complete_units")["assets"]
    units = [one.code for one in load_districts().valid_in(Quarter(2018, 1))]
    for place, unit in enumerate(units):
        assert closing_of.client.runs("close_quarter") == [], f"after {place} units"
        event = {"asset_id": assets[0]["id"], "partition_key": f"{unit}|2018Q1"}
        closing_of.client.call("POST", "assets/events", event)
    give_up_at = time.monotonic() + 60
    while not (runs := closing_of.client.runs("close_quarter")) and time.monotonic() < give_up_at:
        time.sleep(0.5)
    assert [run.partition_key for run in runs] == ["2018Q1"]
    assert closing_of.end(runs[0].run_id).state == "success"
    assert closing_of.tasks(runs[0].run_id)["report_completeness"] == "skipped"  # most units have sent nothing


def test_a_quarter_that_is_approved_is_locked_and_its_final_figures_go_out(closing_of: Closing) -> None:
    before = closing_of.published()
    run_id = closing_of.request(quarter="2018Q1")
    asked = closing_of.wait_for_question(run_id)
    assert asked["subject"] == "Stänga kvartal 1 2018?" and "2 av 14 enheter är kompletta" in asked["body"]
    with closing(Ledger(f"sqlite:///{closing_of.place.home / 'ledger.sqlite'}")) as ledger:
        assert locked_quarters(ledger) == set()
    closing_of.answer(run_id, "Approve")
    assert closing_of.end(run_id).state == "success", closing_of.log(run_id)
    assert set(closing_of.tasks(run_id).values()) == {"success"}
    with closing(Ledger(f"sqlite:///{closing_of.place.home / 'ledger.sqlite'}")) as ledger:
        (locked,) = [one for one in acts.acts(ledger) if one.action == "quarter.locked"]
    assert locked.actor == f"close_quarter {run_id}, answered by admin"
    published = closing_of.published()
    assert published is not None and published != before
    with duckdb.connect(str(published / "followup.duckdb"), read_only=True) as release:
        shown = release.execute("select distinct is_provisional from published.mart_case_flow").fetchall()
    assert shown == [(False,)]


def test_marts_with_an_error_fail_at_once_by_its_name_and_the_last_release_stays(
    installation: Installation,
) -> None:
    before = installation.published()
    with duckdb.connect(str(installation.place.home / "warehouse.duckdb")) as warehouse:
        changed = warehouse.execute(
            "update marts.mart_case_flow set cases = cases + 1 where district_code = 'norrmalm' and district_basis = "
            "'as_submitted' and cohort_basis = 'inkommen' and reporting_quarter = '2018Q1' and history = 'alla' and "
            "sex = 'alla' and age_band = 'alla' and source_code = 'alla' and reason_side = 'alla' and referral_type = "
            "'alla' and intervention_category = 'alla' and socioeconomic = 'alla'"
        ).fetchone()
    assert changed == (1,)
    run_id = installation.request(approve=True)
    assert installation.end(run_id).state == "failed"
    tasks = {task.task_id: task for task in installation.client.tasks(DAG, run_id)}
    assert (tasks["check_marts"].state, tasks["check_marts"].try_number) == ("failed", 1)
    assert tasks["serve_release"].state == "upstream_failed"
    log = installation.log(run_id)
    assert "mart_case_flow stockholm 2018Q1: cases: the city is not the sum of its districts in 1 cuts" in log
    assert installation.published() == before
    give_up_at = time.monotonic() + 60
    while not installation.mail.taken and time.monotonic() < give_up_at:
        time.sleep(0.5)
    (notice,) = installation.mail.taken
    assert notice["Subject"] == "Utgåvan kom inte ut" and f"{DAG} {run_id}" in notice.get_content()
    assert "mart_case_flow" not in notice.get_content()


def test_no_process_lets_others_open_what_it_writes(installation: Installation) -> None:
    """Everything so far was done by the command line and Airflow, started with the usual umask."""
    masks = {
        (Path("/proc") / str(pid) / "cmdline").read_text().replace("\0", " "): _umask(pid)
        for pid in marked_pids({"AIRFLOW_HOME": str(installation.airflow)})
    }
    assert len(masks) >= 4 and set(masks.values()) == {"0077"}, masks
    assert list(find_open_to_others([installation.place.home, installation.airflow])) == []


def _umask(pid: int) -> str:
    status = (Path("/proc") / str(pid) / "status").read_text(encoding="utf-8")
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Umask:"))
