"""Which further cells must be hidden, so that nothing can be concluded about those that need protection.

Small systems are solved to the optimum (`optimum.py`); others block by block with minimum-cost perturbations
(`perturbing.py`). What is found is no proof: that is given by `auditing.py`, which shares no code with this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from publish.suppression.linked import Linked, components
from publish.suppression.optimum import find_optimum
from publish.suppression.perturbing import TOLERANCE, Block, Solved, solve

SMALL_CELLS, SMALL_PRIMARIES = 400, 100


@dataclass(frozen=True)
class Requirement:
    """What must stay possible: 0 to `threshold` for a primary cell, an interval of `width` for any hidden one."""

    threshold: int = 5
    """The smallest count that needs no protection; 1 to threshold − 1 do."""
    width: int = 5
    optimum_seconds: float = 20.0
    """How long the optimum of a small system is sought before the heuristic decides; 0 for the heuristic at once."""


@dataclass(frozen=True)
class Protection:
    """A pattern of hidden cells. Arrays have the length and order of the system's cells."""

    suppressed: NDArray[np.bool_]
    """Hidden from readers."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Witnessed: readers can't rule out any value between. (What they can is for the audit to say.)"""
    unsolved: NDArray[np.int64]
    """Cells for which the requirement can't be met, whatever may still be hidden."""
    method: Literal["nothing to protect", "optimum", "heuristic"]
    programs: int
    """How many linear or integer programs were solved."""
    seconds: float

    @property
    def is_solved(self) -> bool:
        """Whether every cell has what it needs, as far as the protection itself knows."""
        return not len(self.unsolved)


def protect(
    linked: Linked,
    requirement: Requirement,
    *,
    processes: int = 2,
    on_block: Callable[[int, int], None] | None = None,
) -> Protection:
    """Hide as little as possible so that every primary cell and every hidden cell has what the requirement asks.

    Args:
        linked: the system.
        requirement: what must stay possible.
        processes: how many blocks are solved at a time.
        on_block: called as blocks are done, with how many are and how many there are; their number can grow once, when
            blocks without a solution get their preferred cells freed.

    Returns:
        The pattern. Unsolved cells are named in it, not raised.
    """
    began = time.monotonic()
    if not linked.hidden.any():
        values = linked.values.astype(float)
        nothing = np.zeros(0, dtype=np.int64)
        return Protection(linked.suppressed, values, values, nothing, "nothing to protect", 0, 0.0)
    search = _Search(linked, requirement, processes, on_block)
    search.run()
    found = search.result()
    small = len(linked.values) <= SMALL_CELLS and linked.primary.sum() <= SMALL_PRIMARIES
    if small and requirement.optimum_seconds > 0:
        best = find_optimum(
            linked,
            threshold=requirement.threshold,
            width=requirement.width,
            seconds=requirement.optimum_seconds,
            known=found.suppressed if found.is_solved else None,
        )
        if best is not None:
            none = np.zeros(0, dtype=np.int64)
            programs = found.programs + best.programs
            found = Protection(best.suppressed, best.low, best.high, none, "optimum", programs, 0.0)
    return replace(found, seconds=time.monotonic() - began)


class _Search:
    """The heuristic over all blocks, with the intervals proven so far."""

    def __init__(
        self, linked: Linked, requirement: Requirement, processes: int, on_block: Callable[[int, int], None] | None
    ) -> None:
        self.linked, self.requirement, self.processes, self.on_block = linked, requirement, processes, on_block
        values = linked.values.astype(float)
        self.hidden = linked.hidden.copy()
        self.low, self.high = values.copy(), values.copy()
        self.required_low = np.where(linked.primary, 0.0, values)
        self.required_high = np.where(linked.primary, np.maximum(values, requirement.threshold), values)
        self.programs = self.done = self.blocks = 0
        self.columns = linked.relations.tocsc()

    def run(self) -> None:
        linked = self.linked
        preferred = linked.preferred_shown & ~self.hidden
        self._solve(~preferred)
        # Without a solution: free the preferred cells that share a relation with the block, at last all of them.
        for everywhere in (False, True):
            failed = self._unproven()
            if not failed.any() or not (preferred & ~self.hidden).any():
                return
            free = ~preferred | self.hidden
            if everywhere:
                freed = preferred
            else:
                around = np.zeros(len(failed), dtype=np.bool_)
                for cells in components(self.linked.relations, free):
                    if failed[cells].any():
                        rows = np.flatnonzero(np.diff(self.columns[:, cells].tocsr().indptr))
                        around[self.linked.relations[rows].indices] = True
                freed = preferred & around
            self._solve(free | freed, only=failed)

    def result(self) -> Protection:
        unsolved = np.flatnonzero(self._unproven())
        return Protection(self.hidden, self.low, self.high, unsolved, "heuristic", self.programs, 0.0)

    def _unproven(self) -> NDArray[np.bool_]:
        low, high = self.low, self.high
        primary = (low > self.required_low + TOLERANCE) | (high < self.required_high - TOLERANCE)
        narrow = self.hidden & (high - low < self.requirement.width - TOLERANCE)
        return np.asarray(primary | narrow)

    def _solve(self, free: NDArray[np.bool_], only: NDArray[np.bool_] | None = None) -> None:
        """Solve the blocks over the free cells that have something to prove; with `only`, those that hold one of it."""
        wanted = self._unproven() if only is None else only
        blocks = [cells for cells in components(self.linked.relations, free) if wanted[cells].any()]
        self.blocks += len(blocks)
        for cells, solved in self._solved(blocks):
            self.hidden[cells] |= solved.hidden
            self.low[cells] = np.minimum(self.low[cells], solved.low)
            self.high[cells] = np.maximum(self.high[cells], solved.high)
            self.programs += solved.programs
            self.done += 1
            if self.on_block is not None:
                self.on_block(self.done, self.blocks)

    def _solved(self, blocks: list[NDArray[np.int64]]) -> Iterator[tuple[NDArray[np.int64], Solved]]:
        work = [self._block(cells) for cells in blocks]
        # Threads are enough: nearly all time is spent in HiGHS, which lets other threads run meanwhile. (Processes
        # would have to be spawned, as the caller may hold open databases, and can't be from every caller.)
        with ThreadPoolExecutor(max(self.processes, 1)) as pool:
            yield from zip(blocks, pool.map(solve, work), strict=True)

    def _block(self, cells: NDArray[np.int64]) -> Block:
        relations = self.columns[:, cells].tocsr()
        return Block(
            relations=relations[np.diff(relations.indptr) > 0].tocsc(),
            values=self.linked.values[cells],
            required_low=self.required_low[cells],
            required_high=self.required_high[cells],
            required_width=np.full(len(cells), float(self.requirement.width)),
            hidden=self.hidden[cells],
            low=self.low[cells],
            high=self.high[cells],
        )
