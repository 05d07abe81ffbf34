"""One workbook saved in every kind, and as the CSV that Excel saves, gives the same cells."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from workbook_files import Cell, Shown, labels, old_workbook, open_document, workbook

from ingest.contracts import Column, load_contracts
from ingest.quarters import Quarter
from ingest.reading.tables import RawTable, read_table

ROWS = 40
KINDS: dict[str, Callable[[dict[str, list[list[Cell]]]], bytes]] = {
    "xlsx": workbook,
    "xls": old_workbook,
    "ods": open_document,
}
FORMATS: list[tuple[str, Callable[[int], str]]] = [
    ("000000", lambda n: f"{n:06d}"),
    ("0000-0000", lambda n: f"{n:08d}"[:-4] + "-" + f"{n:08d}"[-4:]),
    ('"A"0000', lambda n: f"A{n:04d}"),
    ("0000/00", lambda n: f"{n:06d}"[:-2] + "/" + f"{n:06d}"[-2:]),
    ("000;-000;000", lambda n: f"{n:03d}"),
    ("0", str),
    ("Standard", str),
    ("Allmänt;@", str),
    ("General", str),
]


def random_cell(rng: random.Random, column: Column) -> Cell:
    """A cell as it may stand in a spreadsheet, in a column of a type."""
    if rng.random() < 0.1:
        return ""
    number = rng.choice((0, 7, 123, 43173, 20181001))
    if column.type == "date":
        day = date(2018, 1, 1) + timedelta(days=rng.randrange(365))
        return rng.choice(
            (day, day.isoformat(), f"{day.day}/{day.month}/{day.year}", datetime(day.year, day.month, day.day, 8, 30))
        )
    if column.type in ("identifier", "integer"):
        number_format, shown = rng.choice(FORMATS)
        return rng.choice((number, str(number), Shown(number, number_format, shown(number))))
    if column.type == "person_number":
        return rng.choice(("20100315-9801", 201003159801, Shown(505059824, "000000-0000", "050505-9824")))
    if column.type == "text":
        return rng.choice(("Råd; stöd", 'sade "ja"', "två\nrader", " Komet ", number))
    return rng.choice(("ja", "Kvinna", True, False, "0-5", number))


def as_saved(cell: Cell) -> str:
    """What a Swedish Excel writes of a cell to a CSV, its format being a date's as this project's templates have it."""
    if isinstance(cell, Shown):
        return cell.text
    if isinstance(cell, bool):
        return "SANT" if cell else "FALSKT"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M}"
    return str(cell)


def cells_of(table: RawTable) -> dict[str, list[str]]:
    return {
        name: [(cell or b"").decode(table.encoding) for cell in column.to_pylist()]
        for name, column in table.columns.items()
    }


@pytest.mark.parametrize("dataset", ["arenden", "utbud", "grupper"])
def test_every_kind_of_workbook_reads_like_the_csv_saved_from_it(dataset: str) -> None:
    contract, rng = load_contracts(Quarter(2018, 3))[dataset], random.Random(dataset)
    rows = [[random_cell(rng, column) for column in contract.columns] for _ in range(ROWS)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerows([labels(dataset), *([as_saved(cell) for cell in row] for row in rows)])
    saved = read_table(out.getvalue().encode("cp1252"), contract)
    for kind, make in KINDS.items():
        table = read_table(make({"Blad1": [labels(dataset), *rows]}), contract)
        assert cells_of(table) == cells_of(saved), kind
        assert table.row_numbers.tolist() == saved.row_numbers.tolist(), kind
        assert [(f.rule, f.row, f.column) for f in table.findings] == [
            (f.rule, f.row, f.column) for f in saved.findings
        ], kind
