"""Lists of units that people read are in the Swedish order of the units' names: Älvsjö after Södermalm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_filled import submit

from followup.closing.completeness import completeness_in, in_swedish
from followup.reminding.reminders import due_today
from followup.reminding.settings import load_mail_settings
from followup.status import status_in
from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.swedish_order import swedish_order

QUARTER = Quarter(2018, 1)
IN_2018 = [
    "Bromma", "Enskede-Årsta-Vantör", "Farsta", "Hägersten-Liljeholmen", "Hässelby-Vällingby", "Kungsholmen",
    "Norrmalm", "Rinkeby-Kista", "Skarpnäck", "Skärholmen", "Spånga-Tensta", "Södermalm", "Älvsjö", "Östermalm",
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Of an installation in which one unit has handed in one file."""
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path))
    monkeypatch.setenv("FOLLOWUP_NOW", "2018-04-21T08:00:00")
    with closing(Ledger(Settings().ledger)) as opened:
        submit(opened, "farsta", "arenden")
        yield opened


def _named(text: str, end: str) -> list[str]:
    """The units that lines of a text begin with, in its order."""
    lines = (line.removeprefix("- ") for line in text.splitlines())
    return [name for line in lines if (name := line.partition(end)[0]) in IN_2018]


def test_letters_follow_swedish_order() -> None:
    names = ["Österåker", "Ängelholm", "Åmål", "Zinkgruvan", "Vaxholm", "Ockelbo", "älvsjö", "13–17", "6–12"]
    assert sorted(names, key=swedish_order) == [
        "6–12", "13–17", "Ockelbo", "Vaxholm", "Zinkgruvan", "Åmål", "älvsjö", "Ängelholm", "Österåker",
    ]  # fmt: skip


def test_units_of_a_quarter_are_in_swedish_order_also_after_mergers() -> None:
    assert [one.name for one in load_districts().valid_in(QUARTER)] == IN_2018
    assert [one.name for one in load_districts().valid_in(Quarter(2024, 1))] == [
        "Bromma", "Enskede-Årsta-Vantör", "Farsta", "Hägersten-Älvsjö", "Hässelby-Vällingby", "Järva", "Kungsholmen",
        "Norra innerstaden", "Skarpnäck", "Skärholmen", "Södermalm",
    ]  # fmt: skip


def test_status_report_and_mails_list_units_in_swedish_order(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = status_in(ledger, Settings(), QUARTER).lines
    names = {one.code: one.name for one in load_districts().districts}
    assert list(dict.fromkeys(names[line.district_code] for line in lines)) == IN_2018
    assert _named(in_swedish(completeness_in(ledger, Settings(), QUARTER)), ":") == IN_2018

    for name, value in {"HOST": "127.0.0.1", "SENDER": "a@b.example", "TEAM": "team@b.example", "TLS": "none"}.items():
        monkeypatch.setenv(f"FOLLOWUP_MAIL_{name}", value)
    mail = load_mail_settings()
    due = due_today(Settings(), mail, ledger)
    assert [names[code] for code in due.without_contact] == IN_2018
    assert _named(due.mails[-1].body, ":") == IN_2018


def test_a_report_that_is_asked_about_stays_the_same_in_another_order(ledger: Ledger) -> None:
    report = completeness_in(ledger, Settings(), QUARTER)
    assert replace(report, lines=report.lines[::-1]).fingerprint == report.fingerprint
