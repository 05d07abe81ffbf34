"""Processes that work with figures: builds, releases, closing a quarter, freezing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import forked
from city import Place, built_city, drawn_files, marts
from frozen_city import FREEZES, figures, fill, settings_of, state, write_frozen_project
from kind import Kind, Outcome, acts_of, command
from servers import SERVERS

from ingest.ledger import Ledger
from ingest.ledger.acts import acts
from ingest.ledger.acts import verify as verify_acts
from ingest.ledger.decisions import locked_quarters
from ingest.ledger.releases import current_release, releases
from publish.serving.folder import read_identity

_NO_FIGURES = ("release_id", "released_at")


class Build(Kind):
    """The marts are built after one more unit has sent its files."""

    name, words = "build", ("build",)

    def prepare(self) -> None:
        """Built, and then changed."""
        shutil.copytree(built_city().root, self.root, symlinks=True, dirs_exist_ok=True)
        change(self.place)
        self.old = self._marts()

    def _marts(self) -> dict[str, Any]:
        return marts(self.place.home / "warehouse.duckdb", "marts")

    def look(self, expected: Outcome) -> None:
        """The old marts, or the new ones."""
        assert self._marts() in (self.old, expected["marts"]), "half marts"

    def outcome(self) -> Outcome:
        """The marts, and what is left beside them."""
        with closing(self.place.ledger()) as ledger:
            assert ledger.last_build() is not None
        left = sorted(
            path.name for path in self.place.home.iterdir() if ".next." in path.name or path.name.startswith(".")
        )
        return {"marts": self._marts(), "left": left}

    def see_done(self, found: Outcome) -> None:
        """They are others than before."""
        assert found["marts"] != self.old and found["left"] == []


def change(place: Place) -> None:
    """A unit sends its cases again, with a row less."""
    (source,) = drawn_files().glob("norrmalm/norrmalm_arenden_2018Q1.csv")
    folder = place.inbox / "norrmalm"
    folder.mkdir(exist_ok=True)
    (folder / source.name).write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[:-1]))
    command(place, "receive", "--inbox", str(place.inbox))


class Publish(Kind):
    """A second release is made, and served to files and to a PostgreSQL."""

    name, words = "publish", ("publish", "--approve")

    def environment(self) -> dict[str, str]:
        """With the database that it is served to."""
        return super().environment() | SERVERS.served.running.environment

    def prepare(self) -> None:
        """A first release is served; the marts have changed since."""
        shutil.copytree(built_city().root, self.root, symlinks=True, dirs_exist_ok=True)
        command(self.place, "publish", "--approve", **SERVERS.served.running.environment)
        self.more()
        SERVERS.served.remember()
        self.old = self.readers()

    def more(self) -> None:
        """What comes after the first release."""
        change(self.place)
        command(self.place, "build")

    def begin(self) -> None:
        """The first release is in the database."""
        SERVERS.served.set_back()

    def readers(self) -> Outcome:
        """What readers have, in files and in the database, without the release's number."""
        folder = self.place.published.resolve()
        identity = read_identity(folder)
        assert identity is not None and identity.release_id == str(self._about(folder)), "files of two releases"
        with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as published:
            names = published.execute(
                "select table_name from duckdb_tables() where schema_name = 'published' and table_name <> 'about'"
            ).fetchall()
            files = {
                name: published.execute(
                    f'select columns(c -> c not in {_NO_FIGURES}) from published."{name}" order by all'
                ).fetchall()
                for (name,) in sorted(names)
            }
        lines = {
            path.name: len(path.read_bytes().splitlines()) for path in sorted((folder / "csv").rglob("*.csv"))
        }  # fmt: skip
        return {"files": files, "csv": lines, "database": SERVERS.served.figures()}

    def _about(self, folder: Path) -> object:
        with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as published:
            return published.execute("select value from published.about where key = 'release_id'").fetchall()[0][0]

    def look(self, expected: Outcome) -> None:
        """The old release, or the new one: in files, and in the database, which is swapped first."""
        found, new = self.readers(), {key: expected[key] for key in self.old}
        for place in ("files", "csv", "database"):
            assert found[place] in (self.old[place], new[place]), f"a half release in {place}"

    def outcome(self) -> Outcome:
        """What readers have, and the ledger's current release."""
        with closing(self.place.ledger()) as ledger:
            current, every = current_release(ledger), releases(ledger)
            assert current is not None and verify_acts(ledger).holds
            identity = read_identity(self.place.published.resolve())
            assert identity is not None and identity.release_id == str(current.release_id)
            left = [path.name for path in (self.place.home / "proposed").iterdir()]
            assert left == [str(current.release_id)], left
            said = {"released": sum(one.state == "released" for one in every), "until": current.until_quarter}
            locked = sorted(locked_quarters(ledger))
        half = [path.name for path in self.place.published.resolve().parent.iterdir() if path.name.startswith(".")]
        return self.readers() | said | {"locked": locked, "half": half}

    def see_done(self, found: Outcome) -> None:
        """Readers see another release than before, in files and in the database."""
        assert found["files"] != self.old["files"] and found["database"] != self.old["database"]
        assert found["released"] == 2 and found["half"] == []


