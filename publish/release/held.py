"""Corrections that wait: figures of held groups are those of the current release, published again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from publish.cell_keys.keys import Group
from publish.marts.declared import family_of
from publish.release.deriving import Published
from publish.release.groups import by_measure, counted_in
from publish.release.keyed import Flags, Ints, Place, Rows
from publish.release.periods import QUARTER

Index = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
_PUBLISHED = "published"


@dataclass(frozen=True, eq=False)
class Held:
    """What is held of a mart's rows.

    Attributes:
        rows: the mart's rows, with those that only the current release has.
        columns: column → which rows are held.
        current: the current release's rows of these places, one for each row of `rows` (`found`).
        found: of each row its row in `current`, −1 for none.
    """

    rows: Rows
    columns: Mapping[str, Flags]
    current: pa.Table | None = None
    found: Index = field(default_factory=lambda: np.zeros(0, np.intp))

    def was_capped(self) -> Flags:
        """Rows of which a part was capped: their counts are not what was drawn."""
        if self.current is None or "is_capped" not in self.current.column_names:
            return np.zeros(len(self.rows), np.bool_)
        return np.append(self.current["is_capped"].to_numpy().astype(np.bool_), False)[self.found]

    def counts(self, drawn: Mapping[str, Ints]) -> dict[str, Ints]:
        """Drawn counts, with the held ones as they are published now; what has no row there is 0."""
        return {
            name: self._held(name, counts, 0).astype(np.int64) if self.columns else counts
            for name, counts in drawn.items()
        }

    def restore(self, published: Published) -> None:
        """Durations, sums and rates of held columns as they are published now, and whether a part was capped.

        A part that was capped is no more than the cap's largest count, from which its rate would not be seen to be one.
        """
        if self.current is None:
            return
        mart = self.rows.mart
        for name, rate in mart.rates.items():
            for column in (name, *((f"{name}_low", f"{name}_high") if rate.interval else ())):
                published.numbers[column] = self._held(column, published.numbers[column], np.nan, rate.part)
        parts = [self.columns[name] for name, one in mart.person_counts.items() if one.part_of and name in self.columns]
        if parts:
            published.capped["held"] = np.any(parts, axis=0) & self.was_capped()
        for duration in self.rows.mart.durations:
            for column in duration.statistics.values():
                published.numbers[column] = self._held(column, published.numbers[column], np.nan, duration.n)
                published.too_few |= self.columns[duration.n] & np.isnan(published.numbers[column])
        for column, one in self.rows.mart.sums.items():
            name = one.contributors[0]
            published.counts[column] = self._held(column, published.counts[column], 0, name).astype(np.int64)

    def _held(self, column: str, now: Ints | Floats, lacking: float, held_as: str | None = None) -> Floats:
        mask = self.columns.get(held_as or column)
        if self.current is None or mask is None or not mask.any() or column not in self.current.column_names:
            return now.astype(np.float64)
        values = np.append(self.current[column].cast(pa.float64()).to_numpy(), lacking)
        values = np.where(np.isnan(values), lacking, values)
        return np.where(mask, values[self.found], now)


def hold(rows: Rows, held: Collection[Group], current: Path | None) -> Held:
    """Find what of a mart is held.

    Args:
        rows: the mart's rows that can be published now.
        held: groups whose correction waits.
        current: the file of the current release; None where there is none.
    """
    families = {group.family for group in held}
    own = {family_of(measure) for measure in rows.mart.measures()}
    if current is None or not families & own:
        return Held(rows, {})
    held_places = {(one.unit, one.basis, one.period_kind, one.period) for one in held if one.family in own}
    table = _current_rows(current, rows, held_places)
    together, found = _with_rows_of(rows, table)
    columns: dict[str, Flags] = {}
    wanted = set(held)
    for counted in counted_in(together):
        numbers, places = together.places_by(counted.unit)
        is_held = np.array([_group(place, counted.measure) in wanted for place in places] or [False])
        mask = is_held[numbers] & counted.rows
        columns[counted.column] = columns.get(counted.column, np.zeros(len(together), np.bool_)) | mask
    for duration in rows.mart.durations:
        for measure, among in by_measure(together, duration.measure) if duration.measure is not None else ():
            numbers, places = together.places
            is_held = np.array([_group(place, measure) in wanted for place in places] or [False])
            columns[duration.n] = columns[duration.n] | (is_held[numbers] & among)
    return Held(together, columns, table, found)


def unfinished(marts: Sequence[Rows], current: Path | None) -> set[Group]:
    """Groups that can't be made anew: a mart shows figures of them, and has no row there now that can be published.

    A file was taken back, or another is expected. Some of these families may be counted by other marts, or hold too few
    records to be taken away. So the place waits as a whole, as it is published: a row of which one family waited and
    another was empty would show a 0 that is not true.

    Args:
        marts: their rows that can be published now.
        current: the file of the current release; None where there is none.
    """
    found: set[Group] = set()
    if current is None:
        return found
    with duckdb.connect(str(current), read_only=True) as connection:
        for rows in filter(_is_by_place, marts):
            families = {family_of(measure) for measure in rows.mart.measures()}
            for place in _current_places(connection, rows) - set(rows.places[1]):
                found |= {place.group(family) for family in families}
    return found


def _group(place: Place, measure: str) -> Group:
    return place.group(family_of(measure))


def _current_rows(current: Path, rows: Rows, places: Collection[tuple[str, str, str, str]]) -> pa.Table:
    """The current release's rows of a mart in these places."""
    mart = rows.mart
    with duckdb.connect(str(current), read_only=True) as connection:
        if not _is_shown(connection, mart.mart):
            return pa.table({})
        query = f"select * from {_PUBLISHED}.{mart.mart}"
        if _is_by_place(rows):
            listed = ", ".join("({}, {}, {}, {})".format(*(_text(part) for part in one)) for one in sorted(places))
            query += f" where ({_place_columns(rows)}) in ({listed})"
        return connection.execute(query).to_arrow_table()


