"""The DAGs as Airflow reads them: what is there, how it hangs together, when it runs."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from ingest.quarters import Quarter
from ingest.settings import CITY_TIME, ROOT

DAG_FILES = {path.stem: path for path in (ROOT / "dags").glob("*.py")}


def test_dags_are_their_files(dags):
    assert (
        set(dags)
        == set(DAG_FILES)
        == {
            "apply_contract",
            "back_up",
            "build_marts",
            "close_quarter",
            "collect_submissions",
            "erase_expired",
            "guard_readers",
            "publish_release",
            "send_reminders",
        }
    )


def test_every_dag_has_its_row_and_heading_in_the_catalogue():
    catalogue = (ROOT / "dags" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[(\w+)\]", catalogue, re.MULTILINE)) == set(DAG_FILES)
    assert set(re.findall(r"^## (\w+)$", catalogue, re.MULTILINE)) == set(DAG_FILES)


def test_every_task_is_in_the_catalogue(dags):
    catalogue = (ROOT / "dags" / "README.md").read_text(encoding="utf-8")
    for dag in dags.values():
        for task_id in dag.task_ids:
            assert f"`{task_id}`" in catalogue


@pytest.mark.parametrize("path", DAG_FILES.values(), ids=DAG_FILES)
def test_dag_file_is_wiring_only(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 70
    loops = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.While | ast.For | ast.With)]
    assert not loops


def test_reading_the_dags_imports_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, 'dags/plugins'); sys.path.insert(0, 'dags')\n"
        "import apply_contract, back_up, collect_submissions, build_marts, publish_release, guard_readers\n"
        "import send_reminders, close_quarter, erase_expired\n"
        "print([name for name in ('great_expectations', 'dbt', 'duckdb', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_collection_goes_from_districts_to_one_announcement(dags):
    dag = dags["collect_submissions"]
    assert dag.task_dict["receive_district"].upstream_task_ids == {"list_districts"}
    assert dag.task_dict["announce_changes"].upstream_task_ids == {"receive_district"}
    assert dag.task_dict["announce_changes"].trigger_rule == "all_done"
    assert [asset.name for asset in dag.task_dict["announce_changes"].outlets] == ["submissions"]


def test_what_failed_is_tried_again_after_the_announcement_and_announced_late(dags):
    dag = dags["collect_submissions"]
    assert dag.task_dict["receive_again"].upstream_task_ids == {"list_failed_districts"}
    assert dag.task_dict["announce_late_changes"].upstream_task_ids == {"receive_again"}
    assert dag.task_dict["every_district_received"].upstream_task_ids == {"receive_again"}
    assert dag.task_dict["every_district_received"].trigger_rule == "none_failed"
    assert [asset.name for asset in dag.task_dict["announce_late_changes"].outlets] == ["submissions"]


@pytest.mark.parametrize("task_id", ["receive_district", "receive_again"])
def test_districts_are_received_two_at_a_time_and_never_hold_a_slot_while_they_wait(dags, task_id):
    task = dags["collect_submissions"].task_dict[task_id]
    assert task.partial_kwargs["pool"] == "intake"
    assert task.partial_kwargs.get("retries", 0) == 0
    assert task.partial_kwargs.get("mode", "reschedule") == "reschedule"
    assert task.partial_kwargs["map_index_template"]


def test_a_run_of_the_collection_is_named_by_the_newest_quarter_that_has_ended(dags, monkeypatch):
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.utils.types import DagRunType
    from pendulum import datetime as moment

    timetable = coerce_to_core_timetable(dags["collect_submissions"].timetable)
    run_after = moment(2018, 9, 30, 22, 30)  # in the city the first of October
    for kind in (DagRunType.SCHEDULED, DagRunType.MANUAL):
        run_id = timetable.generate_run_id(run_type=kind, run_after=run_after, data_interval=None)
        assert run_id.startswith(f"{kind.value}__2018Q3__2018-09-30T22:30:00")
        assert DagRunType.from_run_id(run_id) == kind
    monkeypatch.setenv("FOLLOWUP_NOW", "2017-01-10T08:00:00")
    assert "__2016Q4__" in timetable.generate_run_id(
        run_type=DagRunType.MANUAL, run_after=run_after, data_interval=None
    )


@pytest.mark.parametrize(
    ("dag_id", "given", "note"),
    [
        ("build_marts", {"partition_key": "2018Q2"}, "2018Q2"),
        ("collect_submissions", {"conf": {"quarter": "2017Q3", "districts": None}}, "2017Q3"),
        ("collect_submissions", {"conf": {}}, "2018Q3"),
        ("build_marts", {"partition_key": "2018Q2", "note": "somebody's own"}, "somebody's own"),
        ("publish_release", {}, None),
    ],
)
def test_the_quarter_is_in_the_note_of_a_run(dag_id, given, note):
    from airflow.models.dagrun import DagRun
    from pendulum import datetime as moment
    from run_names import on_dag_run_running

    run = DagRun(dag_id=dag_id, run_id="a_run", run_after=moment(2018, 10, 2), **given)
    on_dag_run_running(dag_run=run, msg="")
    assert run.note == note


def test_one_build_at_a_time_in_the_writers_pool(dags):
    dag = dags["build_marts"]
    assert dag.max_active_runs == 1
    assert dag.task_dict["build"].pool == "duckdb_writer"


def test_a_release_is_looked_at_proposed_and_approved_before_it_is_served(dags):
    dag = dags["publish_release"]
    assert dag.max_active_runs == 1
    assert dag.task_dict["propose_release"].upstream_task_ids == {"check_marts"}
    assert dag.task_dict["choose_approval"].upstream_task_ids == {"propose_release"}
    assert dag.task_dict["approve_release"].upstream_task_ids == {"choose_approval"}
    assert dag.task_dict["serve_release"].upstream_task_ids >= {"choose_approval", "approve_release"}
    assert dag.task_dict["serve_release"].trigger_rule == "none_failed_min_one_success"
    assert {dag.task_dict[name].pool for name in ("check_marts", "propose_release")} == {"duckdb_writer"}


@pytest.mark.parametrize(("cron", "expected"), [("", "0 2 * * *"), ("30 22 * * 0", "30 22 * * 0")])
def test_backups_are_made_when_the_setting_says_where_there_is_a_place_for_them(dags, monkeypatch, cron, expected):
    assert type(dags["back_up"].timetable).__name__ == "NullTimetable"
    monkeypatch.setenv("FOLLOWUP_BACKUP_URL", "/mnt/backups")
    monkeypatch.setenv("FOLLOWUP_BACKUP_CRON", cron)
    timetable = runpy.run_path(str(DAG_FILES["back_up"]))["WHEN"]
    assert (timetable.expression, str(timetable.timezone)) == (expected, "Europe/Stockholm")
    assert dags["back_up"].max_active_runs == 1


def test_releases_are_looked_for_on_mondays_and_never_made_up_for(dags):
    timetable = dags["publish_release"].timetable
    assert (timetable.expression, str(timetable.timezone)) == ("0 7 * * 1", "Europe/Stockholm")


@pytest.mark.parametrize("dag_id", DAG_FILES)
def test_dags_run_without_being_switched_on_and_never_catch_up(dags, dag_id):
    assert dags[dag_id].is_paused_upon_creation is False
    assert dags[dag_id].catchup is False


@pytest.mark.parametrize("dag_id", DAG_FILES)
def test_every_dag_notifies_the_team_of_a_failed_run_and_no_task_does(dags, dag_id):
    from failed_runs import notify_team

    dag = dags[dag_id]
    assert dag.on_failure_callback in (notify_team, [notify_team])
    assert [task.task_id for task in dag.task_dict.values() if getattr(task, "on_failure_callback", None)] == []


def test_reminders_are_sent_in_the_morning_after_the_collection(dags):
    timetable = dags["send_reminders"].timetable
    assert (timetable.expression, str(timetable.timezone)) == ("30 7 * * *", "Europe/Stockholm")


@pytest.mark.parametrize("quarter", [None, "", "2018Q1", "2031Q4"])
@pytest.mark.parametrize("dag_id", ["collect_submissions", "publish_release", "close_quarter"])
def test_quarter_param_takes_a_quarter_or_nothing(dags, dag_id, quarter):
    dags[dag_id].params.get_param("quarter").resolve(quarter)


@pytest.mark.parametrize("quarter", ["2018Q5", "2018", "Q1 2018", "2018Q1 "])
@pytest.mark.parametrize("dag_id", ["collect_submissions", "publish_release", "close_quarter"])
def test_quarter_param_refuses_anything_else(dags, dag_id, quarter):
    with pytest.raises(ValueError, match="does not match"):
        dags[dag_id].params.get_param("quarter").resolve(quarter)


def test_approve_param_is_yes_no_or_nothing(dags):
    param = dags["publish_release"].params.get_param("approve")
    for value in (None, True, False):
        param.resolve(value)
    with pytest.raises(ValueError, match="is not of type"):
        param.resolve("ja")


def test_districts_param_knows_the_codes(dags):
    param = dags["collect_submissions"].params.get_param("districts")
    param.resolve(["farsta", "socialforvaltningen"])
    with pytest.raises(ValueError, match="is not one of"):
        param.resolve(["lund"])


@pytest.mark.parametrize("year", [2018, 2019, 2020])
def test_collection_runs_daily_from_quarters_end_to_day_sixty(dags, year):
    days = _days_of_collection(dags["collect_submissions"], date(year, 1, 1), date(year, 12, 31))
    for number in (1, 2, 3, 4):
        end = Quarter(year - 1, 4).end if number == 4 else Quarter(year, number).end
        window = {end + timedelta(days=n) for n in range(1, 61)}
        assert window <= days
        assert {end + timedelta(days=n) for n in range(64, 85)}.isdisjoint(days)


def _days_of_collection(dag, first, last):
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import DataInterval, TimeRestriction
    from pendulum import instance

    timetable, days = coerce_to_core_timetable(dag.timetable), set()
    moment = instance(datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1))
    interval = DataInterval.exact(moment)
    restriction = TimeRestriction(earliest=moment, latest=None, catchup=True)
    while True:
        info = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        local = info.run_after.astimezone(CITY_TIME)
        if local.date() > last:
            return days
        assert (local.hour, local.minute) == (6, 0)
        days.add(local.date())
        interval = info.data_interval


def test_mapper_makes_the_quarter_of_a_key():
    from submission_partitions import QuarterOfSubmission, partition_key

    assert partition_key("hagersten-liljeholmen", "2018Q3") == "hagersten-liljeholmen|2018Q3"
    assert QuarterOfSubmission().to_downstream("hagersten-liljeholmen|2018Q3") == "2018Q3"


@pytest.mark.parametrize("key", ["2018Q3", "farsta|2018", "farsta|2018Q5", "|2018Q3", "farsta|2018Q3|x", ""])
def test_mapper_refuses_other_keys(key):
    from submission_partitions import QuarterOfSubmission

    with pytest.raises(ValueError, match="district"):
        QuarterOfSubmission().to_downstream(key)


def test_a_quarter_is_reported_and_approved_before_it_is_locked_and_released(dags):
    dag = dags["close_quarter"]
    order = ["report_completeness", "approve_closing", "lock_quarter", "make_final_release", "serve_final_release"]
    for before, after in pairwise(order):
        assert before in dag.task_dict[after].upstream_task_ids
    assert dag.task_dict["make_final_release"].pool == "duckdb_writer"
    assert dag.max_active_runs == 1  # so one question at a time is open


@pytest.mark.parametrize(("quarter", "units"), [("2018Q1", 14), ("2020Q3", 13), ("2023Q3", 11)])
def test_closing_waits_for_all_districts_of_the_quarter_and_follows_mergers(dags, quarter, units):
    from airflow.serialization.encoders import coerce_to_core_timetable

    from ingest.districts import load_districts

    timetable = coerce_to_core_timetable(dags["close_quarter"].timetable)
    mapper = timetable.get_partition_mapper(name="complete_units", uri="x-followup://ledger/complete_units")
    valid = load_districts().valid_in(Quarter.parse(quarter))
    assert mapper.to_upstream(quarter) == {f"{one.code}|{quarter}" for one in valid}
    assert len(valid) == units
    assert mapper.to_downstream(f"farsta|{quarter}") == quarter
    due = timetable.get_partition_mapper(name="quarters_to_close", uri="x-followup://ledger/quarters_to_close")
    assert due.to_downstream(quarter) == quarter and not due.is_rollup


def test_complete_units_are_announced_after_each_build_and_due_quarters_each_morning(dags):
    after = dags["build_marts"].task_dict["announce_complete_units"]
    assert after.upstream_task_ids == {"build"} and [one.name for one in after.outlets] == ["complete_units"]
    daily = dags["send_reminders"].task_dict["announce_due_quarters"]
    assert daily.upstream_task_ids == set() and [one.name for one in daily.outlets] == ["quarters_to_close"]


def test_dags_survive_being_stored_and_read_back(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert set(again.task_ids) == set(dag.task_ids)
        assert type(again.timetable).__name__ == type(dag.timetable).__name__
