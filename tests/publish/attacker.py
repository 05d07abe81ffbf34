"""What somebody can work out who has kept all releases and knows what the figures mean, but not what is hidden.

The attacker's unknowns are the smallest groups of persons (district, quarter, sex, age, reason, outcome): whole numbers
that are not negative. Every published figure is a sum of them, so that all relations there are (districts to city in
both divisions, quarters to years, codes in codes, parts in wholes, margins in their unpublished joint table) hold by
themselves. A group that was counted anew has new unknowns; a hidden figure that did not change is known to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import highspy
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

CITY = "stockholm"
NEAR = 1e-6
EXACTLY = 4
"""How many of the narrowest intervals are solved to the end; the others only until they are wide enough."""
MOST_WHOLE = 8
"""How many integer programs are solved in an attack; after these, the bounds of the linear program are believed."""
PATIENCE_SECONDS = 3.0
MOST_PERSONS = 1e6
"""No group is larger."""
Cells = tuple[int, ...]
"""The unknowns that a figure is the sum of."""
Codes = tuple[tuple[str, str], ...]
Where = tuple[str, str, str]
"""District, division, period."""


@dataclass(frozen=True)
class Meaning:
    """What the documentation of the published tables says."""

    units: Mapping[str, tuple[str, ...]]
    """Quarter → districts that report it."""
    today: Mapping[int, Mapping[str, str]]
    """Release → district → the unit that it was part of then."""
    groups: pd.DataFrame
    """A row per smallest group within a district and quarter: its codes, and a boolean column per measure."""
    tables: Mapping[str, Any]
    """tables.yml: which measure stands in which column."""


@dataclass(frozen=True)
class Figure:
    """One figure of one release, as read; value None: hidden."""

    release: int
    measure: str
    place: str
    division: str
    period: str
    codes: tuple[tuple[str, str], ...]
    value: int | None
    table: str = ""
    column: str = ""

    @property
    def name(self) -> str:
        """Without the figure itself, and without the table: the same wherever it stands."""
        codes = ",".join(f"{column}={code}" for column, code in self.codes)
        return f"release {self.release}: {self.measure} {self.place} ({self.division}) {self.period} {codes or 'alla'}"


def read_figures(folders: Mapping[int, Path], tables: Mapping[str, Any]) -> tuple[list[Figure], list[str]]:
    """All figures of all releases, and what is wrong with their rows in itself."""
    figures: list[Figure] = []
    wrong: list[str] = []
    told: list[Rows] = []
    for number, folder in folders.items():
        with duckdb.connect(str(folder / "followup.duckdb"), read_only=True) as snapshot:
            not_there = snapshot.execute("select * from published.left_out").df()
            for name, table in tables["tables"].items():
                frame = pd.DataFrame(snapshot.execute(f"select * from published.{name}").arrow().read_all().to_pandas())
                wrong += [f"release {number}: {name}: {fault}" for fault in faults_of_rows(frame, table)]
                absent = not_there[not_there["table_name"] == name]
                told += [_rows_of(number, name, table, block, frame, absent) for block in table["blocks"]]
    every: dict[tuple[str, str], set[Codes]] = {}
    for rows in told:
        figures += rows.figures
        every.setdefault(rows.kind, set()).update(codes for of in rows.seen.values() for codes in of)
    for rows in told:
        figures += rows.zeros(every[rows.kind])
    return figures, wrong


def faults_of_rows(frame: pd.DataFrame, table: Mapping[str, Any]) -> list[str]:
    """What rows tell besides their counts: derived figures, flags, order."""
    counts = list(table["blocks"][0]["counts"])
    found = []
    missing = frame.isna()
    told = [c for name in table.get("derived", {}) for c in (name, f"{name}_low", f"{name}_high") if c in frame]
    for column in told:
        of = table["derived"][column.removesuffix("_low").removesuffix("_high")]["of"]
        if (~missing[column] & missing[of].any(axis=1)).any():
            found.append(f"{column} is told where what it is made of is hidden")
    hidden = missing[counts].any(axis=1)
    if (hidden & ~frame["suppressed"]).any():
        found.append("a count is missing in a row that does not say so")
    if (frame["suppressed"] & ~missing[counts + told].any(axis=1)).any():
        found.append("a row says that something is hidden, and nothing is")
    for column in ("is_provisional", "release_id", "released_at", "districts_in_force", "late", "open_queries"):
        by = [
            "district_code",
            "district_basis",
            "reporting_quarter" if "reporting_quarter" in frame else "calendar_year",
        ]
        if (frame.groupby(by, observed=True)[column].nunique() > 1).any():
            found.append(f"{column} differs within a place and period")
    shown = frame[counts]
    if shown.isin([1, 2, 3, 4]).any(axis=None):
        found.append("a count of 1 to 4 is shown")
    by = [c for c in frame if c not in {*counts, *told, "suppressed"}]
    if frame.duplicated(by).any():
        found.append("a cell stands in two rows")
    if not frame[by].equals(frame[by].sort_values(by, ignore_index=True)):
        found.append("rows stand in another order than that of their codes")
    return found


@dataclass
class Rows:
    """A block's rows in one release."""

    release: int
    kind: tuple[str, str]
    """Its table, and what is the same in all its rows."""
    counts: Mapping[str, str]
    figures: list[Figure] = field(default_factory=list)
    seen: dict[Where, set[Codes]] = field(default_factory=dict)
    """Place, division and period → the codes that it has a row for."""
    unknown: set[tuple[Where, frozenset[str]]] = field(default_factory=set)
    """Where rows cut by these columns were left out though they may hold anything."""

    def zeros(self, every: set[Codes]) -> list[Figure]:
        """Rows that are not there, where others of their place and period are: of nobody. `every`: codes that are."""
        return [
            Figure(self.release, measure, *where, codes, 0, self.kind[0], column)
            for where, told in self.seen.items()
            for codes in every - told
            if (where, frozenset(c for c, _ in codes)) not in self.unknown
            for column, measure in self.counts.items()
        ]


