"""What is stored of one person: found as it would be erased, written for the person alone, and never shown."""

from __future__ import annotations

import re
import stat
from datetime import datetime
from pathlib import Path

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.explaining import explain
from ingest.ledger import Submission
from ingest.ledger.acts import acts
from ingest.maintenance.erasing import NotAPersonNumber, erase_person
from ingest.maintenance.finding_person import find_person
from ingest.receiving import receive_district
from ingest.recording import open_intake

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
NOW = datetime(2018, 12, 1)
NUMBER, OTHER, NOBODY = "20050505-9824", "20080808-9817", "20101010-9815"
LATE = {"forhandsbedomning_klar": "2018-09-20", "utredning_start": "2018-09-20", "utredning_slut": "2018-09-25"}


def submit(installation: Installation, rows: list[dict[str, str]], name: str = NAME) -> Submission:
    installation.drop(name, csv_bytes("arenden", rows))
    (receipt,) = receive_district(installation.settings, DISTRICT).files
    return next(s for s in installation.ledger().submissions() if s.submission_id == receipt.submission_id)


def case(number: int, **changes: str) -> dict[str, str]:
    return base_row("arenden", arende_id=f"A-{number}", **changes)


def city_of_two(installation: Installation) -> tuple[Submission, Submission, Submission]:
    """An older version and the one in force, with both persons; a refused file of the first one."""
    other = case(2, personnummer=OTHER, kon="man", orsak="bostad")
    first = submit(installation, [case(1, personnummer=NUMBER), other])
    second = submit(installation, [case(1, personnummer=NUMBER, **LATE), other])
    refused = submit(installation, [case(1, personnummer=NUMBER, orsak="hittepå")])
    assert [s.state for s in (first, second, refused)] == ["accepted", "accepted", "refused"]
    return first, second, refused


def test_all_that_is_stored_of_a_person_is_found_and_nothing_of_others(installation: Installation) -> None:
    first, second, refused = city_of_two(installation)
    with open_intake(installation.settings) as intake:
        found = find_person(intake, "050505 9824", NOW)
        assert found.rows == 2 and found.is_any and not found.waiting
        of = {one.submission.submission_id: one for one in found.submissions}
        assert set(of) == {first.submission_id, second.submission_id, refused.submission_id}
        assert [of[s.submission_id].is_in_force for s in (first, second, refused)] == [False, True, False]
        assert [len(of[s.submission_id].rows) for s in (first, second, refused)] == [1, 1, 0]
        assert of[refused.submission_id].has_original
        cells = of[second.submission_id].rows[0].cells
        assert cells["arende_id"] == "A-1" and not {"person_key", "match_person_key"} & set(cells)
        # as much as an erasing would remove
        erased = erase_person(intake, NUMBER, NOW)
        assert (erased.rows, erased.originals) == (found.rows, len(found.submissions))
        assert not find_person(intake, NUMBER, NOW).is_any
        assert find_person(intake, OTHER, NOW).rows == 2


def test_the_act_is_logged_without_the_number(installation: Installation) -> None:
    city_of_two(installation)
    with open_intake(installation.settings) as intake:
        for number in (NUMBER, NOBODY):
            find_person(intake, number, NOW)
        logged = [one for one in acts(intake.ledger) if one.action == "person.extracted"]
    assert [one.subject for one in logged] == ["2 rows of 3 submissions", "0 rows of 0 submissions"]
    digits = re.sub(r"\D", "", NUMBER)[2:]
    assert not any(digits in f"{one.subject} {one.why}" for one in logged)


@pytest.mark.parametrize("typed", ["", "nej", "20050505-9825"])
def test_what_is_no_number_is_refused_without_repeating_it(installation: Installation, typed: str) -> None:
    with open_intake(installation.settings) as intake, pytest.raises(NotAPersonNumber) as caught:
        find_person(intake, typed, NOW)
    assert not typed or typed not in str(caught.value)


@pytest.fixture
def typed(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The installation as the command finds it, at a terminal."""
    places = {"HOME": "home", "INBOX": "inbox", "KEYS": "keys.json"}
    for name, value in places.items():
        monkeypatch.setenv(f"FOLLOWUP_{name}", str(installation.root / value))
    monkeypatch.setenv("FOLLOWUP_NOW", "2018-12-01T08:00:00")
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: True)
    return installation


def run(number: str, *arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, ["person", "extract", *arguments], input=f"{number}\n{number}\n")
    assert done.exit_code == expect, done.output
    assert number not in done.output and re.sub(r"\D", "", number)[-4:] not in done.output
    return " ".join(done.output.split())


def test_the_command_writes_a_private_document_in_swedish_without_the_number(
    typed: Installation, tmp_path: Path
) -> None:
    _, second, _ = city_of_two(typed)
    for rule in {c.rule for c in typed.ledger().rule_counts(second.submission_id)}:
        explain(typed.ledger(), typed.settings.home, second, rule, "Väntade på <b>svar</b>", NOW)
    out = tmp_path / "utdrag.html"
    said = run(NUMBER, "--out", str(out))
    assert "2 rows of 3 submissions" in said and "Only this user can open it" in said
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    text = out.read_text(encoding="utf-8")
    for wanted in (
        "Registerutdrag", "2018 kv 3", "Bromma", "Filen gäller nu.", "ersatt av en nyare fil", "Filen är avvisad.",
        "2 rader i 3 filer", "A-1", "Kvinna", "2018-09-20", "Väntade på &lt;b&gt;svar",
    ):  # fmt: skip
        assert wanted in text, wanted
    digits = re.sub(r"\D", "", text)
    assert NUMBER not in text and re.sub(r"\D", "", NUMBER)[-10:] not in digits and "A-2" not in text
    said = run(NUMBER, "--out", str(out), expect=2)
    assert "is never overwritten" in said and out.read_text(encoding="utf-8") == text


def test_without_a_file_named_it_is_in_the_home_where_no_backup_has_it(typed: Installation) -> None:
    city_of_two(typed)
    run(NUMBER)
    (made,) = (typed.settings.home / "extracts").iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600 and made.name.startswith("registerutdrag_2018-12-01_")
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_a_number_that_is_not_found_is_said_so_and_no_file_is_written(typed: Installation, tmp_path: Path) -> None:
    city_of_two(typed)
    said = run(NOBODY, "--out", str(tmp_path / "x.html"), expect=1)
    assert "Nothing is stored of a person with that number" in said and not (tmp_path / "x.html").exists()
    assert "reads as no person" in run("20050505-9825", expect=2)


def test_a_number_in_a_pipe_is_not_asked_for(typed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: False)
    done = CliRunner().invoke(app, ["person", "extract"], input=f"{NUMBER}\n")
    assert done.exit_code == 2 and "no terminal" in " ".join(done.output.replace("│", " ").split())
