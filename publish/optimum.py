"""The cheapest pattern of a small system, by integer programs.

Cell suppression as in Fischetti & Salazar 2001 (Management Science 47): a truth value per cell that may be hidden, and
for each thing required an alternative set of counts that may differ from the truth only in hidden cells. Requirements
are added as they turn out to be broken, so most never enter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from publish.linked import Linked
from publish.perturbing import TOLERANCE, Block, solve

_REACH = 4
"""A cell moves at most this many times the largest move required. (A circulation needs no more than once in one table
of two dimensions; linked ones have some room.)"""


@dataclass(frozen=True)
class Optimum:
    """The cheapest pattern; arrays over the system's cells."""

    suppressed: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    programs: int


@dataclass(frozen=True)
class _Asked:
    """A requirement on a cell: a move of an amount (up, or down when negative), or a width when it is hidden."""

    cell: int
    amount: float
    is_width: bool = False


def find_optimum(linked: Linked, *, threshold: int, width: int, seconds: float) -> Optimum | None:
    """Hide the cells whose counts sum to least and, of those patterns, the fewest cells.

    Cells that are preferred shown are hidden only if there is no solution without.

    Returns:
        None when there is no solution, or none proven cheapest within the time.
    """
    deadline = time.monotonic() + seconds
    for constant in (linked.preferred_shown & ~linked.hidden, np.zeros_like(linked.hidden)):
        search = _Search(linked, constant | linked.stays_shown, threshold, width)
        found = search.run(deadline)
        if found is not None or time.monotonic() > deadline:
            return found
    return None


