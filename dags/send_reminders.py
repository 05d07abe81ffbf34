"""Remind units of what is missing, refused and unanswered, on the days that are set; see README.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag
from airflow.sdk.exceptions import AirflowSkipException
from closing_partitions import QUARTERS_TO_CLOSE
from failed_runs import EVERY_DAG
from run_acting import acting_task
from run_names import MORNINGS


@dag(schedule=MORNINGS, **EVERY_DAG)
def send_reminders() -> None:
    """One mail for each unit and day at most, and the overview for the team; what was not sent yesterday expires."""

    @acting_task(retries=3, retry_delay=timedelta(minutes=20))
    def send_mail() -> int:
        from followup.tasks.reminders import remind_and_log

        return remind_and_log()

    @acting_task(outlets=[QUARTERS_TO_CLOSE], retries=1)
    def announce_due_quarters(outlet_events: Any) -> None:
        from followup.tasks.closing import quarters_to_close

        if not (quarters := quarters_to_close()):
            raise AirflowSkipException("no quarter is to be closed that nobody has been asked about")
        outlet_events[QUARTERS_TO_CLOSE].add_partitions(quarters)

    send_mail()
    announce_due_quarters()


send_reminders()