def _rows_of(
    number: int, name: str, table: Mapping[str, Any], block: Mapping[str, Any], rows: pd.DataFrame, absent: pd.DataFrame
) -> Rows:
    period = "calendar_year" if table["grain"] == "year" else "reporting_quarter"
    keys = {**block.get("where", {}), **block.get("also", {})}
    for column, value in keys.items():
        rows = rows[rows[column] == value]
    told = Rows(number, (name, ",".join(f"{c}={v}" for c, v in keys.items())), block["counts"])
    columns = [c for c in ("sex", "age_band", "reason_side", "reason_code", "intervention_category") if c in rows]
    for row in rows.to_dict("records"):
        codes = {c: row[c] for c in columns if row[c] != "alla"}
        if "reason_code" in codes:
            codes.pop("reason_side", None)
        where = (row["district_code"], row["district_basis"], str(row[period]))
        told.seen.setdefault(where, set()).add(tuple(sorted(codes.items())))
        for column, measure in block["counts"].items():
            value = None if pd.isna(row[column]) else int(row[column])
            told.figures.append(Figure(number, measure, *where, tuple(sorted(codes.items())), value, name, column))
    for row in absent[absent["rows_where"] == told.kind[1]].to_dict("records"):
        where = (row["district_code"], row["district_basis"], row["period"])
        if row["left_out_because"] == "nobody":
            told.seen.setdefault(where, set())
        else:
            cut_by = set(row["cut"].split(",")) - {"alla"}
            told.unknown.add((where, frozenset(cut_by - ({"reason_side"} if "reason_code" in cut_by else set()))))
    return told


