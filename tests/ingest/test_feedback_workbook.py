"""The feedback as a workbook: opened again, it says what is wrong, marks it, and repeats nothing that is personal."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import openpyxl
import pytest
from files import base_row, check, csv_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbook_files import labels, typed, workbook

from ingest import feedback_workbook
from ingest.checking import CheckReport
from ingest.contracts import load_contracts
from ingest.feedback_workbook import MASK, as_workbook

NAME = "bromma_arenden_2018Q3.csv"
NUMBER = "20050505-9824"
BASE = base_row("arenden")
CONTRACT = load_contracts()["arenden"]


def opened(report: CheckReport) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(as_workbook(report.name.shown, report)))


def of(*rows: dict[str, str]) -> openpyxl.Workbook:
    return opened(check(csv_bytes("arenden", [{**BASE, **row} for row in rows])))


def column(sheet: object, label: str) -> int:
    return next(cell.column for cell in sheet[1] if cell.value == label)


def colour(cell: object) -> str:
    return str(cell.fill.start_color.rgb)


def everything(raw: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        return "\n".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())


def test_summary_gives_verdict_and_each_rule_with_its_rows() -> None:
    book = of({}, {"arende_id": "A-2", "orsak": "bostadd"}, {"arende_id": "A-3", "kon": "x"}, {"orsak": "bostadd"})
    sheet = book["Sammanfattning"]
    assert "TAS INTE IN" in sheet["A2"].value
    lines = {row[0]: row for row in sheet.iter_rows(values_only=True) if row[0] and str(row[0]).startswith("ARE-")}
    assert lines["ARE-033"][1:4] == ("FEL", 2, "Orsak") and lines["ARE-033"][5] == "3, 5"
    assert "bostad" in lines["ARE-033"][4]


def test_small_file_comes_back_whole_with_excels_row_numbers_and_marks() -> None:
    sheet = of({}, {"arende_id": "A-2", "orsak": "bostadd"})["Rader"]
    assert [sheet.cell(row, 1).value for row in (2, 3)] == [2, 3]
    reason = column(sheet, "Orsak")
    assert sheet.cell(2, reason).value == BASE["orsak"] and colour(sheet.cell(2, reason)) == "00000000"
    assert sheet.cell(3, reason).value == MASK and colour(sheet.cell(3, reason)) == "FFF8C9C4"
    comment = sheet.cell(3, reason).comment.text
    assert "ARE-033" in comment and "menades bostad (Bostadssituation)?" in comment
    assert sheet.cell(3, column(sheet, "Vad som är fel")).value.startswith("FEL ARE-033")
    assert sheet.cell(2, column(sheet, "Inkom datum")).value == datetime.fromisoformat(BASE["inkom_datum"])


def test_query_has_another_colour_than_an_error() -> None:
    late = {"forhandsbedomning_klar": "2018-08-30", "utredning_start": "2018-08-30"}
    report = check(csv_bytes("arenden", [{**BASE, **late}]))
    assert report.accepted and report.total("query")
    sheet = opened(report)["Rader"]
    marked = {colour(cell) for row in sheet.iter_rows(min_row=2) for cell in row}
    assert "FFFFE9A8" in marked and "FFF8C9C4" not in marked


def test_personal_columns_are_marked_but_not_repeated() -> None:
    sheet = of({"personnummer": "20050505-9825"})["Rader"]
    cell = sheet.cell(2, column(sheet, "Personnummer"))
    assert cell.value == MASK and colour(cell) == "FFF8C9C4" and "personnummer" in cell.comment.text.lower()
    assert sheet.cell(2, column(sheet, "Ärende-ID")).value == MASK


def test_unknown_columns_are_not_shown() -> None:
    lines = csv_bytes("arenden", [BASE]).split(b"\r\n")
    report = check(b"\r\n".join([lines[0] + b";Anteckning", lines[1] + b";Ring mamman", b""]))
    raw = as_workbook(NAME, report)
    assert "Ring mamman" not in everything(raw) and "Anteckning" not in everything(raw)


def test_file_that_can_not_be_read_gets_its_summary() -> None:
    book = opened(check(b"hej;hopp\r\n1;2\r\n"))
    assert book.sheetnames == ["Sammanfattning"]
    assert any(row[0] == "FIL-021" for row in book["Sammanfattning"].iter_rows(values_only=True))


def test_row_that_is_outside_the_table_is_named_in_the_summary() -> None:
    lines = csv_bytes("arenden", [BASE]).split(b"\r\n")
    book = opened(check(b"\r\n".join([*lines[:2], b"x;y", b""])))
    row = next(row for row in book["Sammanfattning"].iter_rows(values_only=True) if row[0] == "FIL-013")
    assert row[5] == "3" and book["Rader"].max_row == 2


def test_faults_of_the_file_that_name_a_row_are_marked_in_it() -> None:
    sheet = of({}, {"hanvisad_till": "#SAKNAS!"})["Rader"]
    cell = sheet.cell(3, column(sheet, "Hänvisad till"))
    assert "FIL-028" in cell.comment.text and cell.value == MASK


def test_large_file_shows_rows_with_faults_some_of_each_rule_and_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_workbook, "WHOLE_ROWS", 20)
    monkeypatch.setattr(feedback_workbook, "FIRST_OF_EACH", 5)
    many = [{**BASE, "arende_id": f"A-{n}", "orsak": "bostadd"} for n in range(60)]
    report = check(csv_bytes("arenden", [*many, {**BASE, "arende_id": "C", "kon": "x"}]))
    book = opened(report)
    sheet = book["Rader"]
    numbers = [sheet.cell(row, 1).value for row in range(2, sheet.max_row + 1)]
    assert len(numbers) == 20 and numbers == sorted(numbers) and 62 in numbers
    assert any("visar 20 av 61 rader" in str(row[0]) for row in book["Sammanfattning"].iter_rows(values_only=True))


def test_rows_of_the_previous_quarters_file_are_not_taken_for_rows_of_this() -> None:
    """A rule about rows that are absent counts rows of another file: none of ours is marked."""
    report = check(csv_bytes("arenden", [BASE]))
    assert opened(report)["Rader"].cell(2, 1).comment is None


def test_nothing_in_the_workbook_is_a_formula_or_a_link() -> None:
    rows = [{**BASE, "orsak": "=cmd|'/c notepad'!A0", "hanvisad_till": "http://exempel.se", "lopnummer": "=1+1"}]
    raw = as_workbook("=HYPERLINK(1).csv", check(csv_bytes("arenden", rows)))
    text = everything(raw)
    assert "<f>" not in text and "notepad" not in text and "<hyperlink " not in text
    assert openpyxl.load_workbook(io.BytesIO(raw))["Sammanfattning"]["A1"].data_type == "s"


def test_properties_name_nobody_and_the_same_report_gives_the_same_bytes() -> None:
    report = check(csv_bytes("arenden", [BASE]))
    assert as_workbook(NAME, report) == as_workbook(NAME, report)
    properties = opened(report).properties
    assert not properties.creator and not properties.lastModifiedBy


TAINT = st.sampled_from(
    [NUMBER, "050505-9824", "505059824", "Anna Svensson", "=Anna", "anna_svensson", "Anna\nSvensson"]
)
TEXT = st.text(st.characters(codec="cp1252", exclude_categories=("Cc",), exclude_characters='";|'), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([c.name for c in CONTRACT.columns]), TAINT, TEXT, st.booleans())
def test_no_cell_of_a_person_is_repeated(name: str, taint: str, around: str, as_book: bool) -> None:
    """Whatever column a number or name stands in, whatever stands around it, the feedback never holds it."""
    row = {**BASE, name: around + taint}
    if as_book:
        cells = [str(row.get(c.name, "")) for c in CONTRACT.columns]
        report = check(workbook({"Blad1": [labels("arenden"), list(cells)]}), NAME.replace("csv", "xlsx"))
    else:
        report = check(csv_bytes("arenden", [{**row, name: f'"{row[name]}"'}]))
    text = everything(as_workbook(NAME, report)).lower()
    for part in ("svensson", "9824", "05059"):
        assert part not in text


def test_workbook_and_csv_of_one_table_get_the_same_feedback() -> None:
    row = {**BASE, "orsak": "bostadd"}
    book = check(workbook({"Blad1": [labels("arenden"), typed("arenden", row)]}), NAME.replace("csv", "xlsx"))
    text = check(csv_bytes("arenden", [row]))
    cells = [[[c.value for c in r] for r in opened(report)["Rader"].iter_rows()] for report in (book, text)]
    assert cells[0] == cells[1]
