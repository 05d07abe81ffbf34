"""Receiving on a disk that fills up, at two points; `make test-full-disk` takes more, and builds, releases, backups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_receiving_on_a_full_disk_says_so_loses_nothing_and_is_finished_by_the_next_run() -> None:
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-rm"]
    if subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system, nor make a namespace in which it may")
    done = subprocess.run(
        [*alone, sys.executable, str(Path(__file__).with_name("full_disk.py")), "receive", "0.35", "0.8", "--quick"],
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.count(": 3 ") == 2, done.stdout
