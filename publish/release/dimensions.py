"""Writing the dimension tables of a release: every code that its marts hold, with its Swedish label and its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

import duckdb
import pyarrow as pa

from ingest.organisation import own_words, whole_code
from ingest.swedish_order import swedish_order
from publish.marts.dimensions import CUT, LIST_SEPARATOR, Dimension, load_dimensions, said_of_cut
from publish.serving.release_file import name as quoted
from publish.serving.series_breaks import BREAK_FIELDS, COLUMNS, TABLE, crossed

PERIODS = {
    "dim_quarter": "reporting_quarter, quarter_label, calendar_year, quarter_number, sort_order, quarter_start_date, "
    "quarter_end_date",
    "dim_period": "period_kind, period, reporting_quarter, period_label, period_kind_label, sort_order, quarters, "
    "period_start_date, period_end_date",
}
"""Tables of periods, as they are in the warehouse."""


_UNITS = "dim_district"


def labels_of(warehouse: duckdb.DuckDBPyConnection, dimension: Dimension) -> dict[str, str]:
    """Code → label, in the order in which they are shown: `alla` first, the whole city last."""
    found = dimension.known()
    if dimension.warehouse is not None:
        label = dimension.label if dimension.warehouse.table != "dim_period" else "period_kind_label"
        rows = warehouse.execute(
            f"select distinct {dimension.key}, {label} from warehouse.core.{dimension.warehouse.table}"
        ).fetchall()
        # names of units are theirs; the others are texts of ours
        ours = (lambda said: said) if dimension.warehouse.table == _UNITS else own_words
        there = {str(code): ours(str(said)) for code, said in rows}
        found |= {code: there[code] for code in found if code in there}
        more = sorted(there.keys() - found.keys(), key=lambda code: (code == whole_code(), swedish_order(there[code])))
        found |= {code: there[code] for code in more}
    return found


def codes_of(target: duckdb.DuckDBPyConnection, columns: Iterable[tuple[str, str]], dimension: Dimension) -> set[str]:
    """The codes of a kind that tables of the release hold, of which (table, column) are all columns."""
    asked = []
    for table, column in columns:
        if dimension.holds(column):
            asked.append(f"select distinct {quoted(column)} as c from release.published.{table}")
        elif column in dimension.lists:
            parts = f"string_split({quoted(column)}, '{LIST_SEPARATOR}')"
            asked.append(f"select distinct unnest({parts}) as c from release.published.{table}")
    if not asked:
        return set()
    found = target.execute(f"select distinct c from ({' union all '.join(asked)}) where c <> ''").fetchall()
    return {str(code) for (code,) in found}


def dimension_tables(target: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, pa.Table]]:
    """All dimension tables: name, key as SQL lists it, and rows.

    Those of whose codes no table has a column are left out. A code that a mart holds and nobody has named is there,
    called by itself: so every reference finds its row.

    Args:
        target: the warehouse is attached as `warehouse`, the release, whose marts are written, as `release`.
    """
    written = target.execute(
        "select table_name, column_name from duckdb_columns() where database_name = 'release' and data_type = 'VARCHAR'"
    ).fetchall()
    for table, columns in PERIODS.items():
        rows = target.execute(f"select {columns} from warehouse.core.{table} order by all").to_arrow_table()
        yield table, "period_kind, period" if table == "dim_period" else str(rows.column_names[0]), rows
    there = {str(column) for _, column in written}
    for table, dimension in load_dimensions().items():
        if there.isdisjoint((dimension.key, *dimension.columns, *dimension.lists)):
            continue
        if dimension.warehouse is not None:
            there |= set(dimension.warehouse.columns)
        labels = labels_of(target, dimension)
        used = codes_of(target, written, dimension)
        if dimension.key == CUT:
            ordered = sorted(used | labels.keys(), key=lambda cut: (cut not in labels, cut.count("+"), cut))
            labels = {cut: said_of_cut(cut, labels) for cut in ordered}
        labels |= {code: code for code in sorted(used - labels.keys())}
        yield table, dimension.key, _rows(target, dimension, labels)
    yield from _breaks(target, {str(table) for table, _ in written})


def _breaks(target: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> Iterator[tuple[str, str, pa.Table]]:
    """The breaks that series of the release cross; the table may be empty."""
    rows = pa.Table.from_pylist(
        [asdict(one) for one in crossed(target, "release.published", tables)],
        pa.schema([(column, pa.string()) for column in BREAK_FIELDS]),
    ).rename_columns(list(COLUMNS))
    yield TABLE, "mart, broken_measure, reporting_quarter", rows


def _rows(target: duckdb.DuckDBPyConnection, dimension: Dimension, labels: Mapping[str, str]) -> pa.Table:
    made: dict[str, pa.Array] = {
        dimension.key: pa.array(list(labels), pa.string()),
        dimension.label: pa.array(list(labels.values()), pa.string()),
        "sort_order": pa.array(range(len(labels)), pa.int32()),
    }
    if dimension.warehouse is not None and dimension.warehouse.columns:
        columns = ", ".join(dimension.warehouse.columns)
        found = target.execute(
            f"select {dimension.key}, {columns} from warehouse.core.{dimension.warehouse.table}"
        ).to_arrow_table()
        place = {code: row for row, code in enumerate(found[dimension.key].to_pylist())}
        at = pa.array([place.get(code) for code in labels], pa.int64())
        for column in dimension.warehouse.columns:
            values = found[column].take(at)
            if pa.types.is_string(values.type) and not found[column].null_count:
                listed = zip(labels, values.to_pylist(), strict=True)
                values = pa.array([code if said is None else said for code, said in listed], pa.string())
            made[column] = values
    return pa.table(made)
