"""Reading the keyed marts: the rows that a release can publish, and the totals by which salts change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.organisation import whole_code
from publish.cell_keys.keys import Group
from publish.marts.declared import Mart
from publish.release.periods import TOTAL, YEAR, Period, period_of
from publish.warehouse import reading_warehouse

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

SCHEMA = "keyed"
AS_SUBMITTED, TODAY = "as_submitted", "today"


class NotKeyed(Exception):
    """The warehouse lacks a mart or a column that its declaration names; the message says which."""


@dataclass(frozen=True)
class Place:
    """Where and when the rows of a mart count: the groups of its measures, but for the family."""

    unit: str
    basis: str
    period: Period

    def group(self, family: str) -> Group:
        """The group of a family's measures in this place."""
        return Group(family, self.unit, self.basis, *self.period)


class Rows:
    """Some rows of a mart, column by column.

    Texts are read as codes and names, counts as int64. A count that is null (what is not reported at all) is 0 here
    and marked by `is_missing`.
    """

    def __init__(self, mart: Mart, table: pa.Table) -> None:
        self.mart, self.table = mart, table
        self._codes: dict[str, tuple[Codes, list[str]]] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def take(self, chosen: Flags) -> Rows:
        """The rows that are marked."""
        return Rows(self.mart, self.table.filter(pa.array(chosen)))

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    def ints(self, name: str) -> Ints:
        """A column of whole numbers or truths; null is 0."""
        column = self._column(name)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        return np.asarray(pc.fill_null(column, 0).cast(pa.int64()).to_numpy())

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers; null is NaN."""
        return np.asarray(self._column(name).cast(pa.float64()).to_numpy(), np.float64)

    def is_missing(self, name: str) -> Flags:
        """Where a column is null."""
        return np.asarray(self._column(name).is_null().to_numpy(), np.bool_)

    def codes(self, name: str) -> tuple[Codes, list[str]]:
        """A text column as numbers into its names; −1 is null."""
        if name not in self._codes:
            self._codes[name] = self._encoded(name)
        return self._codes[name]

    def _encoded(self, name: str) -> tuple[Codes, list[str]]:
        column = self._column(name)
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        whole = column.combine_chunks()
        if isinstance(whole, pa.ChunkedArray):
            chunks = whole.unify_dictionaries().chunks
            whole = chunks[0] if chunks else pa.array([], pa.string()).dictionary_encode()
        indices = np.asarray(pc.fill_null(whole.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False), np.int32)
        return indices, whole.dictionary.cast(pa.string()).to_pylist()

    def forget_keys(self) -> None:
        """Make room: the key sums are needed no more."""
        self.table = self.table.drop_columns([name for name in self.table.column_names if name.endswith("__key")])

    def where(self, name: str, *values: str) -> Flags:
        """Where a text column has one of the values."""
        codes, names = self.codes(name)
        return np.isin(codes, [names.index(value) for value in values if value in names])

    def is_cut_by(self, column: str) -> Flags:
        """Where a dimension's column is not `alla`."""
        return ~self.where(column, TOTAL)

    def _column(self, name: str) -> pa.ChunkedArray:
        if not self.has(name):
            raise NotKeyed(f"{self.mart.mart} has no column {name} in the schema {SCHEMA}: run `followup build` again")
        return self.table[name]

    @cached_property
    def places(self) -> tuple[Codes, list[Place]]:
        """Of each row its place, as a number into the places."""
        return self._places("district_code")

    def places_by(self, unit: str | None) -> tuple[Codes, list[Place]]:
        """The same where the unit counted is in another column."""
        return self.places if unit is None else self._places(unit)

    def _places(self, unit_column: str) -> tuple[Codes, list[Place]]:
        rows = len(self)
        if self.has("district_code"):
            units, unit_names = self.codes(unit_column)
            bases, basis_names = self.codes("district_basis")
        else:
            units, unit_names, bases, basis_names = (
                np.zeros(rows, np.int32),
                [whole_code()],
                np.zeros(rows, np.int32),
                [AS_SUBMITTED],
            )
        periods, found_periods = self._periods
        together = (units.astype(np.int64) * len(basis_names) + bases) * max(len(found_periods), 1) + periods
        found, numbers = np.unique(together, return_inverse=True)
        places = []
        for one in found.tolist():
            rest, period = divmod(one, max(len(found_periods), 1))
            unit, basis = divmod(rest, len(basis_names))
            places.append(Place(unit_names[unit], basis_names[basis], found_periods[period]))
        return numbers.astype(np.int32), places

    @cached_property
    def _periods(self) -> tuple[Codes, list[Period]]:
        if self.has("period_kind"):
            kinds, kind_names = self.codes("period_kind")
            periods, names = self.codes("period")
            found, numbers = np.unique(kinds.astype(np.int64) * len(names) + periods, return_inverse=True)
            listed = [(kind_names[one // len(names)], names[one % len(names)]) for one in found.tolist()]
            return numbers.astype(np.int32), listed
        if self.mart.period is None:
            # what grows with every quarter is of the year of its newest one: drawn anew at most as often as a year
            newest = max((name for name in self.codes("last_counted_quarter")[1] if name), default=TOTAL)
            return np.zeros(len(self), np.int32), [(YEAR, newest[:4])]
        quarters, names = self.codes(self.mart.period)
        return quarters, [period_of(name) for name in names]


@dataclass(frozen=True, eq=False)
class KeyedMart:
    """A mart's rows that can be published, and the rows by whose totals its groups are drawn anew."""

    rows: Rows
    totals: Rows


@contextmanager
def keyed_warehouse(path: Path, *, memory: str = "1GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the marts of a warehouse, with what is read held in memory.

    Args:
        path: of the warehouse.
        memory: the most that the connection takes, as DuckDB writes it.

    Raises:
        WarehouseFailed: the warehouse can't be read.
    """
    with reading_warehouse(path), duckdb.connect() as connection:
        quoted = str(path).replace("'", "''")
        connection.execute(f"set timezone = 'UTC'; set threads = 2; set memory_limit = '{memory}'")
        connection.execute(f"attach '{quoted}' as warehouse (read_only)")
        yield connection


def merged_units(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Unit → the unit that it is part of today, where that is another."""
    found = connection.execute(
        "select district_code, current_district_code from warehouse.core.dim_district "
        "where current_district_code <> district_code"
    ).fetchall()
    return {str(code): str(today) for code, today in found}


def read_mart(connection: duckdb.DuckDBPyConnection, mart: Mart, *, until: str | None = None) -> KeyedMart:
    """Read a mart.

    Args:
        connection: from `keyed_warehouse`.
        mart: its declaration.
        until: no later quarter.

    Raises:
        NotKeyed: the warehouse lacks the mart, or a column that it declares.
    """
    kinds = _columns(connection, mart)
    lacking = sorted(set(mart.column_types()) - set(kinds))
    if lacking:
        raise NotKeyed(
            f"{mart.mart} has no column {', '.join(lacking)} in the schema {SCHEMA}: run `followup build` again"
        )
    texts = [name for name, kind in kinds.items() if kind == "VARCHAR"]
    computed = mart.columns_of_rates  # from published counts: the true ones are not read
    quoted = [
        f'"{name}"::"{_enum(connection, mart, name)}" as "{name}"' if name in texts else f'"{name}"'
        for name in kinds
        if name not in computed
    ]
    source = f"from warehouse.{SCHEMA}.{mart.mart}"
    of_quarters = [f"reporting_quarter <= '{until}'"] if until and mart.period == "reporting_quarter" else []
    wanted = of_quarters + _published(mart, kinds) + _not_too_fine(mart, kinds)
    rows = connection.execute(
        f"select {', '.join(quoted)} {source} where {' and '.join(wanted) or 'true'}"
    ).to_arrow_table()
    for place, name in enumerate(kinds):
        if name in computed:
            rows = rows.add_column(place, name, pa.nulls(rows.num_rows))
    level = " + ".join(f"({name} <> '{TOTAL}')::int" for name in mart.columns_of_dimensions) or "0"
    least = f"{level} = (select min({level}) {source})"
    own = {name for count in mart.person_counts.values() for name in count.where_cut}
    least = " or ".join([least, *(f"({level} = 1 and {name} <> '{TOTAL}')" for name in sorted(own))])
    among = " and ".join([*of_quarters, f"({least})"])
    totals = connection.execute(f"select {', '.join(quoted)} {source} where {among}").to_arrow_table()
    return KeyedMart(Rows(mart, rows), Rows(mart, totals))


def _columns(connection: duckdb.DuckDBPyConnection, mart: Mart) -> dict[str, str]:
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = 'warehouse' and schema_name = ? "
        "and table_name = ? order by column_index",
        [SCHEMA, mart.mart],
    ).fetchall()
    if not found:
        raise NotKeyed(f"the warehouse has no {mart.mart} in the schema {SCHEMA}: run `followup build` again")
    return dict(found)


def _enum(connection: duckdb.DuckDBPyConnection, mart: Mart, column: str) -> str:
    """A type of the column's values in order, so that its texts are read once and its codes are the same everywhere."""
    name = f"{mart.mart}.{column}"
    values = f'select distinct "{column}" from warehouse.{SCHEMA}.{mart.mart} where "{column}" is not null order by 1'
    if connection.execute(f"select 1 from ({values}) limit 1").fetchone() is None:
        values = f"select '{TOTAL}'"
    connection.execute(f'create or replace type "{name}" as enum ({values})')
    return name


def _published(mart: Mart, kinds: dict[str, str]) -> list[str]:
    """Conditions by which rows can be published."""
    if mart.published == "always":
        return []
    found = ["not is_survivors_only"] if "is_survivors_only" in kinds else []
    found.append("districts_in_force >= districts_expected")
    return [*found, "is_cohort_complete"] if mart.published == "complete" else found


def _not_too_fine(mart: Mart, kinds: dict[str, str]) -> list[str]:
    """A sensitive dimension with two others is published by year only."""
    if not mart.sensitive:
        return []
    cut = " + ".join(f"({dimension[0]} <> '{TOTAL}')::int" for dimension in mart.dimensions)
    sensitive = " or ".join(f"{name} <> '{TOTAL}'" for name in mart.sensitive)
    in_years = "period_kind <> 'kvartal' or " if "period_kind" in kinds else ""
    return [f"({in_years}({cut}) < 3 or not ({sensitive}))"]
