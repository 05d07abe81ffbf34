"""A small release to try BI on: five quarters of a synthetic city, by the project's own commands.

All districts, for a city of which some lack gets no figures; only the datasets that the charts draw.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DATASETS = ("arenden", "grupper", "oppenvard", "rutiner", "serviceinsatser", "ungdomsmottagning", "utbud")
QUARTERS = ("2018Q1", "2019Q1")
NOW = "2019-05-20T08:00:00"


def make_small_release(root: Path) -> Path:
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
        if file.suffix == ".json" or any(f"_{dataset}_" in file.name for dataset in DATASETS):  # .json: drawn, not real
            shutil.move(file, root / "inbox" / file.parent.name / file.name)
    shutil.rmtree(root / "drawn")
    followup("run", "--inbox", str(root / "inbox"))
    followup("publish", "--approve")
    return root / "published" / "followup.duckdb"
