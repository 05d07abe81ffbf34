"""Params that DAGs ask for when a run is started by hand."""

from __future__ import annotations

from airflow.sdk import Param

from ingest.contracts import load_contracts
from ingest.districts import load_districts

CODES = sorted(district.code for district in load_districts().districts)
DISTRICTS = Param(
    None, type=["null", "array"], items={"enum": CODES}, examples=CODES, title="Districts (empty: all that report)"
)


def quarter_param(title: str) -> Param:
    """A quarter as `2018Q3`, or nothing."""
    return Param(None, type=["null", "string"], pattern=r"^(\d{4}Q[1-4])?$", title=title)


def dataset_param(title: str) -> Param:
    """A dataset such as `utbud`, or nothing."""
    return Param(None, type=["null", "string"], enum=[None, *load_contracts()], title=title)
