"""Builds of a home that several machines share: half-done in scratch, put in place whole, and by one alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from followup.build import building
from followup.build.building import FileBuilt, build
from ingest.ledger import Ledger
from ingest.ledger.leases import LeaseLost
from ingest.ledger.tables import lease
from ingest.settings import Settings
from publish.catalogue.manifest import Manifest


@pytest.fixture
def another_disk() -> Iterator[Path]:
    """A folder in memory: renaming from it to a disk is not possible."""
    folder = Path(tempfile.mkdtemp(prefix="followup-scratch-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(tmp_path: Path, another_disk: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    assert home.stat().st_dev != another_disk.stat().st_dev
    return Settings.model_validate({"home": home, "scratch": another_disk / "scratch"})


def build_what(monkeypatch: pytest.MonkeyPatch, content: bytes, also: Any = lambda: None) -> None:
    """Let builds write this instead of running dbt, and do something else at their end."""

    def build_file(settings: Settings, snapshot: object, warehouse: Path, folder: Path, **_: object) -> FileBuilt:
        warehouse.write_bytes(content)
        also()
        return FileBuilt((), Manifest.model_validate({"tables": [], "exposures": []}))

    monkeypatch.setattr(building, "build_file", build_file)


def test_a_build_goes_from_scratch_to_home_whole_also_from_another_disk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.home / ".warehouse.duckdb.0a1b2c3d.new").write_bytes(b"of a process that was killed")
    build_what(monkeypatch, b"first")
    assert build(settings, force=True).status == "built"
    assert settings.warehouse.read_bytes() == b"first"
    names = {path.name for path in settings.home.iterdir()} - {"ledger.sqlite-shm", "ledger.sqlite-wal"}
    assert names == {"ledger.sqlite", "warehouse.duckdb", "warehouse.manifest.json"}
    assert not (settings.half_done / "warehouse.next.duckdb").exists()


def test_a_build_that_was_stopped_while_another_took_over_puts_nothing_in_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_what(monkeypatch, b"first")
    build(settings, force=True)

    def take_over() -> None:
        with closing(Ledger(settings.ledger)) as ledger, ledger.engine.begin() as connection:
            connection.execute(lease.update().values(holder="worker-2@00000000|1|1|1"))

    build_what(monkeypatch, b"too late", take_over)
    with pytest.raises(LeaseLost, match="build was taken over"):
        build(settings, force=True)
    assert settings.warehouse.read_bytes() == b"first"
    assert not list(settings.home.glob(".*.new")) and not (settings.half_done / "warehouse.next.duckdb").exists()
    with closing(Ledger(settings.ledger)) as ledger:
        assert len(ledger.builds(9)) == 1
