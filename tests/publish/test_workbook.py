"""The workbook of a release: what a reader opens is what the release says, each cell as what it is."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from publish.serving import ServingError, read_release, serve
from publish.serving.release_file import ReleaseFile
from publish.serving.workbook import COLUMNS, GROUPED, README, file_name, views_in, write_workbook
from publish.views.declared import TOO_FEW, View, load_views
from tests.publish.views_drawn import HOSTILE, draw, value


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ReleaseFile:
    return draw(tmp_path_factory.mktemp("release") / "release.duckdb", load_views())


@pytest.fixture(scope="module")
def workbook(release: ReleaseFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_workbook(release, tmp_path_factory.mktemp("book"))
    assert path is not None and path.name == "uppfoljning_7.xlsx"
    return path


def expected(view: View, rows: int = len(HOSTILE)) -> list[list[Any]]:
    """What a program reads from a view's sheet."""

    def shown(kind: str, row: int) -> Any:
        found = value(kind, row)
        return "" if found is None else {True: "ja", False: "nej"}[found] if kind == "flag" else found

    return [[shown(one.kind, row) for one in view.columns] for row in range(rows)]


def sheet_of(view: View) -> int:
    """Which sheet a view is on: after the one that explains."""
    return 1 + load_views().index(view)


def test_every_view_has_a_sheet_under_swedish_headings_with_the_releases_values(workbook: Path) -> None:
    book = CalamineWorkbook.from_path(str(workbook))
    assert book.sheet_names[0] == README and book.sheet_names[-1] == COLUMNS
    assert len(book.sheet_names) == len(load_views()) + 2 == len({name.casefold() for name in book.sheet_names})
    assert [name for name in book.sheet_names if len(name) > 31] == []
    for view in load_views():
        (notice, *_), blank, header, *rows = book.get_sheet_by_index(sheet_of(view)).to_python(skip_empty_area=False)
        assert notice == "SYNTETISKA UPPGIFTER." and not any(blank)
        assert header == [column.label for column in view.columns]
        assert rows == expected(view)


