"""Asks MetricFlow itself, in `.venv-metrics`.

    .venv-metrics/bin/python bi/metrics/ask.py PROJECT_FOLDER < QUESTIONS > ANSWERS

A question is `{"metric": name, "by": [group-bys]}`, its answer the rows: the group-bys' values, then the figure. Dates
are ISO. The project's folder is written to (`target/`), so give a copy; `FOLLOWUP_WAREHOUSE` names the warehouse.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt_metricflow.cli.cli_configuration import CLIConfiguration
from metricflow.engine.metricflow_engine import MetricFlowQueryRequest


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.date().isoformat()
    return float(value) if isinstance(value, Decimal) else value


def main(project: Path) -> None:
    """Parse the project, and answer each question on stdin."""
    where = ["--project-dir", str(project), "--profiles-dir", str(project)]
    parsed = dbtRunner().invoke(["--quiet", "parse", *where])
    if not parsed.success:
        raise SystemExit(f"dbt can't parse the project: {parsed.exception}")
    configuration = CLIConfiguration()
    configuration.setup(dbt_profiles_path=project, dbt_project_path=project, configure_file_logging=False)
    answers = []
    for question in json.load(sys.stdin):
        request = MetricFlowQueryRequest.create(metric_names=[question["metric"]], group_by_names=question["by"])
        found = configuration.mf.query(request).result_df
        if found is None:
            raise SystemExit(f"no answer to {question}")
        names = list(found.column_names)
        order = [names.index(name) for name in [*question["by"], question["metric"]]]
        answers.append([[_plain(row[at]) for at in order] for row in found.rows])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
