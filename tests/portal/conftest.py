"""An installation of its own, with its portal, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Place

from ingest.ledger.portal_users import Role


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place.make(tmp_path)
    made.add("anna", Role.OFFICER, "farsta")
    made.add("bo", Role.CITY)
    yield made
    made.close()
