"""What readers know from published tables: which figures exist, which they see, and what must add up to what.

Everything is derived from what is public: the tables' rows, the hierarchies of their codes, which measure is part of
which. A cell is a measure and one code per dimension; a dimension that a table lacks, or holds as its total, is no part
of the cell's identity, so tables share cells. Besides the published cells the system holds cells that nobody published
but whose existence everyone can infer: sums (`close_upwards`), missing parts, complements, and joint cells of margins
in a cycle (`joints.py`). They are unknown, whole and not negative.
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
    """One published table of one measure, as readers get it."""

    name: str
    measure: str
    dimensions: tuple[str, ...]
    rows: pd.DataFrame
    """A column of codes per dimension, `count` (null: suppressed) and maybe `version`: the same cell with the same
    version in two releases has the same true value, and readers are assumed to know that."""
    release: str = ""
    """Figures add up within a release."""


@dataclass(frozen=True, order=True)
class Cell:
    """A cell's public identity."""

    measure: str
    codes: tuple[tuple[str, str], ...]
    """(dimension, code) in the dimensions' alphabetical order, without those that are the total."""
    part: str = ""
    """Set for a complement: what is in `measure` but not in `part`."""
    version: str = ""
    """A complement's is `<version of the whole>/<version of the part>`, unless both are empty."""

    def __str__(self) -> str:
        measure = f"{self.measure} without {self.part}" if self.part else self.measure
        codes = ", ".join(f"{name} {code}" for name, code in self.codes) or "everything"
        return f"{measure}: {codes}" + (f" (version {self.version})" if self.version else "")


def cell_of(
    measure: str, codes: Mapping[str, str], totals: Mapping[str, str], *, part: str = "", version: str = ""
) -> Cell:
    """The cell with these codes; those that are their dimension's total are left out."""
    named = sorted((name, code) for name, code in codes.items() if code != totals.get(name))
    return Cell(measure, tuple(named), part, version)


@dataclass(frozen=True)
class Knowledge:
    """n cells and what relates them. Arrays have length n."""

    cells: list[Cell]
    index: dict[Cell, int]
    values: NDArray[np.int64]
    """What is shown; 0 where it isn't."""
    is_known: NDArray[np.bool_]
    is_suppressed: NDArray[np.bool_]
    """Stands in a table, hidden in all of them."""
    relations: csr_matrix
    """m × n of −1 (whole) and +1 (parts)."""
    joint_cells: int
    left_out: tuple[str, ...]
    """Cycles whose joint cells were too many to carry."""


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

    @property
    def is_apart(self) -> bool:
        """Whether the codes end in roots other than the total, each in one only."""
        wholes = {parent for tree in self.parents for parent in tree.values()}
        roots = {parent for parent in wholes if not self.ancestors(parent)}
        return "" not in roots and all(len(self.ancestors(code) & roots) == 1 for tree in self.parents for code in tree)

    def root(self, code: str) -> str:
        """What a code ends in, itself if it is part of nothing; for trees that are apart."""
        return next((above for above in self.ancestors(code) if not self.ancestors(above)), code)

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
        NotPublic: a tree has a cycle, or a code of the tables stands in none.
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
        raise NotPublic(f"{dimension} {unknown[0]} stands in a table but in none of its hierarchies")
    return Trees(parents)


