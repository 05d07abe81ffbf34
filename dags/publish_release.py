"""Propose a release of what readers see, have it approved, and serve it; see README.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from failed_runs import EVERY_DAG
from parameters import quarter_param
from run_acting import acting_task
from run_names import MONDAYS

APPROVE = Param(None, type=["null", "boolean"], title="Approved already (empty: by the setting)")
PARAMS = {"quarter": quarter_param("Newest quarter (empty: all)"), "approve": APPROVE}


@dag(schedule=MONDAYS, params=PARAMS, **EVERY_DAG)
def publish_release() -> None:
    """Marts looked at, cut, protected, audited; readers see nothing of it before somebody, or the setting, says yes."""

    @task(pool="duckdb_writer", retries=1)
    def check_marts(dag_run: Any) -> str:
        from followup.tasks.releases import Refused, check_and_log, is_release_due

        if dag_run.run_type != "manual" and not is_release_due():
            raise AirflowSkipException("no quarter has been locked since the last release")
        try:
            return check_and_log()
        except Refused as refusal:  # the same marts would be refused again: no retry
            raise AirflowFailException(str(refusal)) from None

    @acting_task(pool="duckdb_writer", retries=1)
    def propose_release(checked: str, params: dict[str, Any]) -> dict[str, Any]:
        from followup.tasks.releases import propose_and_log

        return propose_and_log(params["quarter"], checked)

    @task.branch
    def choose_approval(proposal: dict[str, Any], params: dict[str, Any]) -> str:
        from followup.tasks.releases import is_approved_already

        return "serve_release" if is_approved_already(params["approve"]) else "approve_release"

    approve_release = ApprovalOperator(
        task_id="approve_release",
        subject="Release {{ ti.xcom_pull('propose_release')['release_id'] }} of the figures: may it go out?",
        body="{{ ti.xcom_pull('propose_release')['summary'] }}",
        response_timeout=timedelta(days=6),  # before the next Monday proposes anew
    )

    @acting_task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, retries=2, retry_exponential_backoff=True)
    def serve_release(proposal: dict[str, Any]) -> dict[str, Any]:
        from followup.tasks.releases import serve_and_log

        return serve_and_log(proposal["release_id"])

    proposal = propose_release(check_marts())
    choose_approval(proposal) >> [approve_release, served := serve_release(proposal)]
    approve_release >> served


publish_release()
