"""A small synthetic city and an installation that takes it in by the command line."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

import duckdb
import forked
import pytest
from made_once import made_once

from ingest.ledger import Ledger
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter
from ingest.row_files import ROWS, FolderOfRows
from synthetic.city import draw_city

DISTRICTS = ("alvsjo", "norrmalm")


@dataclass(frozen=True)
class Place:
    """An installation under one folder."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def published(self) -> Path:
        return self.root / "published"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def rows(self) -> FolderOfRows:
        return FolderOfRows(self.home / ROWS, "in FOLLOWUP_HOME")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "FOLLOWUP_HOME": str(self.home),
            "FOLLOWUP_INBOX": str(self.inbox),
            "FOLLOWUP_KEYS": str(self.root / "keys.json"),
            "FOLLOWUP_PUBLISHED": str(self.published),
            "FOLLOWUP_NOW": "2018-04-10T08:00:00",
        }

    def followup(self, *command: str, expect: int = 0) -> str:
        """Run the command line as a user would, in a process of its own; returns what it printed."""
        done = forked.run(forked.COMMAND_LINE, *command, environment=os.environ | self.environment)
        assert done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
        return done.stdout

    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.home / 'ledger.sqlite'}")

    def copy(self, root: Path) -> Place:
        """The same installation in another folder, which is made; with its keys."""
        shutil.copytree(self.root, root, symlinks=True)
        return Place(root)


def drawn_files() -> Path:
    """The drop locations of two districts' quarter (`draw`); not to be changed."""
    return made_once("files", draw) / "inbox"


def received_city() -> Place:
    """An installation that has taken these files in; to be copied, not changed."""

    def receive(folder: Path) -> None:
        place = settle(folder / "place", drawn_files())
        place.followup("receive", "--inbox", str(place.inbox))

    return Place(made_once("received", receive) / "place")


def built_city() -> Place:
    """The same installation after a build; to be copied, not changed."""
    return Place(made_once("built", lambda folder: received_city().copy(folder / "place").followup("build")) / "place")


def draw(folder: Path, *, faults: bool = False, quarters: tuple[str, str] = ("2018Q1", "2018Q1")) -> Path:
    """The files of two districts, as they would wait in drop locations."""
    draw_city(folder / "all", Quarter.parse(quarters[0]), Quarter.parse(quarters[1]), scale=0.1, seed=3, faults=faults)
    for district in DISTRICTS:
        shutil.copytree(folder / "all" / district, folder / "inbox" / district)
    shutil.rmtree(folder / "all")
    return folder / "inbox"


def settle(root: Path, files: Path, keys: Path | None = None) -> Place:
    """An installation with files waiting, and keys (others' when given, so that stored rows can be compared).

    The keys of all are the same: with others a release's deviations are others, and what the attacks find in so small a
    city may be above a limit.
    """
    root.mkdir(parents=True)
    shutil.copytree(files, root / "inbox")
    if keys is None:
        with pytest.MonkeyPatch.context() as drawn:
            drawn.setattr("ingest.persons.keys.secrets.token_bytes", Random(1).randbytes)
            make_keys(root / "keys.json")
    else:
        shutil.copy(keys, root / "keys.json")
    return Place(root)


def state(place: Place) -> dict[str, object]:
    """The state of an installation after intake: what is in force, which files are stored, which still wait.

    Left out is what differs from run to run by nature: times of a run, encrypted bytes (random nonce).
    """
    ledger = place.ledger()
    try:
        submissions = sorted(ledger.submissions(), key=lambda s: s.submission_id)
        findings = {
            s.submission_id: (ledger.rule_counts(s.submission_id), ledger.findings(s.submission_id))
            for s in submissions
        }
    finally:
        ledger.close()
    return {
        "submissions": submissions,
        "findings": findings,
        "validated": {
            str(p.relative_to(place.home)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in place.home.glob("validated/**/*")
            if p.is_file()
        },
        "originals": sorted(str(p.relative_to(place.home)) for p in place.home.glob("landing/**/*") if p.is_file()),
        "feedback": {p.name: p.read_bytes() for p in place.home.glob("feedback/**/*") if p.is_file()},
        "inbox": {str(p.relative_to(place.inbox)): p.read_bytes() for p in place.inbox.glob("**/*") if p.is_file()},
    }


def marts(database: Path, schema: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables of a schema, in an order of their own."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select distinct table_name from duckdb_columns() where schema_name = ? order by 1", [schema]
        )
        return {
            name: connection.execute(f"select * from {schema}.{name} order by all").fetchall()
            for (name,) in names.fetchall()
            if name != "about"
        }