class Close(Publish):
    """A quarter is closed: locked, built, and released with its final figures."""

    name, words = "close", ("quarter", "close", "2018Q1", "--yes")

    def more(self) -> None:
        """The unit has sent its cases again."""
        change(self.place)

    def outcome(self) -> Outcome:
        """And what was asked and locked."""
        with closing(self.place.ledger()) as ledger:
            done = Counter(one.action for one in acts(ledger))
        return super().outcome() | {"lockings": done["quarter.locked"]}

    def look(self, expected: Outcome) -> None:
        """And no final figures of an open quarter."""
        super().look(expected)
        with closing(self.place.ledger()) as ledger:
            is_locked = bool(locked_quarters(ledger))
        assert is_locked or self.readers() == self.old, "final figures of an open quarter"

    def see_done(self, found: Outcome) -> None:
        """It is locked once."""
        super().see_done(found)
        assert found["locked"] == ["2018Q1"] and found["lockings"] == 1


_BUILDS = """
import sys
from pathlib import Path
from followup.build import building, snapshot
building.PROJECT = snapshot.PROJECT = Path(sys.argv[2])
sys.path += ["tests", "tests/followup"]
from frozen_city import settings_of
building.build(settings_of(Path(sys.argv[1])))
"""


class FreezeFigures(Kind):
    """Figures are frozen, and rows about persons erased."""

    name = "freeze"
    program = FREEZES

    def prepare(self) -> None:
        """Three years of a unit, built."""
        fill(self.root / "place")
        write_frozen_project(self.root / "project")
        done = forked.run(_BUILDS, *self.arguments(), environment=os.environ | self.environment())
        assert done.returncode == 0, done.stderr
        self.old = figures(settings_of(self.root / "place"))

    def arguments(self) -> list[str]:
        """The installation and its project."""
        return [str(self.root / "place"), str(self.root / "project")]

    def environment(self) -> dict[str, str]:
        """The project parsed apart from the others'."""
        return {"FOLLOWUP_PARSED": str(self.shared / "parsed-frozen")}

    def look(self, expected: Outcome) -> None:
        """The figures are as they were."""
        assert figures(settings_of(self.root / "place")) == self.old, "other figures"

    def outcome(self) -> Outcome:
        """All that counts."""
        settings = settings_of(self.root / "place")
        with closing(Ledger(settings.ledger)) as ledger:
            done = acts_of(ledger)
        return state(settings) | {"figures": figures(settings), "acts": done}

    def see_done(self, found: Outcome) -> None:
        """They are frozen, and the same."""
        assert found["frozen"] is not None and found["figures"] == self.old
