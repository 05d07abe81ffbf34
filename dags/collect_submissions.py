"""Take in what the districts have left in their drop locations; see README.md."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import PokeReturnValue, TriggerRule, dag, task
from airflow.sdk.configuration import conf
from announcing import announce
from failed_runs import EVERY_DAG
from parameters import DISTRICTS, quarter_param
from run_acting import acting_task
from run_names import COLLECTION_WINDOW
from submission_partitions import SUBMISSIONS, partition_key

# No retries: a mapped task that waits for one loses its name, and would hold up the announcement.
DISTRICT = {"pool": "intake", "map_index_template": "{{ task.op_kwargs['district'] }}"}
PAUSE = conf.getint("core", "default_task_retry_delay")
AGAIN = {"mode": "reschedule", "poke_interval": PAUSE, "timeout": 4 * PAUSE}
PARAMS = {"quarter": quarter_param("Quarter (empty: all that waits)"), "districts": DISTRICTS}


@dag(schedule=COLLECTION_WINDOW, params=PARAMS, **EVERY_DAG)
def collect_submissions() -> None:
    """A mapped task per district; what changed is announced at once; then those that failed are tried again."""

    @task
    def list_districts(params: dict[str, Any]) -> list[str]:
        from followup.tasks.intake import districts_to_collect

        return districts_to_collect(params["quarter"], params["districts"])

    @acting_task(**DISTRICT)
    def receive_district(district: str, params: dict[str, Any]) -> dict[str, Any]:
        from followup.tasks.intake import collect_district

        changed = [partition_key(district, quarter) for quarter in collect_district(district, params["quarter"])]
        return {"district": district, "changed": changed}

    @task(outlets=[SUBMISSIONS], trigger_rule=TriggerRule.ALL_DONE, retries=2)
    def announce_changes(received: Any, ti: Any, outlet_events: Any) -> None:
        announce(received, ti, outlet_events)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def list_failed_districts(districts: list[str], received: Any) -> list[str]:
        return sorted(set(districts) - {one["district"] for one in received})

    @acting_task(task.sensor, **DISTRICT, **AGAIN)
    def receive_again(district: str, params: dict[str, Any]) -> PokeReturnValue:
        from followup.tasks.intake import retry_district

        quarters = retry_district(district, params["quarter"])
        changed = [partition_key(district, quarter) for quarter in quarters or ()]
        return PokeReturnValue(quarters is not None, {"district": district, "changed": changed})

    announce_changes(received := receive_district.expand(district=(districts := list_districts())))
    late = receive_again.expand(district=list_failed_districts(districts, received))
    announce_changes.override(task_id="announce_late_changes", trigger_rule="all_done_min_one_success")(late)
    # Announcing succeeds whatever became of the districts; this makes the run fail when one of them did.
    late >> EmptyOperator(task_id="every_district_received", trigger_rule=TriggerRule.NONE_FAILED)


collect_submissions()
