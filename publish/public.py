"""What is public, put to the audit: a written release's own tables, and those of earlier releases.

The release is read back from its file. How codes and districts nest is read from the file too; only which column counts
which measure is taken from tables.yml, and true values play no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from publish.auditing import Audit, Cell, Need, PublicTable, audit, cell_of
from publish.leaving_out import LEFT_OUT, NOBODY
from publish.policy import Policy
from publish.sums import CITY, TODAY
from publish.tables import TOTAL, Block, Table, Tables

_FILLED = "0"
"""The version of a cell that has no row because it is 0."""


Kind = tuple[str, str, str, frozenset[str]]
"""Cells of one measure, geography and period, by the columns of their codes."""


@dataclass(frozen=True)
class PublicCells:
    """A release's cells: `measure`, `geography`, `period`, `codes`, `key`, `count` (null if hidden)."""

    release: str
    rows: pd.DataFrame
    unknown: frozenset[Kind] = frozenset()
    """What is left out though it may be anything: an absent row of such cells is not 0."""


@dataclass(frozen=True)
class Nested:
    """How the codes of a release nest, as its own tables show: code → what it lies in."""

    outer: dict[str, str]
    merged: dict[str, str]


def read_public(path: Path, tables: Tables, release: str) -> tuple[PublicCells, Nested]:
    """All cells of a written release, and how its codes nest.

    Raises:
        ValueError: one cell stands with two figures.
    """
    outer: dict[str, str] = {}
    frames = []
    with duckdb.connect(str(path), read_only=True) as connection:
        districts = connection.execute(
            "select district_code, current_district_code from published.dim_district where kind <> 'city'"
        ).fetchall()
        moved = {now for code, now in districts if code != now}
        merged = {code: TODAY + now for code, now in districts if now in moved}
        left_out = connection.execute(f"select * from published.{LEFT_OUT}").df()
        left_out["geography"] = _nodes(left_out, merged)
        unknown: set[Kind] = set()
        for name, table in tables.tables.items():
            rows = connection.execute(f"select * exclude (released_at) from published.{name}").df()
            for block in table.blocks:
                where = ",".join(f"{column}={block.keys[column]}" for column in table.keys)
                absent = left_out[(left_out["table_name"] == name) & (left_out["rows_where"] == where)]
                is_of_nobody = absent["left_out_because"] == NOBODY
                frames += _cells(rows, tables, table, block, merged, outer)
                frames += _zeros(absent[is_of_nobody], block)
                unknown.update(_unknown(absent[~is_of_nobody], tables, block))
    together = pd.concat(frames, ignore_index=True)
    place = together["geography"] + "|" + together["period"] + "|" + together["codes"]
    together["key"] = together["measure"] + "|" + place
    told = together.drop_duplicates(["key", "count"])
    double = told["key"].duplicated()
    if double.any():
        raise ValueError(f"{told.loc[double, 'key'].iloc[0]} is published with two figures")
    unknown -= set(_kinds(told))
    return PublicCells(release, told.reset_index(drop=True), frozenset(unknown)), Nested(outer, merged)


def unknown_of(cells: pd.DataFrame) -> frozenset[Kind]:
    """What these cells, none of which readers were told, are."""
    return frozenset(_kinds(cells))


def _kinds(cells: pd.DataFrame) -> Iterable[Kind]:
    columns = {codes: frozenset(_columns(codes)) for codes in cells["codes"].unique()}
    return zip(cells["measure"], cells["geography"], cells["period"], cells["codes"].map(columns), strict=True)


def _columns(codes: str) -> tuple[str, ...]:
    return tuple(code.split("=")[0] for code in codes.split(",") if code)


def _unknown(absent: pd.DataFrame, tables: Tables, block: Block) -> Iterator[Kind]:
    """What rows that are left out would tell."""
    for geography, period, text in zip(absent["geography"], absent["period"], absent["cut"], strict=True):
        columns = text.split(",") if text != TOTAL else []
        innermost = {tables.dimension_of(column): column for column in columns}
        for measure in block.counts.values():
            yield measure, geography, period, frozenset(innermost.values())


