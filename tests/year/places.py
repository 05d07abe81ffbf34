"""Where the year runs: a copy of this project with its own history of units, and installations made of it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

say = functools.partial(print, flush=True)
ROOT = Path(__file__).parents[2]
ROOMS = ("ingest", "publish", "synthetic", "followup", "portal", "dags", "dbt_project", "expectations", "*.md")
MOVED = (("2020-06-30", "2025-06-30"), ("2020-07-01", "2025-07-01"), ("2023-06-30", "2033-06-30"),
         ("2023-07-01", "2033-07-01"))  # fmt: skip
"""Until 30 June 2025 there are fourteen units; on 1 July two of them become one."""
_HOUR = 3600.0
_COMMAND = "import sys; from followup.cli.main import main; sys.argv[0] = 'followup'; main()"


class Violated(Exception):
    """The year did not go as it must."""


def require(holds: object, what: str) -> None:
    """Raise `Violated` unless it holds."""
    if not holds:
        raise Violated(what)


def copy_of_project(to: Path) -> Path:
    """The project, with the merger of two units on 1 July of the year in which the law changes."""
    listed = subprocess.run(["git", "ls-files", "-z", *ROOMS], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    for name in ("districts.csv", "district_successions.csv"):
        path = to / "dbt_project" / "organisation" / name
        text = path.read_text(encoding="utf-8")
        for before, after in MOVED:
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    return to


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def said(self) -> str:
        """All that it printed, on one line."""
        return " ".join((self.out + self.error).split())


@dataclass
class Installation:
    """One home with its drop locations, whose clock is set for each command.

    Attributes:
        project: the copy of the project that it runs.
        root: holds home, keys and drop locations.
        environment: further settings.
    """

    project: Path
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    now: str = ""

    def __post_init__(self) -> None:
        """Make the folder."""
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        """Its state."""
        return self.root / "home"

    @property
    def inbox(self) -> Path:
        """The drop locations that are folders."""
        return self.root / "inbox"

    def variables(self) -> dict[str, str]:
        """Its environment."""
        own = {
            "FOLLOWUP_HOME": str(self.home),
            "FOLLOWUP_KEYS": str(self.root.parent / "keys.json"),
            "FOLLOWUP_INBOX": str(self.inbox),
            "FOLLOWUP_NOW": self.now,
            "FOLLOWUP_SETTLE_SECONDS": "1",
            "PYTHONPATH": str(self.project),
            "COLUMNS": "200",
            **self.environment,
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")} | own

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments], cwd=self.project, env=self.variables(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *arguments: str, ends: Sequence[int] = (0,)) -> Done:
        """Run a command to its end.

        Raises:
            Violated: it ended with another code than one of `ends`.
        """
        process = self.start(*arguments)
        out, error = process.communicate(timeout=900)
        done = Done(process.returncode, out, error)
        require(done.code in ends, f"followup {' '.join(arguments)} ended with {done.code}: {done.said[-1500:]}")
        return done

    def kill(self, *arguments: str, when: Callable[[], bool]) -> None:
        """Start a command and kill it, with all that it started, as soon as something holds."""
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments], cwd=self.project, env=self.variables(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        give_up_at = time.monotonic() + 300
        while process.poll() is None and not when() and time.monotonic() < give_up_at:
            time.sleep(0.02)
        require(process.poll() is None, f"followup {' '.join(arguments)} ended before it was killed")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def put(self, files: Iterable[Path], unit: str | None = None) -> None:
        """Leave files in the drop location of the unit that they are named after, as if an hour ago."""
        for file in files:
            folder = self.inbox / (unit or unit_of(file))
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / file.name)
            os.utime(folder / file.name, (time.time() - _HOUR,) * 2)

    def waiting(self) -> list[Path]:
        """Files that lie in drop locations."""
        found = self.inbox.glob("*/*")
        return [path for path in found if path.is_file() and not path.name.startswith(".")]

    def status(self, quarter: str) -> list[dict[str, Any]]:
        """What `followup status` says of a quarter."""
        return json.loads(self.run("status", "--quarter", quarter, "--format", "json").out)

    def locations(self, units: Iterable[str], others: dict[str, dict[str, object]]) -> None:
        """Say where each unit leaves its files: a folder of the inbox, or another place."""
        listed: dict[str, dict[str, object]] = {
            unit: {"url": str(self.inbox / unit), "synthetic": True} for unit in units
        }
        for unit in units:
            (self.inbox / unit).mkdir(parents=True, exist_ok=True)
        path = self.root / "districts.yml"
        path.write_text(yaml.safe_dump({"districts": listed | others}), encoding="utf-8")
        self.environment["FOLLOWUP_DISTRICTS"] = str(path)


def unit_of(file: Path) -> str:
    """The unit that a file's name begins with."""
    return file.name.partition("_")[0]


def quarter_of(file: Path) -> str:
    """The quarter that a file's name ends with."""
    return file.stem.rpartition("_")[2]
