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
