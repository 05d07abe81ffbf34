"""What the collection announces: the units' quarters that have changed, as partitions of the asset of submissions."""

from __future__ import annotations

from typing import Any

from airflow.sdk.exceptions import AirflowSkipException
from submission_partitions import SUBMISSIONS, partition_key


def announce(received: Any, ti: Any, outlet_events: Any) -> None:
    """Announce what the tasks of a run changed, and whatever else is in the ledger and not in the marts.

    Args:
        received: of each district task `district`, and `changed`: partition keys.
        ti: the task that announces.
        outlet_events: its outlets.

    Raises:
        AirflowSkipException: nothing has changed.
    """
    from followup.tasks.intake import changes_to_build

    changes = {key for one in received for key in one["changed"]}
    if not ti.get_dr_count(dag_id="build_marts", states=["queued"]):  # one still to start will show the rest anyway
        changes |= {partition_key(*change) for change in changes_to_build()}
    if not changes:
        raise AirflowSkipException("nothing has changed since the last build")
    outlet_events[SUBMISSIONS].add_partitions(sorted(changes))