class _Search:
    def __init__(self, linked: Linked, constant: NDArray[np.bool_], threshold: int, width: int) -> None:
        self.linked, self.width = linked, width
        self.threshold = threshold
        self.cells = np.flatnonzero(~constant)
        self.values = linked.values[self.cells].astype(float)
        relations = linked.relations.tocsc()[:, self.cells].tocsr()
        self.relations: csr_matrix = relations[np.diff(relations.indptr) > 0]
        self.hidden = linked.hidden[self.cells]
        self.internal = linked.internal[self.cells]
        self.primary = linked.primary[self.cells]
        candidates = ~self.hidden
        self.cost = np.where(candidates, self.values * (candidates.sum() + 1) + 1, 0.0)
        moves = [threshold, width, *self.values[self.primary].tolist()]
        self.reach = float(_REACH * max(moves))
        self.programs = 0
        self.blocked = linked.primary & linked.stays_shown

    def run(self, deadline: float) -> Optimum | None:
        if self.blocked.any():
            return None
        asked: list[_Asked] = []
        pattern = self.hidden.copy()
        while True:
            low, high, new = self._check(pattern)
            new = [one for one in new if one not in asked]
            if low is not None and high is not None:
                return self._optimum(pattern, low, high)
            if not new:
                return None  # the reach is too short for what the check found possible
            asked += new
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            found = self._cheapest(asked, left)
            if found is None:
                return None
            pattern = found

    def _check(
        self, pattern: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, list[_Asked]]:
        """The intervals that the pattern gives, if they suffice; else what it leaves undone."""
        at = np.flatnonzero(pattern)
        relations = self.relations.tocsc()[:, at].tocsr()
        values, primary = self.values[at], self.primary[at]
        block = Block(
            relations=csc_matrix(relations[np.diff(relations.indptr) > 0]),
            values=values.astype(np.int64),
            required_low=np.where(primary, 0.0, values),
            required_high=np.where(primary, np.maximum(values, self.threshold), values),
            required_width=float(self.width),
            hidden=np.ones(len(at), dtype=np.bool_),
            internal=self.internal[at],
            low=values.copy(),
            high=values.copy(),
        )
        solved = solve(block)
        self.programs += solved.programs
        if not len(solved.failed):
            low, high = self.values.copy(), self.values.copy()
            low[at], high[at] = solved.low, solved.high
            return low, high, []
        asked = []
        for position in solved.failed:
            cell, value = int(at[position]), values[position]
            if primary[position]:
                if solved.high[position] < self.threshold - TOLERANCE:
                    asked.append(_Asked(cell, self.threshold - value))
                if solved.low[position] > TOLERANCE:
                    asked.append(_Asked(cell, -value))
            if not self.internal[position] and solved.high[position] - solved.low[position] < self.width - TOLERANCE:
                asked.append(_Asked(cell, float(self.width), is_width=True))
        return None, None, asked

    def _cheapest(self, asked: list[_Asked], seconds: float) -> NDArray[np.bool_] | None:
        """The cheapest pattern that does all that is asked: one truth value per cell, one alternative per move."""
        count, m = len(self.cells), self.relations.shape[0]
        alternatives = sum(2 if one.is_width else 1 for one in asked)
        columns = count * (1 + alternatives)
        rows, at, data = [], [], []
        row_low: list[NDArray[np.float64]] = []
        row_high: list[NDArray[np.float64]] = []
        base = 0
        relations = self.relations.tocoo()
        cell = np.arange(count)
        down = np.minimum(self.values, self.reach)

        def add(r: NDArray[np.int64], c: NDArray[np.int64], d: NDArray[np.float64]) -> None:
            rows.append(base + r)
            at.append(c)
            data.append(d)

        for number in range(alternatives):
            first = count * (1 + number)
            add(relations.row, relations.col + first, relations.data.astype(float))
            row_low.append(np.zeros(m))
            row_high.append(np.zeros(m))
            base += m
            # moved ≤ reach · hidden, and −moved ≤ down · hidden
            add(cell, cell + first, np.ones(count))
            add(cell, cell, np.full(count, -self.reach))
            base += count
            add(cell, cell + first, -np.ones(count))
            add(cell, cell, -down)
            base += count
            row_low.append(np.full(2 * count, -np.inf))
            row_high.append(np.zeros(2 * count))
        lower = np.concatenate([self.hidden.astype(float), np.tile(-down, alternatives)])
        upper = np.concatenate([np.ones(count), np.full(count * alternatives, self.reach)])
        number = 1
        for one in asked:
            column = count * number + one.cell
            if one.is_width:
                add(np.zeros(3, int), np.array([column, column + count, one.cell]), np.array([1.0, -1.0, -one.amount]))
                row_low.append(np.zeros(1))
                row_high.append(np.full(1, np.inf))
                base += 1
            else:
                lower[column] = upper[column] = one.amount
            number += 2 if one.is_width else 1
        matrix = coo_matrix(
            (np.concatenate(data), (np.concatenate(rows), np.concatenate(at))), shape=(base, columns)
        ).tocsc()
        highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds), ("mip_rel_gap", 0.0)):
            highs.setOptionValue(option, value)
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = columns, base
        program.col_cost_ = np.concatenate([self.cost, np.zeros(count * alternatives)])
        program.col_lower_, program.col_upper_ = lower, upper
        program.row_lower_, program.row_upper_ = np.concatenate(row_low), np.concatenate(row_high)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        program.a_matrix_.index_ = matrix.indices.astype(np.int32)
        program.a_matrix_.value_ = matrix.data
        whole, real = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        program.integrality_ = [whole] * count + [real] * (count * alternatives)
        highs.passModel(program)
        highs.run()
        self.programs += 1
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(highs.getSolution().col_value[:count]) > 0.5

    def _optimum(self, pattern: NDArray[np.bool_], low: NDArray[np.float64], high: NDArray[np.float64]) -> Optimum:
        linked = self.linked
        suppressed = np.zeros(len(linked.values), dtype=np.bool_)
        suppressed[self.cells[pattern & ~self.internal]] = True
        lows, highs = linked.values.astype(float), linked.values.astype(float)
        lows[self.cells], highs[self.cells] = low, high
        return Optimum(suppressed, lows, highs, self.programs)
