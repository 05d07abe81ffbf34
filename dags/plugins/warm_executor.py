"""A LocalExecutor whose workers start with the heavy libraries loaded.

Every task is forked from a worker, and every worker from the scheduler. Great Expectations and dbt take seconds to
import: done once here, before the fork, instead of once in each district's task.
"""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class WarmLocalExecutor(LocalExecutor):
    """LocalExecutor with what the tasks import already imported."""

    def start(self) -> None:
        """Import, then start the workers."""
        from followup.tasks.intake import warm_up

        warm_up()
        super().start()
