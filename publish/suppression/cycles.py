"""Margins in a cycle: crossed cells that nobody published and that bound what was.

Reason by quarter, sex by quarter and reason × sex by year are margins of the same counts: reason × sex by quarter. No
sum of published cells says so, but the crossed cells can't be negative, and that alone can give published ones away.

A crossed cell is added where a cell, divided along one dimension, has at least two of its other dimensions by each of
which alone the division is published (with the other summed up, wholly or to a part of its hierarchy). That finds
every cycle of three margins: pairs published together for the year and singly by quarter, together for the city and
singly by district, and all pairs of three dimensions. A crossed cell is divided further by the same rule. Longer
cycles, of pairs of four dimensions, come in as the cycles of three that they hold, not as crossed cells of four.
"""

from __future__ import annotations

from publish.suppression.public_system import Build, Key

_Shape = tuple[int, ...]
_Plan = tuple[list[int], list[tuple[int, set[int]]]]


def add_crossed_cells(build: Build, most: int) -> tuple[int, list[str]]:
    """Add the crossed cells, the smallest groups first.

    Args:
        build: the system so far; it must be closed upwards, and is again afterwards.
        most: groups of crossed cells that would make more are left out.

    Returns:
        How many were added, and the names of groups left out.
    """
    search = _Cycles(build, {key for key, number in build.numbers.items() if build.published[number]})
    frontier, added, left_out = list(build.numbers), 0, set[str]()
    while frontier:
        groups = search.divide(frontier, build.numbers)
        frontier = []
        for name, keys in sorted(groups.items(), key=lambda group: len(group[1])):
            new = [key for key in keys if key not in build.numbers]
            if added + len(new) > most:
                left_out.add(name)
                continue
            for key in new:
                build.add(key)
            added += len(new)
            frontier += new
    if added:
        build.close_upwards()
    return added, sorted(left_out)


class _Cycles:
    def __init__(self, build: Build, published: set[Key]) -> None:
        self.trees, self.dimensions, self.published = build.trees, build.dimensions, published
        self.above: list[dict[str, list[str]]] = [{} for _ in build.trees]
        self.levels: list[dict[str, int]] = [{} for _ in build.trees]
        self.level_of: dict[frozenset[int], int] = {}
        self.below: list[dict[int, list[int]]] = [{} for _ in build.trees]
        self.shapes = {self.shape(key) for key in published}
        self.plans: dict[_Shape, _Plan] = {}
        self.divisions = [self._divisions(at) for at in range(len(build.trees))]

    def _divisions(self, at: int) -> dict[str, list[tuple[list[str], set[int]]]]:
        """By code what it is divided into, tree by tree, and the levels of that."""
        found: dict[str, list[tuple[list[str], set[int]]]] = {}
        for children in self.trees[at].children:
            for code, parts in children.items():
                found.setdefault(code, []).append((parts, {self.level(at, part) for part in parts}))
        return found

    def ancestors(self, at: int, code: str) -> list[str]:
        found = self.above[at].get(code)
        if found is None:
            found = self.above[at][code] = sorted(self.trees[at].ancestors(code))
        return found

    def level(self, at: int, code: str) -> int:
        """Codes of one level have ancestors of the same levels; 0 has none."""
        found = self.levels[at].get(code)
        if found is None:
            above = sorted({self.level(at, one) for one in self.ancestors(at, code)})
            # Whether a code is the total matters too: a quarter's year has no ancestors either.
            kind = frozenset([*above, -1] if not code else above)
            found = self.levels[at][code] = self.level_of.setdefault(kind, len(self.level_of))
            self.below[at][found] = above
        return found

    def shape(self, key: Key) -> _Shape:
        """The level of each code."""
        try:
            return tuple(map(dict.__getitem__, self.levels, key))
        except KeyError:
            return tuple(self.level(at, code) for at, code in enumerate(key))

    def divide(self, frontier: list[Key], numbers: dict[Key, int]) -> dict[str, set[Key]]:
        """The crossed cells that the frontier's cells are divided into, by group."""
        groups: dict[str, set[Key]] = {}
        for key in frontier:
            shape = self.shape(key)
            plan = self.plans.get(shape)
            if plan is None:
                plan = self.plans[shape] = self.plan(key, shape)
            others, dimensions = plan
            for at, possible in dimensions:
                for codes, levels in self.divisions[at].get(key[at], ()):
                    if levels.isdisjoint(possible):
                        continue
                    parts = [(*key[:at], code, *key[at + 1 :]) for code in codes]
                    if all(part in numbers for part in parts):
                        continue
                    if any(self.is_cycle(part, others, at) for part in parts):
                        named = sorted({self.dimensions[i] for i in (*others, at)})
                        name = f"{' × '.join(named)}, divided by {self.dimensions[at]}"
                        groups.setdefault(name, set()).update(part for part in parts if part not in numbers)
        return groups

    def plan(self, key: Key, shape: _Shape) -> _Plan:
        """For keys of a shape: what they are cut by, and along which dimensions, into which levels, a division may
        close a cycle."""
        others = [at for at, code in enumerate(key) if code]
        if len(others) < 2:
            return others, []
        found = []
        for at, divisions in enumerate(self.divisions):
            levels = {level for options in divisions.values() for _, option in options for level in option}
            possible = {level for level in levels if self.may_cycle(shape, others, at, level)}
            if possible:
                found.append((at, possible))
        return others, found

    def may_cycle(self, shape: _Shape, others: list[int], at: int, level: int) -> bool:
        """Whether cells of the shapes that would close a cycle are published at all."""
        part = (*shape[:at], level, *shape[at + 1 :])
        found = sum(
            any((*part[:other], above, *part[other + 1 :]) in self.shapes for above in self.below[other][part[other]])
            for other in others
            if other != at
        )
        return found >= 2

    def is_cycle(self, part: Key, others: list[int], at: int) -> bool:
        """Whether the part is published by at least two of the other dimensions alone."""
        found = 0
        for other in others:
            if other != at:
                found += any(
                    (*part[:other], above, *part[other + 1 :]) in self.published
                    for above in self.ancestors(other, part[other])
                )
        return found >= 2
