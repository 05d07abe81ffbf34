"""The asset that ties intake to the build, and how its partitions map: `district|quarter` to the quarter."""

from __future__ import annotations

import re
from typing import ClassVar

from airflow.partition_mappers.base import PartitionMapper
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import Asset

SUBMISSIONS = Asset(
    name="submissions",
    uri="x-followup://ledger/submissions",
    extra={"partition": "district|quarter, for example farsta|2018Q3"},
)
"""What the ledger says is in force. An event says that one district's quarter changed."""

_KEY = re.compile(r"(?P<district>[a-z][a-z-]*)\|(?P<quarter>\d{4}Q[1-4])")


def partition_key(district_code: str, quarter: str) -> str:
    """The key of one district's quarter: `farsta|2018Q3`."""
    return f"{district_code}|{quarter}"


class QuarterOfSubmission(PartitionMapper):
    """Maps the partition `district|quarter` of a submission to the quarter, the partition of a build."""

    def to_downstream(self, key: str) -> str:
        """Return the quarter of a key.

        Raises:
            ValueError: the key is not `district|quarter` (Airflow then leaves an audit row and starts nothing).
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError("a submission's partition key is written district|YYYYQn")
        return match["quarter"]


class SubmissionPartitions(AirflowPlugin):
    """Registers the mapper, so that the scheduler can read it back from a stored DAG."""

    name = "submission_partitions"
    partition_mappers: ClassVar = [QuarterOfSubmission]
