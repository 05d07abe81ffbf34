"""A sheet's cells as a CSV would hold them: which row bears the headers, and every cell below it as text."""

from __future__ import annotations

import csv
import datetime as dt
import io
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ingest.folding import fold
from ingest.workbooks.number_formats import EXACT

SEARCHED_ROWS = 20
"""The header row is looked for in so many rows from the top."""
LONGEST_CELL = 1_000_000
_BLOCK = 8_192

Row = list[object]


class CellTooLong(Exception):
    """A cell longer than any table of ours holds. `row` is Excel's number."""

    def __init__(self, row: int) -> None:
        """Store the row."""
        super().__init__()
        self.row = row


@dataclass(frozen=True)
class HeaderRow:
    """Where the headers are: `index` counts rows from 0; `above` are the filled rows before it."""

    index: int
    cells: tuple[str, ...]
    recognised: frozenset[str]
    above: int
    followed: bool
    """Whether a filled row comes after it."""


@dataclass(frozen=True)
class Body:
    """The rows below the headers.

    Attributes:
        csv: records of `width` fields, `;` between them, UTF-8.
        numbers: each record's row as Excel numbers it.
        width: of the header, or beyond it as far as any cell reaches.
        filled: positions (from 0) that hold anything.
        dates: position → row and day of the date cells where no date is due.
    """

    csv: bytes
    numbers: array[int]
    width: int
    filled: frozenset[int]
    dates: dict[int, list[tuple[int, str]]]


def text_of(cell: object) -> str:
    """A cell as Excel (in Swedish) would write it to a CSV with ISO dates and without trailing decimals."""
    if isinstance(cell, float):
        return str(int(cell)) if -EXACT < cell < EXACT and cell.is_integer() else format(cell, ".15g")
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "SANT" if cell else "FALSKT"
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(" ")
    return "" if cell is None else str(cell)


def find_header(rows: Iterable[Row], known: dict[str, str], *, is_any: bool = False) -> HeaderRow | None:
    """The row, among the first ones, that bears most known headers; None when none bears any.

    A row further down must bear at least two: a code may by chance be spelled like a header.

    Args:
        rows: from the sheet's row 1.
        known: folded header → column.
        is_any: whether the row with most cells filled bears the headers, whatever they are.
    """
    best: HeaderRow | None = None
    filled = widest = 0
    for index, row in enumerate(rows):
        if index >= SEARCHED_ROWS:
            if best is not None and not best.followed and any(text_of(c).strip() for c in row):
                best = HeaderRow(best.index, best.cells, best.recognised, best.above, True)
            break
        cells = tuple(text_of(cell) for cell in row)
        if not any(cell.strip() for cell in cells):
            continue
        if best is not None and not best.followed:
            best = HeaderRow(best.index, best.cells, best.recognised, best.above, True)
        if is_any:
            wide = sum(bool(cell.strip()) for cell in cells)
            if wide > widest:
                best, widest = HeaderRow(index, cells, frozenset(), filled, False), wide
            filled += 1
            continue
        recognised = frozenset(known[f] for cell in cells if (f := fold(cell[:200])) in known)
        if len(recognised) > (len(best.recognised) if best else 0) and (not filled or len(recognised) > 1):
            best = HeaderRow(index, cells, recognised, filled, False)
        filled += 1
    return best


def read_body(rows: Iterator[Row], header: HeaderRow, is_date_column: Callable[[int], bool | None]) -> Body:
    """All rows below the headers.

    Args:
        rows: from the sheet's row 1; taken in blocks.
        header: where the headers are.
        is_date_column: whether a position is due to hold dates; None where the contract has no column.

    Raises:
        CellTooLong: see there.
    """
    out, numbers = io.StringIO(newline=""), array("i")
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    dates: dict[int, list[tuple[int, str]]] = {}
    filled: set[int] = set()
    width = len(header.cells)
    rows = islice(rows, header.index + 1, None)
    number = header.index + 2
    while block := list(islice(rows, _BLOCK)):
        columns: list[list[str]] = []
        for position, cells in enumerate(zip(*block, strict=True)):
            kinds = set(map(type, cells))
            if kinds - {str}:
                if kinds & {dt.datetime, dt.date} and is_date_column(position) is False:
                    dates.setdefault(position, []).extend(_days(cells, number))
                texts = [cell if cell.__class__ is str else text_of(cell) for cell in cells]
            else:
                texts = list(cells)
            if position not in filled and any(texts):
                filled.add(position)
            if "\r" in "".join(texts):  # the records' end to whoever reads the CSV
                texts = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
            longest = max(map(len, texts))
            if longest > LONGEST_CELL:
                raise CellTooLong(number + next(i for i, text in enumerate(texts) if len(text) == longest))
            columns.append(texts)
        for offset, record in enumerate(zip(*columns, strict=True)):
            if any(record):
                writer.writerow(record)
                numbers.append(number + offset)
        number += len(block)
    return Body(out.getvalue().encode("utf-8", "replace"), numbers, width, frozenset(filled), dates)


def _days(cells: Iterable[object], number: int) -> Iterator[tuple[int, str]]:
    """Row and day of the date cells among these; the first is in row `number`."""
    for row, cell in enumerate(cells, start=number):
        if isinstance(cell, dt.date):
            yield row, f"{cell:%Y-%m-%d}"
