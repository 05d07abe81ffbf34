"""What is in a wrong place, misspelt or of another installation is said, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from followup.misspelt import unknown_variables
from followup.person_extract import require_place
from ingest.districts import DropLocation
from ingest.ledger import Ledger, LedgerError
from ingest.locations.sources import DropLocationUnreachable, Source
from ingest.persons.keys import make_keys
from ingest.recording import open_intake
from ingest.settings import Settings

NOBODY = 65534


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    places = {"HOME": "home", "KEYS": "keys.json", "INBOX": "inbox", "PUBLISHED": "published"}
    for name, place in places.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", str(tmp_path / place))
    make_keys(tmp_path / "keys.json")
    with open_intake(Settings()):
        pass  # the ledger has seen its keys
    return Settings()


def doctor() -> str:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 3
    return "\n".join(line for line in done.output.splitlines() if line.startswith("look"))


def test_doctor_sees_the_keys_of_another_installation(settings: Settings) -> None:
    settings.keys.unlink()
    make_keys(settings.keys)
    assert "holds other keys than this ledger's rows were made with: restore the right key file" in doctor()


def test_doctor_sees_another_noise_secret(settings: Settings) -> None:
    ledger = Ledger(settings.ledger)
    ledger.claim("noise_secret", "of the secret that figures were drawn with")
    ledger.close()
    assert "another noise secret than figures were drawn with" in doctor()


def test_doctor_sees_a_misspelt_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_HOEM", "/srv/followup")
    assert "FOLLOWUP_HOEM is no setting: FOLLOWUP_HOME?" in doctor()


def test_settings_and_variables_of_containers_and_drop_locations_are_not_misspelt() -> None:
    others = ("FOLLOWUP_TRACEBACK", "FOLLOWUP_DECLARED_IN", "FOLLOWUP_KEYS_DIR", "FOLLOWUP_DISTRICTS_FILE",
              "FOLLOWUP_PORTAL_PORT", "FOLLOWUP_POSTGRES_PORT", "FOLLOWUP_BROMMA_PASSWORD", "FOLLOWUP_WORKERS",
              "FOLLOWUP_LOST_TASK_SECONDS", "FOLLOWUP_MAIL_HOST", "PATH")  # fmt: skip
    assert unknown_variables([*Settings.variables(), *others]) == []
    assert unknown_variables(["FOLLOWUP_INBOKS"]) == ["FOLLOWUP_INBOKS is no setting: FOLLOWUP_INBOX?"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORIGINALS_KEPT_DAYS", "99999999999"),
        ("FEEDBACK_KEPT_DAYS", "99999999999"),
        ("BACKUP_DAYS", "99999999999"),
        ("PUBLISH_PATIENCE_SECONDS", "inf"),
        ("BACKUP_CRON", "nonsense"),
    ],
)
def test_a_value_that_can_never_be_used_is_refused_by_name(
    name: str, value: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FOLLOWUP_{name}", value)
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 3 and done.output.startswith(f"FOLLOWUP_{name}: ")


def test_originals_older_than_time_itself_are_wrong_usage(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["erase", "--originals", "--older-than", "99999999999", "--yes"])
    assert done.exit_code == 2 and "--older-than" in done.output


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:memdb?mode=memory&uri=true"])
def test_a_ledger_in_memory_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="names no file: a ledger in memory would be lost"):
        Ledger(url)


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """As a user who may read a folder and not change it: root may change everything."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_drop_location_that_nothing_can_be_removed_from_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "alvsjo"
    folder.mkdir()
    (folder / "alvsjo_utbud_2018Q1.csv").write_text("Insats\n")
    location = DropLocation(url=str(folder), settle_seconds=0)
    with Source("alvsjo", location) as source:
        (file,) = source.waiting()
        _, checksum = source.measure(file, 100)
        assert source.is_changeable()
        (folder / file.name).chmod(0o444)
        with as_nobody(folder):
            assert not source.is_changeable()
            with pytest.raises(DropLocationUnreachable) as refused:
                source.clear(file, checksum)
    assert refused.value.reason == "files can be read there, and not written or removed: access is denied"


def test_doctor_names_a_drop_location_that_can_not_be_written_to(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "is_changeable", lambda source: source.district_code != "farsta")
    (tmp_path / "inbox" / "farsta").mkdir(parents=True)
    assert f"look  drop location farsta: {tmp_path}/inbox/farsta can be read and not written to" in doctor()


def test_an_extract_of_a_person_needs_its_place_before_the_number(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["person", "extract", "--out", str(tmp_path / "file" / "utdrag.html")])
    assert done.exit_code == 3 and "Personnummer" not in done.output
    assert f"{tmp_path}/file" in done.output and "terminal" not in done.output


def test_looking_at_the_place_of_an_extract_leaves_nothing_there(settings: Settings, tmp_path: Path) -> None:
    require_place(settings, tmp_path / "out" / "utdrag.html")
    assert list((tmp_path / "out").iterdir()) == []


def test_no_file_that_waits_is_not_said_of_places_out_of_reach(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["receive"])
    assert done.exit_code == 3 and "out of reach" in done.output and "Nothing waits" not in done.output
