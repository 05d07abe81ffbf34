"""What readers can conclude from what is published."""

from __future__ import annotations

import pandas as pd
import pytest

from publish.auditing import Attacker, Audit, Bounds, PublicTable, audit, cell_of

TOTALS = {"row": "alla", "column": "alla"}

# The 4 × 4 example is that of the tests of the R package sdcTable. With these nine suppressed, w|b follows exactly.
FOUR_BY_FOUR = {"w": [30, 47, 64, 89], "x": [90, 124, 5, 31], "y": [92, 100, 59, 85], "z": [800, 991, 651, 685]}
NINE = ["wa", "wb", "wc", "xa", "xc", "yb", "yd", "zb", "zd"]


def table_of(rows: dict[str, list[int]], suppressed: list[str]) -> PublicTable:
    """A table with its margins; columns a, b, c, …"""
    cells: list[tuple[str, str, int | None]] = []
    for row, counts in rows.items():
        columns = "abcdefgh"[: len(counts)]
        cells += [(row, c, None if row + c in suppressed else n) for c, n in zip(columns, counts, strict=True)]
        cells.append((row, "alla", sum(counts)))
    for column, counts in zip(columns, zip(*rows.values(), strict=True), strict=True):
        cells.append(("alla", column, sum(counts)))
    cells.append(("alla", "alla", sum(map(sum, rows.values()))))
    return PublicTable("table", "cases", ("row", "column"), pd.DataFrame(cells, columns=["row", "column", "count"]))


def bounds_of(found: Audit, name: str) -> Bounds:
    return found.bounds[cell_of("cases", {"row": name[0], "column": name[1]}, TOTALS)]


@pytest.mark.parametrize("attacker", ["plain", "strong"])
def test_audit_finds_the_cell_that_follows_from_nine_suppressed(attacker: Attacker) -> None:
    found = audit([table_of(FOUR_BY_FOUR, NINE)], {}, TOTALS, attacker=attacker)
    assert bounds_of(found, "wb") == Bounds(47, 47, True)
    assert [str(failure.cell) for failure in found.failures] == ["cases: column b, row w"]
    assert found.narrowest == 0


@pytest.mark.parametrize("attacker", ["plain", "strong"])
def test_audit_bounds_the_cell_once_another_is_suppressed(attacker: Attacker) -> None:
    found = audit([table_of(FOUR_BY_FOUR, [*NINE, "xd"])], {}, TOTALS, attacker=attacker, full=True)
    assert bounds_of(found, "wb") == Bounds(0, 78, True)
    assert found.is_passed
