"""Comparing the districts of one page (a measure in a division and a year) by published figures alone.

This is what the models `fct_measure_spread` and `fct_measure_comparison` compute of true counts (docs/decisions/0027
and 0059). Wherever chance is meant, the variance of the deviations is added to that of chance (docs/decisions/0061).
Without deviations the results are the models'.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from publish.cell_keys.ptable import PTable
from publish.derive.exact import Exact, Noise, exact_limits
from publish.derive.intervals import Intervals, count_limits, deviation_variances, intervals
from publish.derive.rates import Counts, Flags, Floats, Rates

Form = Literal["andel", "per_1000", "medel", "median"]
LEAST_DISTRICTS = 4
"""With fewer, nothing is left to estimate their spread from."""
FALSE_FLAGS = 0.01
"""The share of flags that are by chance (false discovery rate)."""
LINES = {"funnel": 0.05, "outer_funnel": 0.002}
"""The two lines of a funnel: outside is this share of districts that are like the city."""
DRAWN_IN = 0.1
WINSORISED_SQUARE = 0.678677
"""The mean square of a standard normal whose outer tenths are drawn in, as `winsorised_square` of the models."""
_FEW_EXPECTED = 5


@dataclass(frozen=True, eq=False)
class Page:
    """A measure of K districts in one division and year, as published.

    Attributes:
        form: a share, a count per 1,000 inhabitants, a mean or a median of days.
        values: K, none missing; 0 or more.
        sizes: K, above 0: those counted, or thousands of inhabitants.
        city_value: the city's published value.
        unit_variance: what one of those counted adds to it by chance; NaN where published figures don't say.
        deviations: K variances that the deviations add to a district's value, from `count_deviations` or for days.
        is_high_better: else low is.
        noise: how the counts of a share or of a rate deviate.
    """

    form: Form
    values: Floats
    sizes: Floats
    city_value: float
    unit_variance: float
    deviations: Floats
    is_high_better: bool
    noise: Noise

    @property
    def chance(self) -> Floats:
        """The variance of a district's value if it is like the city: by chance and by the deviations."""
        return self.unit_variance / self.sizes + self.deviations


@dataclass(frozen=True, eq=False)
class Spread:
    """How far apart the districts are; NaN where that can't be said.

    Attributes:
        factor: φ, how many times more they vary than by chance and deviation, at least 1.
        added: the variance beyond these that widens limits, from what winsorising leaves.
        between: the variance beyond these (DerSimonian and Laird).
        beyond_chance: the share of the spread that they don't explain (I²).
        variation: root of `between`, over the weighted mean.
    """

    factor: float
    added: float
    between: float
    beyond_chance: float
    variation: float


@dataclass(frozen=True, eq=False)
class Ranks:
    """K ranks, 1 the best, with the lowest and highest that the intervals allow; NaN where there are none."""

    rank: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Compared:
    """K districts beside their city.

    Attributes:
        spread: of all.
        lines: `funnel_low`, `funnel_high`, `outer_funnel_low`, `outer_funnel_high`: K values.
        positions: `over`, `under`, `inom`; None where that can't be said.
        without_noise: each value, moved towards the city's by the share of it that is chance and deviation.
        ranks: of the values.
    """

    spread: Spread
    lines: dict[str, Floats]
    positions: npt.NDArray[np.object_]
    without_noise: Floats
    ranks: Ranks


def compare(page: Page) -> Compared:
    """Compare the districts of a page with their city and with each other."""
    spread = spread_of(page)
    chance = page.chance
    is_multiplied = page.form == "per_1000"
    # Counts per inhabitant come in multiples; of shares and days something is added (Spiegelhalter, Quality and Safety
    # in Health Care 14, 2005)
    variances = spread.factor * chance if is_multiplied else chance + spread.added
    errors = np.sqrt(variances)
    exact = None
    if page.form in ("andel", "per_1000"):
        exact = exact_limits(
            page.values, page.sizes, page.city_value, variances - page.deviations, errors > 0, page.noise,
            list(LINES.values()), is_share=page.form == "andel",
        )  # fmt: skip
    return Compared(
        spread,
        _lines(page, errors, exact),
        _positions(page, errors, exact, spread),
        _without_noise(page, spread, chance),
        ranks(*_scores(page)),
    )


