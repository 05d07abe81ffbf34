"""A migrated ledger of its own for every test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from portal_ledger import CHEAP, NOW, SECRET, CountedPasswords, Portal

from ingest.ledger import Ledger, portal_users
from ingest.ledger.portal_users import Role
from ingest.portal_login.passwords import Passwords


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one user, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    portal_users.add_user(ledger, "Anna", Role.OFFICER, ["farsta"], Passwords(CHEAP).hash(SECRET), NOW)
    ledger.close()
    return path


@pytest.fixture
def portal(migrated: Path, tmp_path: Path) -> Portal:
    path = Path(shutil.copy(migrated, tmp_path))
    return Portal(path, Ledger(f"sqlite:///{path}"), CountedPasswords(CHEAP))
