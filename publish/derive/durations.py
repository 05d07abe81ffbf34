"""Durations and sums of which one child can give much: what a cell key can't protect by its count alone.

The largest contribution to a sum is what an insider or a neighbour may know. So the sum is shifted by 0.5 to 1 times
the largest contribution, up or down (as the Australian Bureau of Statistics does in TableBuilder). The shift is drawn
from the cell's key, so that the same records give the same figure everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.cell_keys.keys import CellKeys
from publish.cell_keys.noise import uniforms
from publish.cell_keys.ptable import UNIT_BITS
from publish.derive.rates import Counts, Flags, Floats


@dataclass(frozen=True, eq=False)
class Durations:
    """Durations of n cells.

    Attributes:
        days: whole days, a multiple of the step; 0 where they are too few.
        is_too_few: the published n is below the limit: the duration is published as null.
    """

    days: Counts
    is_too_few: Flags


def published_means(
    sums: npt.ArrayLike,
    counts: npt.ArrayLike,
    largest: npt.ArrayLike,
    published_n: npt.ArrayLike,
    keys: CellKeys,
    secret: bytes,
    *,
    minimum_n: int,
) -> Durations:
    """Mean durations in whole days, from sums whose largest contribution is perturbed.

    Args:
        sums: n true sums of days.
        counts: n true numbers of durations in them.
        largest: how far the farthest duration of each cell is from the cell's mean, in days.
        published_n: n published numbers of durations.
        keys: of the mean as a measure of its own: with the count's keys, shift and deviation would go together.
        secret: the installation's noise secret.
        minimum_n: null where fewer are published.

    Raises:
        ValueError: a value is missing or negative, or the lengths differ.
    """
    total, number, far, shown = _columns(len(keys), sums, counts, largest, published_n)
    is_too_few = (shown < minimum_n) | (number == 0)
    perturbed = total + _shift(far, keys, secret)
    days = _to_step(np.maximum(perturbed, 0) / np.maximum(number, 1), 1)
    return Durations(np.where(is_too_few, 0, days), is_too_few)


def mean_deviations(unit_variance: float, mean: float, counts: Floats) -> Floats:
    """At most the variance that shift and rounding add to published means of a city with this mean.

    The square of a shift of 0.5 to 1 is 7/12 on average. How far the farthest duration is from the mean is not
    published: at most √(n − 1) standard deviations (P. Samuelson, JASA 63, 1968), or the mean itself, where the
    shortest is the farthest.

    Args:
        unit_variance: of one duration, in days²; NaN where it is not known.
        mean: in days.
        counts: n numbers of durations, above 0.
    """
    far = np.maximum(unit_variance * (counts - 1), mean**2)
    return np.asarray(7 / 12 * far / counts**2 + 1 / 12)


def published_quantiles(
    days: npt.ArrayLike, published_n: npt.ArrayLike, *, minimum_n: int, step_days: int = 1
) -> Durations:
    """Medians, percentiles and Kaplan–Meier medians, rounded to a step of days.

    Args:
        days: n true durations, NaN where there is none.
        published_n: n published numbers of what they are of.
        minimum_n: null where fewer are published.
        step_days: 1 or more.

    Raises:
        ValueError: a value is negative, or the lengths differ.
    """
    given = np.asarray(days, np.float64)
    is_there = ~np.isnan(given)
    true, shown = _columns(len(given), np.where(is_there, given, 0), published_n)
    is_too_few = (shown < minimum_n) | ~is_there
    return Durations(np.where(is_too_few, 0, _to_step(true, step_days)), is_too_few)


def published_sums(
    sums: npt.ArrayLike, largest: npt.ArrayLike, published_n: npt.ArrayLike, keys: CellKeys, secret: bytes
) -> Counts:
    """Sums of which one child can give many (sessions), perturbed by their largest contributor.

    Args:
        sums: n true sums.
        largest: the most that one child gives to each.
        published_n: n published numbers of children. Where it is 0 so is the sum: it would say that there is somebody.
        keys: of the sum as a measure of its own.
        secret: the installation's noise secret.

    Returns:
        int64[n], 0 or more.

    Raises:
        ValueError: a value is missing or negative, or the lengths differ.
    """
    total, most, shown = _columns(len(keys), sums, largest, published_n)
    perturbed = _to_step(np.maximum(total + _shift(most, keys, secret), 0), 1)
    return np.where((shown > 0) & (total > 0), perturbed, 0)


def _shift(largest: Floats, keys: CellKeys, secret: bytes) -> Floats:
    """0.5 to 1 times the largest contribution, as often up as down."""
    drawn = uniforms(keys, secret)
    up = np.where(drawn & np.uint64(1), 1.0, -1.0)
    return up * largest * (0.5 + (drawn >> np.uint64(1)) / 2.0**UNIT_BITS)


def _to_step(days: Floats, step: int) -> Counts:
    return (np.floor(days / step + 0.5) * step).astype(np.int64)


def _columns(length: int, *given: npt.ArrayLike) -> list[Floats]:
    columns = [np.asarray(values, np.float64) for values in given]
    if any(column.shape != (length,) or not (np.isfinite(column) & (column >= 0)).all() for column in columns):
        raise ValueError("durations, sums and counts must be 0 or more, none missing, one for each cell")
    return columns
