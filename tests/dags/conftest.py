"""Airflow in this process reads our DAGs and a database of its own; set before anything imports airflow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ingest.settings import ROOT

os.environ |= {
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{Path(os.environ['AIRFLOW_HOME']) / 'airflow.db'}",
}
sys.path.insert(0, str(ROOT / "dags" / "plugins"))


@pytest.fixture(scope="session")
def dags():
    """Our DAGs by id, as Airflow reads them; none may fail to load."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    assert bag.import_errors == {}
    return bag.dags
