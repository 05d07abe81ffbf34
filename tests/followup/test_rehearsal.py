"""The rehearsal's stage: nothing of an installation is touched, and a repetition finds what it left."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from followup.local.rehearsal import FIRST, LAST, RehearsalFiles
from ingest.file_permissions import find_open_to_others, go_private
from ingest.quarters import Quarter
from synthetic.city import draw_city


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RehearsalFiles:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return RehearsalFiles(tmp_path / "a folder")


def test_the_rehearsal_reads_nothing_of_an_installation(stage: RehearsalFiles) -> None:
    os.environ["FOLLOWUP_HOME"] = "/somewhere/real"
    os.environ["FOLLOWUP_LEDGER_URL"] = "postgresql://real"
    settings = stage.prepare()
    assert {name for name in os.environ if name.startswith("FOLLOWUP_")} == set(stage.environment)
    for path in (settings.home, settings.keys, Path(settings.inbox)):
        assert path.is_relative_to(stage.folder)


def test_keys_are_made_once(stage: RehearsalFiles) -> None:
    first = stage.prepare().keys.read_bytes()
    assert stage.prepare().keys.read_bytes() == first


def test_the_environment_file_can_be_sourced(stage: RehearsalFiles) -> None:
    stage.prepare()
    command = f'. {shlex.quote(str(stage.folder / "environment"))}; printf %s "$FOLLOWUP_HOME"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == str(stage.folder / "home")


@pytest.mark.parametrize("quarter", [FIRST, Quarter(2018, 4), LAST])
def test_collection_is_after_the_quarter_and_on_time(stage: RehearsalFiles, quarter: Quarter) -> None:
    settings = stage.prepare()
    day = stage.set_clock(quarter)
    assert settings.now_date() == day
    assert quarter.end < day <= quarter.deadline


def test_a_file_is_sent_whole_with_its_synthetic_mark(stage: RehearsalFiles) -> None:
    stage.prepare()
    city = draw_city(stage.folder / "staging", FIRST, FIRST, scale=0.1)
    stage.send(city.files[0])
    sent = stage.inbox / city.files[0].district
    assert sorted(path.name for path in sent.iterdir()) == ["SYNTETISK.json", city.files[0].path.name]
    assert (sent / city.files[0].path.name).read_bytes() == city.files[0].path.read_bytes()


def test_others_can_pass_to_what_is_published_and_open_nothing_else(stage: RehearsalFiles) -> None:
    (stage.inbox / "bromma").mkdir(parents=True)
    (stage.inbox / "bromma" / "sent.csv").write_text("by an earlier version")
    go_private()
    settings = stage.prepare()
    city = draw_city(stage.folder / "staging", FIRST, FIRST, scale=0.1)
    stage.send(city.files[0])
    assert settings.published == stage.folder / "published"
    assert stage.folder.stat().st_mode & 0o777 in (0o711, 0o755)
    assert list(find_open_to_others([*stage.private, settings.keys, *stage.folder.glob("staging/*")])) == []
