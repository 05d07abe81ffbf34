"""The true counts that relations are about: those behind figures, and those that readers know were left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from publish.attack.figures import (
    FIXED,
    QUARTER,
    YEAR,
    Codes,
    Counts,
    Declared,
    Figures,
    Flags,
    Floats,
    PublishedTable,
    quarters_of,
)
from publish.attack.likelihood import Deviation

Rows = NDArray[np.intp]
UNKNOWN = -1
"""Stands for the published count of a cell that was withheld, or that no table has."""
WAITING = ("measure", "unit", "basis", "period")
Waiting = tuple[str, str, str, str]
"""A group of figures whose correction waits."""


def _numbered(codes: NDArray[np.int64], radix: list[int]) -> NDArray[np.int64]:
    """One number for each row of codes."""
    number = np.zeros(len(codes), dtype=np.int64)
    for place, size in enumerate(radix):
        number = number * size + codes[:, place]
    return number


class Cells:
    """One row per true count. Figures come first, then what relations add; figures of one true count are one cell.

    A figure in today's division, of a unit that no merger touched, is the figure as reported, and the four quarters
    that end with the fourth are the year: where they are published alike they are one cell; otherwise the second is
    another draw of the same count, and in no other relation.
    """

    def __init__(self, figures: Figures, declared: Declared, deviation: Deviation) -> None:
        self.figures, self.declared, self.deviation = figures, declared, deviation
        self._place = {name: index for index, name in enumerate(figures.columns)}
        random = np.random.default_rng(20)
        # A cell's key is the sum of a random number per coordinate and code: changing one coordinate is a subtraction.
        self._marks = [
            random.integers(0, 2**64, max(len(names), 1), dtype=np.uint64, endpoint=False) for names in figures.names
        ]
        codes = self._merged(figures.codes)
        keys = self.keys_of(codes)
        _, first, cell_of = np.unique(keys, return_index=True, return_inverse=True)
        is_other = figures.published != figures.published[first][cell_of]
        others = np.flatnonzero(is_other)
        self.codes: Codes = codes[first]
        self.given = len(first)
        self.row: Rows = first
        """Of each cell, the row of its figure; −1 for none."""
        self.cell_of_row: Rows = cell_of.astype(np.intp)
        """Of each figure, its cell."""
        self.published: Counts = figures.published[first]
        self._keys = keys[first]
        self._index()
        earlier = self._earlier()
        self._extra = (cell_of[others].astype(np.intp), others)
        self._tied = earlier

    def __len__(self) -> int:
        return len(self.published)

    def _merged(self, codes: Codes) -> Codes:
        """The same, one way to name each true count."""
        codes = codes.copy()
        figures, declared = self.figures, self.declared
        reported, today = (figures.code("basis", name) for name in declared.divisions)
        merged = {*declared.current.keys(), *declared.current.values()}
        touched = np.array([name in merged for name in figures.names[self._place["unit"]]] or [False])
        basis, unit = codes[:, self._place["basis"]], codes[:, self._place["unit"]]
        if min(reported, today) >= 0:
            basis[(basis == today) & ~touched[unit]] = reported
        period = codes[:, self._place["period"]]
        names = figures.names[self._place["period"]]
        year_of = {quarters_of(name): code for code, name in enumerate(names) if name.startswith(YEAR)}
        for code, name in enumerate(names):
            period[period == code] = year_of.get(quarters_of(name), code)
        return codes

    def keys_of(self, codes: Codes) -> NDArray[np.uint64]:
        """One number per row of codes, the same for the same coordinates."""
        of_totals = np.sum([marks[0] for marks in self._marks], dtype=np.uint64)
        keys = np.full(len(codes), of_totals, dtype=np.uint64)
        for place in np.flatnonzero(codes.any(axis=0)).tolist():
            marks = self._marks[place]
            keys += (marks - marks[0])[codes[:, place]]
        return keys

    def _index(self) -> None:
        self._order = np.argsort(self._keys)
        self._sorted = self._keys[self._order]

    def find(self, codes: Codes) -> Rows:
        """The cells with these coordinates, −1 where there is none."""
        return self._find(self.keys_of(codes))

    def find_beside(self, rows: Rows, changes: Mapping[int, int]) -> Rows:
        """The cells whose coordinates are those of `rows` but for some (place of a coordinate → code), −1 for none."""
        keys = self._keys[rows]
        for place, code in changes.items():
            marks = self._marks[place]
            keys = keys + (marks[code] - marks)[self.codes[rows, place]]
        return self._find(keys)

    def _find(self, keys: NDArray[np.uint64]) -> Rows:
        if not len(self._sorted):
            return np.full(len(keys), -1, dtype=np.intp)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._order[at], -1)

    def find_or_add(self, codes: Codes) -> Rows:
        """The same; cells that are lacking are added."""
        codes = self._merged(codes)
        keys = self.keys_of(codes)
        found = self._find(keys)
        lacking = np.flatnonzero(found < 0)
        if not len(lacking):
            return found
        new, first, of = np.unique(keys[lacking], return_index=True, return_inverse=True)
        added = codes[lacking[first]]
        found[lacking] = len(self) + of
        self.codes = np.concatenate([self.codes, added])
        self._keys = np.concatenate([self._keys, new])
        self.row = np.concatenate([self.row, np.full(len(new), -1, dtype=np.intp)])
        self.published = np.concatenate([self.published, np.where(self._known_zero(added), 0, UNKNOWN)])
        self._index()
        return found

    def _known_zero(self, codes: Codes) -> Flags:
        """Of cells without a figure: whether that means a published 0, as their cut is published there."""
        figures = self.figures.codes
        known: Flags = np.isin(self._signature(codes, True), self._given_cuts) & self._in_published_table(codes)
        known &= ~self._is_left_out(codes)
        sensitive = [self._place[name] for name in self.declared.sensitive if name in self._place]
        broken_down = np.flatnonzero(known & (codes[:, sensitive] > 0).any(axis=1))
        if len(broken_down) and len(figures):
            # Whichever whole the rule is read to mean: without all sensitive dimensions, or without any one of them.
            inner = {outer: self._place[name] for name, outer in self.declared.parents.items() if name in self._place}
            each = [
                [self._place[name], *([inner[name]] if name in inner else [])]
                for name in self.declared.sensitive
                if name in self._place
            ]
            for without in (sensitive, *each):
                rows = broken_down[(codes[broken_down][:, without] > 0).any(axis=1)]
                known[rows] &= self._is_of_large_whole(codes[rows], without)
        return known

    def _is_left_out(self, codes: Codes) -> Flags:
        """Which cells are cut by more dimensions than the figures of their unit have been drawn by."""
        units = [self.figures.code("unit", name) for name in self.declared.single_cuts]
        cut = codes[:, len(FIXED) :] > 0
        dimensions = np.zeros(len(codes), dtype=np.int64)
        for place, name in enumerate(self.figures.dimensions):
            outer = self.declared.parents.get(name)
            around = cut[:, self.figures.dimensions.index(outer)] if outer in self.figures.dimensions else False
            dimensions += cut[:, place] & ~np.asarray(around)
        left_out: Flags = np.isin(codes[:, self._place["unit"]], units) & (dimensions > 1)
        return left_out

    def _is_of_large_whole(self, codes: Codes, without: list[int]) -> Flags:
        """Whether the cells' whole is large enough for breakdowns in each table that may have them."""
        found: Flags = np.ones(len(codes), dtype=np.bool_)
        wholes, tables = codes.copy(), self._tables(codes)
        wholes[:, without] = 0
        for measure in np.unique(codes[:, self._place["measure"]]):
            of_measure = codes[:, self._place["measure"]] == measure
            for bit, table in enumerate(self._tables_of(int(measure))):
                rows = np.flatnonzero(of_measure & (tables >> bit & 1 > 0))
                size = np.full(len(rows), UNKNOWN)
                for name in table.wholes:
                    wholes[rows, self._place["measure"]] = self.figures.code("measure", name)
                    whole = self._find(self.keys_of(wholes[rows]))
                    size = np.maximum(size, np.where(whole >= 0, self.published[whole], UNKNOWN))
                found[rows] &= size >= self.declared.least_whole
        return found

    @cached_property
    def _given_cuts(self) -> NDArray[np.uint64]:
        return np.unique(self._signature(self.codes[: self.given], True))

    @cached_property
    def _given_tables(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """(what one file reports, the tables that may have it) of the figures."""
        given = self.codes[: self.given]
        return self._signature(given, False), self._tables(given)

    def _in_published_table(self, codes: Codes) -> Flags:
        """Whether a figure of the same file is published that only tables can have which have these cells too."""
        reported, tables = self._signature(codes, False), self._tables(codes)
        given, of_given = self._given_tables
        found: Flags = np.zeros(len(codes), dtype=np.bool_)
        for held in np.unique(of_given):
            rows = np.flatnonzero((held & ~tables) == 0)
            found[rows] |= np.isin(reported[rows], given[of_given == held])
        return found

    def _tables(self, codes: Codes) -> NDArray[np.int64]:
        """Of each cell the tables that may have it, a bit each: its measure's, with all dimensions it is cut by."""
        measure, cut = codes[:, self._place["measure"]], codes[:, len(FIXED) :] > 0
        found = np.zeros(len(codes), dtype=np.int64)
        for code in np.unique(measure):
            rows = np.flatnonzero(measure == code)
            for bit, table in enumerate(self._tables_of(int(code))):
                lacking = [column not in table.dimensions for column in self.figures.dimensions]
                found[rows] |= np.where(cut[rows][:, lacking].any(axis=1), 0, 1 << bit)
        return found

    def _tables_of(self, measure: int) -> tuple[PublishedTable, ...]:
        return self.declared.tables_of(self.figures.names[self._place["measure"]][measure], self.figures.dimensions)

    def _signature(self, codes: Codes, by_cut: bool) -> NDArray[np.uint64]:
        """By cut: measure, release, kinds of period and unit, dimensions cut by. Else: what one file reports."""
        marks = self._marks
        place = self._place
        key: NDArray[np.uint64] = np.zeros(len(codes), dtype=np.uint64)
        for name in ("measure", "release", *(() if by_cut else ("unit", "period", "basis"))):
            key = key + marks[place[name]][codes[:, place[name]]]
        if not by_cut:
            return key
        quarter = np.array([name.startswith(QUARTER) for name in self.figures.names[place["period"]]] or [False])
        city = self.figures.code("unit", self.declared.city)
        key = key + quarter[codes[:, place["period"]]] * np.uint64(3) + (codes[:, place["unit"]] == city) * np.uint64(7)
        for dimension in range(len(FIXED), len(self.figures.columns)):
            key = key + (codes[:, dimension] > 0) * marks[dimension][0]
        return key

    def _earlier(self) -> tuple[Rows, Rows, Flags]:
        """Cells, the same in the release before, and whether that was drawn anew: any figure beside it differs."""
        place = self._place["release"]
        ordered = sorted(range(len(self.figures.names[place])), key=lambda code: int(self.figures.names[place][code]))
        nothing = np.zeros(0, dtype=np.intp)
        found: list[tuple[Rows, Rows]] = [(nothing, nothing)]
        for before, after in pairwise(ordered):
            cells = np.flatnonzero(self.codes[:, place] == after)
            codes = self.codes[cells].copy()
            codes[:, place] = before
            other = self._find(self.keys_of(codes))
            found.append((cells[other >= 0], other[other >= 0]))
        cells, other = (np.concatenate(parts) for parts in zip(*found, strict=True))
        group = self._signature(self.codes[cells], False)
        moved = np.unique(group[self.published[cells] != self.published[other]])
        return cells, other, np.isin(group, moved)

    def close(self) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows, Flags]]:
        """After all relations: add the other draws as cells of their own.

        Returns:
            (cell, its other draw) within a release, and (cell, the same in the release before, whether drawn anew).
        """
        cells, rows = self._extra
        new = np.arange(len(rows)) + len(self)
        self.codes = np.concatenate([self.codes, self.figures.codes[rows]])
        self._keys = np.concatenate([self._keys, self.keys_of(self.figures.codes[rows])])
        self.row = np.concatenate([self.row, rows.astype(np.intp)])
        self.published = np.concatenate([self.published, self.figures.published[rows]])
        self.cell_of_row[rows] = new
        return (cells, new), self._tied

    def newest(self) -> Flags:
        """Which cells are of the newest release."""
        place = self._place["release"]
        latest = max(map(int, self.figures.names[place]), default=0)
        newest: Flags = self.codes[:, place] == self.figures.code("release", str(latest))
        return newest

    def earlier_draws(self) -> Counts:
        """[cell, release before]: the same cell's published count there, −1 for none or the same draw."""
        place = self._place["release"]
        draws = []
        for code in range(len(self.figures.names[place])):
            other = self.find_beside(np.arange(len(self)), {place: code})
            group = self.groups()
            moved = np.unique(group[(other >= 0) & (self.published != self.published[other])])
            anew = (other >= 0) & np.isin(group, moved) & (self.published[other] != UNKNOWN)
            draws.append(np.where(anew, self.published[other], -1))
        return np.stack(draws, axis=1)

    def groups(self) -> NDArray[np.uint64]:
        """Of each cell a number of its measure, unit, division, period and release."""
        return self._signature(self.codes, False)

    def blocks(self) -> NDArray[np.intp]:
        """Of each cell a number of its unit and period: cells that may count the same few children."""
        unit, period = (self.codes[:, self._place[name]].astype(np.intp) for name in ("unit", "period"))
        return unit * len(self.figures.names[self._place["period"]]) + period

    def true_of(self, truth: Figures) -> Counts:
        """The true counts of all cells, for scoring only: 0 for cells that the truth has not.

        Args:
            truth: every count there is, published or not, with the true counts as `published`.
        """
        codes = np.zeros((len(truth), len(self.figures.columns)), dtype=np.int64)
        for place, column in enumerate(self.figures.columns):
            names = {name: code for code, name in enumerate(self.figures.names[place])}
            translated = np.array([names.get(name, -1) for name in truth.names[truth.column(column)]] or [-1])
            codes[:, place] = translated[truth.codes[:, truth.column(column)]]
        known = np.flatnonzero((codes >= 0).all(axis=1))
        true = np.zeros(len(self), dtype=np.int64)
        cells = self._find(self.keys_of(self._merged(codes[known].astype(np.int16))))
        true[cells[cells >= 0]] = truth.published[known[cells >= 0]]
        true[self.cell_of_row[self._extra[1]]] = true[self._extra[0]]
        return true

    def of_groups(self, groups: Collection[Waiting]) -> Flags:
        """Which cells are of these (measure, unit, division, period)."""
        radix = [len(self.figures.names[self._place[name]]) + 1 for name in WAITING]
        listed = [[self.figures.code(name, one) for name, one in zip(WAITING, group, strict=True)] for group in groups]
        wanted = np.array([codes for codes in listed if min(codes) >= 0], dtype=np.int64).reshape(-1, len(WAITING))
        own = self.codes[:, [self._place[name] for name in WAITING]].astype(np.int64)
        found: Flags = np.isin(_numbered(own, radix), _numbered(wanted, radix))
        return found

    @property
    def is_exact(self) -> Flags:
        """Whether a cell's figure has no deviation."""
        return self._of_figure(self.figures.is_exact)

    @property
    def is_capped(self) -> Flags:
        """Whether a cell's figure is the largest below the cap."""
        return self._of_figure(self.figures.is_capped)

    def _of_figure(self, flags: Flags) -> Flags:
        found = self.row >= 0
        found[found] = flags[self.row[found]]
        return found

    def limits(self) -> tuple[Floats, Floats]:
        """The least and largest true count that each published count allows."""
        exact, capped, unknown = self.is_exact, self.is_capped, self.published == UNKNOWN
        shown = np.maximum(self.published, 0)
        low = self.deviation.low(shown + capped).astype(float)
        high = self.deviation.high(shown).astype(float)
        high[capped | unknown] = np.inf
        low[unknown] = 0.0
        low[exact] = high[exact] = shown[exact]
        return low, high
