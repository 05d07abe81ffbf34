"""Erase what is stored longer than the settings say, and report it; see README.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag
from airflow.sdk.exceptions import AirflowFailException
from failed_runs import EVERY_DAG
from run_acting import acting_task

# The first of a month, at night: intake waits while a warehouse is built without the rows.
MONTHLY = CronTriggerTimetable("0 3 1 * *", timezone="Europe/Stockholm", run_immediately=timedelta(0))
PARAMS = {"dry_run": Param(False, type="boolean", title="Only list what would go")}


@dag(schedule=MONTHLY, params=PARAMS, **EVERY_DAG)
def erase_expired() -> None:
    """Figures frozen, rows about persons erased, then originals, feedback, sessions and logs."""

    @acting_task(pool="duckdb_writer", retries=1)
    def erase(params: dict[str, Any]) -> list[str]:
        from followup.build.building import BuildFailed
        from followup.build.freezing import FiguresWouldChange
        from followup.tasks.retention import erase_and_log

        try:
            return erase_and_log(is_dry_run=params["dry_run"])
        except (BuildFailed, FiguresWouldChange) as failure:  # the same rows would fail again: no retry
            raise AirflowFailException(str(failure)) from None

    erase()


erase_expired()
