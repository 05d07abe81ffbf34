"""Days with a time of day, in workbooks and in CSV files: the day is read, and a query asks about the time.

Midnight says nothing. An export in UTC writes Swedish midnight as 22:00 or 23:00 of the day before; a spreadsheet's
arithmetic, and old offsets of time zones, leave seconds before midnight. Which day is meant is not guessed: the day is
read as written, and the query names the cause. 23:59:59 is as often the end of a day as the beginning of the next.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.contracts import Column
from ingest.findings import Finding, count_with_noun, file_finding, where_first
from ingest.reading.byte_columns import ByteColumn, matching

_TIMED = re.compile(
    r"(?P<day>(?P<year>\d{4})-?(?P<month>\d{2})-?(?P<of_month>\d{2})|(?P<of_month_>\d{1,2})[./](?P<month_>\d{1,2})[./](?P<year_>\d{4}))"
    r"(?:T|[ ]+)(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"[ ]?(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_MIDNIGHT, _UTC, _LATE, _OTHER = "midnight", "FIL-056", "FIL-057", "FIL-036"
_LONGEST = 60


@dataclass(frozen=True)
class Timed:
    """A day with a time of day: the day as it is written, and the rule that asks about the time (none of midnight)."""

    day: str
    rule: str


def read_time(text: str) -> Timed | None:
    """What a cell of a date column says beside the day; None where it is no day with a time."""
    found = _TIMED.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        return None
    if (hour, minute, second) == (0, 0, 0):
        rule = _MIDNIGHT
    elif (hour, minute) == (23, 59):
        rule = _LATE
    elif (minute, second) == (0, 0) and _is_swedish_midnight(found, hour):
        rule = _UTC
    else:
        rule = _OTHER
    return Timed(found["day"], rule)


def _is_swedish_midnight(found: re.Match[str], hour: int) -> bool:
    """Whether a full hour in UTC is midnight in Sweden: 22 in summer, 23 in winter."""
    parts = (found[name] or found[f"{name}_"] for name in ("year", "month", "of_month"))
    try:
        day = dt.date(*map(int, parts))
    except ValueError:
        return False
    if (found["zone"] or "").startswith(("+", "-")):
        return False
    return hour == (22 if _last_sunday(day.year, 3) <= day < _last_sunday(day.year, 10) else 23)


def _last_sunday(year: int, month: int) -> dt.date:
    last = dt.date(year, month, 31)
    return last - dt.timedelta(days=(last.weekday() + 1) % 7)


def without_times(
    column: Column, cells: ByteColumn, numbers: npt.NDArray[np.int32]
) -> tuple[ByteColumn, list[Finding]]:
    """A date column's cells without times of day, and a query for each kind of time.

    Args:
        column: the contract's.
        cells: of the column.
        numbers: each row as Excel numbers it.
    """
    findings = []
    for rule in (_UTC, _LATE, _OTHER):
        rows = numbers[cells.rows_holding(_maybe, partial(_is_of_rule, rule))]
        if len(rows):
            facts: dict[str, Any] = {
                "cells": count_with_noun(len(rows), "cell", "celler"),
                "where": where_first(len(rows), int(rows[0]), "den första"),
            }
            findings.append(file_finding(rule, column=column.name, header=column.label_sv, **facts))
    return cells.respelled(_maybe, _day), findings


def _timed(cell: bytes) -> Timed | None:
    return read_time(cell.decode("ascii", "replace")) if len(cell) <= _LONGEST else None


def _is_of_rule(rule: str, cell: bytes) -> bool:
    timed = _timed(cell)
    return timed is not None and timed.rule == rule


def _day(cell: bytes) -> bytes:
    timed = _timed(cell)
    return timed.day.encode() if timed else cell


def _maybe(spellings: pa.Array) -> npt.NDArray[np.bool_]:
    """Cells with a colon, or with a full stop as in 23.00."""
    return matching(spellings, r"\d[T ]+\d{1,2}[:.]\d\d")
