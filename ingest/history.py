"""History: what rules over several files look at: the previous quarter, the cases of episodes, four quarters.

Only what is in force counts. A district that replaced others looks back at its predecessors' files.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingest.checks.arithmetic import IntArray
from ingest.conforming import ConformedTable
from ingest.districts import load_districts
from ingest.ledger import Ledger, Submission
from ingest.quarters import Quarter
from ingest.row_files import RowFiles
from ingest.sentinels import DATE_BAD, DATE_EMPTY, EMPTY
from ingest.storing import read_rows

STOCK_GROUP = ["insats", "malgrupp"]
SERVICE_KEY = ["insats", "malgrupp", "kon", "aldersgrupp", "hanvisad_fran"]
USUAL_COUNTS = (
    "antal_nya", "antal_pagaende", "antal_fullfoljt", "antal_avbrutit", "antal_samtal", "antal_uppfoljda", "antal_i_ko",
)  # fmt: skip
LEAST_MEDIAN = 20
"""Counts whose median over four quarters is smaller jump by chance and are not judged."""
MANY_TIMES = 5
QUICK_RESTART_DAYS = 7
_LARGEST = 2**31 - 1
_DAYS = np.int64(2**24)
"""More than there are days between any two dates."""


@dataclass(frozen=True)
class History:
    """What other files add to a sheet.

    Attributes:
        columns: derived columns for the rules.
        dates: those of them that hold days.
        absent: source row numbers in the previous quarter's file of what this file should have carried on.
        absent_keys: for each of them the parts of its row key, as `queries.row_key` takes them.
        known: which of `previous_quarter`, `cases` and `four_quarters` are there; rules name them in `needs`.
    """

    columns: dict[str, IntArray] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    absent: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    absent_keys: tuple[tuple[str, ...], ...] = ()
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Past:
    """Access to the files in force before and beside one submission."""

    ledger: Ledger
    files: RowFiles
    district_code: str
    quarter: Quarter

    def rows(self, dataset: str, quarter: Quarter | None, columns: list[str]) -> pa.Table | None:
        """Rows in force of one quarter (None: all) of this district and those it replaced; None when there are none.

        Raises:
            DamagedRows: a file of them is missing or damaged.
        """
        codes = [self.district_code, *load_districts().predecessors(self.district_code)]
        chosen = [
            found
            for code in codes
            for found in self.ledger.in_force(
                district=code, dataset=dataset, quarter=None if quarter is None else str(quarter)
            )
        ]
        if not chosen:
            return None
        tables = [read_rows(self.files, found, columns) for found in chosen if found.parquet_path]
        plain = [table.cast(pa.schema([(f.name, _plain(f.type)) for f in table.schema])) for table in tables]
        return pa.concat_tables(plain)

    def others(self, dataset: str) -> list[Submission]:
        """Submissions of a dataset in force, except this unit's of this quarter."""
        own = (self.district_code, str(self.quarter))
        return [s for s in self.ledger.in_force(dataset=dataset) if (s.district_code, s.reporting_quarter) != own]

    def frame(self, dataset: str, quarter: Quarter | None, columns: list[str]) -> pd.DataFrame | None:
        """The same as a data frame."""
        rows = self.rows(dataset, quarter, columns)
        return None if rows is None else rows.to_pandas()


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def look_back(dataset: str, table: ConformedTable, past: Past | None) -> History:
    """Derived columns for a dataset's rules over several files; empty when there is no past to look at."""
    if past is None:
        return History()
    if dataset == "arenden":
        return _cases(table, past)
    if dataset == "oppenvard":
        return _episodes(table, past)
    if dataset == "serviceinsatser":
        return _services(table, past)
    return History()


def _positions(cells: pa.ChunkedArray, texts: pa.Array) -> npt.NDArray[np.int64]:
    """Position of each cell among this file's texts; EMPTY where it is not among them."""
    found = pc.index_in(cells, value_set=texts).fill_null(EMPTY)
    positions: npt.NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return positions


def _pairs(first: IntArray, second: IntArray) -> npt.NDArray[np.int64]:
    """Two positions as one number; EMPTY where either is missing."""
    return np.where((first >= 0) & (second >= 0), first.astype(np.int64) * _LARGEST + second, EMPTY)


def _cases(table: ConformedTable, past: Past) -> History:
    columns = ["arende_id", "match_person_key", "utredning_inledd", "utredning_slut", "source_row_number"]
    before = past.rows("arenden", past.quarter.previous(), columns)
    if before is None:
        return History()
    person = _positions(before["match_person_key"], table.match_keys)
    pair = _pairs(_positions(before["arende_id"], table.texts["arende_id"]), person)
    mine = _pairs(table.values["arende_id"], table.values["person"])
    here = (pair >= 0) & np.isin(pair, mine)
    end = before["utredning_slut"].cast(pa.int32()).fill_null(DATE_EMPTY).to_numpy()

    gone = before.filter(pa.array(~here)).to_pandas().drop_duplicates(columns[:2])
    gone = gone[(gone["utredning_inledd"] != "nej") & gone["utredning_slut"].isna()]
    absent = gone["source_row_number"].to_numpy(np.int64)
    absent_keys = tuple(zip(gone["arende_id"], gone["match_person_key"], strict=True))

    distinct, first = np.unique(np.append(pair, EMPTY), return_index=True)
    place = np.searchsorted(distinct, mine).clip(max=len(distinct) - 1)
    is_known = (mine >= 0) & (distinct[place] == mine)
    derived: dict[str, IntArray] = {
        "previous_end": np.where(is_known, np.append(end, DATE_EMPTY)[first[place]], DATE_EMPTY).astype(np.int32),
        "restarted": _restarted(table, person[~here], end[~here]),
    }
    return History(derived, frozenset({"previous_end"}), absent, absent_keys, frozenset({"previous_quarter"}))


