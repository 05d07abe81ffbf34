"""MetricFlow's own answers: they equal the SQL of tests/dbt_project and the figures of the marts.

It runs in `.venv-metrics`, once for all questions: `make test-metrics`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest
from dbt_built import PROJECT, Warehouse
from test_dbt_semantic import OF_CARE, OF_GOALS, WAITS, Semantics, asked, city, mart_figures, semantics, whole

from ingest.settings import ROOT

__all__ = ["city", "semantics"]  # fixtures

QUARTER, YEAR = "metric_time__quarter", "metric_time__year"
STOCKS = {"services_ongoing": "ongoing", "services_queue": "queue"}
Key = tuple[str, ...]


@pytest.fixture(scope="module")
def answers(city: Warehouse, semantics: Semantics, tmp_path_factory: pytest.TempPathFactory) -> dict[Key, list[Any]]:
    """Metric and group-bys → rows."""
    questions = [(name, QUARTER, *by) for name in semantics.metrics for by in cuts_of(semantics, name)]
    questions += [(name, YEAR) for name in STOCKS]
    project = tmp_path_factory.mktemp("metricflow") / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    done = subprocess.run(
        [ROOT / ".venv-metrics" / "bin" / "python", ROOT / "bi" / "metrics" / "ask.py", project],
        input=json.dumps([{"metric": name, "by": by} for name, *by in questions]),
        env={"PATH": os.environ["PATH"], "HOME": str(project), "FOLLOWUP_WAREHOUSE": str(city.path)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(zip(questions, json.loads(done.stdout.splitlines()[-1]), strict=True))


def measure_of(semantics: Semantics, name: str) -> str:
    """A simple metric's measure; of a ratio, the numerator's."""
    of = semantics.metrics[name].type_params
    return str(of.measure.name) if of.measure else measure_of(semantics, of.numerator.name)


def cuts_of(semantics: Semantics, name: str) -> list[Key]:
    """Nothing, the unit as submitted, today's unit, each of the model's own dimensions, sex with age."""
    model = semantics.model_of(measure_of(semantics, name))
    (own,) = (entity.name for entity in model.entities if entity.type.value == "primary")
    dimensions = [each.name for each in model.dimensions if each.type.value == "categorical"]
    cuts: list[Key] = [(), ("district",), ("district__current_district_code",)]
    cuts += [(f"{own}__{each}",) for each in dimensions]
    return [*cuts, (f"{own}__sex", f"{own}__age_band")]


def figures(rows: list[list[Any]]) -> dict[Any, float]:
    """Those that are not 0, by quarter and codes, as `asked` has them."""
    found = {}
    for date, *codes, figure in rows:
        if figure and date is not None and all(codes):
            found[f"{date[:4]}Q{int(date[5:7]) // 3 + 1}", *codes] = figure
    return found


def written_out(city: Warehouse, semantics: Semantics, name: str, cut: Key) -> dict[Any, float]:
    """The figures of the SQL that tests/dbt_project writes out; of a ratio, one by the other."""
    by = tuple(
        "district_code" if each == "district" else each if each.startswith("district") else each.split("__")[1]
        for each in cut
    )
    if name not in semantics.ratios:
        return by_own_column(city, semantics, name, by)
    of = semantics.metrics[name].type_params
    above, below = (by_own_column(city, semantics, part.name, by) for part in (of.numerator, of.denominator))
    return {key: above[key] / number for key, number in below.items() if key in above}


def by_own_column(city: Warehouse, semantics: Semantics, name: str, by: Key) -> dict[Any, float]:
    """As `asked`, also by the unit as submitted, which is no dimension."""
    if by != ("district_code",):
        return asked(city, semantics, name, by)
    sql = semantics.sql(name, ("district__district_label",))
    labels = {row["district_label"]: row["district_code"] for row in city.rows("select * from core.dim_district")}
    rows = [tuple(row.values()) for row in city.rows(sql)]
    return {(quarter, labels[label]): figure for quarter, label, figure in rows if figure and quarter and label}


def test_every_answer_is_what_the_sql_written_out_gives(
    city: Warehouse, semantics: Semantics, answers: dict[Key, list[Any]]
) -> None:
    assert [name for name in semantics.metrics if not figures(answers[name, QUARTER])] == []
    different = [
        (name, cut)
        for name in semantics.metrics
        for cut in cuts_of(semantics, name)
        if figures(answers[name, QUARTER, *cut]) != pytest.approx(written_out(city, semantics, name, cut))
    ]
    assert different == []


@pytest.mark.parametrize("name", sorted(OF_GOALS))
def test_a_rate_is_the_indicators(city: Warehouse, answers: dict[Key, list[Any]], name: str) -> None:
    mart = mart_figures(city, "mart_goal_indicators", "rate", indicator_code=name)
    assert mart
    assert figures(answers[name, QUARTER]) == pytest.approx(mart)


def test_rates_and_means_of_care_and_services_are_the_marts(city: Warehouse, answers: dict[Key, list[Any]]) -> None:
    wanted = {name: ("mart_outpatient_care", name) for name in OF_CARE | {f"{wait}_mean_days" for wait in WAITS}}
    for name in ("completion_rate", "follow_up_rate", "wait_mean_days"):
        wanted[f"service_{name}"] = ("mart_service_interventions", name)
    for name, (mart, column) in wanted.items():
        found = figures(answers[name, QUARTER])
        if name.endswith("_mean_days"):  # marts have means in whole days, MetricFlow divides
            found = {key: whole(days) for key, days in found.items()}
        assert found == pytest.approx(mart_figures(city, mart, column)), name


@pytest.mark.parametrize("name", sorted(STOCKS))
def test_a_year_s_stock_is_that_of_its_last_quarter(city: Warehouse, answers: dict[Key, list[Any]], name: str) -> None:
    quarters = mart_figures(city, "mart_service_interventions", STOCKS[name])
    last = {quarter[:4]: figure for (quarter,), figure in sorted(quarters.items())}
    assert {date[:4]: figure for date, figure in answers[name, YEAR]} == last
