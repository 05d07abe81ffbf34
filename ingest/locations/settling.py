"""Settling: which files in a drop location may still be being written.

A file is whole when nothing has been written to it for a while, by its location's own clock. On a disk of this machine
the kernel says whether anybody has it open for writing; then no waiting is needed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from ingest.locations.entries import Connection, Entry

_TICK = 2.0
"""Seconds: servers give times of change in whole seconds."""


def unsettled(connection: Connection, entries: Iterable[Entry], settle_seconds: int) -> frozenset[str]:
    """Names of the files that may still be growing.

    Args:
        connection: to their location.
        entries: the files, as just listed.
        settle_seconds: how long nothing must have been written; 0 takes every file as it is.
    """
    if settle_seconds == 0 or connection.is_whole_at_once:
        return frozenset()
    doubtful = [entry for entry in entries if not connection.is_closed(entry.name)]
    if not doubtful:
        return frozenset()
    earliest = -_TICK
    try:
        clock = connection.now()
    except OSError:  # where nothing can be written only this machine's clock is left, which may be behind
        clock, earliest = time.time(), -math.inf
    # A time that is yet to come was given to the file by its sender, once it was written.
    return frozenset(entry.name for entry in doubtful if earliest <= clock - entry.changed_at < settle_seconds)