def _zeros(absent: pd.DataFrame, block: Block) -> list[pd.DataFrame]:
    """The totals of places that have no row as nobody is counted there."""
    places = absent[["geography", "period"]].assign(codes="")
    return [places.assign(measure=measure, count=0) for measure in block.counts.values()] if len(places) else []


def _nodes(rows: pd.DataFrame, merged: dict[str, str]) -> pd.Series:
    """The geography of rows of a district and division; of a unit that no merger touches it is the district."""
    today = {unit.removeprefix(TODAY) for unit in merged.values()}
    is_node = (rows["district_basis"] == "today") & rows["district_code"].isin(today)
    return rows["district_code"].where(~is_node, TODAY + rows["district_code"])


def _cells(
    rows: pd.DataFrame, tables: Tables, table: Table, block: Block, merged: dict[str, str], outer: dict[str, str]
) -> list[pd.DataFrame]:
    """A block's counts as cells; notes which code lies in which."""
    for column, value in block.keys.items():
        rows = rows[rows[column] == value]
    geography = _nodes(rows, merged)
    # a unit that no merger touches stands in both divisions with the same figures
    is_double = (rows["district_basis"] == "today") & ~geography.str.startswith(TODAY)
    rows, geography = rows[~is_double], geography[~is_double]
    codes = pd.Series("", index=rows.index)
    by: dict[str, list[str]] = {}
    for column in tables.dimension_columns(table):
        by.setdefault(tables.dimension_of(column), []).append(column)
    for dimension in sorted(by):
        node = pd.Series("", index=rows.index)
        for column in by[dimension]:
            here = (column + "=" + rows[column].astype(str)).where(rows[column] != TOTAL, "")
            for inner, within in set(zip(here, node, strict=True)):
                if inner:
                    outer[inner] = within
            node = here.where(here != "", node)
        codes = codes + node.where((codes == "") | (node == ""), "," + node)
    period = rows[table.period].astype(str)
    place = pd.DataFrame({"geography": geography, "period": period, "codes": codes})
    return [place.assign(measure=measure, count=rows[column]) for column, measure in block.counts.items()]


def audit_public(
    releases: Sequence[PublicCells],
    versions: Sequence[Callable[[str], str]],
    nested: Nested,
    tables: Tables,
    policy: Policy,
    protected: Iterable[tuple[str, str]],
    on_component: Callable[[int, int], None] | None = None,
) -> Audit:
    """Bound every hidden figure from all that is public together.

    Args:
        releases: the release to come first, then earlier ones whose figures were changed later.
        versions: for each release, key → version of the cell's figure; the same version is the same figure.
        nested: how codes nest.
        tables: which measure is part of which.
        policy: what must stay possible, and what the attacker knows.
        protected: key and version of the cells to protect; a complement's measure is `<whole>−<part>`.
        on_component: as `publish.auditing.audit`.
    """
    totals = {"geography": CITY}
    codes = sorted(
        {code for one in releases for text in one.rows["codes"].unique() for code in text.split(",") if code}
    )
    by_column: dict[str, list[str]] = {}
    for code in codes:
        by_column.setdefault(code.split("=")[0], []).append(code)
    dimensions = sorted({tables.dimension_of(column) for column in by_column})
    totals |= dict.fromkeys(dimensions, TOTAL)
    units = sorted({
        g for one in releases for g in one.rows["geography"].unique() if g != CITY and not g.startswith(TODAY)
    })  # fmt: skip
    told = [
        PublicTable(f"{measure} {one.release}", measure, ("geography", "period", *dimensions), rows, one.release)
        for one, version in zip(releases, versions, strict=True)
        for measure, rows in _filled(one, version, by_column, units, tables, dimensions)
    ]
    hierarchies = _hierarchies(told, nested, by_column, units, tables)
    guarded = [_cell(key, version, tables, totals) for key, version in protected]
    return audit(
        told, hierarchies, totals, [(part.whole, part.part) for part in tables.parts], policy.attacker,
        protected=guarded, need=Need(0, policy.threshold, policy.width), on_component=on_component,
    )  # fmt: skip


