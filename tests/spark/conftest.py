"""Small cities, built once on DuckDB and once on Spark (`make test-spark`, in .venv-spark)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dbt_project"))

from spark_cities import CITIES, Built, build_on_duckdb, build_on_spark

MASTER = os.environ.get("FOLLOWUP_SPARK_MASTER", "local[2]")


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