class Build:
    """The system as it grows; `Knowledge` is what comes of it."""

    def __init__(self, dimensions: Sequence[str], trees: Mapping[str, Trees]) -> None:
        self.dimensions = tuple(dimensions)
        self.trees = [trees[name] for name in dimensions]
        self.above = [trees.wholes() for trees in self.trees]
        self.cells: list[Cell] = []
        self.index: dict[Cell, int] = {}
        self.values: list[int] = []
        self.known: list[bool] = []
        self.published: list[bool] = []
        self.layers: dict[tuple[str, str], dict[Key, int]] = {}
        """By release and measure: its cells by key."""
        self.relations: dict[tuple[int, ...], None] = {}
        """(whole, *parts), each once."""

    def cell(self, cell: Cell) -> int:
        """The cell's number, a new one for a new cell."""
        number = self.index.get(cell)
        if number is None:
            number = self.index[cell] = len(self.cells)
            self.cells.append(cell)
            self.values.append(0)
            self.known.append(False)
            self.published.append(False)
        return number

    def named(self, measure: str, key: Key, version: str, part: str = "") -> Cell:
        """The cell at a key."""
        return Cell(measure, tuple((n, c) for n, c in zip(self.dimensions, key, strict=True) if c), part, version)

    def drop_repeats(self) -> None:
        """Take out of a release what an earlier one published in the same way: nothing more follows from it.

        What has no total (a year) shares no relation with what else has none, so it is compared by itself.
        """
        apart = [at for at, trees in enumerate(self.trees) if trees.is_apart]
        seen: dict[tuple[Key, frozenset[int]], str] = {}
        groups: dict[tuple[str, Key], set[int]] = {}
        places: dict[tuple[str, Key], list[tuple[dict[Key, int], Key]]] = {}
        for (release, _), layer in self.layers.items():
            for key, number in layer.items():
                group = (release, tuple(self.trees[at].root(key[at]) for at in apart))
                groups.setdefault(group, set()).add(number)
                places.setdefault(group, []).append((layer, key))
        for (release, roots), numbers in groups.items():
            if seen.setdefault((roots, frozenset(numbers)), release) != release:
                for layer, key in places[release, roots]:
                    del layer[key]

    def add_inferred(self, release: str, measure: str, key: Key) -> int:
        """A cell that no table holds, at a key of a release's measure."""
        layer = self.layers[release, measure]
        number = layer.get(key)
        if number is None:
            number = layer[key] = self.cell(self.named(measure, key, f"inferred {release}".strip()))
        return number

    def add_table(self, table: PublicTable, keys: Iterable[Key]) -> None:
        """Take in a table's rows."""
        layer = self.layers.setdefault((table.release, table.measure), {})
        counts = table.rows["count"]
        missing = counts.isna().to_numpy()
        shown = counts.fillna(0).to_numpy()
        if ((shown < 0) | (shown != np.floor(shown.astype(float)))).any():
            raise NotPublic(f"{table.name}: a count is negative or not whole")
        versions: Iterable[str] = [""] * len(missing)
        if "version" in table.rows:
            versions = table.rows["version"].fillna("").astype(str).tolist()
        for key, value, hidden, version in zip(keys, shown.astype(np.int64).tolist(), missing, versions, strict=True):
            cell = self.named(table.measure, key, version)
            number = self.cell(cell)
            if layer.setdefault(key, number) != number:
                raise NotPublic(f"{table.name}: {cell} stands in one release with two versions")
            self.published[number] = True
            if hidden:
                continue
            if self.known[number] and self.values[number] != value:
                raise NotPublic(f"{table.name}: {cell} is {value}, elsewhere {self.values[number]}")
            self.known[number], self.values[number] = True, value

    def close_upwards(self, release: str, measure: str) -> None:
        """Add the sums that nobody published: two tables may be linked only through them."""
        layer = self.layers[release, measure]
        waiting = list(layer)
        while waiting:
            key = waiting.pop()
            for at, _, code in self.wholes(key):
                whole = (*key[:at], code, *key[at + 1 :])
                if whole not in layer:
                    self.add_inferred(release, measure, whole)
                    waiting.append(whole)

    def wholes(self, key: Key) -> list[tuple[int, int, str]]:
        """What the key is part of: dimension, tree, and the code that stands there then."""
        return [
            (at, tree, whole)
            for at, (above, code) in enumerate(zip(self.above, key, strict=True))
            if code in above
            for tree, whole in above[code]
        ]

    def relate(self, release: str, measure: str) -> None:
        """Write down every sum of which the layer holds the whole and a part; other parts come in as unknown."""
        layer = self.layers[release, measure]
        waiting, told = list(layer), set[tuple[Key, int, int]]()
        while waiting:
            key = waiting.pop()
            for at, tree, code in self.wholes(key):
                whole = (*key[:at], code, *key[at + 1 :])
                if whole not in layer or (whole, at, tree) in told:
                    continue
                told.add((whole, at, tree))
                before, after = key[:at], key[at + 1 :]
                parts = [(*before, part, *after) for part in self.trees[at].children[tree][code]]
                waiting += [part for part in parts if part not in layer]
                numbers = [self.add_inferred(release, measure, part) for part in parts]
                self.relations[layer[whole], *numbers] = None

    def complement(self, release: str, whole: str, part: str) -> None:
        """Add whole − part wherever both are."""
        wholes, parts = self.layers.get((release, whole), {}), self.layers.get((release, part), {})
        for key in wholes.keys() & parts.keys():
            first, second = self.cells[wholes[key]].version, self.cells[parts[key]].version
            version = f"{first}/{second}" if first or second else ""
            number = self.cell(self.named(whole, key, version, part))
            self.relations[wholes[key], parts[key], number] = None

    def finish(self, joint_cells: int, left_out: tuple[str, ...]) -> Knowledge:
        """The system as arrays, without relations that say nothing."""
        known, published = np.array(self.known, dtype=np.bool_), np.array(self.published, dtype=np.bool_)
        rows = list(self.relations)
        while True:
            uses = np.zeros(len(self.cells), dtype=np.int64)
            for row in rows:
                uses[list(row)] += 1
            inferred = ~published & np.array([not cell.part for cell in self.cells], dtype=np.bool_)
            # The sum of something, named nowhere else: nothing follows from it.
            kept = [row for row in rows if not (inferred[row[0]] and uses[row[0]] == 1)]
            if len(kept) == len(rows):
                break
            rows = kept
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        columns = np.array([number for row in rows for number in row], dtype=np.int64)
        data = np.array([-1 if at == 0 else 1 for row in rows for at in range(len(row))], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        relations = csr_matrix((data, columns, starts), shape=(len(rows), len(self.cells)))
        values = np.array(self.values, dtype=np.int64)
        return Knowledge(self.cells, self.index, values, known, published & ~known, relations, joint_cells, left_out)


def read_tables(
    tables: Sequence[PublicTable],
    hierarchies: Mapping[str, Sequence[Mapping[str, str]]],
    totals: Mapping[str, str],
) -> Build:
    """All published cells by release and measure.

    Raises:
        NotPublic: a table lacks a column, a count is no count, a cell has two values, a code stands in no hierarchy.
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
    build.drop_repeats()
    return build
