"""All of n and none of n: what a part that is published as large as its whole, or as 0, tells of everybody in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from publish.attack.cells import UNKNOWN, Cells, Rows
from publish.attack.figures import Counts


@dataclass(frozen=True)
class AllFound:
    """Parts of wholes that are published as the breakdown's limit or more."""

    wholes: int
    """Pairs of part and whole looked at."""
    all_shown: int
    """Parts published as all of their whole, or more, and …"""
    all_true: int
    """… of them those that are all of it."""
    none_shown: int
    none_true: int
    capped: int
    capped_true_all: int


def parts_of(cells: Cells) -> tuple[Rows, Rows]:
    """(part, whole) by each sensitive dimension and of each measure; too small wholes are left out."""
    codes, figures, declared = cells.codes, cells.figures, cells.declared
    place = {name: index for index, name in enumerate(figures.columns)}
    has_figure = cells.row >= 0
    found: list[tuple[Rows, Rows]] = []

    def pair(rows: Rows, changes: dict[int, int]) -> None:
        found.append((rows, cells.find_beside(rows, changes)))

    for name in sorted(declared.sensitive & place.keys()):
        linked = {name, declared.parents.get(name)} | {one for one, outer in declared.parents.items() if outer == name}
        columns = dict.fromkeys((place[one] for one in linked if one in place), 0)
        pair(np.flatnonzero(has_figure & (codes[:, place[name]] > 0)), columns)
    for whole, part in declared.parts:
        outer, inner = figures.code("measure", whole), figures.code("measure", part)
        if min(outer, inner) >= 0:
            pair(np.flatnonzero(has_figure & (codes[:, 0] == inner)), {0: outer})
    if not found:
        none = np.zeros(0, dtype=np.intp)
        return none, none
    parts, wholes = (np.concatenate(rows) for rows in zip(*found, strict=True))
    fits = (wholes >= 0) & (cells.published[wholes] >= declared.least_whole)
    return parts[fits], wholes[fits]


def score(cells: Cells, true: Counts) -> AllFound:
    """What the published parts say, held against the truth of all cells."""
    parts, wholes = parts_of(cells)
    is_known = (true[parts] != UNKNOWN) & (true[wholes] != UNKNOWN)
    parts, wholes = parts[is_known], wholes[is_known]
    shown, of = cells.published[parts], cells.published[wholes]
    capped = cells.is_capped[parts]
    is_all, is_none = (shown >= of) & ~capped, shown == 0
    true_all, true_none = true[parts] == true[wholes], true[parts] == 0
    return AllFound(
        len(parts),
        int(is_all.sum()),
        int((is_all & true_all).sum()),
        int(is_none.sum()),
        int((is_none & true_none).sum()),
        int(capped.sum()),
        int((capped & true_all).sum()),
    )
