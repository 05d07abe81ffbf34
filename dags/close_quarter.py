"""Close a quarter: report its completeness, ask, lock it, release its final figures; see README.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import IdentityMapper, PartitionedAssetTimetable, RollupMapper, dag
from closing_partitions import COMPLETE_UNITS, QUARTERS_TO_CLOSE, UnitsOfQuarter
from failed_runs import EVERY_DAG
from parameters import quarter_param
from run_acting import acting_task
from submission_partitions import QuarterOfSubmission

ALL_UNITS = RollupMapper(upstream_mapper=QuarterOfSubmission(), window=UnitsOfQuarter())
COMPLETE_OR_DUE = PartitionedAssetTimetable(
    assets=COMPLETE_UNITS | QUARTERS_TO_CLOSE,
    partition_mapper_config={COMPLETE_UNITS: ALL_UNITS, QUARTERS_TO_CLOSE: IdentityMapper()},
)
PARAMS = {"quarter": quarter_param("Quarter to close (empty: that of the partition)")}


@dag(schedule=COMPLETE_OR_DUE, params=PARAMS, **EVERY_DAG)
def close_quarter() -> None:
    """Nothing is locked before somebody says yes, and then only in the state that they were shown."""

    @acting_task(retries=1)
    def report_completeness(dag_run: Any, params: dict[str, Any]) -> dict[str, Any]:
        from followup.tasks.closing import ask_and_log

        return ask_and_log(
            params["quarter"] or dag_run.partition_key, dag_run.run_id, is_wanted=bool(params["quarter"])
        )

    approve_closing = ApprovalOperator(
        task_id="approve_closing",
        subject="{{ ti.xcom_pull('report_completeness')['subject'] }}",
        body="{{ ti.xcom_pull('report_completeness')['body'] }}",
        response_timeout=timedelta(days=6),  # a day later it is asked again
    )

    @acting_task(retries=1)
    def lock_quarter(asked: dict[str, Any]) -> None:
        from followup.tasks.closing import lock_and_log

        lock_and_log(asked["quarter"], asked["fingerprint"])

    @acting_task(pool="duckdb_writer", retries=1)
    def make_final_release() -> int:
        from followup.tasks.closing import make_final_release_and_log

        return make_final_release_and_log()

    @acting_task(retries=2, retry_exponential_backoff=True)
    def serve_final_release(release_id: int) -> dict[str, Any]:
        from followup.tasks.releases import serve_and_log

        return serve_and_log(release_id)

    asked = report_completeness()
    asked >> approve_closing >> lock_quarter(asked) >> (made := make_final_release())
    serve_final_release(made)


close_quarter()
