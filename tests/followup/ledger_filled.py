"""Submissions straight into a ledger, for what only the ledger decides; no file is behind them."""

from __future__ import annotations

from datetime import datetime

from ingest.contracts import load_contracts
from ingest.findings import Finding
from ingest.ledger import Ledger, Submission
from ingest.ledger.contacts import add_contact
from ingest.ledger.store import RuleCount

QUARTER = "2018Q1"
HOSTILE = "=cmd|'/c calc'!A1 20050505-9824"
"""Stands in every text that a district can write to."""


def submit(ledger: Ledger, unit: str, dataset: str | None, state: str = "accepted", **changes: object) -> Submission:
    """One submission, of 2018Q1 where none is named; without a dataset one whose file's name could not be read."""
    quarter = None if dataset is None else str(changes.get("reporting_quarter", QUARTER))
    sequence = ledger.next_sequence(unit, dataset, quarter)
    values: dict[str, object] = {
        "submission_id": f"{unit[:11]}{(dataset or 'x')[:12]}{sequence}", "district_code": unit,
        "dataset": dataset, "reporting_quarter": quarter, "sequence": sequence, "version": None,
        "state": state, "source_file_name": f"{HOSTILE}.csv", "source_file_sha256": "0" * 64, "size_bytes": 1,
        "submitted_at": datetime(2018, 4, 9), "deadline_date": None, "is_on_time": True, "is_synthetic": True,
        "row_count": 1, "error_count": 0, "query_count": 0, "contract_version": 1, "person_key_version": 1,
        "original_path": "x", "parquet_path": None, "parquet_sha256": None, "is_source_cleared": True,
    }  # fmt: skip
    found = [Finding("ARE-001", "error", 2, HOSTILE, HOSTILE)] if state == "refused" else []
    counts = [RuleCount("ARE-001", "error", 1)] if found else []
    return ledger.record(Submission(**(values | changes)), counts, found)  # type: ignore[arg-type]


def fill_two_units(ledger: Ledger) -> None:
    """Farsta has nothing left but a refused file and queries; Älvsjö has sent nothing. Both have contacts."""
    for dataset in load_contracts():
        submit(ledger, "farsta", dataset)
    submit(ledger, "farsta", "arenden", "refused")
    submit(ledger, "farsta", "utbud", query_count=3, open_query_count=3)
    for unit, name in (("farsta", "anna.berg"), ("farsta", "bo"), ("alvsjo", "cecilia")):
        add_contact(ledger, unit, f"{name}@{unit}.example", datetime(2018, 4, 1))
