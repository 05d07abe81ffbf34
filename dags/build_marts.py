"""Build core and marts from all that is in force, when it has changed; see README.md."""

from __future__ import annotations

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, dag
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from closing_partitions import COMPLETE_UNITS
from failed_runs import EVERY_DAG
from run_acting import acting_task
from submission_partitions import SUBMISSIONS, QuarterOfSubmission, partition_key


@dag(
    schedule=PartitionedAssetTimetable(assets=SUBMISSIONS, default_partition_mapper=QuarterOfSubmission()),
    **EVERY_DAG,
)
def build_marts() -> None:
    """One dbt run over everything in force; a run with nothing new since the last build ends at once."""

    @acting_task(pool="duckdb_writer", retries=1)
    def build() -> str:
        from followup.build.building import BuildFailed
        from followup.tasks.intake import build_and_log
        from ingest.storing import DamagedRows

        try:
            return build_and_log()
        except (BuildFailed, DamagedRows) as failure:  # the same rows would fail again: no retry
            raise AirflowFailException(str(failure)) from None

    @acting_task(outlets=[COMPLETE_UNITS], retries=1)
    def announce_complete_units(outlet_events: Any) -> None:
        from followup.tasks.closing import complete_units_now

        if not (complete := complete_units_now()):
            raise AirflowSkipException("no unit is complete in a quarter that is still to be closed")
        outlet_events[COMPLETE_UNITS].add_partitions([partition_key(*unit) for unit in complete])

    build() >> announce_complete_units()


build_marts()
