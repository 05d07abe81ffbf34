"""What follows for certain: the interval of each true count that all relations and the known deviation leave."""

from __future__ import annotations

import time
from dataclasses import dataclass

import highspy
import numpy as np

from publish.attack.cells import Rows
from publish.attack.figures import Counts, Flags, Floats
from publish.attack.relations import System

EPSILON = 1e-6
FAR = 1e7
"""Stands for no limit within a linear program."""


@dataclass(frozen=True)
class Intervals:
    """Of some cells, whole numbers: counts outside are ruled out."""

    cells: Rows
    low: Floats
    high: Floats
    programs: int = 0
    """Linear programs solved."""
    undecided: int = 0
    """Of them without a solution: then only what went before is known of the cell."""

    @property
    def width(self) -> Floats:
        """0 where the count is known exactly."""
        return self.high - self.low


def spread(system: System, known: dict[int, int] | None = None, sweeps: int = 30) -> tuple[Floats, Floats]:
    """The bounds of all cells after each relation has passed on what follows from its members, until nothing moves.

    Args:
        system: cells and their relations.
        known: true counts of cells that the attacker has himself: an insider's.
        sweeps: at most so many rounds.
    """
    low, high = system.cells.limits()
    high = np.minimum(high, FAR)
    if known:
        cells = np.fromiter(known, dtype=np.intp)
        low[cells] = high[cells] = np.fromiter(known.values(), dtype=float)
    entries = system.matrix.tocoo()
    row, column, sign = entries.row, entries.col, entries.data
    upper, lower = system.upper[row], system.lower[row]
    count = system.matrix.shape[0]
    for _ in range(sweeps):
        least = np.where(sign > 0, low[column], -high[column])
        most = np.where(sign > 0, high[column], -low[column])
        others_least = np.bincount(row, least, count)[row] - least
        others_most = np.bincount(row, most, count)[row] - most
        # sign × true is from lower − others_most to upper − others_least
        top, bottom = upper - others_least, lower - others_most
        new_high, new_low = np.where(sign > 0, top, -bottom), np.where(sign > 0, bottom, -top)
        next_low, next_high = low.copy(), high.copy()
        np.maximum.at(next_low, column, np.ceil(new_low - EPSILON))
        np.minimum.at(next_high, column, np.floor(new_high + EPSILON))
        crossed = next_low > next_high  # only where an assumption is wrong: the cell stays as it was
        next_low[crossed], next_high[crossed] = low[crossed], high[crossed]
        if np.array_equal(next_low, low) and np.array_equal(next_high, high):
            break
        low, high = next_low, next_high
    return low, high


def bound(
    system: System, limits: tuple[Floats, Floats], cells: Rows, *, most_relations: int, until: float | None = None
) -> Intervals:
    """The intervals of some cells by linear programs over the relations nearest to each.

    What is farther away takes part by its bounds. Cells that time does not suffice for are left out.

    Args:
        system: all cells and relations.
        limits: bounds of all cells, from `spread`.
        cells: whose intervals are wanted, in the order in which they are worked on.
        most_relations: the size of a program.
        until: `time.monotonic()` at which to stop.
    """
    low, high = limits
    left = [int(cell) for cell in cells]
    results: dict[int, tuple[float, float]] = {}
    programs = undecided = 0
    wanted = set(left)
    while left:
        first = left[0]
        relations = system.near(np.array([first]), most_relations)
        # Cells so near to the first that this block holds what matters to them as well.
        together = [first, *sorted((wanted & set(_inside(system, relations))) - {first})][:20]
        if not len(relations):
            results[first] = (low[first], high[first])
            left = left[1:]
            continue
        program = _Program(system, relations, low, high)
        for cell in together:
            if until is not None and time.monotonic() > until:
                return _intervals(results, programs, undecided)
            ends = program.ends(cell)
            programs += 2
            undecided += ends is None
            results[cell] = ends or (low[cell], high[cell])
        wanted -= set(together)
        left = [cell for cell in left if cell in wanted]
    return _intervals(results, programs, undecided)


def _intervals(results: dict[int, tuple[float, float]], programs: int, undecided: int) -> Intervals:
    cells = np.fromiter(results, dtype=np.intp)
    ends = np.array(list(results.values())).reshape(-1, 2)
    return Intervals(cells, ends[:, 0], ends[:, 1], programs, undecided)


def _inside(system: System, relations: Rows) -> list[int]:
    """Cells all of whose relations are among these."""
    cells, held = np.unique(system.matrix[relations].indices, return_counts=True)
    return [int(cell) for cell in cells[np.diff(system.by_cell.indptr)[cells] == held]]


class _Program:
    """Linear programs over some relations: only the objective changes, so each starts where the last ended."""

    def __init__(self, system: System, relations: Rows, low: Floats, high: Floats) -> None:
        part = system.matrix[relations]
        self.cells, inner = np.unique(part.indices, return_inverse=True)
        self.low, self.high = low[self.cells], high[self.cells]
        self.highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("solver", "simplex"), ("presolve", "off")):
            self.highs.setOptionValue(option, value)
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(self.cells), len(relations)
        program.col_cost_ = np.zeros(len(self.cells))
        program.col_lower_, program.col_upper_ = self.low, self.high
        program.row_lower_ = np.maximum(system.lower[relations], -FAR)
        program.row_upper_ = np.where(np.isinf(system.upper[relations]), highspy.kHighsInf, system.upper[relations])
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = part.indptr.astype(np.int32)
        program.a_matrix_.index_ = inner.astype(np.int32)
        program.a_matrix_.value_ = part.data.astype(float)
        self.highs.passModel(program)

    def ends(self, cell: int) -> tuple[float, float] | None:
        """The least and largest true count of a cell; None where there is no solution."""
        place = int(np.searchsorted(self.cells, cell))
        found: list[float] = []
        for sign in (1.0, -1.0):
            self.highs.changeColCost(place, sign)
            self.highs.run()
            if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                self.highs.changeColCost(place, 0.0)
                return None
            found.append(sign * self.highs.getInfo().objective_function_value)
        self.highs.changeColCost(place, 0.0)
        return float(np.ceil(found[0] - EPSILON)), float(np.floor(found[1] + EPSILON))


@dataclass(frozen=True)
class BoundsFound:
    """How narrow the intervals of true small counts are."""

    cells: int
    exact: int
    narrower: int
    """Than the policy's width."""
    misled: int
    """Intervals without the true count: an assumption of the attacker was wrong there."""
    median_width: float
    programs: int
    undecided: int


def score(low: Floats, high: Floats, true: Counts, width: int, programs: int = 0, undecided: int = 0) -> BoundsFound:
    """Hold intervals against the truth: only what is right counts as found."""
    right: Flags = (low <= true) & (true <= high)
    size = high - low
    return BoundsFound(
        len(true),
        int((right & (size == 0)).sum()),
        int((right & (size < width)).sum()),
        int((~right).sum()),
        float(np.median(size)) if len(size) else float("nan"),
        programs,
        undecided,
    )
