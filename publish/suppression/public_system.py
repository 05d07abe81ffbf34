"""The system that published tables of one count make: which figures exist, which are shown, what adds up to what.

Everything is derived from what is public: the tables' rows and the hierarchies of their codes. A cell is one code per
dimension; a dimension that a table lacks, or holds as its total, is no part of the cell's identity, so tables share
cells. Besides the published cells the system holds cells that nobody published but whose existence everyone can infer:
sums (`close_upwards`), missing parts, and crossed cells of margins in a cycle (`cycles.py`). They are unknown, whole
and not negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Key = tuple[str, ...]
"""One code per dimension of the whole system, "" where it is the total."""


class NotPublic(ValueError):
    """The tables, hierarchies or measures given can't be what was published; the message names what is wrong."""


@dataclass(frozen=True)
class PublicTable:
    """One published table, as readers get it."""

    name: str
    dimensions: tuple[str, ...]
    rows: pd.DataFrame
    """A column of codes per dimension, and `count` (null: suppressed)."""


@dataclass(frozen=True, order=True)
class Cell:
    """A cell's public identity."""

    codes: tuple[tuple[str, str], ...]
    """(dimension, code) in the dimensions' alphabetical order, without those that are the total."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {code}" for name, code in self.codes) or "everything"


def cell_of(codes: Mapping[str, str], totals: Mapping[str, str]) -> Cell:
    """The cell with these codes; those that are their dimension's total are left out."""
    return Cell(tuple(sorted((name, code) for name, code in codes.items() if code != totals.get(name))))


@dataclass(frozen=True)
class PublicSystem:
    """n cells and what relates them. Arrays have length n."""

    cells: list[Cell]
    index: dict[Cell, int]
    values: NDArray[np.int64]
    """What is shown; 0 where it isn't."""
    is_known: NDArray[np.bool_]
    is_suppressed: NDArray[np.bool_]
    """In a table, and shown in none."""
    relations: csr_matrix
    """m × n of −1 (whole) and +1 (parts)."""
    crossed_cells: int
    left_out: tuple[str, ...]
    """Cycles whose crossed cells were too many to carry."""


@dataclass
class Trees:
    """A dimension's hierarchies, with "" for the total."""

    parents: list[dict[str, str]]
    children: list[dict[str, list[str]]] = field(init=False)

    def __post_init__(self) -> None:
        self.children = []
        for tree in self.parents:
            found: dict[str, list[str]] = {}
            for child, parent in tree.items():
                found.setdefault(parent, []).append(child)
            self.children.append(found)

    def wholes(self) -> dict[str, list[tuple[int, str]]]:
        """By code what it is directly part of: the tree's number and the code there."""
        found: dict[str, list[tuple[int, str]]] = {}
        for number, tree in enumerate(self.parents):
            for child, parent in tree.items():
                found.setdefault(child, []).append((number, parent))
        return found

    def ancestors(self, code: str) -> set[str]:
        """All that the code is part of, in any tree."""
        found: set[str] = set()
        for tree in self.parents:
            at = code
            while at in tree:
                at = tree[at]
                found.add(at)
        return found


def circle_in(tree: Mapping[str, str]) -> str | None:
    """A code of a hierarchy (child → parent) from which the way up never ends; None where all ways do."""
    for start in tree:
        at, steps = start, 0
        while at in tree:
            at, steps = tree[at], steps + 1
            if steps > len(tree):
                return start
    return None


def read_trees(
    dimension: str, hierarchies: Sequence[Mapping[str, str]], total: str | None, codes: Iterable[str]
) -> Trees:
    """A dimension's trees. Without any all codes seen add up to the total; a tree's roots do if it doesn't hold it.

    Raises:
        NotPublic: a tree has a cycle, or a code of the tables is in none.
    """
    seen = {code for code in codes if code}
    if not hierarchies:
        return Trees([dict.fromkeys(sorted(seen), "")] if total is not None and seen else [])
    parents = []
    for hierarchy in hierarchies:
        tree = {child: ("" if parent == total else parent) for child, parent in hierarchy.items() if child != total}
        if total is not None and "" not in tree.values():
            tree |= dict.fromkeys(sorted({parent for parent in tree.values() if parent not in tree}), "")
        if (start := circle_in(tree)) is not None:
            raise NotPublic(f"the hierarchy of {dimension} goes in a circle at {start}")
        parents.append(tree)
    named = {code for tree in parents for pair in tree.items() for code in pair}
    if unknown := sorted(seen - named):
        raise NotPublic(f"{dimension} {unknown[0]} is in a table but in none of its hierarchies")
    return Trees(parents)


