"""Small cities, built once on DuckDB and once on Spark (`make test-spark`, in .venv-spark)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
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
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    """Builds a city by its name on both engines; with data tests and unit tests on Spark."""
    done: dict[str, Built] = {}

    def build(name: str) -> Built:
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            inputs = CITIES[name](folder / "inputs")
            done[name] = Built(
                build_on_duckdb(inputs, folder / "duckdb"), *build_on_spark(inputs, folder / "spark", MASTER)
            )
        return done[name]

    return build
