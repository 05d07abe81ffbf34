"""Equity from published figures: each measure's value by unit and quarter, and how far apart the districts are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.cell_keys.ptable import PTable
from publish.derive.intervals import Z, intervals
from publish.derive.rates import Rates
from publish.release.deriving import Published
from publish.release.keyed import CITY, Rows
from publish.release.periods import QUARTER, TOTAL, quarters_in, rolling_year

Floats = npt.NDArray[np.float64]
Key = tuple[str, str, str, str]
"""District, division, kind of period, quarter (of a year its last)."""
_KEY = ("district_code", "district_basis", "period_kind", "reporting_quarter")

EXACT = (
    "offered_as_service_rate", "no_session_limit_rate", "catalogue_offered_rate", "web_within_year_rate",
    "information_activities_per_1000", "collaboration_activities_per_1000", "groups_open_rate",
)  # fmt: skip
"""Measures that count no persons: of interventions, activities and groups."""
BANDS = {
    "participants_per_1000_0_5": ("0-5",),
    "participants_per_1000_6_12": ("6-12",),
    "participants_per_1000_13_17": ("13-17",),
    "participants_per_1000_18_20": ("18-20",),
    "participants_per_1000": ("0-5", "6-12", "13-17", "18-20", "okand"),
    "parents_per_1000": ("vuxen",),
}
"""Measures per 1,000 inhabitants: the age bands whose services started in four quarters are counted."""
GOALS = ("within_60_days_rate", "re_referral_rate_365", "acceptance_rate", "completion_rate")
"""Measures that are indicators under the same code."""
RATES = {
    "not_started_90_days_rate": ("mart_outpatient_care", "not_started_90_days_rate"),
    "assessed_follow_up_rate": ("mart_outpatient_care", "follow_up_rate"),
    "goal_assessed_rate": ("mart_outpatient_care", "goal_not_assessed_rate"),
    "service_follow_up_rate": ("mart_service_interventions", "follow_up_rate"),
    "school_contacted_rate": ("mart_case_flow", "school_contacted_rate"),
}
"""Measures that are another mart's rates: mart and rate."""
REST = "goal_assessed_rate"
"""The measure that is the complement of its rate."""
WAITS = ("service", "youth_clinic", "parenting_programme", "assessed")


@dataclass(frozen=True)
class _Value:
    """A measure's published value: a null value is one of too few. `variance` is that of the deviations."""

    numerator: float
    denominator: float
    value: float
    low: float
    high: float


_TOO_FEW = float("nan")


def derive_equity(found: Published, marts: Mapping[str, Published], districts: Collection[str], ptable: PTable) -> None:
    """Add every derived column of `mart_equity`.

    Args:
        found: its rows.
        marts: the published figures of the marts that count the measures.
        districts: the codes of districts; other units are not compared.
        ptable: for the intervals.
    """
    rows = found.rows
    sources = _Sources(marts, ptable)
    told = [_texts(rows, name) for name in (*_KEY, "measure", "measure_form")]
    values: list[_Value | None] = []
    exact = zip(rows.floats("numerator").tolist(), rows.floats("denominator").tolist(), strict=True)
    for unit, basis, kind, quarter, measure, form, (numerator, denominator) in zip(*told, exact, strict=True):
        if measure in EXACT:
            values.append(_exact(form, numerator, denominator))
        else:
            values.append(sources.value(measure, (unit, basis, kind, quarter), denominator))
    for name in ("numerator", "denominator", "value", "value_low", "value_high"):
        field = name.removeprefix("value_")
        found.numbers[name] = np.array(
            [_TOO_FEW if one is None else getattr(one, field) for one in values] or [], float
        )
    _compare(found, told, districts)
    is_there = np.array([one is not None and one.denominator > 0 for one in values] or [], np.bool_)
    found.counts["is_there"] = is_there.astype(np.int64)
    found.too_few |= np.isnan(found.numbers["value"])


