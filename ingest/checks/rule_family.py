"""What the families of our own expectations share: each rule asks Great Expectations for one metric of its family."""

from __future__ import annotations

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from typing import Any, ClassVar

from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import parse_result_format
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies


class OneMetricRule(BatchExpectation):
    """Base of a family: a kind of rule with its arguments as fields, tried by the family's metric."""

    kind: ClassVar[str] = ""
    metric: ClassVar[str] = ""
    found_as: ClassVar[str] = ""
    """Under which name a result carries what the metric found."""
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

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
