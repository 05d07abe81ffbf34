"""An installation of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from files import DISTRICT, Installation

from ingest.keys import make_keys


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    make_keys(made.settings.keys)
    (tmp_path / "inbox" / DISTRICT).mkdir(parents=True)
    return made
