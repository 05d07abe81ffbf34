"""The dashboard in a real Superset shows what the release says: chart by chart, cell by cell. `make test-bi` runs this.

A release goes into PostgreSQL, Superset reads it there as `followup_reader`, and every figure is compared with the
release's own DuckDB file by a query of its own (`expected/`), which shares nothing with the bundle's: as stored, under
each filter that works on the chart, and in the browser, where the text is looked at too.

FOLLOWUP_BI_RELEASE names a release's DuckDB file to take instead of drawing one; FOLLOWUP_BI_PICTURES a folder that
stores a picture of each tab at 1440 and 390 pixels.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from bundle import SLUG, as_drawn, load_dashboard, write_bundle
from charts import Chart
from comparing import Cells, Shape, differences
from datasets import columns_of, kind_of
from drawn_release import make_drawn_release
from superset_client import SupersetClient
from superset_server import ADMINISTRATOR, ENVIRONMENT, SupersetServer

from followup.local.postgres_server import PostgresServer, RunningServer
from ingest.settings import ROOT, Settings
from publish.serving import serve
from publish.serving.sessions import READER

DASHBOARD = load_dashboard()
CHARTS = {chart.id: chart for chart in DASHBOARD.charts()}
FILTERS = {one.id: one for one in DASHBOARD.filters}
EXPECTED = Path(__file__).parent / "expected"
WIDTHS = (1440, 390)
CHOSEN = ("stadsdel", "Farsta")
"""The filter that a reader sets in the browser, and to what."""
Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="followup-bi-"))
    folder.chmod(0o755)  # PostgreSQL's user must reach its cluster in it
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def release(root: Path) -> Path:
    given = os.environ.get("FOLLOWUP_BI_RELEASE")
    return Path(given) if given else make_drawn_release(root)


@pytest.fixture(scope="session")
def postgres(root: Path, release: Path) -> Iterator[RunningServer]:
    server = PostgresServer(root / "postgres", ("-c fsync=off",))
    running = server.start()
    try:
        places = {"home": root / "served", "keys": root / "no-keys.json"}
        database = {"publish_postgres": running.owner_url, "publish_logins": running.logins_file}
        serve(release, Settings.model_validate({**places, **database}))
        yield running
    finally:
        server.stop()


@pytest.fixture(scope="session")
def superset(root: Path) -> Iterator[SupersetServer]:
    server = SupersetServer(root / "superset")
    server.set_up()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def client(root: Path, postgres: RunningServer, superset: SupersetServer) -> SupersetClient:
    """Logged in, with the bundle imported twice."""
    client = SupersetClient(superset.address, ADMINISTRATOR, superset.password)
    address = f"postgresql+psycopg2://{READER}@127.0.0.1:{postgres.port}/followup"
    write_bundle(root / "bundle.zip", address)
    password = json.loads(postgres.logins_file.read_text(encoding="utf-8"))[READER]
    client.import_bundle(root / "bundle.zip", password)
    once = client.counts(), client.charts(SLUG)
    client.import_bundle(root / "bundle.zip", password)
    assert (client.counts(), client.charts(SLUG)) == once
    return client


@pytest.fixture(scope="session")
def numbers(client: SupersetClient) -> dict[str, int]:
    """Chart's id of ours → Superset's."""
    found = client.charts(SLUG)
    return {chart.id: found[chart.title] for chart in CHARTS.values()}


@pytest.fixture(scope="session")
def snapshot(release: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(release), read_only=True) as connection:
        yield connection


def published(snapshot: duckdb.DuckDBPyConnection, chart: Chart, condition: str = "") -> Rows:
    """What the release says of a chart; with a condition, of the rows of its view that fulfil it."""
    query = (EXPECTED / f"{chart.id}.sql").read_text(encoding="utf-8")
    if condition:
        table = f"published.{chart.view}"
        query = re.sub(rf"{re.escape(table)}\b", f"(select * from {table} where {condition})", query)
    result = snapshot.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(scope="session")
def pictures(root: Path, client: SupersetClient, superset: SupersetServer) -> Path:
    """A folder with what the charts got and said in the browser, and pictures."""
    del client
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("there is no Chromium here: sudo apt-get install chromium")
    folder = Path(os.environ.get("FOLLOWUP_BI_PICTURES", root))
    command: list[str | Path] = [
        ENVIRONMENT / "bin" / "python", ROOT / "bi" / "superset" / "browser.py", superset.address, ADMINISTRATOR,
    ]  # fmt: skip
    subprocess.run(
        [*command, SLUG, folder, "=".join(CHOSEN), *map(str, WIDTHS)],
        input=f"{superset.password}\n",
        text=True,
        check=True,
        timeout=600,
    )
    return folder


@pytest.fixture(scope="session")
def drawn(pictures: Path) -> dict[str, Rows]:
    """The rows that charts got in the browser, by Superset's number."""
    found: dict[str, Rows] = json.loads((pictures / "figures.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def said(pictures: Path) -> dict[str, dict[str, str]]:
    """Width → the charts' texts by Superset's number."""
    found: dict[str, dict[str, str]] = json.loads((pictures / "texts.json").read_text(encoding="utf-8"))
    return found


def test_import_is_repeatable_and_whole(client: SupersetClient) -> None:
    views = {chart.view for chart in CHARTS.values()} | {one.view for one in FILTERS.values()}
    assert client.counts() == {"database": 1, "dataset": len(views), "chart": len(CHARTS), "dashboard": 1}
    assert set(client.charts(SLUG)) == {chart.title for chart in CHARTS.values()}


def test_superset_reads_as_one_who_may_only_read_the_release(postgres: RunningServer, client: SupersetClient) -> None:
    del client
    password = json.loads(postgres.logins_file.read_text(encoding="utf-8"))[READER]
    with psycopg.connect(postgres.reader_url, password=password, autocommit=True) as connection:
        seen = connection.execute(
            "select distinct schemaname::text from pg_tables where schemaname !~ '^pg_' and schemaname <> "
            "'information_schema' and has_table_privilege(schemaname || '.' || tablename, 'select')"
        ).fetchall()
    assert seen == [("published",)]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart.id)
def test_chart_shows_what_the_release_says(
    chart: Chart,
    client: SupersetClient,
    numbers: dict[str, int],
    snapshot: duckdb.DuckDBPyConnection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = published(snapshot, chart)
    shape = Shape.of(as_drawn(chart).params, expected)
    shown = shape.cells(client.figures(numbers[chart.id]))
    compare(chart, shown, shape.cells(expected), is_filled_up=False)
    hidden = sum(value is None for value in shown.values())
    with capsys.disabled():
        sys.stdout.write(f"\n  {chart.title}: {len(shown)} cells as in the release, {hidden} of them empty")


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_works_on_every_chart_that_it_can(
    name: str, client: SupersetClient, numbers: dict[str, int], snapshot: duckdb.DuckDBPyConnection
) -> None:
    chosen = FILTERS[name]
    (declared,) = (one for one in client.dashboard(SLUG)["native_filter_configuration"] if one["name"] == chosen.title)
    found = snapshot.execute(f"select max({chosen.column}) from published.{chosen.view}").fetchone()
    assert found is not None
    (value,) = found
    worked_on = []
    for chart in CHARTS.values():
        works = chosen.works_on(chart, columns_of(chart.view), kind_of(chart.view))
        assert (numbers[chart.id] in declared["scope"]["excluded"]) != works
        if works:
            expected = published(snapshot, chart, f"{chosen.column} = '{value}'")
            shape = Shape.of(as_drawn(chart).params, expected or published(snapshot, chart))
            shown = shape.cells(client.filtered(numbers[chart.id], chosen.column, value))
            differing = differences(shown, shape.cells(expected))
            assert differing == [], chart.id
            worked_on.append(chart.id)
        else:
            has_it = chosen.column in columns_of(chart.view)
            assert not has_it or chart.is_of_city or chosen.periods is not None, chart.id
    assert len(worked_on) >= {"alder": 1, "ar": 2, "kon": 2}.get(name, 6), worked_on


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart.id)
def test_reader_s_browser_gets_what_the_release_says(
    chart: Chart, numbers: dict[str, int], drawn: dict[str, Rows], snapshot: duckdb.DuckDBPyConnection
) -> None:
    expected = published(snapshot, chart)
    shape = Shape.of(as_drawn(chart).params, expected)
    number = str(numbers[chart.id])
    assert number in drawn, f"{chart.id}: the dashboard did not draw it"
    compare(chart, shape.cells(drawn[number]), shape.cells(expected), is_filled_up=not chart.is_of_one_period)


def test_a_filter_that_a_reader_sets_works_in_every_tab(
    pictures: Path, numbers: dict[str, int], snapshot: duckdb.DuckDBPyConnection
) -> None:
    given: dict[str, Rows] = json.loads((pictures / "chosen.json").read_text(encoding="utf-8"))
    chosen = FILTERS[CHOSEN[0]]
    worked_on = []
    for chart in CHARTS.values():
        if not chosen.works_on(chart, columns_of(chart.view), kind_of(chart.view)):
            continue
        expected = published(snapshot, chart, f"{chosen.column} = '{CHOSEN[1]}'")
        shape = Shape.of(as_drawn(chart).params, expected)
        number = str(numbers[chart.id])
        assert number in given, chart.id
        found = differences(shape.cells(given[number]), shape.cells(expected), is_filled_up=not chart.is_of_one_period)
        assert found == [], chart.id
        worked_on.append(chart.id)
    assert len(worked_on) > 15


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("chart", [one for one in CHARTS.values() if one.is_of_one_period], ids=lambda chart: chart.id)
def test_a_chart_of_one_period_names_it_and_is_in_swedish(
    chart: Chart,
    width: int,
    numbers: dict[str, int],
    said: dict[str, dict[str, str]],
    snapshot: duckdb.DuckDBPyConnection,
) -> None:
    text = said[str(width)][str(numbers[chart.id])]
    newest = max(row["period"] for row in published(snapshot, chart))
    assert newest in text, text
    assert chart.says in text
    for wrong in ("Inget att visa", "Stockholms stad", "NaN", "undefined", "null", "true", "false", "Missing helper"):
        assert wrong not in text, text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("chart", [one for one in CHARTS.values() if one.kind == "districts"], ids=lambda one: one.id)
def test_units_are_in_the_order_of_their_values_and_those_without_come_last(
    chart: Chart,
    width: int,
    numbers: dict[str, int],
    said: dict[str, dict[str, str]],
    snapshot: duckdb.DuckDBPyConnection,
) -> None:
    rows = published(snapshot, chart)
    newest = max(row["period"] for row in rows)
    values = {
        " · ".join(row[name] for name in chart.label): row[chart.value or ""] for row in rows if row["period"] == newest
    }
    lines = [line.strip() for line in said[str(width)][str(numbers[chart.id])].splitlines()]
    shown = [values[line] for line in lines if line in values]
    assert len(shown) == len(values)
    known = [value for value in shown if value is not None]
    assert known == sorted(known, reverse=not chart.ascending)
    assert shown[len(known) :] == [None] * (len(shown) - len(known))


def test_readers_see_that_a_drawn_city_is_synthetic(
    numbers: dict[str, int], said: dict[str, dict[str, str]], snapshot: duckdb.DuckDBPyConnection
) -> None:
    notice = {row["key"]: row["pa_svenska"] for row in published(snapshot, CHARTS["utgavan"])}["notice"]
    for width in WIDTHS:
        assert notice in said[str(width)][str(numbers["utgavan"])]
    if "FOLLOWUP_BI_RELEASE" not in os.environ:
        assert notice == "SYNTETISKA UPPGIFTER."


def test_hidden_figures_are_drawn_as_missing(snapshot: duckdb.DuckDBPyConnection) -> None:
    """Else the comparisons above would not have met any. A rate of too few is the only figure that a release hides."""
    hidden = [
        chart.id
        for chart in CHARTS.values()
        if chart.value and any(row.get(chart.value) is None for row in published(snapshot, chart))
    ]
    assert "tackat_ja_per_stadsdel" in hidden  # by quarter: some are always small


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("chart", [one for one in CHARTS.values() if one.kind == "breaks"], ids=lambda one: one.id)
def test_a_tab_says_every_break_of_its_series(
    chart: Chart,
    width: int,
    numbers: dict[str, int],
    said: dict[str, dict[str, str]],
    snapshot: duckdb.DuckDBPyConnection,
) -> None:
    text = said[str(width)][str(numbers[chart.id])]
    rows = published(snapshot, chart)
    for row in rows:
        assert row["avbrott"] in text and row["why_sv"] in text, text
    assert ("Inget avbrott i utgåvans perioder." in text) is (not rows)
    assert chart.says in text


def compare(chart: Chart, shown: Cells, expected: Cells, *, is_filled_up: bool) -> None:
    if chart.kind != "breaks":  # a release's series may cross none
        assert any(value is not None for value in shown.values()), f"{chart.id} is empty"
    found = differences(shown, expected, is_filled_up=is_filled_up)
    assert not found, f"{chart.id}: {len(found)} cells differ\n" + "\n".join(found[:20])
