"""The narrowest intervals that linear relations and non-negativity leave for unknown counts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

EPSILON = 1e-6
"""Solutions are exact to about 1e-9 and vertices are fractions with small denominators: so near is the same."""
LARGE = 1e7
"""No limit; a bound of half of it or more is reported as infinite."""


DUAL, PRIMAL = 1, 4
"""HiGHS' simplex strategies. Primal where only the objective changes, so that the last vertex stays good."""
MOST_WHOLE_DIRECTIONS = 60


class _Unsolved(Exception):
    """The solver came to no end."""


class Impossible(ValueError):
    """No counts satisfy what was published."""


@dataclass(frozen=True)
class Component:
    """Unknown cells connected by relations: `relations @ unknown == constants`, unknown ≥ 0."""

    relations: csc_matrix
    constants: NDArray[np.int64]
    asked: NDArray[np.bool_]
    """Whose bounds are wanted."""
    covered_low: NDArray[np.float64]
    covered_high: NDArray[np.float64]
    """What a cell's interval should cover, and …"""
    width: NDArray[np.float64]
    """… how wide it should be: where that is proven, no exact bounds are looked for."""


@dataclass
class Intervals:
    """Per cell of a component: counts between low and high can't be ruled out; where exact, all others can."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_is_exact: NDArray[np.bool_]
    high_is_exact: NDArray[np.bool_]
    programs: int = 0
    integer_programs: int = 0
    undecided: int = 0
    """Integer programs that ran out of time: their cells' intervals are what witnesses prove, no more."""


def find_intervals(
    component: Component, *, whole: bool, full: bool, seconds_per_program: float = 20.0, seed: int = 1
) -> Intervals:
    """Bounds of a component's cells.

    Args:
        component: the cells and their relations.
        whole: the attacker knows that counts are whole: only integral solutions, checked in integer arithmetic, prove
            that a count is possible.
        full: exact bounds for all asked; else only as far as needed to see whether they suffice.
        seconds_per_program: how long one integer program may take.
        seed: of the random objectives.

    Raises:
        Impossible: the relations have no solution.
    """
    return _Search(component, whole, full, seconds_per_program, seed).run()


