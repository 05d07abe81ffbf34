"""Means, medians and sums beside counts: do they tell how many are behind them, or what one child had?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from publish.attack.figures import Counts, Flags, Floats
from publish.attack.likelihood import Deviation

LARGEST = 60
"""Counts above this are not looked for: they need no protection."""


def _no_floats() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True)
class Durations:
    """Rows of one table: what is published beside a count. An array of no length is not published; NaN is withheld."""

    published: Counts
    mean: Floats = field(default_factory=_no_floats)
    median: Floats = field(default_factory=_no_floats)
    grouped_median: Floats = field(default_factory=_no_floats)
    edges: tuple[float, ...] = ()
    """The lower edges of the bands that the grouped median is interpolated in, in order; the last is open."""
    total: Floats = field(default_factory=_no_floats)
    """The sum over all that are counted: days, sessions."""


@dataclass(frozen=True)
class TrueDurations:
    """For scoring only: what is behind each row."""

    count: Counts
    in_band: Counts = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """How many are in the band of the grouped median."""
    largest: Floats = field(default_factory=_no_floats)
    second: Floats = field(default_factory=_no_floats)
    """The second largest contribution: whoever had it knows it."""


@dataclass(frozen=True)
class DurationsFound:
    """What was inferred rightly."""

    rows: int
    count_by_mean: int
    """Rows whose true count follows from the mean, or from mean and median, though the count's figure leaves many."""
    band_by_grouped_median: int
    """Rows for which the number in the grouped median's band follows, and is small."""
    largest_by_total: int
    """Rows of one or two contributors whose largest contribution the other one tells within a tenth. Of more the
    others' are not known; a sum of 0 has no largest."""
    least_count: int
    """The least true count with a mean, median or grouped median."""


def decimals(values: Floats) -> float:
    """Half a unit of the last digit that a column is published with: 0.5 for whole days, 0 for full precision."""
    shown = values[np.isfinite(values)]
    for digits in range(0, 7):
        if np.allclose(np.round(shown, digits), shown, rtol=0, atol=1e-9):
            return float(0.5 * 10.0**-digits)
    return 0.0


def counts_left(rows: Durations, deviation: Deviation) -> tuple[NDArray[np.int64], Flags]:
    """[row, candidate]: the counts that each figure allows, and those that agree with mean and median.

    A mean of whole days times the count is a whole number; a median between two whole days belongs to an even count.
    """
    low = np.maximum(deviation.low(rows.published), 1)
    candidates = low[:, None] + np.arange(2 * deviation.most + 1)
    fits = candidates <= deviation.high(rows.published)[:, None]
    if len(rows.mean):
        known = np.isfinite(rows.mean)[:, None]
        product = np.where(known, rows.mean[:, None], 0.0) * candidates
        slack = decimals(rows.mean) * candidates + 1e-6 * np.maximum(product, 1.0)
        fits &= ~known | (np.abs(product - np.rint(product)) <= slack)
    if len(rows.median):
        half = np.isfinite(rows.median) & (np.abs(rows.median % 1.0 - 0.5) < 1e-9)
        fits &= ~half[:, None] | (candidates % 2 == 0)
    return candidates, fits


def bands_left(rows: Durations, deviation: Deviation) -> list[set[int]]:
    """Per row, how many there can be in the grouped median's band: below + share of band = half of all.

    Empty where the row has no grouped median, or is in the open band.
    """
    lower = np.array(rows.edges)
    slack = max(decimals(rows.grouped_median), 1e-9)
    low, high = np.maximum(deviation.low(rows.published), 1), deviation.high(rows.published)
    found: list[set[int]] = []
    for row, median in enumerate(rows.grouped_median):
        band = int(np.searchsorted(lower, median, side="right")) - 1 if np.isfinite(median) else -1
        if band < 0 or band + 1 >= len(lower) or low[row] > LARGEST:
            found.append(set())
            continue
        width = lower[band + 1] - lower[band]
        share, error = (median - lower[band]) / width, slack / width
        count = np.arange(low[row], min(high[row], LARGEST + 20) + 1)[:, None]
        inside = np.arange(1, count.max() + 1)[None, :]
        below = count / 2 - share * inside
        near = np.rint(below)
        fits = (np.abs(below - near) <= error * inside + 1e-9) & (near >= 0) & (near + inside <= count)
        found.append({int(number) for number in inside[0, fits.any(axis=0)]})
    return found


def score(rows: Durations, truth: TrueDurations, deviation: Deviation, small: int = 4) -> DurationsFound:
    """What follows from each row, held against what is behind it."""
    candidates, fits = counts_left(rows, deviation)
    one = (fits.sum(axis=1) == 1) & (deviation.high(rows.published) > deviation.low(rows.published))
    right = candidates[np.arange(len(fits)), fits.argmax(axis=1)] == truth.count
    by_mean = int((one & right & (truth.count <= LARGEST)).sum())
    in_band = 0
    if len(rows.grouped_median) and len(truth.in_band):
        left = bands_left(rows, deviation)
        in_band = sum(
            len(possible) == 1 and true in possible and true <= small
            for possible, true in zip(left, truth.in_band.tolist(), strict=True)
        )
    largest = 0
    if len(rows.total) and len(truth.largest):
        guess = rows.total - truth.second
        is_near = np.abs(guess - truth.largest) <= 0.1 * truth.largest
        largest = int((is_near & (truth.count <= 2) & (truth.largest > 0)).sum())
    shown = np.zeros(len(rows.published), dtype=np.bool_)
    for column in (rows.mean, rows.median, rows.grouped_median):
        if len(column):
            shown |= np.isfinite(column)
    least = int(truth.count[shown].min()) if shown.any() else 0
    return DurationsFound(len(rows.published), by_mean, in_band, largest, least)
