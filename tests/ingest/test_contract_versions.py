"""Versions of a contract: a file is judged by the one of its quarter, and an old quarter's is what it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from files import DISTRICT, base_row, check, contract_of, csv_bytes, fired

from ingest.checks.suites import declared_rules, load_rules
from ingest.contracts import EXPECTATIONS, ContractError, load_contracts, read_contract
from ingest.quarters import Quarter
from ingest.settings import Settings
from ingest.sketching import sketch_of
from ingest.storing import sketch_of_table, stored_schema

CHANGED = ["oppenvard", "serviceinsatser", "utbud"]
GROUND = "rattslig_grund"
BEFORE, SINCE = "2025Q2", "2025Q3"
TODAY = date(2026, 1, 1)


def without_later_things(text: str) -> dict[str, Any]:
    """A contract.yml as it was before the first change: all that begins later taken out by hand."""
    declared: dict[str, Any] = yaml.safe_load(text)
    declared.pop("changes", None)
    declared["columns"] = [column for column in declared["columns"] if "valid_from" not in column]
    names = {"person", *(column["name"] for column in declared["columns"])}
    declared["row_key"] = [name for name in declared["row_key"] if name in names]
    return declared


def checked(dataset: str, quarter: str, headers_of: str, row: dict[str, str]) -> Any:
    raw = csv_bytes(dataset, [row], quarter=headers_of)
    return check(raw, f"{DISTRICT}_{dataset}_{quarter}.csv", TODAY)


@pytest.mark.parametrize("dataset", sorted(load_contracts()))
def test_contract_before_the_first_change_is_as_it_was(dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "contract.yml"
    old = without_later_things((EXPECTATIONS / dataset / "contract.yml").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(old), encoding="utf-8")
    was, is_now = read_contract(path), contract_of(dataset, BEFORE)
    assert is_now.model_dump(exclude={"changes", "since"}) == was.model_dump(exclude={"changes", "since"})
    assert stored_schema(is_now) == stored_schema(was)
    assert is_now is contract_of(dataset, "2007Q1")
    later = {entry["meta"]["code"] for entry in declared_rules(dataset) if "valid_from" in entry["meta"]}
    firsts = [entry for entry in declared_rules(dataset) if "valid_from" not in entry["meta"]]
    assert list(declared_rules(is_now)) == firsts
    assert {rule.code for rule in load_rules(is_now)} | later == {rule.code for rule in load_rules(dataset)}


@pytest.mark.parametrize("dataset", CHANGED)
def test_file_is_judged_by_the_version_of_its_quarter(dataset: str) -> None:
    assert contract_of(dataset, BEFORE).version == 1 and contract_of(dataset, SINCE).version == 2
    assert GROUND not in {column.name for column in contract_of(dataset, BEFORE).columns}
    assert checked(dataset, SINCE, SINCE, base_row(dataset, SINCE)).accepted
    early = checked(dataset, BEFORE, SINCE, base_row(dataset, "2018Q3"))
    assert "FIL-012" in fired(early) and not early.table.values.keys() & {GROUND}  # a column that nobody knows, as ever
    late = checked(dataset, SINCE, BEFORE, base_row(dataset, SINCE))
    (lacking,) = [found for found in late.findings() if found.rule == "FIL-010"]
    assert not late.accepted and lacking.column == GROUND
    assert "Kolumnen ska finnas från och med 2025Q3: socialtjänstlagen (2025:400)" in lacking.message


def test_ground_is_asked_in_a_file_without_rows_too() -> None:
    report = check(csv_bytes("utbud", [], quarter=BEFORE), f"{DISTRICT}_utbud_{SINCE}.csv", TODAY)
    assert fired(report) == {"FIL-010"}


def test_grounds_that_a_dataset_does_not_have_are_no_codes_of_it() -> None:
    codes = {dataset: contract_of(dataset, SINCE).code_list(GROUND, "").codes for dataset in CHANGED}
    assert "bistand" not in codes["serviceinsatser"] and len(codes["serviceinsatser"]) == 3
    assert codes["oppenvard"] == ("utan_provning_dokumenterad", "bistand") and len(codes["utbud"]) == 4


def test_rows_of_two_versions_are_compared_by_what_both_have() -> None:
    """A file sent again for the quarter after a change is recognised."""
    row = base_row("utbud", SINCE)
    old, new = checked("utbud", BEFORE, BEFORE, row), checked("utbud", SINCE, SINCE, row)
    sketches = [
        sketch_of_table(report.table, contract_of("utbud", quarter))
        for report, quarter in ((old, BEFORE), (new, SINCE))
    ]
    assert sketches[0].digest == sketches[1].digest and sketches[0].rows == 1
    assert sketch_of({}, contract_of("utbud", SINCE)).rows == 0


def test_board_that_has_decided_nothing_is_asked_nothing() -> None:
    row = base_row("serviceinsatser", SINCE, rattslig_grund="ej dokumenterad")
    assert fired(checked("serviceinsatser", SINCE, SINCE, row)) == set()
    assert Settings().undocumented_interventions is None


def test_setting_names_the_interventions_that_are_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_UNDOCUMENTED_INTERVENTIONS", "komet, abc")
    assert Settings().undocumented_interventions == {"komet", "abc"}
    monkeypatch.setenv("FOLLOWUP_UNDOCUMENTED_INTERVENTIONS", "none")
    assert Settings().undocumented_interventions == frozenset()


WRONG = {
    "a column begins in a quarter of no version": ("valid_from: 2025Q3\n", "valid_from: 2025Q4\n", -1),
    "versions that do not rise": ("version: 2", "version: 1", 1),
    "a quarter that is none": ("valid_from: 2025Q3", "valid_from: 2025Q5", 1),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_versions_are_a_declared_error(what: str, tmp_path: Path) -> None:
    old, new, count = WRONG[what]
    text = (EXPECTATIONS / "utbud" / "contract.yml").read_text(encoding="utf-8")
    assert old in text
    wrong = new.join(text.rsplit(old, 1)) if count < 0 else text.replace(old, new, count)
    (tmp_path / "contract.yml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ContractError):
        read_contract(tmp_path / "contract.yml")


def test_column_declared_anew_for_a_later_version_replaces_the_earlier(tmp_path: Path) -> None:
    text = (EXPECTATIONS / "utbud" / "contract.yml").read_text(encoding="utf-8")
    declared = yaml.safe_load(text)
    (words,) = [column for column in declared["columns"] if column["name"] == "innehall"]
    declared["columns"] = [
        *(column for column in declared["columns"] if column is not words),
        {**words, "valid_to": "2025Q2"},
        {**words, "optional": False, "valid_from": "2025Q3"},
    ]
    path = tmp_path / "contract.yml"
    path.write_text(yaml.safe_dump(declared), encoding="utf-8")
    assert read_contract(path, None).column("innehall").optional
    assert not read_contract(path, "2025Q3").column("innehall").optional
    assert not read_contract(path).column("innehall").optional


def test_quarters_between_share_one_contract() -> None:
    assert load_contracts(Quarter(2018, 1))["utbud"] is load_contracts(Quarter(2025, 2))["utbud"]
    assert load_contracts(Quarter(2025, 3))["utbud"] is load_contracts(Quarter(2031, 1))["utbud"]
