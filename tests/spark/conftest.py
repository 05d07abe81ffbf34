"""Small cities, built once on DuckDB and once on Spark (`make test-spark`, in .venv-spark)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dbt_project"))
sys.path.insert(0, str(Path(__file__).parents[1] / "followup"))

from installations import MASTER, spark_conf
from spark_cities import CITIES, Built, build_on_duckdb, build_on_spark


@pytest.fixture(scope="session", autouse=True)
def _settings_for_small_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Java reads them once, when the first session of this process starts."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in spark_conf(tmp_path_factory.mktemp("conf")).items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a city by its name on DuckDB."""

    @cache
    def build(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        return build_on_duckdb(CITIES[name](folder / "inputs"), folder / "duckdb")

    return build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, on_duckdb: Callable[[str], Path]) -> Callable[[str], Built]:
    """Builds a city by its name on both engines; with data tests on Spark. Unit tests are no city's: one runs them."""

    @cache
    def build(name: str) -> Built:
        folder = tmp_path_factory.mktemp(name)
        kinds = ("data", "unit") if name == "small" else ("data",)
        spark, outcomes = build_on_spark(CITIES[name](folder / "inputs"), folder / "spark", MASTER, tests=kinds)
        return Built(on_duckdb(name), spark, outcomes)

    return build
