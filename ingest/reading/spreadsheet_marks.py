"""Finding what spreadsheet programs do to cells, in workbooks and in CSV files saved from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contracts import Column, Contract
from ingest.findings import Finding, count_with_noun, file_finding, where_first
from ingest.reading import turned_into_dates
from ingest.reading.byte_columns import ByteColumn, Mask, holds_byte, lengths, matching
from ingest.reading.harmful_characters import first_harmful, rows_with_harmful
from ingest.reading.times_of_day import without_times

LISTED = 1_000
"""Rows named per column; all are counted."""
_ERRORS_EN = (
    "N/A REF! VALUE! NAME? DIV/0! NULL! NUM! SPILL! CALC! GETTING_DATA FIELD! BLOCKED! UNKNOWN! CONNECT! BUSY! PYTHON!"
)
_ERRORS_SV = "SAKNAS! REFERENS! VÄRDEFEL! NAMN? DIVISION/0! SKÄRNING! OGILTIGT! EXPANSION! BERÄKNA! FÄLT! ANSLUT!"
_ERRORS = frozenset("#" + name for names in (_ERRORS_EN, _ERRORS_SV) for name in names.split())
"""As Excel writes them in English and Swedish."""
_SCIENTIFIC = re.compile(rb"\s*\d([.,]\d+)?E\+\d+\s*", re.IGNORECASE)
_CHANGED = re.compile(rb"\s*(\d{7}|\d{9}|[03-9]\d{7}|1[0-8]\d{6}|2[1-9]\d{6}|\d([.,]\d+)?E\+\d+)\s*", re.IGNORECASE)
"""Seven to nine digits that are no date, or scientific notation."""
_DECIMALS = re.compile(rb"\s*(\d+)[.,]0+\s*")
_WHOLE_NUMBER = re.compile(rb"\s*(\d{10}|(?:18|19|20)\d{10})[.,]0\s*")
"""A person's number of which a program made a number with decimals: all its digits are there."""
_EXACT_DIGITS = 15
_ROUNDED = re.compile(rb"\s*[1-9]\d{14}0+\s*")
_NOUGHTS = frozenset({b"00:00:00", b"00:00", b"0:00", b"1900-01-00", b"1899-12-30", b"0"})
"""Zero as a date: an empty cell that a formula refers to."""
_CODED = ("code", "code_list", "integer")
_OF_CELLS = frozenset({"FIL-058"})
"""Rules whose message counts cells, not numbers."""


@dataclass
class Marks:
    """What was found.

    Attributes:
        columns: contract column → cells, days without times of day, numbers of persons without decimals.
        findings: about cells and columns.
        explained: column → rows (as Excel numbers them) whose cell has a finding that names the cause: what rules say
            of these cells follows from it.
    """

    columns: dict[str, pa.ChunkedArray]
    findings: list[Finding] = field(default_factory=list)
    explained: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)

    def explain(self, column: Column, rows: npt.NDArray[np.int32]) -> None:
        """Record that a finding explains these rows' cells of a column."""
        earlier = self.explained.get(column.name, np.empty(0, np.int32))
        self.explained[column.name] = np.union1d(earlier, rows).astype(np.int32)

    def name_rows(self, rule: str, column: Column, rows: npt.NDArray[np.int32], what: Iterable[str] = ()) -> None:
        """A finding for each of the first rows and one for the rest; `what` fills the message of each."""
        said = iter(what)
        for row in rows[:LISTED].tolist():
            found = file_finding(rule, row=row, column=column.name, header=column.label_sv, what=next(said, ""))
            self.findings.append(found)
        if len(rows) > LISTED:
            header = f"{column.label_sv} (och {count_with_noun(len(rows) - LISTED, 'rad', 'rader')} till)"
            self.findings.append(file_finding(rule, column=column.name, header=header, what=""))
        self.explain(column, rows)

    def name_column(self, rule: str, column: Column, rows: npt.NDArray[np.int32], what: str = "") -> None:
        """One finding for all rows: how many, and the first."""
        count, first = len(rows), int(rows[0])
        facts: dict[str, Any] = {
            "count": count,
            "cells": count_with_noun(count, "cell", "celler"),
            "every": "ett nummer" if count == 1 else f"alla {count} nummer",
            "them": "det" if count == 1 else "dem",
            "where": where_first(count, first, "den första" if rule in _OF_CELLS else "det första"),
        }
        found = file_finding(rule, column=column.name, header=column.label_sv, what=what, **facts)
        self.findings.append(found)
        if found.severity == "error":
            self.explain(column, rows)


