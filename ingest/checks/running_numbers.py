"""What rules about running numbers compute: whether each number that a district gave is of one child."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.checks.arithmetic import BoolArray, IntArray, Sheet, unique_together


def agreeing_within(
    sheet: Sheet, column: str, agreeing_columns: Sequence[str], ignored_values: Sequence[str] = ()
) -> BoolArray:
    """Rows of one value differ in one of the other columns; empty cells and ignored codes are not compared."""
    found = np.zeros(sheet.rows, dtype=bool)
    for name in agreeing_columns:
        use = sheet.is_read(column) & sheet.is_read(name)
        if name in sheet.codes:
            use &= ~sheet.is_one_of(name, [code for code in ignored_values if code in sheet.codes[name]])
        found |= sheet.is_read(column) & (_span(sheet[column], sheet[name], use) > 0)
    return found


def _span(groups: IntArray, values: IntArray, use: BoolArray) -> npt.NDArray[np.int64]:
    """Per row, how far apart the greatest and the least value of its group are, among the rows to use; 0 elsewhere."""
    size = int(groups.max(initial=0)) + 1
    least, most = np.full(size, np.iinfo(np.int32).max, np.int64), np.full(size, np.iinfo(np.int32).min, np.int64)
    np.minimum.at(least, groups[use], values[use])
    np.maximum.at(most, groups[use], values[use])
    found: npt.NDArray[np.int64] = np.maximum(most - least, 0)[np.maximum(groups, 0)]
    return found


def unborn_one_by_one(
    sheet: Sheet,
    column: str,
    when_column: str,
    when_value: str,
    date_column: str,
    days: int,
    case_column: str | None = None,
) -> BoolArray:
    """Rows of unborn children share a number though they are of one case, or further apart than one child can be."""
    unborn = sheet.is_one_of(when_column, [when_value]) & sheet.is_read(column)
    found: BoolArray = unborn & (_span(sheet[column], sheet[date_column], unborn & sheet.is_read(date_column)) > days)
    if case_column is not None:
        shared = [column, case_column, when_column]
        found |= unborn & unique_together(sheet, shared, shared)
    return found
