"""The linked system: all cells of a table, and what adds up to what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components


class NotLinked(ValueError):
    """The cells and relations given are no linked system; the message says why."""


@dataclass(frozen=True)
class Linked:
    """n cells and m relations between them. Masks have length n.

    Raises:
        NotLinked: lengths differ, a count is negative, the true counts don't satisfy a relation, a relation holds
            something else than one −1 and some +1.
    """

    values: NDArray[np.int64]
    """True counts."""
    relations: csr_matrix
    """m × n: −1 for the whole, +1 for each of its parts; `relations @ values` is 0."""
    primary: NDArray[np.bool_]
    """Needs protection: what can be concluded about it must cover 0 to the threshold."""
    suppressed: NDArray[np.bool_]
    """Hidden already, by who made the table."""
    preferred_shown: NDArray[np.bool_]
    """Shown as long as there is a solution without hiding them: totals, large values."""

    def __post_init__(self) -> None:
        count = len(self.values)
        for name in ("primary", "suppressed", "preferred_shown"):
            mask = getattr(self, name)
            if mask.shape != (count,) or mask.dtype != np.bool_:
                raise NotLinked(f"{name} must be {count} truth values")
        if self.relations.shape[1] != count:
            raise NotLinked(f"relations are over {self.relations.shape[1]} cells, there are {count}")
        if not np.issubdtype(self.values.dtype, np.integer) or (self.values < 0).any():
            raise NotLinked("counts must be whole and not negative")
        if (
            not np.isin(self.relations.data, (-1, 1)).all()
            or (np.asarray((self.relations == -1).sum(axis=1)).ravel() != 1).any()
        ):
            raise NotLinked("a relation must hold one −1, and otherwise only +1")
        wrong = np.flatnonzero(self.relations @ self.values)
        if len(wrong):
            raise NotLinked(f"{len(wrong)} relations don't hold for the true counts, the first is number {wrong[0]}")

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """What readers don't see whatever is decided: hidden already, or primary."""
        return self.suppressed | self.primary


def components(relations: csr_matrix, free: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Connected components of the cells that may vary; two are connected when they share a relation.

    Args:
        relations: m × n.
        free: n truth values; the other cells are constants.

    Returns:
        The indices of each component's cells, ascending, the largest component first.
    """
    cells = np.flatnonzero(free)
    if not len(cells):
        return []
    incidence = abs(relations.tocsc()[:, cells]).T
    # A bipartite graph of cells and relations: joining all pairs within a relation would be quadratic in its length.
    rows, columns = incidence.nonzero()
    total = len(cells) + relations.shape[0]
    graph = csr_matrix((np.ones(len(rows)), (rows, columns + len(cells))), shape=(total, total))
    _, labels = connected_components(graph, directed=False)
    labels = labels[: len(cells)]
    order = np.argsort(labels, kind="stable")
    parts = np.split(cells[order], np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted((part.astype(np.int64) for part in parts), key=len, reverse=True)
