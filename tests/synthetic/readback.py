"""Reads drawn files back the way a reader of the contract would: knows nothing of how they were drawn."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import openpyxl

from ingest.contracts import load_contracts
from ingest.folding import fold
from ingest.quarters import Quarter

_DATE_FORMS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
    re.compile(r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})"),
)

Value = str | int | date | None
Row = dict[str, Value]


@dataclass(frozen=True)
class Person:
    """A personnummer or samordningsnummer taken apart."""

    birth: date
    serial: int
    is_coordination: bool
    is_valid: bool


@dataclass(frozen=True)
class ReadFile:
    """A file as rows of canonical values."""

    district: str
    dataset: str
    quarter: Quarter
    headers: list[str]
    rows: list[Row]


City = dict[tuple[str, str, Quarter], ReadFile]


def quarter(text: str) -> Quarter:
    return Quarter.parse(text)


def decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def read_date(text: str) -> date | None:
    if not text:
        return None
    for form in _DATE_FORMS:
        if match := form.fullmatch(text):
            return date(int(match["y"]), int(match["m"]), int(match["d"]))
    raise ValueError(f"no date: {text}")


def read_person(text: str, quarter: Quarter) -> Person:
    """A ten-digit number is of the newest century that is not after the quarter."""
    digits = re.sub(r"[-+]", "", text)
    if len(digits) == 10:
        century = quarter.year // 100
        if int(digits[:2]) > quarter.year % 100:
            century -= 1
        digits = f"{century}{digits}"
    assert len(digits) == 12
    total = 0
    for position, digit in enumerate(map(int, digits[2:11])):
        product = digit * (2, 1)[position % 2]
        total += product if product < 10 else product - 9
    day = int(digits[6:8])
    birth = date(int(digits[:4]), int(digits[4:6]), day - 60 if day > 60 else day)
    return Person(birth, int(digits[8:11]), day > 60, (total + int(digits[11])) % 10 == 0)


def table(path: Path) -> list[list[str]]:
    """The file's cells as text, the header first: of a CSV, or of a workbook's first sheet."""
    if path.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        return [[_cell_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    text = decode(path.read_bytes())
    separator = max(";,\t", key=text.split("\n", 1)[0].count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def _cell_text(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    assert cell is None or isinstance(cell, str | int), cell
    return "" if cell is None else str(cell)


def read_file(path: Path) -> ReadFile:
    """Read one file.

    Raises:
        ValueError or KeyError: a name, header, code or date is none that the contract knows.
    """
    district, dataset, quarter_text = path.stem.split("_")
    quarter = Quarter.parse(quarter_text)
    contract = load_contracts(quarter)[dataset]
    cells_of = table(path)
    lookup = contract.header_lookup()
    headers = [lookup.get(fold(cell), f"? {cell}") for cell in cells_of[0]]
    lists = {c.name: contract.code_list(c.name, district) for c in contract.columns if c.codes or c.codes_from}
    types = {c.name: c.type for c in contract.columns}

    def value(name: str, cell: str) -> Value:
        if not cell:
            return None
        if name in lists:
            known = lists[name]
            parts = cell.split("|") if types[name] == "code_list" else [cell]
            return "|".join(known.codes[known.lookup[fold(part)]] for part in parts)
        if types.get(name) == "date":
            return read_date(cell)
        return int(cell) if types.get(name) == "integer" else cell

    rows: list[Row] = []
    for cells in cells_of[1:]:
        assert len(cells) == len(headers), f"{path.name}: a row of {len(cells)} fields"
        rows.append({name: value(name, cell) for name, cell in zip(headers, cells, strict=True)})
    return ReadFile(district, dataset, quarter, headers, rows)


def read_city(folder: Path) -> City:
    """All files of a drawn city by district, dataset and quarter."""
    found = {}
    for path in sorted(folder.glob("[!_]*/*.[cx]*")):
        file = read_file(path)
        found[file.district, file.dataset, file.quarter] = file
    return found
