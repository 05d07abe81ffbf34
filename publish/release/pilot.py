"""The pilot's effect from published rates: the difference of differences, with the deviations in its error."""

from __future__ import annotations

import numpy as np

from publish.cell_keys.ptable import PTable
from publish.derive.intervals import Z
from publish.release.deriving import Published

CELLS = (("pilot_before_rate", -1), ("pilot_after_rate", 1), ("line_before_rate", 1), ("line_after_rate", -1))
LEAST = 5
"""In the numerator and out of it, in each of the four cells, for an interval (normal approximation)."""


def derive_pilot_effect(found: Published, ptable: PTable) -> None:
    """Add the difference in differences, its standard error and its interval; null where a rate is.

    To the variance of each rate p = part / whole, p (1 − p) / N, that of both published counts is added:
    (v + p² w) / N².
    """
    difference, variance = np.zeros(len(found.rows)), np.zeros(len(found.rows))
    is_estimable = np.ones(len(found.rows), np.bool_)
    for name, sign in CELLS:
        part, whole = found.counts[f"{name}_numerator"], found.counts[f"{name}_denominator"]
        rate, size = found.numbers[name], np.maximum(whole, 1)
        share = part / size
        difference = difference + sign * rate
        of_counts = (ptable.variances(part) + share**2 * ptable.variances(whole)) / size**2
        variance += share * (1 - share) / size + of_counts
        is_estimable &= np.minimum(part, whole - part) >= LEAST
    error = np.where(is_estimable & ~np.isnan(difference), np.sqrt(variance), np.nan)
    found.numbers["difference_in_differences"] = difference
    found.numbers["difference_standard_error"] = error
    found.numbers["difference_in_differences_low"] = difference - Z * error
    found.numbers["difference_in_differences_high"] = difference + Z * error
    found.too_few |= np.isnan(difference) | np.isnan(error)
