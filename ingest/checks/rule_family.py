"""What the families of our own expectations share: each rule asks Great Expectations for one metric of its family.

What the rules are about (a sheet, a warehouse) is not carried into a frame: the batch is an empty frame with it beside,
in the frame's attrs.
"""

from __future__ import annotations

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from typing import Any, ClassVar

from great_expectations.execution_engine import ExecutionEngine, PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration, parse_result_format
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies


class MetricOfRules(TableMetricProvider):
    """Base of a family's metric: what one kind of rule finds, with its arguments."""

    value_keys = ("kind", "arguments")
    subject: ClassVar[str] = ""
    """Key in the frame's attrs under which the metric finds what the rules are about."""

    @classmethod
    def find(cls, subject: Any, kind: str, arguments: dict[str, Any]) -> Any:
        """What a kind of rule finds wrong with its subject: something with a length, 0 where the rule holds."""
        raise NotImplementedError

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
        arguments = dict(metric_value_kwargs["arguments"])
        return cls.find(frame.attrs[cls.subject], metric_value_kwargs["kind"], arguments)


class OneMetricRule(BatchExpectation):
    """Base of a family: a kind of rule with its arguments as fields, tried by the family's metric."""

    kind: ClassVar[str] = ""
    metric: ClassVar[str] = ""
    found_as: ClassVar[str] = ""
    """Under which name a result carries what the metric found."""
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    @property
    def configuration(self) -> ExpectationConfiguration:
        """This rule as the library passes it on: its arguments, and what is said beside.

        The base class copies every field to find the few that are given: a tenth of the time of a small file.
        """
        names = ("batch_id", *self.success_keys)
        given = {key: value for key in names if (value := getattr(self, key)) is not None}
        return ExpectationConfiguration(type=self.expectation_type, kwargs=given, meta=self.meta)

    def get_validation_dependencies(
        self, execution_engine: ExecutionEngine | None = None, runtime_configuration: dict[str, Any] | None = None
    ) -> ValidationDependencies:
        """Ask for the one metric, with this rule's kind and arguments.

        The base class would find the same by rebuilding its configuration a dozen times: half the time of a small file.
        """
        arguments = {key: getattr(self, key) for key in self.success_keys if getattr(self, key) is not None}
        metric = MetricConfiguration(
            metric_name=self.metric,
            metric_domain_kwargs={"batch_id": self.batch_id},
            metric_value_kwargs={"kind": self.kind, "arguments": arguments},
        )
        wanted = parse_result_format((runtime_configuration or {}).get("result_format", {}))
        return ValidationDependencies(metric_configurations={self.metric: metric}, result_format=wanted)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine | None = None,
    ) -> dict[str, Any]:
        found = metrics[self.metric]
        return {"success": len(found) == 0, "result": {"unexpected_count": len(found), self.found_as: found}}
