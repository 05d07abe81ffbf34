"""Breaks in series: in a release whose series cross one, and said where its figures are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from ingest.organisation_tables import read_seed
from ingest.settings import ROOT
from portal.figures.released import open_release
from portal.figures.sections import Content, Section, with_breaks
from publish.catalogue.manifest import Manifest
from publish.catalogue.write import write_site
from publish.exports import description
from publish.extract.workbook import About, read_me_lines
from publish.labels import label
from publish.marts.declared import load_marts
from publish.release.dimensions import dimension_tables
from publish.serving import read_release
from publish.serving.series_breaks import SeriesBreak, crossed, notes_on, series_breaks
from publish.views.declared import load_views
from tests.publish.views_drawn import draw

LAW = "Socialtjänstlagen (2025:400) gäller sedan den 1 juli 2025."
VIEWS = tuple(view for view in load_views() if view.base in ("vy_utbud", "vy_grupper", "vy_fyra_mal"))
BREAKS = [
    ("mart_supply", "alla", "2025Q3", LAW),
    ("mart_goal_indicators", "completion_rate", "2025Q3", "Andra insatser."),
    ("mart_equity", "alla", "2025Q3", LAW),
]


def tables_of(quarters: list[str], *, with_breaks: bool = True) -> dict[str, Any]:
    """The dimension tables of a release with one mart and these quarters."""
    with duckdb.connect() as target:
        for name in ("warehouse", "release"):
            target.execute(f"attach ':memory:' as {name}")
        target.execute("create schema warehouse.core; create schema release.published")
        columns = "reporting_quarter varchar, quarter_label varchar, calendar_year int, quarter_number int"
        target.execute(
            f"create table warehouse.core.dim_quarter ({columns}, sort_order int, quarter_start_date date, "
            "quarter_end_date date)"
        )
        target.execute(
            "create table warehouse.core.dim_period (period_kind varchar, period varchar, reporting_quarter varchar, "
            "period_label varchar, period_kind_label varchar, sort_order int, quarters int, period_start_date date, "
            "period_end_date date)"
        )
        if with_breaks:
            target.execute(
                "create table warehouse.core.dim_break (mart varchar, broken_measure varchar, "
                "reporting_quarter varchar, why_sv varchar)"
            )
            target.executemany("insert into warehouse.core.dim_break values (?, ?, ?, ?)", BREAKS)
        target.execute("create table release.published.mart_supply (reporting_quarter varchar)")
        for one in quarters:
            target.execute("insert into release.published.mart_supply values (?)", [one])
        return {name: rows for name, _, rows in dimension_tables(target)}


def test_release_has_the_breaks_that_its_series_cross() -> None:
    assert tables_of(["2025Q2", "2025Q3"])["dim_break"].to_pylist() == [
        {"mart": "mart_supply", "broken_measure": "alla", "reporting_quarter": "2025Q3", "why_sv": LAW}
    ]


@pytest.mark.parametrize("quarters", [["2018Q1", "2019Q4"], ["2025Q3", "2026Q1"], []])
def test_release_on_one_side_of_a_break_has_an_empty_table_of_breaks(quarters: list[str]) -> None:
    assert is_empty(tables_of(quarters)["dim_break"])


def test_warehouse_from_before_there_were_breaks_is_released_without_any() -> None:
    assert is_empty(tables_of(["2025Q2", "2025Q3"], with_breaks=False)["dim_break"])


def is_empty(table: pa.Table) -> bool:
    """Whether a table of breaks has its columns, as text, and no row."""
    assert [(one.name, one.type) for one in table.schema] == [
        (name, pa.string()) for name in ("mart", "broken_measure", "reporting_quarter", "why_sv")
    ]
    return bool(table.num_rows == 0)


def test_every_break_is_of_a_mart_and_of_a_measure_in_it() -> None:
    models = ROOT / "dbt_project" / "models" / "marts"
    for row in read_seed("series_breaks"):
        assert row["mart"] in load_marts() and row["why_sv"].endswith("."), row
        if row["broken_measure"] != "alla":
            assert label(row["broken_measure"]), row
        declared = yaml.safe_load((models / f"{row['mart']}.yml").read_text(encoding="utf-8"))["models"][0]
        assert {"reporting_quarter"} <= {column["name"] for column in declared["columns"]}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with two breaks, and its site."""
    folder = tmp_path_factory.mktemp("broken")
    draw(folder / "release.duckdb", VIEWS)
    with duckdb.connect(str(folder / "release.duckdb")) as connection:
        connection.execute(
            "create table published.dim_break (mart varchar, broken_measure varchar, reporting_quarter varchar, "
            "why_sv varchar)"
        )
        connection.executemany("insert into published.dim_break values (?, ?, ?, ?)", BREAKS)
    return folder


