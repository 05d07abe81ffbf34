"""When DAGs run, and how runs are named: by quarter, in the run id where a timetable chooses it, in the note always."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any, ClassVar

from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import CronTriggerTimetable
from airflow.timetables.trigger import MultipleCronTriggerTimetable
from airflow.utils.types import DagRunType
from pendulum import DateTime

from ingest.quarters import Quarter
from ingest.settings import CITY_TIME, Settings

NAMED = ("collect_submissions", "build_marts")
"""DAGs whose runs get a note."""


def newest_ended(moment: DateTime | None = None) -> str:
    """The newest quarter that has ended: at a moment, or now by the installation's clock when that is set."""
    settings = Settings()
    day = settings.now_date() if moment is None or settings.now_text else moment.astimezone(CITY_TIME).date()
    return str(Quarter.of(day).previous())


def quarter_of(dag_run: DagRun) -> str:
    """The quarter that a run is about: its partition, the one asked for, or the newest that has ended."""
    asked = (dag_run.conf or {}).get("quarter")
    return str(dag_run.partition_key or asked or newest_ended(dag_run.run_after))


class CollectionTimetable(MultipleCronTriggerTimetable):
    """Cron expressions; a run's id begins with the newest quarter that has ended: `scheduled__2018Q3__2018-10-01T…`."""

    def generate_run_id(self, *, run_type: DagRunType, run_after: DateTime, **rest: Any) -> str:
        """Name a run that nobody has named."""
        given = super().generate_run_id(run_type=run_type, run_after=run_after, **rest)
        return run_type.generate_run_id(suffix=f"{newest_ended(run_after)}__{given.partition('__')[2]}")


# Daily from the quarter's end to day 60 after it, when its lock is proposed. Never at once when Airflow is started.
COLLECTION_WINDOW = CollectionTimetable(
    "0 6 * 1,2,4,5,7,8,10,11 *", "0 6 1 3 *", timezone="Europe/Stockholm", run_immediately=timedelta(0)
)

# Once a week: has a quarter been locked since the last release? So at most a release a week is made unasked.
MONDAYS = CronTriggerTimetable("0 7 * * 1", timezone="Europe/Stockholm", run_immediately=timedelta(0))
# After the collection of 06:00, so that what came in the night is not asked for.
MORNINGS = CronTriggerTimetable("30 7 * * *", timezone="Europe/Stockholm", run_immediately=timedelta(0))


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Write the quarter into the note of a run that begins, unless somebody has written a note."""
    if dag_run.dag_id in NAMED and not dag_run.note:
        dag_run.note = quarter_of(dag_run)


class RunNames(AirflowPlugin):
    """Registers the timetable, so that the scheduler can read it back, and the listener."""

    name = "run_names"
    timetables: ClassVar = [CollectionTimetable]
    listeners: ClassVar = [sys.modules[__name__]]
