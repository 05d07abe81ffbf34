"""The cheapest pattern is held against trying them all, judged by the audit."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from publish.suppression.linked import Linked
from publish.suppression.longform import Dimension, LongTable, Row
from publish.suppression.protecting import Requirement, protect
from publish.suppression.tabulating import Tabulated, linked_of, tabulate


def table(counts: list[int], columns: int) -> Tabulated:
    """A table of three rows, the first two of which add up to P."""
    trees = ({"x": "P", "y": "P", "P": "alla", "z": "alla"},)
    codes = tuple(f"c{number}" for number in range(columns))
    dimensions = (
        Dimension("row", "alla", trees, ("x", "y", "z"), ("P", "alla")),
        Dimension("column", "alla", (dict.fromkeys(codes, "alla"),), codes, ("alla",)),
    )
    rows = [Row(at, cell, n, False) for at, (cell, n) in enumerate(zip(product("xyz", codes), counts, strict=True))]
    return tabulate(LongTable(dimensions, tuple(rows), ","), missing_is_zero=True)


def is_sufficient(system: Linked, hidden: frozenset[int], threshold: int) -> bool:
    """Whether whole tables exist that show each hidden cell to be free enough."""
    # Independent of the programs: the moves are combinations of the null space's whole vectors.
    at = sorted(hidden)
    relations = system.relations.toarray()[:, at]
    values = system.values[at]
    low, high = values.copy(), values.copy()
    for moves in _moves(relations):
        for sign, size in product((1, -1), range(1, 16)):
            other = values + sign * size * moves
            if (other >= 0).all():
                np.minimum(low, other, out=low)
                np.maximum(high, other, out=high)
    primary = system.primary[at]
    covers = (low == 0) & (high >= threshold)
    return bool((covers | ~primary).all() and (high - low >= threshold).all())


def _moves(relations: np.ndarray) -> list[np.ndarray]:
    """All ways in which cells can move by −1, 0 or 1 together."""
    count = relations.shape[1]
    found = []
    rows = [(row, row != 0) for row in relations if row.any()]

    def extend(moves: list[int]) -> None:
        done = len(moves)
        for row, used in rows:
            last = np.flatnonzero(used)[-1]
            if last < done and int(row[:done] @ moves) and last == done - 1:
                return
        if done == count:
            if any(moves):
                found.append(np.array(moves))
            return
        for move in (0, 1, -1):
            extend([*moves, move])

    extend([])
    return found


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=6, max_size=6), st.integers(3, 5))
def test_optimum_is_the_cheapest_of_all_patterns(counts: list[int], threshold: int) -> None:
    tabulated = table(counts, 2)
    system = linked_of(tabulated, threshold, np.zeros(len(tabulated.cells), dtype=np.bool_))
    protection = protect(system, Requirement(threshold=threshold, width=threshold))
    assert protection.is_solved
    if protection.method == "nothing to protect":
        assert not system.primary.any()
        return
    assert protection.method == "optimum"
    secondary = np.flatnonzero(protection.suppressed & ~system.primary)
    cost = (int(system.values[secondary].sum()), len(secondary))
    primary = frozenset(np.flatnonzero(system.primary).tolist())
    rest = [cell for cell in range(len(system.values)) if cell not in primary]
    cheaper = [
        chosen
        for size in range(len(rest) + 1)
        for chosen in combinations(rest, size)
        if (int(system.values[list(chosen)].sum()), size) < cost
    ]
    for chosen in sorted(cheaper, key=len)[:400]:
        assert not is_sufficient(system, primary | frozenset(chosen), threshold), chosen


def test_protect_falls_back_when_there_is_no_time_for_the_optimum() -> None:
    tabulated = table([18, 2, 14, 19, 12, 10], 2)
    system = linked_of(tabulated, 5, np.zeros(len(tabulated.cells), dtype=np.bool_))
    protection = protect(system, Requirement(optimum_seconds=1e-9))
    assert protection.method == "heuristic"
    assert protection.is_solved


def test_optimum_hides_the_fewest_cells_of_those_that_cost_the_same() -> None:
    # 0 and 0 of row x cost as much as nothing, and are still cells.
    tabulated = table([2, 9, 9, 9, 0, 18], 2)
    system = linked_of(tabulated, 5, np.zeros(len(tabulated.cells), dtype=np.bool_))
    protection = protect(system, Requirement())
    hidden = {tabulated.cells[at] for at in np.flatnonzero(protection.suppressed)}
    assert hidden == {("x", "c0"), ("x", "c1"), ("y", "c0"), ("y", "c1")}


def test_optimum_takes_a_cell_that_is_hidden_already_for_nothing() -> None:
    values = np.array([3, 10, 6, 19])
    relations = csr_matrix(np.array([[1, 1, 1, -1]]))
    none = np.zeros(4, dtype=np.bool_)
    suppressed = np.array([False, True, False, False])
    system = Linked(values, relations, values < 5, suppressed, none)
    protection = protect(system, Requirement())
    assert (protection.method, protection.suppressed.tolist()) == ("optimum", [True, True, False, False])
