"""Which districts a collection visits, and what is left out of log lines. No Airflow needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from followup.build.building import without_quoted_values
from followup.tasks.intake import changes_to_build, districts_to_collect
from ingest.districts import load_districts
from ingest.quarters import Quarter
from ingest.settings import SettingsError


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOLLOWUP_INBOX", str(tmp_path / "inbox"))
    monkeypatch.setenv("FOLLOWUP_NOW", "2020-10-05T06:00:00")
    return tmp_path / "inbox"


def _valid(quarter: str) -> set[str]:
    return {district.code for district in load_districts().valid_in(Quarter.parse(quarter))}


def test_districts_of_the_newest_ended_quarter_are_visited(inbox: Path) -> None:
    found = set(districts_to_collect())
    assert found == _valid("2020Q3")
    assert "hagersten-alvsjo" in found
    assert "alvsjo" not in found


def test_districts_follow_the_quarter_asked_for_across_a_merger(inbox: Path) -> None:
    found = set(districts_to_collect("2020Q2"))
    assert found == _valid("2020Q2")
    assert {"alvsjo", "hagersten-liljeholmen"} <= found
    assert "hagersten-alvsjo" not in found


def test_an_ended_district_and_the_city_wide_unit_are_visited_when_something_waits(inbox: Path) -> None:
    for unit in ("alvsjo", "socialforvaltningen"):
        (inbox / unit).mkdir(parents=True)
        (inbox / unit / f"{unit}_arenden_2020Q2.csv").write_bytes(b"x")
    assert set(districts_to_collect()) == _valid("2020Q3") | {"alvsjo", "socialforvaltningen"}


def test_districts_asked_for_are_visited_and_no_others(inbox: Path) -> None:
    assert districts_to_collect("", ["farsta", "alvsjo"]) == ["farsta", "alvsjo"]


def test_a_district_without_drop_location_can_not_be_asked_for(inbox: Path) -> None:
    with pytest.raises(SettingsError, match="lund"):
        districts_to_collect(None, ["lund"])


def test_nothing_is_announced_before_anything_was_sent(inbox: Path) -> None:
    assert changes_to_build() == []


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ("Got 3 results, configured to fail if != 0", "Got 3 results, configured to fail if != 0"),
        ("Runtime Error in model x\n  Duplicate key \"k: Zm9v\"", "Runtime Error in model x Duplicate key …"),
        ("Could not convert string 'abc' to INT32", "Could not convert string … to INT32"),
    ],
)  # fmt: skip
def test_log_lines_leave_out_what_a_database_quotes(message: str, logged: str) -> None:
    assert without_quoted_values(message) == logged
