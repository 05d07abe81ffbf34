"""Marts without their data tests, for tests that compare figures: a build takes a third less time."""

from __future__ import annotations

from contextlib import closing

from followup.build.building import build_file
from followup.build.snapshot import take_snapshot
from ingest.ledger import Ledger
from ingest.settings import Settings


def build_marts(settings: Settings) -> None:
    """Build what is in force into the installation's warehouse; the ledger records no build."""
    with closing(Ledger(settings.ledger)) as ledger:
        snapshot = take_snapshot(settings, ledger)
    build_file(settings, snapshot, settings.warehouse, settings.home / "marts-only", with_tests=False)
