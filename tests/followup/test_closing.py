"""Closing a quarter: what its report says, who is asked and when, and that yes is yes to what was shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from ledger_filled import HOSTILE, submit
from typer.testing import CliRunner

from followup.cli.main import app
from followup.closing.completeness import completeness_in, in_swedish
from followup.tasks.closing import ask_and_log, complete_units_now, lock_and_log, quarters_to_close
from followup.tasks.releases import NothingNew, Refused
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.ledger import Ledger, acts
from ingest.ledger.decisions import locked_quarters, withdraw
from ingest.quarters import Quarter
from ingest.settings import Settings

QUARTER = Quarter(2018, 1)
UNITS = [one.code for one in load_districts().valid_in(QUARTER)]
DAY_60 = "2018-05-30T08:00:00"


@dataclass
class City:
    """An installation of which only the ledger is there; its clock is moved by the environment."""

    root: Path
    set_variable: Callable[[str, str], None]

    def at(self, moment: str) -> None:
        self.set_variable("FOLLOWUP_NOW", moment)

    @property
    def ledger(self) -> Ledger:
        return Ledger(Settings().ledger)

    def submit(self, unit: str, dataset: str | None, state: str = "accepted", **changes: object) -> None:
        with closing(self.ledger) as ledger:
            submit(ledger, unit, dataset, state, **changes)

    def is_locked(self) -> bool:
        with closing(self.ledger) as ledger:
            return str(QUARTER) in locked_quarters(ledger)

    def run(self, *command: str, expect: int = 0) -> str:
        done = CliRunner().invoke(app, list(command))
        assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        return done.output


@pytest.fixture(scope="module")
def whole_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every expected file of 2018Q1 is in force, but two of Farsta's."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    with closing(Ledger(f"sqlite:///{path}")) as ledger:
        for unit in UNITS:
            for dataset in load_contracts():
                if (unit, dataset) not in {("farsta", "utbud"), ("farsta", "rutiner")}:
                    submit(ledger, unit, dataset)
    return path


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_ledger: Path) -> Iterator[City]:
    (tmp_path / "home").mkdir()
    shutil.copy(whole_ledger, tmp_path / "home")
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOLLOWUP_NOW", "2018-04-21T08:00:00")
    yield City(tmp_path, monkeypatch.setenv)


def complete(city: City) -> None:
    for dataset in ("utbud", "rutiner"):
        city.submit("farsta", dataset)


def test_report_says_per_unit_and_dataset_what_is_left_and_nothing_of_the_files(city: City) -> None:
    city.submit("bromma", "arenden", "refused")
    city.submit("bromma", "utbud", query_count=5, open_query_count=3)
    city.submit("alvsjo", "utbud", query_count=1, open_query_count=1)
    city.submit("farsta", None, "refused")
    with closing(city.ledger) as ledger:
        gone = ledger.in_force(district="alvsjo", dataset="grupper")[0]
        withdraw(ledger, gone, "fel fil", datetime(2018, 4, 15))
        report = completeness_in(ledger, Settings(), QUARTER)
    said = in_swedish(report)
    assert "Kvartal 1 2018: 12 av 14 enheter är kompletta. 3 filer saknas, 2 filer togs inte in" in said
    assert "1 fil är återkallad, 4 frågor är obesvarade" in said
    assert "Bromma:\n- Ärenden: version 1 gäller, 1 fil togs inte in\n" in said
    assert "version 2 gäller, 3 av 5 frågor är obesvarade\n" in said
    assert "version 2 gäller, 1 av 1 fråga är obesvarad\n" in said
    assert "saknas, 1 version är återkallad" in said
    assert "1 fil gick inte att känna igen på namnet." in said
    for part in (HOSTILE, "20050505", "calc", "ARE-001"):
        assert part not in said + report.as_json()


def test_report_is_stored_for_its_owner_alone_and_printed_with_a_code_for_programs(city: City) -> None:
    printed = city.run("quarter", "report", "2018Q1", expect=1)
    assert "2 filer saknas" in printed
    stored = sorted((city.root / "home" / "closings" / "2018Q1").iterdir())
    assert [one.suffix for one in stored] == [".json", ".txt"]
    assert stored[0].parent.stat().st_mode & 0o077 == 0
    complete(city)
    found = json.loads(city.run("quarter", "report", "2018Q1", "--format", "json"))
    assert found["is_complete"] and len(found["lines"]) == 14 * len(load_contracts())


def test_a_complete_quarter_is_asked_about_at_once_an_incomplete_one_from_day_sixty(city: City) -> None:
    assert quarters_to_close() == []
    with pytest.raises(NothingNew):
        ask_and_log("2018Q1", "a run", is_wanted=False)
    complete(city)
    assert quarters_to_close() == ["2018Q1"]
    asked = ask_and_log("2018Q1", "a run", is_wanted=False)
    assert asked["subject"] == "Stänga kvartal 1 2018?"
    assert "Alla filer har kommit in." in asked["body"] and "14 av 14 enheter är kompletta" in asked["body"]


def test_on_day_sixty_it_is_asked_whatever_is_missing(city: City) -> None:
    city.at("2018-05-29T23:00:00")
    assert quarters_to_close() == []
    city.at(DAY_60)
    assert quarters_to_close() == ["2018Q1"]
    body = ask_and_log("2018Q1", "a run", is_wanted=False)["body"]
    assert "Dagen då kvartalet ska låsas har kommit." in body and "Farsta:\n- " in body


def test_the_same_state_is_asked_about_once_a_week_and_a_changed_one_at_once(city: City) -> None:
    complete(city)
    ask_and_log("2018Q1", "a run", is_wanted=False)
    assert quarters_to_close() == [] == complete_units_now()
    with pytest.raises(NothingNew):
        ask_and_log("2018Q1", "another run", is_wanted=False)
    city.submit("bromma", "arenden", "refused")
    assert quarters_to_close() == ["2018Q1"]
    ask_and_log("2018Q1", "another run", is_wanted=False)
    city.at("2018-04-28T07:59:00")
    assert quarters_to_close() == []
    city.at("2018-04-28T08:01:00")
    assert quarters_to_close() == ["2018Q1"]


def test_a_run_that_was_killed_after_it_had_asked_asks_the_same_again(city: City) -> None:
    complete(city)
    first = ask_and_log("2018Q1", "a run", is_wanted=False)
    assert ask_and_log("2018Q1", "a run", is_wanted=False) == first
    with closing(city.ledger) as ledger:
        assert [one.action for one in acts.acts(ledger)].count("closing.asked") == 1


def test_units_are_announced_when_all_their_files_are_in(city: City) -> None:
    assert {code for code, _ in complete_units_now()} == set(UNITS) - {"farsta"}
    complete(city)
    assert complete_units_now() == [(code, "2018Q1") for code in UNITS]


def test_yes_locks_only_the_state_that_was_shown(city: City) -> None:
    complete(city)
    asked = ask_and_log("2018Q1", "a run", is_wanted=False)
    city.submit("bromma", "utbud")
    with pytest.raises(NothingNew, match="has changed since"):
        lock_and_log("2018Q1", asked["fingerprint"])
    assert not city.is_locked()
    asked = ask_and_log("2018Q1", "another run", is_wanted=False)
    lock_and_log("2018Q1", asked["fingerprint"])
    assert city.is_locked()
    lock_and_log("2018Q1", asked["fingerprint"])  # cleared and run again
    assert quarters_to_close() == [] == complete_units_now()


def test_a_person_may_close_an_incomplete_quarter_but_none_that_has_not_ended(city: City) -> None:
    assert "Någon har bett om det." in ask_and_log("2018Q1", "a run", is_wanted=True)["body"]
    with pytest.raises(Refused, match="not ended"):
        ask_and_log("2018Q2", "a run", is_wanted=True)
    with pytest.raises(Refused, match="which quarter"):
        ask_and_log(None, "a run", is_wanted=False)


def test_close_shows_the_report_and_asks_and_no_locks_nothing(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no terminal" in " ".join(city.run("quarter", "close", "2018Q1", expect=2).split())
    monkeypatch.setattr("followup.cli.commands.closing.is_agreed", lambda question: False)
    printed = city.run("quarter", "close", "2018Q1")
    assert "2 filer saknas" in printed and "Nothing is locked" in printed and not city.is_locked()
    assert "has not ended" in city.run("quarter", "close", "2031Q1", "--yes", expect=2)
    for command in (("quarter", "report"), ("status", "-q")):
        assert "2018Q3 has not begun" in city.run(*command, "2018Q3", expect=2)
        assert "has not begun" not in city.run(*command, "2018Q2", expect=1 if command[0] == "quarter" else 0)
