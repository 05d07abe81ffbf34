"""What several files of tests read and none changes is made once for all test processes of a run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this run that the first test process to ask for it has filled; nobody may change it after that.

    Args:
        name: of the folder.
        make: fills it, given its path; another process that asks meanwhile waits.

    Returns:
        The folder, whole.
    """
    shared = Path(os.environ["FOLLOWUP_TEST_SHARED"])
    folder, whole = shared / name, shared / f"{name}.whole"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a failure has left
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