def _current_places(connection: duckdb.DuckDBPyConnection, rows: Rows) -> set[Place]:
    """The places of which the current release has a row of a mart."""
    if not _is_shown(connection, rows.mart.mart):
        return set()
    query = f"select distinct {_place_columns(rows)} from {_PUBLISHED}.{rows.mart.mart}"
    return {
        Place(str(unit), str(basis), (str(kind), str(period)))
        for unit, basis, kind, period in connection.execute(query).fetchall()
    }


def _is_shown(connection: duckdb.DuckDBPyConnection, mart: str) -> bool:
    query = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
    return connection.execute(query, [_PUBLISHED, mart]).fetchone() is not None


def _is_by_place(rows: Rows) -> bool:
    return rows.mart.period is not None and "district_code" in rows.mart.keys


def _place_columns(rows: Rows) -> str:
    kinds = "period_kind, period" if rows.has("period_kind") else f"'{QUARTER}', {rows.mart.period}"
    return f"district_code, district_basis, {kinds}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _with_rows_of(rows: Rows, current: pa.Table) -> tuple[Rows, Index]:
    """The rows with those that only the current release has, and of each its place in the current release."""
    names = [*rows.mart.keys, *rows.mart.columns_of_dimensions]
    if not current.num_rows:
        return rows, np.full(len(rows), -1, np.intp)
    now = list(zip(*(_texts(rows.table[name]) for name in names), strict=True))
    there = {key: place for place, key in enumerate(zip(*(_texts(current[name]) for name in names), strict=True))}
    found = [there.get(key, -1) for key in now]
    alone = sorted(set(there.values()) - set(found))
    if not alone:
        return rows, np.array(found, np.intp)
    added = current.take(pa.array(alone))
    columns = []
    for field_ in rows.table.schema:
        kind = field_.type.value_type if pa.types.is_dictionary(field_.type) else field_.type
        old = rows.table[field_.name].cast(kind)
        new = added[field_.name].cast(kind) if field_.name in names else _blank(added, field_.name, kind)
        columns.append(pa.chunked_array([*old.chunks, *new.chunks], kind))
    return Rows(rows.mart, pa.table(columns, names=rows.table.column_names)), np.array(found + alone, np.intp)


def _blank(added: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """A column of rows that are no longer counted: facts of the file as they are published, counts and keys 0."""
    if name in added.column_names and (pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_date(kind)):
        return added[name].cast(kind)
    if name in added.column_names and name.startswith("districts_"):
        return added[name].cast(kind)
    if pa.types.is_integer(kind):
        return pa.chunked_array([pa.array(np.zeros(len(added)), kind)])
    return pa.chunked_array([pa.nulls(len(added), kind)])


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [str(value) for value in column.cast(pa.string()).to_pylist()]
