"""Templates: filled in they pass intake, and their drop-downs offer what intake takes."""

from __future__ import annotations

import io
import sys
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from files import base_row, check, fired
from workbook_files import typed

from followup.cli.main import app
from followup.templates import as_csv, as_template, file_name
from ingest.contracts import LocalName, load_contracts
from ingest.districts import District, load_districts
from ingest.folding import fold
from ingest.quarters import Quarter

QUARTER = Quarter(2018, 3)
DATASETS = list(load_contracts())


def bromma() -> District:
    found = load_districts().get("bromma")
    assert found is not None
    return found


def opened(dataset: str, *, district: bool = True) -> openpyxl.Workbook:
    contract = load_contracts(Quarter(2018, 3))[dataset]
    return openpyxl.load_workbook(io.BytesIO(as_template(contract, bromma() if district else None, QUARTER)))


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def offered(book: openpyxl.Workbook, column: str) -> list[str]:
    """What the drop-down of a column offers, by the name that its check refers to."""
    sheet, cells = book.defined_names[f"lista_{column}"].attr_text.split("!")
    return [row[0].value for row in book[sheet][cells.replace("$", "")]]


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_template_filled_with_a_right_row_passes_intake(dataset: str, ending: str) -> None:
    contract, name = load_contracts(Quarter(2018, 3))[dataset], f"bromma_{dataset}_2018Q3.{ending}"
    row = base_row(dataset)
    if ending == "csv":
        cells = ";".join(row.get(column.name, "") for column in contract.columns)
        report = check(as_csv(contract) + f"{cells}\r\n".encode(), name)
    else:
        book = opened(dataset)
        for place, cell in enumerate(typed(dataset, row), start=1):
            book[dataset].cell(2, place).value = None if cell == "" else cell
        report = check(saved(book), name)
    assert report.accepted and report.rows == 1 and not {code for code in fired(report) if code.startswith("FIL")}


@pytest.mark.parametrize("dataset", DATASETS)
def test_empty_template_is_a_file_with_nothing_to_report(dataset: str) -> None:
    contract = load_contracts(Quarter(2018, 3))[dataset]
    for raw, ending in ((as_csv(contract), "csv"), (as_template(contract, bromma(), QUARTER), "xlsx")):
        report = check(raw, f"bromma_{dataset}_2018Q3.{ending}")
        assert report.accepted and report.rows == 0 and fired(report) == set()


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_code_column_has_a_drop_down_whose_values_intake_knows(dataset: str) -> None:
    contract, book = load_contracts(Quarter(2018, 3))[dataset], opened(dataset)
    checks = {str(rule.sqref).split(":")[0]: rule for rule in book[dataset].data_validations.dataValidation}
    for place, column in enumerate(contract.columns, start=1):
        rule = checks[f"{openpyxl.utils.get_column_letter(place)}2"]
        if column.type not in ("code", "code_list"):
            assert rule.type != "list"
            continue
        assert rule.type == "list" and rule.formula1 == f"lista_{column.name}"
        codes = contract.code_list(column.name, "bromma")
        values = offered(book, column.name)
        assert {codes.codes[codes.lookup[fold(value)]] for value in values} == set(codes.codes)


def test_template_offers_the_districts_areas_and_own_names() -> None:
    contract = load_contracts()["arenden"]
    names = (LocalName("bromma", "Bromma samtal", "rad_och_stod"), LocalName("farsta", "Farsta samtal", "rad_och_stod"))
    book = openpyxl.load_workbook(io.BytesIO(as_template(contract, bromma(), QUARTER, names)))
    assert offered(book, "omrade") == [area.name for area in load_districts().areas("bromma")]
    assert "Bromma samtal" in offered(book, "insats") and "Farsta samtal" not in offered(book, "insats")
    assert "lista_omrade" not in opened("arenden", district=False).defined_names


def test_headers_are_explained_and_cells_keep_what_is_typed() -> None:
    contract, book = load_contracts()["arenden"], opened("arenden")
    sheet: Worksheet = book["arenden"]
    assert book.sheetnames[0] == "arenden" and book["Listor"].sheet_state == "hidden"
    forms = {
        place: span.number_format
        for span in sheet.column_dimensions.values()
        for place in range(span.min, span.max + 1)
    }
    for place, column in enumerate(contract.columns, start=1):
        comment = sheet.cell(1, place).comment.text
        assert sheet.cell(1, place).value == column.label_sv and comment.startswith(column.label_sv)
        assert forms[place] == {"date": "yyyy-mm-dd", "integer": "0"}.get(column.type, "@"), column.name
    by_label = {cell.value: cell.comment.text for cell in sheet[1]}
    assert "Ska fyllas i på varje rad" in by_label["Inkom datum"]
    assert "Frivillig" in by_label["Område"] and "Alvik" in by_label["Område"]


def test_instructions_name_the_file_and_every_column() -> None:
    book = opened("oppenvard")
    text = "\n".join(str(cell) for row in book["Anvisning"].iter_rows(values_only=True) for cell in row if cell)
    assert "bromma_oppenvard_2018Q3.xlsx" in text
    assert all(column.label_sv in text for column in load_contracts(Quarter(2018, 3))["oppenvard"].columns)


@pytest.mark.parametrize(
    ("district", "quarter", "expected"),
    [
        (True, QUARTER, "bromma_arenden_2018Q3.xlsx"),
        (True, None, "mall_bromma_arenden.xlsx"),
        (False, None, "mall_arenden.xlsx"),
    ],
)
def test_file_name_is_the_one_to_submit_under_when_all_is_known(
    district: bool, quarter: Quarter | None, expected: str
) -> None:
    assert file_name(load_contracts()["arenden"], bromma() if district else None, quarter, "xlsx") == expected


def test_command_writes_where_asked_and_never_overwrites(tmp_path: Path) -> None:
    run = CliRunner()
    given = ["template", "arenden", "--district", "bromma", "--quarter", "2018Q3", "--out", str(tmp_path)]
    assert run.invoke(app, given).exit_code == 0
    path = tmp_path / "bromma_arenden_2018Q3.xlsx"
    before = path.read_bytes()
    assert before == as_template(load_contracts()["arenden"], bromma(), QUARTER)
    assert run.invoke(app, given).exit_code == 3 and path.read_bytes() == before
    text = run.invoke(app, ["template", "utbud", "--format", "csv", "--out", str(tmp_path / "x.csv")])
    assert text.exit_code == 0 and (tmp_path / "x.csv").read_bytes().startswith(b"\xef\xbb\xbfInsats;")


@pytest.mark.parametrize(
    "given",
    [["inget"], ["arenden", "--district", "atlantis"], ["arenden", "--district", "jarva", "--quarter", "2018Q3"]],
)
def test_unknown_dataset_district_or_quarter_is_wrong_usage(given: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["template", *given, "--out", str(tmp_path)]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_dates_typed_into_the_template_are_dates() -> None:
    book = opened("arenden")
    place = [column.name for column in load_contracts()["arenden"].columns].index("inkom_datum") + 1
    for at, cell in enumerate(typed("arenden", base_row("arenden")), start=1):
        book["arenden"].cell(2, at).value = None if cell == "" else cell
    book["arenden"].cell(2, place).value = date(2018, 7, 2)
    assert check(saved(book), "bromma_arenden_2018Q3.xlsx").accepted
