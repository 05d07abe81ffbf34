"""What the task of back_up calls: logging, and returning counts."""

from __future__ import annotations

import logging
from typing import Any

from followup.tasks.intake import settings_of_task
from ingest.failures import storage_failures_in_words

log = logging.getLogger(__name__)


class BackupIncomplete(Exception):
    """A backup was made and lacks something, or an earlier one is damaged; the message says what."""


@storage_failures_in_words
def back_up_and_log() -> dict[str, Any]:
    """Back the installation up.

    Returns:
        `set`, its name; `files`, `sent_objects` and `removed_sets`: how many.

    Raises:
        BackupIncomplete: the ledger names files that are missing or damaged, or an earlier backup is damaged.
    """
    from followup.backup.backing_up import back_up

    done = back_up(settings_of_task())
    log.info(
        "backup %s: %d files, %d objects sent, %d earlier backups removed", done.name, done.files, done.sent_objects,
        len(done.removed),
    )  # fmt: skip
    if done.left_out or done.unreadable:
        for path in done.left_out:
            log.error("missing or damaged, and so not in the backup: %s", path)
        raise BackupIncomplete(
            f"backup {done.name} lacks {len(done.left_out)} files, and {len(done.unreadable)} earlier backups are "
            "damaged: see followup doctor, and followup backup --verify"
        )
    return {
        "set": done.name, "files": done.files, "sent_objects": done.sent_objects, "removed_sets": len(done.removed),
    }  # fmt: skip
