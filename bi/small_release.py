"""A small release to try BI on: three districts of a synthetic city, two years, by the project's own commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DISTRICTS = ("bromma", "norrmalm", "skarpnack")
QUARTERS = ("2018Q1", "2019Q4")
NOW = "2020-02-20T08:00:00"


def make_small_release(root: Path) -> Path:
    """Draw the files, take them in, build, release; returns the release's DuckDB file. Takes some minutes.

    Raises:
        RuntimeError: a command failed; the message holds the end of what it said.
    """
    place = {
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_INBOX": str(root / "inbox"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_NOW": NOW,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")} | place

    def followup(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "followup.cli", *command],
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
    for district in DISTRICTS:
        shutil.copytree(root / "drawn" / district, root / "inbox" / district, dirs_exist_ok=True)
    shutil.rmtree(root / "drawn")
    followup("run", "--inbox", str(root / "inbox"))
    followup("publish", "--approve")
    return root / "home" / "published" / "followup.duckdb"
