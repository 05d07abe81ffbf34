"""Back the installation up; see README.md."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag
from airflow.sdk.exceptions import AirflowFailException
from failed_runs import EVERY_DAG
from run_acting import acting_task

# Only where a place for backups is set.
CRON = os.environ.get("FOLLOWUP_BACKUP_CRON") or "0 2 * * *"
NIGHTLY = CronTriggerTimetable(CRON, timezone="Europe/Stockholm", run_immediately=timedelta(0))
WHEN = NIGHTLY if os.environ.get("FOLLOWUP_BACKUP_URL") else None


@dag(schedule=WHEN, **EVERY_DAG)
def back_up() -> None:
    """What can't be made again, encrypted and verified, to the place of the backups; old backups removed."""

    @acting_task(retries=2)
    def make_backup() -> dict[str, Any]:
        from followup.tasks.backups import BackupIncomplete, back_up_and_log

        try:
            return back_up_and_log()
        except BackupIncomplete as lacking:  # it would lack the same again
            raise AirflowFailException(str(lacking)) from None

    make_backup()


back_up()