def test_break_is_said_on_the_pages_of_its_figures_and_on_that_of_breaks(broken: Path) -> None:
    write_site(
        broken / "release.duckdb", Manifest(tables=(), exposures=()), broken / "webb", issued=(), has_files=False
    )
    said = f"Avbrott i serien från och med 2025 kv 3. {LAW}"
    pages = {
        path.relative_to(broken / "webb").as_posix(): path.read_text() for path in (broken / "webb").rglob("*.html")
    }
    assert said in pages["avbrott.html"]
    assert said in pages["vy/vy_utbud.html"] and said not in pages["vy/vy_grupper.html"]
    assert f"Avbrott i serien för {label('completion_rate')} från" in pages["vy/vy_fyra_mal.html"]


def test_exports_say_the_breaks_of_their_tables(broken: Path) -> None:
    said = description(read_release(broken / "release.duckdb"))
    assert f"Avbrott i serien för {label('completion_rate')} från och med 2025 kv 3. Andra insatser." in said
    assert LAW not in said  # of a table that no export is made of


@pytest.mark.parametrize(("quarters", "count"), [(["2025Q2", "2025Q3"], 1), (["2025Q3", "2026Q1"], 0), ([], 0)])
def test_an_extract_s_first_sheet_says_the_breaks_that_its_series_cross(quarters: list[str], count: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "attach ':memory:' as warehouse; create schema warehouse.core; create schema warehouse.marts"
        )
        assert crossed(connection, "warehouse.marts", ["mart_supply"]) == []  # from before there were breaks
        columns = "mart varchar, broken_measure varchar, reporting_quarter varchar, why_sv varchar"
        connection.execute(f"create table warehouse.core.dim_break ({columns})")
        connection.executemany("insert into warehouse.core.dim_break values (?, ?, ?, ?)", BREAKS)
        connection.execute("create table warehouse.marts.mart_supply (reporting_quarter varchar)")
        for one in quarters:
            connection.execute("insert into warehouse.marts.mart_supply values (?)", [one])
        found = crossed(connection, "warehouse.marts", ["mart_supply"])
    lines = read_me_lines(About("Farsta", "nu", "", tuple(found)))
    assert len(found) == count
    assert ("Avbrott i serierna" in lines) == (count == 1)
    assert (f"• Utbud: Avbrott i serien från och med 2025 kv 3. {LAW}" in lines) == (count == 1)


def test_release_without_breaks_says_nothing_of_them(tmp_path: Path) -> None:
    draw(tmp_path / "release.duckdb", VIEWS)
    release = read_release(tmp_path / "release.duckdb")
    with release.reading() as connection:
        assert series_breaks(connection, release) == ()
    write_site(
        tmp_path / "release.duckdb", Manifest(tables=(), exposures=()), tmp_path / "webb", issued=(), has_files=False
    )
    assert "Ändrade regler" not in (tmp_path / "webb" / "avbrott.html").read_text()


def test_portal_notes_a_break_in_the_sections_of_its_question(broken: Path, tmp_path: Path) -> None:
    (tmp_path / "followup.duckdb").write_bytes((broken / "release.duckdb").read_bytes())
    release = open_release(tmp_path)
    try:
        sections = (Section("a", "Utbud", "", "vy_utbud"), Section("b", "Grupper", "", "vy_grupper", notes=("Så.",)))
        supply, groups = with_breaks(Content("T", "L", (), sections), release.series_breaks).sections
    finally:
        release.connection.close()
    assert supply.notes == (f"Avbrott i serien från och med 2025 kv 3. {LAW}",) and groups.notes == ("Så.",)


def test_what_several_marts_say_alike_is_said_once() -> None:
    found = [SeriesBreak(mart, "alla", "2025Q3", LAW) for mart in ("mart_supply", "mart_equity")]
    assert len(notes_on(found, ("mart_supply", "mart_equity"))) == 1
    assert notes_on(found, ("mart_routines",)) == ()
