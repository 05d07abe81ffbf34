"""The cheapest pattern of a small system, by cutting planes.

Cell suppression as in Fischetti & Salazar 2001 (Management Science 47): a truth value per cell that may be hidden, and
for each thing required the linear program of a reader who looks for the extreme of a cell. Where a pattern leaves that
reader too little room, the program's dual says which cells could give more: a cut that every sufficient pattern
satisfies. Cuts are collected over fractional patterns first, then the integer program over them is solved until nothing
is broken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from publish.suppression.linked import Linked
from publish.suppression.perturbing import TOLERANCE, Block, solve, sums_to_nothing

_REACH = 4
"""A cell moves at most this many times the largest move required. (A circulation needs no more than once in one table
of two dimensions; linked ones have some room.)"""
_ROUNDS = 60
_BROKEN = 1e-4
"""A cut is worth adding when broken by this share of what it asks."""


@dataclass(frozen=True)
class Optimum:
    """The cheapest pattern; arrays over the system's cells."""

    suppressed: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    programs: int


@dataclass(frozen=True)
class _Cut:
    """`weights @ hidden >= least`, over the cells that may be chosen."""

    weights: NDArray[np.float64]
    least: float


class _NoSolution(Exception):
    pass


class _OutOfTime(Exception):
    pass


def find_optimum(
    linked: Linked, *, threshold: int, width: int, seconds: float, known: NDArray[np.bool_] | None = None
) -> Optimum | None:
    """Hide the cells whose counts sum to least and, of those patterns, the fewest cells.

    Cells that are preferred shown are hidden only if there is no solution without.

    Args:
        linked: the system.
        threshold: 0 to this must be possible for a primary cell.
        width: of the interval of every hidden cell.
        seconds: after which it gives up.
        known: a pattern that suffices; a cheaper one or this is looked for.

    Returns:
        None when there is no solution, or none proven cheapest within the time.
    """
    deadline = time.monotonic() + seconds
    preferred = linked.preferred_shown & ~linked.hidden
    for constant in (preferred, np.zeros_like(preferred)) if preferred.any() else (preferred,):
        usable = known if known is not None and not (known & constant).any() else None
        try:
            return _Search(linked, constant, threshold, width, deadline).run(usable)
        except _OutOfTime:
            return None
        except _NoSolution:
            continue
    return None


