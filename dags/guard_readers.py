"""Undo what a reader of the database for BI did to the others; see README.md."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException
from failed_runs import EVERY_DAG

# Only where an installation has such a database.
EVERY_FIVE_MINUTES = CronTriggerTimetable("*/5 * * * *", timezone="UTC", run_immediately=timedelta(0))
WHEN = EVERY_FIVE_MINUTES if os.environ.get("FOLLOWUP_PUBLISH_POSTGRES") else None


@dag(schedule=WHEN, **EVERY_DAG)
def guard_readers() -> None:
    """Passwords and settings of those who read put back, and sessions that ended their own time limit ended."""

    @task
    def undo_harm() -> None:
        from followup.tasks.releases import Refused, guard_and_log

        try:
            guard_and_log()
        except Refused as undone:  # it is undone: the run fails so that somebody sees it
            raise AirflowFailException(str(undone)) from None

    undo_harm()


guard_readers()
