"""What every DAG is declared with: one run at a time, nothing made up for, and the team told of a run that failed."""

from __future__ import annotations

from typing import Any


def notify_team(context: Any) -> None:
    """Send the team a mail of a failed run, once a day for each DAG; see `followup/tasks/reminders.py`.

    Airflow calls it once for a run that has failed, not for a task's retries.
    """
    from followup.tasks.reminders import report_failure_and_log
    from ingest.acting_user import Actor, acting_as

    run = context["dag_run"]
    with acting_as(Actor("dag_run", f"{run.dag_id} {run.run_id}")):
        report_failure_and_log(run.dag_id, run.run_id)


EVERY_DAG: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
    "on_failure_callback": notify_team,
}
