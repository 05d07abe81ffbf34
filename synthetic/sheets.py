"""A drawn file taken apart into cells, so that one can be changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from synthetic.habits import HABITS
from synthetic.tables import DrawnTable
from synthetic.writing import column_order, csv_bytes, encoded


class Sheet:
    """A drawn file taken apart: header and rows of cells as a CSV has them, which a fault then changes."""

    def __init__(self, table: DrawnTable) -> None:
        self.unit, self.dataset, self.quarter = table.unit, table.dataset, table.quarter
        self.columns = table.columns
        self.habit = HABITS[self.unit]
        text = csv_bytes(self.unit, self.dataset, self.quarter, table.columns).decode(self.habit.encoding)
        read = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.habit.separator))
        self.header, self.rows = read[0], read[1:]
        self.order = column_order(self.unit, self.dataset, self.quarter)

    def place(self, column: str) -> int:
        """Position of a column, by the contract's name."""
        return self.order.index(column)

    def row(self, fits: Callable[[dict[str, str]], bool]) -> list[str]:
        """The first row that fits, else the first of all."""
        for row in self.rows:
            if fits(dict(zip(self.order, row, strict=False))):
                return row
        return self.rows[0]

    def set(self, row: list[str], column: str, text: str) -> None:
        """Put a text into a row's cell."""
        row[self.place(column)] = text

    def line(self, cells: list[str]) -> str:
        """Cells as a line without its end."""
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.habit.separator, lineterminator="").writerow(cells)
        return buffer.getvalue()

    def content(self) -> bytes:
        """The file's bytes as they now are."""
        return encoded(self.unit, map(self.line, [self.header, *self.rows]))
