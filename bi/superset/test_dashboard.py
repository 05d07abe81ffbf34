"""The dashboard in a real Superset shows what the release says: chart by chart, cell by cell. `make test-bi` runs this.

A release goes into PostgreSQL, Superset reads it there as `followup_reader`, and every figure is compared with the
release's own DuckDB file by a query of its own (`expected/`), which shares nothing with the bundle's.

FOLLOWUP_BI_RELEASE names a release's DuckDB file to take instead of drawing one; FOLLOWUP_BI_PICTURES a folder that
stores the picture of the dashboard.
"""

from __future__ import annotations

import json
import os
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
from bundle import ASSETS, load_asset, write_bundle
from comparing import Cells, Shape, differences
from small_release import make_small_release
from superset_client import SupersetClient
from superset_server import ADMINISTRATOR, ENVIRONMENT, SupersetServer

from followup.local.postgres_server import PostgresServer, RunningServer
from ingest.settings import ROOT, Settings
from publish.serving import serve
from publish.serving.sessions import READER

CHARTS = {path.stem: load_asset(path) for path in sorted((ASSETS / "charts").glob("*.yaml"))}
DASHBOARD = load_asset(ASSETS / "dashboards" / "uppfoljning.yaml")
EXPECTED = Path(__file__).parent / "expected"


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="followup-bi-"))
    folder.chmod(0o755)  # PostgreSQL's user must reach its cluster in it
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def release(root: Path) -> Path:
    given = os.environ.get("FOLLOWUP_BI_RELEASE")
    return Path(given) if given else make_small_release(root)


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
    once = client.counts(), client.charts("uppfoljning")
    client.import_bundle(root / "bundle.zip", password)
    assert (client.counts(), client.charts("uppfoljning")) == once
    return client


@pytest.fixture(scope="session")
def published(release: Path) -> dict[str, list[dict[str, Any]]]:
    """What the release says, by chart."""
    with duckdb.connect(str(release), read_only=True) as snapshot:
        found = {}
        for chart in CHARTS:
            result = snapshot.execute((EXPECTED / f"{chart}.sql").read_text(encoding="utf-8"))
            names = [column[0] for column in result.description or ()]
            found[chart] = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return found


@pytest.fixture(scope="session")
def drawn(root: Path, client: SupersetClient, superset: SupersetServer) -> dict[str, Any]:
    """What the charts were given in the browser, by chart's id."""
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("there is no Chromium here: sudo apt-get install chromium")
    pictures = Path(os.environ.get("FOLLOWUP_BI_PICTURES", root))
    command: list[str | Path] = [
        ENVIRONMENT / "bin" / "python",
        ROOT / "bi" / "superset" / "browser.py",
        superset.address,
        ADMINISTRATOR,
    ]
    subprocess.run(
        [*command, "uppfoljning", pictures], input=f"{superset.password}\n", text=True, check=True, timeout=240
    )
    found: dict[str, Any] = json.loads((pictures / "figures.json").read_text(encoding="utf-8"))
    return found


def test_import_is_repeatable_and_whole(client: SupersetClient) -> None:
    datasets = len(list((ASSETS / "datasets").rglob("*.yaml")))
    assert client.counts() == {"database": 1, "dataset": datasets, "chart": len(CHARTS), "dashboard": 1}
    assert set(client.charts("uppfoljning")) == {chart["slice_name"] for chart in CHARTS.values()}


def test_superset_reads_as_one_who_may_only_read_the_release(postgres: RunningServer, client: SupersetClient) -> None:
    del client
    password = json.loads(postgres.logins_file.read_text(encoding="utf-8"))[READER]
    with psycopg.connect(postgres.reader_url, password=password, autocommit=True) as connection:
        seen = connection.execute(
            "select distinct schemaname::text from pg_tables where schemaname !~ '^pg_' and schemaname <> "
            "'information_schema' and has_table_privilege(schemaname || '.' || tablename, 'select')"
        ).fetchall()
    assert seen == [("published",)]


@pytest.mark.parametrize("chart", CHARTS)
def test_chart_shows_what_the_release_says(
    chart: str, client: SupersetClient, published: dict[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    shape = Shape.of(CHARTS[chart]["params"])
    shown = shape.cells(client.figures(client.charts("uppfoljning")[CHARTS[chart]["slice_name"]]))
    compare(chart, shown, shape.cells(published[chart]), is_filled_up=False)
    hidden = sum(value is None for value in shown.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n  {CHARTS[chart]['slice_name']}: {len(shown)} cells as in the release, {hidden} of them empty"
        )


@pytest.mark.parametrize("chart", CHARTS)
def test_reader_s_browser_gets_what_the_release_says(
    chart: str, client: SupersetClient, drawn: dict[str, Any], published: dict[str, list[dict[str, Any]]]
) -> None:
    shape = Shape.of(CHARTS[chart]["params"])
    number = str(client.charts("uppfoljning")[CHARTS[chart]["slice_name"]])
    assert number in drawn, f"{chart}: the dashboard did not draw it"
    is_side_by_side = "x_axis" in CHARTS[chart]["params"]
    compare(chart, shape.cells(drawn[number]), shape.cells(published[chart]), is_filled_up=is_side_by_side)


def test_readers_see_that_a_drawn_city_is_synthetic(published: dict[str, list[dict[str, Any]]]) -> None:
    if "FOLLOWUP_BI_RELEASE" not in os.environ:
        assert (
            "SYNTETISKA" in {row["about_label"]: row["about_value"] for row in published["utgavan"]}["Uppgifterna är"]
        )


def test_hidden_figures_are_drawn_as_missing(published: dict[str, list[dict[str, Any]]]) -> None:
    """Else the comparisons above would not have met any. A rate of too few is the only figure that a release hides."""
    hidden = [
        chart for chart, rows in published.items() if None in Shape.of(CHARTS[chart]["params"]).cells(rows).values()
    ]
    assert "erbjudna_och_tackat_ja" in hidden  # by group: some are always small


def compare(chart: str, shown: Cells, expected: Cells, *, is_filled_up: bool) -> None:
    assert any(value is not None for value in shown.values()), f"{chart} is empty"
    found = differences(shown, expected, is_filled_up=is_filled_up)
    assert not found, f"{chart}: {len(found)} cells differ\n" + "\n".join(found[:20])
