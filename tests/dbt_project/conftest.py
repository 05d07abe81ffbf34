"""One small built warehouse for all tests of the dbt project: its figures are known by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dbt_built import Warehouse, build_warehouse, open_warehouse
from dbt_inputs import Inputs
from dbt_small_city import submit_small_city
from dbt_small_city_counts import submit_counts
from made_once import made_once


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The small city, built; a copy of it, since dbt locks the file that it runs on."""
    built = made_once("small_city", _build_small_city)
    return open_warehouse(shutil.copytree(built, tmp_path_factory.mktemp("warehouse") / "small_city"))


def _build_small_city(folder: Path) -> None:
    inputs = Inputs(folder / "inputs", as_of_date="2020-10-25")
    submit_small_city(inputs)
    submit_counts(inputs)
    build_warehouse(folder, inputs)
