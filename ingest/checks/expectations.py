"""The project's own expectations for Great Expectations: a small family on one base.

Each names one kind of rule and passes its arguments to one table metric, which returns the positions of the rows that
break it. A suite reads as suites of Great Expectations do, and a rule costs only its arithmetic.
"""

from __future__ import annotations

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from great_expectations.core.suite_parameters import SuiteParameterDict

from ingest.checks.arithmetic import KINDS, BoolArray, Sheet, absent_rows
from ingest.checks.rule_family import MetricOfRules, OneMetricRule
from ingest.checks.running_numbers import agreeing_within, unborn_one_by_one
from ingest.checks.subtotals import sums_of_others

METRIC = "followup.rows_breaking_rule"
SHEET = "followup.sheet"
"""Key in the frame's attrs under which the metric finds the sheet."""

_OF_MANY_ROWS: dict[str, Callable[..., BoolArray]] = {
    kind.__name__: kind for kind in (sums_of_others, agreeing_within, unborn_one_by_one)
}


class RowsBreakingRule(MetricOfRules):
    """Positions of the rows that break one rule, int64 ascending."""

    metric_name = METRIC
    subject = SHEET

    @classmethod
    def find(cls, subject: Sheet, kind: str, arguments: dict[str, Any]) -> Any:
        """The rows of a sheet that break a rule."""
        if kind == "absent_rows":
            return absent_rows(subject)
        function = _OF_MANY_ROWS.get(kind) or KINDS[kind]
        return np.flatnonzero(function(subject, **arguments))


class RowRule(OneMetricRule):
    """Base of the family."""

    metric = METRIC
    found_as = "unexpected_rows"


class ExpectValuesToBeFilled(RowRule):
    """The column is filled in every row."""

    kind = "filled"
    success_keys: ClassVar[tuple[str, ...]] = ("column",)
    column: str


class ExpectValuesToBeReadable(RowRule):
    """What is filled in is a known code, a date, a whole number or a well-formed identifier."""

    kind = "readable"
    success_keys: ClassVar[tuple[str, ...]] = ("column",)
    column: str


class ExpectCodesToBeUnambiguous(RowRule):
    """No word means more than one code."""

    kind = "unambiguous"
    success_keys: ClassVar[tuple[str, ...]] = ("column",)
    column: str


class ExpectValuesToBeFilledWhen(RowRule):
    """The column is filled where the other is filled, or holds one of the values; a third column may excuse it."""

    kind = "filled_when"
    success_keys: ClassVar[tuple[str, ...]] = (
        "column", "when_column", "when_values", "unless_column", "unless_values",
    )  # fmt: skip
    column: str
    when_column: str
    when_values: list[str] | None = None
    unless_column: str | None = None
    unless_values: list[str] | None = None


class ExpectEitherToBeFilled(RowRule):
    """At least one of the two columns is filled."""

    kind = "filled_when_empty"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "when_column")
    column: str
    when_column: str


class ExpectValuesToBeEmptyUnless(RowRule):
    """The column is empty unless the other is filled, or holds one of the values."""

    kind = "empty_unless"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "when_column", "when_values")
    column: str
    when_column: str
    when_values: list[str] | None = None


class ExpectValuesToBeEmptyWhen(RowRule):
    """The column is empty where the other holds one of the values."""

    kind = "empty_when"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "when_column", "when_values")
    column: str
    when_column: str
    when_values: list[str]


class ExpectCodesNotToStandTogether(RowRule):
    """Codes that exclude each other are not in one row."""

    kind = "not_together"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "values", "other_column", "other_values")
    column: str
    values: list[str]
    other_column: str
    other_values: list[str]


class ExpectCodesNotToBeAmong(RowRule):
    """The code is not in a named set of the catalogue, always or where the other column holds one of the values."""

    kind = "not_among"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "named_set", "when_column", "when_values")
    column: str
    named_set: str
    when_column: str | None = None
    when_values: list[str] | None = None


class ExpectDatesNotToBeBefore(RowRule):
    """The date is on or after the other; strictly: after it."""

    kind = "date_not_before"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "other_column", "strictly")
    column: str
    other_column: str
    strictly: bool | None = None


class ExpectDatesToBeBetween(RowRule):
    """The date is within fixed limits."""

    kind = "date_between"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "earliest", "latest")
    column: str
    earliest: str | SuiteParameterDict | None = None
    latest: str | SuiteParameterDict | None = None


class ExpectDatesToFollowWithinDays(RowRule):
    """The date is at most so many days after the other."""

    kind = "date_soon_after"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "other_column", "days")
    column: str
    other_column: str
    days: int


class ExpectDatesToBeRecentWhen(RowRule):
    """The date is at most so many days before a day, where the other column holds one of the values."""

    kind = "date_recent_when"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "as_of", "days", "when_column", "when_values")
    column: str
    as_of: str | SuiteParameterDict
    days: int
    when_column: str
    when_values: list[str]


