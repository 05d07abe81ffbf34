"""Superset's bundle fits the release, and adds up nothing that must not be added. `make test-bi` runs it for real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from publish.marts.declared import load_marts

DIMENSION_TABLES = {"about", "dim_district", "dim_quarter", "dim_intervention", "dim_reason", "dim_source"}


@pytest.fixture
def bundle(root: Path) -> dict[str, dict[str, Any]]:
    """Path in the bundle → asset."""
    folder = root / "bi" / "superset" / "assets"
    files = sorted(folder.rglob("*.yaml"))
    return {str(f.relative_to(folder)): yaml.safe_load(f.read_text(encoding="utf-8")) for f in files}


def of(bundle: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {Path(name).stem: asset for name, asset in bundle.items() if name.startswith(f"{kind}/")}


def used(chart: dict[str, Any]) -> set[str]:
    """The columns that a chart asks its dataset for."""
    params = chart["params"]
    keys = ("groupby", "groupbyRows", "groupbyColumns", "all_columns")
    axis = {params["x_axis"], params["x_axis_sort"]} if "x_axis" in params else set()
    filtered = {one["subject"] for one in params["adhoc_filters"]}
    return axis | filtered | {column for key in keys for column in params.get(key, ())}


def test_datasets_read_published_tables_and_no_others(bundle: dict[str, dict[str, Any]]) -> None:
    known = {*load_marts(), *DIMENSION_TABLES}
    for name, dataset in of(bundle, "datasets").items():
        read = set(re.findall(r"(?:FROM|JOIN) (\S+\.\S+)", dataset["sql"]))
        assert read and read <= {f"published.{table}" for table in known}, name


def test_charts_ask_for_what_their_datasets_have(bundle: dict[str, dict[str, Any]]) -> None:
    datasets = {dataset["uuid"]: dataset for dataset in of(bundle, "datasets").values()}
    for name, chart in of(bundle, "charts").items():
        dataset = datasets[chart["dataset_uuid"]]
        assert used(chart) <= {column["column_name"] for column in dataset["columns"]}, name
        assert set(chart["params"].get("metrics", ())) <= {one["metric_name"] for one in dataset["metrics"]}, name


def test_a_metric_over_several_rows_is_nothing(bundle: dict[str, dict[str, Any]]) -> None:
    """One row is shown as it is, hidden or not; of two there is no sum, no mean, no greatest."""
    for name, dataset in of(bundle, "datasets").items():
        for metric in dataset["metrics"]:
            column = metric["metric_name"]
            if metric["expression"].startswith("STRING_AGG"):
                continue
            rows = "select 7 as {0}, 7 as districts_offering, 7 as districts_in_force, true as is_city"
            one = f"({rows.format(column)})" if not column.startswith("city_") else f"({rows.format('other')})"
            for table, expected in ((one, 7), (f"({one} union all {one})", None)):
                found = duckdb.sql(f"select {metric['expression']} from {table}").fetchone()
                assert found == (expected,), f"{name}: {column}"


def test_every_chart_says_in_swedish_what_it_shows_and_that_counts_deviate(
    bundle: dict[str, dict[str, Any]],
) -> None:
    for name, chart in of(bundle, "charts").items():
        assert len(chart["description"]) > 60, name
        if name not in {"utgavan", "utbud", "inlamning"}:  # these count no persons
            assert "en nolla kan vara upp till 7" in " ".join(chart["description"].split()), name
        if name != "utgavan":
            assert "om uppgifterna är syntetiska, står i rutan Utgåvan" in chart["description"], name


def test_every_chart_is_on_the_dashboard_and_has_its_own_expected_figures(
    bundle: dict[str, dict[str, Any]], root: Path
) -> None:
    charts = of(bundle, "charts")
    (dashboard,) = of(bundle, "dashboards").values()
    shown = [
        one["meta"]["uuid"]
        for one in dashboard["position"].values()
        if isinstance(one, dict) and one["type"] == "CHART"
    ]
    assert sorted(shown) == sorted(chart["uuid"] for chart in charts.values())
    assert {path.stem for path in (root / "bi" / "superset" / "expected").glob("*.sql")} == set(charts)


def test_the_bundle_holds_no_password(bundle: dict[str, dict[str, Any]]) -> None:
    (database,) = of(bundle, "databases").values()
    assert re.fullmatch(
        r"postgresql\+psycopg2://followup_reader:X{10}@127\.0\.0\.1:5433/followup", database["sqlalchemy_uri"]
    )
    assert not database["allow_dml"] and not database["allow_ctas"]


def test_the_lock_of_bi_names_no_index_and_holds_hashes(root: Path) -> None:
    text = (root / "bi" / "superset" / "requirements.txt").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("-") or "://" in line] == []
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 100 and all("--hash=sha256:" in entry for entry in entries)
