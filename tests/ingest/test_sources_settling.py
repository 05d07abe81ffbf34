"""Files that are still being written are left alone until they are whole; what is never read is reported."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.locations import local_folder
from ingest.locations.local_folder import FolderConnection
from ingest.receiving import receive_district
from ingest.settings import Settings

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])


def states(settings: Settings) -> list[str]:
    return [file.state for file in receive_district(settings, DISTRICT).files]


def written(path: Path, seconds_ago: float) -> None:
    moment = time.time() - seconds_ago
    os.utime(path, (moment, moment))


@pytest.fixture
def kernel_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network disk, or for another user's files: only the time of change is left to go by."""
    monkeypatch.setattr(local_folder, "_OWN_DISKS", frozenset())


def test_file_that_somebody_writes_is_left_until_it_is_closed(installation: Installation) -> None:
    path = installation.drop(NAME, b"")
    with path.open("wb") as handle:
        handle.write(GOOD[:150])
        handle.flush()
        assert states(installation.settings) == ["waiting"]
        assert states(installation.settings) == ["waiting"]
        assert installation.ledger().submissions() == [] and path.read_bytes() == GOOD[:150]
        handle.write(GOOD[150:])
    assert states(installation.settings) == ["accepted"]
    assert not path.exists()


def test_other_files_are_taken_while_one_grows(installation: Installation) -> None:
    installation.drop(NAME, GOOD)
    growing = installation.drop(f"{DISTRICT}_oppenvard_2018Q3.csv", b"x")
    with growing.open("ab"):
        assert states(installation.settings) == ["accepted", "waiting"]


def test_file_dropped_this_moment_is_taken_at_once_where_the_kernel_can_say(installation: Installation) -> None:
    installation.drop(NAME, GOOD)
    assert states(installation.settings) == ["accepted"]


@pytest.mark.parametrize(
    ("seconds_ago", "state"),
    [(0, "waiting"), (40, "waiting"), (70, "accepted"), (40_000_000, "accepted"), (-7200, "accepted")],
)
def test_elsewhere_a_file_waits_until_nothing_was_written_for_a_minute(
    installation: Installation, kernel_cannot_say: None, seconds_ago: float, state: str
) -> None:
    """A time yet to come can only have been set by the sender, after the last byte."""
    path = installation.drop(NAME, GOOD)
    written(path, seconds_ago)
    assert states(installation.settings) == [state]
    assert path.exists() == (state == "waiting")


def test_location_s_own_clock_decides_how_old_a_file_is(
    installation: Installation, kernel_cannot_say: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server's clock is two hours behind ours: a file of this moment looks two hours old to us."""
    path = installation.drop(NAME, GOOD)
    real = FolderConnection.now
    written(path, 7200 + 10)
    monkeypatch.setattr(FolderConnection, "now", lambda connection: real(connection) - 7200)
    assert states(installation.settings) == ["waiting"]
    written(path, 7200 + 70)
    assert states(installation.settings) == ["accepted"]


def test_looking_at_the_clock_leaves_nothing_behind(installation: Installation, kernel_cannot_say: None) -> None:
    installation.drop(NAME, GOOD)
    states(installation.settings)
    assert [path.name for path in (installation.root / "inbox" / DISTRICT).iterdir()] == [NAME]


def test_links_and_folders_are_never_read_and_reported(
    installation: Installation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = installation.drop(NAME, GOOD).parent
    (tmp_path / "secret.csv").write_bytes(GOOD)
    (folder / f"{DISTRICT}_oppenvard_2018Q3.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "arkiv 20100315-9801").mkdir()
    (folder / "arkiv 20100315-9801" / f"{DISTRICT}_serviceinsatser_2018Q3.csv").write_bytes(GOOD)
    os.mkfifo(folder / "ror.csv")
    with caplog.at_level(logging.WARNING):
        assert states(installation.settings) == ["accepted"]
    reported = [record.getMessage() for record in caplog.records if record.name == "ingest.receiving"]
    assert len(reported) == 1 and reported[0].startswith(f"{DISTRICT}: ")
    for name in ("arkiv •••", f"{DISTRICT}_oppenvard_2018Q3.csv", "ror.csv"):
        assert name in reported[0]
    assert "9801" not in caplog.text and "aterkoppling" not in reported[0]
    caplog.clear()
    assert states(installation.settings) == []
    assert "ror.csv" in caplog.text


def test_upload_that_broke_off_days_ago_is_reported(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    written(installation.drop(f"{NAME}.part", GOOD[:100]), 60)
    assert states(installation.settings) == []
    assert [record for record in caplog.records if record.name.startswith("ingest")] == []
    written(installation.drop(f"{NAME}.part", GOOD[:100]), 3 * 86400)
    assert states(installation.settings) == []
    assert f"{NAME}.part" in caplog.text


def test_installation_s_own_settle_time_holds_where_a_location_says_nothing(
    installation: Installation, kernel_cannot_say: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWUP_SETTLE_SECONDS", "10")
    written(installation.drop(NAME, GOOD), 20)
    declared = "districts:\n  bromma: {url: '${FOLLOWUP_INBOX}/bromma'%s}\n"
    path = installation.root / "districts.yml"
    settings = installation.settings.model_copy(update={"districts": path})
    path.write_text(declared % ", settle_seconds: 30")
    assert states(settings) == ["waiting"]
    path.write_text(declared % "")
    assert states(settings) == ["accepted"]
