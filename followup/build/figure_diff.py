"""Which figures differ between two warehouses: mart by mart, row by row, measure by measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import yaml

from followup.build.snapshot import PROJECT
from ingest.organisation import whole_code
from publish.warehouse import marts_in, reading_warehouse

WHOLE = "alla"
"""The value of a column that the row is not broken down by."""
_DISTRICT, _QUARTER = "district_code", "reporting_quarter"
_PERIOD_KIND = "period_kind"
"""Years are left out: they are sums of quarters."""
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL")
_ROUNDING = 1e-9
"""Relative difference below which two fractions are one: sums may be added up in another order."""

Value = int | float | bool | None


@dataclass(frozen=True)
class Figure:
    """One figure that differs. A row that is on one side only has None for every measure on the other.

    Attributes:
        key: the columns that say which row it is.
        cuts: by how many columns the row is broken down; 0 is a total.
    """

    key: Mapping[str, str]
    measure: str
    before: Value
    after: Value
    cuts: int


@dataclass(frozen=True)
class MartDiff:
    """The figures that differ in one mart.

    Attributes:
        figures: those of the district and quarter, totals first; at most as many as were asked for.
        here: the count of all those.
        other_quarters: the count in the same district's other quarters.
        city: the count in the whole city's rows, of any quarter. elsewhere: of other districts, or of none.
    """

    mart: str
    figures: tuple[Figure, ...]
    here: int
    other_quarters: int
    city: int
    elsewhere: int

    @property
    def total(self) -> int:
        """The count of all figures of the mart that differ."""
        return self.here + self.other_quarters + self.city + self.elsewhere


class KeyNotDeclared(Exception):
    """A mart declares no `unique_combination` of columns; a fault of ours."""


@lru_cache(maxsize=4)
def mart_keys(project: Path) -> dict[str, tuple[str, ...]]:
    """The key columns of each mart, as its YAML declares them (`unique_combination`, which is tested)."""
    keys = {}
    for path in sorted((project / "models" / "marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []:
            for test in model.get("data_tests", []):
                if isinstance(test, dict) and "unique_combination" in test:
                    keys[str(model["name"])] = tuple(test["unique_combination"]["arguments"]["columns"])
    return keys


def diff_marts(
    before: Path, after: Path, district: str | None, quarter: str | None, most: int | None
) -> list[MartDiff]:
    """Compare the marts of two warehouses.

    Args:
        before, after: warehouse files, read only.
        district, quarter: whose figures are listed, others are counted; None twice: all are listed.
        most: figures listed per mart; None lists all.

    Returns:
        A diff for each mart in which a figure differs, in order of name.

    Raises:
        KeyNotDeclared: a mart without a declared key.
        WarehouseFailed: a warehouse can't be read.
    """
    with reading_warehouse(before), duckdb.connect() as connection:
        for name, path in (("old", before), ("new", after)):
            quoted = str(path).replace("'", "''")
            connection.execute(f"attach '{quoted}' as {name} (read_only)")
        found = set(marts_in(connection, "new")) & set(marts_in(connection, "old"))
        compared = [_diff_mart(connection, mart, district, quarter, most) for mart in sorted(found)]
    return [diff for diff in compared if diff.total]


def _columns(connection: duckdb.DuckDBPyConnection, database: str, mart: str) -> dict[str, str]:
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = ? and schema_name = 'marts' and table_name = ? order by column_index",
        [database, mart],
    ).fetchall()
    return {str(name): str(kind) for name, kind in found}


def _diff_mart(
    connection: duckdb.DuckDBPyConnection, mart: str, district: str | None, quarter: str | None, most: int | None
) -> MartDiff:
    declared = mart_keys(PROJECT).get(mart)
    if declared is None:
        raise KeyNotDeclared(f"{mart}: no unique_combination of columns is declared")
    key = tuple(name for name in declared if name != _PERIOD_KIND)
    new, old = _columns(connection, "new", mart), _columns(connection, "old", mart)
    measures = {
        name: kind
        for name, kind in new.items()
        if name in old and name not in key and (kind.startswith(_NUMBERS) or kind == "BOOLEAN")
    }
    if not measures:
        return MartDiff(mart, (), 0, 0, 0, 0)
    whole = _PERIOD_KIND in declared
    quarters = {
        side: f"{side}.marts.{mart}"
        + (f" where {_PERIOD_KIND} = 'kvartal'" if whole and _PERIOD_KIND in columns else "")
        for side, columns in (("new", new), ("old", old))
    }
    _write_pairs(connection, quarters, key, measures)
    cuts = " + ".join(f"({name} <> '{WHOLE}')::int" for name in _breakdown_columns(connection, mart, key, new))
    place = _whose_figure(key) if district is not None else "'here'"
    # our own names begin with _, because a mart may have a key column called measure
    connection.execute(
        "create or replace temp table differing as "
        + " union all ".join(
            f"select {', '.join(key)}, {cuts or 0} as _cuts, {place} as _place, {number} as _nth, "
            f"'{name}' as _measure, old_{name}::double as _was, new_{name}::double as _is "
            f"from pairs where {_differs(name, kind)}"
            for number, (name, kind) in enumerate(measures.items())
        ),
        {"district": district, "quarter": quarter} if "$" in place else None,
    )
    counts = dict(connection.execute("select _place, count(*) from differing group by _place").fetchall())
    rows = connection.execute(
        f"select {', '.join(key)}, _measure, _was, _is, _cuts from differing where _place = 'here' "
        f"order by _cuts, {', '.join(key)}, _nth {'' if most is None else f'limit {most}'}"
    ).fetchall()
    figures = tuple(
        Figure(
            {name: str(cell) for name, cell in zip(key, row, strict=False)},
            row[-4],
            _value(row[-3], measures[row[-4]]),
            _value(row[-2], measures[row[-4]]),
            row[-1],
        )
        for row in rows
    )
    return MartDiff(mart, figures, *(counts.get(p, 0) for p in ("here", "other_quarters", "city", "elsewhere")))


def _breakdown_columns(
    connection: duckdb.DuckDBPyConnection, mart: str, key: tuple[str, ...], kinds: Mapping[str, str]
) -> list[str]:
    """The key columns that rows may be broken down by: those in which some row says `alla`."""
    texts = [name for name in key if kinds[name] == "VARCHAR"]
    held = ", ".join(f"bool_or({name} = '{WHOLE}')" for name in texts)
    found = connection.execute(f"select {held or 0} from new.marts.{mart}").fetchone() or ()
    return [name for name, holds in zip(texts, found, strict=False) if holds]


def _write_pairs(
    connection: duckdb.DuckDBPyConnection, quarters: Mapping[str, str], key: tuple[str, ...], measures: dict[str, str]
) -> None:
    """Write the rows in which some measure differs, old and new side by side, as the table `pairs`."""
    same = " and ".join(f"o.{name} is not distinct from n.{name}" for name in key)
    keys = ", ".join(f"coalesce(n.{name}, o.{name}) as {name}" for name in key)
    both = ", ".join(f"o.{name} as old_{name}, n.{name} as new_{name}" for name in measures)
    differs = " or ".join(f"o.{name} is distinct from n.{name}" for name in measures)
    connection.execute(
        f"create or replace temp table pairs as select {keys}, {both} from (from {quarters['old']}) as o "
        f"full join (from {quarters['new']}) as n on {same} where {differs}"
    )


def _differs(name: str, kind: str) -> str:
    """SQL: whether a measure differs. A row on one side only, with nothing counted in it, does not differ."""
    old, new = f"old_{name}", f"new_{name}"
    if kind.startswith(("FLOAT", "DOUBLE")):
        close = f"abs({old} - {new}) <= {_ROUNDING} * greatest(abs({old}), abs({new}))"
        return f"{old} is distinct from {new} and not coalesce({close}, false)"
    if kind == "BOOLEAN":
        return f"{old} is not null and {new} is not null and {old} <> {new}"
    return f"{old} is distinct from {new} and (coalesce({old}, 0) <> 0 or coalesce({new}, 0) <> 0)"


def _whose_figure(key: tuple[str, ...]) -> str:
    """SQL: whether a row is of the district and quarter (here), its other quarters, the city, or elsewhere."""
    if _DISTRICT not in key:
        return "'elsewhere'"
    here = f"{_QUARTER} = $quarter" if _QUARTER in key else "$quarter is not null"
    return (
        f"case when {_DISTRICT} = '{whole_code()}' then 'city' when {_DISTRICT} <> $district then 'elsewhere' "
        f"when {here} then 'here' else 'other_quarters' end"
    )


def _value(number: float | None, kind: str) -> Value:
    if number is None:
        return None
    if kind == "BOOLEAN":
        return bool(number)
    return number if kind.startswith(("FLOAT", "DOUBLE", "DECIMAL")) else int(number)
