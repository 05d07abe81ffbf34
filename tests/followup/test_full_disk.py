"""Receiving, building and publishing on a disk that fills up, at some points; `make test-full-disk` takes more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from city import built_city, drawn_files, received_city


@pytest.mark.parametrize(
    ("commands", "points"),
    [("receive", ["0.35", "0.8"]), ("build,publish", ["0.6"])],
)
def test_commands_on_a_full_disk_say_so_lose_nothing_and_are_finished_by_the_next_run(
    commands: str, points: list[str]
) -> None:
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-rm"]
    if subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system, nor make a namespace in which it may")
    start = []
    if commands.startswith("build"):
        start = ["--start", *map(str, (drawn_files(), received_city().root, built_city().root))]
    done = subprocess.run(
        [*alone, sys.executable, str(Path(__file__).with_name("full_disk.py")), commands, *points, "--quick", *start],
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.count(": 3 ") == len(points) * len(commands.split(",")), done.stdout
