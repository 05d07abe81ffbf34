"""Exact tails of small published counts: binomial or Poisson, then the p-table.

What is published of k is drawn by the p-table's row of k. So the chance of a published figure is the sum, over all true
counts, of the count's chance times its row's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from publish.cell_keys.ptable import ONE, PTable
from publish.derive.rates import Flags, Floats

LARGE = 50
"""From so many expected on either side on the normal distribution is exact enough."""
_TOP = 200
_NO_CHANCE = 1e-12
_NODES = np.array([-1.0, 0.0, 1.0]) * 3**0.5
_NODE_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6
"""Gauss and Hermite's three nodes: the first five moments of a normal distribution."""


@dataclass(frozen=True)
class Noise:
    """How the counts behind a value deviate.

    Attributes:
        ptable: with which they were published; None where they are exact.
        parts: of how many published counts the numerator is the sum.
        is_rest: the share is 1 less that of the published part.
    """

    ptable: PTable | None = None
    parts: int = 1
    is_rest: bool = False


@dataclass(frozen=True, eq=False)
class Exact:
    """Of K districts.

    Attributes:
        probability: twice the smaller tail from the district's value on; 0 where as many as `LARGE` are expected.
        low, high: for each line K values, of which fewer than half of the line's chance are below and above.
    """

    probability: Floats
    low: list[Floats]
    high: list[Floats]


def row_variances(ptable: PTable | None, expected: npt.ArrayLike) -> Floats:
    """The variance of the deviation where so many are expected, between those of the rows around."""
    if ptable is None:
        return np.zeros(np.shape(expected))
    variances = [row.variance for row in ptable.rows]
    return np.interp(np.asarray(expected, np.float64), np.arange(len(variances)), variances)


def count_deviations(sizes: Floats, city_value: float, noise: Noise, *, is_share: bool) -> Floats:
    """The variance that the deviations add to a value, if the district is like the city.

    Of a share p of n, part and whole deviate: (v + p² w) / n². Of a count per exposure, its parts do: Σ v / n².

    Args:
        sizes: K, those counted or thousands of inhabitants.
        city_value: the city's.
        noise: of the counts.
        is_share: else a count per exposure, which is exact.
    """
    own = 1 - city_value if noise.is_rest else city_value
    of_numerator = noise.parts * row_variances(noise.ptable, sizes * own / noise.parts)
    of_size = own**2 * row_variances(noise.ptable, sizes) if is_share else 0.0
    return np.asarray((of_numerator + of_size) / sizes**2)


def exact_limits(
    values: Floats,
    sizes: Floats,
    city_value: float,
    variances: Floats,
    is_asked: Flags,
    noise: Noise,
    outside: Sequence[float],
    *,
    is_share: bool,
) -> Exact:
    """Tails and limits of small counts of districts that are like the city.

    Overdispersion makes the sample smaller: of 40 attendances that come four at a time, 10 are drawn.

    Args:
        values, sizes: K, as a page has them.
        city_value: the city's.
        variances: K, of the values, with overdispersion and without the deviations.
        is_asked: K; of the others there is nothing.
        noise: of the counts.
        outside: of each line the chance to be outside.
        is_share: else a count per exposure, which is exact.
    """
    number, own = len(values), 1 - city_value if noise.is_rest else city_value
    smaller = min(city_value, 1 - city_value) if is_share else city_value
    by_chance = (city_value * (1 - city_value) if is_share else city_value) / sizes
    drawn = np.where(by_chance > 0, sizes * by_chance / np.where(variances > 0, variances, 1), sizes)
    found = Exact(
        np.zeros(number), [np.full(number, np.nan) for _ in outside], [np.full(number, np.nan) for _ in outside]
    )
    asked = np.flatnonzero(is_asked & (drawn * smaller < LARGE) & ~np.isnan(variances))
    if not len(asked):
        return found
    drawn, size = drawn[asked], sizes[asked]
    if is_share:
        drawn = np.maximum(1, np.floor(drawn + 0.5))
    points, chances = _published(size, drawn, own, noise, is_share=is_share)
    if noise.is_rest:
        points = 1 - points
    order = np.argsort(points, axis=1)
    points, chances = np.take_along_axis(points, order, 1), np.take_along_axis(chances, order, 1)
    at, half = values[asked][:, None], (0.5 / drawn)[:, None]  # a value belongs to the nearest of those that are drawn
    at_most = np.where(points <= at + half + 1e-9, chances, 0).sum(axis=1)
    at_least = np.where(points > at - half + 1e-9, chances, 0).sum(axis=1)
    found.probability[asked] = 2 * np.minimum(at_most, at_least)
    summed, rows = np.cumsum(chances, axis=1), np.arange(len(asked))
    for place, one in enumerate(outside):
        found.low[place][asked] = points[rows, np.argmax(summed > one / 2, axis=1)]
        found.high[place][asked] = points[rows, np.argmax(summed >= 1 - one / 2 - _NO_CHANCE, axis=1)]
    return found


def _published(size: Floats, drawn: Floats, own: float, noise: Noise, *, is_share: bool) -> tuple[Floats, Floats]:
    """The values that can be published, K rows of them, and the chance of each."""
    counts = np.arange(_TOP, dtype=float)[None, :]
    if is_share:
        counts = drawn[:, None] - counts if own > 0.5 else np.repeat(counts, len(drawn), axis=0)
        chances = np.where(counts >= 0, stats.binom.pmf(counts, drawn[:, None], own), 0)
    else:
        counts = np.repeat(counts, len(drawn), axis=0)
        chances = stats.poisson.pmf(counts, drawn[:, None] * own)
    able = chances.max(axis=0) > _NO_CHANCE
    counts, chances = np.maximum(counts[:, able], 0) * (size / drawn)[:, None], chances[:, able]
    if noise.ptable is None:
        return counts / size[:, None], chances
    weights, top = _row_weights(noise.ptable, noise.parts)
    rows = np.minimum(np.ceil(counts / noise.parts - 1e-9), len(weights) - 1).astype(int)
    points = counts[:, :, None] + np.arange(-top, top + 1)
    joint = chances[:, :, None] * weights[rows]
    if is_share:  # the whole deviates too: the part is p times that farther from p of the published whole
        moved = own * np.sqrt(row_variances(noise.ptable, size))[:, None, None, None] * _NODES
        points = np.minimum(points[:, :, :, None] - moved, size[:, None, None, None])
        joint = joint[:, :, :, None] * _NODE_WEIGHTS
    many = len(size)
    return np.maximum(points.reshape(many, -1), 0) / size[:, None], joint.reshape(many, -1)


@lru_cache(maxsize=32)
def _row_weights(ptable: PTable, parts: int) -> tuple[Floats, int]:
    """Of each row the chance of each deviation of the sum of so many counts like it; and the greatest."""
    each = np.zeros((len(ptable.rows), 2 * ptable.greatest + 1))
    for number, row in enumerate(ptable.rows):
        each[number, np.array(row.deviations) + ptable.greatest] = np.array(row.weights) / ONE
    found = each
    for _ in range(parts - 1):
        found = np.array([np.convolve(one, own) for one, own in zip(found, each, strict=True)])
    return found, parts * ptable.greatest
