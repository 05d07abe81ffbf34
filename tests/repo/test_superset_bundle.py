"""Superset's bundle fits the release's views, and adds up nothing that must not be added. `make test-bi` runs it for
real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from ingest.organisation_tables import read_seed
from publish.views.declared import load_views
from synthetic.country.writing import write_country

VIEWS = {view.name: view for view in load_views()}
SEEN = ("slice_name", "sliceName", "description", "verbose_name", "handlebarsTemplate", "text", "dashboard_title")
"""Keys of an asset whose texts a reader of the dashboard sees."""
OF_RELEASE = ("about", "dim_break")
"""Tables of the release that are no views."""
ENGLISH = re.compile(r"\b(the|of|and|count|rate|district|quarter|year|total|release|all|by|sex|age)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def bundle(root: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Name in the bundle → asset, as the archive has them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(root / "bi" / "superset"))
        from bundle import assets

        yield yaml.safe_load(yaml.safe_dump(assets(), allow_unicode=True))


@pytest.fixture(scope="module")
def declared(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "bi/superset/dashboard.yml").read_text(encoding="utf-8"))
    return found


def test_the_bundle_of_another_organisation_has_its_words(root: Path, tmp_path: Path, bundle: dict[str, Any]) -> None:
    """Columns keep their names; what a reader sees has no word of the city's."""
    program = (
        "import sys, json; sys.path.insert(0, 'bi/superset')\n"
        "from bundle import assets; print(json.dumps(assets(), ensure_ascii=False))"
    )
    country = {"FOLLOWUP_ORGANISATION": str(write_country(tmp_path).absolute())}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | country, cwd=root, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert set(found) == set(bundle)
    seen = "\n".join(re.sub(r"\{\{.*?\}\}", "", text) for text in texts(found))
    assert "Vilka kommuner som erbjuder varje insats" in seen and "Kommuner som erbjuder" in seen
    assert "Kommuner är dagens" in seen and "<br>riket" in seen and "Avbrott i rikets serier" in seen
    assert re.findall(r"\b(?:[Ss]tadsdel\w*|[Ss]tadens?)\b", seen) == []


def texts(asset: Any, name: str = "") -> Iterator[str]:
    """What a reader of the bundle's dashboard sees: titles, sentences, labels, templates."""
    if isinstance(asset, dict):
        for key, value in asset.items():
            yield from texts(value, key)
    elif isinstance(asset, list):
        for value in asset:
            yield from texts(value, name)
    elif isinstance(asset, str) and name in SEEN:
        yield asset


def charts_of(declared: dict[str, Any]) -> list[dict[str, Any]]:
    return [chart for tab in declared["tabs"] for row in tab["rows"] for chart in row]


