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

from ingest.persons.keys import make_keys
from ingest.settings import Settings
from publish.release.approving import Release
from publish.release.releasing import release
from tests.publish.keyed_city import quick_policy


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


@pytest.fixture(scope="session")
def released(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of the small city: all marts, dimension tables and views."""
    home = tmp_path_factory.mktemp("released") / "home"
    home.mkdir()
    (home / "warehouse.duckdb").symlink_to(warehouse.path)
    settings = Settings.model_validate({"home": home, "keys": home.parent / "keys.json"})
    make_keys(settings.keys)
    return release(settings, approve=True, gate=lambda _: [], policy=quick_policy())