class ExpectToEndWithinMonths(RowRule):
    """What starts ends within so many calendar months, or by its prolongation; what is open is judged as of a day."""

    kind = "ended_within_months"
    success_keys: ClassVar[tuple[str, ...]] = ("end_column", "start_column", "prolonged_column", "months", "as_of")
    end_column: str
    start_column: str
    prolonged_column: str
    months: int
    as_of: str | SuiteParameterDict


class ExpectNumbersToBeBetween(RowRule):
    """The number is within its limits."""

    kind = "number_between"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "minimum", "maximum")
    column: str
    minimum: int | None = None
    maximum: int | None = None


class ExpectPersonsToBeYoungerThan(RowRule):
    """The person has not reached the age on the day."""

    kind = "younger_than"
    success_keys: ClassVar[tuple[str, ...]] = ("birth_column", "date_column", "years")
    birth_column: str
    date_column: str
    years: int


class ExpectCodesToAgreeWith(RowRule):
    """The code agrees with what another column says, where both say something."""

    kind = "agreeing"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "other_column", "values")
    column: str
    other_column: str
    values: list[str]


class ExpectNumbersToAgreeWith(RowRule):
    """The number is the one that another column says, where both say one."""

    kind = "numbers_agreeing"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "other_column")
    column: str
    other_column: str


class ExpectRowsToBeUniqueBy(RowRule):
    """No two rows share the combination."""

    kind = "unique_together"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "needed")
    columns: list[str]
    needed: list[str] | None = None


class ExpectRowsToAgreeWithin(RowRule):
    """Rows that share a value of the column agree in the others, where those say something."""

    kind = "agreeing_within"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "agreeing_columns", "ignored_values")
    column: str
    agreeing_columns: list[str]
    ignored_values: list[str] | None = None


class ExpectUnbornToBeOneByOne(RowRule):
    """No two unborn children share a number: two rows of one case, or so many days apart, are two children."""

    kind = "unborn_one_by_one"
    success_keys: ClassVar[tuple[str, ...]] = (
        "column", "when_column", "when_value", "date_column", "days", "case_column",
    )  # fmt: skip
    column: str
    when_column: str
    when_value: str
    date_column: str
    days: int
    case_column: str | None = None


class ExpectNoRestartWithinDays(RowRule):
    """Nothing new starts for a person within so many days of the end of another."""

    kind = "not_restarted_within"
    success_keys: ClassVar[tuple[str, ...]] = ("person_column", "start_column", "end_column", "days")
    person_column: str
    start_column: str
    end_column: str
    days: int


class ExpectCountsToAddUp(RowRule):
    """The parts, when any is given, add up to the total."""

    kind = "counts_adding_up"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "total_column")
    columns: list[str]
    total_column: str


class ExpectSumToFitCounts(RowRule):
    """A sum of days is one that the counts in bands of days allow."""

    kind = "sum_within_counts"
    success_keys: ClassVar[tuple[str, ...]] = ("sum_column", "columns", "lows", "highs")
    sum_column: str
    columns: list[str]
    lows: list[int]
    highs: list[int | None]


class ExpectCountsToBeAtMost(RowRule):
    """Some counts together are at most others together."""

    kind = "counts_at_most"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "at_most_columns")
    columns: list[str]
    at_most_columns: list[str]


class ExpectCountsToBeGivenWhenPositive(RowRule):
    """At least one of the counts is given where the other is more than zero."""

    kind = "counts_given_when_positive"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "when_column")
    columns: list[str]
    when_column: str


class ExpectCountsToBePositiveWhenPositive(RowRule):
    """For some codes, the count is more than zero where the other is."""

    kind = "positive_when_positive"
    success_keys: ClassVar[tuple[str, ...]] = ("column", "when_column", "code_column", "codes")
    column: str
    when_column: str
    code_column: str
    codes: list[str]


class ExpectCountsToBeZeroWhen(RowRule):
    """The counts are zero or empty where the other column holds one of the values."""

    kind = "counts_zero_when"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "when_column", "when_values")
    columns: list[str]
    when_column: str
    when_values: list[str]


class ExpectSumsToHaveSomeone(RowRule):
    """A sum over persons is zero where the counts of persons are."""

    kind = "sum_with_someone"
    success_keys: ClassVar[tuple[str, ...]] = ("sum_column", "columns")
    sum_column: str
    columns: list[str]


class ExpectRowsNotToSumOthers(RowRule):
    """No row's counts are the sums of those of other rows that share its other keys."""

    kind = "sums_of_others"
    success_keys: ClassVar[tuple[str, ...]] = ("columns", "count_columns", "least_bits")
    columns: list[str]
    count_columns: list[str]
    least_bits: float


class ExpectOpenRowsToBeCarriedOn(RowRule):
    """Every row that the previous quarter's file left open is in this file."""

    kind = "absent_rows"
    success_keys: ClassVar[tuple[str, ...]] = ()
