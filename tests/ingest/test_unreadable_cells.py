"""What stands where a count or a day is due is named by its kind, with what to write; the cell is not repeated."""

from __future__ import annotations

import pytest
from files import base_row, check, csv_bytes

COUNTS = {
    "12 st": "annat än siffror", "5*": "annat än siffror", "5 (varav 2 pojkar)": "annat än siffror",
    "0 (noll)": "annat än siffror", "5.": "annat än siffror",
    "3-5": "ett intervall", "3–5": "ett intervall", "3 till 5": "ett intervall", "3/4": "ett intervall",
    "ca 10": "ett ungefärligt tal", "Cirka 5": "ett ungefärligt tal", "~5": "ett ungefärligt tal",
    "<5": "små tal skyddas", "≤5": "små tal skyddas", "Färre än 5": "små tal skyddas", "ÖVER 100": "små tal skyddas",
    "5+": "små tal skyddas",
    "50%": "en andel", "12,5 %": "en andel", "50 procent": "en andel",
    "x": "text i stället", "..": "text i stället", "se bilaga": "text i stället", "fem": "text i stället",
    "-": "ett streck är inget tal", "-3": "under noll", "−3": "under noll",
    "12,5": "”12,5”, ett tal med decimaler", "0.9999999999": "ett tal med decimaler",
    "05:00": "ett klockslag", "SANT": "sant eller falskt", "=2+3": "en formel som text",
}  # fmt: skip
DAYS = {
    "4 juli 2017": "månaden som ord", "July 4, 2017": "månaden som ord", "4-Oct-17": "månaden som ord",
    "onsdag den 4 oktober 2017": "månaden som ord", "2017-07": "bara år och månad", "jul-17": "bara år och månad",
    "October 2017": "bara år och månad", "7/2017": "bara år och månad", "2017": "bara ett årtal",
    "v. 27 2017": "en vecka", "2017 v27": "en vecka", "vet ej": "text i stället för ett datum",
}  # fmt: skip


def message(dataset: str, changes: dict[str, str], rule: str) -> str:
    """The rule's message of a row so changed."""
    report = check(csv_bytes(dataset, [base_row(dataset, **changes)], "utf-8"), f"bromma_{dataset}_2018Q3.csv")
    assert not report.accepted
    return next(finding.message for finding in report.findings() if finding.rule == rule)


@pytest.mark.parametrize(("text", "kind"), COUNTS.items())
def test_what_is_in_place_of_a_count_is_named(text: str, kind: str) -> None:
    said = message("skyddsuppfoljning", {"antal_barnforhor": text}, "SKY-005")
    assert kind in said and (text not in said or len(text) < 3 or "”" in said)


@pytest.mark.parametrize(("text", "kind"), DAYS.items())
def test_what_is_in_place_of_a_day_is_named(text: str, kind: str) -> None:
    said = message("rutiner", {"rutin": "finns", "senast_reviderad": text}, "RUT-007")
    assert kind in said and ("”" in said or text not in said)


def test_year_of_birth_is_no_count() -> None:
    child = {"personnummer": "", "id_typ": "reservnummer", "lopnummer": "R-1", "fodelsear": "ca 2010"}
    report = check(csv_bytes("arenden", [base_row("arenden", **child)], "utf-8"))
    said = [finding.message for finding in report.findings() if finding.column == "fodelsear"]
    assert said and not any("antal" in message for message in said)


def test_rows_entered_twice_are_to_be_taken_away_not_added_up() -> None:
    report = check(
        csv_bytes("skyddsuppfoljning", [base_row("skyddsuppfoljning")] * 2), "bromma_skyddsuppfoljning_2018Q3.csv"
    )
    assert "Ta bort raden om den är med två gånger; annars slå ihop" in next(report.findings()).message
