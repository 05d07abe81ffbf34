"""DuckDB's SQL knows nothing of Spark: it is compiled the same without Spark's macros, and as at another commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner
from spark_cities import CITIES

from followup.build.snapshot import PROJECT
from ingest.settings import ROOT

pytestmark = pytest.mark.timeout(1200)


def compiled(project: Path, inputs: dict[str, str], folder: Path) -> dict[str, str]:
    """Path → SQL of every model, test and analysis on DuckDB; white space counts for nothing."""
    where = ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(folder / "target")]
    where += ["--log-path", str(folder / "logs"), "--quiet", "--no-partial-parse", "--vars", str(inputs)]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FOLLOWUP_WAREHOUSE", str(folder / "warehouse.duckdb"))
        outcome = dbtRunner().invoke(["compile", *where])
    assert outcome.success, outcome.exception
    found = folder / "target" / "compiled"
    return {str(p.relative_to(found)): re.sub(r"\s+", "", p.read_text()) for p in found.rglob("*.sql")}


@pytest.fixture(scope="module")
def compile_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], dict[str, str]]:
    inputs = CITIES["small"](tmp_path_factory.mktemp("inputs")).write()
    return lambda project: compiled(project, inputs, tmp_path_factory.mktemp("compiled"))


def test_duckdbs_sql_is_the_same_without_sparks_macros(
    compile_project: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    other = shutil.copytree(PROJECT, tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    (other / "macros" / "engine_spark.sql").unlink()
    with_it, without = compile_project(PROJECT), compile_project(other)
    assert len(with_it) > 300
    assert with_it == without


@pytest.mark.skipif("BASE" not in os.environ, reason="BASE=<commit> names what to compare with")
def test_duckdbs_sql_is_that_of_another_commit(
    compile_project: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    """To change macros but no SQL: make test-spark BASE=main ARGS=tests/spark/test_compiled_sql.py."""
    packed = subprocess.run(
        ["git", "-C", ROOT, "archive", os.environ["BASE"], "dbt_project"], check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", tmp_path], input=packed, check=True)
    before, now = compile_project(tmp_path / "dbt_project"), compile_project(PROJECT)
    assert {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)} == set()
