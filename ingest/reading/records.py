"""Rewriting the records of an irregular CSV file one by one, so that each has a field for every column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.characters import visible
from ingest.checks.suites import always_filled
from ingest.contracts import Contract
from ingest.findings import Finding, Unreadable, file_finding
from ingest.reading.odd_rows import fits_column, odd_row, other_separator
from ingest.reading.totals import is_totals_record

CELL_LIMIT = 1_000_000
"""Characters of a cell."""


@dataclass(frozen=True)
class RegularRecords:
    """The records after the header, as UTF-8 CSV in which each has as many fields as there are columns.

    Attributes:
        body: without header.
        numbers: int32, each record's row as Excel numbers it.
        findings: what is wrong with those that are left out, and how many end early.
    """

    body: bytes
    numbers: npt.NDArray[np.int32]
    findings: tuple[Finding, ...]


def records_of(text: str, separator: str) -> Iterator[list[str]]:
    """The records of a CSV text.

    Raises:
        csv.Error: a broken quote, or a cell longer than may be.
    """
    csv.field_size_limit(CELL_LIMIT)
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def regularised(
    text: str, separator: str, keys: Sequence[str], contract: Contract, header_record: int
) -> RegularRecords:
    """Rewrite the records after the header so that each has a field for every column; number them as Excel does.

    A record that ends early is filled up with empty fields where none of those that lack must be filled in every row.

    Args:
        text: the whole file.
        separator: between fields.
        keys: contract column of each field, or `?n` for the n-th when it is none.
        contract: the dataset's.
        header_record: the header's number.

    Raises:
        Unreadable: a broken quote (FIL-009), a cell longer than may be (FIL-023).
    """
    width = len(keys)
    required = always_filled(contract)
    out, numbers, findings, ended_early = io.StringIO(newline=""), [], [], []
    writer = csv.writer(out, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    number = 0
    try:
        for number, cells in enumerate(records_of(text, separator), start=1):
            if number <= header_record or not any(cell.strip() for cell in cells):
                continue
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            if len(cells) < width:
                if not any(map(visible, cells)):  # such as the mark that old DOS programs end a file with
                    continue
                if is_totals_record(cells, keys, contract):
                    findings.append(file_finding("FIL-014", row=number))
                    continue
                if (odd := odd_row(cells, keys, number, contract)) is not None:
                    findings.append(odd)
                    continue
                lacking = next((key for key in keys[len(cells) :] if key in required), None)
                if lacking is None and not _is_displaced(cells, keys, contract):
                    ended_early.append(number)
                    cells += [""] * (width - len(cells))
            if len(cells) != width:
                findings.append(_wrong_width(cells, number, keys, contract))
                continue
            if any(_swallowed_rows(cell, separator, width) for cell in cells):
                findings.append(file_finding("FIL-009", row=number, line=number))
                continue
            writer.writerow(cells)
            numbers.append(number)
    except csv.Error as error:
        if "field limit" in str(error):
            raise Unreadable(file_finding("FIL-023", row=number + 1, limit=CELL_LIMIT)) from None
        raise Unreadable(file_finding("FIL-009", row=number + 1, line=number + 1)) from None
    if ended_early:
        several = f"{len(ended_early)} rader slutar före sista kolumnen, den första är rad {ended_early[0]}"
        one = f"Rad {ended_early[0]} slutar före sista kolumnen"
        findings.append(file_finding("FIL-070", rows=one if len(ended_early) == 1 else several))
    return RegularRecords(out.getvalue().encode(), np.array(numbers, np.int32), tuple(findings))


def _wrong_width(cells: list[str], number: int, keys: Sequence[str], contract: Contract) -> Finding:
    """The fault of a record with too many fields, or with too few where one that lacks must be filled."""
    required = always_filled(contract)
    lacking = next((key for key in keys[len(cells) :] if key in required), None)
    where = ""
    if lacking is not None:
        where = f": raden slutar före {contract.column(lacking).label_sv}, som ska vara ifylld"
    elif len(cells) < len(keys):
        where = ": cellerna i den står i fel kolumner, ett fält saknas"
    if len(cells) == 1 and other_separator(cells[0], len(required)):
        where = ": den har ett annat skiljetecken än rubrikraden"
    return file_finding("FIL-013", row=number, found=len(cells), expected=len(keys), where=where)


def _is_displaced(cells: Sequence[str], keys: Sequence[str], contract: Contract) -> bool:
    """Whether a short record lacks a field in the middle: two cells or more don't fit the columns they are in."""
    wrong = 0
    for cell, key in zip(cells, keys, strict=False):
        if not cell.strip() or key.startswith("?") or contract.column(key).type == "integer":
            continue
        if (fits := fits_column(contract, key)) is not None:
            wrong += not fits(cell)
    return wrong > 1


def _swallowed_rows(cell: str, separator: str, width: int) -> bool:
    """Whether a quoted cell holds a whole record: a stray quote has taken the rows after it into one cell."""
    return ("\n" in cell or "\r" in cell) and any(
        line.count(separator) >= width - 1 for line in cell.splitlines() if width > 1
    )