def spread_of(page: Page) -> Spread:
    """Overdispersion and variance between districts, by inverse variances.

    φ: mean of the squared deviations from the city with a tenth at each end drawn in, over `WINSORISED_SQUARE`
    (Spiegelhalter 2005). Between: DerSimonian and Laird, Controlled Clinical Trials 7, 1986. I²: Higgins and Thompson,
    Statistics in Medicine 21, 2002.
    """
    nan, chance, number = float("nan"), page.chance, len(page.values)
    if np.isnan(chance).any():
        return Spread(nan, nan, nan, nan, nan)
    if (chance <= 0).any():
        return Spread(1.0, 0.0, nan, nan, nan)
    deviations = (page.values - page.city_value) / np.sqrt(chance)
    drawn_in = np.clip(deviations, *np.quantile(deviations, [DRAWN_IN, 1 - DRAWN_IN]))
    factor = float((drawn_in**2).mean()) / WINSORISED_SQUARE
    if page.form == "per_1000" and (page.sizes * page.city_value).mean() < _FEW_EXPECTED:
        # most of few counts are 0: what is left after winsorising says nothing of their spread
        factor = max(factor, float((deviations**2).mean()))
    if number == 1:
        return Spread(max(factor, 1.0), nan, nan, nan, nan)
    weights = 1 / chance
    mean = float((weights * page.values).sum() / weights.sum())
    heterogeneity = float((weights * (page.values - mean) ** 2).sum())
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    between = max(0.0, (heterogeneity - (number - 1)) / scale)
    return Spread(
        max(factor, 1.0),
        max(0.0, (number * factor - (number - 1)) / scale),
        between,
        max(0.0, 1 - (number - 1) / heterogeneity) if heterogeneity > 0 else 0.0,
        between**0.5 / mean if mean > 0 else nan,
    )


def _lines(page: Page, errors: Floats, exact: Exact | None) -> dict[str, Floats]:
    """The funnel's lines; of small counts the wider of these and the exact ones."""
    found = {}
    for place, (name, outside) in enumerate(LINES.items()):
        for end, sign in (("low", -1), ("high", 1)):
            line = _line(page, errors, sign * float(stats.norm.isf(outside / 2)))
            if exact is not None:
                wider = np.fmin if end == "low" else np.fmax
                line = wider(line, (exact.low if end == "low" else exact.high)[place])
            found[f"{name}_{end}"] = line
    return found


def _line(page: Page, errors: Floats, z: float) -> Floats:
    """z standard errors from the city. Days are skewed: as of a gamma distribution with this mean and variance, by its
    cube root (Wilson and Hilferty, PNAS 17, 1931)."""
    city = page.city_value
    if page.form in ("medel", "median"):
        if city <= 0:
            return np.where(errors == 0, city, np.nan)
        part = errors / city
        return np.asarray(city * np.maximum(0, 1 - part**2 / 9 + z * part / 3) ** 3)
    line = np.maximum(city + z * errors, 0)
    return np.minimum(line, 1) if page.form == "andel" else line


