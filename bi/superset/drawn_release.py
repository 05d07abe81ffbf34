"""A release to try BI on: the synthetic city of `make demo`, two years of all districts, by the project's own commands.

A smaller one has no measure that takes a year to ripen, and leaves charts empty that the demo's readers see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

QUARTERS = ("2018Q1", "2019Q4")
NOW = "2020-01-10T08:00:00"


def make_drawn_release(root: Path) -> Path:
    """Draw the files, take them in, build, release; returns the release's DuckDB file. Takes some minutes.

    Raises:
        RuntimeError: a command failed; the message holds the end of what it said.
    """
    place = {
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_INBOX": str(root / "inbox"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_PUBLISHED": str(root / "published"),
        "FOLLOWUP_NOW": NOW,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")} | place

    def followup(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "followup.cli.main", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode:
            raise RuntimeError(f"followup {command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")

    followup("demo-data", "--out", str(root / "drawn"), "--from", QUARTERS[0], "--to", QUARTERS[1])
    followup("doctor", "--make-keys", "--make-folders")
    for file in (root / "drawn").glob("*/*"):
        shutil.move(file, root / "inbox" / file.parent.name / file.name)
    shutil.rmtree(root / "drawn")
    followup("run", "--inbox", str(root / "inbox"))
    followup("publish", "--approve")
    return root / "published" / "followup.duckdb"
