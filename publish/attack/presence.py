"""Rows that are there although nothing is published in them: does their presence tell that somebody was counted?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from publish.attack.cells import UNKNOWN, Cells
from publish.attack.figures import Counts, Flags


@dataclass(frozen=True)
class PresenceFound:
    """Rows whose every figure is 0, and the combinations of codes beside them that have no row."""

    rows: int
    rows_true: int
    """Of them such in which somebody was counted."""
    absent: int
    absent_true: int

    @property
    def sure(self) -> float:
        """How sure a reader can be, by the row alone, that somebody was counted; 0 where there is no such row."""
        return self.rows_true / self.rows if self.rows else 0.0

    @property
    def sure_absent(self) -> float:
        """The same for combinations without a row."""
        return self.absent_true / self.absent if self.absent else 0.0

    def rows_that_tell(self, sure: float) -> int:
        """Rows of zeros that say of somebody: `rows_true` where they make surer than `sure`, and surer than no row."""
        return self.rows_true if self.sure > max(sure, self.sure_absent) else 0


def empty_rows(cells: Cells) -> Flags:
    """Of each cell, whether it has a figure and every measure of its row is published as 0."""
    codes = cells.codes.copy()
    codes[:, cells.figures.column("measure")] = 0
    given = cells.row >= 0
    _, row = np.unique(cells.keys_of(codes), return_inverse=True)
    largest = np.zeros(row.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(largest, row[given], cells.published[given])
    empty: Flags = given & (largest[row] == 0)
    return empty


def score(cells: Cells, true: Counts) -> PresenceFound:
    """What the rows of zeros say, held against the truth of all cells."""
    empty, absent = empty_rows(cells), (cells.row < 0) & (cells.published == 0)
    empty, absent = empty & (true != UNKNOWN), absent & (true != UNKNOWN)
    return PresenceFound(
        int(empty.sum()), int((empty & (true > 0)).sum()), int(absent.sum()), int((absent & (true > 0)).sum())
    )