def _positions(page: Page, errors: Floats, exact: Exact | None, spread: Spread) -> npt.NDArray[np.object_]:
    """Flags at a false discovery rate over the page (Benjamini and Hochberg, JRSS B 57, 1995).

    In place r of K a district needs a distance beyond the quantile of 0.01 r / K, and an exact probability below it.
    The quantile is Student's where the spread is estimated, of what winsorising leaves (Yuen, Biometrika 61, 1974).
    """
    number, city = len(page.values), page.city_value
    found = np.full(number, None, dtype=object)
    with np.errstate(divide="ignore", invalid="ignore"):
        if page.form in ("medel", "median"):
            part = errors / city if city > 0 else np.full(number, np.nan)
            distances = 3 / part * (np.cbrt(page.values / city) - 1 + part**2 / 9) if city > 0 else part
        else:
            distances = (page.values - city) / errors
    distances = np.where(errors == 0, 0.0, distances)
    if number < LEAST_DISTRICTS or np.isnan(distances).any():
        return found
    chance = FALSE_FLAGS * np.arange(1, number + 1) / number
    left = number - 2 * ceil(DRAWN_IN * (number - 1) - 1e-9) - 1
    limits = stats.t.isf(chance / 2, left) if spread.factor > 1 else stats.norm.isf(chance / 2)
    probabilities = np.zeros(number) if exact is None else exact.probability
    passing = (probabilities <= chance[:, None]) & (np.abs(distances) >= limits[:, None])
    places = np.flatnonzero(passing.sum(axis=1) >= np.arange(1, number + 1))
    found[:] = "inom"
    if len(places):
        flagged = passing[places[-1]]
        found[flagged & (page.values > city)] = "over"
        found[flagged & (page.values <= city)] = "under"
    return found


def _without_noise(page: Page, spread: Spread, chance: Floats) -> Floats:
    total = spread.between + chance
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(page.city_value + (page.values - page.city_value) * spread.between / total)


def _scores(page: Page) -> tuple[Floats, Floats, Floats]:
    """Values and their simultaneous limits, the better the higher."""
    limits = simultaneous(page)
    if page.is_high_better:
        return page.values, limits.low, limits.high
    return -page.values, -limits.high, -limits.low


def simultaneous(page: Page) -> Intervals:
    """Intervals of the districts' values that all hold at once with 95 %."""
    z, noise = sidak_z(len(page.values)), page.noise
    if page.form in ("medel", "median"):
        half = z * np.sqrt(page.chance)
        return Intervals(np.maximum(page.values - half, 0), page.values + half)
    counts = np.round(page.values * page.sizes)
    if page.form == "per_1000":
        each = np.ceil(counts / max(noise.parts, 1)).astype(np.int64)
        return count_limits(counts, page.sizes, noise.parts * deviation_variances(each, noise.ptable), z)
    wholes = np.round(page.sizes).astype(np.int64)
    return share_limits(counts.astype(np.int64), wholes, noise.ptable, z, is_rest=noise.is_rest)


def share_limits(
    parts: Counts,
    wholes: Counts,
    ptable: PTable | None,
    z: float,
    *,
    is_rest: bool = False,
) -> Intervals:
    """Wilson's limits of parts at most their wholes; of a rest they are those of what is published, turned."""
    none: Flags = np.zeros(len(parts), np.bool_)
    own = wholes - parts if is_rest else parts
    found = intervals(Rates(own, wholes, own / wholes, none, none), ptable, z)
    return Intervals(1 - found.high, 1 - found.low) if is_rest else found


def sidak_z(number: int) -> float:
    """The normal quantile at which so many intervals all hold with 95 % (Z. Šidák, JASA 62, 1967)."""
    return float(stats.norm.ppf((1 + 0.95 ** (1 / number)) / 2))


def ranks(scores: Floats, low: Floats, high: Floats) -> Ranks:
    """Ranks, highest score first, and those that simultaneous intervals allow.

    One is surely behind those whose whole interval is above its own, and surely ahead of those whose whole interval is
    below (M. Klein, T. Wright and J. Wieczorek, JRSS C 69, 2020).

    Args:
        scores: K, none missing.
        low, high: K limits; NaN where there are none.
    """
    rank = 1.0 + (scores[None, :] > scores[:, None]).sum(axis=1)
    lowest = 1.0 + (low[None, :] > high[:, None]).sum(axis=1)
    highest = len(scores) - (high[None, :] < low[:, None]).sum(axis=1).astype(float)
    is_none = np.isnan(low) | np.isnan(high)
    return Ranks(rank, np.where(is_none, np.nan, lowest), np.where(is_none, np.nan, highest))
