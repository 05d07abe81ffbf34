"""What the attacker is given: the published figures in long form, and what everybody knows of how they relate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TOTAL = "alla"
"""The code of a dimension that a figure is not cut by."""
QUARTER, ROLLING, YEAR = "kvartal", "rullande_ar", "ar"
FIXED = ("measure", "unit", "basis", "period", "release")
"""The coordinates that every figure has; the others are dimensions."""
GIVEN = ("measure", "unit", "basis", "period_kind", "period", "published", "release", "is_exact", "is_capped")

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.int16]
Flags = NDArray[np.bool_]


class NotFigures(ValueError):
    """The table lacks a column or holds a value that no figure has; the message says which."""


@dataclass(frozen=True)
class Flow:
    """A stock is the stock before, more what came, less what went: so by `dimensions`, and by no others."""

    stock: str
    came: tuple[str, ...]
    went: tuple[str, ...]
    dimensions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PublishedTable:
    """A table that counts a measure: it may have a unit's quarter that another has not."""

    dimensions: frozenset[str]
    wholes: tuple[str, ...]
    """Measures, one of which is at least `least_whole` published in each whole that has sensitive breakdowns."""


@dataclass(frozen=True)
class Declared:
    """What readers know of the figures beside the figures."""

    city: str
    """The unit that is the sum of all."""
    parts: tuple[tuple[str, str], ...] = ()
    """(whole, part): of the same records."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """A nested dimension and the one it is nested in."""
    flows: tuple[Flow, ...] = ()
    distinct: tuple[tuple[str, str], ...] = ()
    """(cases, persons): persons are counted once, so they do not add up."""
    stocks: frozenset[str] = frozenset()
    """Measures of a day: they do not add up over periods."""
    current: Mapping[str, str] = field(default_factory=dict)
    """A unit that was merged, and the unit that it belongs to today."""
    divisions: tuple[str, str] = ("as_submitted", "today")
    sensitive: frozenset[str] = frozenset()
    """Dimensions by which only wholes of at least `least_whole` published are broken down: `PublishedTable.wholes`."""
    least_whole: int = 20
    codes: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """Measure → dimension → code → the code around it (an outermost one's own): codes that readers know beside those in
    the figures, as a row of counts that are published as 0 is left out."""
    units: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Period → the units that reported, for the same reason."""
    tables: Mapping[str, tuple[PublishedTable, ...]] = field(default_factory=dict)
    """Measure → the tables that count it. Without any it is of one table that has all dimensions."""
    single_cuts: frozenset[str] = frozenset()
    """Units of which the figures have only cuts by one dimension: what is cut by more is unknown there, not a 0."""
    most_changed: int | None = None
    """The most records of a unit and period that differ between two releases; None: not known, so nothing follows."""

    def tables_of(self, measure: str, dimensions: Iterable[str]) -> tuple[PublishedTable, ...]:
        """The tables that count a measure in figures of these dimensions."""
        return self.tables.get(measure) or (PublishedTable(frozenset(dimensions), (measure,)),)


@dataclass(frozen=True)
class Figures:
    """Published figures, one row each.

    `codes` has a column per coordinate (`columns`: measure, unit, basis, period, release, then the
    dimensions); a code is an index into that column's `names`. A period's name is `kind:period`, so that a year and a
    quarter differ.
    """

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    codes: Codes
    published: Counts
    is_exact: Flags
    is_capped: Flags

    def __len__(self) -> int:
        return len(self.published)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The coordinates beyond the fixed ones."""
        return self.columns[len(FIXED) :]

    def column(self, name: str) -> int:
        """The place of a coordinate."""
        return self.columns.index(name)

    def code(self, column: str, name: str) -> int:
        """The code of a name, −1 where no figure has it."""
        names = self.names[self.column(column)]
        return names.index(name) if name in names else -1

    def where(self, column: str, *names: str) -> Flags:
        """Which figures have one of the names in a column."""
        wanted: Flags = np.isin(self.codes[:, self.column(column)], [self.code(column, name) for name in names])
        return wanted

    def knowing(self, names: Mapping[str, Iterable[str]]) -> Figures:
        """The same, with names (by column) that no figure need have."""
        found = list(self.names)
        for column, more in names.items():
            if column in self.columns:
                place = self.column(column)
                found[place] = (*found[place], *sorted(set(more) - set(found[place])))
        return replace(self, names=tuple(found))

    def take(self, rows: NDArray[np.intp] | Flags) -> Figures:
        """Some of the figures, by index or mask."""
        return replace(
            self,
            codes=self.codes[rows],
            published=self.published[rows],
            is_exact=self.is_exact[rows],
            is_capped=self.is_capped[rows],
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Figures:
        """Figures of a table with the columns measure, unit, basis, period_kind, period, published, perhaps release
        (int), is_exact, is_capped (bool), and one per dimension.

        Raises:
            NotFigures: a column is missing, a value null, or a published count negative.
        """
        missing = set(GIVEN[:6]) - set(table.column_names)
        if missing:
            raise NotFigures(f"columns are missing: {', '.join(sorted(missing))}")
        empty = [name for name in table.column_names if table[name].null_count]
        if empty:
            raise NotFigures(f"columns with null: {', '.join(empty)}")
        period = pc.binary_join_element_wise(
            *(pc.cast(table[name], pa.string()) for name in ("period_kind", "period")), ":"
        )
        dimensions = tuple(name for name in table.column_names if name not in GIVEN)
        release = table["release"] if "release" in table.column_names else pa.chunked_array([np.zeros(len(table), int)])
        columns = [table["measure"], table["unit"], table["basis"], period, release]
        columns += [table[name] for name in dimensions]
        encoded = [_encoded(column, index >= len(FIXED)) for index, column in enumerate(columns)]
        published = table["published"].to_numpy().astype(np.int64)
        if (published < 0).any():
            raise NotFigures("a published count is negative")
        return cls(
            FIXED + dimensions,
            tuple(names for names, _ in encoded),
            np.stack([codes for _, codes in encoded], axis=1),
            published,
            _flags(table, "is_exact"),
            _flags(table, "is_capped"),
        )


def _encoded(column: pa.ChunkedArray, is_dimension: bool) -> tuple[tuple[str, ...], Codes]:
    """The names in order, those of a dimension with the total first, and the codes."""
    coded = column if pa.types.is_dictionary(column.type) else pc.cast(column, pa.string()).dictionary_encode()
    empty = [pa.array([], pa.string()).dictionary_encode()]
    array = pa.concat_arrays(coded.unify_dictionaries().chunks or empty)
    used, indices = np.unique(array.indices.to_numpy(zero_copy_only=False), return_inverse=True)
    found = array.dictionary.take(pa.array(used)).cast(pa.string()).to_pylist()
    names = sorted(found) if not is_dimension else [TOTAL, *sorted(set(found) - {TOTAL})]
    place = {name: index for index, name in enumerate(names)}
    order = np.array([place[name] for name in found] or [0], dtype=np.int16)
    return tuple(names), order[indices]


def _flags(table: pa.Table, name: str) -> Flags:
    if name not in table.column_names:
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(table[name].to_numpy()).astype(np.bool_)


def quarters_of(period: str) -> tuple[str, ...]:
    """The quarters that a year or four rolling quarters (named by the last) is the sum of: `ar:2018` → four names."""
    kind, _, name = period.partition(":")
    if kind == QUARTER:
        return (period,)
    last = int(name[:4]) * 4 + (3 if kind == YEAR else int(name[5]) - 1)
    return tuple(quarter_name(number) for number in range(last - 3, last + 1))


def quarter_name(number: int) -> str:
    """The period of a quarter counted from year 0."""
    return f"{QUARTER}:{number // 4}Q{number % 4 + 1}"


def quarter_before(period: str) -> str:
    """The quarter before one."""
    name = period.partition(":")[2]
    return quarter_name(int(name[:4]) * 4 + int(name[5]) - 2)
