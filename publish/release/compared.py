"""Comparing districts by their published figures: of each page of equity, and of fill rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from ingest.organisation import whole_code
from publish.cell_keys.ptable import PTable
from publish.derive.comparing import Compared, Form, Page, compare, ranks, share_limits, sidak_z
from publish.derive.exact import Noise, count_deviations
from publish.release.deriving import Published
from publish.release.keyed import Flags, Rows
from publish.release.periods import QUARTER

Floats = npt.NDArray[np.float64]
OF_DISTRICTS = (
    "funnel_low", "funnel_high", "outer_funnel_low", "outer_funnel_high", "value_without_noise",
    "district_rank", "district_rank_low", "district_rank_high",
)  # fmt: skip
"""Numbers of a district's row."""
OF_THE_CITY = (
    "districts_compared", "value_lowest", "value_highest", "value_ratio", "coefficient_of_variation",
    "districts_over", "districts_under", "between_variance", "beyond_chance_share", "overdispersion_factor",
    "value_lowest_without_noise", "value_highest_without_noise", "value_ratio_without_noise",
    "coefficient_of_variation_without_noise",
)  # fmt: skip
"""Numbers of the city's row."""
_DAYS = ("medel", "median")


@dataclass(frozen=True)
class Days:
    """How far a wait's value varies: what one wait adds by chance if the district is like the city, and the variance of
    the deviations behind the value."""

    unit_variance: float
    deviation: float


def texts(rows: Rows, name: str, chosen: npt.NDArray[np.intp] | slice = slice(None)) -> list[str]:
    """A column's texts; rows without kinds of period are of quarters."""
    if not rows.has(name):
        return [QUARTER] * len(np.arange(len(rows))[chosen])
    codes, names = rows.codes(name)
    return [names[code] for code in codes[chosen].tolist()]


def is_compared(rows: Rows, districts: Collection[str]) -> Flags:
    """Districts' rows, of years only those whose files are all there."""
    found = np.array([unit in districts for unit in texts(rows, "district_code")], np.bool_)
    if rows.has("period_kind"):
        found &= rows.where("period_kind", QUARTER) | (rows.ints("quarters_in_force") == 4)
    return found


def compare_districts(
    found: Published, noises: Sequence[Noise], days: Sequence[Days | None], districts: Collection[str]
) -> None:
    """Add the city's value and what is compared with it.

    Ranks, funnels and what is left without noise are of years: in single quarters they are mostly chance.

    Args:
        found: rows of `mart_equity` with their `value` and `denominator`.
        noises: of each row, how its counts deviate.
        days: of each row of a wait, how far it varies.
        districts: the codes of districts; other units are not compared.
    """
    rows, values = found.rows, found.numbers["value"]
    among = is_compared(rows, districts) & ~np.isnan(values)
    keys = [texts(rows, name) for name in ("district_basis", "period_kind", "reporting_quarter", "measure")]
    units, forms = texts(rows, "district_code"), texts(rows, "measure_form")
    is_high_better = rows.ints("is_high_better") > 0 if rows.has("is_high_better") else np.ones(len(rows), np.bool_)
    pages: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(zip(*keys, strict=True)):
        pages.setdefault(key, []).append(row)
    numbers = {name: np.full(len(rows), np.nan) for name in ("city_value", "gap", *OF_DISTRICTS, *OF_THE_CITY)}
    listed = {name: np.full(len(rows), None, dtype=object) for name in ("funnel_position", "districts_outside")}
    for (_, kind, _, _), members in pages.items():
        members = sorted(members, key=units.__getitem__)  # sums of fractions must not follow the warehouse's order
        page = np.array(members)
        city = next((row for row in members if units[row] == whole_code()), None)
        if city is None:
            continue
        compared, others = page[among[page]], page[page != city]
        numbers["city_value"][page] = values[city]
        numbers["gap"][others] = values[others] - values[city]
        _fill(numbers, city, _spread(values[compared]))
        if kind == QUARTER or np.isnan(values[city]) or not len(compared):
            continue
        form = cast(Form, forms[city])
        made = compare(_page(found, form, compared, city, noises[city], days, bool(is_high_better[city])))
        for name, line in made.lines.items():
            numbers[name][compared] = _as_shown(form, line)
        numbers["value_without_noise"][compared] = _as_shown(form, made.without_noise)
        numbers["district_rank"][compared] = made.ranks.rank
        numbers["district_rank_low"][compared] = made.ranks.low
        numbers["district_rank_high"][compared] = made.ranks.high
        listed["funnel_position"][compared] = made.positions
        _fill(numbers, city, _summed(form, made))
        outside = sorted(units[row] for row in compared[np.isin(made.positions, ("over", "under"))])
        listed["districts_outside"][city] = "|".join(outside) or None
    found.numbers |= numbers
    found.texts |= listed