def _exact(form: str, numerator: float, denominator: float) -> _Value:
    size = denominator / 1000 if form == "per_1000" else denominator
    if size <= 0:
        return _Value(numerator, denominator, _TOO_FEW, _TOO_FEW, _TOO_FEW)
    low, high = _limits(form, numerator, size, 0.0)
    return _Value(numerator, denominator, numerator / size, low, high)


def _limits(form: str, numerator: float, size: float, variance: float) -> tuple[float, float]:
    """Score limits: of a share Wilson's, of a count per exposure Poisson's, with the deviations' variance added."""
    if form == "per_1000":
        middle, root = numerator + Z**2 / 2, Z * np.sqrt(numerator + Z**2 / 4 + variance)
        return max(float(middle - root), 0.0) / size, float(middle + root) / size
    whole, part = np.array([int(size)]), np.array([min(int(numerator), int(size))])
    none = np.zeros(1, np.bool_)
    limits = intervals(Rates(part, whole, part / whole, none, none), None)
    return float(limits.low[0]), float(limits.high[0])


def _texts(rows: Rows, name: str, chosen: npt.NDArray[np.intp] | slice = slice(None)) -> list[str]:
    """A column's texts; rows without kinds of period are of quarters."""
    if not rows.has(name):
        return [QUARTER] * len(np.arange(len(rows))[chosen])
    codes, names = rows.codes(name)
    return [names[code] for code in codes[chosen].tolist()]


class _Sources:
    """Published totals of the marts that count the measures, by unit, division and period."""

    def __init__(self, marts: Mapping[str, Published], ptable: PTable) -> None:
        self._marts, self._ptable = marts, ptable
        self._care = self._totals("mart_outpatient_care", {})
        self._service = self._totals("mart_service_interventions", {})
        self._concluded = self._totals("mart_case_flow", {"cohort_basis": "avslutad"})
        self._goals = {code: self._totals("mart_goal_indicators", {"indicator_code": code}) for code in GOALS}
        self._waits = {kind: self._totals("mart_waiting_times", {"wait_kind": kind}) for kind in WAITS}
        ages = sorted({age for bands in BANDS.values() for age in bands})
        self._ages = {age: self._totals("mart_service_interventions", {}, {"age_band": age}) for age in ages}

    def _totals(self, mart: str, where: Mapping[str, str], cut: Mapping[str, str] | None = None) -> dict[Key, int]:
        """The row of each unit, division and period that is not cut, or by these codes only."""
        if mart not in self._marts:
            return {}
        rows = self._marts[mart].rows
        among = np.ones(len(rows), np.bool_)
        for column, value in where.items():
            among &= rows.where(column, value)
        for column in rows.mart.columns_of_dimensions:
            among &= rows.where(column, (cut or {}).get(column, TOTAL))
        chosen = np.flatnonzero(among)
        keys = zip(*(_texts(rows, name, chosen) for name in _KEY), strict=True)
        return dict(zip(keys, chosen.tolist(), strict=True))

    def value(self, measure: str, key: Key, inhabitants: float) -> _Value | None:
        """The published value; None where no published figure is behind it."""
        if measure in BANDS:
            return self._per_1000(measure, key, inhabitants)
        if measure in RATES:
            mart, name = RATES[measure]
            totals = {"mart_outpatient_care": self._care, "mart_case_flow": self._concluded}.get(mart, self._service)
            find = self._rest if measure == REST else self._rate
            return find(mart, name, totals, key)
        if measure in GOALS:
            return self._rate("mart_goal_indicators", "rate", self._goals[measure], key)
        for kind in WAITS:
            if measure in (f"{kind}_wait_mean", f"{kind}_wait_grouped_median"):
                return self._wait(self._waits[kind], key, measure.removeprefix(f"{kind}_"))
        return None

    def _rate(self, mart: str, name: str, totals: Mapping[Key, int], key: Key) -> _Value | None:
        if key not in totals:
            return None
        found, row = self._marts[mart], totals[key]
        rate = found.rows.mart.rates[name]
        numbers = [found.numbers[f"{name}{end}"][row] for end in ("", "_low", "_high")]
        return _Value(float(found.counts[rate.part][row]), float(found.counts[rate.whole][row]), *map(float, numbers))

    def _rest(self, mart: str, name: str, totals: Mapping[Key, int], key: Key) -> _Value | None:
        """The complement of a rate."""
        one = self._rate(mart, name, totals, key)
        if one is None:
            return None
        return _Value(one.denominator - one.numerator, one.denominator, 1 - one.value, 1 - one.high, 1 - one.low)

    def _wait(self, totals: Mapping[Key, int], key: Key, statistic: str) -> _Value | None:
        if key not in totals:
            return None
        found, row = self._marts["mart_waiting_times"], totals[key]
        n, days = float(found.counts["wait_n"][row]), float(found.numbers[f"{statistic}_days"][row])
        summed = days * n if statistic == "wait_mean" else 0.0
        return _Value(summed, n, days, _TOO_FEW, _TOO_FEW)

    def _per_1000(self, measure: str, key: Key, inhabitants: float) -> _Value | None:
        """Services started over four quarters, of the age bands; None where one of the quarters is not published."""
        unit, basis, _, quarter = key
        found, started, variance = self._marts.get("mart_service_interventions"), 0, 0.0
        for one in quarters_in(rolling_year(quarter)):
            if found is None or (unit, basis, QUARTER, one) not in self._service:
                return None
            for age in BANDS[measure]:
                row = self._ages[age].get((unit, basis, QUARTER, one))
                count = 0 if row is None else int(found.counts["started"][row])
                started += count
                variance += 0.0 if row is None else float(self._ptable.variances(np.array([count]))[0])
        if inhabitants <= 0:
            return None
        low, high = _limits("per_1000", started, inhabitants / 1000, variance)
        return _Value(started, inhabitants, started / (inhabitants / 1000), low, high)


