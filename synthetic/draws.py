"""Random draws, probabilities fitted to given shares, and days as whole numbers.

Days are counted from 1970-01-01 (NumPy's `datetime64[D]`); `NEVER` is a day that does not come.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.quarters import Quarter

Ints = NDArray[Any]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Table = NDArray[np.void]
"""A structured array: one element per row, one field per column."""

NEVER = 10_000_000
"""A day far beyond any other, yet small enough that days can be added to it in 32 bits."""

_EPOCH = date(1970, 1, 1)
_MOST = 0.97


def stream(seed: int, *keys: int) -> np.random.Generator:
    """The random stream of one step of one quarter; equal keys give equal draws, whatever else was drawn."""
    return np.random.default_rng(np.random.SeedSequence([seed, *keys]))


def ordinal(quarter: Quarter) -> int:
    """The quarter as a number, for the streams."""
    return quarter.year * 4 + quarter.number - 1


def day_number(day: date) -> int:
    """Days from 1970-01-01 to the day."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The date of a day number."""
    return date.fromordinal(_EPOCH.toordinal() + number)


def add_months(days: Ints, months: int) -> Ints:
    """The same day of the month so many calendar months later, or that month's last day."""
    dates = np.asarray(days, dtype="int64").astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    offset = dates - month.astype("datetime64[D]")
    first = (month + months).astype("datetime64[D]")
    last = (month + months + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    found: Ints = np.minimum(first + offset, last).astype("int64")
    return found


def weekday_after(days: Ints) -> Ints:
    """The day itself, or the Monday after a weekend."""
    weekday = (days + 3) % 7
    return days + np.where(weekday == 5, 2, 0) + np.where(weekday == 6, 1, 0)


def weekday_before(days: Ints) -> Ints:
    """The day itself, or the Friday before a weekend."""
    weekday = (days + 3) % 7
    return days - np.where(weekday == 5, 1, 0) - np.where(weekday == 6, 2, 0)


def calibrated(target: float, weight: Floats) -> Floats:
    """Probabilities in proportion to the weights whose mean is the target (capped at 0.97)."""
    if weight.size == 0:
        return weight
    chance: Floats = weight * (target / max(float(weight.mean()), 1e-12))
    for _ in range(4):
        chance = np.minimum(chance, _MOST)
        chance = chance * (target / max(float(chance.mean()), 1e-12))
    found: Floats = np.minimum(chance, _MOST)
    return found


def calibrated_by(targets: Floats, group: Ints, weight: Floats) -> Floats:
    """As `calibrated`, with a target for each group: `targets[g]` is the mean of the rows where group is g."""
    chance = np.zeros(weight.size)
    for value in np.unique(group):
        rows = group == value
        chance[rows] = calibrated(float(targets[value]), weight[rows])
    return chance


def raked(weights: Floats, targets: Floats) -> Floats:
    """Row probabilities in proportion to the weights whose column means are the targets (iterative fitting).

    Args:
        weights: rows by choices, not negative, no row all zero.
        targets: share of each choice over all rows, adding up to 1.
    """
    chance: Floats = weights / weights.sum(axis=1, keepdims=True)
    for _ in range(12):
        chance = chance * (targets / np.maximum(chance.mean(axis=0), 1e-12))
        chance = chance / chance.sum(axis=1, keepdims=True)
    return chance


def happens(rng: np.random.Generator, chance: Floats | float, size: int | None = None) -> Bools:
    """Whether each row's event happens."""
    count = size if size is not None else np.asarray(chance).size
    found: Bools = rng.random(count) < chance
    return found


def pick(rng: np.random.Generator, weights: Floats, size: int | None = None) -> Ints:
    """A choice per row: `weights` is rows by choices, or one list of weights for `size` rows."""
    if weights.ndim == 1:
        cumulative = np.cumsum(weights) / weights.sum()
        return np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), weights.size - 1)
    cumulative = np.cumsum(weights, axis=1)
    found: Ints = (rng.random(len(weights))[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return found


def rank_within(keys: Ints) -> Ints:
    """How many earlier rows have the same key, per row."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if keys.size else np.zeros(0, int)
    rank = np.arange(keys.size) - np.repeat(starts, np.diff(np.append(starts, keys.size)))
    found = np.empty(keys.size, dtype="int64")
    found[order] = rank
    return found


def empty(dtype: np.dtype[Any], size: int = 0) -> Table:
    """A structured array of zeros."""
    return np.zeros(size, dtype=dtype)