class _Search:
    def __init__(self, component: Component, whole: bool, full: bool, seconds: float, seed: int) -> None:
        self.component, self.whole, self.full, self.seconds = component, whole, full, seconds
        self.count = component.relations.shape[1]
        self.random = np.random.default_rng(seed)
        self.low, self.high = np.full(self.count, np.inf), np.full(self.count, -np.inf)
        # Without regard to wholeness: what is outside is ruled out for every attacker.
        self.outer_low, self.outer_high = np.zeros(self.count), np.full(self.count, np.inf)
        self.exact_low, self.exact_high = np.zeros(self.count, dtype=np.bool_), np.zeros(self.count, dtype=np.bool_)
        self.programs = self.integer_programs = self.undecided = 0
        self.exact_matrix = component.relations.tocsr().astype(np.int64)
        self.highs = self._model()

    def _model(self) -> highspy.Highs:
        highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
            highs.setOptionValue(option, value)
        highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
        matrix, program = self.component.relations, highspy.HighsLp()
        constants = self.component.constants.astype(float)
        program.num_col_, program.num_row_ = self.count, matrix.shape[0]
        program.col_cost_, program.col_lower_ = np.zeros(self.count), np.zeros(self.count)
        program.col_upper_ = np.full(self.count, LARGE)
        program.row_lower_ = program.row_upper_ = constants
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        program.a_matrix_.index_ = matrix.indices.astype(np.int32)
        program.a_matrix_.value_ = matrix.data.astype(float)
        highs.passModel(program)
        return highs

    def run(self) -> Intervals:
        self._start()
        self._sweep()
        if self.whole and not self.full:
            self._whole_sweep()
        for cell in np.flatnonzero(self.component.asked if self.full else self._open()):
            for bound in (self._minimum, self._maximum):
                if self.full or self._open()[cell]:
                    try:
                        bound(int(cell))
                    except _Unsolved:  # what witnesses prove is all that is known: a failure unless it is enough
                        self.undecided += 1
                        self.highs.changeColCost(int(cell), 0.0)
        low, high = _rounded(self.low), _rounded(self.high)
        high[high >= LARGE / 2] = np.inf
        low[high < low] = high[high < low] = np.nan  # no whole solution was found in time
        self.exact_low |= low <= 0
        return Intervals(
            low, high, self.exact_low, self.exact_high, self.programs, self.integer_programs, self.undecided
        )

    def _start(self) -> None:
        """Find a first vertex the quick way: afterwards only the objective changes."""
        for option, value in (("presolve", "on"), ("simplex_strategy", DUAL)):
            self.highs.setOptionValue(option, value)
        with suppress(_Unsolved):  # the programs that follow start from nothing then
            self._solve()
        for option, value in (("presolve", "off"), ("simplex_strategy", PRIMAL)):
            self.highs.setOptionValue(option, value)

    def _open(self) -> NDArray[np.bool_]:
        """Asked, and not yet proven to be as wide as it should be."""
        part, low, high = self.component, self.low, self.high
        uncovered = (low > part.covered_low + EPSILON) | (high < part.covered_high - EPSILON)
        return part.asked & (uncovered | (high - low < part.width - EPSILON))

    def _sweep(self) -> None:
        """Random directions, many cells at once: proves most of them with few programs."""
        self._random_directions()
        self.highs.changeColsCost(self.count, np.arange(self.count, dtype=np.int32), np.zeros(self.count))

    def _random_directions(self) -> None:
        before = self.count + 1
        for step in range(60):
            if step >= 2 and not (self.full and step < 12):
                now = int(self._open().sum())
                if now == 0 or (step > 6 and now > 0.98 * before):
                    return
                before = now
            if step < 2:
                cost = np.full(self.count, 1.0 if step else -1.0)
            else:
                wanted = self.component.asked if self.full else self._open()
                size = self.random.uniform(0.2, 1.0, self.count) * self.random.choice([-1.0, 1.0], self.count)
                cost = np.where(wanted, size, 0.0)
            self.highs.changeColsCost(self.count, np.arange(self.count, dtype=np.int32), cost)
            try:
                self._solve()
            except _Unsolved:
                continue  # it would only have saved programs

    def _solve(self) -> NDArray[np.float64]:
        self.highs.run()
        self.programs += 1
        status = self.highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:  # not to be believed of a hot start: once more from nothing
            self.highs.clearSolver()
            self.highs.run()
            status = self.highs.getModelStatus()
        if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible):
            status = self._solve_otherwise()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise Impossible("no counts satisfy what was published: a figure is wrong or of another table")
        if status != highspy.HighsModelStatus.kOptimal:
            raise _Unsolved
        solution = np.array(self.highs.getSolution().col_value)
        self._keep(solution)
        return solution

    def _solve_otherwise(self) -> highspy.HighsModelStatus:
        """From nothing, by the interior point method: where the simplex method gives up for want of precision."""
        self.highs.clearSolver()
        self.highs.setOptionValue("solver", "ipm")
        self.highs.run()
        self.programs += 1
        self.highs.setOptionValue("solver", "simplex")
        status: highspy.HighsModelStatus = self.highs.getModelStatus()
        return status

    def _keep(self, solution: NDArray[np.float64]) -> bool:
        """Widen the proven intervals by a solution; for whole counts only by an exact one."""
        near = np.rint(solution)
        is_whole = bool(np.abs(solution - near).max(initial=0.0) < EPSILON and (near >= 0).all())
        if is_whole:
            is_whole = not (self.exact_matrix @ near.astype(np.int64) - self.component.constants).any()
        if self.whole and not is_whole:
            return False
        witness = near if is_whole else solution
        np.minimum(self.low, witness, out=self.low)
        np.maximum(self.high, witness, out=self.high)
        return True

    def _minimum(self, cell: int) -> None:
        if self.low[cell] <= 0:
            self.exact_low[cell] = True
            return
        self.outer_low[cell] = self._extreme(cell, 1.0)
        if not self.whole:
            self.exact_low[cell] = True
            return
        self.outer_low[cell] = np.ceil(self.outer_low[cell] - EPSILON)
        if self.low[cell] > self.outer_low[cell] and (self.full or self._open()[cell]):
            self.exact_low[cell] = self._whole_extreme(cell, 1.0)
        else:
            self.exact_low[cell] = self.low[cell] <= self.outer_low[cell]

    def _maximum(self, cell: int) -> None:
        self.outer_high[cell] = self._extreme(cell, -1.0)
        if not self.whole:
            self.exact_high[cell] = True
            return
        self.outer_high[cell] = np.floor(self.outer_high[cell] + EPSILON)
        if self.high[cell] < self.outer_high[cell] and (self.full or self._open()[cell]):
            self.exact_high[cell] = self._whole_extreme(cell, -1.0)
        else:
            self.exact_high[cell] = self.high[cell] >= self.outer_high[cell]

    def _extreme(self, cell: int, sign: float) -> float:
        self.highs.changeColCost(cell, sign)
        value = float(self._solve()[cell])
        self.highs.changeColCost(cell, 0.0)
        return value

    def _whole_sweep(self) -> None:
        """Random directions over whole counts, not solved to the end: every whole solution is a witness for all cells.

        A cell is pushed no further than it needs, so that others can be pushed as well.
        """
        part, history = self.component, [int(self._open().sum())]
        for _ in range(MOST_WHOLE_DIRECTIONS):
            if history[-1] == 0 or (len(history) > 4 and history[-4] - history[-1] < 4):
                return
            wanted, size = self._open(), self.random.uniform(0.2, 1.0, self.count)
            lacks_low, lacks_high = self.low > part.covered_low + EPSILON, self.high < part.covered_high - EPSILON
            up = np.where(lacks_low == lacks_high, self.random.random(self.count) < 0.5, lacks_high)
            model = self._whole_model(np.where(wanted, np.where(up, -size, size), 0.0))
            if np.isfinite(self.low).all():
                # Every witness so far stays a solution.
                top = np.maximum(np.maximum(part.covered_high, self.low + part.width), self.high)
                bottom = np.maximum(np.minimum(np.minimum(part.covered_low, self.high - part.width), self.low), 0.0)
                model.col_upper_ = np.where(wanted & up, np.ceil(top - EPSILON), LARGE)
                model.col_lower_ = np.where(wanted & ~up, np.floor(bottom + EPSILON), 0.0)
            self._run_whole(model, mip_rel_gap=0.05, mip_max_nodes=10)
            history.append(int(self._open().sum()))

    def _whole_extreme(self, cell: int, sign: float) -> bool:
        """The same over whole counts; whether it was solved to the end."""
        cost = np.zeros(self.count)
        cost[cell] = sign
        status, is_solved = self._run_whole(self._whole_model(cost), mip_abs_gap=0.5)
        if status == highspy.HighsModelStatus.kOptimal and is_solved:
            return True
        self.undecided += 1
        return False

    def _whole_model(self, cost: NDArray[np.float64]) -> highspy.HighsLp:
        model: highspy.HighsLp = self.highs.getLp()
        model.col_cost_ = cost
        model.integrality_ = [highspy.HighsVarType.kInteger] * self.count
        return model

    def _run_whole(self, model: highspy.HighsLp, **options: float) -> tuple[highspy.HighsModelStatus, bool]:
        """How it ended, and whether there is a solution that is a witness.

        Raises:
            Impossible: there is none.
        """
        highs = highspy.Highs()
        for option, value in {"output_flag": False, "threads": 1, "time_limit": self.seconds, **options}.items():
            highs.setOptionValue(option, value)
        highs.passModel(model)
        highs.run()
        self.integer_programs += 1
        status: highspy.HighsModelStatus = highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise Impossible("no whole counts satisfy what was published: a figure is wrong or of another table")
        solution = np.array(highs.getSolution().col_value)
        return status, len(solution) == self.count and self._keep(solution)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.rint(values) + 0.0  # no −0
    return np.where(np.abs(values - near) < EPSILON, near, values)
