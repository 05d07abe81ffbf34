"""The drawn country: 290 invented municipalities as an organisation, and their files."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import forked
import pytest

from ingest.districts import load_districts
from ingest.organisation import DRAWN, FILE, load_organisation
from ingest.organisation_tables import check_tables
from ingest.settings import ORGANISATION
from synthetic.country.writing import municipalities, write_country

_DRAW = "import sys; from followup.cli.main import main; sys.argv[0] = 'followup'; main()"


def test_all_290_are_an_organisation_without_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_country(tmp_path)
    monkeypatch.setenv(ORGANISATION, str(folder))
    whole = load_organisation()
    check_tables(whole)
    units = load_districts().districts
    assert len(units) == len({unit.name for unit in units}) == len(whole.municipality_codes) == 290
    assert {unit.code for unit in units} == {code for group in whole.groups for code in group.units}
    assert len(whole.groups) == 21
    assert all(load_districts().areas(unit.code) for unit in units)


def test_no_municipality_is_a_real_one() -> None:
    """Counties have numbers that no county in Sweden has; and the whole says that it is invented."""
    listed = municipalities()
    assert all(31 <= int(one.municipality_code[:2]) <= 51 for one in listed)
    assert "påhittade" in tomllib.loads((Path(__file__).parents[2] / "synthetic/country" / FILE).read_text())["name"]
    sizes = sorted(one.children for one in listed)
    assert sizes[0] < 500 and sizes[-1] > 100_000, "very small ones and very large ones"


def test_equal_calls_write_equal_bytes(tmp_path: Path) -> None:
    one, other = write_country(tmp_path / "one"), write_country(tmp_path / "other")
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }


def test_a_quarter_of_the_country_is_drawn_and_read_as_its_own(tmp_path: Path) -> None:
    """2,610 files, all marked as synthetic; those of a few units are accepted as they are."""
    inbox, environment = tmp_path / "inbox", {name: os.environ[name] for name in os.environ if name != ORGANISATION}
    places = {"HOME": "home", "KEYS": "keys.json", "INBOX": "inbox"}
    environment |= {f"FOLLOWUP_{name}": str(tmp_path / place) for name, place in places.items()}
    environment |= {"FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    command = ("demo-data", "--country", "--out", str(inbox), "--from", "2018Q1", "--to", "2018Q1", "--scale", "0.03")
    drawn = forked.run(_DRAW, *command, environment=environment)
    assert drawn.returncode == 0, drawn.stderr
    assert f"{ORGANISATION}={inbox / DRAWN}" in drawn.stdout
    files = sorted(inbox.glob("*/*_2018Q1.*"))
    assert len(files) == 290 * 9
    assert {path.parent.name for path in inbox.glob("*/SYNTETISK.json")} == {one.code for one in municipalities()}
    units = [one.code for one in sorted(municipalities(), key=lambda one: one.children)]
    checked = [str(path) for path in files if path.parent.name in (units[0], units[150], units[-1])]
    answered = forked.run(
        _DRAW, "check", "--format", "json", *checked, environment=environment | {ORGANISATION: str(inbox / DRAWN)}
    )
    answers = json.loads(answered.stdout)
    assert [answer["file"] for answer in answers if not answer["accepted"]] == []
    assert len(answers) == 27
    # nothing of the city's is known there
    unknown = forked.run(
        _DRAW, "template", "arenden", "--district", "bromma", "--quarter", "2018Q1",
        environment=environment | {ORGANISATION: str(inbox / DRAWN)},
    )  # fmt: skip
    assert unknown.returncode == 2


def test_faults_are_the_citys_and_refused_with_a_country(tmp_path: Path) -> None:
    refused = forked.run(_DRAW, "demo-data", "--country", "--faults", "--out", str(tmp_path / "inbox"))
    assert refused.returncode == 2
    assert "--faults" in refused.stderr
    assert not (tmp_path / "inbox").exists()
