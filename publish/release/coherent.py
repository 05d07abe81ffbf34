"""Coherent figures: what is part of a published 0 is published as 0 too.

A published 0 has at most D behind it. A part of it that is published as 5 has at least one, and each such part narrows
what is left for the others. So the part is published as 0: its count is at most the whole's. This needs nothing but
published figures, so it tells nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.organisation import whole_code
from publish.cell_keys.keys import Group
from publish.marts.declared import Measures, family_of
from publish.policy import CellKeyPolicy
from publish.release.choosing import is_hidden
from publish.release.coordinates import Uints, keys_of, mark, mark_of_place, marks_of, modular
from publish.release.groups import Counted, counted_in, key_sums
from publish.release.keyed import AS_SUBMITTED, TODAY, Flags, Ints, Place, Rows
from publish.release.periods import QUARTER, Period, quarters_in

Index = npt.NDArray[np.integer[Any]]
_ROOM = 5
"""The table that answers most look-ups has 2**5 places for each key, and …"""
_MOST_BITS = 26
"""… at most 2**26, a byte each."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """Counted cells of one mart's column and measure.

    Attributes:
        unit: the column of the unit, where it is not `district_code`.
        figure: of each the number of its figure: cells that count the same records are one figure.
        key: a number of its coordinates.
        is_held: whether it is published again as it was, of content that may have changed.
        is_new: whether its group is drawn now.
    """

    mart: int
    column: str
    measure: str
    unit: str | None
    rows: Index
    figure: Index
    key: Uints
    is_held: Flags
    is_new: Flags


@dataclass(frozen=True, eq=False)
class _Links:
    """Parts of one column's cells, by one way of being a part.

    Attributes:
        part: of each the number of its figure.
        whole: the number of its whole's coordinates.
        is_new: whether the part's group is drawn now.
    """

    part: Index
    whole: Uints
    is_new: Flags


class Coherence:
    """What the cells of a release are parts of."""

    def __init__(
        self,
        marts: Sequence[Rows],
        measures: Measures,
        held: Sequence[Mapping[str, Flags]],
        capped: Sequence[Flags],
        new: Collection[Group],
        successors: Mapping[str, str],
        policy: CellKeyPolicy,
    ) -> None:
        """Prepare.

        Args:
            marts: rows that can be published.
            measures: which measure is drawn as which; stocks; parts beside those that columns say.
            held: of each mart, which rows of a column are published again as they were. Their content may have
                changed, so a 0 among them is a whole only of what has not changed either.
            capped: of each mart, which of these rows have a count that was capped: it is no whole.
            new: groups that are drawn now.
            successors: unit → the unit that it is part of today, where that is another.
            policy: D, and which rows are never published: they take no part.
        """
        self._marts, self._measures, self._held, self._capped, self._new = marts, measures, held, capped, new
        self._successors, self._greatest, self._too_few = successors, policy.greatest_deviation, policy.too_few
        self._wholes: dict[str, set[str]] = {}
        self._by_place: dict[tuple[int, str | None, bool], list[Uints]] = {}
        pairs = {pair for rows in marts for pair in rows.mart.parts()}
        for whole, part in (*pairs, *measures.parts, *measures.distinct):
            self._wholes.setdefault(part, set()).add(whole)
        periods = {place.period for rows in marts for place in rows.places[1]}
        self._years: dict[str, list[Period]] = {}
        for period in sorted(one for one in periods if one[0] != QUARTER):
            for quarter in quarters_in(period):
                self._years.setdefault(quarter, []).append(period)

    def apply(self, shown: Sequence[Mapping[str, Ints]]) -> None:
        """Set to 0, of the counts of each mart as drawn or held, what is part of a published 0."""
        cells, value = self._cells(shown)
        known = _Keys([one.key for one in cells])
        links = [link for one in cells for link in self._links(one, value, known)]
        new = value == 0
        while new.any():
            fresh = _Keys([one.key[new[one.figure] & ~one.is_held] for one in cells])
            held = _Keys([one.key[new[one.figure] & one.is_held] for one in cells])
            new = np.zeros(len(value), np.bool_)
            for link in links:
                is_part = fresh.has(link.whole)
                if held:
                    is_part |= ~link.is_new & held.has(link.whole)
                new[link.part[is_part]] = True
            new &= value > 0
            value[new] = 0
        for one in cells:
            shown[one.mart][one.column][one.rows] = value[one.figure]

    def _links(self, cells: _Cells, value: Ints, known: _Keys) -> Iterator[_Links]:
        """The small cells that may be part of another small one: only what is small can be 0 in the end."""
        counts = value[cells.figure]
        near = np.flatnonzero((counts > 0) & ~cells.is_held).astype(np.int32)
        own = cells.key[near]
        # what has the same coordinates in another mart is a whole as well
        for number, whole in enumerate(chain((own,), self._wholes_of(cells, near))):
            at = np.flatnonzero(known.may_have(whole) & ((whole != own) | (number == 0)))
            if len(at):
                yield _Links(cells.figure[near[at]], whole[at], cells.is_new[near[at]])

    def _cells(self, shown: Sequence[Mapping[str, Ints]]) -> tuple[list[_Cells], Ints]:
        """The small cells that can be published and count somebody, or did where they are held; each figure's value."""
        by_draw: dict[str, list[tuple[int, Counted]]] = {}
        hidden = [is_hidden(rows, counts, self._too_few) for rows, counts in zip(self._marts, shown, strict=True)]
        for number, rows in enumerate(self._marts):
            for counted in counted_in(rows):
                count = rows.mart.person_counts.get(counted.column)
                if count is None or count.keyed_by != "count":
                    by_draw.setdefault(self._measures.drawn_as(counted.measure), []).append((number, counted))
        keys: dict[tuple[int, str | None], Uints] = {}
        for number, unit in dict.fromkeys((number, one.unit) for found in by_draw.values() for number, one in found):
            keys[number, unit] = keys_of(self._marts[number], unit)
        made: list[_Cells] = []
        values = [np.zeros(0, np.int64)]
        for found in by_draw.values():
            cells, identities = zip(
                *(self._of(*one, keys[one[0], one[1].unit], hidden[one[0]]) for one in found), strict=True
            )
            together, figure = np.unique(np.concatenate(identities), return_inverse=True)
            figure = figure.astype(np.int32)
            value = np.zeros(len(together), np.int64)
            start = sum(map(len, values))
            figures = np.split(figure, np.cumsum([len(one.rows) for one in cells])[:-1])
            for one, own in zip(cells, figures, strict=True):
                value[own] = shown[one.mart][one.column][one.rows]
            is_small = value <= 2 * self._greatest
            for one, own in zip(cells, figures, strict=True):
                made.append(_small(replace(one, figure=own + np.int32(start)), is_small[own]))
            values.append(value)
        return made, np.concatenate(values)

    def _of(self, number: int, counted: Counted, keys: Uints, hidden: Flags) -> tuple[_Cells, Uints]:
        """The cells of a column and measure, and of each a number of what it counts."""
        rows = self._marts[number]
        held = self._held[number].get(counted.column, np.zeros(len(rows), np.bool_))
        there = counted.rows & ~hidden & np.where(held, ~self._capped[number], rows.ints(counted.column) > 0)
        at = np.flatnonzero(there).astype(np.int32)
        key = keys[at] + modular([mark("measure", counted.measure)])
        place_of, places = rows.places_by(counted.unit)
        family = family_of(counted.measure)
        is_new = np.array([place.group(family) in self._new for place in places] or [False])[place_of[at]]
        # keys have 32 bits: among hundreds of thousands some are alike by chance, their counts seldom
        identity = key_sums(rows, counted.column)[at].astype(np.uint64)
        identity |= rows.ints(counted.column)[at].astype(np.uint64) << np.uint64(32)
        identity = np.where(held[at], key + modular([mark("held", counted.column)]), identity)
        cells = _Cells(number, counted.column, counted.measure, counted.unit, at, at, key, held[at], is_new)
        return cells, identity

    def _wholes_of(self, cells: _Cells, near: Index) -> Iterator[Uints]:
        """Of each cell the coordinates of a cell that it is part of; its own where there is none of the kind."""
        rows, at, key = self._marts[cells.mart], cells.rows[near], cells.key[near]
        for dimension in rows.mart.dimensions:
            change = np.zeros(len(at), np.uint64)
            for column in reversed(dimension):
                change = change - marks_of(rows, column, at)
                yield key + change
        numbers = rows.places_by(cells.unit)[0][at]
        for change in self._changes(cells.mart, cells.unit, cells.measure in self._measures.stocks):
            yield key + change[numbers]
        for whole in sorted(self._wholes.get(cells.measure, ())):
            yield key + modular([mark("measure", whole) - mark("measure", cells.measure)])

    def _changes(self, mart: int, unit: str | None, is_stock: bool) -> list[Uints]:
        """By place what is added to a cell's coordinates for each of the places that it is part of."""
        if (mart, unit, is_stock) not in self._by_place:
            places = self._marts[mart].places_by(unit)[1]
            self._by_place[mart, unit, is_stock] = [
                modular(mark_of_place(to) - mark_of_place(own) for to, own in zip(moves, places, strict=True))
                for moves in zip(*(self._moves(place, is_stock) for place in places), strict=True)
            ]
        return self._by_place[mart, unit, is_stock]

    def _moves(self, place: Place, is_stock: bool) -> list[Place]:
        """The places that one is part of: the city, the unit of today, the years. Always as many, itself for none."""
        found = [Place(whole_code(), place.basis, place.period)]
        is_reported = place.basis == AS_SUBMITTED
        unit = self._successors.get(place.unit, place.unit)
        found.append(Place(unit, TODAY, place.period) if is_reported else place)
        kind, name = place.period
        years = self._years.get(name, []) if kind == QUARTER and not is_stock else []
        most = max((len(one) for one in self._years.values()), default=0)
        return found + [Place(place.unit, place.basis, year) for year in years] + [place] * (most - len(years))


