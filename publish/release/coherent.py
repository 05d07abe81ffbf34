"""Coherent figures: what is part of a published 0 is published as 0 too.

A published 0 has at most D behind it. A part of it that is published as 5 has at least one, and each such part narrows
what is left for the others. So the part is published as 0: its count is at most the whole's. This needs nothing but
published figures, so it tells nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.marts.declared import Measures
from publish.release.coordinates import Uints, keys_of, mark, mark_of_place, marks_of, modular
from publish.release.groups import counted_in, key_sums
from publish.release.keyed import AS_SUBMITTED, CITY, TODAY, Flags, Ints, Place, Rows
from publish.release.periods import QUARTER, Period, quarters_in

Index = npt.NDArray[np.intp]
_BITS = 26
_LOWEST = np.uint64((1 << _BITS) - 1)
"""Of the table that answers most look-ups: whether any cell that is 0 has these lowest bits."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """Counted cells of one mart's column and measure.

    Attributes:
        unit: the column of the unit, where it is not `district_code`.
        figure: of each the number of its figure: cells that count the same records are one figure.
        key: a number of its coordinates.
    """

    mart: int
    column: str
    measure: str
    unit: str | None
    rows: Index
    figure: Index
    key: Uints


class Coherence:
    """What the cells of a release are parts of."""

    def __init__(
        self,
        marts: Sequence[Rows],
        measures: Measures,
        held: Sequence[Mapping[str, Flags]],
        successors: Mapping[str, str],
        greatest: int,
    ) -> None:
        """Prepare.

        Args:
            marts: rows that can be published.
            measures: which measure is drawn as which; stocks; parts beside those that columns say.
            held: of each mart, which rows of a column are published again as they were: they take no part.
            successors: unit → the unit that it is part of today, where that is another.
            greatest: D.
        """
        self._marts, self._measures, self._held = marts, measures, held
        self._successors, self._greatest = successors, greatest
        self._wholes: dict[str, set[str]] = {}
        pairs = {pair for rows in marts for pair in rows.mart.parts()}
        for whole, part in (*pairs, *measures.parts, *measures.distinct):
            self._wholes.setdefault(part, set()).add(whole)
        periods = {place.period for rows in marts for place in rows.places[1]}
        self._years: dict[str, list[Period]] = {}
        for period in sorted(one for one in periods if one[0] != QUARTER):
            for quarter in quarters_in(period):
                self._years.setdefault(quarter, []).append(period)

    def applied(self, drawn: Sequence[Mapping[str, Ints]]) -> list[dict[str, Ints]]:
        """The drawn counts of each mart, with 0 for what is part of a published 0."""
        made = [{name: counts.copy() for name, counts in one.items()} for one in drawn]
        cells, value = self._cells(drawn)
        new = value == 0
        while new.any():
            zeros = _Keys(np.concatenate([one.key[new[one.figure]] for one in cells]))
            new = np.zeros(len(value), np.bool_)
            for one in cells:
                shown = value[one.figure]
                near = np.flatnonzero((shown > 0) & (shown <= 2 * self._greatest))
                for whole in self._wholes_of(one, near):
                    new[one.figure[near[zeros.has(whole)]]] = True
            new &= value > 0
            value[new] = 0
        for one in cells:
            made[one.mart][one.column][one.rows] = value[one.figure]
        return made

    def _cells(self, drawn: Sequence[Mapping[str, Ints]]) -> tuple[list[_Cells], Ints]:
        """All cells that count somebody, and the value of each figure."""
        found: list[tuple[int, str, str, str | None, Index]] = []
        keys: list[Uints] = []
        identities: list[Uints] = []
        values: list[Ints] = []
        for number, rows in enumerate(self._marts):
            coordinates: dict[str | None, Uints] = {}
            for counted in counted_in(rows):
                count = rows.mart.person_counts.get(counted.column)
                if count is not None and count.keyed_by == "count":
                    continue
                there = counted.rows & (rows.ints(counted.column) > 0)
                if counted.column in self._held[number]:
                    there &= ~self._held[number][counted.column]
                at = np.flatnonzero(there)
                if counted.unit not in coordinates:
                    coordinates[counted.unit] = keys_of(rows, counted.unit)
                found.append((number, counted.column, counted.measure, counted.unit, at))
                keys.append(coordinates[counted.unit][at] + modular([mark("measure", counted.measure)]))
                drawn_as = modular([mark("drawn as", self._measures.drawn_as(counted.measure)) << 32])
                identities.append(key_sums(rows, counted.column)[at].astype(np.uint64) + drawn_as)
                values.append(drawn[number][counted.column][at])
        if not found:
            return [], np.zeros(0, np.int64)
        _, first, figure = np.unique(np.concatenate(identities), return_index=True, return_inverse=True)
        ends = np.cumsum([len(one) for one in keys])
        figures = np.split(figure, ends[:-1])
        cells = [_Cells(*one, figure, key) for one, figure, key in zip(found, figures, keys, strict=True)]
        return cells, np.concatenate(values)[first]

    def _wholes_of(self, cells: _Cells, near: Index) -> Iterator[Uints]:
        """Of each cell the coordinates of a cell that it is part of; its own where there is none of the kind."""
        rows, at, key = self._marts[cells.mart], cells.rows[near], cells.key[near]
        for dimension in rows.mart.dimensions:
            change = np.zeros(len(at), np.uint64)
            for column in reversed(dimension):
                change = change - marks_of(rows, column)[at]
                yield key + change
        numbers, places = rows.places_by(cells.unit)
        for moves in zip(*(self._moves(place, cells.measure) for place in places), strict=True):
            change = modular(mark_of_place(to) - mark_of_place(own) for to, own in zip(moves, places, strict=True))
            yield key + change[numbers[at]]
        for whole in sorted(self._wholes.get(cells.measure, ())):
            yield key + modular([mark("measure", whole) - mark("measure", cells.measure)])

    def _moves(self, place: Place, measure: str) -> list[Place]:
        """The places that one is part of: the city, the unit of today, the years. Always as many, itself for none."""
        found = [Place(CITY, place.basis, place.period)]
        is_reported = place.basis == AS_SUBMITTED
        unit = self._successors.get(place.unit, place.unit)
        found.append(Place(unit, TODAY, place.period) if is_reported else place)
        kind, name = place.period
        years = self._years.get(name, []) if kind == QUARTER and measure not in self._measures.stocks else []
        most = max((len(one) for one in self._years.values()), default=0)
        return found + [Place(place.unit, place.basis, year) for year in years] + [place] * (most - len(years))


class _Keys:
    """A set of numbers, quick to say of most others that they are not in it."""

    def __init__(self, keys: Uints) -> None:
        self._sorted = np.unique(keys)
        self._seen = np.zeros(1 << _BITS, np.bool_)
        self._seen[self._sorted & _LOWEST] = True

    def has(self, keys: Uints) -> Flags:
        """Which of some numbers are in it."""
        found: Flags = self._seen[keys & _LOWEST]
        likely = np.flatnonzero(found)
        place = np.minimum(np.searchsorted(self._sorted, keys[likely]), len(self._sorted) - 1)
        found[likely] = self._sorted[place] == keys[likely]
        return found
