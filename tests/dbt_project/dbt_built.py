"""Building a warehouse from small inputs, in this process, and asking it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt_inputs import Inputs

from followup.build import building
from ingest.settings import Settings

PROJECT = building.PROJECT
_WAREHOUSE, _VARIABLES, _RESULT = "warehouse.duckdb", "variables.json", "result.pickle"

DIMENSIONS = {
    mart: tuple(columns.split())
    for mart, columns in {
        "mart_case_flow": "reason_side reason_code source_code referral_type intervention_category intervention_code"
        " history sex age_band socioeconomic",
        "mart_goal_indicators": "sex age_band socioeconomic pilot",
        "mart_intervention_chain": "intervention_category intervention_code sex age_band",
        "mart_investigation_times": "reason_side sex age_band socioeconomic",
        "mart_pilot_effect": "sex age_band socioeconomic",
        "mart_re_referral": "offer_outcome child_heard_answer reason_side reason_code history sex age_band"
        " socioeconomic return_reason_side return_reason_code",
        "mart_outpatient_care": "intervention_category intervention_code target_group sex age_band"
        " provider legal_ground",
        "mart_service_interventions": "intervention_category intervention_code target_group sex age_band"
        " referred_from legal_ground",
        "mart_activities": "activity_type activity_level theme audience",
        "mart_protection_follow_up": "time_of_week",
        "mart_recruitment": "intervention_category intervention_code",
        "mart_routines": "unit_kind directed_at",
        "mart_supply": "intervention_category intervention_code form directed_at legal_ground",
        "mart_support_groups": "directed_at",
        "mart_waiting_times": "intervention_category intervention_code",
        "mart_youth_clinic": "clinic sex clinic_age_band",
    }.items()
}
"""What each mart is broken down by, beside district, division, period and cohort basis."""


@dataclass(frozen=True)
class Warehouse:
    """A built warehouse: its file, how to run dbt on it again, and what its build did."""

    path: Path
    run: Callable[..., dbtRunnerResult]
    built: dbtRunnerResult

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a query gives, a dictionary a row."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.sql(sql)
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def row(self, sql: str) -> dict[str, Any]:
        """The one row that a query gives."""
        (found,) = self.rows(sql)
        return found


def whole(mart: str) -> str:
    """The condition on a mart's total row of a quarter: no dimension breaks it down."""
    return " and ".join(["period_kind = 'kvartal'", *(f"{column} = 'alla'" for column in DIMENSIONS[mart])])


def close_connections() -> None:
    """Close the connection to the file that dbt leaves open."""
    environment = DuckDBConnectionManager._ENV
    DuckDBConnectionManager.close_all_connections()
    if environment is not None:
        environment.close()


def build_warehouse(folder: Path, inputs: Inputs, *selected: str, **asked: str) -> Warehouse:
    """Write the inputs and build them, all or what is selected; the warehouse is renamed once it is built.

    `asked` are variables of the project beside those that a build passes.
    """
    variables = json.dumps(inputs.write() | asked)
    # cautious: a test that needs a model left out is left out too
    selection = ["--select", *selected, "--indirect-selection", "cautious"] if selected else []
    wanted = ["build", "--exclude-resource-type", "unit_test", *selection]
    built_as = folder / "warehouse.next.duckdb"
    built = run_dbt(built_as, variables, *wanted)
    built_as.replace(folder / _WAREHOUSE)
    (folder / _VARIABLES).write_text(variables)
    (folder / _RESULT).write_bytes(pickle.dumps(built))
    return open_warehouse(folder)


def open_warehouse(folder: Path) -> Warehouse:
    """The warehouse that was built in a folder, or in one that this is a copy of."""
    path, variables = folder / _WAREHOUSE, (folder / _VARIABLES).read_text()
    return Warehouse(path, partial(run_dbt, path, variables), pickle.loads((folder / _RESULT).read_bytes()))


def run_dbt(warehouse: Path, variables: str, *arguments: str) -> dbtRunnerResult:
    """Run dbt on a warehouse file, in this process. The project is parsed once for all test processes."""
    os.environ["FOLLOWUP_WAREHOUSE"] = str(warehouse)
    target = warehouse.parent / "target"
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target)]
    where += ["--log-path", str(warehouse.parent / "logs"), "--log-level", "none", "--log-level-file", "none"]
    # what dbt's runs differ in, variables and paths, is looked at after parsing
    stored = building._parsed_file(Settings.model_validate({"home": warehouse.parent}), warehouse)
    parsed, _ = building._read_parsed(stored)
    try:
        with building._gc_paused():
            return dbtRunner(manifest=parsed).invoke(["--quiet", *arguments, *where, "--vars", variables])
    finally:
        close_connections()
        del os.environ["FOLLOWUP_WAREHOUSE"]
        if parsed is None:
            building._store_parsed(target, stored)
