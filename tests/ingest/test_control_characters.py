"""Control characters, line ends of every kind and code points that are no characters: in every reader and column."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from xml.sax.saxutils import escape

import pytest
from files import base_row, check, fired
from workbook_files import Cell, labels, old_workbook, open_document, repacked, typed, workbook

from ingest.checking import CheckReport
from ingest.contracts import load_contracts
from ingest.quarters import Quarter

CONTRACT = load_contracts(Quarter(2018, 3))["utbud"]
HEAD, CELLS = labels("utbud"), typed("utbud", base_row("utbud"))
EMPTY_BOOK = workbook({"Blad1": [["x"]]})
BREAKS = ["\r", "\r\n", "\n", "\t", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\0", "\x01", "\x08", "\x1a", "\x1b", "\x1c", "\x1f", "\x7f", "\x80", "\x9f"]
NO_CHARACTERS = ["\ufffe", "\uffff", "\ufdd0", "\U0001ffff"]


def as_csv(rows: list[list[Cell]]) -> bytes:
    lines = (";".join('"' + str(cell).replace('"', '""') + '"' for cell in row) for row in rows)
    return "\r\n".join(lines).encode("utf-8", "surrogatepass")


def of_inline_texts(rows: list[list[Cell]], spelt: Callable[[str], str]) -> bytes:
    """An .xlsx of texts, each character spelt as given."""
    lines = "".join(
        "<row>"
        + "".join(f'<c t="inlineStr"><is><t>{"".join(map(spelt, str(cell)))}</t></is></c>' for cell in row)
        + "</row>"
        for row in rows
    )
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{lines}</sheetData></worksheet>'
    return repacked(EMPTY_BOOK, sheet1=sheet.encode())


def as_xlsx(rows: list[list[Cell]]) -> bytes:
    """Control characters as Excel escapes them."""
    return of_inline_texts(rows, lambda c: f"_x{ord(c):04X}_" if c < " " or c in "\x7f\x85" else escape(c))


def as_xlsx_by_number(rows: list[list[Cell]]) -> bytes:
    """Control characters as other programs write them."""
    return of_inline_texts(rows, lambda c: escape(c) if c.isprintable() else f"&#{ord(c)};")


def in_a_sheet(make: Callable[[dict[str, list[list[Cell]]]], bytes]) -> Callable[[list[list[Cell]]], bytes]:
    return lambda rows: make({"Blad1": rows})


READERS: dict[str, Callable[[list[list[Cell]]], bytes]] = {
    "csv": as_csv,
    "xlsx": as_xlsx,
    "xlsx by number": as_xlsx_by_number,
    "xls": in_a_sheet(old_workbook),
    "ods": in_a_sheet(open_document),
}
ENDINGS = {"csv": "csv", "xls": "xls", "ods": "ods"}


def checked(reader: str, rows: list[list[Cell]]) -> CheckReport:
    return check(READERS[reader](rows), f"bromma_utbud_2018Q3.{ENDINGS.get(reader, 'xlsx')}")


def with_cell(column: str, text: str) -> list[Cell]:
    cells = list(CELLS)
    cells[[c.name for c in CONTRACT.columns].index(column)] = text
    return cells


def findings(report: CheckReport) -> list[tuple[str, int | None, str | None]]:
    return [(found.rule, found.row, found.column) for found in report.findings()]


@pytest.mark.parametrize("reader", READERS)
def test_line_ends_and_tabs_of_any_kind_in_a_cell_are_white_space(reader: str) -> None:
    rows = [HEAD, *(with_cell("innehall", f"Stöd{end}och råd") for end in BREAKS)]
    report = checked(reader, rows)
    assert report.raw is not None
    texts = [cell.decode() for cell in report.raw.columns["innehall"].to_pylist()]
    assert report.rows == len(BREAKS) and {" ".join(text.split()) for text in texts} == {"Stöd och råd"}
    assert not any("\r" in text for text in texts) or reader == "csv"
    beside = checked(reader, [[*HEAD, "Egen"], *([*CELLS, f"a{end}b"] for end in BREAKS)])
    assert beside.rows == len(BREAKS) and "FIL-020" not in fired(beside) and "FIL-013" not in fired(beside)


@pytest.mark.parametrize("reader", READERS)
def test_line_ends_in_headers_are_spaces(reader: str) -> None:
    for end in BREAKS:
        head = [str(header).replace("Webbinfo uppdaterad", f"Webbinfo{end}uppdaterad") for header in HEAD]
        assert checked(reader, [head, CELLS]).accepted, ascii(end)


@pytest.mark.parametrize("reader", READERS)
def test_no_control_character_in_any_column_is_a_fault_of_ours(reader: str) -> None:
    odd = [*CONTROLS, *NO_CHARACTERS, "\ufffd", "\u200b"]
    if reader in ("csv", "xlsx by number"):
        odd.remove("\0")  # the file is refused as such
    for column in CONTRACT.columns:
        report = checked(reader, [HEAD, *(with_cell(column.name, f"k{character}omet") for character in odd)])
        assert "FIL-020" not in fired(report) and report.rows == len(odd), column.name


@pytest.mark.parametrize("reader", ["xlsx", "xls", "ods"])
def test_nul_names_its_cell(reader: str) -> None:
    for column in ("insats", "innehall", "vantetid_dagar", "webbinfo_uppdaterad"):
        report = checked(reader, [HEAD, CELLS, with_cell(column, "a\0b")])
        assert ("FIL-061", 3, column) in findings(report) and not report.accepted
        assert [found for found in findings(report) if found[2] == column and found[0] != "FIL-061"] == []
        assert any("U+0000" in found.message for found in report.findings())


def test_nul_in_a_csv_names_its_row() -> None:
    report = checked("csv", [HEAD, CELLS, with_cell("innehall", "a\0b")])
    assert fired(report) == {"FIL-008"} and "rad 3" in next(report.findings()).message


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("character", ["\x80", "\x9f", *NO_CHARACTERS])
def test_what_is_no_character_names_its_cell_where_there_is_no_free_text(reader: str, character: str) -> None:
    report = checked(reader, [HEAD, CELLS, with_cell("insats", f"ko{character}met")])
    assert findings(report)[0] == ("FIL-061", 3, "insats") and not report.accepted
    assert f"U+{ord(character):04X}" in next(report.findings()).message


@pytest.mark.parametrize("surrogate", [b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80"])
def test_lone_surrogates_in_a_csv_are_bytes_that_are_no_text(surrogate: bytes) -> None:
    raw = as_csv([HEAD, with_cell("innehall", "Stöd XX")]).replace(b"XX", surrogate)
    report = check(raw, "bromma_utbud_2018Q3.csv")
    assert not report.accepted and fired(report) <= {"FIL-006", "FIL-007"}


def with_surrogate(surrogate: str, character: str) -> str:
    return surrogate if character == "\ue000" else escape(character)


def test_lone_surrogates_in_workbooks_are_no_fault_of_ours() -> None:
    sheet = {"Blad1": [HEAD, with_cell("innehall", "Stöd \ue000 och råd")]}
    for escaped in ("&#xD800;", "_xD800_"):
        raw = of_inline_texts(sheet["Blad1"], partial(with_surrogate, escaped))
        assert fired(check(raw, "bromma_utbud_2018Q3.xlsx")) <= {"FIL-024", "FIL-069"}
    old = old_workbook(sheet)
    assert old.count(b" \0\0\xe0 \0") == 1
    report = check(old.replace(b" \0\0\xe0 \0", b" \0\0\xd8 \0"), "bromma_utbud_2018Q3.xls")
    assert fired(report) <= {"FIL-069"} and report.rows == 1
