"""Subtotals found by arithmetic: rows whose counts are the sum of other rows, though no word says so.

Sums of rows are compared as one number per row: counts times fixed odd multipliers, added modulo 2^64. Such a number of
a sum is the sum of the numbers, so all rows of a file are tried at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ingest.checks.arithmetic import BoolArray, IntArray, Sheet

_U64 = npt.NDArray[np.uint64]
_FEWEST = 3
"""A sum and two rows that it sums."""
_PASSES = 3
"""Subtotals of subtotals are found when those below them are taken away."""


def sums_of_others(sheet: Sheet, columns: Sequence[str], count_columns: Sequence[str], least_bits: float) -> BoolArray:
    """The row's counts are the sums of those of at least two other rows that share its other keys.

    The others are all that share them, or a run of rows directly above or below it.

    Args:
        sheet: the columns.
        columns: of the row key; each, each two, and all together are tried as what was summed over.
        count_columns: all must agree; an empty one counts as zero.
        least_bits: evidence needed: log2(1 + count) added up over the count columns that differ from one another.
            Small numbers agree by chance. Where all rows of a clinic (or of another key's value) are sums, their
            evidence is added up. A run of rows above or below needs two different counts.
    """
    found = np.zeros(sheet.rows, dtype=bool)
    if sheet.rows < _FEWEST:
        return found
    counts = np.stack([np.where(sheet[name] > 0, sheet[name], 0) for name in count_columns], axis=1).astype(np.int64)
    numbers, counted, (bits, is_several) = _as_numbers(counts), counts.any(axis=1), _evidence(counts)
    keys = [_codes(sheet[name]) for name in columns]
    widths = sorted({1, min(2, len(columns)), len(columns)})
    over = [chosen for width in widths for chosen in combinations(range(len(columns)), width)]
    groups = [_grouped([key for place, key in enumerate(keys) if place not in chosen], sheet.rows) for chosen in over]
    for _ in range(_PASSES):
        left = np.flatnonzero(counted & ~found)
        now = np.zeros(sheet.rows, dtype=bool)
        for chosen, group in zip(over, groups, strict=True):
            whole, run = _sums_within(left, group, numbers)
            now |= (whole >= _FEWEST) & (bits >= least_bits)
            now |= run & is_several & (bits >= least_bits)
            if len(chosen) == 1:
                now |= _sums_throughout(keys[chosen[0]], left, whole, bits, least_bits)
        if not now.any():
            break
        found |= now
    return found


def _sums_throughout(
    key: npt.NDArray[np.int64],
    rows: IntArray,
    whole: npt.NDArray[np.int64],
    bits: npt.NDArray[np.float64],
    least_bits: float,
) -> BoolArray:
    """Rows of those values of a key whose every row is the sum of its group, with enough evidence together."""
    values = int(key.max()) + 1
    is_sum = np.ones(values, dtype=bool)
    is_sum[key[rows][whole[rows] == 0]] = False
    evident = rows[whole[rows] >= _FEWEST]
    is_sum &= np.bincount(key[evident], bits[evident], minlength=values) >= least_bits
    found = np.zeros(len(key), dtype=bool)
    found[rows] = is_sum[key[rows]]
    return found


def _as_numbers(counts: npt.NDArray[np.int64]) -> _U64:
    """One number per row; that of a sum of rows is the sum of theirs."""
    multipliers = np.random.default_rng(0).integers(1, 2**64, counts.shape[1], dtype=np.uint64) | np.uint64(1)
    numbers: _U64 = (counts.astype(np.uint64) * multipliers).sum(axis=1, dtype=np.uint64)
    return numbers


def _evidence(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], BoolArray]:
    """Bits of surprise if a row's counts agreed by chance, and whether they come from two counts or more.

    The same count again in another column adds none: one may follow from the other.
    """
    ordered = np.sort(counts, axis=1)
    is_new = ordered > 0
    is_new[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    bits: npt.NDArray[np.float64] = np.where(is_new, np.log2(1 + ordered), 0).sum(axis=1)
    return bits, is_new.sum(axis=1) >= 2


def _codes(values: IntArray) -> npt.NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _grouped(keys: Sequence[npt.NDArray[np.int64]], rows: int) -> npt.NDArray[np.int64]:
    """Which rows share these keys: a number per row."""
    group = np.zeros(rows, np.int64)
    for key in keys:
        group = _codes(group * (int(key.max()) + 1) + key)
    return group


def _sums_within(
    rows: IntArray, group: npt.NDArray[np.int64], numbers: _U64
) -> tuple[npt.NDArray[np.int64], BoolArray]:
    """Which of these rows are sums within their group.

    Returns:
        The group's size where the row is the sum of all its others, else 0; and whether the row is the sum of a run of
        rows directly above or below it.
    """
    whole, run = np.zeros(len(group), np.int64), np.zeros(len(group), dtype=bool)
    if len(rows) < _FEWEST:
        return whole, run
    ordered = rows[np.argsort(group[rows], kind="stable")]
    mine, number = group[ordered], numbers[ordered]
    first = np.flatnonzero(np.r_[True, mine[1:] != mine[:-1]])
    sizes = np.diff(np.r_[first, len(mine)])
    within = np.repeat(np.arange(len(first)), sizes)
    is_whole = (number * np.uint64(2) == np.add.reduceat(number, first)[within]) & (sizes[within] > 1)
    whole[ordered] = np.where(is_whole, sizes[within], 0)
    run[ordered] = _ends_run(number, within) | _ends_run(number[::-1], within[::-1])[::-1]
    return whole, run


def _ends_run(number: _U64, within: npt.NDArray[np.int64]) -> BoolArray:
    """Rows that are the sum of two or more rows directly before them, in one group."""
    before = np.cumsum(number, dtype=np.uint64) - number  # across groups: only differences within one are used
    tag = within.astype(np.uint64) * np.random.default_rng(1).integers(1, 2**64, dtype=np.uint64)
    tagged, wanted = before + tag, before - number + tag
    order = np.argsort(tagged, kind="stable")
    # The run begins at the row before which the sum was `wanted`; the first of equal ones is the longest run.
    at = np.searchsorted(tagged[order], wanted).clip(max=len(order) - 1)
    start = order[at]
    found: BoolArray = (tagged[start] == wanted) & (within[start] == within) & (np.arange(len(number)) - start >= 2)
    return found