def _compare(found: Published, told: list[list[str]], districts: Collection[str]) -> None:
    """The city's value beside each, and of the city's rows how far apart the districts are."""
    values = found.numbers["value"]
    units, groups = told[0], list(zip(*told[1:5], strict=True))
    city = {group: values[row] for row, (unit, group) in enumerate(zip(units, groups, strict=True)) if unit == CITY}
    compared: dict[tuple[str, ...], list[float]] = {}
    for row, (unit, group) in enumerate(zip(units, groups, strict=True)):
        if unit in districts and not np.isnan(values[row]):
            compared.setdefault(group, []).append(float(values[row]))
    found.numbers["city_value"] = np.array([city.get(group, _TOO_FEW) for group in groups] or [], float)
    is_city = np.array([unit == CITY for unit in units] or [], np.bool_)
    found.numbers["gap"] = np.where(is_city, np.nan, values - found.numbers["city_value"])
    spreads = {group: _spread(one) for group, one in compared.items()}
    nothing = (0.0, _TOO_FEW, _TOO_FEW, _TOO_FEW, _TOO_FEW)
    names = ("districts_compared", "value_lowest", "value_highest", "value_ratio", "coefficient_of_variation")
    for place, name in enumerate(names):
        listed = [
            spreads.get(group, nothing)[place] if own else _TOO_FEW for group, own in zip(groups, is_city, strict=True)
        ]
        found.numbers[name] = np.array(listed or [], float)


def _spread(values: list[float]) -> tuple[float, float, float, float, float]:
    lowest, highest, mean = min(values), max(values), sum(values) / len(values)
    deviation = (sum((one - mean) ** 2 for one in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else _TOO_FEW
    ratio = highest / lowest if lowest > 0 else _TOO_FEW
    return float(len(values)), lowest, highest, ratio, deviation / mean if mean > 0 else _TOO_FEW
