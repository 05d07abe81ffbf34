"""A hard year beside a quiet one: `make test-year`, or `python tests/year --seed 7`.

Fourteen units and the city-wide one hand in four quarters of a drawn city, and the clock is set for each step. In the
hard year files come late, broken, twice, and after closing; a process is killed, a disk fills up, PostgreSQL stops in
the middle of a release, a drop location is down for a week, two units become one, the law changes, and the clocks are
changed twice. In the quiet year the same final files come on time. At the end every figure must be the same, but for
those that say how late files were. It prints what happens, with the date by the installation's clock; it ends with 1
where something was not as it must be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "ingest")]

from comparing import differences  # noqa: E402
from hard_year import HardYear  # noqa: E402
from places import Installation, Violated, copy_of_project, say  # noqa: E402
from quiet_year import quiet_year  # noqa: E402

from ingest.persons.keys import make_keys  # noqa: E402

_ALONE = "FOLLOWUP_YEAR_ALONE"


def in_a_namespace_of_its_own() -> bool:
    """Start this anew where a small disk can be mounted and nobody else sees it; whether that is so by now."""
    if os.environ.get(_ALONE):
        return os.environ[_ALONE] == "yes"
    can = (
        os.geteuid() == 0
        and not subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True
        ).returncode
    )
    os.environ[_ALONE] = "yes" if can else "no"
    if can:
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.orig_argv[1:]])
    return False


def main() -> int:
    """Run both years and compare them."""
    parser = argparse.ArgumentParser(prog="make test-year", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="of the city, and of when processes are killed")
    parser.add_argument("--scale", type=float, default=0.05, help="of the city")
    parser.add_argument("--keep", action="store_true", help="leave both installations where they are")
    given = parser.parse_args()
    can_mount = in_a_namespace_of_its_own()
    begun, root = time.monotonic(), Path(tempfile.mkdtemp(prefix="followup-year-"))
    root.chmod(0o711)  # PostgreSQL runs as another user below it
    try:
        say(f"A drawn city, seed {given.seed}. Nobody in it is real.")
        project = copy_of_project(root / "project")
        drawn = root / "drawn"
        Installation(project, root / "drawing").run(
            "demo-data", "--out", str(drawn), "--from", "2025Q1", "--to", "2025Q4", "--scale", str(given.scale),
            "--seed", str(given.seed),
        )  # fmt: skip
        make_keys(root / "keys.json")
        hard = HardYear(project, root / "hard", drawn, given.seed, can_mount)
        try:
            hard.run()
        finally:
            hard.stop()
        quiet = quiet_year(project, root / "quiet", drawn)
        found = differences(quiet, hard.installation)
        for line in found:
            say(f"  differs: {line}")
        say(f"{'NOT THE SAME' if found else 'Every figure is the same.'} {time.monotonic() - begun:.0f} s")
        if hard.blocked:
            say(f"NOT AS IT MUST BE: releases of {', '.join(hard.blocked)} were blocked by the attacks.")
        return int(bool(found or hard.blocked))
    except Violated as error:
        say(f"NOT AS IT MUST BE: {error}")
        return 1
    finally:
        if given.keep:
            say(f"both years: {root}")
        else:
            subprocess.run(["umount", "-q", str(root / "hard" / "home")], check=False, capture_output=True)
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