def _hierarchies(
    told: Sequence[PublicTable], nested: Nested, by_column: dict[str, list[str]], units: list[str], tables: Tables
) -> dict[str, list[dict[str, str]]]:
    city = dict.fromkeys(units, CITY)
    today = {unit: nested.merged.get(unit, CITY) for unit in units} | dict.fromkeys(nested.merged.values(), CITY)
    periods = {period for table in told for period in table.rows["period"].unique()}
    years = {period: period[:4] for period in periods if len(period) > 4}
    found = {"geography": [city, today] if nested.merged else [city], "period": [years]}
    for column, listed in by_column.items():
        tree = {code: nested.outer.get(code) or TOTAL for code in listed}
        found.setdefault(tables.dimension_of(column), [{}])[0].update(tree)
    return found


def _filled(
    one: PublicCells,
    version: Callable[[str], str],
    by_column: dict[str, list[str]],
    units: list[str],
    tables: Tables,
    dimensions: list[str],
) -> Iterable[tuple[str, pd.DataFrame]]:
    """Each measure's rows with a column per dimension; cells that have no row where others of their kind do are 0."""
    columns = one.rows["codes"].map(_columns)
    for measure, of_measure in one.rows.groupby("measure"):
        frames = []
        for pattern, rows in of_measure.groupby(columns[of_measure.index]):
            told = set(zip(rows["geography"], rows["period"], strict=True))
            every = [",".join(codes) for codes in product(*(by_column[column] for column in pattern))]
            dense = pd.DataFrame(
                [(g, p, c) for g, p in sorted(_with_parts(told, units)) for c in every],
                columns=["geography", "period", "codes"],
            ).merge(
                rows[["geography", "period", "codes", "count", "key"]], how="left", on=["geography", "period", "codes"]
            )
            if one.unknown:
                is_known = [
                    (measure, g, p, frozenset(pattern)) not in one.unknown
                    for g, p in zip(dense["geography"], dense["period"], strict=True)
                ]
                dense = dense[dense["key"].notna() | np.array(is_known, dtype=bool)]
            absent = dense["key"].isna()
            dense.loc[absent, "count"] = 0
            dense["version"] = [
                _FILLED if is_absent else version(key) for key, is_absent in zip(dense["key"], absent, strict=True)
            ]
            for dimension in dimensions:
                dense[dimension] = TOTAL
            for number, column in enumerate(pattern):
                inner = {text: text.split(",")[number] for text in every}
                dense[tables.dimension_of(column)] = dense["codes"].map(inner)
            frames.append(dense.drop(columns=["codes", "key"]))
        yield str(measure), pd.concat(frames, ignore_index=True)


def _with_parts(told: set[tuple[str, str]], units: list[str]) -> set[tuple[str, str]]:
    """The places that are told, and those that are 0 as the whole that they are part of goes out without them."""
    found = set(told)
    with_units = {period for geography, period in told if geography != CITY}
    found |= {(unit, period) for g, period in told if g == CITY and period in with_units for unit in units}
    with_quarters = {(geography, period[:4]) for geography, period in told if len(period) > 4}
    years = {(geography, period) for geography, period in told if len(period) == 4}
    return found | {(g, f"{year}Q{n}") for g, year in years & with_quarters for n in (1, 2, 3, 4)}


def _cell(key: str, version: str, tables: Tables, totals: dict[str, str]) -> Cell:
    measure, geography, period, codes = key.split("|")
    whole, _, part = measure.partition("−")
    named = {"geography": geography, "period": period}
    named |= {tables.dimension_of(code.split("=")[0]): code for code in codes.split(",") if code}
    return cell_of(whole, named, totals, part=part, version=version)