class Unknowns:
    """The smallest groups of persons, numbered; a restated district and quarter has numbers of its own."""

    def __init__(self, meaning: Meaning, versions: Mapping[int, Mapping[tuple[str, str], int]]) -> None:
        """`versions`: release → (district, quarter) → how often it has been counted anew."""
        self.meaning = meaning
        self.versions = versions
        blocks = sorted({(*place, v) for of in versions.values() for place, v in of.items()})
        self.blocks = {block: i for i, block in enumerate(blocks)}
        self.size = len(meaning.groups)
        self._groups: dict[tuple[str, tuple[tuple[str, str], ...]], NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.blocks) * self.size

    def of(self, figure: Figure) -> Cells:
        """The unknowns that a figure is the sum of."""
        groups = self._of_codes(figure.measure, figure.codes)
        found = []
        for (unit, quarter), version in self.versions[figure.release].items():
            if not (quarter == figure.period or quarter.startswith(f"{figure.period}Q")):
                continue
            today = self.meaning.today[figure.release]
            code = today.get(unit, unit) if figure.division == "today" else unit
            if figure.place in (CITY, code):
                found.append(groups + self.blocks[unit, quarter, version] * self.size)
        return tuple(np.sort(np.concatenate(found)).tolist()) if found else ()

    def _of_codes(self, measure: str, codes: tuple[tuple[str, str], ...]) -> NDArray[np.int64]:
        key = (measure, codes)
        if key not in self._groups:
            mask = self.meaning.groups[measure].to_numpy()
            for column, code in codes:
                mask = mask & (self.meaning.groups[column] == code).to_numpy()
            self._groups[key] = np.flatnonzero(mask)
        return self._groups[key]


@dataclass(frozen=True)
class Target:
    """A figure that must stay uncertain: the sum of some unknowns less others."""

    name: str
    plus: Cells
    minus: Cells = ()
    must_cover: bool = False
    """Whether it must stay possible that it is 0, and that it is 5."""


@dataclass
class Interval:
    """What the attacker knows of a target."""

    target: Target
    low: float
    high: float
    is_exact: bool = False

    @property
    def width(self) -> float:
        return self.high - self.low

    @property
    def is_safe(self) -> bool:
        if self.target.must_cover and not (self.low <= NEAR and self.high >= 5 - NEAR):
            return False
        return self.width >= 5 - NEAR