def of(bundle: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {Path(name).stem: asset for name, asset in bundle.items() if name.startswith(f"{kind}/")}


def used(chart: dict[str, Any]) -> set[str]:
    """The columns that a chart asks its dataset for."""
    params = chart["params"]
    axis = {params["x_axis"]} if "x_axis" in params else set()
    asked = {column for key in ("groupby", "all_columns") for column in params.get(key, ())}
    return axis | asked | {one["subject"] for one in params["adhoc_filters"]}


def test_datasets_are_the_views_and_no_queries_of_their_own(bundle: dict[str, dict[str, Any]]) -> None:
    for name, dataset in of(bundle, "datasets").items():
        assert (dataset["sql"], dataset["schema"], dataset["table_name"]) == (None, "published", name)
        assert name in OF_RELEASE or name in VIEWS
        if name in VIEWS:
            shown = [one["column_name"] for one in dataset["columns"] if one["expression"] is None]
            assert shown == [column.name for column in VIEWS[name].columns]


def test_charts_ask_for_what_their_datasets_have(bundle: dict[str, dict[str, Any]]) -> None:
    datasets = {dataset["uuid"]: dataset for dataset in of(bundle, "datasets").values()}
    for name, chart in of(bundle, "charts").items():
        dataset = datasets[chart["dataset_uuid"]]
        metrics = {one["metric_name"] for one in dataset["metrics"]}
        assert used(chart) <= {column["column_name"] for column in dataset["columns"]}, name
        assert set(chart["params"].get("metrics", ())) <= metrics, name
        ordered = {yaml.safe_load(one)[0] for one in chart["params"].get("order_by_cols", ())}
        assert ordered <= metrics | {column["column_name"] for column in dataset["columns"]}, name


def test_counts_add_up_and_nothing_else_does(bundle: dict[str, dict[str, Any]]) -> None:
    """Of two rows: a count is their sum, the city's value the one that both have, of a rate or a time there is none."""
    for view, dataset in of(bundle, "datasets").items():
        if view in OF_RELEASE:
            continue
        kinds = {column.name: column.kind for column in VIEWS[view].columns}
        for metric in dataset["metrics"]:
            name = metric["metric_name"]
            if name not in kinds or (name, view) in {
                ("stadsdelar_som_erbjuder", "vy_utbud"),
                ("stadsdelar_med_uppgift", "vy_utbud"),
            }:
                continue
            found = duckdb.sql(f"select {metric['expression']} from (select 7 as {name} union all select 7)").fetchone()
            expected = 7 if name.startswith("staden_") else 14 if kinds[name] == "count" else None
            assert found == (expected,), f"{view}: {name}"


def test_titles_say_what_is_seen_once_in_swedish(declared: dict[str, Any]) -> None:
    charts = charts_of(declared)
    titles = [chart["title"] for chart in charts]
    assert len(titles) == len(set(titles))
    for chart in charts:
        assert not ENGLISH.search(f"{chart['title']} {chart['says']}"), chart["id"]
        if chart["kind"] in ("trend", "split"):
            assert chart["title"].endswith("kvartal för kvartal"), chart["id"]


def test_bars_name_the_period_of_their_rows(bundle: dict[str, dict[str, Any]]) -> None:
    for name, chart in of(bundle, "charts").items():
        template = chart["params"].get("handlebarsTemplate")
        if template is not None and name != "utgavan" and not name.startswith("avbrott_"):
            assert "<b>{{data.0.period}}</b>" in template, name
            assert chart["params"]["order_by_cols"][0] == '["period", false]', name  # the newest first
            assert not re.search(r"@[A-Z]+@", template), name


def test_a_row_has_two_charts_at_most_and_lines_one_of_their_own(declared: dict[str, Any]) -> None:
    assert [tab["title"] for tab in declared["tabs"]] == [
        "Läget", "Flödet", "Fyra mål", "Väntetider", "Utbud och grupper", "Likställighet", "Inlämning",
    ]  # fmt: skip
    for row in (row for tab in declared["tabs"] for row in tab["rows"]):
        assert len(row) <= 2
        assert len(row) == 1 or not {"trend", "split"} & {chart["kind"] for chart in row}


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


def test_a_tab_says_the_breaks_of_the_series_that_its_charts_show(
    declared: dict[str, Any], bundle: dict[str, dict[str, Any]]
) -> None:
    broken = {row["mart"] for row in read_seed("series_breaks")}
    for tab in declared["tabs"]:
        charts = [chart for row in tab["rows"] for chart in row]
        shown = {mart for chart in charts if chart["view"] in VIEWS for mart in VIEWS[chart["view"]].sources} & broken
        said = [chart for chart in charts if chart["kind"] == "breaks"]
        assert {mart for chart in said for mart in chart["marts"]} == shown, tab["title"]
        assert not said or tab["rows"][0] == said, tab["title"]  # the first that a reader sees
    dataset = of(bundle, "datasets")["dim_break"]
    (said,) = (one["expression"] for one in dataset["columns"] if one["column_name"] == "avbrott")
    for mart, measure, text in (
        ("mart_supply", "alla", "Utbud: avbrott i serien från och med 2025 kv 3"),
        ("mart_goal_indicators", "completion_rate",
         "Målindikatorer: avbrott i serien för Andel fullföljda från och med 2025 kv 3"),
        ("mart_of_later", "of_later", "mart_of_later: avbrott i serien för of_later från och med 2025 kv 3"),
    ):  # fmt: skip
        row = f"select '{mart}' as mart, '{measure}' as broken_measure, '2025Q3' as reporting_quarter"
        assert duckdb.sql(f"select {said} from ({row})").fetchall() == [(text,)]


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
