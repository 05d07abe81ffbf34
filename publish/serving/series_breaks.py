"""Breaks in the series of a release: from which quarter a measure counts something else than before, and why.

A release's table `dim_break` has the breaks that its own series cross; it is empty where none does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import duckdb

from ingest.organisation import own_words
from publish.labels import label
from publish.serving.release_file import ReleaseFile

TABLE = "dim_break"
COLUMNS = ("mart", "broken_measure", "reporting_quarter", "why_sv")
EVERY_MEASURE = "alla"


@dataclass(frozen=True)
class SeriesBreak:
    """From a quarter on, a measure of a mart (`alla`: every one) counts something else than before."""

    mart: str
    measure: str
    quarter: str
    why: str

    @classmethod
    def of_row(cls, row: Mapping[str, object]) -> SeriesBreak:
        """A row of the table `dim_break`."""
        return cls(*(str(row[column]) for column in COLUMNS))

    @property
    def in_words(self) -> str:
        """Two Swedish sentences or more: from when, and why."""
        of = "" if self.measure == EVERY_MEASURE else f" för {label(self.measure) or self.measure}"
        return f"Avbrott i serien{of} från och med {self.quarter[:4]} kv {self.quarter[5:]}. {self.why}"


def series_breaks(connection: duckdb.DuckDBPyConnection, release: ReleaseFile) -> tuple[SeriesBreak, ...]:
    """The breaks that the release's series cross, in order of mart and quarter.

    Args:
        connection: one in which the release is attached (`ReleaseFile.reading`).
        release: it.
    """
    table = next((one for one in release.tables if one.name == TABLE), None)
    if table is None or not {column.name for column in table.columns} >= set(COLUMNS):
        return ()
    found = connection.execute(f"select {', '.join(COLUMNS)} from {release.relation(table)} order by all").fetchall()
    return tuple(SeriesBreak(*map(str, row)) for row in found)


BREAK_FIELDS = tuple(field.name for field in fields(SeriesBreak))
"""A break's fields, in the order of the table's columns."""


def crossed(connection: duckdb.DuckDBPyConnection, schema: str, tables: Iterable[str]) -> list[SeriesBreak]:
    """The breaks that series of some marts cross: the mart has quarters before and since.

    Args:
        connection: with the warehouse attached as `warehouse`; one from before there were breaks has none.
        schema: where the marts are looked at: `release.published`, `warehouse.marts`.
        tables: those that are there.
    """
    known = connection.execute(
        "select count(*) from duckdb_tables() where database_name = 'warehouse' and table_name = ?", [TABLE]
    ).fetchone()
    if known is None or not known[0]:
        return []
    broken = {str(one) for (one,) in connection.execute(f"select distinct mart from warehouse.core.{TABLE}").fetchall()}
    spans = " union all ".join(
        f"select '{mart}' as mart, min(reporting_quarter) as first, max(reporting_quarter) as last from {schema}.{mart}"
        for mart in sorted(broken & set(tables))
    )
    if not spans:
        return []
    found = connection.execute(
        f"select {', '.join(f'b.{column}' for column in COLUMNS)} from warehouse.core.{TABLE} as b "
        f"join ({spans}) as s on b.mart = s.mart and s.first < b.reporting_quarter and b.reporting_quarter <= s.last "
        "order by all"
    ).fetchall()
    return [SeriesBreak(str(mart), str(one), str(quarter), own_words(str(why))) for mart, one, quarter, why in found]


def notes_on(found: Iterable[SeriesBreak], marts: Iterable[str]) -> tuple[str, ...]:
    """What a chart or table of some marts says of its breaks; what several marts say alike is said once."""
    wanted = set(marts)
    return tuple(dict.fromkeys(one.in_words for one in found if one.mart in wanted))
