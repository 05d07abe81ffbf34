"""The recipes of docs/connect.md, read out of it and run against a release that is served."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import sqlalchemy
from releases_drawn import draw_release

from followup.local.postgres_server import RunningServer
from ingest.settings import ROOT, Settings
from publish.serving import serve
from publish.views.declared import load_views

pytestmark = pytest.mark.server
PAGE = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Connect\n")[2].partition("\n## ")[0]
RECIPES = re.findall(r"^```(\w+)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
NOT_RUN = {"powerquery", "console", "superset"}
"""Excel, and a Superset and its configuration, which `make test-bi` has."""


@pytest.fixture
def here(settings: Settings, postgres: RunningServer, tmp_path: Path) -> dict[str, str]:
    """What the page says, and what that is here."""
    release = draw_release(tmp_path / "r.duckdb", 3, tables=1)
    with duckdb.connect(str(release)) as connection:
        connection.execute("alter table published.mart_00 rename to mart_case_flow")
        make_view(connection)
    serve(release, settings)
    logins = json.loads(postgres.logins_file.read_text(encoding="utf-8"))
    return {
        "PASSWORD": logins["followup_reader"],
        "127.0.0.1:5433": f"127.0.0.1:{postgres.port}",
        "5433": str(postgres.port),
        "data/published": str(settings.published),
    }


def make_view(connection: duckdb.DuckDBPyConnection) -> None:
    """The view that the recipes read, with its own columns, labels and 203 rows of one district."""
    (view,) = (one for one in load_views() if one.name == "vy_arendeflode")
    values = {"count": "17", "whole": "1", "rate": "0.5", "flag": "false", "period": "'kvartal ' || n"}
    farsta = "'Farsta'"
    columns = ", ".join(f"{values.get(column.kind, farsta)} as {column.name}" for column in view.columns)
    connection.execute(f"create table published.vy_arendeflode as select {columns} from range(203) as t(n)")
    for column in view.columns:
        said = f"{column.label}: {column.explanation}"
        connection.execute(f"comment on column published.vy_arendeflode.{column.name} is '{said}'")


def filled(recipe: str, here: dict[str, str]) -> str:
    for said, meant in here.items():
        recipe = recipe.replace(said, meant)
    return recipe


def recipes(language: str) -> list[str]:
    return [recipe for found, recipe in RECIPES if found == language]


def test_every_recipe_is_run_or_said_not_to_be() -> None:
    assert {language for language, _ in RECIPES} == {"sh", "python", "uri", "odbc", "isql", "r"} | NOT_RUN
    assert len(recipes("python")) == 6 and len(recipes("r")) == 3
    assert "Not run: Power BI, Metabase, Excel." in PAGE


@pytest.mark.parametrize("recipe", recipes("python"))
def test_python(recipe: str, here: dict[str, str]) -> None:
    if "polars" in recipe:
        pytest.importorskip("polars", reason="no polars here")
    done = subprocess.run([sys.executable, "-c", filled(recipe, here)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Farsta" in done.stdout or "release-3" in done.stdout or "Inkomna ärenden" in done.stdout


@pytest.mark.parametrize("recipe", recipes("sh"))
def test_shell(recipe: str, here: dict[str, str]) -> None:
    if shutil.which("psql") is None:
        pytest.skip("no psql here")
    done = subprocess.run(["bash", "-c", filled(recipe, here)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Farsta" in done.stdout


def test_the_analysts_address(settings: Settings, postgres: RunningServer, tmp_path: Path) -> None:
    if shutil.which("psql") is None:
        pytest.skip("no psql here")
    (recipe,) = re.findall(r"^```analyst\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    settings.home.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema marts; create schema core")
        connection.execute("create table marts.mart_case_flow as select 'total' as cut, 17 as cases")
    serve(draw_release(tmp_path / "r.duckdb", 3, tables=1), settings.model_copy(update={"publish_analysts": True}))
    logins = json.loads(postgres.logins_file.read_text(encoding="utf-8"))
    here = {"ANALYSTS_PASSWORD": logins["followup_analyst"], "5433": str(postgres.port)}
    done = subprocess.run(["bash", "-c", filled(recipe, here)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "17" in done.stdout


@pytest.mark.parametrize("recipe", recipes("uri"))
def test_superset_s_address(recipe: str, here: dict[str, str]) -> None:
    engine = sqlalchemy.create_engine(filled(recipe, here).strip())
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("select count(*) from vy_arendeflode")).scalar() == 203
        found = sqlalchemy.inspect(connection)
        assert sorted(found.get_table_names(schema="published")) == [
            "about", "dim_district", "mart_case_flow", "vy_arendeflode",
        ]  # fmt: skip
        columns = {column["name"]: column["comment"] for column in found.get_columns("mart_case_flow", "published")}
    engine.dispose()
    assert columns["age_band"] == "Åldersgrupp: ålder vid händelsen"


@pytest.mark.parametrize("recipe", recipes("odbc"))
def test_odbc(recipe: str, here: dict[str, str]) -> None:
    pyodbc = pytest.importorskip("pyodbc", reason="no pyodbc here", exc_type=ImportError)
    if "PostgreSQL Unicode" not in pyodbc.drivers():
        pytest.skip("PostgreSQL's ODBC driver is not installed")
    with pyodbc.connect(filled(recipe, here).strip()) as connection:
        assert connection.execute("select count(*) from vy_arendeflode").fetchone()[0] == 203


@pytest.mark.parametrize("recipe", recipes("isql"))
def test_isql(recipe: str, here: dict[str, str]) -> None:
    if shutil.which("isql") is None:
        pytest.skip("no isql here (Debian: unixodbc)")
    installed = subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True, timeout=60).stdout
    if "PostgreSQL Unicode" not in installed:
        pytest.skip("PostgreSQL's ODBC driver is not installed (Debian: odbc-postgresql)")
    done = subprocess.run(["bash", "-c", filled(recipe, here)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "203" in done.stdout and "Farsta" in done.stdout


@pytest.mark.parametrize("recipe", recipes("r"))
def test_r(recipe: str, here: dict[str, str]) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("no R here")
    needed = sorted({*re.findall(r"library\((\w+)\)", recipe), *re.findall(r"(\w+)::", recipe)})
    for package in needed:
        has_it = f"quit(status = as.integer(!requireNamespace('{package}', quietly = TRUE)))"
        if subprocess.run(["Rscript", "-e", has_it], capture_output=True, timeout=60).returncode:
            pytest.skip(f"R has no {package} here")
    done = subprocess.run(["Rscript", "-e", filled(recipe, here)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Farsta" in done.stdout, done.stderr


@pytest.mark.parametrize("recipe", [recipe for recipe in recipes("python") if "duckdb" in recipe])
def test_duckdb_1_1(recipe: str, here: dict[str, str]) -> None:
    python = os.environ.get("DUCKDB_1_1_PYTHON")
    if python is None:
        pytest.skip("DUCKDB_1_1_PYTHON names no Python with DuckDB 1.1")
    code = f"import duckdb; assert duckdb.__version__.startswith('1.1.'), duckdb.__version__\n{filled(recipe, here)}"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Farsta" in done.stdout and "Inkomna ärenden" in done.stdout