def test_no_text_is_a_formula_and_none_has_an_apostrophe_that_it_had_not(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    for view in load_views():
        sheet = book.worksheets[sheet_of(view)]
        for at, column in enumerate(view.columns, 1):
            if column.kind in ("text", "code", "period"):
                cells = [sheet.cell(row + 4, at) for row in range(len(HOSTILE))]
                assert [cell.value for cell in cells] == HOSTILE
                assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
                assert {cell.hyperlink for cell in cells} == {None}
                # what would become a formula when someone edits the cell is marked as text
                assert [cell.value for cell in cells if cell.quotePrefix] == [
                    text for text in HOSTILE if text[0] in "=+-@\t"
                ]


def test_figures_are_numbers_in_the_format_of_their_kind(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    formats = {
        "count": GROUPED,
        "rate": "0.0\\ %",
        "per_1000": "0.0",
        "number": "0.0",
        "days": "0",
        "rank": "0",
        "whole": "0",
    }
    seen = set()
    for view in load_views():
        sheet = book.worksheets[sheet_of(view)]
        assert sheet.freeze_panes == "B4"
        assert sheet.auto_filter.ref == f"A3:{openpyxl.utils.get_column_letter(len(view.columns))}{len(HOSTILE) + 3}"
        assert sheet.print_title_rows == "$3:$3"
        for at, column in enumerate(view.columns, 1):
            if column.kind in formats:
                cell = sheet.cell(4, at)
                assert (cell.data_type, cell.number_format) == ("n", formats[column.kind])
                seen.add(column.kind)
    assert {"count", "rate", "days"} <= seen


def test_the_first_sheet_says_what_the_figures_are_and_leads_to_every_sheet(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    sheet = book.worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    texts = [str(cell.value) for cell in cells]
    (notice,) = [cell for cell in cells if cell.value == "SYNTETISKA UPPGIFTER."]
    assert notice.font.size >= 16 and notice.font.bold
    assert "1–4 visas aldrig, och en nolla kan vara upp till 7." in texts
    assert any("tom, grå cell" in text for text in texts)
    links = [cell.hyperlink.location for cell in cells if cell.hyperlink]
    assert [link.removesuffix("'!A1").removeprefix("'") for link in links] == book.sheetnames[1:]
    for view in load_views():
        assert view.question in texts
        assert any(view.traps.splitlines()[0].removeprefix("- ").partition("`")[0][:40] in text for text in texts)
    assert [text for text in texts if re.search(r"[a-z]_[a-z]", text)] == []  # names as on the sheets
    assert any("då är ”Väntar på tid” ja" in text for text in texts)
    explained = {(row[0].value, row[1].value): row[2].value for row in book.worksheets[-1].iter_rows(min_row=2)}
    view = load_views()[0]
    assert explained[book.sheetnames[1], view.columns[0].label] == view.columns[0].explanation


def test_only_what_too_few_hides_is_grey(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    seen = set()
    for view in load_views():
        sheet, names = book.worksheets[sheet_of(view)], [column.name for column in view.columns]
        few = names.index(TOO_FEW) if TOO_FEW in names else None
        for row in sheet.iter_rows(min_row=4):
            is_few = few is not None and row[few].value == "ja"
            seen |= {(is_few, cell.fill.fill_type is not None) for cell in row if cell.value is None}
    assert seen == {(True, True), (False, False)}


def test_a_view_longer_than_a_sheet_goes_on_in_the_next(release: ReleaseFile, tmp_path: Path) -> None:
    view = load_views()[0]
    one = draw(tmp_path / "one.duckdb", (view,), 10)
    path = write_workbook(one, tmp_path, rows_in_sheet=4)
    assert path is not None
    book = CalamineWorkbook.from_path(str(path))
    assert len(book.sheet_names) == 2 + 3
    parts = [book.get_sheet_by_index(at).to_python() for at in (1, 2, 3)]
    assert [len(part) for part in parts] == [7, 7, 5]
    assert [row for part in parts for row in part[3:]] == expected(view, 10)
    listed = {row[0] for row in book.get_sheet_by_index(0).to_python()}
    assert set(book.sheet_names[1:4]) <= listed


def test_the_same_release_gives_the_same_bytes_whatever_the_machine(
    workbook: Path, release: ReleaseFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    before = os.umask(0o077)
    try:
        again = write_workbook(release, tmp_path)
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert again is not None and again.read_bytes() == workbook.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [again.name]  # nothing half-written is left beside it


def test_a_text_that_no_cell_holds_is_refused_not_left_out(tmp_path: Path) -> None:
    view = load_views()[0]
    with duckdb.connect(str(tmp_path / "r.duckdb")) as connection:
        columns = ", ".join(f'"{one.name}" varchar' for one in view.columns)
        connection.execute(f"create schema published; create table published.{view.name} ({columns})")
        connection.execute(f"insert into published.{view.name} ({view.columns[0].name}) values (repeat('x', 40000))")
    with pytest.raises(ServingError, match="too long"):
        write_workbook(read_release(tmp_path / "r.duckdb"), tmp_path)


def test_a_release_without_views_has_no_workbook(tmp_path: Path) -> None:
    assert write_workbook(draw(tmp_path / "r.duckdb", ()), tmp_path) is None


def test_a_table_that_only_has_a_views_name_is_none(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "r.duckdb")) as connection:
        connection.execute("create schema published")
        connection.execute(f"create table published.{load_views()[0].name} as select 1 as figure")
    release = read_release(tmp_path / "r.duckdb")
    assert views_in(release) == () and write_workbook(release, tmp_path) is None


def test_the_workbook_is_among_a_releases_files(tmp_path: Path, files_only: Any) -> None:
    release = draw(tmp_path / "r.duckdb", load_views()[:1])
    served = serve(release.path, files_only)
    assert served.workbook == served.folder / file_name(release)
    assert served.site is None


def test_libreoffice_opens_it_and_shows_every_value(workbook: Path, tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("needs LibreOffice (apt-get install libreoffice-calc): 300 MB, so `make test` does not install it")
    every_sheet = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    subprocess.run(  # in a profile of its own: another LibreOffice may be running
        [office, f"-env:UserInstallation=file://{tmp_path / 'profile'}", "--headless", "--convert-to", every_sheet,
         "--outdir", str(tmp_path / "csv"), str(workbook)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    names = openpyxl.load_workbook(workbook, read_only=True).sheetnames
    assert len(list((tmp_path / "csv").iterdir())) == len(names)
    for view in load_views():
        written = tmp_path / "csv" / f"{workbook.stem}-{names[sheet_of(view)]}.csv"
        _notice, _blank, header, *rows = csv.reader(written.read_text(encoding="utf-8").splitlines(keepends=True))
        assert header == [column.label for column in view.columns]
        for given, row in zip(expected(view), rows, strict=True):
            for cell, shown in zip(given, row, strict=True):
                if isinstance(cell, int | float):
                    assert float(shown.rstrip("%")) == cell * (100 if shown.endswith("%") else 1)
                else:
                    assert shown == str(cell)
