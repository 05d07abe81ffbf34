"""CSV files that have been through Excel, and files that are neither CSV nor workbook."""

from __future__ import annotations

import pytest
from files import base_row, check, csv_bytes, fired

from ingest.checking import CheckReport

ROW = base_row("arenden")


def rows_of(report: CheckReport, rule: str) -> list[int | None]:
    return [f.row for f in report.findings() if f.rule == rule]


def messages(report: CheckReport) -> str:
    return "\n".join(f.message for f in report.findings())


@pytest.mark.parametrize("text", ["505059824", "2,00505E+11"])
def test_csv_saved_from_excel_with_numbers_that_lost_digits_says_why(text: str) -> None:
    report = check(csv_bytes("arenden", [base_row("arenden", personnummer=text)]))
    assert "FIL-038" in fired(report) and text not in messages(report)


def test_error_value_in_a_csv_saved_from_excel_is_reported_too() -> None:
    assert rows_of(check(csv_bytes("arenden", [base_row("arenden", hanvisad_till="#SAKNAS!")])), "FIL-028") == [2]


@pytest.mark.parametrize("hint", [b"sep=;\r\n", b"SEP=;\n", b'"sep=;"\r\n'])
def test_separator_hint_of_excel_is_no_row(hint: bytes) -> None:
    report = check(hint + csv_bytes("arenden", [ROW, {**ROW, "arende_id": "x y"}]))
    assert report.rows == 2 and rows_of(report, "ARE-002") == [3]


def test_csv_with_a_title_above_says_where_the_headers_are() -> None:
    report = check(b"Uttag 2018\r\n\r\n" + csv_bytes("arenden", [ROW]))
    assert fired(report) == {"FIL-021"} and "rad 3" in messages(report)


@pytest.mark.parametrize(
    "start", [b"<html><body><table>", b"<?xml version='1.0'?><Workbook>", b"%PDF-1.4\n", b"{\\rtf1"]
)
def test_other_kinds_of_files_are_named_by_their_kind(start: bytes) -> None:
    assert fired(check(start + b" x", "bromma_arenden_2018Q3.xls")) == {"FIL-026"}
