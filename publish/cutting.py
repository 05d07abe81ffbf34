"""Cutting: from the marts' rows to the cells of the tables that go out, and what adds up to what.

A cell is a measure in a place: geography, period, and the codes of the dimensions that it is cut by. Tables that hold
the same cell share it. Geography is the district code as submitted, `today:<code>` for a unit that has been merged
from others (the sum of them and of itself), and the city. A code that nobody has in a period makes no cells; where
somebody in the city has it, every unit has a cell, with 0 where the mart has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from publish.sums import CITY, TODAY, Nesting, wrong_sum
from publish.tables import TOTAL, Block, Table, Tables
from publish.warehouse import CutError, Warehouse

AS_SUBMITTED = "as_submitted"
COMPLETENESS = ("districts_in_force", "districts_expected", "late", "open_queries")
CELL = "cell of "
"""Prefix of the columns of `Cut.rows` that say which cell a count is."""


@dataclass(frozen=True)
class Cut:
    """What the marts hold for the tables that go out."""

    cells: pd.DataFrame
    """A row per cell, with the columns of `publish.sums.COLUMNS`; no complements. Internal are those left out."""
    nesting: Nesting
    rows: dict[str, pd.DataFrame]
    """Table → its rows: keys, `geography`, `period`, dimensions, counts, the cell of each, derived, completeness."""
    units: pd.DataFrame
    """Geography (node) → `district_code`, `district_basis` of each row it is published under."""
    quarters: tuple[str, ...]
    """The quarters of which something goes out."""
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What nothing protects (`publish.leaving_out`): `table_name`, `rows_where`, `geography`, `period`, `cut`."""


def cut(
    warehouse: Warehouse, tables: Tables, *, until: str | None = None, on_table: Callable[[str], None] = lambda _: None
) -> Cut:
    """Cut the marts as declared.

    Args:
        warehouse: an open one.
        tables: what goes out.
        until: nothing later than this quarter goes out.
        on_table: called with each table's name before it is cut.

    Raises:
        CutError: a mart lacks something, two marts tell one cell differently, or a sum does not add up.
    """
    merged = warehouse.merged()
    validity = warehouse.validity()
    places = _Places(tables)
    rows: dict[str, list[pd.DataFrame]] = {}
    for name, table in tables.tables.items():
        on_table(name)
        for block in table.blocks:
            for cut_of in block.cuts:
                frame = _rows_of(warehouse, tables, table, block, cut_of, merged, validity, until)
                if len(frame):
                    rows.setdefault(name, []).append(places.add(name, table, block, frame))
    cells = places.cells()
    nesting = Nesting(tables, {code: TODAY + unit for code, unit in merged.items()}, places.outer)
    wrong = wrong_sum(cells, nesting.sums(cells))
    if wrong is not None:
        raise CutError(f"the marts contradict themselves: {wrong}")
    told = {name: _together(tables, tables.tables[name], frames) for name, frames in rows.items()}
    nodes = sorted(cells["geography"].unique())
    quarters = sorted({p for p in cells["period"].unique() if "Q" in p})
    return Cut(cells, nesting, told, _units(nodes, merged), tuple(quarters))


def _units(nodes: Iterable[str], merged: dict[str, str]) -> pd.DataFrame:
    """Under which district codes and divisions a node is published: one that no merger touches stands in both."""
    found = []
    for node in nodes:
        if not node.startswith(TODAY):
            found.append((node, node, AS_SUBMITTED))
        if node not in merged:
            found.append((node, node.removeprefix(TODAY), "today"))
    return pd.DataFrame(found, columns=["geography", "district_code", "district_basis"])


def _rows_of(
    warehouse: Warehouse,
    tables: Tables,
    table: Table,
    block: Block,
    cut_of: tuple[str, ...],
    merged: dict[str, str],
    validity: dict[str, tuple[str, str]],
    until: str | None,
) -> pd.DataFrame:
    """A block's rows by one cut and all that lies in it: every unit that may go out × every code that somebody has."""
    by = [column for name in cut_of for column in tables.columns_of(name)]
    found = _read(warehouse, table, block, by, until)
    found["geography"] = np.where(
        (found["district_basis"] == "today") & found["district_code"].isin(set(merged.values())),
        TODAY + found["district_code"],
        found["district_code"],
    )
    is_double = (found["district_basis"] == "today") & ~found["geography"].str.startswith(TODAY)
    found = found[~is_double].drop(columns=["district_code", "district_basis"])
    if block.geography == "city":
        found = found[found["geography"] == CITY]
    counts = list(block.counts)
    is_total = (found[by] == TOTAL).all(axis=1)
    told = found[is_total].set_index(["geography", "period"])[["is_ready", *COMPLETENESS]]
    ready = _ready(told, merged, city_alone=block.geography == "city")
    if table.grain == "year":
        ready = _ready_years(ready, told, merged, validity, city_alone=block.geography == "city")
    if ready.empty:
        return ready
    derived = [column for column, one in table.derived.items() if one.kind not in ("rate", "mean")]
    means = [column for column, one in table.derived.items() if one.kind == "mean"]
    found = found[found["period"].isin(set(ready.index.get_level_values("quarter")))]
    found = found.merge(ready["period"].rename("out").reset_index(), left_on=["geography", "period"],
                        right_on=["geography", "quarter"])  # fmt: skip
    found["period"] = found["out"]
    if block.without:
        found = found[~found[by].isin(block.without).any(axis=1)]
    for column in means:
        found[column] = found[column] * found[table.derived[column].of[0]]
    keys = ["geography", "period", *by]
    how = dict.fromkeys(counts, "sum") | dict.fromkeys(derived, "first")
    summed = found.groupby(keys, sort=False, as_index=False).agg(how)
    if means:
        sums = found.groupby(keys, sort=False, as_index=False)[means].sum(min_count=1)
        summed = summed.merge(sums, on=keys)
    places = ready.groupby(["geography", "period"]).agg(
        {"districts_in_force": "min", "districts_expected": "max", "late": "sum", "open_queries": "sum"}
    )
    codes = summed[["period", *by]].drop_duplicates()
    dense = places.reset_index().merge(codes, on="period").merge(summed, on=keys, how="left")
    dense[counts] = dense[counts].fillna(0).astype(np.int64)
    for column in means:
        n = dense[table.derived[column].of[0]]
        dense[column] = (dense[column] / n).where(n > 0)
    return dense


