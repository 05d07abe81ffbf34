"""Equity from published figures: each measure's value by unit and period, and how the districts compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ingest.organisation import whole_code
from publish.cell_keys.ptable import PTable
from publish.derive.comparing import share_limits
from publish.derive.durations import mean_deviations
from publish.derive.exact import Noise, row_variances
from publish.derive.grouped import BANDS as BANDS_OF_DAYS
from publish.derive.grouped import mean_variance, median_variances
from publish.derive.intervals import Z, count_limits, deviation_variances
from publish.release.compared import Days, compare_districts, texts
from publish.release.deriving import Published
from publish.release.periods import ROLLING, TOTAL

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
    """A measure's published value: a null value is one of too few. `days` of waits say how far they vary."""

    numerator: float
    denominator: float
    value: float
    low: float
    high: float
    days: Days | None = None


_TOO_FEW = float("nan")


def derive_equity(
    found: Published, marts: Mapping[str, Published], districts: Collection[str], ptable: PTable, step_days: int = 1
) -> None:
    """Add every derived column of `mart_equity`.

    Args:
        found: its rows.
        marts: the published figures of the marts that count the measures.
        districts: the codes of districts; other units are not compared.
        ptable: with which counts of persons were published.
        step_days: what grouped medians are rounded to.
    """
    rows = found.rows
    sources = _Sources(marts, ptable, step_days)
    listed = [texts(rows, name) for name in (*_KEY, "measure", "measure_form")]
    values: list[_Value | None] = []
    exact = zip(rows.floats("numerator").tolist(), rows.floats("denominator").tolist(), strict=True)
    for unit, basis, kind, quarter, measure, form, (numerator, denominator) in zip(*listed, exact, strict=True):
        if measure in EXACT:
            values.append(_exact(form, numerator, denominator))
        else:
            values.append(sources.value(measure, (unit, basis, kind, quarter), denominator))
    for name in ("numerator", "denominator", "value", "value_low", "value_high"):
        field = name.removeprefix("value_")
        found.numbers[name] = np.array(
            [_TOO_FEW if one is None else getattr(one, field) for one in values] or [], float
        )
    noises = [_noise(measure, ptable) for measure in listed[-2]]
    compare_districts(found, noises, [None if one is None else one.days for one in values], districts)
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
        limits = count_limits(np.array([numerator]), np.array([size]), variance)
    else:
        limits = share_limits(np.array([min(int(numerator), int(size))]), np.array([int(size)]), None, Z)
    return float(limits.low[0]), float(limits.high[0])


def _noise(measure: str, ptable: PTable) -> Noise:
    """How the counts of a measure deviate."""
    if measure in EXACT:
        return Noise()
    return Noise(ptable, len(BANDS.get(measure, (measure,))), is_rest=measure == REST)


class _Sources:
    """Published totals of the marts that count the measures, by unit, division and period."""

    def __init__(self, marts: Mapping[str, Published], ptable: PTable, step_days: int) -> None:
        self._marts, self._ptable, self._step_days = marts, ptable, step_days
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
        keys = zip(*(texts(rows, name, chosen) for name in _KEY), strict=True)
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
        value, low, high = (float(found.numbers[f"{name}{end}"][row]) for end in ("", "_low", "_high"))
        return _Value(float(found.counts[rate.part][row]), float(found.counts[rate.whole][row]), value, low, high)

    def _rest(self, mart: str, name: str, totals: Mapping[Key, int], key: Key) -> _Value | None:
        """The complement of a rate."""
        one = self._rate(mart, name, totals, key)
        if one is None:
            return None
        return _Value(one.denominator - one.numerator, one.denominator, 1 - one.value, 1 - one.high, 1 - one.low)

    def _wait(self, totals: Mapping[Key, int], key: Key, statistic: str) -> _Value | None:
        """A wait with its interval: as unsure as in a district of its size that is like the city."""
        if key not in totals:
            return None
        found, row = self._marts["mart_waiting_times"], totals[key]
        n, value = float(found.counts["wait_n"][row]), float(found.numbers[f"{statistic}_days"][row])
        summed = value * n if statistic == "wait_mean" else 0.0
        city = totals.get((whole_code(), *key[1:]))
        if city is None or np.isnan(value):
            return _Value(summed, n, value, _TOO_FEW, _TOO_FEW)
        days = self._varying(found, city, n, statistic)
        half = Z * (days.unit_variance / n + days.deviation) ** 0.5
        return _Value(summed, n, value, max(value - half, 0.0), value + half, days)

    def _varying(self, found: Published, city: int, n: float, statistic: str) -> Days:
        bands = np.array([found.counts[f"waited_{name}"][city] for name, _, _ in BANDS_OF_DAYS], np.int64)
        if statistic == "wait_mean":
            mean = float(found.numbers["wait_mean_days"][city])
            unit = mean_variance(bands, mean)
            return Days(unit, float(mean_deviations(unit, mean, np.array([n]))[0]))
        expected = bands * (n / max(int(bands.sum()), 1))
        unit, moved = median_variances(bands, row_variances(self._ptable, expected))
        return Days(unit, moved / n**2 + self._step_days**2 / 12)

    def _per_1000(self, measure: str, key: Key, inhabitants: float) -> _Value | None:
        """Services started in the four quarters until this one; None where no such year is published."""
        unit, basis, _, quarter = key
        year, found = (unit, basis, ROLLING, quarter), self._marts.get("mart_service_interventions")
        if found is None or year not in self._service or inhabitants <= 0:
            return None
        rows = [self._ages[age][year] for age in BANDS[measure] if year in self._ages[age]]
        counts = found.counts["started"][rows]
        started, variance = int(counts.sum()), float(deviation_variances(counts, self._ptable).sum())
        low, high = _limits("per_1000", started, inhabitants / 1000, variance)
        return _Value(started, inhabitants, started / (inhabitants / 1000), low, high)
