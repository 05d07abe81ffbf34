"""The project's own expectations about marts, for Great Expectations: one base, a metric that asks the warehouse.

A mart of a million rows is not carried into a frame: the batch is an empty frame with the warehouse beside it, as the
sheet is beside it for files (see `expectations.py`).
"""

from __future__ import annotations

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from typing import Any, ClassVar

from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from ingest.checks.rule_family import OneMetricRule
from publish.gate.arithmetic import KINDS, Marts

METRIC = "followup.breaks_of_mart_rule"
MARTS = "followup.marts"
"""Key in the frame's attrs under which the metric finds the warehouse."""


class BreaksOfMartRule(TableMetricProvider):
    """Where the marts break one rule: a list of `mart_arithmetic.Break`."""

    metric_name = METRIC
    value_keys = ("kind", "arguments")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805  (the decorator makes it a classmethod)
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> Any:
        frame, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type="table")
        marts: Marts = frame.attrs[MARTS]
        return KINDS[metric_value_kwargs["kind"]](marts, **dict(metric_value_kwargs["arguments"]))


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
    """No district's quarter lies over a factor from what is usual for that quarter of the year."""

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
