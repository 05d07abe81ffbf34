"""What each kind of rule computes: which rows break it. Plain numpy on small integers.

Every function takes the sheet of columns first and the rule's own arguments by keyword, and returns bool per row.
An empty or unreadable cell breaks only the rules about being filled or readable; other rules need both cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.sentinels import AMBIGUOUS, BAD, DATE_BAD, DATE_EMPTY, EMPTY, day_number

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.signedinteger]


@dataclass(frozen=True)
class Sheet:
    """The conformed columns that rules look at.

    Attributes:
        columns: name → numbers with sentinels.
        dates: names of columns that hold days since 1970 (their sentinels differ).
        codes: code column → its codes in order of position.
        sets: named lists of codes that a suite may refer to, such as the catalogue's service-only interventions.
        absent: positions in the previous quarter's file of rows that this file should have carried on.
    """

    columns: Mapping[str, IntArray]
    dates: frozenset[str]
    codes: Mapping[str, Sequence[str]]
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    absent: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    def __deepcopy__(self, memo: dict[int, Any]) -> Sheet:
        """Return the sheet itself: Great Expectations copies frames, and the sheet need not be copied with them."""
        return self

    def __getitem__(self, name: str) -> IntArray:
        """A column's numbers."""
        return self.columns[name]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def is_empty(self, name: str) -> BoolArray:
        """Rows whose cell is empty."""
        found: BoolArray = self.columns[name] == (DATE_EMPTY if name in self.dates else EMPTY)
        return found

    def is_read(self, name: str) -> BoolArray:
        """Rows whose cell is filled and readable."""
        return self.columns[name] > DATE_BAD if name in self.dates else self.columns[name] >= 0

    def is_one_of(self, name: str, codes: Sequence[str]) -> BoolArray:
        """Rows whose code is among these."""
        known = list(self.codes[name])
        column = self.columns[name]
        found = np.zeros(len(column), dtype=bool)
        for code in codes:
            found |= column == known.index(code)
        return found


def by_value(numbers: IntArray, function: Callable[[IntArray], IntArray]) -> IntArray:
    """Apply a function of whole numbers (days, years) once to each number between the least and the greatest."""
    least, most = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    if most - least > len(numbers):
        return function(numbers)
    return function(np.arange(least, most + 1))[numbers - least]


def add_months(days: IntArray, months: int) -> IntArray:
    """Add calendar months to days since 1970, at most to the month's last day (31 October + 4 = 28 February)."""
    return by_value(days, lambda some: _add_months(some, months))


def _add_months(days: IntArray, months: int) -> IntArray:
    as_days = days.astype("datetime64[D]")
    month = as_days.astype("datetime64[M]")
    offset = (as_days - month.astype("datetime64[D]")).astype(np.int64)
    target = month + months
    last = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64) - 1
    later: IntArray = (target.astype("datetime64[D]").astype(np.int64) + np.minimum(offset, last)).astype(np.int32)
    return later


def filled(sheet: Sheet, column: str) -> BoolArray:
    """The cell is empty."""
    return sheet.is_empty(column)


def readable(sheet: Sheet, column: str) -> BoolArray:
    """The cell is filled with something that is no known code, date, number or identifier."""
    found: BoolArray = sheet[column] == (DATE_BAD if column in sheet.dates else BAD)
    return found


def unambiguous(sheet: Sheet, column: str) -> BoolArray:
    """The word could mean more than one code."""
    found: BoolArray = sheet[column] == AMBIGUOUS
    return found


def _condition(sheet: Sheet, when_column: str, when_values: Sequence[str] | None) -> BoolArray:
    return sheet.is_read(when_column) if when_values is None else sheet.is_one_of(when_column, when_values)


def filled_when(
    sheet: Sheet,
    column: str,
    when_column: str,
    when_values: Sequence[str] | None = None,
    unless_column: str | None = None,
    unless_values: Sequence[str] = (),
) -> BoolArray:
    """The cell is empty although the other column is filled (or holds one of the values), unless a third excuses it."""
    broken = sheet.is_empty(column) & _condition(sheet, when_column, when_values)
    return broken & ~sheet.is_one_of(unless_column, unless_values) if unless_column else broken