@dataclass
class Attack:
    """Solves for every target; intervals hold what whole-numbered tables have been found for, or are exact."""

    known: dict[Cells, int] = field(default_factory=dict)
    same: list[tuple[Cells, Cells]] = field(default_factory=list)
    programs: int = 0
    integer_programs: int = 0
    contradictions: list[str] = field(default_factory=list)

    def learn(self, cells: Cells, value: int, name: str) -> None:
        """A figure that is shown."""
        if self.known.setdefault(cells, value) != value:
            self.contradictions.append(f"{name} is told as two values")

    def run(self, targets: Sequence[Target], count: int, seed: int = 0) -> list[Interval]:
        """The interval of each target, until it is wide enough; to the end for all that are not."""
        nobody = np.zeros(count, dtype=bool)
        for cells, value in self.known.items():
            if value == 0:
                nobody[list(cells)] = True
        left = np.flatnonzero(~nobody)
        place = np.full(count, -1)
        place[left] = np.arange(len(left))
        rows = [(self._row(cells, (), place), value) for cells, value in self.known.items() if value]
        rows += [(self._row(one, two, place), 0) for one, two in self.same]
        system = _System([row for row, _ in rows if row], [v for row, v in rows if row], len(left))
        objectives = [system.vector(self._row(t.plus, t.minus, place)) for t in targets]
        intervals = [Interval(t, np.inf, -np.inf) for t in targets]
        matrix = np.array(objectives) if objectives else np.zeros((0, len(left)))
        for interval, objective in zip(intervals, objectives, strict=True):
            if not objective.any():
                interval.low = interval.high = 0.0
                interval.is_exact = True
        draw = np.random.default_rng(seed)
        open_ = [i for i, interval in enumerate(intervals) if not interval.is_exact]
        if open_:
            for _ in range(min(24, len(open_))):
                chosen = draw.choice(open_, max(1, len(open_) // 8), replace=False)
                self._note(system, draw.choice([-1.0, 1.0], len(chosen)) @ matrix[chosen], matrix, intervals)
        for i in open_:
            for sign in (1.0, -1.0):
                if not intervals[i].is_safe:
                    self._note(system, sign * matrix[i], matrix, intervals)
            if not intervals[i].is_safe:
                self._solve_exactly(system, matrix, intervals, i)
        for _ in range(EXACTLY if open_ else 0):
            narrowest = min(open_, key=lambda i: intervals[i].width)
            if intervals[narrowest].is_exact:
                break
            self._solve_exactly(system, matrix, intervals, narrowest)
        return intervals

    @staticmethod
    def _row(plus: Cells, minus: Cells, place: NDArray[np.int64]) -> dict[int, float]:
        row: dict[int, float] = {}
        for cells, sign in ((plus, 1.0), (minus, -1.0)):
            for cell in cells:
                if place[cell] >= 0:
                    row[int(place[cell])] = row.get(int(place[cell]), 0.0) + sign
        return {at: weight for at, weight in row.items() if weight}

    def _note(
        self, system: _System, objective: NDArray[np.float64], matrix: NDArray[np.float64], intervals: list[Interval]
    ) -> bool:
        """Minimise, and widen all intervals by the table found where it is of whole numbers; whether it is."""
        found = system.minimum(objective)
        self.programs += 1
        whole = np.rint(found)
        if np.abs(found - whole).max(initial=0) > NEAR or not system.holds(whole):
            return False
        self._widen(whole, matrix, intervals)
        return True

    @staticmethod
    def _widen(whole: NDArray[np.float64], matrix: NDArray[np.float64], intervals: list[Interval]) -> None:
        for interval, value in zip(intervals, matrix @ whole, strict=True):
            interval.low = min(interval.low, float(value))
            interval.high = max(interval.high, float(value))

    def _solve_exactly(self, system: _System, matrix: NDArray[np.float64], intervals: list[Interval], i: int) -> None:
        for sign in (1.0, -1.0):
            if self._note(system, sign * matrix[i], matrix, intervals):
                continue
            whole = None
            if self.integer_programs < MOST_WHOLE:
                whole = system.whole_minimum(sign * matrix[i])
                self.integer_programs += 1
            if whole is not None:
                self._widen(whole, matrix, intervals)
            else:
                self._widen(system.minimum(sign * matrix[i]), matrix[i : i + 1], intervals[i : i + 1])
        intervals[i].is_exact = True


class _System:
    """Equations over unknowns that are not negative, with a solver that starts where it stopped last."""

    def __init__(self, rows: list[dict[int, float]], values: list[int], count: int) -> None:
        at = [(r, c, w) for r, row in enumerate(rows) for c, w in row.items()]
        self.count = count
        self.values = np.array(values, dtype=float)
        columns = [np.array([x[k] for x in at]) for k in range(3)] if at else [np.zeros(0)] * 3
        shape = (len(rows), count)
        self.matrix = csr_matrix((columns[2], (columns[0].astype(int), columns[1].astype(int))), shape=shape)
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        nothing = np.zeros(0)
        most = np.full(count, MOST_PERSONS)
        empty = np.zeros(0, dtype=np.int32)
        self.solver.addCols(count, np.zeros(count), np.zeros(count), most, 0, empty, empty, nothing)
        self.solver.addRows(
            len(rows), self.values, self.values, self.matrix.nnz,
            self.matrix.indptr[:-1].astype(np.int32), self.matrix.indices.astype(np.int32), self.matrix.data,
        )  # fmt: skip

    def vector(self, row: Mapping[int, float]) -> NDArray[np.float64]:
        vector = np.zeros(self.count)
        vector[list(row)] = list(row.values())
        return vector

    def holds(self, table: NDArray[np.float64]) -> bool:
        return bool((table >= 0).all() and np.array_equal(self.matrix @ table, self.values))

    def minimum(self, objective: NDArray[np.float64]) -> NDArray[np.float64]:
        self.solver.changeColsCost(self.count, np.arange(self.count, dtype=np.int32), objective)
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise AssertionError(f"the attacker's own system has no solution: {self.solver.getModelStatus()}")
        return np.array(self.solver.getSolution().col_value)

    def whole_minimum(self, objective: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """None where it takes too long."""
        found = milp(
            objective,
            constraints=LinearConstraint(self.matrix, self.values, self.values),
            integrality=np.ones(self.count),
            bounds=Bounds(0, MOST_PERSONS),
            options={"time_limit": PATIENCE_SECONDS},
        )
        return np.rint(found.x) if found.status == 0 else None
