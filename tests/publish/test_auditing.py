"""What readers can conclude from what is published."""

from __future__ import annotations

import pandas as pd
import pytest

from publish.suppression.auditing import Attacker, Audit, Bounds, Need, NotPublic, PublicTable, audit, cell_of

TOTALS = {"row": "alla", "column": "alla"}
BOTH = pytest.mark.parametrize("attacker", ["plain", "strong"])

# The 4 × 4 example is that of the tests of the R package sdcTable. With these nine suppressed, w|b follows exactly.
FOUR_BY_FOUR = {"w": [30, 47, 64, 89], "x": [90, 124, 5, 31], "y": [92, 100, 59, 85], "z": [800, 991, 651, 685]}
NINE = ("wa", "wb", "wc", "xa", "xc", "yb", "yd", "zb", "zd")


def public(text: str) -> PublicTable:
    """A table of rows and columns; a dot is a suppressed count."""
    lines = [line.split() for line in text.strip().splitlines()]
    cells = []
    for name, *counts in lines[1:]:
        for column, count in zip(lines[0], counts, strict=True):
            cells.append((name, column, None if count == "." else int(count)))
    rows = pd.DataFrame(cells, columns=["row", "column", "count"])
    return PublicTable("table", ("row", "column"), rows)


def four_by_four(*suppressed: str) -> PublicTable:
    lines = ["a b c d alla"]
    for name, counts in FOUR_BY_FOUR.items():
        shown = ["." if name + c in suppressed else str(n) for c, n in zip("abcd", counts, strict=True)]
        lines.append(" ".join([name, *shown, str(sum(counts))]))
    sums = [sum(column) for column in zip(*FOUR_BY_FOUR.values(), strict=True)]
    lines.append(" ".join(["alla", *map(str, sums), str(sum(sums))]))
    return public("\n".join(lines))


def bounds_of(found: Audit, name: str) -> Bounds:
    return found.bounds[cell_of({"row": name[0], "column": name[1]}, TOTALS)]


@BOTH
def test_audit_finds_the_cell_that_follows_from_nine_suppressed(attacker: Attacker) -> None:
    found = audit([four_by_four(*NINE)], {}, TOTALS, attacker=attacker)
    assert bounds_of(found, "wb") == Bounds(47, 47, True)
    assert [str(failure.cell) for failure in found.failures] == ["column b, row w"]
    assert found.narrowest == 0


@BOTH
def test_audit_bounds_the_cell_once_another_is_suppressed(attacker: Attacker) -> None:
    found = audit([four_by_four(*NINE, "xd")], {}, TOTALS, attacker=attacker, full=True)
    assert bounds_of(found, "wb") == Bounds(0, 78, True)
    assert found.is_passed


def test_audit_calls_a_protected_cell_that_is_shown_a_failure() -> None:
    small = cell_of({"row": "x", "column": "c"}, TOTALS)
    found = audit([four_by_four()], {}, TOTALS, protected=[small])
    assert [(failure.cell, failure.bounds.low, failure.is_protected) for failure in found.failures] == [
        (small, 5, True)
    ]


def test_audit_asks_of_a_protected_cell_what_is_needed_of_it() -> None:
    # 2 + 3 = 5: each can be 0 to 5.
    table = public("a alla\nx . .\ny . .\nalla 5 5")
    protected = [cell_of({"row": "x", "column": "a"}, TOTALS)]
    assert audit([table], {}, TOTALS, protected=protected).is_passed
    found = audit([table], {}, TOTALS, protected=protected, need=Need(0, 6, 5))
    assert [failure.bounds for failure in found.failures] == [Bounds(0, 5, True)]


def test_audit_leaves_what_no_table_holds_unknown() -> None:
    # x|b has no row: so x|a may be anything up to the row's total.
    table = public("a alla\nx . 9\ny 4 20\nalla . 29")
    found = audit([table], {"column": [{"a": "alla", "b": "alla"}]}, TOTALS, full=True)
    assert bounds_of(found, "xa") == Bounds(0, 9, True)


def test_audit_says_when_nothing_bounds_a_cell() -> None:
    found = audit([public("a b\nx . 9")], {}, TOTALS, full=True)
    assert bounds_of(found, "xa") == Bounds(0, float("inf"), True)


def test_audit_links_tables_through_a_sum_that_nobody_published() -> None:
    # Rows x and y are district P; P|a + P|b is published by another table only as a row of its own.
    hierarchies = {"row": [{"x": "P", "y": "P", "P": "alla"}], "column": [{"a": "A", "b": "A", "A": "alla"}]}
    quarterly, other = public("a b\nx . 3\ny 2 1"), public("A\nP 13")
    assert bounds_of(audit([quarterly, other], hierarchies, TOTALS), "xa") == Bounds(7, 7, True)


