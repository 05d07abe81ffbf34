"""Rates from published counts alone: a reader who divides the same two figures gets the same rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from publish.policy import CellKeyPolicy

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates of n cells.

    Attributes:
        part: published counts of the part as readers get them: at most the whole, below the cap where they are capped.
        whole: published counts of the whole.
        rate: part / whole, 0 to 1; NaN where the whole is too few; the cap's share itself where it is capped.
        is_too_few: the whole is below the policy's limit: the rate is published as null.
        is_capped: the part is said to be "at least" the rate (`minst 75 %`).
    """

    part: Counts
    whole: Counts
    rate: Floats
    is_too_few: Flags
    is_capped: Flags


def rates(
    part: npt.ArrayLike, whole: npt.ArrayLike, policy: CellKeyPolicy, *, is_sensitive: npt.ArrayLike = False
) -> Rates:
    """The rates of published counts.

    A part can be published above its whole, since each deviates by itself: it is cut to the whole. By reason, source,
    history or intervention a rate near 100 % tells something of everybody in the group: there the part is capped at
    the largest count below the policy's share. Both are decided on published counts, so neither tells anything more.

    Args:
        part, whole: n published counts, whole numbers from 0.
        policy: for `too_few`, `all_of_n_percent` and `js`.
        is_sensitive: whether the row is a breakdown where all of n is capped; n truths, or one for all.

    Raises:
        ValueError: a count is missing, negative or no whole number, or the lengths differ.
    """
    parts, wholes = _published(part), _published(whole)
    if parts.shape != wholes.shape:
        raise ValueError("there must be as many parts as wholes")
    sensitive = np.broadcast_to(np.asarray(is_sensitive, np.bool_), parts.shape)
    cut = np.minimum(parts, wholes)
    percent = policy.all_of_n_percent
    is_capped = sensitive & (wholes > 0) & (100 * cut >= percent * wholes)
    below = np.maximum(percent * wholes - 1, 0) // 100
    below = np.where(below > policy.js, below, 0)  # of a whole of a few no count is left that may be published
    cut = np.where(is_capped, below, cut)
    is_too_few = wholes < policy.too_few
    rate = np.where(is_capped, percent / 100, cut / np.maximum(wholes, 1))
    return Rates(cut, wholes, np.where(is_too_few, np.nan, rate), is_too_few, is_capped)


def _published(counts: npt.ArrayLike) -> Counts:
    given = np.asarray(counts)
    if given.size and (given.dtype.kind not in "iu" or int(given.min()) < 0):
        raise ValueError("published counts must be whole numbers from 0, none missing")
    return given.astype(np.int64)