class _Search:
    def __init__(
        self, linked: Linked, constant: NDArray[np.bool_], threshold: int, width: int, deadline: float
    ) -> None:
        self.linked, self.width, self.threshold, self.deadline = linked, width, threshold, deadline
        self.cells = np.flatnonzero(~constant)
        self.values = linked.values[self.cells].astype(float)
        relations = linked.relations.tocsc()[:, self.cells].tocsr()
        self.relations: csr_matrix = relations[np.diff(relations.indptr) > 0]
        self.hidden = linked.hidden[self.cells]
        self.primary = linked.primary[self.cells]
        self.chosen_from = np.flatnonzero(~self.hidden)
        self.cost = self.values[self.chosen_from] * (len(self.chosen_from) + 1) + 1
        self.reach = float(_REACH * max([threshold, width, *self.values[self.primary].tolist()]))
        self.programs = 0
        self.reader = self._reader()
        self.master = self._master()

    def run(self, known: NDArray[np.bool_] | None) -> Optimum:
        if known is not None:
            most = float(self.cost @ known[self.cells][self.chosen_from]) + 0.5
            self._add(_Cut(-self.cost, -most))
        for cut in self._bridges():
            self._add(cut)
        for _ in range(_ROUNDS):
            cuts = list(self._broken(self._solve_master(), is_final=False))
            if not cuts:
                break
            for cut in cuts:
                self._add(cut)
        count = len(self.chosen_from)
        whole = np.full(count, highspy.HighsVarType.kInteger)
        for column in range(count):
            self.master.changeColIntegrality(column, whole[column])
        while True:
            chosen = np.rint(self._solve_master())
            cuts = list(self._broken(chosen, is_final=True))
            if not cuts:
                return self._optimum(chosen > 0.5)
            for cut in cuts:
                self._add(cut)

    def _master(self) -> highspy.Highs:
        highs, program, count = highspy.Highs(), highspy.HighsLp(), len(self.chosen_from)
        for option, value in (("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.5)):
            highs.setOptionValue(option, value)
        program.num_col_, program.num_row_ = count, 0
        program.col_cost_ = self.cost
        program.col_lower_, program.col_upper_ = np.zeros(count), np.ones(count)
        highs.passModel(program)
        return highs

    def _solve_master(self) -> NDArray[np.float64]:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _OutOfTime
        if not len(self.chosen_from):
            return np.zeros(0)
        self.master.setOptionValue("time_limit", self.master.getRunTime() + left)
        self.master.run()
        self.programs += 1
        status = self.master.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise _NoSolution
        if status != highspy.HighsModelStatus.kOptimal:
            raise _OutOfTime
        return np.asarray(np.clip(np.array(self.master.getSolution().col_value), 0, 1))

    def _add(self, cut: _Cut) -> None:
        at = np.flatnonzero(cut.weights)
        if not len(at) and cut.least > 0:
            raise _NoSolution  # no cell that may be chosen helps
        self.master.addRow(cut.least, highspy.kHighsInf, len(at), at.astype(np.int32), cut.weights[at])

    def _bridges(self) -> Iterator[_Cut]:
        """No cell is hidden alone in a relation."""
        number = np.full(len(self.cells), -1)
        number[self.chosen_from] = np.arange(len(self.chosen_from))
        for row in range(self.relations.shape[0]):
            members = self.relations.indices[self.relations.indptr[row] : self.relations.indptr[row + 1]]
            fixed, free = members[self.hidden[members]], number[members[~self.hidden[members]]]
            if len(fixed) == 1:
                weights = np.zeros(len(self.chosen_from))
                weights[free] = 1
                yield _Cut(weights, 1.0)
            elif not len(fixed):
                for one in free:
                    weights = np.zeros(len(self.chosen_from))
                    weights[free], weights[one] = 1, -1
                    yield _Cut(weights, 0.0)

    def _reader(self) -> highspy.Highs:
        """The program of a reader who looks for a cell's extreme; moves are limited per pattern."""
        still = np.zeros(len(self.cells))
        return sums_to_nothing(csc_matrix(self.relations).astype(float), still, still)

    def _broken(self, chosen: NDArray[np.float64], *, is_final: bool) -> Iterator[_Cut]:
        """Cuts that a pattern breaks; for a final one any that there is."""
        part = self.hidden.astype(float)
        part[self.chosen_from] = chosen
        # Short moves first: they give the stronger cuts. A final pattern is held to what is required and no more.
        for reach in (float(max(self.threshold, self.width)), self.reach) if is_final else (self.threshold,):
            found = False
            for cut in self._cuts(part, float(reach)):
                if cut.weights @ chosen < cut.least - _BROKEN * max(1.0, abs(cut.least)):
                    found = True
                    yield cut
            if found:
                return

    def _cuts(self, part: NDArray[np.float64], reach: float) -> Iterator[_Cut]:
        size = len(self.cells)
        up, down = np.full(size, reach), np.minimum(self.values, reach)
        # A primary cell of a large count moves by all of it, and others with it.
        moves = np.maximum(self.values[self.primary], self.threshold).max(initial=0.0)
        if moves > reach:
            up, down = np.full(size, moves), np.minimum(self.values, moves)
        self.reader.changeColsBounds(size, np.arange(size, dtype=np.int32), -down * part, up * part)
        for cell in np.flatnonzero(self.primary).tolist():
            for sign, amount in ((1.0, self.threshold - self.values[cell]), (-1.0, self.values[cell])):
                if amount > 0 and (weights := self._extreme(cell, sign, amount)) is not None:
                    yield self._cut(weights, amount)
        for cell in np.flatnonzero(part > TOLERANCE).tolist():
            if self.primary[cell] and self.width <= self.threshold:
                continue
            asked = self.width * part[cell]
            above = self._extreme(cell, 1.0, asked)
            below = None if above is None else self._extreme(cell, -1.0, asked)
            if above is None or below is None:
                continue
            both = above + below
            if self.hidden[cell]:
                yield self._cut(both, self.width)
            else:
                trimmed = np.minimum(both, self.width)
                fixed = float(trimmed[self.hidden].sum())
                trimmed[cell] = min(both[cell], self.width) - self.width
                yield _Cut(trimmed[self.chosen_from], -fixed)

    def _extreme(self, cell: int, sign: float, enough: float) -> NDArray[np.float64] | None:
        """What each hidden cell adds at most to how far a cell can go; None when the pattern lets it go far enough."""
        reader = self.reader
        reader.changeColCost(cell, -sign)
        reader.run()
        self.programs += 1
        if self.programs % 64 == 0 and time.monotonic() > self.deadline:
            raise _OutOfTime
        reader.changeColCost(cell, 0.0)
        solution = reader.getSolution()
        if sign * solution.col_value[cell] >= enough - TOLERANCE:
            return None
        # HiGHS minimises: a negative dual is a gain from a higher upper bound, a positive one from a lower lower bound.
        dual = np.array(solution.col_dual)
        weights = np.where(dual < 0, -dual * self.reach, dual * np.minimum(self.values, self.reach))
        weights[np.abs(dual) < 1e-9] = 0.0
        return np.asarray(weights)

    def _cut(self, weights: NDArray[np.float64], amount: float) -> _Cut:
        """A cut from weights over all cells: hidden ones are taken off, and none counts for more than is left."""
        least = amount - float(weights[self.hidden].sum())
        return _Cut(np.clip(weights[self.chosen_from], 0, max(least, 0.0)), least)

    def _optimum(self, chosen: NDArray[np.bool_]) -> Optimum:
        """The pattern with the intervals that witnesses prove.

        Raises:
            _NoSolution: they don't prove all that is required.
        """
        linked = self.linked
        pattern = self.hidden.copy()
        pattern[self.chosen_from] = chosen
        at = np.flatnonzero(pattern)
        relations = self.relations.tocsc()[:, at].tocsr()
        values, primary = self.values[at], self.primary[at]
        solved = solve(
            Block(
                relations=csc_matrix(relations[np.diff(relations.indptr) > 0]),
                values=values.astype(np.int64),
                required_low=np.where(primary, 0.0, values),
                required_high=np.where(primary, np.maximum(values, self.threshold), values),
                required_width=np.full(len(at), float(self.width)),
                hidden=np.ones(len(at), dtype=np.bool_),
                low=values.copy(),
                high=values.copy(),
            )
        )
        if len(solved.failed):
            raise _NoSolution
        suppressed = np.zeros(len(linked.values), dtype=np.bool_)
        suppressed[self.cells[pattern]] = True
        low, high = linked.values.astype(float), linked.values.astype(float)
        low[self.cells[at]], high[self.cells[at]] = solved.low, solved.high
        return Optimum(suppressed, low, high, self.programs + solved.programs)
