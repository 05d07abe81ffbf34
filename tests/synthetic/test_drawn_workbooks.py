"""Drawn workbooks: as real as Excel's, the same bytes each time, and read by intake to what a CSV of them holds."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from readback import quarter

from ingest.checking import Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.naming import read_name
from ingest.persons.keys import Keys, load_keys, make_keys
from synthetic.count_columns import count_columns
from synthetic.simulation import Simulation
from synthetic.tables import DrawnTable
from synthetic.workbooks import workbook_bytes
from synthetic.writing import csv_bytes

WHEN = quarter("2018Q2")
UNITS = ("farsta", "skarpnack", "ostermalm")
DATASETS = ("grupper", "utbud", "ungdomsmottagning", "aktiviteter", "skyddsuppfoljning", "rutiner")


@pytest.fixture(scope="module")
def tables() -> dict[tuple[str, str], DrawnTable]:
    simulation = Simulation(WHEN, scale=1.0, seed=7)
    while simulation.run_quarter() != WHEN:
        pass
    return {
        (unit, dataset): DrawnTable(unit, dataset, WHEN, columns, rows)
        for unit in UNITS
        for dataset, (columns, rows) in count_columns(simulation, unit, WHEN).items()
    }


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    make_keys(path)
    return load_keys(path)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("unit", UNITS)
def test_intake_reads_a_workbook_as_it_reads_the_same_rows_as_csv(
    tables: dict[tuple[str, str], DrawnTable], keys: Keys, unit: str, dataset: str
) -> None:
    table = tables[unit, dataset]
    assert table.file_name.endswith(".xlsx")
    assert table.rows > 0
    circumstances = Circumstances(keys, WHEN.next().start, 200)
    plain = csv_bytes(unit, dataset, table.quarter, table.columns)
    name = table.file_name.replace(".xlsx", ".csv")
    book = check_file(table.content(), read_name(table.file_name, unit), circumstances)
    text = check_file(plain, read_name(name, unit), circumstances)
    assert book.rows == text.rows == table.rows
    assert [(c.rule, c.row_count) for c in book.counts()] == [(c.rule, c.row_count) for c in text.counts()]
    assert all(count.severity == "query" for count in book.counts())
    assert book.table is not None
    assert text.table is not None
    assert book.table.values.keys() == text.table.values.keys()
    for column, values in book.table.values.items():
        assert np.array_equal(values, text.table.values[column]), column
    assert book.table.code_sets == text.table.code_sets
    assert {c: list(t) for c, t in book.table.texts.items()} == {c: list(t) for c, t in text.table.texts.items()}


def test_dates_and_counts_are_real_cells_under_the_first_row(tables: dict[tuple[str, str], DrawnTable]) -> None:
    table = tables["farsta", "grupper"]
    book = openpyxl.load_workbook(io.BytesIO(table.content()))
    assert book.sheetnames == ["Blad1", "Läs mig"]
    head, *rows = book.worksheets[0].iter_rows(values_only=True)
    assert head[:2] == ("Grupp-ID", "Insats")
    types = {column.label_sv: column.type for column in load_contracts()["grupper"].columns}
    seen = set()
    for row in rows:
        for label, cell in zip(head, row, strict=True):
            if cell is not None:
                seen.add(types[str(label)])
                expected = {"date": datetime, "integer": int}.get(types[str(label)], str)
                assert isinstance(cell, expected), label
    assert {"date", "integer", "code", "identifier"} <= seen


def test_a_workbook_is_the_same_bytes_again(tables: dict[tuple[str, str], DrawnTable], tmp_path: Path) -> None:
    table = tables["skarpnack", "utbud"]
    assert table.content() == table.content()
    assert workbook_bytes(table.unit, table.dataset, table.quarter, table.columns, merged="malgrupp") != table.content()
