"""95 % intervals of published rates: Wilson's, widened by the deviation of both counts.

Wilson's interval has the rates π that the published rate p is at most z standard errors from:
(p − π)² ≤ z² π (1 − π) / N (E. B. Wilson, JASA 22, 1927). The published part and whole also deviate at random, each by
itself, with variances v and w. To the first order that adds (v + π² w) / N² to the variance of p, and

    π² (1 + z²/N − z² w/N²) − π (2p + z²/N) + p² − z² v/N² ≤ 0,

whose roots are the limits. Without deviations (v = w = 0) they are Wilson's. How often the true rate is within them is
in docs/decisions/0054.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.cell_keys.ptable import Counts, PTable
from publish.derive.rates import Floats, Rates

Z = 1.959963984540054
"""Standard errors on each side of 95 % of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """Limits of n rates, from 0 to 1; NaN where the rate is null."""

    low: Floats
    high: Floats


def intervals(found: Rates, ptable: PTable | None, z: float = Z) -> Intervals:
    """Intervals of rates, 95 % if nothing else is asked.

    A capped rate's interval goes up to 1, and begins where that of the count below the cap does.

    Args:
        found: from `rates`.
        ptable: with which both counts were published; None where they are exact.
        z: standard errors on each side.
    """
    z2 = z**2
    n = np.where(found.is_too_few, 1, found.whole).astype(np.float64)
    p = np.where(found.is_too_few, 0, found.part) / n
    of_part, of_whole = (deviation_variances(counts, ptable) / n**2 for counts in (found.part, found.whole))
    square = 1 + z2 / n - z2 * of_whole
    # Above 0 wherever z² w < N²: of wholes of a few, which are asked for where the policy's limit is low.
    is_bounded = square > 0
    square = np.where(is_bounded, square, 1.0)
    middle = p + z2 / (2 * n)
    root = np.sqrt(np.maximum(middle**2 - square * (p**2 - z2 * of_part), 0))
    low = np.where(is_bounded, np.clip((middle - root) / square, 0, 1), 0.0)
    high = np.where(is_bounded, np.clip((middle + root) / square, 0, 1), 1.0)
    high = np.where(found.is_capped, 1.0, high)
    return Intervals(np.where(found.is_too_few, np.nan, low), np.where(found.is_too_few, np.nan, high))


def count_limits(counts: Floats, exposure: Floats, variances: npt.ArrayLike, z: float = Z) -> Intervals:
    """Poisson's score limits of counts per exposure, with the variance of the counts' deviations added.

    (x + z²/2 ∓ z √(x + z²/4 + v)) / exposure; without v as Wilson's, of a count that has no whole.

    Args:
        counts: n published counts.
        exposure: n, each above 0: thousands of inhabitants.
        variances: of the deviation of each count.
        z: standard errors on each side.
    """
    middle, root = counts + z**2 / 2, z * np.sqrt(counts + z**2 / 4 + np.asarray(variances))
    return Intervals(np.maximum(middle - root, 0) / exposure, (middle + root) / exposure)


def deviation_variances(published: Counts, ptable: PTable | None) -> Floats:
    """The variance of the deviation behind each figure; 0 without a p-table.

    Behind a 0 there are 0 to D, all on one side: no distribution over them has a larger variance than D² / 4
    (Popoviciu), and with less the true rate would be above the interval too often.
    """
    if ptable is None:
        return np.zeros(published.shape)
    return np.where(published == 0, ptable.greatest**2 / 4, ptable.variances(published))
