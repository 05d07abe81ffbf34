"""One small built warehouse for all tests of the dbt project: its figures are known by hand."""

from __future__ import annotations

import pytest
from dbt_built import Warehouse, build_warehouse
from dbt_inputs import Inputs
from dbt_small_city import submit_small_city
from dbt_small_city_counts import submit_counts


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The small city, built."""
    folder = tmp_path_factory.mktemp("warehouse")
    inputs = Inputs(folder / "inputs", as_of_date="2020-10-25")
    submit_small_city(inputs)
    submit_counts(inputs)
    return build_warehouse(folder, inputs)