def filled_when_empty(sheet: Sheet, column: str, when_column: str) -> BoolArray:
    """Both cells are empty."""
    return sheet.is_empty(column) & sheet.is_empty(when_column)


def empty_unless(sheet: Sheet, column: str, when_column: str, when_values: Sequence[str] | None = None) -> BoolArray:
    """The cell is filled although the other column is empty (or holds none of the values)."""
    unknown = ~sheet.is_empty(when_column) & ~sheet.is_read(when_column)
    return ~sheet.is_empty(column) & ~_condition(sheet, when_column, when_values) & ~unknown


def empty_when(sheet: Sheet, column: str, when_column: str, when_values: Sequence[str]) -> BoolArray:
    """The cell is filled although the other column holds one of the values."""
    return ~sheet.is_empty(column) & sheet.is_one_of(when_column, when_values)


def not_together(
    sheet: Sheet, column: str, values: Sequence[str], other_column: str, other_values: Sequence[str]
) -> BoolArray:
    """Two codes that exclude each other are in one row."""
    return sheet.is_one_of(column, values) & sheet.is_one_of(other_column, other_values)


def not_among(
    sheet: Sheet, column: str, named_set: str, when_column: str | None = None, when_values: Sequence[str] = ()
) -> BoolArray:
    """The code belongs to a named set, such as the interventions that the catalogue knows in one form only.

    With `when_column`, only where that one holds one of the values.
    """
    among = sheet.is_one_of(column, sorted(sheet.sets[named_set]))
    return among & sheet.is_one_of(when_column, when_values) if when_column else among


def date_not_before(sheet: Sheet, column: str, other_column: str, strictly: bool = False) -> BoolArray:
    """The date is before the other (or, strictly, on the same day)."""
    first, second = sheet[column], sheet[other_column]
    early = first <= second if strictly else first < second
    return early & sheet.is_read(column) & sheet.is_read(other_column)


def date_between(sheet: Sheet, column: str, earliest: str | None = None, latest: str | None = None) -> BoolArray:
    """The date is outside fixed limits (ISO dates, both included)."""
    values = sheet[column]
    outside = np.zeros(len(values), dtype=bool)
    if earliest is not None:
        outside |= values < day_number(date.fromisoformat(earliest))
    if latest is not None:
        outside |= values > day_number(date.fromisoformat(latest))
    return outside & sheet.is_read(column)


def date_soon_after(sheet: Sheet, column: str, other_column: str, days: int) -> BoolArray:
    """The date is more than so many days after the other."""
    both = sheet.is_read(column) & sheet.is_read(other_column)
    found: BoolArray = both & (sheet[column] > sheet[other_column].astype(np.int64) + days)
    return found


def date_recent_when(
    sheet: Sheet, column: str, as_of: str, days: int, when_column: str, when_values: Sequence[str]
) -> BoolArray:
    """The date is more than so many days before a day although the other column holds one of the values."""
    old = sheet.is_read(column) & (sheet[column] < day_number(date.fromisoformat(as_of)) - days)
    return old & sheet.is_one_of(when_column, when_values)


def ended_within_months(
    sheet: Sheet, end_column: str, start_column: str, prolonged_column: str, months: int, as_of: str
) -> BoolArray:
    """What started has not ended by its limit; what is open is judged as of a day.

    The limit is the prolongation where one is given, be it earlier or later, else so many calendar months.
    """
    started = sheet.is_read(start_column)
    limit = add_months(np.where(started, sheet[start_column], 0), months)
    limit = np.where(sheet.is_read(prolonged_column), sheet[prolonged_column], limit)
    end = np.where(sheet.is_read(end_column), sheet[end_column], day_number(date.fromisoformat(as_of)))
    usable = started & ~_unreadable(sheet, [end_column, prolonged_column])
    return usable & (end > limit)


