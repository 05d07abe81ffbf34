"""From drawn counts to a mart's published columns: parts below all of their wholes, rates, durations, sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from publish.cell_keys.keys import CellKeys
from publish.cell_keys.ptable import PTable
from publish.derive.durations import published_means, published_quantiles, published_sums
from publish.derive.grouped import grouped_medians
from publish.derive.intervals import intervals
from publish.derive.rates import Rates, rates
from publish.marts.declared import Duration, Rate
from publish.policy import CellKeyPolicy
from publish.release.groups import by_measure
from publish.release.keyed import Flags, Ints, Rows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """With what figures are published."""

    policy: CellKeyPolicy
    ptable: PTable
    secret: bytes = field(repr=False)


@dataclass(eq=False)
class Published:
    """A mart's published figures, column by column; every array is as long as its rows.

    Attributes:
        rows: the mart's rows.
        counts: column → published count.
        capped: column → where the count is the largest below the cap.
        numbers: column → rate, limit, duration; NaN where it is null.
        texts: column → text; None where it is null.
        too_few: where a rate or duration is null.
    """

    rows: Rows
    counts: dict[str, Ints]
    capped: dict[str, Flags] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)
    texts: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    too_few: Flags = field(init=False)

    def __post_init__(self) -> None:
        self.too_few = np.zeros(len(self.rows), np.bool_)

    @property
    def is_capped(self) -> Flags:
        """Where any count of the row is capped."""
        found = np.zeros(len(self.rows), np.bool_)
        for one in self.capped.values():
            found |= one
        return found

    def count(self, column: str) -> Ints:
        """A published count, of persons or exact."""
        return self.counts[column] if column in self.counts else self.rows.ints(column)


def derive(rows: Rows, drawn: Mapping[str, Ints], shifts: Mapping[str, CellKeys], method: Method) -> Published:
    """The published figures of a mart's rows.

    Args:
        rows: of the mart.
        drawn: column → drawn count; parts may be above their wholes.
        shifts: column of a sum → its cells' keys.
        method: policy, p-table and noise secret.
    """
    found = Published(rows, {name: one.copy() for name, one in drawn.items()})
    sensitive = is_sensitive(rows)
    for column in rows.mart.person_counts:
        _below_whole(found, column, drawn, sensitive, method, set())
    for name, rate in rows.mart.rates.items():
        _rate(found, name, rate, drawn, sensitive, method)
    for duration in rows.mart.durations:
        _duration(found, duration, shifts, method)
    for column, one in rows.mart.sums.items():
        contributors = np.max([found.counts[name] for name in one.contributors], axis=0)
        found.counts[column] = published_sums(
            rows.ints(column), rows.ints(f"{column}__largest"), contributors, shifts[column], method.secret
        )
    return found


def is_sensitive(rows: Rows) -> Flags:
    """Which rows are broken down by a sensitive dimension."""
    found = np.zeros(len(rows), np.bool_)
    for column in rows.mart.sensitive:
        found |= rows.is_cut_by(column)
    return found


def _below_whole(
    found: Published, column: str, drawn: Mapping[str, Ints], sensitive: Flags, method: Method, done: set[str]
) -> None:
    """Cap a part below all of its published whole in sensitive rows; the whole first."""
    count = found.rows.mart.person_counts[column]
    if column in found.capped or column in done:
        return
    done.add(column)
    capped = np.zeros(len(found.rows), np.bool_)
    for whole, among in by_measure(found.rows, count.part_of) if count.part_of is not None else ():
        _below_whole(found, whole, drawn, sensitive, method, done)
        # a count of the whole's own measure (of those decided, the decided) is no part of it, but the same
        is_same = among & _same_measure(found.rows, column, whole)
        found.counts[column][is_same] = found.counts[whole][is_same]
        capped[is_same] = found.capped[whole][is_same]
        is_part = np.flatnonzero(among & sensitive & ~is_same & ~_is_said_by_code(found.rows, column))
        made = rates(drawn[column][is_part], found.counts[whole][is_part], method.policy, is_sensitive=True)
        found.counts[column][is_part] = np.where(made.is_capped, made.part, drawn[column][is_part])
        capped[is_part] = made.is_capped
    found.capped[column] = capped


def _is_said_by_code(rows: Rows, column: str) -> Flags:
    """Rows whose codes say of each in the whole whether it is in the part."""
    count = rows.mart.person_counts.get(column)
    found = np.zeros(len(rows), np.bool_)
    for dimension in count.whole_where_cut if count else ():
        found |= rows.is_cut_by(dimension)
    return found


def _same_measure(rows: Rows, column: str, whole: str) -> Flags:
    one, other = rows.mart.person_counts[column].measure, rows.mart.person_counts[whole].measure
    if isinstance(one, str) or isinstance(other, str):
        return np.full(len(rows), one == other)
    same = [value for value in one if other.get(value) == one[value]]
    assert rows.mart.measure_by is not None
    return rows.where(rows.mart.measure_by, *same)


def _rate(found: Published, name: str, rate: Rate, drawn: Mapping[str, Ints], sensitive: Flags, method: Method) -> None:
    rows, persons = found.rows, found.rows.mart.person_counts
    part, whole = found.count(rate.part), found.count(rate.whole)
    is_exact = rate.part not in persons
    if rate.may_exceed or is_exact:
        limit = 1 if is_exact else method.policy.too_few
        too_few = whole < limit
        value = np.where(too_few, np.nan, part / np.maximum(whole, 1))
        none = np.zeros(len(rows), np.bool_)
        made = Rates(np.minimum(part, whole), whole, np.where(too_few, np.nan, np.minimum(value, 1)), too_few, none)
        made_intervals = intervals(made, None if is_exact else method.ptable)
        found.numbers[name], low, high = value, made_intervals.low, np.fmax(made_intervals.high, value)
    else:
        is_its_whole = persons[rate.part].part_of == rate.whole
        is_capped = sensitive & ~_is_said_by_code(rows, rate.part)
        made = rates(drawn[rate.part] if is_its_whole else part, whole, method.policy, is_sensitive=is_capped)
        found.counts[rate.part] = made.part
        found.capped[rate.part] = found.capped[rate.part] | made.is_capped
        made_intervals = intervals(made, method.ptable)
        found.numbers[name], low, high = made.rate, made_intervals.low, made_intervals.high
    if rate.interval:
        found.numbers[f"{name}_low"], found.numbers[f"{name}_high"] = low, high
    found.too_few |= made.is_too_few


def _duration(found: Published, one: Duration, shifts: Mapping[str, CellKeys], method: Method) -> None:
    rows, policy = found.rows, method.policy
    shown = found.counts[one.n]
    for statistic, column in one.statistics.items():
        minimum = policy.minimum_n[statistic]
        if statistic == "mean":
            sums, number = rows.ints(f"{one.private}__sum"), rows.ints(one.number or one.n)
            mean = sums / np.maximum(number, 1)
            # the farthest duration from the mean: the longest, or a short one, which is at most the mean away
            far = np.maximum(rows.ints(f"{one.private}__largest") - mean, mean)
            made = published_means(
                sums, number, far, shown, shifts[f"{one.private}__sum"], method.secret, minimum_n=minimum
            )
            days, too_few = made.days.astype(np.float64), made.is_too_few
        elif statistic == "grouped_median":
            medians = grouped_medians([found.counts[band] for band in one.bands], minimum, policy.duration_step_days)
            days, too_few = medians.days, medians.is_too_few
            if one.band is not None:
                found.texts[one.band] = medians.band
        else:
            quantiles = published_quantiles(
                rows.floats(column), shown, minimum_n=minimum, step_days=policy.duration_step_days
            )
            days, too_few = quantiles.days.astype(np.float64), quantiles.is_too_few
        found.numbers[column] = np.where(too_few, np.nan, days)
        found.too_few |= too_few
