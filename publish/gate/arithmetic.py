"""What each kind of rule about the marts computes, in DuckDB: where a mart breaks it.

Names of tables and columns come from `expectations/marts.json`, never from data. A break is reported by districts,
quarters, columns and how many rows: no figure of a row, which could be of few persons. Only a jump tells its totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from ingest.organisation import whole_code

LEAST_REPORTED = 5
"""A total below this is reported as fewer than it."""


@dataclass(frozen=True)
class Break:
    """Where a rule is broken: district and quarter (None: the rule is about more than one), and what is found there.

    Attributes:
        missing: codes of units, where it is found that their files are missing.
    """

    district_code: str | None
    reporting_quarter: str | None
    found: str
    missing: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Marts:
    """The warehouse that rules look at; its database holds the schemas core and marts.

    Attributes:
        failures: what DuckDB said when the file could not be read. Great Expectations catches it as the rule's own
            fault, which it is not.
    """

    connection: duckdb.DuckDBPyConnection
    failures: list[duckdb.Error] = field(default_factory=list)

    def __deepcopy__(self, memo: dict[int, Any]) -> Marts:
        """Frames are copied on the way through; what they point to is not."""
        return self

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query gives."""
        try:
            return self.connection.execute(sql, list(values)).fetchall()
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
            self.failures.append(error)
            raise

    def tables(self) -> frozenset[str]:
        """Names of the marts that the warehouse holds."""
        found = self.rows("select distinct table_name from duckdb_columns() where schema_name = 'marts'")
        return frozenset(name for (name,) in found)

    def columns(self, table: str) -> frozenset[str]:
        """Names of a mart's columns."""
        sql = "select column_name from duckdb_columns() where schema_name = 'marts' and table_name = ?"
        return frozenset(name for (name,) in self.rows(sql, [table]))


def _place_columns(marts: Marts, table: str) -> str:
    """Two expressions: a row's district and quarter, null where the mart is not by them."""
    known = marts.columns(table)
    return ", ".join(name if name in known else "null" for name in ("district_code", "reporting_quarter"))


def _sum(columns: Sequence[str]) -> str:
    return " + ".join(f"coalesce({_name(column)}, 0)" for column in columns)


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def city_is_sum(marts: Marts, table: str, by: Sequence[str], measures: Sequence[str]) -> list[Break]:
    """Cuts (both divisions) in which the city's count is not the sum of its districts'.

    Args:
        marts: the warehouse.
        table: a mart with rows for the whole.
        by: its columns that cut it, beside district, division and period.
        measures: counts that add up over districts; null counts as 0.
    """
    sign = f"case when district_code = '{whole_code()}' then 1 else -1 end"
    sums = ", ".join(f"sum({sign} * coalesce({_name(m)}, 0)) as {_name(m)}" for m in measures)
    counted = ", ".join(f"count(*) filter ({_name(m)} <> 0)" for m in measures)
    keys = ", ".join(["district_basis", "reporting_quarter", "period_kind", *map(_name, by)])
    found = marts.rows(
        f"select reporting_quarter, {counted} from (select {keys}, {sums} from marts.{_name(table)} group by {keys}) "
        f"group by reporting_quarter having {' or '.join(f'max(abs({_name(m)})) <> 0' for m in measures)} order by 1"
    )
    return [
        Break(whole_code(), quarter, f"{measure}: the city is not the sum of its districts in {cuts} cuts")
        for quarter, *counts in found
        for measure, cuts in zip(measures, counts, strict=True)
        if cuts
    ]


def no_jump(
    marts: Marts, table: str, measure: str, totals: Sequence[str], only: Mapping[str, str], factor: float, minimum: int
) -> list[Break]:
    """Districts' quarters whose total is over `factor` times, or under 1/`factor` of, what is usual.

    Usual is the median of the same quarter in all earlier years that are there (as submitted). Quarters of survivors
    only are neither judged nor compared with. Nothing is said where both lie below `minimum`.

    Args:
        marts: the warehouse.
        table: a mart with `is_survivors_only`.
        measure: a count.
        totals: columns that must be `alla`.
        only: columns that must have a value.
        factor: above 1.
        minimum: the larger of the two must be at least this.
    """
    chosen = ["true"] + [f"{_name(column)} = 'alla'" for column in totals] + [f"{_name(column)} = ?" for column in only]
    found = marts.rows(
        f"""
        with totals as (
            select district_code, reporting_quarter, sum({_name(measure)})::bigint as total
            from marts.{_name(table)}
            where period_kind = 'kvartal' and district_basis = 'as_submitted' and district_code <> '{whole_code()}'
                and not is_survivors_only
                and {" and ".join(chosen)}
            group by district_code, reporting_quarter
        ),
        judged as (
            select newer.district_code, newer.reporting_quarter, newer.total, median(older.total) as usual
            from totals as newer
            inner join totals as older
                on newer.district_code = older.district_code
                and right(newer.reporting_quarter, 2) = right(older.reporting_quarter, 2)
                and newer.reporting_quarter > older.reporting_quarter
            group by all
        )
        select * from judged
        where greatest(total, usual) >= ? and (total > ? * usual or total * ? < usual)
        order by reporting_quarter, district_code
        """,
        [*only.values(), minimum, factor, factor],
    )
    return [
        Break(
            district,
            quarter,
            f"{measure} is {_shown_total(total)}, where {_shown_total(usual)} is usual for that quarter",
        )
        for district, quarter, total, usual in found
    ]


