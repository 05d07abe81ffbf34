"""The project's own expectations about marts, for Great Expectations: one base, a metric that asks the warehouse."""

from __future__ import annotations

from typing import Any, ClassVar

from ingest.checks.rule_family import MetricOfRules, OneMetricRule
from publish.gate.arithmetic import KINDS, Marts

METRIC = "followup.breaks_of_mart_rule"
MARTS = "followup.marts"
"""Key in the frame's attrs under which the metric finds the warehouse."""


class BreaksOfMartRule(MetricOfRules):
    """Where the marts break one rule: a list of `arithmetic.Break`."""

    metric_name = METRIC
    subject = MARTS

    @classmethod
    def find(cls, subject: Marts, kind: str, arguments: dict[str, Any]) -> Any:
        """Where the marts break a rule."""
        return KINDS[kind](subject, **arguments)


class MartRule(OneMetricRule):
    """Base of the family."""

    metric = METRIC
    found_as = "breaks"


class ExpectCityToBeSumOfDistricts(MartRule):
    """In every cut and both divisions the city's counts are the sums of its districts'."""

    kind = "city_is_sum"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "by", "measures")
    table: str
    by: list[str]
    measures: list[str]


class ExpectNoJumpOfTotals(MartRule):
    """No district's quarter is over a factor from what is usual for that quarter of the year."""

    kind = "no_jump"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "measure", "totals", "only", "factor", "minimum")
    table: str
    measure: str
    totals: list[str]
    only: dict[str, str]
    factor: float
    minimum: int


class ExpectPartsWithinWhole(MartRule):
    """In every row the parts together are at most the whole."""

    kind = "parts_within"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "parts", "whole")
    table: str
    parts: list[str]
    whole: str


class ExpectSharesToBeShares(MartRule):
    """Every share is null or between 0 and 1."""

    kind = "shares_within"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "columns")
    table: str
    columns: list[str]


class ExpectKeysToBeFilled(MartRule):
    """No column of the key is null."""

    kind = "keys_filled"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "columns")
    table: str
    columns: list[str]


class ExpectDistrictsInForceToBePresent(MartRule):
    """Every district with a file of some size in force for a quarter has a row for it."""

    kind = "districts_present"
    success_keys: ClassVar[tuple[str, ...]] = ("table", "dataset", "at_least")
    table: str
    dataset: str
    at_least: int


class ExpectFilesInForce(MartRule):
    """Every district has a file of the dataset in force for each quarter whose deadline has passed."""

    kind = "files_in_force"
    success_keys: ClassVar[tuple[str, ...]] = ("dataset",)
    dataset: str
