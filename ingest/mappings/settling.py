"""A file's cells by its unit's words for "empty" and its forms of dates. What the contract reads is never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.characters import visible
from ingest.contracts import Contract
from ingest.mappings.date_forms import LATEST_YEARS, day_meant
from ingest.mappings.documents import DatasetWords, empty_word
from ingest.quarters import Quarter
from ingest.reading.byte_columns import ByteColumn, Mask
from ingest.reading.tables import RawTable


@dataclass(frozen=True)
class SettledCells:
    """A table whose cells are settled, and what of the mapping was used: (column, word) and (column, form)s."""

    table: RawTable
    empties: frozenset[tuple[str, str]] = frozenset()
    dates: frozenset[str] = frozenset()


def settled(table: RawTable, words: DatasetWords, contract: Contract, quarter: Quarter) -> SettledCells:
    """Cells that hold a unit's word for "empty" are empty, dates in its forms are dates as the contract writes them.

    Args:
        table: as it was read.
        words: of the unit, checked against the contract.
        contract: in the version of the quarter.
        quarter: of the file: a year of two digits is one up to ten years after it.
    """
    if not words.empties and not words.dates:
        return SettledCells(table)
    columns, empties, dates = dict(table.columns), set(), set()
    for column in contract.columns:
        if column.name not in columns:
            continue
        absent = {empty_word(one.spelling) for one in words.empties if one.column == column.name}
        forms = tuple(one.form for one in words.dates if one.column == column.name)
        if not absent and not forms:
            continue
        met: set[str] = set()
        respell = _respelling(table.encoding, absent, forms, quarter.year + LATEST_YEARS, met)
        columns[column.name] = ByteColumn(columns[column.name]).respelled(_filled, respell).column
        empties |= {(column.name, word) for word in met & absent}
        dates |= {column.name} if _A_DATE in met else set()
    return SettledCells(replace(table, columns=columns), frozenset(empties), frozenset(dates))


_A_DATE = "\0date"
"""In place of a word: a date in a form of the unit's was met."""


def _filled(cells: pa.Array) -> Mask:
    found: Mask = pc.is_valid(cells).to_numpy(zero_copy_only=False).astype(np.bool_)
    return found


def _respelling(
    encoding: str, absent: set[str], forms: tuple[str, ...], latest_year: int, met: set[str]
) -> Callable[[bytes], bytes]:
    def new(cell: bytes) -> bytes:
        text = visible(cell.decode(encoding)).strip()
        if (word := empty_word(text)) in absent:
            met.add(word)
            return b""
        day = day_meant(text, forms, latest_year) if forms else None
        if day is None:
            return cell
        met.add(_A_DATE)
        return day.isoformat().encode()

    return new
