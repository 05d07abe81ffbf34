"""A small city with a backup key, a place for backups, and a release that was not attacked: files alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from city import Place
from typer.testing import CliRunner

from followup.backup.backing_up import BackedUp, back_up
from followup.backup.location import BackupLocation, location_of
from followup.backup.sealing import load_backup_key, make_backup_key
from followup.backup.sets import BackupSet, named_sets, read_set
from followup.cli.main import app
from ingest.ledger import Ledger
from ingest.ledger.exporting import LEFT_OUT
from ingest.ledger.releases import ReleaseRow, record_release
from ingest.ledger.tables import METADATA
from ingest.settings import Settings
from publish.serving.folder import point, releases_folder

NOW = datetime(2018, 4, 10, 6)


@dataclass(frozen=True)
class BackedUpPlace(Place):
    """An installation whose backups are in a folder beside it."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "FOLLOWUP_BACKUP_KEY": str(self.root / "backup_key.json"),
            "FOLLOWUP_BACKUP_URL": str(self.backups),
        }

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {name: value for name, value in self.environment.items() if name != "FOLLOWUP_HOME"} | {"home": self.home}
            | {"published": self.published, "backup_url": str(self.backups)}
        )  # fmt: skip

    def run(self, *command: str, code: int = 0) -> str:
        """Run a command in this process; returns what it printed."""
        done = CliRunner().invoke(app, list(command), env=self.environment)
        assert done.exit_code == code, (command, done.output, done.exception)
        return done.output

    def back_up(self, **options: bool) -> BackedUp:
        return back_up(self.settings, **options)

    @contextmanager
    def location(self) -> Iterator[BackupLocation]:
        with BackupLocation(location_of(self.settings), load_backup_key(self.settings)) as place:
            yield place

    def sets(self) -> list[BackupSet]:
        """What each set holds, oldest first."""
        with self.location() as place:
            return [read_set(place, one.name) for one in named_sets(place)]


def prepared(place: Place) -> BackedUpPlace:
    """Give an installation a backup key, a folder for backups, and a release."""
    made = BackedUpPlace(place.root)
    made.backups.mkdir()
    make_backup_key(made.settings)
    _release(made)
    return made


def _release(place: BackedUpPlace) -> None:
    file = place.home / "proposed" / "1" / "release.duckdb"
    (file.parent / "beside" / "webb").mkdir(parents=True)
    file.write_bytes(b"a release")
    (file.parent / "beside" / "webb" / "index.html").write_text("<p>Siffror</p>", encoding="utf-8")
    folder = releases_folder(place.settings) / "20180410T060000-abcdef"
    (folder / "csv").mkdir(parents=True)
    (folder / "csv" / "mart_funnel.csv").write_text("antal;5\n", encoding="utf-8")
    (folder / "release.json").write_text(json.dumps({"release_id": "1", "sha256": "0"}), encoding="utf-8")
    with closing(place.ledger()) as ledger:
        record_release(ledger, ReleaseRow(1, "released", NOW, NOW, "2018Q1", False, "{}", "{}", None), [])
    point(place.settings, folder)


def files_of(root: Path, *parts: str) -> dict[str, tuple[str, int]]:
    """Checksum and time of every file below some folders of a root, by path."""
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for part in parts
        for path in sorted((root / part).rglob("*"))
        if path.is_file()
    }


def rows_of(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that a copy has, but for the acts of backing up and restoring."""
    found = {}
    with ledger.reading() as connection:
        for table in METADATA.sorted_tables:
            if table.name not in LEFT_OUT:
                chosen = sa.select(table).order_by(*table.primary_key.columns)
                rows = [tuple(row) for row in connection.execute(chosen)]
                found[table.name] = [row for row in rows if not {"backup.made", "backup.restored"} & set(map(str, row))]
    return found
