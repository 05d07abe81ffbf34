"""File names as districts write them: one finding, the cause by name and number, and the right name."""

from __future__ import annotations

import unicodedata

import pytest

from ingest.name_guesses import quarter_in, unit_in
from ingest.naming import read_name

RIGHT = "bromma_arenden_2018Q3"


def message(name: str, lies_with: str | None = "bromma") -> str:
    """The one finding's message."""
    found = read_name(name, lies_with).findings
    assert len(found) == 1, found
    return found[0].message


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("bromma_arenden_2018-Q3.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018kv3.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_Q3_2018.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_18Q3.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3.csv.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3.xlsx.csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3..csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3 .csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3.txt", f"{RIGHT}.csv"),
        ("bromma arenden kvartal 3 2018.XLSX", f"{RIGHT}.xlsx"),
        ("Kopia av bromma_arenden_2018Q3.ods", f"{RIGHT}.ods"),
        ("bromma_arenden_2018Q3 (1).csv", f"{RIGHT}.csv"),
        ("bromma_arenden_2018Q3-kopia.csv", f"{RIGHT}.csv"),
        ("Ärenden Bromma 3:e kvartalet 2018.xlsx", f"{RIGHT}.xlsx"),
        ("bromma-arenden-2018-3.csv", f"{RIGHT}.csv"),
        ("arenden_bromma_2018Q3.csv", f"{RIGHT}.csv"),
        ("bromma_ärenden_2018Q3.csv", f"{RIGHT}.csv"),
        ("bromma_arende_2018Q3.csv", f"{RIGHT}.csv"),
        ("bromma__arenden_2018Q3.csv", f"{RIGHT}.csv"),
        ("öppenvård jul-sep 2018.xls", "bromma_oppenvard_2018Q3.xls"),
        ("Enskede-Årsta-Vantör öppenvård kv 3 2018.xlsx", "enskede-arsta-vantor_oppenvard_2018Q3.xlsx"),
    ],
)
def test_name_that_can_be_guessed_is_answered_with_the_right_one(name: str, right: str) -> None:
    assert f"Menades {right}?" in message(name)
    assert read_name(right).findings == ()


@pytest.mark.parametrize("name", [f"{RIGHT}.XLSX", f"{RIGHT}.csv ", f"{RIGHT.upper()}.CSV", f"\u200b{RIGHT}.csv"])
def test_name_in_capitals_or_with_what_nobody_sees_is_right(name: str) -> None:
    assert read_name(name, "bromma").findings == ()


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("bromma arenden_2018Q3.csv", "innehåller mellanslag (U+0020)"),
        ("bromma_ärenden_2018Q3.csv", "innehåller ”ä” (U+00E4)"),
        (unicodedata.normalize("NFD", "bromma_ärenden_2018Q3.csv"), "”ä” skrivet som 2 tecken (U+0061 U+0308)"),
        ("bromma_arenden_2018Q3\u2013ny.csv", "”\u2013” (tankstreck, U+2013)"),
        ("bromma_arenden\u00a02018Q3.csv", "hårt blanksteg (U+00A0)"),
        ("bromma_arenden_2018Q3\udce5.csv", "en byte som inte är UTF-8 (E5)"),
        ("a!b#c%d&e_arenden_2018Q3.csv", "”!” (U+0021), ”#” (U+0023), ”%” (U+0025) och 1 till"),
        ("bromma_arenden.csv", "kvartalet går inte att utläsa"),
        ("bromma_arenden_2018Q5.csv", "kvartalet går inte att utläsa"),
        ("bromma_2018Q3.csv", "datasetet går inte att utläsa"),
        ("bromma_arenden_2018Q3.pdf", "ändelsen är ingen som läses"),
        ("bromma_arenden_2018Q3.numbers", "ändelsen är ingen som läses"),
        ("bromma_arenden_2018Q3.pdf", "det räcker inte att byta ändelse"),
        ("bromma_arenden_2018Q3.zip", "Packa upp arkivet först. Spara tabellen"),
    ],
)
def test_cause_is_named(name: str, cause: str) -> None:
    message(name).encode()  # printable, also where the name is not
    assert cause in message(name)


def test_unknown_dataset_lists_those_that_are_with_their_titles() -> None:
    said = message("bromma_placeringar_2018Q3.csv")
    assert "oppenvard (Biståndsbedömd öppenvård)" in said and "Menades" not in said


@pytest.mark.parametrize(
    ("title", "quarter", "unit"),
    [
        ("Rapport Farsta, kvartal 2 2018", "2018Q2", "farsta"),
        ("Q3 2018", "2018Q3", None),
        ("Enskede-Årsta-Vantör april-juni 2018", "2018Q2", "enskede-arsta-vantor"),
        ("Uttag 2018-10-02", None, None),
        ("Uttaget 2018-04-02 kl 3", None, None),
        ("Blad1", None, None),
    ],
)
def test_title_names_a_quarter_by_its_word_and_a_unit_exactly(
    title: str, quarter: str | None, unit: str | None
) -> None:
    found = quarter_in(title)
    assert (None if found is None else str(found), unit_in(title)) == (quarter, unit)
