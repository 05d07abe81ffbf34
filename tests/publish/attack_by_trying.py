"""The attack without a solver: every whole-numbered table of a few hidden figures is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from attacker import Cells, Figure, Interval, Target
from numpy.typing import NDArray

CEILINGS = {1: 2000, 2: 400, 3: 60, 4: 24, 5: 12}
"""How far each free figure is tried, by how many are free."""
MOST = 12


@dataclass(frozen=True)
class Sum:
    """A whole and what it is the sum of; or, unless they make up all of it, what it is no less than."""

    whole: Cells
    parts: tuple[Cells, ...]
    is_all: bool = True


def sums_of(
    figures: Iterable[Figure], cells_of: Mapping[Figure, Cells], parts: Sequence[Mapping[str, str]]
) -> set[Sum]:
    """The sums that can be seen in what is published: same release and measure, one thing told apart further."""
    found: set[Sum] = set()
    families: dict[tuple[object, ...], dict[str, Cells]] = {}
    for f in figures:
        here = (f.release, f.measure)
        families.setdefault((*here, "place", f.division, f.period, f.codes), {})[f.place] = cells_of[f]
        families.setdefault((*here, "period", f.place, f.division, f.codes), {})[f.period] = cells_of[f]
        for column, code in f.codes:
            rest = tuple(other for other in f.codes if other[0] != column)
            families.setdefault((*here, column, f.place, f.division, f.period, rest), {})[code] = cells_of[f]
    wholes = {cells_of[f] for f in figures}
    made_of: dict[tuple[int, ...], Cells] = {tuple(cells): cells for cells in wholes}
    for members in families.values():
        told = [cells for name, cells in members.items() if name != "stockholm" and len(name) != 4]
        union = tuple(sorted(cell for cells in told for cell in cells))
        whole = made_of.get(union)
        if whole is not None and len(told) > 1 and whole not in told:
            found.add(Sum(whole, tuple(sorted(told))))
    # predecessors within a unit of today
    for f in figures:
        if f.division == "today" and f.place != "stockholm":
            own = set(cells_of[f])
            units = families.get((f.release, f.measure, "place", "as_submitted", f.period, f.codes), {})
            told = [cells for cells in units.values() if cells and set(cells) < own]
            if len(told) > 1 and sum(map(len, told)) == len(own):
                found.add(Sum(cells_of[f], tuple(sorted(told))))
    by_cell: dict[tuple[object, ...], dict[str, Cells]] = {}
    for f in figures:
        by_cell.setdefault((f.release, f.place, f.division, f.period, f.codes), {})[f.measure] = cells_of[f]
    for here_ in by_cell.values():
        for pair in parts:
            if {pair["whole"], pair["part"]} <= set(here_):
                found.add(Sum(here_[pair["whole"]], (here_[pair["part"]],), is_all=False))
    return found


def try_all(
    sums: Iterable[Sum], known: Mapping[Cells, int], targets: Mapping[Cells, Target]
) -> tuple[list[Interval], int]:
    """Intervals of the targets in small systems, exact; and how many systems were small enough."""
    equations, inequalities = [], []
    for s in sums:
        row: dict[Cells, int] = {}
        right = 0
        for cells, sign in ((s.whole, -1), *((part, 1) for part in s.parts)):
            if cells in known:
                right -= sign * known[cells]
            else:
                row[cells] = row.get(cells, 0) + sign
        if row:
            (equations if s.is_all else inequalities).append((row, right))
    intervals: list[Interval] = []
    tried = 0
    for unknowns in _systems([row for row, _ in equations + inequalities]):
        if len(unknowns) > MOST:
            continue
        tables = _tables(
            unknowns,
            [e for e in equations if set(e[0]) <= set(unknowns)],
            [e for e in inequalities if set(e[0]) <= set(unknowns)],
        )
        if tables is None:
            continue
        tried += 1
        for at, cells in enumerate(unknowns):
            if cells in targets:
                column = tables[:, at]
                intervals.append(Interval(targets[cells], float(column.min()), float(column.max()), True))
    return intervals, tried


def _systems(rows: Sequence[Mapping[Cells, int]]) -> list[list[Cells]]:
    parent: dict[Cells, Cells] = {}

    def root(cells: Cells) -> Cells:
        while parent.setdefault(cells, cells) != cells:
            cells = parent[cells]
        return cells

    for row in rows:
        first, *others = row
        for other in others:
            parent[root(other)] = root(first)
        root(first)
    systems: dict[Cells, list[Cells]] = {}
    for cells in list(parent):
        systems.setdefault(root(cells), []).append(cells)
    return [sorted(system) for system in systems.values()]


def _tables(
    unknowns: list[Cells],
    equations: list[tuple[dict[Cells, int], int]],
    inequalities: list[tuple[dict[Cells, int], int]],
) -> NDArray[np.int64] | None:
    """All tables of whole numbers that satisfy both; None where there are too many to try."""
    n = len(unknowns)
    rows = [[Fraction(row.get(cells, 0)) for cells in unknowns] + [Fraction(right)] for row, right in equations]
    pivots: list[int] = []
    for column in range(n):
        at = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if at is None:
            continue
        here = len(pivots)
        rows[here], rows[at] = rows[at], rows[here]
        rows[here] = [x / rows[here][column] for x in rows[here]]
        for i in range(len(rows)):
            if i != here and rows[i][column]:
                rows[i] = [x - rows[i][column] * y for x, y in zip(rows[i], rows[here], strict=True)]
        pivots.append(column)
    free = [column for column in range(n) if column not in pivots]
    if len(free) not in CEILINGS:
        return None
    ceiling = CEILINGS[len(free)]
    grid = np.stack(np.meshgrid(*[np.arange(ceiling + 1)] * len(free), indexing="ij"), -1).reshape(-1, len(free))
    made = [
        (column, float(row[n]), np.array([float(row[f]) for f in free]))
        for row, column in zip(rows, pivots, strict=False)
    ]
    for _, constant, weights in made:
        value = constant - grid @ weights
        grid = grid[(value >= -1e-9) & (np.abs(value - np.rint(value)) < 1e-9)]
    tables = np.zeros((len(grid), n))
    tables[:, free] = grid
    for column, constant, weights in made:
        tables[:, column] = constant - grid @ weights
    right = np.ones(len(tables), dtype=bool)
    at_of = {cells: i for i, cells in enumerate(unknowns)}
    for unequal, most in inequalities:
        total = sum(weight * tables[:, at_of[cells]] for cells, weight in unequal.items())
        right &= total <= most + 1e-9
    found = np.rint(tables[right]).astype(np.int64)
    return None if not len(found) or (found[:, free] == ceiling).any() else found
