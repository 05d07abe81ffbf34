"""Processes that are found again by a mark in their environment, which their children inherit (Linux: /proc)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

STOP_SECONDS = 10


def marked_pids(marks: dict[str, str]) -> Iterator[int]:
    """Process ids whose environment holds every one of these variables, and which have not ended."""
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted.issubset((entry / "environ").read_bytes().split(b"\0")) and not has_ended(int(entry.name)):
                    yield int(entry.name)


def has_ended(pid: int) -> bool:
    """Whether a process is gone or a zombie; our own ended children are reaped."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def stop_marked(marks: dict[str, str], seconds: float | None = None) -> bool:
    """End every marked process: TERM, and KILL for what is left after a while; True when there was any."""
    found = False
    give_up_at = time.monotonic() + (STOP_SECONDS if seconds is None else seconds)
    asked: set[int] = set()
    while pids := set(marked_pids(marks)):
        found = True
        overdue = time.monotonic() > give_up_at
        for pid in pids if overdue else pids - asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if overdue else signal.SIGTERM)
        asked |= pids
        time.sleep(0.2)
    return found
