"""Published counts, and the shifts of sums: drawn by cell keys, all marts' cells of a measure together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.organisation import whole_code
from publish.cell_keys.keys import NOTHING, CellKeys, Group, measure_ids, shared_salts
from publish.cell_keys.noise import publish_counts
from publish.cell_keys.ptable import PTable
from publish.marts.declared import Measures, family_of
from publish.release.groups import Counted, by_measure, counted_in, key_sums
from publish.release.keyed import AS_SUBMITTED, Ints, Place, Rows
from publish.release.periods import rank_of

Salts = Mapping[Group, int]
Uints = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells of one mart's column that count a measure: of them only those that count somebody."""

    mart: int
    column: str
    rows: npt.NDArray[np.intp]
    counts: Ints
    keys: Ints
    salts: Uints
    ranks: npt.NDArray[np.uint16]


class Drawing:
    """Draws the figures of a release."""

    def __init__(self, marts: Sequence[Rows], measures: Measures, salts: Salts, secret: bytes, ptable: PTable) -> None:
        self._marts, self._measures, self._salts = marts, measures, salts
        self._secret, self._ptable = secret, ptable
        self._ids = measure_ids(measures.measures)
        places = {place for rows in marts for place in rows.places[1]}
        whole = whole_code()
        ranks = {place: (*rank_of(place.period), place.unit == whole, place.basis != AS_SUBMITTED) for place in places}
        numbers = {rank: number for number, rank in enumerate(sorted(set(ranks.values())))}
        self._ranks = {place: numbers[rank] for place, rank in ranks.items()}
        self._counted = [list(counted_in(rows)) for rows in marts]
        self._lineages = max((len(measures.lineage(family)) for family in measures.families), default=1)

    def counts(self) -> list[dict[str, Ints]]:
        """Of each mart the published figure of every count of persons, before parts are cut to their wholes."""
        drawn = [
            {name: np.zeros(len(rows), np.int64) for name in (*rows.mart.person_counts, *rows.mart.private_counts)}
            for rows in self._marts
        ]
        for measure, cells in self._by_draw():
            keys = self._keys(measure, cells)
            published = publish_counts(np.concatenate([one.counts for one in cells]), keys, self._ptable, self._secret)
            start = 0
            for one in cells:
                drawn[one.mart][one.column][one.rows] = published[start : start + len(one.rows)]
                start += len(one.rows)
        return drawn

    def _by_draw(self) -> Iterator[tuple[str, list[_Cells]]]:
        """The cells of all measures that are drawn as one, by the name under which they are drawn."""
        found: dict[str, list[tuple[int, Counted]]] = {}
        for number, counted in enumerate(self._counted):
            for one in counted:
                found.setdefault(self._measures.drawn_as(one.measure), []).append((number, one))
        for named in sorted(found):
            cells = [self._cells(number, one) for number, one in found[named]]
            if any(len(one.rows) for one in cells):
                yield named, cells

    def _cells(self, number: int, counted: Counted) -> _Cells:
        rows = self._marts[number]
        counts = rows.ints(counted.column)
        there = np.flatnonzero(counted.rows & (counts > 0))
        numbers, places = rows.places_by(counted.unit)
        salts, ranks = self.salts_and_ranks(counted.measure, numbers[there], places)
        keys = key_sums(rows, counted.column)[there]
        return _Cells(number, counted.column, there, counts[there], keys, salts, ranks)

    def _keys(self, measure: str, cells: Sequence[_Cells]) -> CellKeys:
        keys = CellKeys.of(
            self._ids[measure],
            np.concatenate([one.salts for one in cells]),
            np.concatenate([one.keys for one in cells]),
        )
        return shared_salts(keys, np.concatenate([one.ranks for one in cells]))

    def salts_and_ranks(
        self, measure: str, numbers: npt.NDArray[np.int32], places: Sequence[Place]
    ) -> tuple[Uints, npt.NDArray[np.uint16]]:
        """The salt of a measure's group in each place, and its rank among groups that count the same records."""
        family = family_of(measure)
        depth = len(self._measures.lineage(family)) - 1
        salts = np.array([self._salts.get(place.group(family), NOTHING) for place in places] or [0], np.uint64)
        ranks = np.array([self._rank(place) * self._lineages + depth for place in places] or [0], np.uint16)
        return salts[numbers], ranks[numbers]

    def _rank(self, place: Place) -> int:
        # a place that only a private count has (another district's seats) is ranked as its own district's
        return self._ranks.get(place, 0)

    def shifts(self) -> list[dict[str, CellKeys]]:
        """Of each mart the cell keys of its sums and means, by the sum's column."""
        found: list[dict[str, CellKeys]] = [{} for _ in self._marts]
        for number, rows in enumerate(self._marts):
            sums: list[tuple[str, str | Mapping[str, str]]] = [
                (column, one.measure) for column, one in rows.mart.sums.items()
            ]
            sums += [
                (f"{one.private}__sum", one.measure)
                for one in rows.mart.durations
                if one.private is not None and one.measure is not None
            ]
            for column, measure in sums:
                ids, salts = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.uint64)
                for name, among in by_measure(rows, measure):
                    numbers, places = rows.places
                    ids[among] = self._ids[self._measures.drawn_as(name)]
                    salts[among] = self.salts_and_ranks(name, numbers[among], places)[0]
                found[number][column] = CellKeys.of(ids, salts, rows.ints(f"{column}__key"))
        return found