def _page(
    found: Published,
    form: Form,
    compared: npt.NDArray[np.intp],
    city: int,
    noise: Noise,
    days: Sequence[Days | None],
    is_high_better: bool,
) -> Page:
    values, denominators = found.numbers["value"], found.numbers["denominator"][compared]
    city_value, sizes = float(values[city]), denominators / 1000 if form == "per_1000" else denominators
    if form in _DAYS:
        each = [days[row] for row in compared]
        own = days[city]
        unit = own.unit_variance if own is not None else np.nan
        deviations = np.array([one.deviation if one is not None else np.nan for one in each], float)
    else:
        unit = city_value * (1 - city_value) if form == "andel" else city_value
        deviations = count_deviations(sizes, city_value, noise, is_share=form == "andel")
    return Page(form, values[compared], sizes, city_value, unit, deviations, is_high_better, noise)


def _as_shown(form: Form, values: Floats) -> Floats:
    """Days are whole."""
    return np.floor(values + 0.5) if form in _DAYS else values


def _fill(numbers: Mapping[str, Floats], row: int, given: Mapping[str, float]) -> None:
    for name, value in given.items():
        numbers[name][row] = value


def _spread(values: Floats) -> dict[str, float]:
    """How far apart values are, with every district alike."""
    if not len(values):
        return {"districts_compared": 0.0}
    lowest, highest, mean = float(values.min()), float(values.max()), float(values.mean())
    return {
        "districts_compared": float(len(values)),
        "value_lowest": lowest,
        "value_highest": highest,
        "value_ratio": highest / lowest if lowest > 0 else np.nan,
        "coefficient_of_variation": float(values.std(ddof=1)) / mean if len(values) > 1 and mean > 0 else np.nan,
    }


def _summed(form: Form, made: Compared) -> dict[str, float]:
    """What the city's row says of the comparison."""
    spread, left, is_judged = made.spread, made.without_noise, made.positions[0] is not None
    lowest, highest = (np.nan, np.nan) if np.isnan(left).all() else (float(np.nanmin(left)), float(np.nanmax(left)))
    shown = _as_shown(form, np.array([lowest, highest]))
    return {
        "districts_over": float((made.positions == "over").sum()) if is_judged else np.nan,
        "districts_under": float((made.positions == "under").sum()) if is_judged else np.nan,
        "between_variance": spread.between,
        "beyond_chance_share": spread.beyond_chance,
        "overdispersion_factor": spread.factor,
        "value_lowest_without_noise": float(shown[0]),
        "value_highest_without_noise": float(shown[1]),
        "value_ratio_without_noise": highest / lowest if lowest > 0 else np.nan,
        "coefficient_of_variation_without_noise": spread.variation,
    }


def rank_fill_rates(found: Published, chosen: Flags, districts: Collection[str], ptable: PTable) -> None:
    """Add ranks of fill rates among the districts whose row of a year is published: participants over exact seats.

    Args:
        found: rows of `mart_recruitment`.
        chosen: which of them are published.
        districts: the codes of districts.
        ptable: with which participants were published.
    """
    rows, rates = found.rows, found.numbers["fill_rate"]
    among = chosen & is_compared(rows, districts) & ~np.isnan(rates)
    if rows.has("period_kind"):
        among &= ~rows.where("period_kind", QUARTER)
    names = ("fill_rank", "fill_rank_low", "fill_rank_high", "ranked_districts")
    made = {name: np.full(len(rows), np.nan) for name in names}
    numbers = np.zeros(len(rows), np.int64)
    for name in (*rows.mart.keys, *rows.mart.columns_of_dimensions):
        if name != "district_code":
            codes, labels = rows.codes(name)
            numbers = numbers * (len(labels) + 1) + codes + 1
    asked = np.flatnonzero(among)
    asked = asked[np.argsort(numbers[asked], kind="stable")]
    for page in np.split(asked, np.flatnonzero(np.diff(numbers[asked])) + 1) if len(asked) else []:
        seats = found.count("fill_rate_denominator")[page]
        filled = np.minimum(found.count("fill_rate_numerator")[page], seats)
        limits = share_limits(filled, seats, ptable, sidak_z(len(page)))
        # more may take part than there are seats: the interval is of filled seats
        ranked = ranks(rates[page], limits.low, np.maximum(limits.high, rates[page]))
        for name, column in zip(names, (ranked.rank, ranked.low, ranked.high, len(page)), strict=True):
            made[name][page] = column
    found.numbers |= made