def _shown_total(total: float) -> str:
    return f"fewer than {LEAST_REPORTED}" if total < LEAST_REPORTED else f"{total:g}"


def parts_within(marts: Marts, table: str, parts: Sequence[str], whole: str) -> list[Break]:
    """Districts' quarters with rows in which the sum of the parts is more than the whole (null counts as 0)."""
    where = _place_columns(marts, table)
    found = marts.rows(
        f"select {where}, count(*) from marts.{_name(table)} where {_sum(parts)} > {_sum([whole])} group by 1, 2 "
        "order by 2, 1"
    )
    said = " + ".join(parts)
    return [
        Break(district, quarter, f"{said} is more than {whole} in {rows} rows") for district, quarter, rows in found
    ]


def shares_within(marts: Marts, table: str, columns: Sequence[str]) -> list[Break]:
    """Districts' quarters with rows in which a share is below 0, above 1 or no number; null is no share."""
    return _columns_where(marts, table, columns, "not between 0 and 1")


def keys_filled(marts: Marts, table: str, columns: Sequence[str]) -> list[Break]:
    """Districts' quarters with rows in which a column of the key is null."""
    return _columns_where(marts, table, columns, "is null", said="null")


def _columns_where(marts: Marts, table: str, columns: Sequence[str], test: str, said: str = "") -> list[Break]:
    """Districts' quarters with rows in which a column passes a test that none should."""
    where = _place_columns(marts, table)
    tests = [f"{_name(column)} {test}" for column in columns]
    found = marts.rows(
        f"select {where}, {', '.join(f'count(*) filter ({one})' for one in tests)} from marts.{_name(table)} "
        f"where {' or '.join(tests)} group by 1, 2 order by 2, 1"
    )
    return [
        Break(district, quarter, f"{column} is {said or test} in {rows} rows")
        for district, quarter, *counts in found
        for column, rows in zip(columns, counts, strict=True)
        if rows
    ]


def districts_present(marts: Marts, table: str, dataset: str, at_least: int) -> list[Break]:
    """Districts with a file of some size in force for a quarter, of which the mart has no row for that quarter.

    Args:
        marts: the warehouse.
        table: a mart.
        dataset: what it is made from.
        at_least: rows of a file from which on something of it must show: a few cases may all be of other quarters.
    """
    found = marts.rows(
        f"""
        select district_code, reporting_quarter from core.fct_reporting_status
        where dataset = ? and is_expected and is_in_force and row_count >= ?
        except
        select district_code, reporting_quarter from marts.{_name(table)}
        where period_kind = 'kvartal' and district_basis = 'as_submitted'
        order by 2, 1
        """,
        [dataset, at_least],
    )
    return [Break(district, quarter, f"no row, although {dataset} is in force") for district, quarter in found]


_MOST_NAMED = 20
"""Units that one finding names."""


def files_in_force(marts: Marts, dataset: str) -> list[Break]:
    """Quarters for which districts lack a file of the dataset in force although its deadline has passed."""
    found = marts.rows(
        "select reporting_quarter, list(district_code order by district_code) from core.fct_reporting_status "
        "where dataset = ? and is_expected and not is_in_force and state <> 'vantas' group by 1 order by 1",
        [dataset],
    )
    return [
        Break(None, quarter, f"no {dataset} in force from {_listed(codes)}", tuple(codes)) for quarter, codes in found
    ]


def _listed(codes: list[str]) -> str:
    """The first units, and how many more."""
    more = len(codes) - _MOST_NAMED
    return ", ".join(codes[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


KINDS: dict[str, Callable[..., list[Break]]] = {
    "city_is_sum": city_is_sum,
    "no_jump": no_jump,
    "parts_within": parts_within,
    "shares_within": shares_within,
    "keys_filled": keys_filled,
    "districts_present": districts_present,
    "files_in_force": files_in_force,
}
