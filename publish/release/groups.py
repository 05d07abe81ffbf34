"""Groups of figures that are drawn anew together, and their salts: from the totals of what their measures count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.cell_keys.keys import MODULUS, Group, Total, content_salts
from publish.marts.declared import Measures, PersonCount, family_of
from publish.release.keyed import Codes, Flags, Ints, KeyedMart, Place, Rows
from publish.release.periods import TOTAL

Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Counted:
    """Rows of a column that count one measure.

    Attributes:
        column: the count's column.
        measure: its measure in these rows.
        rows: which rows.
        unit: the column of the unit, where it is not `district_code`.
    """

    column: str
    measure: str
    rows: Flags
    unit: str | None = None


def counted_in(rows: Rows) -> Iterator[Counted]:
    """Each column of counts of a mart, by the measures that it counts."""
    mart = rows.mart
    for column, count in {**mart.person_counts, **mart.private_counts}.items():
        own = np.ones(len(rows), np.bool_)
        for dimension, measure in count.where_cut.items():
            is_cut = rows.is_cut_by(dimension)
            yield Counted(column, measure, is_cut & own, count.unit)
            own &= ~is_cut
        for measure, among in by_measure(rows, count.measure):
            yield Counted(column, measure, among & own, count.unit)


def by_measure(rows: Rows, measure: str | Mapping[str, str]) -> Iterator[tuple[str, Flags]]:
    """The rows of each measure of a column."""
    if isinstance(measure, str):
        yield measure, np.ones(len(rows), np.bool_)
        return
    assert rows.mart.measure_by is not None  # the declaration says so
    for one in dict.fromkeys(measure.values()):
        yield one, rows.where(rows.mart.measure_by, *(value for value, named in measure.items() if named == one))


def key_sums(rows: Rows, column: str) -> Ints:
    """The sums of the record keys of a count."""
    count = rows.mart.person_counts.get(column) or rows.mart.private_counts.get(column)
    if isinstance(count, PersonCount) and count.keyed_by == "count":
        return rows.ints(column) % MODULUS
    return rows.ints(f"{column}__key")


def salts_of(marts: Iterable[KeyedMart], measures: Measures, secret: bytes) -> dict[Group, int]:
    """A salt for each group, by the totals of its family and of those that it follows.

    Marts that count a measure alike say its total once; where they count it of other rows (only units with a rate),
    each of these totals is a part of the salt.
    """
    found: dict[Place, dict[str, set[tuple[str, int, int]]]] = {}
    for mart in marts:
        for counted in counted_in(mart.totals):
            _add_totals(mart.totals, counted, found)
    totals: list[Total] = []
    for place, families in found.items():
        for family in families:
            entries = sorted({entry for one in measures.lineage(family) for entry in families.get(one, ())})
            totals += [
                Total(place.group(family), f"{measure}#{number}", count, key)
                for number, (measure, count, key) in enumerate(entries)
            ]
    return content_salts(totals, secret)


def _add_totals(rows: Rows, counted: Counted, found: dict[Place, dict[str, set[tuple[str, int, int]]]]) -> None:
    numbers, places = rows.places_by(counted.unit)
    among = np.flatnonzero(counted.rows)
    if counted.unit is not None:
        among = _once(rows, counted.unit, numbers, among)
    counts, keys = rows.ints(counted.column)[among], key_sums(rows, counted.column)[among]
    sums = np.zeros((2, len(places)), np.int64)
    np.add.at(sums[0], numbers[among], counts)
    np.add.at(sums[1], numbers[among], keys)
    family = family_of(counted.measure)
    for number in np.flatnonzero(np.bincount(numbers[among])).tolist():
        entry = (counted.measure, int(sums[0, number]), int(sums[1, number] % MODULUS))
        found.setdefault(places[number], {}).setdefault(family, set()).add(entry)


def _once(rows: Rows, unit: str, numbers: Codes, among: Index) -> Index:
    """Of rows that repeat another unit's count (a row for each district with a queue), one of each; none of `alla`."""
    others = [rows.codes(name)[0] for name in rows.mart.columns_of_dimensions if name != unit]
    among = among[rows.is_cut_by(unit)[among]] if TOTAL in rows.codes(unit)[1] else among
    _, first = np.unique(np.stack([numbers[among], *(one[among] for one in others)]), axis=1, return_index=True)
    return among[np.sort(first)]


def published_groups(marts: Iterable[KeyedMart]) -> set[Group]:
    """The groups of which a row is published."""
    found: set[Group] = set()
    for mart in marts:
        for counted in counted_in(mart.rows):
            numbers, places = mart.rows.places_by(counted.unit)
            family = family_of(counted.measure)
            found |= {
                places[number].group(family) for number in np.flatnonzero(np.bincount(numbers[counted.rows])).tolist()
            }
    return found
