"""Whether a file in a drop location is whole, or still being written.

A file is whole when nothing has been written to it for a while by its location's own clock. On a disk of this machine
the kernel knows better: whether anybody has it open for writing; then nobody needs to wait.
"""

from __future__ import annotations

import fcntl
import math
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from ingest.connecting import Connection, Entry

_OWN_DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay"})
"""File systems that only this machine's processes write to."""
_TICK = 2.0
"""Seconds: servers tell times of change in whole ones."""


def unsettled(connection: Connection, entries: Iterable[Entry], settle_seconds: int) -> frozenset[str]:
    """Paths of the files that may still be growing.

    Args:
        connection: where they lie.
        entries: the files, as just listed.
        settle_seconds: how long nothing must have been written; 0 takes every file as it is.
    """
    if settle_seconds == 0 or connection.is_whole_at_once:
        return frozenset()
    doubtful = [entry for entry in entries if not (connection.is_local and is_closed_on_own_disk(entry.path))]
    if not doubtful:
        return frozenset()
    earliest = -_TICK
    try:
        clock = connection.now()
    except OSError:  # where nothing can be written only this machine's clock is left, which may be behind
        clock, earliest = time.time(), -math.inf
    # A time that is yet to come was given to the file by its sender, once it was written.
    return frozenset(entry.path for entry in doubtful if earliest <= clock - entry.changed_at < settle_seconds)


def is_closed_on_own_disk(path: str) -> bool:
    """Whether a file lies on a disk of this machine and nobody has it open for writing; False also when that can't be
    known (another owner's file, a network disk).

    The kernel grants a read lease only on a file that nobody has open for writing (fcntl(2), F_SETLEASE).
    """
    try:
        if _file_system(Path(path)) not in _OWN_DISKS:
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Whoever opens the file while the lease is held makes the kernel signal us: by one that does nothing.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _file_system(path: Path) -> str:
    """The kind of file system that a path lies on, by the longest mount point above it."""
    real = path.parent.resolve()
    best, kind = "", ""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        mounted = fields[4].encode().decode("unicode_escape")
        if len(mounted) >= len(best) and real.is_relative_to(mounted):
            best, kind = mounted, fields[fields.index("-") + 1]
    return kind