def spreadsheet_marks(
    columns: dict[str, pa.ChunkedArray],
    contract: Contract,
    encoding: str,
    numbers: npt.NDArray[np.int32],
    *,
    has_marks: bool,
    days: Mapping[str, Sequence[tuple[int, str]]],
) -> Marks:
    """Look at every cell for what spreadsheet programs do to values: errors, lost digits, days made of codes, times.

    Args:
        columns: contract column → cells as bytes.
        contract: the dataset's.
        encoding: of the cells.
        numbers: each row as Excel numbers it.
        has_marks: False when it is known that no cell holds `#`, `E+` or `e+`.
        days: contract column → rows whose cell is a date in a workbook although none is due, and the days.
    """
    marks = Marks(dict(columns))
    for name, given in columns.items():
        column, cells = contract.column(name), ByteColumn(given)
        if name in days:
            _look_at_days(marks, column, days[name], numbers)
        if has_marks:
            rows = numbers[cells.rows_holding(_with_hash, lambda cell: _is_error(cell, encoding))]
            if len(rows):
                marks.name_rows("FIL-028", column, rows)
        harmful = rows_with_harmful(column, cells, encoding)
        if harmful.any():
            places = np.flatnonzero(harmful)
            what = (first_harmful(column, cells[at].decode(encoding)) for at in places[:LISTED].tolist())
            marks.name_rows("FIL-061", column, numbers[harmful], what)
        if column.type == "date":
            _look_at_dates(marks, column, cells, numbers)
        elif column.type == "person_number":
            _look_at_persons(marks, column, cells, numbers, has_marks=has_marks)
        elif column.type == "identifier":
            _look_at_identifiers(marks, column, cells, numbers, has_marks=has_marks)
        elif column.type in _CODED:
            _look_at_codes(marks, column, cells, numbers)
    return marks


def _look_at_days(
    marks: Marks, column: Column, days: Sequence[tuple[int, str]], numbers: npt.NDArray[np.int32]
) -> None:
    """Date cells of a workbook in a column of other values."""
    remaining = set(numbers.tolist())  # without rows that were removed as totals
    there = [(row, day) for row, day in days if row in remaining]
    if there:
        rows = np.array([row for row, _ in there], np.int32)
        marks.name_rows("FIL-035", column, rows, (turned_into_dates.in_words(column, day) for _, day in there[:LISTED]))


def _with_hash(spellings: pa.Array) -> Mask:
    return matching(spellings, "#")


def _is_error(cell: bytes, encoding: str) -> bool:
    return cell[:64].decode(encoding, "ignore").strip().upper() in _ERRORS


def _look_at_dates(marks: Marks, column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32]) -> None:
    """Zeros that a format shows as a day, and days with a time of day."""
    noughts = numbers[cells.rows_holding(_of_length(range(1, 11)), lambda cell: cell.strip() in _NOUGHTS)]
    if len(noughts):
        marks.name_column("FIL-058", column, noughts)
    days, found = without_times(column, cells, numbers)
    marks.columns[column.name] = days.column
    marks.findings += found


def _of_length(wanted: range) -> Callable[[pa.Array], Mask]:
    def candidates(spellings: pa.Array) -> Mask:
        length = lengths(spellings)
        found: Mask = (length >= wanted.start) & (length < wanted.stop)
        return found

    return candidates


def _long(spellings: pa.Array) -> Mask:
    found: Mask = lengths(spellings) > _EXACT_DIGITS
    return found


