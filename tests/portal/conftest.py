"""An installation of its own, with its portal, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Place
from oidc_calling import as_it_should_be
from oidc_provider import IdentityProvider

from ingest.ledger.portal_users import Role


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place.make(tmp_path)
    made.add("anna", Role.OFFICER, "farsta")
    made.add("bo", Role.CITY)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running_provider() -> Iterator[IdentityProvider]:
    made = IdentityProvider()
    yield made
    made.close()


@pytest.fixture
def provider(running_provider: IdentityProvider) -> IdentityProvider:
    return as_it_should_be(running_provider)
