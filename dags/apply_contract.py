"""Try a changed contract on what is in force, and put the deployed one in use; see README.md."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from failed_runs import EVERY_DAG
from parameters import dataset_param, quarter_param
from run_acting import acting_task
from submission_partitions import SUBMISSIONS, partition_key

PARAMS = {
    "folder": Param(None, type=["null", "string"], title="Folder of changed files (empty: the deployed contract)"),
    "dataset": dataset_param("Dataset (empty: all)"),
    "quarter": quarter_param("Quarter (empty: all)"),
    "figures": Param(True, type="boolean", title="Which figures move"),
    "apply": Param(False, type="boolean", title="Put the deployed contract in use"),
}


@dag(schedule=None, params=PARAMS, **EVERY_DAG)
def apply_contract() -> None:
    """A dry run first, always; then, if asked, what comes out otherwise is recorded anew and the marts are built."""

    @task(pool="duckdb_writer")
    def try_contract(params: dict[str, Any]) -> str:
        from followup.tasks.contracts import try_and_log

        return try_and_log(params["folder"], params["dataset"], params["quarter"], with_figures=params["figures"])

    @acting_task(pool="intake", outlets=[SUBMISSIONS], retries=2)
    def record_again(tried: str, params: dict[str, Any], outlet_events: Any) -> None:
        from followup.tasks.contracts import apply_and_log

        if not params["apply"] or params["folder"]:
            raise AirflowSkipException(f"a dry run: {tried}")
        changes = apply_and_log(params["dataset"], params["quarter"])
        if not changes:
            raise AirflowSkipException("nothing comes out otherwise")
        outlet_events[SUBMISSIONS].add_partitions(sorted({partition_key(*change) for change in changes}))

    record_again(try_contract())


apply_contract()
