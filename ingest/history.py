"""What rules over several files need to know: the previous quarter, the cases behind episodes, the last four quarters.

Only what is in force counts. A district that replaced others looks back at its predecessors' files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.checks.arithmetic import IntArray
from ingest.conforming import ConformedTable
from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.quarters import Quarter
from ingest.sentinels import DATE_BAD, DATE_EMPTY, EMPTY, day_number

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


@dataclass(frozen=True)
class History:
    """What other files add to a sheet.

    Attributes:
        columns: derived columns for the rules.
        dates: those of them that hold days.
        absent: source row numbers in the previous quarter's file of what this file should have carried on.
        absent_keys: for each of them the parts of its row key, as `queries.row_key` takes them.
        known: which needs of rules could be met (`previous_quarter`, `cases`, `four_quarters`).
    """

    columns: dict[str, IntArray] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    absent: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    absent_keys: tuple[tuple[str, ...], ...] = ()
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Past:
    """Access to what is in force before and beside one submission."""

    ledger: Ledger
    home: Path
    district_code: str
    quarter: Quarter

    def rows(self, dataset: str, quarter: Quarter | None, columns: list[str]) -> pd.DataFrame | None:
        """Rows in force of one quarter (None: all) of this district and those it replaced; None when there are none."""
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
        tables = [
            pq.read_table(self.home / found.parquet_path, columns=columns) for found in chosen if found.parquet_path
        ]
        plain = [table.cast(pa.schema([(f.name, _plain(f.type)) for f in table.schema])) for table in tables]
        frame: pd.DataFrame = pa.concat_tables(plain).to_pandas()
        return frame


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


def _texts(table: ConformedTable, name: str) -> npt.NDArray[np.object_]:
    """Identifiers of a column as texts, None where empty or unreadable."""
    texts = np.array([*table.texts[name].to_pylist(), None], dtype=object)
    position = table.values[name]
    return texts[np.where(position < 0, len(texts) - 1, position)]


def _persons(table: ConformedTable, keys: pa.StringArray) -> npt.NDArray[np.object_]:
    texts = np.array([*keys.to_pylist(), None], dtype=object)
    person = table.values["person"]
    return texts[np.where(person < 0, len(texts) - 1, person)]


def _cases(table: ConformedTable, past: Past) -> History:
    columns = ["arende_id", "match_person_key", "utredning_inledd", "utredning_slut", "source_row_number"]
    before = past.rows("arenden", past.quarter.previous(), columns)
    if before is None:
        return History()
    now = pd.DataFrame({"arende_id": _texts(table, "arende_id"), "match_person_key": _persons(table, table.match_keys)})
    key = ["arende_id", "match_person_key"]
    before = before.drop_duplicates(key)
    ended = before["utredning_slut"].notna()
    still_open = (before["utredning_inledd"] != "nej") & ~ended
    here = before.merge(now.drop_duplicates(key), on=key, how="left", indicator=True)["_merge"].eq("both").to_numpy()
    gone = before[still_open.to_numpy() & ~here]
    absent = gone["source_row_number"].to_numpy(np.int64)
    absent_keys = tuple(zip(gone["arende_id"], gone["match_person_key"], strict=True))
    previous = now.merge(before[[*key, "utredning_slut"]], on=key, how="left")["utredning_slut"]
    days = np.array([DATE_EMPTY if pd.isna(day) else day_number(day) for day in previous], np.int32)
    restarted = _restarted(table, now["match_person_key"], before[ended.to_numpy() & ~here])
    known = frozenset({"previous_quarter"})
    derived: dict[str, IntArray] = {"previous_end": days, "restarted": restarted}
    return History(derived, frozenset({"previous_end"}), absent, absent_keys, known)


def _restarted(table: ConformedTable, persons: pd.Series, ended: pd.DataFrame) -> npt.NDArray[np.int8]:
    """1 where an investigation starts within days of the end of another of the same child's, in the file before."""
    found = np.zeros(table.rows, np.int8)
    starts = pd.DataFrame({"match_person_key": persons, "start": table.values["utredning_start"].astype(np.int64)})
    starts = starts[persons.notna() & (starts["start"] > DATE_BAD)]
    ends = ended.assign(end=[day_number(day) for day in ended["utredning_slut"]])[["match_person_key", "end"]]
    pairs = starts.reset_index().merge(ends, on="match_person_key")
    days = pairs["start"] - pairs["end"]
    found[pairs.loc[(days >= 0) & (days <= QUICK_RESTART_DAYS), "index"].to_numpy()] = 1
    return found


def _episodes(table: ConformedTable, past: Past) -> History:
    if past.rows("arenden", past.quarter, ["arende_id"]) is None:
        return History()
    cases = past.rows("arenden", None, ["arende_id"])
    known = set() if cases is None else set(cases["arende_id"])
    given = _texts(table, "arende_id")
    column = np.array([EMPTY if case is None else int(case in known) for case in given], np.int8)
    return History({"case_known": column}, known=frozenset({"cases"}))


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
    before = past.rows("serviceinsatser", past.quarter.previous(), [*STOCK_GROUP, *stock, "source_row_number"])
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
    earlier_files = [past.rows("serviceinsatser", q, [*SERVICE_KEY, *USUAL_COUNTS]) for q in quarters]
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
            count = now[name].to_numpy(float)
            judged = np.nan_to_num(median, nan=0.0) >= LEAST_MEDIAN
            jump = judged & ((count > MANY_TIMES * median) | (count * MANY_TIMES < median))
            columns[f"unusual_{name}"] = jump.astype(np.int8)
    return History(columns, frozenset(), absent, absent_keys, frozenset(known))