def _small(cells: _Cells, chosen: Flags) -> _Cells:
    """Those that can be 0, or part of a 0: a fourth are larger, and would fill memory."""
    names = ("rows", "figure", "key", "is_held", "is_new")
    return replace(cells, **{name: getattr(cells, name)[chosen] for name in names})


class _Keys:
    """A set of numbers, quick to say of most others that they are not in it."""

    def __init__(self, keys: Sequence[Uints]) -> None:
        self._sorted = np.sort(np.concatenate(keys))
        bits = min(len(self._sorted).bit_length() + _ROOM, _MOST_BITS)
        self._lowest = np.uint64((1 << bits) - 1)
        self._seen = np.zeros(1 << bits, np.bool_)
        self._seen[self._sorted & self._lowest] = True

    def __len__(self) -> int:
        return len(self._sorted)

    def may_have(self, keys: Uints) -> Flags:
        """Which of some numbers are in it, and some of those that are not: quick."""
        found: Flags = self._seen[keys & self._lowest]
        return found

    def has(self, keys: Uints) -> Flags:
        """Which of some numbers are in it."""
        found = self.may_have(keys)
        likely = np.flatnonzero(found)
        if not len(likely):
            return found
        place = np.minimum(np.searchsorted(self._sorted, keys[likely]), len(self._sorted) - 1)
        found[likely] = self._sorted[place] == keys[likely]
        return found