def _read(warehouse: Warehouse, table: Table, block: Block, by: list[str], until: str | None) -> pd.DataFrame:
    """The mart's rows of a block that are cut by these columns or fewer."""
    dimensions = warehouse.dimensions(block.mart)
    lacking = sorted(set(by) - set(warehouse.columns(block.mart)))
    if lacking:
        raise CutError(f"{block.mart} has no column {', '.join(lacking)}")
    conditions = [f"{name} = '{value}'" for name, value in block.where.items()]
    conditions += [f"{name} = '{TOTAL}'" for name in dimensions if name not in by and name not in block.where]
    if until is not None:
        conditions.append(f"reporting_quarter <= '{until}'")
    is_settled = "is_cohort_complete" if block.ripens else "districts_in_force = districts_expected"
    wanted = [*block.counts, *(name for name, one in table.derived.items() if one.kind != "rate")]
    told = [f'{block.expression(name)} as "{name}"' for name in wanted]
    try:
        return warehouse.table(
            f"select district_code, district_basis, reporting_quarter as period, {''.join(f'{name}, ' for name in by)}"
            f"{is_settled} and not is_survivors_only as is_ready, {', '.join(COMPLETENESS)}, {', '.join(told)} "
            f"from marts.{block.mart} where {' and '.join(conditions) or 'true'}"
        )
    except duckdb.Error as error:
        raise CutError(f"{block.mart} can't be cut as tables.yml says: {error}") from error


def _ready(told: pd.DataFrame, merged: dict[str, str], *, city_alone: bool) -> pd.DataFrame:
    """The (unit, quarter) that may go out, with `period` and completeness.

    What can still ripen, lacks a file or holds survivors only does not, and a sum only when all its parts do, so that
    a part that is not told yet can't be found by subtraction.
    """
    is_ready = told["is_ready"].astype(bool)
    if not city_alone:
        geography = told.index.get_level_values("geography")
        quarter = told.index.get_level_values("period")
        is_unit = (geography != CITY) & ~geography.str.startswith(TODAY)
        waiting = set(quarter[is_unit & ~is_ready.to_numpy()])
        units = pd.Series(geography).map(merged).to_numpy()
        late = {(unit, q) for unit, q, bad in zip(units, quarter, ~is_ready.to_numpy(), strict=True) if bad}
        held_back = [
            (g == CITY and q in waiting) or (g.startswith(TODAY) and (g.removeprefix(TODAY), q) in late)
            for g, q in zip(geography, quarter, strict=True)
        ]
        is_ready = is_ready & ~np.array(held_back, dtype=bool)
    kept = told[is_ready].copy()
    kept.index.names = ["geography", "quarter"]
    kept["period"] = kept.index.get_level_values("quarter")
    return kept.drop(columns="is_ready")


