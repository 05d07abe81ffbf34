"""Remind units of what is missing, refused and unanswered, on the days that are set; see README.md."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag
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

    send_mail()


send_reminders()