def test_audit_finds_what_a_second_tree_gives_away() -> None:
    # x + y is P, y + z is Q; each hides x, y, z from the other's readers, both together with x + y + z do not.
    table = public("a\nx .\ny .\nz .\nP 5\nQ 7\nalla 9")
    trees = [{"x": "P", "y": "P", "P": "alla", "z": "alla"}, {"y": "Q", "z": "Q", "Q": "alla", "x": "alla"}]
    one = audit([public("a\nx .\ny .\nz .\nP 5\nalla 9")], {"row": trees[:1]}, TOTALS, full=True)
    assert bounds_of(one, "xa") == Bounds(0, 5, True)
    both = audit([table], {"row": trees}, TOTALS)
    assert [bounds_of(both, name).low for name in ("xa", "ya", "za")] == [2, 3, 4]
    assert len(both.failures) == 3


def test_audit_carries_the_crossed_cells_of_margins_in_a_cycle() -> None:
    # Quarter 1 has 5 cases, all of sex f and reason r; quarter 2 has 7, all of sex m and reason s. So of the year's
    # cut by both, f|r is 5 and m|s is 7, though the year's own margins leave 5 counts open.
    totals = {"sex": "alla", "reason": "alla"}
    by_sex = pd.DataFrame(
        [("q1", "f", 5), ("q1", "m", 0), ("q2", "f", 0), ("q2", "m", 7)], columns=["period", "sex", "count"]
    )
    by_reason = by_sex.rename(columns={"sex": "reason"}).replace({"reason": {"f": "r", "m": "s"}})
    both = pd.DataFrame(
        [("y", "f", "r", None), ("y", "f", "s", None), ("y", "m", "r", None), ("y", "m", "s", None)],
        columns=["period", "sex", "reason", "count"],
    )
    tables = [
        PublicTable("by sex", ("period", "sex"), by_sex),
        PublicTable("by reason", ("period", "reason"), by_reason),
        PublicTable("both", ("period", "sex", "reason"), both),
    ]
    hierarchies = {"period": [{"q1": "y", "q2": "y"}]}
    cell = cell_of({"period": "y", "sex": "f", "reason": "r"}, totals)
    found = audit(tables, hierarchies, totals, full=True)
    assert (found.crossed_cells, found.left_out) == (8, ())
    assert found.bounds[cell] == Bounds(5, 5, True)
    weaker = audit(tables, hierarchies, totals, full=True, most_crossed_cells=0)
    assert "period × reason × sex, divided by period" in weaker.left_out
    assert weaker.bounds[cell] == Bounds(0, 5, True)


def test_audit_carries_the_crossed_cells_of_all_pairs_of_three_dimensions() -> None:
    # Two a's, both of column c and depth e. By pairs, a|c and a|e are given, so c|e is at least those two.
    def pair(first: str, second: str, cells: list[tuple[str, str, int | None]]) -> PublicTable:
        rows = pd.DataFrame(cells, columns=[first, second, "count"])
        return PublicTable(f"{first} {second}", (first, second), rows)

    tables = [
        pair("row", "column", [("a", "c", 9), ("a", "d", 0), ("b", "c", 0), ("b", "d", 9)]),
        pair("row", "depth", [("a", "e", 9), ("a", "f", 0), ("b", "e", 0), ("b", "f", 9)]),
        pair("column", "depth", [("c", "e", None), ("c", "f", None), ("d", "e", None), ("d", "f", None)]),
    ]
    found = audit(tables, {}, {**TOTALS, "depth": "alla"})
    assert found.crossed_cells == 8
    assert sorted(bounds.low for bounds in found.bounds.values()) == [0, 0, 9, 9]
    assert len(found.failures) == 4


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([public("a b alla\nx 1 2 4")], "add up"),
        ([public("a b alla\nx 5 . 4")], "more than the whole"),
        ([public("a\nx 5"), public("a\nx 6")], "elsewhere"),
        ([public("a b alla\nx . . 4\ny . . 4\nalla 9 0 9")], "add up"),
        ([public("a b c alla\nx . . . 4\ny . . . 4\nz . . 0 10\nalla 1 1 16 18")], "no counts satisfy"),
    ],
)
def test_audit_refuses_what_can_not_have_been_published(tables: list[PublicTable], message: str) -> None:
    with pytest.raises(NotPublic, match=message):
        audit(tables, {}, TOTALS)


def test_audit_refuses_a_code_that_no_hierarchy_knows() -> None:
    with pytest.raises(NotPublic, match="row z is in"):
        audit([public("a\nx 5\nz 5")], {"row": [{"x": "alla"}]}, TOTALS)


def test_audit_refuses_a_protected_cell_that_is_nowhere() -> None:
    with pytest.raises(NotPublic, match="row z needs protection"):
        audit([public("a\nx 5")], {}, TOTALS, protected=[cell_of({"row": "z"}, TOTALS)])
