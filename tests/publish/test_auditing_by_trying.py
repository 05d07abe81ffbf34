"""Bounds are held against a reader who tries every table that there could be."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from publish.suppression.auditing import Bounds, PublicTable, audit, cell_of
from publish.suppression.bounds import Component, find_intervals

TOTALS = {"row": "alla", "column": "alla"}

# A brute-force attacker: tables of three rows and two columns, whose rows add up in three ways, column totals shown.
GROUPS = {"x": "x", "y": "y", "z": "z", "P": "xy", "Q": "yz", "R": "xz", "alla": "xyz"}
TREES = [{"x": "P", "y": "P"}, {"y": "Q", "z": "Q"}, {"x": "R", "z": "R"}]


def all_cells(inner: tuple[int, ...]) -> dict[tuple[str, str], int]:
    count = dict(zip(product("xyz", "ab"), inner, strict=True))
    columns = {"a": "a", "b": "b", "alla": "ab"}
    return {
        (row, column): sum(count[r, c] for r in rows for c in which)
        for row, rows in GROUPS.items()
        for column, which in columns.items()
    }


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 6), st.sets(st.sampled_from(sorted(all_cells((0,) * 6)))))
def test_bounds_are_those_of_trying_every_table(inner: tuple[int, ...], suppressed: set[tuple[str, str]]) -> None:
    suppressed -= {("alla", "a"), ("alla", "b"), ("alla", "alla")}
    truth = all_cells(inner)
    tried: dict[tuple[str, str], set[int]] = {cell: set() for cell in suppressed}
    a, b = truth["alla", "a"], truth["alla", "b"]
    for xa, ya, xb, yb in product(range(a + 1), range(a + 1), range(b + 1), range(b + 1)):
        if xa + ya > a or xb + yb > b:
            continue
        possible = all_cells((xa, xb, ya, yb, a - xa - ya, b - xb - yb))
        if all(possible[cell] == truth[cell] for cell in truth if cell not in suppressed):
            for cell in suppressed:
                tried[cell].add(possible[cell])
    rows = pd.DataFrame(
        [(*cell, None if cell in suppressed else count) for cell, count in truth.items()],
        columns=["row", "column", "count"],
    )
    trees = [tree | {code: "alla" for code in [*"xyz", *set(tree.values())] if code not in tree} for tree in TREES]
    table = PublicTable("table", ("row", "column"), rows)
    strong = audit([table], {"row": trees}, TOTALS, attacker="strong", full=True)
    plain = audit([table], {"row": trees}, TOTALS, attacker="plain", full=True)
    for (row, column), counts in tried.items():
        name = cell_of({"row": row, "column": column}, TOTALS)
        assert strong.bounds[name] == Bounds(min(counts), max(counts), True)
        assert plain.bounds[name].low <= min(counts) <= max(counts) <= plain.bounds[name].high
        narrow = max(counts) - min(counts) < 5
        assert (name in {failure.cell for failure in strong.failures}) == narrow


def shown(name: str, dimensions: tuple[str, ...], cells: dict[tuple[str, ...], int | None]) -> PublicTable:
    rows = pd.DataFrame([(*codes, count) for codes, count in cells.items()], columns=[*dimensions, "count"])
    rows["count"] = rows["count"].astype("Int64")
    return PublicTable(name, dimensions, rows)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(0, 3)] * 8),
    st.sets(st.tuples(st.sampled_from(["ps", "pr", "sr"]), st.integers(0, 1), st.integers(0, 1)), max_size=9),
    st.sampled_from(["year", "alla"]),
)
def test_bounds_of_margins_in_a_cycle_are_those_of_trying_every_crossed_table(
    inner: tuple[int, ...], suppressed: set[tuple[str, int, int]], above: str
) -> None:
    """Periods × sexes and periods × reasons are published, and sexes × reasons of all periods together."""
    at = list(product((0, 1), repeat=3))  # period, sex, reason

    def margins(joint: tuple[int, ...]) -> dict[tuple[str, int, int], int]:
        count = dict(zip(at, joint, strict=True))
        found = {}
        for a, b in product((0, 1), repeat=2):
            found["ps", a, b] = count[a, b, 0] + count[a, b, 1]
            found["pr", a, b] = count[a, 0, b] + count[a, 1, b]
            found["sr", a, b] = count[0, a, b] + count[1, a, b]
        return found

    truth = margins(inner)
    total = sum(inner)
    # Everything is bounded: the sum of all is known from one margin at least.
    suppressed = {cell for cell in suppressed if cell[0] != "ps"} | {
        c for c in suppressed if c[0] == "ps" and c[1:] == (0, 0)
    }
    suppressed -= {("ps", 0, 0)} if total > 9 else set()
    sums = {n: truth["ps", n, 0] + truth["ps", n, 1] for n in (0, 1)}
    tried: dict[tuple[str, int, int], set[int]] = {cell: set() for cell in suppressed}
    for joint in product(*(range(min(truth["ps", p, s] if ("ps", p, s) not in suppressed else sums[p], 9) + 1)
                           for p, s, _ in at)):  # fmt: skip
        if sum(joint[:4]) != sums[0] or sum(joint[4:]) != sums[1]:
            continue
        possible = margins(joint)
        if all(possible[cell] == truth[cell] for cell in truth if cell not in suppressed):
            for cell in suppressed:
                tried[cell].add(possible[cell])

    def cells(kind: str, first: str, second: str) -> dict[tuple[str, ...], int | None]:
        return {
            (f"{first}{a}", f"{second}{b}"): None if (kind, a, b) in suppressed else truth[kind, a, b]
            for a, b in product((0, 1), repeat=2)
        }

    by_sex = cells("ps", "q", "s") | {(f"q{n}", "alla"): count for n, count in sums.items()}
    both = {(above, *codes): count for codes, count in cells("sr", "s", "r").items()}
    tables = [
        shown("cases by sex", ("period", "sex"), by_sex),
        shown("cases by reason", ("period", "reason"), cells("pr", "q", "r")),
        shown("cases by both", ("period", "sex", "reason"), both),
    ]
    totals = {"sex": "alla", "reason": "alla"} | ({"period": "alla"} if above == "alla" else {})
    found = audit(tables, {"period": [{"q0": above, "q1": above}]}, totals, attacker="strong", full=True)
    names = {"ps": ("period", "q", "sex", "s"), "pr": ("period", "q", "reason", "r"), "sr": ("sex", "s", "reason", "r")}
    for (kind, a, b), counts in tried.items():
        first, one, second, other = names[kind]
        codes = {first: f"{one}{a}", second: f"{other}{b}"} | ({"period": above} if kind == "sr" else {})
        assert found.bounds[cell_of(codes, totals)] == Bounds(min(counts), max(counts), True)


@cache
def all_ways(total: int, cells: int) -> NDArray[np.int64]:
    """Every way to divide a total into so many cells: between the bars among the stars."""
    bars = np.array(list(combinations(range(total + cells - 1), cells - 1)))
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), total + cells - 1)])
    return np.diff(edges, axis=1) - 1


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=6, max_size=6).filter(lambda counts: sum(counts) <= 12),
    st.lists(st.sets(st.integers(0, 5), min_size=2, max_size=3), min_size=2, max_size=4),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.integers(1, 5),
)
def test_a_judgement_by_witnesses_is_that_of_trying_every_way(
    counts: list[int], sums: list[set[int]], guarded: list[bool], needed: int
) -> None:
    """Pairs in a circle (x + y, y + z, x + z) make vertices that are no whole counts, so that whole ones are sought."""
    relations = np.array([[cell in members for cell in range(6)] for members in [*sums, set(range(6))]], dtype=np.int64)
    constants = relations @ np.array(counts)
    ways = all_ways(sum(counts), 6)
    ways = ways[(ways @ relations.T == constants).all(axis=1)]
    low, high, is_guarded = ways.min(axis=0), ways.max(axis=0), np.array(guarded)
    component = Component(
        csc_matrix(relations), constants, np.ones(6, dtype=np.bool_),
        np.where(is_guarded, 0.0, np.inf), np.where(is_guarded, float(needed), -np.inf), np.full(6, float(needed)),
    )  # fmt: skip
    found = find_intervals(component, whole=True, full=False)
    assert (low <= found.low).all()
    assert (found.high <= high).all()
    fails = (high - low < needed) | (is_guarded & ((low > 0) | (high < needed)))
    judged = (found.high - found.low < needed) | (is_guarded & ((found.low > 0) | (found.high < needed)))
    assert judged.tolist() == fails.tolist()
    assert (found.low[found.low_is_exact] == low[found.low_is_exact]).all()
    assert (found.high[found.high_is_exact] == high[found.high_is_exact]).all()
    assert found.undecided == 0