class Build:
    """The system as it grows; `finish` makes a `PublicSystem` of it."""

    def __init__(self, dimensions: Sequence[str], trees: Mapping[str, Trees]) -> None:
        self.dimensions = tuple(dimensions)
        self.trees = [trees[name] for name in dimensions]
        self.above = [trees.wholes() for trees in self.trees]
        self.cells: list[Cell] = []
        self.index: dict[Cell, int] = {}
        self.values: list[int] = []
        self.known: list[bool] = []
        self.published: list[bool] = []
        self.numbers: dict[Key, int] = {}
        """Each cell's place in `cells`, by key."""
        self.relations: dict[tuple[int, ...], None] = {}
        """(whole, *parts), each once."""

    def add(self, key: Key) -> int:
        """The number of the cell at a key; a new cell is unknown."""
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.cells)
            cell = Cell(tuple((name, code) for name, code in zip(self.dimensions, key, strict=True) if code))
            self.index[cell] = number
            self.cells.append(cell)
            self.values.append(0)
            self.known.append(False)
            self.published.append(False)
        return number

    def add_table(self, table: PublicTable, keys: Iterable[Key]) -> None:
        """Take in a table's rows."""
        counts = table.rows["count"]
        missing = counts.isna().to_numpy()
        shown = counts.fillna(0).to_numpy()
        if ((shown < 0) | (shown != np.floor(shown.astype(float)))).any():
            raise NotPublic(f"{table.name}: a count is negative or not whole")
        for key, value, is_hidden in zip(keys, shown.astype(np.int64).tolist(), missing, strict=True):
            number = self.add(key)
            self.published[number] = True
            if is_hidden:
                continue
            if self.known[number] and self.values[number] != value:
                raise NotPublic(f"{table.name}: {self.cells[number]} is {value}, elsewhere {self.values[number]}")
            self.known[number], self.values[number] = True, value

    def close_upwards(self) -> None:
        """Add the sums that nobody published: two tables may be linked only through them."""
        waiting = list(self.numbers)
        while waiting:
            key = waiting.pop()
            for at, _, code in self.wholes(key):
                whole = (*key[:at], code, *key[at + 1 :])
                if whole not in self.numbers:
                    self.add(whole)
                    waiting.append(whole)

    def wholes(self, key: Key) -> list[tuple[int, int, str]]:
        """What the key is part of: dimension, tree, and the code there."""
        return [
            (at, tree, whole)
            for at, (above, code) in enumerate(zip(self.above, key, strict=True))
            if code in above
            for tree, whole in above[code]
        ]

    def relate(self) -> None:
        """Add every sum of which the whole and a part are cells; its other parts become cells, unknown."""
        waiting, related = list(self.numbers), set[tuple[Key, int, int]]()
        while waiting:
            key = waiting.pop()
            for at, tree, code in self.wholes(key):
                whole = (*key[:at], code, *key[at + 1 :])
                if whole not in self.numbers or (whole, at, tree) in related:
                    continue
                related.add((whole, at, tree))
                before, after = key[:at], key[at + 1 :]
                parts = [(*before, part, *after) for part in self.trees[at].children[tree][code]]
                waiting += [part for part in parts if part not in self.numbers]
                self.relations[self.numbers[whole], *[self.add(part) for part in parts]] = None

    def finish(self, crossed_cells: int, left_out: tuple[str, ...]) -> PublicSystem:
        """The system as arrays, without relations that say nothing."""
        known, published = np.array(self.known, dtype=np.bool_), np.array(self.published, dtype=np.bool_)
        rows = list(self.relations)
        while True:
            uses = np.zeros(len(self.cells), dtype=np.int64)
            for row in rows:
                uses[list(row)] += 1
            # A sum that nobody published, in no other relation: nothing follows from it.
            left = [row for row in rows if published[row[0]] or uses[row[0]] > 1]
            if len(left) == len(rows):
                break
            rows = left
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        columns = np.array([number for row in rows for number in row], dtype=np.int64)
        data = np.array([-1 if at == 0 else 1 for row in rows for at in range(len(row))], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        relations = csr_matrix((data, columns, starts), shape=(len(rows), len(self.cells)))
        values = np.array(self.values, dtype=np.int64)
        return PublicSystem(
            self.cells, self.index, values, known, published & ~known, relations, crossed_cells, left_out
        )


def read_tables(
    tables: Sequence[PublicTable],
    hierarchies: Mapping[str, Sequence[Mapping[str, str]]],
    totals: Mapping[str, str],
) -> Build:
    """All published cells.

    Raises:
        NotPublic: a table lacks a column, a count is no count, a cell has two values, a code is in no hierarchy.
    """
    dimensions = sorted({name for table in tables for name in table.dimensions})
    seen: dict[str, set[str]] = {name: set() for name in dimensions}
    columns: list[dict[str, list[str]]] = []
    for table in tables:
        if lacking := [name for name in (*table.dimensions, "count") if name not in table.rows]:
            raise NotPublic(f"{table.name} has no column {lacking[0]}")
        found: dict[str, list[str]] = {}
        for name in table.dimensions:
            total = totals.get(name)
            found[name] = ["" if code == total else code for code in table.rows[name].astype(str).tolist()]
            seen[name] |= set(found[name])
        columns.append(found)
    trees = {name: read_trees(name, hierarchies.get(name, ()), totals.get(name), seen[name]) for name in dimensions}
    build = Build(dimensions, trees)
    for table, codes in zip(tables, columns, strict=True):
        empty = [""] * len(table.rows)
        build.add_table(table, zip(*(codes.get(name, empty) for name in dimensions), strict=True))
    return build
