"""Leaving rows out of a release: those of cells that no pattern can protect.

A sum of figures that have gone out may follow from them, and then nothing that can still be hidden protects it: a unit
made of merged ones in quarters already out, the year of a unit that has ended, a quarter restated around figures that
stay. Such a cell goes out neither shown nor hidden. Its row and those that would tell it within the release (its
siblings, and what it is cut into) are left out and listed; to readers they may be anything, not 0. The other tables,
cuts and places go out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from publish.cutting import CELL, Cut, joined
from publish.sums import columns_of_codes
from publish.tables import TOTAL, Tables

LEFT_OUT = "left_out"
"""The published table that lists the rows which the others don't have."""
NOBODY, NOT_PROTECTABLE = "nobody", "not_protectable"
"""Why a release has no row: nobody is counted in it, or nothing would protect its figures."""


def leave_out(told: Cut, tables: Tables, cells: Iterable[int]) -> Cut:
    """The cut without the rows that tell these cells (numbers in `told.cells`), their siblings and their parts by code.

    Cells that stand in no row any more become internal: they exist, and nobody is told of them.
    """
    at_place: dict[tuple[str, str, str], list[frozenset[str]]] = {}
    about = told.cells[["measure", "geography", "period", "codes"]]
    for measure, geography, period, codes in about.iloc[sorted(set(cells))].itertuples(index=False):
        at_place.setdefault((measure, geography, period), []).append(columns_of_codes(codes, tables))
    cut_by = {codes: columns_of_codes(codes, tables) for codes in about["codes"].unique()}
    goes = np.array([
        any(columns <= cut_by[codes] for columns in at_place.get((measure, geography, period), ()))
        for measure, geography, period, codes in about.itertuples(index=False)
    ], dtype=bool)  # fmt: skip
    rows, listed, is_told = {}, [told.left_out], np.zeros(len(told.cells), dtype=bool)
    for name, frame in told.rows.items():
        numbers = [frame[CELL + column].to_numpy(dtype=np.int64) for column in tables.tables[name].counts]
        out: NDArray[np.bool_] = np.any([goes[number] for number in numbers], axis=0)
        listed.append(_listed(name, frame[out], tables))
        rows[name] = frame[~out].reset_index(drop=True)
        for number in numbers:
            is_told[number[~out]] = True
    cells_left = told.cells.assign(
        is_internal=~is_told, is_protecting=told.cells["is_protecting"].to_numpy(dtype=bool) & is_told
    )
    return replace(told, cells=cells_left, rows=rows, left_out=pd.concat(listed, ignore_index=True))


def _listed(name: str, rows: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The places and cuts of rows of a table, as `Cut.left_out` has them."""
    table = tables.tables[name]
    return pd.DataFrame(
        {
            "table_name": pd.Series(name, index=rows.index, dtype=str),
            "rows_where": block_of(rows, table.keys),
            "geography": rows["geography"].astype(str),
            "period": rows["period"].astype(str),
            "cut": cut_of(rows, tables.dimension_columns(table)),
        }
    ).drop_duplicates()


def block_of(rows: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """Each row's `column=value` of the columns that tell a table's blocks apart, joined by commas."""
    told = [column + "=" + rows[column].astype(str) for column in columns]
    return joined(told, len(rows)).set_axis(rows.index)


def cut_of(rows: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """The columns by which each row is cut, joined by commas; `alla` for a total."""
    cut_by = [pd.Series(np.where(rows[column] == TOTAL, "", column), dtype=str) for column in columns]
    return joined(cut_by, len(rows)).replace("", TOTAL).set_axis(rows.index)