def _with_exponent(spellings: pa.Array) -> Mask:
    return matching(spellings, r"^\s*\d([.,]\d+)?[Ee]\+")


def _with_decimals(spellings: pa.Array) -> Mask:
    if not (holds_byte(spellings, ord(".")) or holds_byte(spellings, ord(","))):
        return np.zeros(len(spellings), bool)
    return matching(spellings, r"\d[.,]0+\s*$")


def _without_decimals(cell: bytes) -> bytes:
    found = _WHOLE_NUMBER.fullmatch(cell)
    return found[1] if found else cell


def _look_at_persons(
    marks: Marks, column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32], *, has_marks: bool
) -> None:
    """Numbers of fewer digits than any has, or in scientific notation; decimals behind a whole one are taken away."""
    cells = cells.respelled(_with_decimals, _without_decimals)
    marks.columns[column.name] = cells.column

    def maybe(spellings: pa.Array) -> Mask:
        length = lengths(spellings)
        found: Mask = (length >= 7) & (length <= 9)
        return found | _with_exponent(spellings) if has_marks else found

    rows = numbers[cells.rows_holding(maybe, lambda cell: _CHANGED.fullmatch(cell) is not None)]
    if len(rows):
        marks.name_column("FIL-038", column, rows)
    _name_decimals(marks, column, cells, numbers)


def _name_decimals(marks: Marks, column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32]) -> None:
    rows = numbers[cells.rows_holding(_with_decimals, lambda cell: _DECIMALS.fullmatch(cell) is not None)]
    if len(rows):
        marks.name_column("FIL-059", column, rows)


def _look_at_identifiers(
    marks: Marks, column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32], *, has_marks: bool
) -> None:
    """Identifiers that were numbers for a while (rounded, with decimals), or that became days."""
    if has_marks:
        rows = numbers[cells.rows_holding(_with_exponent, lambda cell: _SCIENTIFIC.fullmatch(cell) is not None)]
        if len(rows):
            marks.name_column("FIL-038", column, rows)
    _name_decimals(marks, column, cells, numbers)
    long = cells.rows_holding(_long, lambda cell: cell.strip().isdigit())
    if long.any():
        rounded = cells.rows_holding(_long, lambda cell: _ROUNDED.fullmatch(cell) is not None)
        if np.array_equal(long, rounded):  # by chance a single one of sixteen digits ends so once in ten
            marks.name_column("FIL-060", column, numbers[rounded])
    days = cells.rows_holding(turned_into_dates.maybe, _is_day)
    months = cells.rows_holding(turned_into_dates.maybe, lambda cell: _was_value(cell) and not _is_day(cell))
    others = pc.invert(pc.is_null(cells.column)).to_numpy(zero_copy_only=False) & ~days & ~months
    asked = months | days if others.any() else months
    asked &= ~np.isin(numbers, marks.explained.get(column.name, []))
    if asked.any():
        first = int(np.flatnonzero(asked)[0])
        what = turned_into_dates.in_words(column, cells[first].decode("ascii").strip())
        marks.name_column("FIL-055", column, numbers[asked], what=what)


def _was_value(cell: bytes) -> bool:
    return cell.isascii() and bool(turned_into_dates.guesses(cell.decode("ascii").strip()))


def _is_day(cell: bytes) -> bool:
    return _was_value(cell) and turned_into_dates.is_a_day(cell.decode("ascii").strip())


def _look_at_codes(marks: Marks, column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32]) -> None:
    """Codes and counts that became days: no code of ours reads so."""
    found = cells.rows_holding(turned_into_dates.maybe, _was_value)
    found &= ~np.isin(numbers, marks.explained.get(column.name, []))
    if found.any():
        places = np.flatnonzero(found)
        values = (cells[at].decode("ascii").strip() for at in places[:LISTED].tolist())
        what = (turned_into_dates.in_words(column, value) for value in values)
        marks.name_rows("FIL-035", column, numbers[found], what)
