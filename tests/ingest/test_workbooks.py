"""Workbooks as districts make them: which sheet and row is read, what each kind of cell becomes, what is reported."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from files import base_row, check, csv_bytes, fired
from hypothesis import given, settings
from hypothesis import strategies as st
from msoffcrypto.format.ooxml import OOXMLFile
from workbook_files import Cell, book_of, labels, repacked, typed, workbook

from ingest.characters import visible
from ingest.contracts import load_contracts
from ingest.quarters import Quarter
from ingest.reading.tables import read_table

NAME = "bromma_arenden_2018Q3.xlsx"
COUNTS = "bromma_serviceinsatser_2018Q3.xlsx"
CONTRACT = load_contracts()["arenden"]
ROW = base_row("arenden")
OTHER = base_row("arenden", arende_id="2018-1002", orsak="bostad")
HEAD, CELLS = labels("arenden"), typed("arenden", ROW)


def at(name: str, dataset: str = "arenden") -> int:
    return [column.name for column in load_contracts(Quarter(2018, 3))[dataset].columns].index(name)


def with_cell(name: str, cell: Cell, dataset: str = "arenden") -> list[Cell]:
    cells = typed(dataset, base_row(dataset))
    cells[at(name, dataset)] = cell
    return cells


def rows_of(report: object, rule: str) -> list[int | None]:
    return [f.row for f in report.findings() if f.rule == rule]


def messages(report: object) -> str:
    return "\n".join(f.message for f in report.findings())


@pytest.mark.parametrize("dataset", ["arenden", "oppenvard", "serviceinsatser"])
def test_workbook_reads_like_the_same_csv(dataset: str) -> None:
    rows = [base_row(dataset)]
    contract = load_contracts(Quarter(2018, 3))[dataset]
    book, text = read_table(book_of(dataset, rows), contract), read_table(csv_bytes(dataset, rows), contract)
    for column in contract.columns:
        assert [c.as_py() for c in book.columns[column.name]] == [
            (c.as_py() or b"").decode("cp1252").encode() or None for c in text.columns[column.name]
        ]
    report = check(book_of(dataset, rows), f"bromma_{dataset}_2018Q3.xlsx")
    assert report.accepted and report.rows == 1 and fired(report) == set()


def test_rows_are_numbered_as_excel_does_and_blank_ones_ignored() -> None:
    blank: list[Cell] = [""] * len(HEAD)
    report = check(workbook({"Blad1": [HEAD, CELLS, blank, [" "], with_cell("arende_id", "x y")]}), NAME)
    assert report.rows == 2
    assert rows_of(report, "ARE-002") == [5]


def test_headers_only_is_zero_rows_accepted() -> None:
    report = check(workbook({"Blad1": [HEAD]}), NAME)
    assert report.accepted and report.rows == 0


def test_first_sheet_that_bears_the_headers_is_read_and_other_sheets_pass() -> None:
    report = check(
        workbook({"Läs mig": [["Så fyller ni i"]], "Data": [HEAD, CELLS], "Koder": [["Orsak"], ["x"]]}), NAME
    )
    assert report.accepted and report.rows == 1 and fired(report) == set()


def test_second_sheet_with_the_headers_is_reported_and_the_first_is_read() -> None:
    report = check(workbook({"Juli": [HEAD, CELLS], "Augusti": [HEAD, CELLS, typed("arenden", OTHER)]}), NAME)
    assert report.accepted and report.rows == 1 and fired(report) == {"FIL-033"}
    assert "Blad 1 är läst, inte blad 2" in messages(report) and "Juli" not in messages(report)


def test_sheet_named_after_the_dataset_is_read_before_an_earlier_one() -> None:
    report = check(workbook({"Gammalt": [HEAD, CELLS], "Ärenden": [HEAD, CELLS, typed("arenden", OTHER)]}), NAME)
    assert report.rows == 2 and fired(report) == {"FIL-033"}


def test_empty_copy_of_the_table_is_not_reported() -> None:
    assert fired(check(workbook({"Data": [HEAD, CELLS], "Mall": [HEAD]}), NAME)) == set()


def test_hidden_sheet_is_read_only_when_no_other_bears_the_headers_and_is_reported() -> None:
    def hide_first(book: object, sheet: object) -> None:
        book.worksheets()[1].activate()
        book.worksheets()[1].set_first_sheet()
        sheet.hide()

    both = check(workbook({"A": [HEAD, CELLS], "B": [HEAD, CELLS, typed("arenden", OTHER)]}, hide_first), NAME)
    assert both.rows == 2 and fired(both) == {"FIL-033"}
    alone = check(workbook({"A": [HEAD, CELLS], "B": [["inget"]]}, hide_first), NAME)
    assert alone.rows == 1 and fired(alone) == {"FIL-032"}


def test_sheet_is_found_by_its_beginning_however_long_it_and_others_are() -> None:
    long: list[list[Cell]] = [[f"rad {n}", "x" * 200] for n in range(9_000)]
    data = [HEAD, *([CELLS] * 3_000)]

    def much_after_the_rows(book: object, sheet: object) -> None:
        for row in range(6_000):
            sheet.data_validation(row, 0, row, 0, {"validate": "any", "input_message": "y" * 200})

    report = check(workbook({"Annat": [["x"]], "Långt": long, "Data": data}, much_after_the_rows), NAME)
    assert report.rows == 3_000
    first = check(workbook({"Data": data[:3], "Långt": long}, much_after_the_rows), NAME)
    assert first.rows == 2


def test_no_sheet_with_headers_is_refused() -> None:
    assert fired(check(workbook({"A": [["hej"], ["hopp"]], "B": []}), NAME)) == {"FIL-021"}
    assert fired(check(workbook({"A": []}), NAME)) == {"FIL-004"}


def test_title_rows_above_the_headers_are_reported_and_rows_keep_excels_numbers() -> None:
    title: list[list[Cell]] = [["Ärenden kvartal 3"], ["Uttag", date(2018, 10, 2)], []]
    report = check(workbook({"Blad1": [*title, HEAD, CELLS, with_cell("arende_id", "x y")]}), NAME)
    assert report.rows == 2 and rows_of(report, "ARE-002") == [6]
    assert "Rubrikerna står på rad 4; 2 ifyllda rader" in messages(report)


def test_table_need_not_begin_in_the_first_column() -> None:
    def indented(rows: list[list[Cell]]) -> list[list[Cell]]:
        return [["", "", *row] for row in rows]

    report = check(workbook({"Blad1": [[], *indented([HEAD, CELLS])]}), NAME)
    assert report.accepted and report.rows == 1 and fired(report) == set()


def test_near_miss_header_and_code_get_their_suggestions() -> None:
    head = ["Orsk" if cell == "Orsak" else cell for cell in HEAD]
    assert "kolumn 12 (L)" in messages(check(workbook({"Blad1": [head, CELLS]}), NAME))
    report = check(workbook({"Blad1": [HEAD, with_cell("orsak", "bostadd")]}), NAME)
    assert "menades bostad (Bostadssituation)?" in messages(report)


def test_column_beyond_the_headers_is_reported_and_empty_ones_are_ignored() -> None:
    noted: list[Cell] = [*CELLS, "", "", "ring"]
    report = check(workbook({"Blad1": [HEAD, CELLS, [*noted]]}), NAME)
    assert [f.message for f in report.findings() if f.rule == "FIL-012"] != []
    assert fired(report) >= {"FIL-012"} and "ring" not in messages(report)
    assert sum(f.rule == "FIL-012" for f in report.findings()) == 1


def test_totals_row_is_an_error() -> None:
    assert rows_of(check(workbook({"Blad1": [HEAD, CELLS, ["Summa"]]}), NAME), "FIL-014") == [3]


@pytest.mark.parametrize(
    ("cell", "taken"),
    [
        ("200505059824", True),
        ("20050505-9824", True),
        (200505059824, True),
        (200505059824.0, True),
        (9809039804, True),
        (505059824, False),
        (2.00505e20, False),
    ],
)
def test_number_of_a_person_is_repaired_only_without_loss(cell: Cell, taken: bool) -> None:
    cells = with_cell("personnummer", cell)
    report = check(workbook({"Blad1": [HEAD, cells]}), NAME)
    assert ("FIL-038" in fired(report)) is (cell == 505059824 or cell == 2.00505e20)
    if taken:
        assert not {f.column for f in report.findings() if f.severity == "error"} & {"personnummer"}
    else:
        assert not report.accepted and "505059824" not in messages(report)


@pytest.mark.parametrize(("cell", "bad"), [(12, False), (12.0, False), (12.5, True), (-1, True), ("12,0", False)])
def test_whole_numbers(cell: Cell, bad: bool) -> None:
    report = check(
        workbook({"Blad1": [labels("serviceinsatser"), with_cell("antal_i_ko", cell, "serviceinsatser")]}), COUNTS
    )
    assert (not report.accepted) is bad


@pytest.mark.parametrize("date_1904", [False, True])
def test_date_cells_are_days_in_either_epoch(date_1904: bool) -> None:
    table = read_table(workbook({"Blad1": [HEAD, CELLS]}, date_1904=date_1904), CONTRACT)
    assert table.columns["inkom_datum"][0].as_py().decode() == ROW["inkom_datum"]


def test_time_of_day_is_left_out_and_reported() -> None:
    report = check(workbook({"Blad1": [HEAD, with_cell("inkom_datum", datetime(2018, 7, 2, 14, 30))]}), NAME)
    assert report.accepted and fired(report) == {"FIL-036"}
    assert (
        read_table(workbook({"Blad1": [HEAD, with_cell("inkom_datum", datetime(2018, 7, 2, 14, 30))]}), CONTRACT)
        .columns["inkom_datum"][0]
        .as_py()
        == b"2018-07-02"
    )


def test_serial_numbers_in_a_date_column_are_errors_named_as_such() -> None:
    for report in (
        check(workbook({"Blad1": [HEAD, with_cell("inkom_datum", 43283)]}), NAME),
        check(csv_bytes("arenden", [base_row("arenden", inkom_datum="43283")])),
    ):
        assert not report.accepted and "Excels serienummer" in messages(report)


def test_date_written_as_a_plain_number_is_a_date() -> None:
    assert check(workbook({"Blad1": [HEAD, with_cell("inkom_datum", 20180702)]}), NAME).accepted


@pytest.mark.parametrize(
    ("dataset", "column"),
    [("serviceinsatser", "antal_i_ko"), ("serviceinsatser", "aldersgrupp"), ("arenden", "arende_id")],
)
def test_date_cell_where_no_date_is_due_is_an_error_of_its_own(dataset: str, column: str) -> None:
    book = workbook({"Blad1": [labels(dataset), with_cell(column, date(2018, 12, 6), dataset)]})
    report = check(book, f"bromma_{dataset}_2018Q3.xlsx")
    assert rows_of(report, "FIL-035") == [2] and not report.accepted


def test_boolean_is_no_code() -> None:
    assert not check(workbook({"Blad1": [HEAD, with_cell("utredning_inledd", True)]}), NAME).accepted


@pytest.mark.parametrize("error", ["#N/A", "#REF!"])
def test_error_cell_is_an_error_with_its_row(error: str) -> None:
    def spoil(book: object, sheet: object) -> None:
        sheet.write_formula(1, at("hanvisad_till"), "=NA()", None, error)

    report = check(book_of("arenden", [ROW, OTHER], spoil), NAME)
    assert rows_of(report, "FIL-028") == [2] and not report.accepted


def test_formula_with_its_value_reads_as_the_value() -> None:
    def compute(book: object, sheet: object) -> None:
        sheet.write_formula(1, at("hanvisad_till"), '="sko"&"la"', None, "skola")

    report = check(book_of("arenden", [ROW], compute), NAME)
    assert report.accepted and fired(report) == set()


def test_formula_never_computed_is_refused() -> None:
    book = openpyxl.load_workbook(io.BytesIO(book_of("arenden", [ROW])))
    book.active["W2"] = '="sko"&"la"'
    out = io.BytesIO()
    book.save(out)
    assert fired(check(out.getvalue(), NAME)) == {"FIL-029"}

    def left_to_excel(book: object, sheet: object) -> None:
        sheet.write_formula(1, at("antal_i_ko", "serviceinsatser"), "=SUM(F2:G2)")

    assert fired(check(book_of("serviceinsatser", [base_row("serviceinsatser")], left_to_excel), COUNTS)) == {"FIL-029"}


def test_formula_whose_value_is_empty_text_is_empty() -> None:
    def cell(sheet: bytes) -> bytes:
        head, mark, tail = sheet.partition(b"</row></sheetData>")
        return head + b'<c r="AZ2" t="str"><f>""</f><v></v></c>' + mark + tail

    assert check(repacked(book_of("arenden", [ROW]), sheet1=cell), NAME).accepted


def test_merged_cells_in_headers_or_rows_are_refused_and_above_them_are_not() -> None:
    def merge(first: int, last: int) -> object:
        return lambda book, sheet: sheet.merge_range(first, 0, last, 1, "x")

    assert fired(check(book_of("arenden", [ROW], merge(0, 0)), NAME)) == {"FIL-030"}
    assert fired(check(book_of("arenden", [ROW, OTHER], merge(1, 2)), NAME)) == {"FIL-030"}
    beside = book_of("arenden", [ROW], lambda book, sheet: sheet.merge_range(0, 40, 1, 42, ""))
    assert check(beside, NAME).accepted
    titled = workbook({"Blad1": [["Titel"], HEAD, CELLS]}, merge(0, 0))
    assert fired(check(titled, NAME)) == {"FIL-034"}


def test_hidden_and_filtered_rows_are_read_and_counted() -> None:
    def hide(book: object, sheet: object) -> None:
        sheet.autofilter(0, 0, 3, 5)
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_row(3, None, None, {"hidden": True})
        sheet.set_row(9, None, None, {"hidden": True})

    third = base_row("arenden", arende_id="2018-1003", orsak="vanvard")
    report = check(book_of("arenden", [ROW, OTHER, third], hide), NAME)
    assert report.rows == 3 and fired(report) == {"FIL-031"} and "2 dolda" in messages(report)


def test_hidden_column_is_read_and_reported() -> None:
    def hide(book: object, sheet: object) -> None:
        sheet.set_column(at("orsak"), at("orsak"), None, None, {"hidden": True})
        sheet.set_column(60, 70, None, None, {"hidden": True})

    report = check(book_of("arenden", [ROW], hide), NAME)
    assert report.accepted and fired(report) == {"FIL-032"} and "Kolumn 12 (L) är dold" in messages(report)


def test_what_a_file_holds_decides_and_another_ending_is_reported() -> None:
    assert fired(check(book_of("arenden", [ROW]), "bromma_arenden_2018Q3.csv")) == {"FIL-037"}
    report = check(csv_bytes("arenden", [ROW]), NAME)
    assert report.accepted and fired(report) == {"FIL-037"} and "textfil" in messages(report)


def test_macros_lie_unread() -> None:
    report = check(repacked(book_of("arenden", [ROW]), macros=b"\xd0\xcf\x11\xe0 Sub Auto_Open"), NAME)
    assert report.accepted and fired(report) == set()


@pytest.mark.parametrize("name", ["xlsm", "xls", "ods", "xlsb"])
def test_names_of_other_workbooks_can_be_read(name: str) -> None:
    assert "FIL-001" not in fired(check(book_of("arenden", [ROW]), f"bromma_arenden_2018Q3.{name}"))


@pytest.mark.parametrize("content", ["=cmd|'/c calc'!A0", "+1+1", "@SUM(1)", "-2+3", "\tx"])
def test_formulas_as_text_are_text(content: str) -> None:
    for report in (
        check(workbook({"Blad1": [HEAD, with_cell("hanvisad_till", content)]}), NAME),
        check(csv_bytes("arenden", [base_row("arenden", hanvisad_till=content)])),
    ):
        assert not report.accepted and "calc" not in messages(report)


CELL = st.one_of(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=12
    ),
    st.integers(-(10**14), 10**14),
    st.booleans(),
    st.dates(date(1901, 1, 1), date(2100, 1, 1)),
)


def as_csv(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "SANT" if cell else "FALSKT"
    return cell.isoformat() if isinstance(cell, date) else str(cell)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8))
def test_any_table_reads_back_like_the_same_table_as_csv(rows: list[tuple[Cell, Cell, Cell]]) -> None:
    head: list[Cell] = ["Orsak", "Insats", "Inkom datum"]
    table = read_table(workbook({"Blad1": [head, *map(list, rows)]}), CONTRACT)
    left_out = {f.row for f in table.findings if f.rule in ("FIL-014", "FIL-065", "FIL-066", "FIL-067")}
    expected = {
        number: tuple(map(as_csv, row))
        for number, row in enumerate(rows, start=2)
        if any(visible(as_csv(c)) for c in row) and number not in left_out
    }
    assert table.row_numbers.tolist() == list(expected)
    read = [
        tuple((table.columns[name][i].as_py() or b"").decode() for name in ("orsak", "insats", "inkom_datum"))
        for i in range(table.rows)
    ]
    assert [tuple(map(visible, r)) for r in read] == [tuple(map(visible, r)) for r in expected.values()]


def test_workbook_leaves_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    check(book_of("arenden", [ROW]), NAME)
    assert list(tmp_path.iterdir()) == []


def test_locked_workbook_has_a_refusal_of_its_own() -> None:
    locked = io.BytesIO()
    OOXMLFile(io.BytesIO(book_of("arenden", [ROW]))).encrypt("hemligt", locked)
    report = check(locked.getvalue(), NAME)
    assert fired(report) == {"FIL-025"} and "lösenord" in messages(report)
