"""`followup doctor` on who may open what, and on originals that the ledger does not have."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from followup.doctor import DoctorFinding, run_doctor
from ingest.file_permissions import close_home, close_to_others, find_open_to_others
from ingest.ledger import Ledger
from ingest.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation that an earlier version has left open, in every place that it has."""
    places = {
        "HOME": "home",
        "INBOX": "inbox",
        "KEYS": "keys.json",
        "AIRFLOW_HOME": "airflow",
        "PUBLISHED": "published",
    }
    for name, place in {**places, "DISTRICTS": "districts.yml"}.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", str(tmp_path / place))
    monkeypatch.setenv("FOLLOWUP_LEDGER_URL", f"sqlite:///{tmp_path / 'ledgers' / 'ours.sqlite'}")
    (tmp_path / "districts.yml").write_text(
        "districts:\n  bromma: {url: '${FOLLOWUP_INBOX}/bromma'}\n", encoding="utf-8"
    )
    for name in ("home/validated/arenden/a.parquet", "home/build/target/run.json", "airflow/logs/tasks/1.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "inbox" / "bromma").mkdir(parents=True)
    (tmp_path / "inbox" / "bromma").chmod(0o2775)
    (tmp_path / "inbox" / "bromma" / "sent.csv").write_text("the district's")
    (tmp_path / "home" / "out").symlink_to(tmp_path / "districts.yml")
    made = Settings()
    Ledger(made.ledger).close()
    Path(made.ledger.removeprefix("sqlite:///")).chmod(0o664)
    return made


def said(settings: Settings, what: str) -> DoctorFinding:
    return next(found for found in run_doctor(settings) if found.what == what)


def test_what_is_open_is_counted_and_the_command_that_mends_it_is_said(settings: Settings) -> None:
    found = said(settings, "permissions")
    assert not found.is_good
    # home: 7; Airflow's: 4; the ledger with its -wal and -shm, which has the mode of the ledger; the drop folder
    message = f"15 files and folders, {settings.home} among them, are open to other users: followup doctor --fix-modes"
    assert found.message == message


def test_the_doctor_mends_it_and_leaves_what_is_not_its_own(settings: Settings, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--fix-modes"])
    assert "Permissions are set.\n" in done.output
    assert "good  permissions: only this service's user can open what is not published" in done.output
    assert list(find_open_to_others([settings.home, settings.airflow_home, tmp_path / "ledgers" / "ours.sqlite"])) == []
    drop = tmp_path / "inbox" / "bromma"
    assert stat.S_IMODE(drop.stat().st_mode) == 0o2770, "its group may be the district's"
    assert stat.S_IMODE((drop / "sent.csv").stat().st_mode) == 0o644, "nobody else can pass to it"
    assert stat.S_IMODE((tmp_path / "districts.yml").stat().st_mode) == 0o644, "links are not followed"


def test_what_another_user_owns_is_said_to_be_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may change every file, so the refusal is played."""
    theirs = settings.home / "validated"
    monkeypatch.setattr(
        "followup.permissions.close_to_others", lambda path, *_: path != theirs and close_to_others(path)
    )
    done = CliRunner().invoke(app, ["doctor", "--fix-modes"])
    assert f"Permissions are set: 1 belong to another user, {theirs} among them" in done.output
    assert f"look  permissions: {theirs} is open to other users" in done.output


def test_a_home_that_is_closed_at_the_top_is_found_open_below(settings: Settings) -> None:
    close_home(settings.home)
    found = said(settings, "permissions")
    assert not found.is_good and "followup doctor --fix-modes" in found.message


def test_originals_without_a_submission_are_counted(settings: Settings) -> None:
    assert said(settings, "originals") == DoctorFinding("originals", True, "each belongs to a submission")
    for name in ("one", "two"):
        (settings.landing / "bromma").mkdir(parents=True, exist_ok=True)
        (settings.landing / "bromma" / f"{name}.bin").write_bytes(b"sealed")
    (settings.landing / "bromma" / ".one.bin.tmp").write_bytes(b"cut off")
    message = "2 in landing/ belong to no submission in the ledger: followup receive --from-landing"
    assert said(settings, "originals") == DoctorFinding("originals", False, message)