def number_between(sheet: Sheet, column: str, minimum: int | None = None, maximum: int | None = None) -> BoolArray:
    """The number is outside its limits, both included."""
    values = sheet[column]
    outside = np.zeros(len(values), dtype=bool)
    if minimum is not None:
        outside |= values < minimum
    if maximum is not None:
        outside |= values > maximum
    return outside & sheet.is_read(column)


def younger_than(sheet: Sheet, birth_column: str, date_column: str, years: int) -> BoolArray:
    """The person has reached the age on the day (months added by the calendar, so 29 February is 28 February)."""
    known = sheet.is_read(birth_column) & sheet.is_read(date_column)
    birthday = add_months(np.where(known, sheet[birth_column], 0), years * 12)
    found: BoolArray = known & (birthday <= sheet[date_column])
    return found


def agreeing(sheet: Sheet, column: str, other_column: str, values: Sequence[str]) -> BoolArray:
    """Both are known, and they differ: `other_column` holds positions in `values`."""
    positions = [list(sheet.codes[column]).index(value) for value in values]
    mine = np.full(len(sheet[column]), EMPTY, np.int64)
    for place, position in enumerate(positions):
        mine[sheet[column] == position] = place
    other = sheet[other_column]
    found: BoolArray = (mine >= 0) & (other >= 0) & (mine != other)
    return found


def numbers_agreeing(sheet: Sheet, column: str, other_column: str) -> BoolArray:
    """Both numbers are known, and they differ."""
    found: BoolArray = (sheet[column] >= 0) & (sheet[other_column] >= 0) & (sheet[column] != sheet[other_column])
    return found


def unique_together(sheet: Sheet, columns: Sequence[str], needed: Sequence[str] = ()) -> BoolArray:
    """The same combination is in more than one row; rows without a needed column are ignored."""
    use = np.ones(sheet.rows, dtype=bool)
    for name in needed:
        use &= sheet.is_read(name)
    key = np.zeros(sheet.rows, np.int64)
    for name in columns:
        values = sheet[name].astype(np.int64)
        low = int(values.min()) if len(values) else 0
        if name in sheet.dates and len(values):
            read = values > DATE_BAD
            low = int(values[read].min()) - 1 if read.any() else 0
            values = np.where(read, values, low)
        values = values - low
        span = int(values.max()) + 1 if len(values) else 1
        if len(key) and int(key.max()) > (2**62) // max(span, 1):
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * span + values
    ordered = np.sort(key[use])
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return use & np.isin(key, repeated) if len(repeated) else np.zeros(sheet.rows, dtype=bool)


def not_restarted_within(sheet: Sheet, person_column: str, start_column: str, end_column: str, days: int) -> BoolArray:
    """The person starts again at most so many days after the end of another of that person's rows."""
    found = np.zeros(sheet.rows, dtype=bool)
    known = sheet[person_column] >= 0
    rows_of = np.bincount(sheet[person_column][known])
    known[known] = rows_of[sheet[person_column][known]] > 1
    started = np.flatnonzero(known & sheet.is_read(start_column))
    ended = np.flatnonzero(known & sheet.is_read(end_column))
    if not len(started) or not len(ended):
        return found
    person, start, end = (sheet[c].astype(np.int64) for c in (person_column, start_column, end_column))
    scale = np.int64(2**24)
    ends = np.sort(person[ended] * scale + end[ended])
    low = person[started] * scale + start[started] - days
    high = person[started] * scale + start[started]
    count = np.searchsorted(ends, high, side="right") - np.searchsorted(ends, low, side="left")
    own = (
        sheet.is_read(end_column)[started] & (end[started] >= start[started] - days) & (end[started] <= start[started])
    )
    found[started[count - own.astype(np.int64) > 0]] = True
    return found


