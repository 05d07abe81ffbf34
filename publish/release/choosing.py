"""Which rows are published: none that only its presence would say something, none broken down too finely."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from publish.marts.declared import Mart
from publish.policy import CellKeyPolicy
from publish.release.deriving import Published, is_sensitive
from publish.release.keyed import Flags, Ints, Rows
from publish.release.periods import TOTAL

NO_CUT = "total"


def is_published(found: Published, policy: CellKeyPolicy) -> Flags:
    """Which rows are published, by published figures alone."""
    mart, rows = found.rows.mart, found.rows
    shown = np.zeros(len(rows), np.bool_)
    counts = [*mart.person_counts, *(name for name in mart.exact if _is_number(rows, name))]
    for column in counts:
        shown |= found.count(column) != 0
    if not counts or mart.shown_with is not None or _is_of_facts(mart):
        shown[:] = True
    if mart.shown_with is not None:
        shown &= found.counts[mart.shown_with] > 0
    return shown & ~is_hidden(rows, found.counts, policy.too_few)


def is_hidden(rows: Rows, counts: Mapping[str, Ints], least: int) -> Flags:
    """Which rows are never published, as they break down too small a whole by what is sensitive.

    Args:
        rows: of a mart.
        counts: its counts as published; what is set to 0 as part of a 0 makes no difference.
        least: the policy's `too_few`; more than twice its greatest deviation.
    """
    sensitive = is_sensitive(rows)
    return sensitive & ~_is_of_large_whole(rows, counts, sensitive, least) if sensitive.any() else sensitive


def _is_of_facts(mart: Mart) -> bool:
    """Whether a mart counts no persons by itself: then that a row is there says nothing of anybody."""
    return mart.published == "always"


def _is_number(rows: Rows, column: str) -> bool:
    kind = str(rows.table[column].type)
    return kind.startswith(("int", "uint"))


def _is_of_large_whole(rows: Rows, counts: Mapping[str, Ints], sensitive: Flags, least: int) -> Flags:
    """Of sensitive rows: whether one of the mart's counts is large enough in each row that they are a part of.

    By reason and source these are the row by source alone, the row by reason alone, and the row by neither.
    """
    mart = rows.mart
    size = np.max([counts[name] for name in mart.whole], axis=0)
    each = [[column for column in dimension if column in mart.sensitive] for dimension in mart.dimensions]
    large = sensitive.copy()
    own_key = _keys(rows, ())
    order = np.argsort(own_key)
    keys, sizes = own_key[order], size[order]
    for columns in [*filter(None, each), list(mart.sensitive)]:
        cut = np.any([rows.is_cut_by(column) for column in columns], axis=0) & large
        whole = _keys(rows, columns)[cut]
        at = np.minimum(np.searchsorted(keys, whole), len(keys) - 1)
        large[cut] = (keys[at] == whole) & (sizes[at] >= least)
    return large


def _keys(rows: Rows, without: Collection[str]) -> npt.NDArray[np.int64]:
    """Of each row a number of its keys and dimensions, some of them not cut by."""
    found = np.zeros(len(rows), np.int64)
    for column in (*rows.mart.keys, *rows.mart.columns_of_dimensions):
        codes, names = rows.codes(column)
        code = np.int64(names.index(TOTAL)) if column in without and TOTAL in names else codes
        found = found * (len(names) + 1) + code + 1
    return found


def cuts_of(rows: Rows) -> tuple[npt.NDArray[np.int32], list[str]]:
    """What each row is cut by (`total`, `sex`, `age_band+sex`): the innermost column of each dimension, in order."""
    return cut_names([list(dimension) for dimension in rows.mart.dimensions], [
        [rows.is_cut_by(column) for column in dimension] for dimension in rows.mart.dimensions
    ], len(rows))  # fmt: skip


def cut_names(
    dimensions: Sequence[Sequence[str]], is_cut: Sequence[Sequence[Flags]], length: int
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """The same from flags: the one place where a cut is named."""
    number, base = np.zeros(length, np.int64), 1
    for dimension, flags in zip(dimensions, is_cut, strict=True):
        depth = np.zeros(length, np.int64)
        for place, flag in enumerate(flags, 1):
            depth = np.where(flag, place, depth)
        number += depth * base
        base *= len(dimension) + 1
    found, codes = np.unique(number, return_inverse=True)
    names = []
    for one in found.tolist():
        cut, rest = [], one
        for dimension in dimensions:
            rest, depth = divmod(rest, len(dimension) + 1)
            if depth:
                cut.append(dimension[depth - 1])
        names.append("+".join(sorted(cut)) or NO_CUT)
    return codes.astype(np.int32), names
