"""Protecting one block of linked cells: the cheapest perturbations that keep every relation, by linear programs.

For a cell that needs protection an alternative set of counts is sought that satisfies all relations and in which that
cell is as far from its true count as required. The cells that differ must then be hidden, and the alternative is a
witness: readers can't tell it from the truth. (The idea of controlled rounding's heuristics for cell suppression, as in
Fischetti & Salazar 2001, Management Science 47; here hot-started, and with the witnesses used again.)
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, hstack

TOLERANCE = 1e-6
"""A proven width this much below what is required counts as too narrow only beyond it; witnesses are far coarser."""
CAP = 12.0
"""How far a cell moves at most while another is protected; lifted where that leaves no solution."""
HIDDEN_COST, ZERO_COST = 0.001, 3.0
_NOISE = 1e-7
_REWARD = 1e4


@dataclass(frozen=True)
class Block:
    """One block to protect. Arrays are over its k cells, except `relations` (rows × k)."""

    relations: csc_matrix
    values: NDArray[np.int64]
    required_low: NDArray[np.float64]
    """What must be shown possible at most; the true count where nothing is asked."""
    required_high: NDArray[np.float64]
    required_width: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    """Primary or hidden already."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Intervals proven so far, the true count included."""


@dataclass(frozen=True)
class Solved:
    """A block's pattern, the intervals that witnesses prove, and which cells (positions) have none wide enough."""

    hidden: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    failed: NDArray[np.int64]
    programs: int


def solve(block: Block) -> Solved:
    """Hide what the block's cells need: primaries first, the largest first, then every hidden cell's own width."""
    return _Perturbation(block).run()


def sums_to_nothing(relations: csc_matrix, cost: NDArray[np.float64], upper: NDArray[np.float64]) -> highspy.Highs:
    """A linear program over moves from 0 to `upper` that leave every relation as it is, for solving again and again."""
    highs, program = highspy.Highs(), highspy.HighsLp()
    for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off"), ("solver", "simplex")):
        highs.setOptionValue(option, value)
    # dual: bounds change between programs, so the last basis stays good
    highs.setOptionValue("simplex_strategy", 1)
    program.num_col_, program.num_row_ = relations.shape[1], relations.shape[0]
    program.col_cost_, program.col_upper_ = cost, upper
    program.col_lower_ = np.zeros(relations.shape[1])
    program.row_lower_ = program.row_upper_ = np.zeros(relations.shape[0])
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = relations.indptr.astype(np.int32)
    program.a_matrix_.index_ = relations.indices.astype(np.int32)
    program.a_matrix_.value_ = relations.data
    highs.passModel(program)
    return highs


class _Perturbation:
    def __init__(self, block: Block) -> None:
        self.block, self.count = block, len(block.values)
        self.values = block.values.astype(float)
        self.hidden, self.low, self.high = block.hidden.copy(), block.low.copy(), block.high.copy()
        self.cost = np.where(self.values == 0, ZERO_COST, 2 + np.sqrt(self.values))
        self.cost[self.hidden] = HIDDEN_COST
        self.up, self.down = self._within(CAP)
        self.programs = 0
        self.failed: set[int] = set()
        self.highs = self._model()

    def _within(self, reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far each cell may move up and down when none moves further than `reach`."""
        return np.full(self.count, reach), np.minimum(self.values, reach)

    def _model(self) -> highspy.Highs:
        relations = self.block.relations.astype(float)
        moves = csc_matrix(hstack([relations, -relations]))
        return sums_to_nothing(moves, np.concatenate([self.cost, self.cost]), np.concatenate([self.up, self.down]))

    def run(self) -> Solved:
        block = self.block
        needs = np.flatnonzero((block.required_low < self.values) | (block.required_high > self.values))
        for cell in needs[np.argsort(-self.values[needs], kind="stable")]:
            if self.high[cell] < block.required_high[cell] - TOLERANCE:
                self._push_or_fail(int(cell), block.required_high[cell] - self.values[cell])
            if self.low[cell] > block.required_low[cell] + TOLERANCE:
                self._push_or_fail(int(cell), block.required_low[cell] - self.values[cell])
        while len(narrow := self._narrow()):
            for cell in narrow:
                self._widen(int(cell))
        failed = np.array(sorted(self.failed), dtype=np.int64)
        return Solved(self.hidden, self.low, self.high, failed, self.programs)

    def _narrow(self) -> NDArray[np.int64]:
        narrow = self.hidden & (self.high - self.low < self.block.required_width - TOLERANCE)
        narrow[list(self.failed)] = False
        return np.flatnonzero(narrow)

    def _widen(self, cell: int) -> None:
        width = self.block.required_width[cell]
        if self.high[cell] - self.low[cell] >= width - TOLERANCE:  # by another cell's witness meanwhile
            return
        above, below = self.high[cell] - self.values[cell], self.values[cell] - self.low[cell]
        for lifted in (False, True):
            if self._push(cell, width - below, lifted):
                return
            if width - above <= self.values[cell] and self._push(cell, above - width, lifted):
                return
        # Neither way alone: as far as it goes both ways.
        self._stretch(cell)
        if self.high[cell] - self.low[cell] < width - TOLERANCE:
            self.failed.add(cell)

    def _stretch(self, cell: int) -> None:
        highs = self.highs
        for column in (cell, cell + self.count):
            highs.changeColCost(column, -_REWARD)
            highs.run()
            self.programs += 1
            if highs.getModelStatus() == highspy.HighsModelStatus.kOptimal:
                solution = np.array(highs.getSolution().col_value)
                self._keep(solution[: self.count] - solution[self.count :])
            highs.changeColCost(column, HIDDEN_COST)

    def _push_or_fail(self, cell: int, amount: float) -> None:
        if not (self._push(cell, amount, False) or self._push(cell, amount, True)):
            self.failed.add(cell)

    def _push(self, cell: int, amount: float, lifted: bool) -> bool:
        """Seek the cheapest witness in which the cell has moved by the amount (down when negative); keep it."""
        highs, count, up, down = self.highs, self.count, self.up, self.down
        if lifted:
            reach = max(10 * CAP, 4 * abs(amount), float(self.values.max()))
            up, down = self._within(reach)
            self._set_bounds(up, down)
        move, other = (cell, cell + count) if amount > 0 else (cell + count, cell)
        limits = np.concatenate([up, down])
        highs.changeColBounds(move, abs(amount), max(abs(amount), limits[move]))
        highs.changeColBounds(other, 0.0, 0.0)
        highs.run()
        self.programs += 1
        found = bool(highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)
        if found:
            solution = np.array(highs.getSolution().col_value)
            self._keep(solution[:count] - solution[count:])
        if lifted:
            self._set_bounds(self.up, self.down)
        else:
            highs.changeColBounds(move, 0.0, limits[move])
            highs.changeColBounds(other, 0.0, limits[other])
        return found

    def _set_bounds(self, up: NDArray[np.float64], down: NDArray[np.float64]) -> None:
        size = 2 * self.count
        upper = np.concatenate([up, down])
        self.highs.changeColsBounds(size, np.arange(size, dtype=np.int32), np.zeros(size), upper)

    def _keep(self, moved: NDArray[np.float64]) -> None:
        moved[np.abs(moved) < _NOISE] = 0
        for cell in np.flatnonzero((moved != 0) & ~self.hidden):
            self.hidden[cell] = True
            for column in (int(cell), int(cell) + self.count):
                self.highs.changeColCost(column, HIDDEN_COST)
        np.minimum(self.low, self.values + moved, out=self.low)
        np.maximum(self.high, self.values + moved, out=self.high)