def _sum(sheet: Sheet, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    total = np.zeros(sheet.rows, np.int64)
    for name in columns:
        total += np.where(sheet.is_read(name), sheet[name], 0)
    return total


def _any_read(sheet: Sheet, columns: Sequence[str]) -> BoolArray:
    found = np.zeros(sheet.rows, dtype=bool)
    for name in columns:
        found |= sheet.is_read(name)
    return found


def _unreadable(sheet: Sheet, columns: Sequence[str]) -> BoolArray:
    found = np.zeros(sheet.rows, dtype=bool)
    for name in columns:
        found |= ~sheet.is_read(name) & ~sheet.is_empty(name)
    return found


def counts_adding_up(sheet: Sheet, columns: Sequence[str], total_column: str) -> BoolArray:
    """The parts, when any is given, don't add up to the total."""
    usable = _any_read(sheet, columns) & sheet.is_read(total_column) & ~_unreadable(sheet, columns)
    found: BoolArray = usable & (_sum(sheet, columns) != sheet[total_column])
    return found


def sum_within_counts(
    sheet: Sheet, sum_column: str, columns: Sequence[str], lows: Sequence[int], highs: Sequence[int | None]
) -> BoolArray:
    """A sum of days is not what counts in bands allow: below Σ low·n, or above Σ high·n where no band is open."""
    usable = sheet.is_read(sum_column) & _any_read(sheet, columns) & ~_unreadable(sheet, columns)
    low, high, unlimited = (np.zeros(sheet.rows, np.int64) for _ in range(3))
    for name, least, most in zip(columns, lows, highs, strict=True):
        count = np.where(sheet.is_read(name), sheet[name], 0).astype(np.int64)
        low += count * least
        if most is None:
            unlimited += count
        else:
            high += count * most
    total = sheet[sum_column]
    found: BoolArray = usable & ((total < low) | ((total > high) & (unlimited == 0)))
    return found


def counts_at_most(sheet: Sheet, columns: Sequence[str], at_most_columns: Sequence[str]) -> BoolArray:
    """The sum of some counts is more than the sum of others, which are all given."""
    usable = _any_read(sheet, columns) & ~_unreadable(sheet, columns)
    for name in at_most_columns:
        usable &= sheet.is_read(name)
    return usable & (_sum(sheet, columns) > _sum(sheet, at_most_columns))


def counts_zero_when(sheet: Sheet, columns: Sequence[str], when_column: str, when_values: Sequence[str]) -> BoolArray:
    """One of the counts is more than zero although the other column holds one of the values."""
    found: BoolArray = (_sum(sheet, columns) > 0) & sheet.is_one_of(when_column, when_values)
    return found


def sum_with_someone(sheet: Sheet, sum_column: str, columns: Sequence[str]) -> BoolArray:
    """A sum over persons is more than zero although the counts that are given are all zero."""
    usable = _any_read(sheet, columns) & ~_unreadable(sheet, columns)
    found: BoolArray = usable & (sheet[sum_column] > 0) & (_sum(sheet, columns) == 0)
    return found


def counts_given_when_positive(sheet: Sheet, columns: Sequence[str], when_column: str) -> BoolArray:
    """None of the counts is given although the other is more than zero."""
    found: BoolArray = (sheet[when_column] > 0) & ~_any_read(sheet, columns) & ~_unreadable(sheet, columns)
    return found


def positive_when_positive(
    sheet: Sheet, column: str, when_column: str, code_column: str, codes: Sequence[str]
) -> BoolArray:
    """The count is zero for one of the codes although the other count is more than zero."""
    found: BoolArray = (sheet[column] == 0) & (sheet[when_column] > 0) & sheet.is_one_of(code_column, codes)
    return found


def absent_rows(sheet: Sheet) -> IntArray:
    """Positions in the previous file of rows that should have been carried on (not positions in this one)."""
    return sheet.absent


KINDS: dict[str, Callable[..., BoolArray]] = {
    kind.__name__: kind
    for kind in (
        filled, readable, unambiguous, filled_when, filled_when_empty, empty_unless, empty_when, not_together,
        not_among,
        date_not_before, date_between, date_soon_after, date_recent_when, ended_within_months, number_between,
        younger_than, agreeing, numbers_agreeing,
        unique_together, not_restarted_within, counts_adding_up, sum_within_counts, counts_at_most,
        counts_given_when_positive, positive_when_positive, counts_zero_when, sum_with_someone,
    )
}  # fmt: skip
