"""What the task of erase_expired calls."""

from __future__ import annotations

import logging

from followup.tasks.intake import settings_of_task
from ingest.failures import storage_failures_in_words

log = logging.getLogger(__name__)


@storage_failures_in_words
def erase_and_log(*, is_dry_run: bool = False) -> list[str]:
    """Erase what is stored longer than the settings say, with the report in the log.

    Args:
        is_dry_run: only list what would go.

    Returns:
        The report in Swedish, a line each: counts and quarters.

    Raises:
        BuildFailed: a model or a test failed.
        StorageFailure: figures would change, or rows came meanwhile; no rows are erased.
    """
    from followup.expiring import erase_expired, what_expires
    from ingest.recording import open_intake

    with open_intake(settings_of_task()) as intake:
        found, lines = what_expires(intake) if is_dry_run else (erase_expired(intake), [])
    report = [*lines, *found.as_text(is_dry_run=is_dry_run)]
    for line in report:
        log.info("%s", line)
    return report
