"""What a task does in the ledger is done by its DAG's run, and by who answered it: the audit log names both."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ingest.acting_user import Actor, acting_as

QUESTIONS = {"approve_release", "approve_closing"}
"""The tasks that ask somebody."""
P = ParamSpec("P")
R = TypeVar("R")


def acting_task(kind: Any = task, **options: Any) -> Callable[[Callable[P, R]], Any]:
    """The decorator of a task of some kind (`task`, `task.sensor`), whose function acts as the run it is in.

    Where the function says that there is nothing new, the task is skipped; where it is refused, it fails at once.
    """
    return lambda function: kind(**options)(_by_the_run(function))


def _by_the_run(function: Callable[P, R]) -> Callable[P, R]:
    """A task's function that acts as the run it is in, such as `build_marts 2018Q3__2018-10-10T08:00:00+00:00`."""

    @wraps(function)
    def acting(*args: P.args, **kwargs: P.kwargs) -> R:
        from followup.tasks.releases import NothingNew, Refused

        context = get_current_context()
        run = context["dag_run"]
        with acting_as(Actor("dag_run", f"{run.dag_id} {run.run_id}{_answered_by(context['ti'])}")):
            try:
                return function(*args, **kwargs)
            except NothingNew as nothing:
                raise AirflowSkipException(str(nothing)) from None
            except Refused as refusal:  # as things are it would be refused again: no retry
                raise AirflowFailException(str(refusal)) from None

    return acting


def _answered_by(instance: Any) -> str:
    """Who answered the question before this task, where there was one."""
    asked = QUESTIONS & instance.task.upstream_task_ids
    if not asked:
        return ""
    user = (instance.xcom_pull(task_ids=asked.pop()) or {}).get("responded_by_user") or {}
    return f", answered by {user['name']}" if user.get("name") else ""
