"""An Airflow home whose database is made: Airflow's migrations take most of a first start."""

from __future__ import annotations

import shutil
from pathlib import Path

from made_once import made_once

from followup.local.orchestrator import Orchestrator


def _migrate(folder: Path) -> None:
    orchestrator = Orchestrator(folder)
    orchestrator.logs.mkdir()
    orchestrator._migrate(orchestrator._environment(1), lambda _: None)


def migrated_airflow(home: Path) -> Path:
    """Put into a new home what a first start makes of its own before it starts anything; returns the home."""
    migrated = made_once("airflow", _migrate)
    home.mkdir(parents=True)
    for name in ("airflow.db", "migrated"):
        shutil.copy(migrated / name, home / name)
    return home