def _restarted(
    table: ConformedTable, persons_before: npt.NDArray[np.int64], ends_before: npt.NDArray[np.int32]
) -> npt.NDArray[np.int8]:
    """1 where an investigation starts within days of the end of another of the same child's, in the file before."""
    ended = (persons_before >= 0) & (ends_before > DATE_BAD)
    ends = np.sort(persons_before[ended] * _DAYS + ends_before[ended])
    start = table.values["utredning_start"].astype(np.int64)
    latest = table.values["person"] * _DAYS + start
    count = np.searchsorted(ends, latest, side="right") - np.searchsorted(ends, latest - QUICK_RESTART_DAYS)
    return ((count > 0) & (table.values["person"] >= 0) & (start > DATE_BAD)).astype(np.int8)


def _episodes(table: ConformedTable, past: Past) -> History:
    if past.rows("arenden", past.quarter, ["arende_id"]) is None:
        return History()
    cases = past.rows("arenden", None, ["arende_id"])
    given, texts = table.values["arende_id"], table.texts["arende_id"]
    known = np.zeros(len(texts) + 1, np.int8)
    if cases is not None:
        known[: len(texts)] = pc.is_in(texts, value_set=pc.unique(cases["arende_id"])).to_numpy(zero_copy_only=False)
    return History(
        {"case_known": np.where(given >= 0, known[given], EMPTY).astype(np.int8)}, known=frozenset({"cases"})
    )


def _decoded(table: ConformedTable, name: str) -> npt.NDArray[np.object_]:
    codes = np.array([*table.codes[name].codes, None], dtype=object)
    position = table.values[name]
    return codes[np.where(position < 0, len(codes) - 1, position)]


def _services(table: ConformedTable, past: Past) -> History:
    stock = ["antal_pagaende", "antal_nya", "antal_fullfoljt", "antal_avbrutit"]
    now = pd.DataFrame({name: _decoded(table, name) for name in SERVICE_KEY})
    for name in USUAL_COUNTS:
        now[name] = np.where(table.values[name] >= 0, table.values[name], 0)
    columns: dict[str, IntArray] = {}
    known: set[str] = set()
    absent = np.empty(0, np.int64)
    absent_keys: tuple[tuple[str, ...], ...] = ()
    before = past.frame("serviceinsatser", past.quarter.previous(), [*STOCK_GROUP, *stock, "source_row_number"])
    if before is not None:
        known.add("previous_quarter")
        group = now.groupby(STOCK_GROUP, dropna=False, sort=False)
        sums = group[stock].sum()
        earlier = before.groupby(STOCK_GROUP)["antal_pagaende"].sum()
        expected = earlier.reindex(sums.index).fillna(0) + sums["antal_nya"]
        expected = expected - sums["antal_fullfoljt"] - sums["antal_avbrutit"]
        gap = (expected - sums["antal_pagaende"]).abs().clip(upper=_LARGEST).to_numpy(np.int64)
        column = np.full(len(now), EMPTY, np.int32)
        column[group.head(1).index.to_numpy()] = gap
        columns["stock_gap"] = column
        gone = earlier[(earlier > 0) & ~earlier.index.isin(sums.index)].index
        first = before.groupby(STOCK_GROUP)["source_row_number"].min()
        rows = first.reindex(gone).sort_values()
        absent, absent_keys = rows.to_numpy(np.int64), tuple(rows.index)
    quarters = [past.quarter.back(n) for n in range(1, 5)]
    earlier_files = [past.frame("serviceinsatser", q, [*SERVICE_KEY, *USUAL_COUNTS]) for q in quarters]
    frames = [frame for frame in earlier_files if frame is not None]
    if len(frames) == len(quarters):
        known.add("four_quarters")
        per_quarter = pd.concat(
            [f.groupby(SERVICE_KEY, dropna=False)[list(USUAL_COUNTS)].sum().reset_index() for f in frames]
        )
        grouped = per_quarter.groupby(SERVICE_KEY, dropna=False)[list(USUAL_COUNTS)]
        usual = grouped.median().where(grouped.count() == len(quarters))
        medians = now[SERVICE_KEY].merge(usual.reset_index(), on=SERVICE_KEY, how="left")
        for name in USUAL_COUNTS:
            median = medians[name].to_numpy(float)
            # of all rows with the key: since 2025Q3 there may be one for each legal ground
            count = now.groupby(SERVICE_KEY, dropna=False)[name].transform("sum").to_numpy(float)
            judged = np.nan_to_num(median, nan=0.0) >= LEAST_MEDIAN
            jump = judged & ((count > MANY_TIMES * median) | (count * MANY_TIMES < median))
            columns[f"unusual_{name}"] = jump.astype(np.int8)
    return History(columns, frozenset(), absent, absent_keys, frozenset(known))
