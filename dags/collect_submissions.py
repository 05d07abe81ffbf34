"""Take in what the districts have left in their drop locations; see README.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import MultipleCronTriggerTimetable, Param, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from submission_partitions import SUBMISSIONS, partition_key

from ingest.districts import load_districts

# Daily from the quarter's end to day 60 after it, when its lock is proposed. Never at once when Airflow is started.
COLLECTION_WINDOW = MultipleCronTriggerTimetable(
    "0 6 * 1,2,4,5,7,8,10,11 *", "0 6 1 3 *", timezone="Europe/Stockholm", run_immediately=timedelta(0)
)
CODES = sorted(district.code for district in load_districts().districts)
QUARTER = Param(None, type=["null", "string"], pattern=r"^(\d{4}Q[1-4])?$", title="Quarter (empty: all that waits)")
DISTRICTS = Param(
    None, type=["null", "array"], items={"enum": CODES}, examples=CODES, title="Districts (empty: all that report)"
)


@dag(
    schedule=COLLECTION_WINDOW,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params={"quarter": QUARTER, "districts": DISTRICTS},
)
def collect_submissions() -> None:
    """A mapped task per district, each retried and failing alone; then one announcement of all that changed."""

    @task
    def list_districts(params: dict[str, Any]) -> list[str]:
        from followup.scheduled import districts_to_collect

        return districts_to_collect(params["quarter"], params["districts"])

    @task(
        pool="intake", map_index_template="{{ task.op_kwargs['district'] }}",
        retries=2, retry_exponential_backoff=True,
    )  # fmt: skip
    def receive_district(district: str, params: dict[str, Any]) -> list[str]:
        from followup.scheduled import collect_district

        return [partition_key(district, quarter) for quarter in collect_district(district, params["quarter"])]

    @task(outlets=[SUBMISSIONS], trigger_rule=TriggerRule.ALL_DONE, retries=2)
    def announce_changes(received: Any, ti: Any, outlet_events: Any) -> None:
        from followup.scheduled import changes_to_build

        changes = {key for keys in received for key in keys}
        if not ti.get_dr_count(dag_id="build_marts", states=["queued"]):  # one still to start will show the rest anyway
            changes |= {partition_key(*change) for change in changes_to_build()}
        if not changes:
            raise AirflowSkipException("nothing has changed since the last build")
        outlet_events[SUBMISSIONS].add_partitions(sorted(changes))

    received = receive_district.expand(district=list_districts())
    announce_changes(received)
    # Announcing succeeds whatever became of the districts; this makes the run fail when one of them did.
    received >> EmptyOperator(task_id="every_district_received")


collect_submissions()
