"""The independent audit: what readers can conclude about suppressed figures from everything published together.

It knows nothing of how the pattern was found. From the tables' rows and the codes' hierarchies it derives every
relation itself (`public_system.py`, `cycles.py`), works out what follows from single relations, and bounds the rest
with linear programs, component by component (`bounds.py`).

Attackers: `plain` uses the relations and that counts are not negative. `strong` knows besides that counts are whole, so
a count is possible only by a whole solution, checked in integer arithmetic. The threshold is known to both and narrows
nothing: what is shown is then 0 or at least the threshold, which it is anyway. (That a pattern exists because something
in it is small no pattern can hide.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from publish.suppression.bounds import EPSILON, Component, Impossible, Intervals, find_intervals
from publish.suppression.cycles import add_crossed_cells
from publish.suppression.public_system import Cell, NotPublic, PublicSystem, PublicTable, cell_of, read_tables

__all__ = ["Audit", "Bounds", "Cell", "Failure", "Need", "NotPublic", "PublicTable", "audit", "cell_of"]

Attacker = Literal["plain", "strong"]
MOST_CROSSED_CELLS = 20_000


@dataclass(frozen=True)
class Need:
    """What must stay possible: `low` to `high` for a protected cell, an interval of `width` for any suppressed one."""

    low: int = 0
    high: int = 5
    width: int = 5


@dataclass(frozen=True)
class Bounds:
    """What readers can't rule out about a cell. Known exactly when low == high.

    Exact when nothing outside can be true; otherwise at least this much is possible, proven by witnesses.
    """

    low: float
    high: float
    is_exact: bool


@dataclass(frozen=True)
class Failure:
    """A cell about which too much can be concluded."""

    cell: Cell
    bounds: Bounds
    is_protected: bool
    """False for a suppressed cell that needs no protection itself, and whose interval is too narrow."""


@dataclass(frozen=True)
class Audit:
    """What the attacker can conclude."""

    bounds: Mapping[Cell, Bounds]
    """Of every suppressed cell, and of every protected one."""
    failures: tuple[Failure, ...]
    narrowest: float | None
    """The narrowest interval of a suppressed or protected cell; None when there is none."""
    cells: int
    relations: int
    components: int
    programs: int
    integer_programs: int
    undecided: int
    """Integer programs that ran out of time; their cells are failures unless witnesses prove them."""
    crossed_cells: int
    left_out: tuple[str, ...]
    """Cycles of margins whose crossed cells were too many to carry: the attacker was that much weaker."""
    seconds: float

    @property
    def is_passed(self) -> bool:
        """Whether no cell fails."""
        return not self.failures


def audit(
    tables: Sequence[PublicTable],
    hierarchies: Mapping[str, Sequence[Mapping[str, str]]],
    totals: Mapping[str, str],
    attacker: Attacker = "strong",
    *,
    protected: Collection[Cell] = (),
    need: Need = Need(),
    full: bool = False,
    most_crossed_cells: int = MOST_CROSSED_CELLS,
    seconds_per_program: float = 20.0,
    threads: int = 2,
    on_component: Callable[[int, int], None] | None = None,
) -> Audit:
    """Bound every suppressed cell from all tables together, and judge.

    Args:
        tables: everything public of one count. A cell that a table could hold and that none does is unknown, not 0.
        hierarchies: by dimension its trees, each child → parent. A dimension without adds up to its total directly.
        totals: by dimension the code of its total. One without (quarters) only adds up within its trees.
        attacker: what readers know beside the tables.
        protected: cells of which `need.low` to `need.high` must be possible.
        need: what must stay possible.
        full: exact bounds of every suppressed cell; otherwise only as far as the judgement needs.
        most_crossed_cells: how many unpublished cells the cycles of margins may bring.
        seconds_per_program: how long one integer program may take.
        threads: how many components are bounded at a time; changes nothing but the time.
        on_component: called as components are done, with how many are and how many there are.

    Returns:
        Bounds, and the cells that fail.

    Raises:
        NotPublic: the tables contradict each other or the hierarchies, or a protected cell is none of theirs.
    """
    began = time.monotonic()
    system = _derive(tables, hierarchies, totals, most_crossed_cells)
    guarded = np.zeros(len(system.cells), dtype=np.bool_)
    for cell in protected:
        if cell not in system.index:
            raise NotPublic(f"{cell} needs protection but is no cell of the tables")
        guarded[system.index[cell]] = True
    known, values = _deduce(system)
    judge = _Judge(system, guarded, need, known, values)
    found = [cells for cells in _components(system.relations, ~known) if judge.asked[cells].any()]
    found.sort(key=len, reverse=True)
    # HiGHS, in which nearly all time is spent, lets other threads run meanwhile.
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        bound = partial(find_intervals, whole=attacker == "strong", full=full, seconds_per_program=seconds_per_program)
        waiting = [pool.submit(bound, judge.component(cells)) for cells in found]
        for number, (cells, intervals) in enumerate(zip(found, waiting, strict=True), start=1):
            try:
                judge.take(cells, intervals.result())
            except Impossible as error:
                pool.shutdown(cancel_futures=True)
                raise NotPublic(f"{error} (among others {system.cells[cells[0]]})") from None
            if on_component is not None:
                on_component(number, len(found))
    return judge.result(len(found), time.monotonic() - began)


def _derive(
    tables: Sequence[PublicTable],
    hierarchies: Mapping[str, Sequence[Mapping[str, str]]],
    totals: Mapping[str, str],
    most_crossed_cells: int,
) -> PublicSystem:
    build = read_tables(tables, hierarchies, totals)
    build.close_upwards()
    added, left_out = add_crossed_cells(build, most_crossed_cells)
    build.relate()
    return build.finish(added, tuple(left_out))


def _deduce(system: PublicSystem) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """What follows from single relations: the one unknown in it, or all parts of a whole that is used up.

    Raises:
        NotPublic: a relation doesn't hold.
    """
    relations, known, values = system.relations, system.is_known.copy(), system.values.copy()
    wholes = np.asarray(relations.indices[relations.indptr[:-1]])
    sizes = abs(relations)
    while True:
        unknown = sizes @ (~known).astype(np.int64)
        rest = relations @ np.where(known, values, 0)
        for row in np.flatnonzero((unknown == 0) & (rest != 0)):
            raise NotPublic(f"{system.cells[wholes[row]]}: the parts don't add up to the whole")
        used_up = known[wholes] & (rest == 0) & (unknown > 0)
        rows = np.flatnonzero((unknown == 1) | used_up)
        if not len(rows):
            return known, values
        for row in rows:
            members = relations.indices[relations.indptr[row] : relations.indptr[row + 1]]
            for cell in members[~known[members]]:
                # With the whole known, its unknown part is what is lacking; the whole itself is what its parts are.
                value = 0 if used_up[row] else int(rest[row]) if cell == wholes[row] else -int(rest[row])
                if value < 0:
                    raise NotPublic(f"{system.cells[wholes[row]]}: the parts are more than the whole")
                known[cell], values[cell] = True, value


def _components(relations: csr_matrix, free: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The free cells, by what hangs together through relations."""
    _, count = relations.shape
    open_ones = relations.tocoo()
    use = free[open_ones.col]
    rows, columns = open_ones.row[use] + count, open_ones.col[use]
    size = count + relations.shape[0]
    graph = csr_matrix((np.ones(len(rows), dtype=np.int8), (columns, rows)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    cells = np.flatnonzero(free)
    order = cells[np.argsort(labels[cells], kind="stable")]
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return [part.astype(np.int64) for part in np.split(order, cuts)] if len(order) else []


class _Judge:
    """Collects bounds, and compares them with what must stay possible."""

    def __init__(
        self,
        system: PublicSystem,
        guarded: NDArray[np.bool_],
        need: Need,
        known: NDArray[np.bool_],
        values: NDArray[np.int64],
    ) -> None:
        self.system, self.guarded, self.need, self.known, self.values = system, guarded, need, known, values
        self.asked = system.is_suppressed | guarded
        self.low = np.where(known, values, np.nan).astype(float)
        self.high = self.low.copy()
        self.is_exact = known.copy()
        self.programs = self.integer_programs = self.undecided = 0
        self.columns = system.relations.tocsc()
        self.constants = -(system.relations @ np.where(known, values, 0))

    def component(self, cells: NDArray[np.int64]) -> Component:
        relations = self.columns[:, cells].tocsr()
        rows = np.flatnonzero(np.diff(relations.indptr))
        guarded = self.guarded[cells]
        return Component(
            relations=relations[rows].tocsc(),
            constants=self.constants[rows],
            asked=self.asked[cells],
            covered_low=np.where(guarded, float(self.need.low), np.inf),
            covered_high=np.where(guarded, float(self.need.high), -np.inf),
            width=np.where(self.system.is_suppressed[cells], float(self.need.width), 0.0),
        )

    def take(self, cells: NDArray[np.int64], intervals: Intervals) -> None:
        self.low[cells], self.high[cells] = intervals.low, intervals.high
        self.is_exact[cells] = intervals.low_is_exact & intervals.high_is_exact
        self.programs += intervals.programs
        self.integer_programs += intervals.integer_programs
        self.undecided += intervals.undecided

    def result(self, components: int, seconds: float) -> Audit:
        system, need, low, high = self.system, self.need, self.low, self.high
        # Not "narrower than": bounds that were not found are no proof either.
        covers = (low <= need.low + EPSILON) & (high >= need.high - EPSILON)
        wide = high - low >= need.width - EPSILON
        fails = (self.guarded & ~covers) | (system.is_suppressed & ~wide)
        asked = np.flatnonzero(self.asked)
        bounds = {system.cells[at]: Bounds(float(low[at]), float(high[at]), bool(self.is_exact[at])) for at in asked}
        failures = tuple(
            Failure(system.cells[at], bounds[system.cells[at]], bool(self.guarded[at])) for at in np.flatnonzero(fails)
        )
        widths = (high - low)[asked]
        return Audit(
            bounds=bounds,
            failures=failures,
            narrowest=float(np.nanmin(widths)) if np.isfinite(widths).any() else None,
            cells=len(system.cells),
            relations=system.relations.shape[0],
            components=components,
            programs=self.programs,
            integer_programs=self.integer_programs,
            undecided=self.undecided,
            crossed_cells=system.crossed_cells,
            left_out=system.left_out,
            seconds=seconds,
        )
