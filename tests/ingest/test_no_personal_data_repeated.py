"""Whatever a file holds and wherever it stands, nothing that is reported of it repeats a person's number or name."""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from files import DISTRICT, KEYS, Installation, base_row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.checking import CheckReport, Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.feedback_workbook import as_workbook
from ingest.naming import read_name
from ingest.quarters import Quarter
from ingest.receiving import receive_district

QUARTER_OVER = date(2019, 1, 1)
NAMES = ("Zackarina Qvidingsson", "Örjan-Zäta Wrångquist", "qvidingsson", "WRÅNGQUIST, Ö.", "o'Qvidingsson")
NUMBERS = (
    "20050505-9824", "050505-9824", "200505059824", "0505059824", "050505+9824", "20050565-9820", "2005-05-05 9824",
    "2005.05.05-9824", "20 05 05 05 9824", "5/5 2005 9824", "5 maj 2005, 9824", "20050505%2D9824", "20050505\u00a09824",
    "född 5/5 2005, sista fyra 9824",
)  # fmt: skip
NEEDLES = re.compile(r"qviding|wr(å|a|Ã¥|�)ngq|9824|9820|zackarina", re.IGNORECASE)
"""What no answer may hold: a part of each name, the last four digits of each number."""
LOGGED = re.compile(r"qviding|wr(å|a|Ã¥|�)ngq|zackarina|(05|65|fyra)(%2D|[\W_]{0,2})98(24|20)", re.IGNORECASE)
"""What no log may hold: libraries log addresses and names of their own, in which four digits stand by chance."""
FORMS = st.sampled_from(["{}", "{} ", "x{}", "{}x", "{}|{}", '=HYPERLINK("{}")', "'{}", "{}\n{}", "\t{}", "se {} igen"])


@st.composite
def tainted(draw: st.DrawFn) -> str:
    """A name or a number, as it is or with something about it."""
    text = draw(st.sampled_from(NAMES + NUMBERS))
    return draw(FORMS).replace("{}", text)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """A dataset and its rows of text, header first, with tainted cells anywhere: in columns, headers, beside them."""
    dataset = draw(st.sampled_from(sorted(load_contracts())))
    contract = load_contracts(Quarter(2018, 3))[dataset]
    columns = [column.name for column in contract.columns]
    extra = draw(st.integers(0, 2))
    base = [base_row(dataset).get(name, "") for name in columns] + [""] * extra
    rows = [
        [
            *(contract.column(name).label_sv for name in columns),
            *(f"Egen {n}" for n in range(extra)),
        ]
    ]
    rows += [list(base) for _ in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(1, 6))):
        row = draw(st.integers(0, len(rows) - 1))
        rows[row][draw(st.integers(0, len(rows[row]) - 1))] = draw(tainted())
    if draw(st.booleans()):
        rows.append([draw(tainted()), *draw(st.lists(tainted(), max_size=3))])
    return dataset, rows


def as_csv(rows: list[list[str]], separator: str, encoding: str, quoted: bool) -> bytes:
    def cell(text: str) -> str:
        if quoted or any(c in text for c in (separator, '"', "\n")):
            return '"' + text.replace('"', '""') + '"'
        return text

    return "\r\n".join(separator.join(map(cell, row)) for row in rows).encode(encoding)


def as_xlsx(rows: list[list[str]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows):
            for column, text in enumerate(row):
                if text.isdigit():
                    sheet.write_number(place, column, int(text))
                else:
                    sheet.write_string(place, column, text)
    return buffer.getvalue()


def all_that_is_reported(report: CheckReport, file: str) -> str:
    """All that any answer about a file says: text, JSON, workbook."""
    parts = [*as_text(file, report), json.dumps(as_json(file, report), ensure_ascii=False), repr(report)]
    parts += [repr(finding) for finding in report.findings()]
    with zipfile.ZipFile(io.BytesIO(as_workbook(file, report))) as book:
        parts += [book.read(name).decode("utf-8", "replace") for name in book.namelist()]
    return "\n".join(parts)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    table=tables(),
    separator=st.sampled_from([";", ",", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    quoted=st.booleans(),
    cut=st.one_of(st.none(), st.integers(20, 400)),
)
def test_answers_about_a_csv_file_repeat_no_name_and_no_number(
    caplog: pytest.LogCaptureFixture,
    table: tuple[str, list[list[str]]],
    separator: str,
    encoding: str,
    quoted: bool,
    cut: int | None,
) -> None:
    dataset, rows = table
    raw = as_csv(rows, separator, encoding, quoted)[:cut]
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        file = f"{DISTRICT}_{dataset}_2018Q3.csv"
        report = check_file(raw, read_name(file), Circumstances(KEYS, QUARTER_OVER, 200))
        answer = all_that_is_reported(report, file)
    assert LOGGED.search(caplog.text) is None
    found = NEEDLES.search(answer)
    assert found is None, answer[max(found.start() - 200, 0) : found.end() + 50]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_answers_about_a_workbook_repeat_no_name_and_no_number(table: tuple[str, list[list[str]]]) -> None:
    dataset, rows = table
    file = f"{DISTRICT}_{dataset}_2018Q3.xlsx"
    report = check_file(as_xlsx(rows), read_name(file), Circumstances(KEYS, QUARTER_OVER, 200))
    answer = all_that_is_reported(report, file)
    found = NEEDLES.search(answer)
    assert found is None, answer[max(found.start() - 200, 0) : found.end() + 50]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables(), name=st.one_of(st.none(), tainted()))
def test_what_receiving_leaves_behind_repeats_no_number(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[str, list[list[str]]], name: str | None
) -> None:
    # names are searched in answers and the ledger's findings; a file's own name is shown as it was given
    from ingest.persons.keys import make_keys

    installation = Installation(tmp_path_factory.mktemp("taint"))
    make_keys(installation.settings.keys)
    dataset, rows = table
    rows = [["20050505-9824" if NEEDLES.search(cell) else cell for cell in row] for row in rows]
    file = f"{DISTRICT}_{dataset}_2018Q3.csv"
    if name is not None and any(number in name for number in NUMBERS):
        file = name.replace("/", ".").replace("\n", " ").replace("\t", " ") + ".csv"
    installation.drop(file, as_csv(rows, ";", "cp1252", quoted=False))
    receive_district(installation.settings, DISTRICT)
    stored = [p for p in installation.root.rglob("*") if p.is_file() and p.suffix != ".bin" and p.name != file]
    assert stored
    for path in stored:
        assert not re.search(rb"05[-+]?98(24|20)", path.read_bytes()), path
        assert not re.search(r"98(24|20)", path.name), path


def test_needles_are_found_when_they_are_there(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("qvidingsson")
    assert NEEDLES.search((tmp_path / "x").read_text()) and all(NEEDLES.search(t) for t in NAMES + NUMBERS)
    assert all(LOGGED.search(t) for t in NAMES + NUMBERS)
