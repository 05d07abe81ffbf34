"""Assets that close a quarter: its units that are complete, rolled up over the districts; and quarters that are due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from airflow.partition_mappers.window import Window
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import Asset
from submission_partitions import partition_key

from ingest.districts import load_districts
from ingest.quarters import Quarter

COMPLETE_UNITS = Asset(
    name="complete_units",
    uri="x-followup://ledger/complete_units",
    extra={"partition": "district|quarter, for example farsta|2018Q3"},
)
"""An event says that all files of one unit's quarter are in force."""
QUARTERS_TO_CLOSE = Asset(
    name="quarters_to_close", uri="x-followup://ledger/quarters_to_close", extra={"partition": "quarter, as 2018Q3"}
)
"""An event says that a quarter is to be closed: complete, or its day has come."""


class UnitsOfQuarter(Window):
    """The partitions of all districts that report for a quarter: mergers are followed."""

    def to_upstream(self, decoded_downstream: str) -> Iterable[str]:
        """The keys `district|quarter` that make up a quarter."""
        valid = load_districts().valid_in(Quarter.parse(decoded_downstream))
        return [partition_key(district.code, decoded_downstream) for district in valid]


class ClosingPartitions(AirflowPlugin):
    """Registers the window, so that the scheduler can read it back from a stored DAG."""

    name = "closing_partitions"
    windows: ClassVar = [UnitsOfQuarter]
