"""One quarter of fourteen districts (126 files) by `followup run`, without Airflow: seconds and peak memory.

Prints figures and ratios; asserts nothing. The bound to compare with: 30 s, 1.5 GiB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from synthetic.city import draw_city

ROUNDS = 2


def one_round(root: Path) -> tuple[float, float]:
    """Seconds of `receive` and of `run` after it on new copies of the same files."""
    environment = {
        **os.environ,
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_NOW": "2018-04-10T08:00:00",
    }
    make_keys(root / "keys.json")
    seconds = []
    for command in (["run", "--inbox", str(root / "inbox")], ["build", "--force"]):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "followup.cli.main", *command],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds.append(time.monotonic() - began)
    return seconds[0], seconds[1]


def main() -> None:
    """Draw, run, print."""
    for number in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            drawn = draw_city(root / "inbox", Quarter(2018, 1), Quarter(2018, 1))
            run, build = one_round(root)
            rows = sum(file.rows for file in drawn.files)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(
                f"round {number}: {len(drawn.files)} files, {rows} rows: followup run {run:.1f} s, "
                f"of which a build alone {build:.1f} s ({build / run:.0%}); "
                f"{run / 30:.2f} of the 30 s bound; peak {peak:.2f} GiB, {peak / 1.5:.2f} of 1.5 GiB"
            )


if __name__ == "__main__":
    main()
