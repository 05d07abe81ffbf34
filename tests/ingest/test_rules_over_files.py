"""Every rule that looks at other files fires on its failing rows and is silent on its passing ones."""

from __future__ import annotations

from typing import Any

import pytest
from files import DISTRICT, Installation, base_row, csv_bytes, examples, fired

from ingest.checking import check_file
from ingest.checks.suites import load_rules
from ingest.contracts import load_contracts
from ingest.naming import read_name
from ingest.persons.keys import load_keys
from ingest.receiving import receive_district
from ingest.recording import circumstances_of

CASES = [(d, rule.code) for d in sorted(load_contracts()) for rule in load_rules(d) if rule.needs is not None]
LATER = "2020-01-10T08:00:00"


def put_in_force(installation: Installation, dataset: str, files: list[dict[str, Any]]) -> None:
    """Receive the files that the example stands on; queries about them don't matter, errors do."""
    for file in files:
        named = file.get("dataset", dataset)
        rows = [base_row(named, **changes) for changes in file["rows"]]
        installation.drop(f"{DISTRICT}_{named}_{file['quarter']}.csv", csv_bytes(named, rows))
        (receipt,) = receive_district(installation.settings, DISTRICT).files
        assert receipt.state == "accepted", installation.ledger().findings(receipt.submission_id or "")


@pytest.mark.parametrize(("dataset", "code"), CASES, ids=[code for _, code in CASES])
def test_rule_over_files_fires_on_failing_rows_and_is_silent_on_passing_ones(
    installation: Installation, dataset: str, code: str
) -> None:
    example: dict[str, Any] = examples(dataset)["rules"][code]
    installation.now = LATER
    put_in_force(installation, dataset, example["before"])
    name = read_name(f"{DISTRICT}_{dataset}_{example['quarter']}.csv")
    settings, ledger = installation.settings, installation.ledger()
    circumstances = circumstances_of(settings, load_keys(settings.keys), ledger, name, DISTRICT)

    def found(change: dict[str, str]) -> set[str]:
        report = check_file(csv_bytes(dataset, [base_row(dataset, **change)]), name, circumstances)
        assert code not in report.skipped and not any(outcome.raised for outcome in report.outcomes)
        return fired(report)

    for change in example["fail"]:
        assert code in found(change), change
    for change in example["pass"]:
        assert code not in found(change), change
    ledger.close()
