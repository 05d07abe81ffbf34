"""What the command line writes for people who work in Excel: feedback and templates."""

from __future__ import annotations

import sys
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from files import base_row, csv_bytes
from workbook_files import book_of

from followup.cli.main import app

NAME = "bromma_arenden_2018Q3.csv"


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_check_writes_a_workbook_for_each_file_and_says_where(tmp_path: Path, run: CliRunner) -> None:
    bad, book = tmp_path / NAME, tmp_path / NAME.replace("csv", "xlsx")
    bad.write_bytes(csv_bytes("arenden", [base_row("arenden", orsak="x")]))
    book.write_bytes(book_of("arenden", [base_row("arenden")]))
    out = tmp_path / "svar"
    result = run.invoke(app, ["check", "--format", "xlsx", "--out", str(out), str(bad), str(book)])
    assert result.exit_code == 1
    assert "TAS INTE IN" in result.output and "TAS IN:" in result.output
    names = [f"{NAME}.aterkoppling.xlsx", f"{book.name}.aterkoppling.xlsx"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert all(str(out / name) in result.output for name in names)
    assert openpyxl.load_workbook(out / names[0]).sheetnames == ["Sammanfattning", "Rader"]


def test_check_of_two_files_of_one_name_keeps_both_answers(tmp_path: Path, run: CliRunner) -> None:
    paths = [tmp_path / folder / NAME for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(csv_bytes("arenden", [base_row("arenden")]))
    run.invoke(app, ["check", "--format", "xlsx", "--out", str(tmp_path / "svar"), *map(str, paths)])
    assert len(list((tmp_path / "svar").iterdir())) == 2


def test_out_without_xlsx_is_wrong_usage(tmp_path: Path, run: CliRunner) -> None:
    path = tmp_path / NAME
    path.write_bytes(csv_bytes("arenden", [base_row("arenden")]))
    assert run.invoke(app, ["check", "--out", str(tmp_path), str(path)]).exit_code == 2
