"""Old workbooks (.xls) and OpenDocument sheets (.ods): read by the same rules as .xlsx."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
import xlwt
from files import base_row, check, csv_bytes, fired
from msoffcrypto.format.ooxml import OOXMLFile
from workbook_files import Cell, labels, old_workbook, open_document, typed, workbook

from ingest.contracts import load_contracts
from ingest.quarters import Quarter
from ingest.reading.tables import read_table
from ingest.workbooks import ods

CONTRACT = load_contracts()["arenden"]
ROW = base_row("arenden")
OTHER = base_row("arenden", arende_id="2018-1002", orsak="bostad")
HEAD, CELLS = labels("arenden"), typed("arenden", ROW)
SECOND = typed("arenden", OTHER)
Make = Callable[[dict[str, list[list[Cell]]]], bytes]
KINDS = pytest.mark.parametrize(("ending", "make"), [("xls", old_workbook), ("ods", open_document)])


def name(ending: str) -> str:
    return f"bromma_arenden_2018Q3.{ending}"


def at(column: str) -> int:
    return [c.name for c in CONTRACT.columns].index(column)


def with_cell(column: str, cell: Cell) -> list[Cell]:
    cells = list(CELLS)
    cells[at(column)] = cell
    return cells


def rows_of(report: object, rule: str) -> list[int | None]:
    return [f.row for f in report.findings() if f.rule == rule]


@KINDS
@pytest.mark.parametrize("dataset", ["arenden", "serviceinsatser"])
def test_reads_like_the_same_csv(ending: str, make: Make, dataset: str) -> None:
    contract, rows = load_contracts(Quarter(2018, 3))[dataset], [base_row(dataset)]
    raw = make({"Blad1": [labels(dataset), *(typed(dataset, row) for row in rows)]})
    book, text = read_table(raw, contract), read_table(csv_bytes(dataset, rows, "utf-8"), contract)
    for column in contract.columns:
        assert book.columns[column.name].to_pylist() == text.columns[column.name].to_pylist(), column.name
    report = check(raw, f"bromma_{dataset}_2018Q3.{ending}")
    assert report.accepted and report.rows == 1 and fired(report) == set()


@KINDS
def test_sheet_rows_and_titles(ending: str, make: Make) -> None:
    title: list[list[Cell]] = [["Ärenden"], []]
    report = check(
        make({"Läs mig": [["x"]], "Data": [*title, HEAD, CELLS, with_cell("arende_id", "x y")]}), name(ending)
    )
    assert report.rows == 2 and rows_of(report, "ARE-002") == [5] and "FIL-034" in fired(report)
    both = check(make({"A": [HEAD, CELLS], "arenden": [HEAD, CELLS, SECOND]}), name(ending))
    assert both.rows == 2 and fired(both) == {"FIL-033"}


@KINDS
def test_cells_of_other_kinds(ending: str, make: Make) -> None:
    timed = check(make({"A": [HEAD, with_cell("inkom_datum", datetime(2018, 7, 2, 14, 30))]}), name(ending))
    assert timed.accepted and fired(timed) == {"FIL-036"}
    dated = check(make({"A": [HEAD, with_cell("arende_id", date(2018, 10, 1))]}), name(ending))
    assert rows_of(dated, "FIL-035") == [2]
    number = check(make({"A": [HEAD, with_cell("personnummer", 505059824)]}), name(ending))
    assert "FIL-038" in fired(number) and not number.accepted
    assert not check(make({"A": [HEAD, with_cell("utredning_inledd", True)]}), name(ending)).accepted


@KINDS
def test_other_ending_is_reported(ending: str, make: Make) -> None:
    report = check(make({"A": [HEAD, CELLS]}), name("xlsx"))
    assert report.accepted and fired(report) == {"FIL-037"}


def test_old_workbook_counts_days_from_1904() -> None:
    table = read_table(old_workbook({"A": [HEAD, CELLS]}, date_1904=True), CONTRACT)
    assert table.columns["inkom_datum"][0].as_py().decode() == ROW["inkom_datum"]


def test_old_workbook_hidden_rows_and_columns_are_reported() -> None:
    def hide(book: object, sheet: xlwt.Worksheet) -> None:
        sheet.row(2).hidden = True
        sheet.row(30).hidden = True
        sheet.col(at("orsak")).hidden = True

    report = check(old_workbook({"A": [HEAD, CELLS, SECOND]}, hide), name("xls"))
    messages = [f.message for f in report.findings()]
    assert report.rows == 2 and fired(report) == {"FIL-031", "FIL-032"}
    assert "har 1 dold eller bortfiltrerad rad," in messages[0] and "Kolumn 12 (L)" in messages[1]


@pytest.mark.parametrize("computed", [False, True])
def test_old_workbook_error_cells_are_errors(computed: bool) -> None:
    def spoil(book: object, sheet: xlwt.Worksheet) -> None:
        if computed:
            sheet.write(2, at("hanvisad_till"), xlwt.Formula("1/0"))
        else:
            sheet.row(2).set_cell_error(at("hanvisad_till"), "#REF!")

    raw = old_workbook({"A": [HEAD, CELLS, with_cell("hanvisad_till", "")]}, spoil)
    if computed:  # xlwt stores an empty text as every formula's result; Excel would store #DIV/0!
        empty, error = b"\x03\0\0\0\0\0\xff\xff", b"\x02\0\x07\0\0\0\xff\xff"
        assert raw.count(empty) == 1
        raw = raw.replace(empty, error)
    assert rows_of(check(raw, name("xls")), "FIL-028") == [3]


def test_old_workbook_merged_headers_are_refused() -> None:
    def merge(book: object, sheet: xlwt.Worksheet) -> None:
        sheet.merge(0, 0, 1, 2)

    assert fired(check(old_workbook({"A": [HEAD, CELLS]}, merge), name("xls"))) == {"FIL-030"}


def test_document_hidden_rows_and_columns_are_reported() -> None:
    rows = {3: 'table:visibility="filter"'}
    hidden = f'<table:table-column table:number-columns-repeated="{at("orsak")}"/>'
    hidden += '<table:table-column table:visibility="collapse"/>'
    report = check(open_document({"A": [HEAD, CELLS, SECOND]}, rows, hidden), name("ods"))
    assert report.rows == 2 and fired(report) == {"FIL-031", "FIL-032"}
    assert "har 1 dold eller bortfiltrerad rad," in next(report.findings()).message


def test_document_repeated_rows_are_as_many_rows() -> None:
    rows = {2: 'table:number-rows-repeated="3"', 3: 'table:visibility="collapse"'}
    report = check(open_document({"A": [HEAD, CELLS, SECOND]}, rows), name("ods"))
    assert report.rows == 4 and "FIL-031" in fired(report)


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        (
            '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value="" '
            'calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>',
            "FIL-028",
        ),
        ('<table:table-cell table:formula="of:=1+1"/>', "FIL-029"),
        (
            '<table:table-cell table:number-rows-spanned="2" office:value-type="string"><text:p>x</text:p>'
            "</table:table-cell>",
            "FIL-030",
        ),
    ],
)
def test_document_cells_that_would_read_as_empty_are_errors(cell: str, rule: str) -> None:
    report = check(open_document({"A": [HEAD, with_cell("hanvisad_till", cell), SECOND]}), name("ods"))
    assert rule in fired(report) and not report.accepted


def test_locked_documents_are_refused_as_such() -> None:
    assert fired(check(open_document({"A": [HEAD]}, locked=True), name("ods"))) == {"FIL-025"}
    raw = old_workbook({"A": [HEAD, CELLS]})
    first = raw.find(struct.pack("<HH", 0x0809, 16)) + 20  # the record after the beginning of the workbook
    locked = raw[:first] + struct.pack("<H", 0x002F) + raw[first + 2 :]
    assert fired(check(locked, name("xls"))) == {"FIL-025"}
    package = io.BytesIO()
    OOXMLFile(io.BytesIO(workbook({"A": [HEAD, CELLS]}))).encrypt("hemligt", package)
    assert fired(check(package.getvalue(), name("xls"))) == {"FIL-025"}


def ring(raw: bytes) -> bytes:
    """An .xls whose table of sectors leads in a circle."""
    table = struct.unpack_from("<I", raw, 76)[0]
    at_table = (table + 1) * 512
    return raw[:at_table] + struct.pack("<128I", *([0] * 128)) + raw[at_table + 512 :]


GOOD = old_workbook({"A": [HEAD, CELLS]})


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(GOOD[: len(GOOD) // 2], id="cut off"),
        pytest.param(GOOD[:600], id="only a header"),
        pytest.param(GOOD[:30] + b"\xff\xff" + GOOD[32:], id="absurd sector size"),
        pytest.param(ring(GOOD), id="ring of sectors"),
        pytest.param(GOOD[:512] + b"\x09\x08" * 2000, id="other records"),
    ],
)
def test_damaged_old_workbook_is_refused(raw: bytes) -> None:
    report = check(raw, name("xls"))
    assert not report.accepted and fired(report) <= {"FIL-024", "FIL-026", "FIL-027"}


def test_document_of_very_many_repeated_cells_is_refused() -> None:
    cell = '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
    raw = open_document({"A": [HEAD, [cell]]}, {2: 'table:number-rows-repeated="1048000"'})
    assert fired(check(raw, name("ods"))) <= {"FIL-024", "FIL-027"}


def test_old_workbook_of_many_fonts_has_its_struck_rows() -> None:
    """Excel gives no font the number 4."""

    def change(book: Any, sheet: Any) -> None:
        for number in range(8):
            style = xlwt.easyxf(f"font: height {200 + 20 * number}, struck_out {number % 2 == 1}")
            for column, cell in enumerate(typed("arenden", base_row("arenden", arende_id=f"2018-{1001 + number}"))):
                if cell not in (None, ""):
                    sheet.write(number + 1, column, str(cell), style)

    raw = old_workbook({"Blad1": [HEAD]}, change)
    (message,) = (f.message for f in check(raw, name("xls")).findings() if f.rule == "FIL-071")
    assert message.startswith("4 rader är överstrukna, den första är rad 3")


def test_document_rows_are_struck_by_the_style_of_cell_row_or_column() -> None:
    styles = (
        b'<style:style style:name="S" style:family="table-cell"><style:text-properties '
        b'style:text-line-through-style="solid"/></style:style>'
        b'<style:style style:name="of S" style:family="table-cell" style:parent-style-name="S"/>'
        b'<style:style style:name="no" style:family="table-cell" style:parent-style-name="S"><style:text-properties '
        b'style:text-line-through-style="none" style:text-line-through-type="none"/></style:style>'
        b'<style:style style:name="ring" style:family="table-cell" style:parent-style-name="ring"/><office:body>'
    )
    struck = ods.struck_styles(styles, b"")
    assert struck == {b"S", b"of S"}
    cell = '<table:table-cell {} office:value-type="string"><text:p>x</text:p></table:table-cell>'
    rows = [
        ("", ['table:style-name="of S"', ""]),  # 1: struck, the second cell by its column
        ("", ["", ""]),  # 2: the first column is not
        ('table:number-rows-repeated="2" table:default-cell-style-name="S"', ["", ""]),  # 3 and 4
        ("", ['table:style-name="no"', 'table:style-name="S"']),  # 5
    ]
    table = '<table:table><table:table-column/><table:table-column table:default-cell-style-name="S"/>'
    for attributes, cells in rows:
        table += f"<table:table-row {attributes}>{''.join(map(cell.format, cells))}</table:table-row>"
    assert ods.struck_rows(table.encode(), struck) == {1, 3, 4}
