"""The pilot's effect: the difference of four published rates, as unsure as the areas' changes and the deviations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from publish.cell_keys.ptable import PTable
from publish.derive.intervals import Z
from publish.release.deriving import Published

CELLS = (("pilot_before_rate", -1), ("pilot_after_rate", 1), ("line_before_rate", 1), ("line_after_rate", -1))
STEP = 0.01
"""What is computed from single areas is rounded up to whole percentage points: their counts are not published."""


def derive_pilot_effect(found: Published, ptable: PTable) -> None:
    """Add the difference in differences, its error and interval, and whether the areas can be compared.

    Cases of one area are not independent, so the mart's error and interval are of the areas' changes. To their squares
    those of the deviations are added: of a rate p = part / whole, (v + p² w) / N². All are null where a rate is, error
    and interval also where there are too few areas.
    """
    rows = found.rows
    difference, deviations = np.zeros(len(rows)), np.zeros(len(rows))
    for name, sign in CELLS:
        part, whole = found.counts[f"{name}_numerator"], found.counts[f"{name}_denominator"]
        share, size = part / np.maximum(whole, 1), np.maximum(whole, 1)
        difference = difference + sign * found.numbers[name]
        deviations += (ptable.variances(part) + share**2 * ptable.variances(whole)) / size**2
    is_few = np.isnan(difference)
    width = rows.floats("difference_in_differences_high") - rows.floats("difference_in_differences")
    error = np.where(is_few, np.nan, np.sqrt(_rounded_up(rows.floats("difference_standard_error")) ** 2 + deviations))
    width = np.where(is_few, np.nan, np.sqrt(_rounded_up(width) ** 2 + Z**2 * deviations))
    found.numbers["difference_in_differences"] = difference
    found.numbers["difference_standard_error"] = error
    found.numbers["difference_in_differences_low"] = difference - width
    found.numbers["difference_in_differences_high"] = difference + width
    codes, names = rows.codes("comparison_status")
    status = np.array([*names, None], object)[codes]
    status[is_few] = None
    found.texts["comparison_status"] = status
    found.too_few |= np.isnan(error)


def _rounded_up(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rounded: npt.NDArray[np.float64] = np.ceil(values / STEP - 1e-9) * STEP
    return rounded
