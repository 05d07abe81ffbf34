"""Grouped medians from published counts of waits in bands: nothing true is behind them but those counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.derive.rates import Counts, Flags, Floats

BANDS = (
    ("0_7_days", 0, 7),
    ("8_14_days", 8, 14),
    ("15_30_days", 15, 30),
    ("31_90_days", 31, 90),
    ("over_90_days", 91, None),
)
"""Name, first and last whole day; the last band is open. As `waiting_bands` of the marts."""


@dataclass(frozen=True, eq=False)
class GroupedMedians:
    """Medians of n cells.

    Attributes:
        days: interpolated in the band, to the step; NaN where it is too few, or in the open band.
        band: the name of the band that holds the median; None where it is too few.
        is_too_few: fewer waits are published than the limit.
    """

    days: Floats
    band: npt.NDArray[np.object_]
    is_too_few: Flags


def grouped_medians(counts: Sequence[Counts], minimum_n: int, step_days: int = 1) -> GroupedMedians:
    """Medians of grouped whole days: L + (N/2 − F) / f · w, with L the band's first day less a half and w its days.

    Args:
        counts: the published counts of each band of `BANDS`, n each.
        minimum_n: null where the bands' sum is smaller.
        step_days: what they are rounded to.

    Raises:
        ValueError: there are not as many counts as bands.
    """
    if len(counts) != len(BANDS):
        raise ValueError(f"there are {len(BANDS)} bands of waits, not {len(counts)}")
    table = np.stack(counts).astype(np.float64)
    total = table.sum(axis=0)
    is_too_few = total < minimum_n
    below = np.zeros(len(total))
    days, band = np.full(len(total), np.nan), np.full(len(total), None, dtype=object)
    is_found = is_too_few.copy()
    for (name, first, last), count in zip(BANDS, table, strict=True):
        here = ~is_found & (2 * (below + count) >= total)
        band[here] = name
        if last is not None:
            inside = (total[here] / 2 - below[here]) / count[here] * (last - first + 1)
            days[here] = np.floor((first - 0.5 + inside) / step_days + 0.5) * step_days
        is_found |= here
        below += count
    return GroupedMedians(np.maximum(days, 0), band, is_too_few)


def mean_variance(counts: Counts, mean: float) -> float:
    """The variance of one wait, from counts in bands, as `grouped_variance` of the marts (docs/decisions/0027).

    Each wait is its band's middle day, with an even spread over the band (w² / 12). Waits in the open band have what is
    left of the sum of days.

    Args:
        counts: of each band of `BANDS`.
        mean: of all these waits, in days.

    Returns:
        Days²; NaN without waits in bands.
    """
    total = float(counts.sum())
    if total == 0:
        return float("nan")
    closed = [(last - first + 1, (first + last) / 2) for _, first, last in BANDS if last is not None]
    width, middle = (np.array(one) for one in zip(*closed, strict=True))
    number, over = counts[:-1], float(counts[-1])
    squares = float((number * (middle**2 + width**2 / 12)).sum())
    if over:
        squares += over * max(float(BANDS[-1][1]), (mean * total - float((number * middle).sum())) / over) ** 2
    return max(squares / total - mean**2, 0.0)


def median_variances(counts: Counts, deviations: Floats) -> tuple[float, float]:
    """Of a grouped median of n waits: the variance by chance times n, and that by the bands' deviations times n².

    By chance it is 1 / (4 f²), with f the median's density: the share of its band, by day. The bands deviate each by
    itself. By the delta method a band beside the median's moves it by w / 2f of a wait, the median's own band by
    w (1/2 − q) / f, with q the part of the band that is below the median.

    Args:
        counts: of each band of `BANDS`.
        deviations: the variance of each count's deviation.

    Returns:
        Days², both; NaN without waits, or where the median is in the open band.
    """
    total, below = float(counts.sum()), 0.0
    for number, (_, first, last) in enumerate(BANDS):
        count = float(counts[number])
        if total > 0 and 2 * (below + count) >= total:
            if last is None:
                break
            days = (last - first + 1) * total / count
            moved = np.full(len(BANDS), 0.5)
            moved[number] -= (total / 2 - below) / count
            return (days / 2) ** 2, float(days**2 * (moved**2 * deviations).sum())
        below += count
    return float("nan"), float("nan")
