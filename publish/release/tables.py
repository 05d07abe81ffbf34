"""A mart's published figures as a table: its columns in the mart's order, with what every row of a release says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from publish.marts.declared import ColumnType
from publish.release.choosing import cuts_of
from publish.release.deriving import Published
from publish.release.keyed import Flags, Rows
from publish.release.periods import quarters_in

_WHOLE = ("person_count", "sum")
_WHOLE_NUMBERS = (
    "districts_compared", "districts_over", "districts_under", "district_rank", "district_rank_low",
    "district_rank_high", "fill_rank", "fill_rank_low", "fill_rank_high", "ranked_districts",
)  # fmt: skip


@dataclass(frozen=True)
class Heading:
    """What every row of a release says of it.

    Attributes:
        release_id: its number.
        released_at: when readers get it.
        locked: quarters whose figures are final; others are provisional.
        revisions: sealed (period_kind, period) → the number of its revision, where this release revises it.
        notes: of each revised quarter what readers are to know: number, what was amended, the city's words.
    """

    release_id: int
    released_at: datetime
    until_quarter: str | None
    locked: frozenset[str]
    revisions: tuple[tuple[tuple[str, str], int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_revision(self) -> bool:
        """Whether figures of a sealed period have changed."""
        return bool(self.revisions)


def table_of(found: Published, chosen: Flags) -> pa.Table:
    """The published columns of the chosen rows, without what the heading says."""
    rows, take = found.rows, pa.array(ordered(found.rows, chosen))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    types = rows.mart.column_types()
    for name in (name for name in rows.table.column_names if name in types):
        made = _column(found, name, types[name])
        if made is not None:
            columns[name] = made.take(take)
    cuts, names = cuts_of(rows)
    cut = pa.DictionaryArray.from_arrays(pa.array(cuts), pa.array(names, pa.string()))
    columns["cut"] = cut.take(take)
    columns["too_few"] = pa.array(found.too_few).take(take)
    columns["is_capped"] = pa.array(found.is_capped).take(take)
    return pa.table(columns)


def ordered(rows: Rows, chosen: Flags) -> npt.NDArray[np.intp]:
    """The chosen rows in the order of their keys and dimensions, so that the same figures are the same file."""
    among = np.flatnonzero(chosen)
    columns = []
    for name in (*rows.mart.keys, *rows.mart.columns_of_dimensions):
        codes, names = rows.codes(name)
        ranks = np.empty(len(names) + 1, np.int32)
        ranks[np.array(sorted(range(len(names)), key=names.__getitem__), np.intp)] = np.arange(len(names))
        ranks[-1] = -1  # null: the first
        columns.append(ranks[codes[among]])
    return among[np.lexsort(columns[::-1])] if columns else among


def _column(found: Published, name: str, kind: ColumnType) -> pa.Array | pa.ChunkedArray | None:
    rows = found.rows
    if kind == "not_published":
        return None
    if name in found.texts:
        return pa.array(found.texts[name], pa.string())
    if name in found.numbers:
        numbers = found.numbers[name]
        if name in _WHOLE_NUMBERS:
            return pa.array(np.nan_to_num(numbers).astype(np.int32), mask=np.isnan(numbers))
        return pa.array(numbers, pa.float64(), mask=np.isnan(numbers))
    if name in found.counts:
        # what is not reported at all (the queue of youth clinics) is null in the mart, and so here
        mask = rows.is_missing(name) if kind == "person_count" else None
        return pa.array(found.counts[name].astype(np.int32), mask=mask)
    if kind == "yes_no":
        return pa.array(_of_file(rows, rows.ints(name) > 0))
    return rows.table[name]


def _of_file(rows: Rows, is_so: Flags) -> Flags:
    """Whether it is so of any row of the same file: by row it would say in which breakdown somebody is counted."""
    file = np.zeros(len(rows), np.int64)
    for key in (*rows.mart.keys, *({"dataset"} & set(rows.mart.columns_of_dimensions))):
        codes, names = rows.codes(key)
        file = file * (len(names) + 1) + codes + 1
    _, number = np.unique(file, return_inverse=True)
    found: Flags = np.bincount(number, is_so)[number] > 0
    return found


def is_provisional(found: Published, chosen: Flags, locked: frozenset[str]) -> pa.Array:
    """Whether a period of a row has a quarter that is not locked."""
    numbers, places = found.rows.places
    by_place = [not set(quarters_in(place.period)) or not set(quarters_in(place.period)) <= locked for place in places]
    return pa.array(np.array(by_place or [False])[numbers][ordered(found.rows, chosen)])