def _ready_years(
    ready: pd.DataFrame,
    told: pd.DataFrame,
    merged: dict[str, str],
    validity: dict[str, tuple[str, str]],
    *,
    city_alone: bool,
) -> pd.DataFrame:
    """The (unit, quarter) of years that may go out: all quarters in which the unit is valid are ready."""
    quarters: dict[str, set[str]] = {}
    for geography, quarter in ready.index:
        quarters.setdefault(geography, set()).add(quarter)
    wanted: list[tuple[str, str]] = []
    units = [g for g in {g for g, _ in told.index} if g != CITY and not g.startswith(TODAY)]
    years = sorted({quarter[:4] for _, quarter in ready.index})
    for year in years:
        of_year = [f"{year}Q{n}" for n in (1, 2, 3, 4)]
        whole = set()
        for unit in units:
            first, last = validity.get(unit, ("0000Q1", "9999Q4"))
            valid = {q for q in of_year if first <= q <= last}
            told_of = {q for q in of_year if (unit, q) in told.index}
            if valid and valid | told_of <= quarters.get(unit, set()):
                whole.add(unit)
        all_told = {g for g, q in told.index if q in of_year and g in units}
        if set(of_year) <= quarters.get(CITY, set()) and (city_alone or all_told <= whole):
            whole.add(CITY)
        for node in {TODAY + code for code in merged.values()}:
            parts = {unit for unit in all_told if TODAY + merged.get(unit, "") == node}
            if parts <= whole and set(of_year) <= quarters.get(node, set()):
                whole.add(node)
        wanted += [(g, q) for g in whole for q in of_year if (g, q) in ready.index]
    kept = ready.loc[pd.MultiIndex.from_tuples(wanted, names=["geography", "quarter"])] if wanted else ready.iloc[:0]
    kept = kept.copy()
    kept["period"] = kept.index.get_level_values("quarter").str[:4]
    return kept


class _Places:
    """Gathers cells and relations over all blocks; a cell that is met again must have the same value."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._columns = {c for table in tables.tables.values() for c in tables.dimension_columns(table)}
        self._cells: dict[str, int] = {}
        self._values: list[int] = []
        self._about: list[tuple[str, str, str, str]] = []
        self.outer: dict[str, str] = {}

    def add(self, name: str, table: Table, block: Block, frame: pd.DataFrame) -> pd.DataFrame:
        """Add a block's rows; returns them with the cell of each count."""
        frame = frame.reset_index(drop=True)
        nodes = self._nodes(frame)
        codes = joined([nodes[dimension] for dimension in sorted(nodes)], len(frame))
        place = frame["geography"] + "|" + frame["period"] + "|" + codes
        cells: dict[str, NDArray[np.int64]] = {}
        for column, measure in block.counts.items():
            cells[column] = self._cells_of(name, measure, frame, place, codes, frame[column].to_numpy(dtype=np.int64))
        told = frame.assign(**{CELL + column: number for column, number in cells.items()})
        for column, value in block.keys.items():
            told[column] = value
        return told

    def _nodes(self, frame: pd.DataFrame) -> dict[str, pd.Series]:
        """Dimension → the innermost `column=code` of each row, empty where the row is not cut by it."""
        nodes: dict[str, pd.Series] = {}
        by = [c for c in frame.columns if c in self._columns]
        for column in by:
            dimension = self._tables.dimension_of(column)
            node = pd.Series(np.where(frame[column] == TOTAL, "", column + "=" + frame[column].astype(str)))
            if dimension in nodes:
                outer = nodes[dimension]
                for inner, parent in set(zip(node, outer, strict=True)):
                    if inner and self.outer.setdefault(inner, parent) != parent:
                        raise CutError(f"{inner} lies in {parent} and in {self.outer[inner]}")
                node = node.where(node != "", outer)
            else:
                self.outer.update({text: "" for text in node.unique() if text})
            nodes[dimension] = node
        return nodes

    def _cells_of(
        self,
        table: str,
        measure: str,
        frame: pd.DataFrame,
        place: pd.Series,
        codes: pd.Series,
        values: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """The numbers of the cells of a measure in these places."""
        numbers = np.empty(len(frame), dtype=np.int64)
        rows = zip(place, frame["geography"], frame["period"], codes, values.tolist(), strict=True)
        for row, (text, geography, period, code, value) in enumerate(rows):
            key = f"{measure}|{text}"
            number = self._cells.get(key)
            if number is None:
                if value < 0:
                    raise CutError(f"{table}: {key} is negative")
                number = self._cells[key] = len(self._values)
                self._values.append(value)
                self._about.append((measure, geography, period, code))
            elif self._values[number] != value:
                raise CutError(f"{table}: {key} is told differently by two marts")
            numbers[row] = number
        return numbers

    def cells(self) -> pd.DataFrame:
        """All cells."""
        about = pd.DataFrame(self._about, columns=["measure", "geography", "period", "codes"])
        about.insert(0, "key", list(self._cells))
        return about.assign(value=np.array(self._values, dtype=np.int64), is_internal=False, is_protecting=True)


def joined(parts: list[pd.Series], length: int) -> pd.Series:
    """Texts joined by commas, the empty ones left out."""
    joined = pd.Series([""] * length, dtype=object)
    for part in parts:
        text = part.astype(object).to_numpy()
        comma = np.where((joined != "") & (text != ""), ",", "")
        joined = joined + comma + text
    return joined


def _together(tables: Tables, table: Table, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """A table's rows: those that several cuts share stand once; the dimensions that a row is not cut by are `alla`."""
    dimensions = list(tables.dimension_columns(table))
    together = pd.concat(frames, ignore_index=True)
    for column in dimensions:
        together[column] = together[column].fillna(TOTAL) if column in together else TOTAL
    keys = [*table.keys, "geography", "period", *dimensions]
    return together.drop_duplicates(keys).reset_index(drop=True)
