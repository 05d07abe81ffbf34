"""Marts without their data tests, for tests that compare figures: a build takes a third less time.

With the names of marts, those and what they are made of, so less again.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any
from unittest.mock import patch

from followup.build import building
from followup.build.snapshot import take_snapshot
from ingest.ledger import Ledger
from ingest.settings import Settings


def build_marts(settings: Settings, *marts: str) -> None:
    """Build what is in force into the installation's warehouse; the ledger records no build.

    Args:
        settings: the installation's.
        marts: the marts that the test reads; without any, all.
    """
    with closing(Ledger(settings.ledger)) as ledger:
        snapshot = take_snapshot(settings, ledger)
    whole = building._dbt_arguments

    def selected(*arguments: Any) -> list[str]:
        chosen = [word for mart in marts for word in ("--select", f"+{mart}")]
        return [*whole(*arguments), *chosen]

    with patch.object(building, "_dbt_arguments", selected):
        building.build_file(settings, snapshot, settings.warehouse, settings.home / "marts-only", with_tests=False)
