from __future__ import annotations

from pathlib import Path

import pytest
from readback import City, quarter, read_city

from synthetic.city import CityDrawn, draw_city


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CityDrawn]:
    """A small city over the merger of 2020."""
    folder = tmp_path_factory.mktemp("city")
    return folder, draw_city(folder, quarter("2019Q4"), quarter("2020Q4"), scale=0.1)


@pytest.fixture(scope="session")
def city(drawn: tuple[Path, CityDrawn]) -> City:
    return read_city(drawn[0])


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CityDrawn]:
    """One quarter with faults."""
    folder = tmp_path_factory.mktemp("broken")
    return folder, draw_city(folder, quarter("2018Q1"), quarter("2018Q1"), scale=0.1, faults=True)
