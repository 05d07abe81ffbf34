"""Every declared rule fires on its failing rows and is silent on its passing ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from files import DISTRICT, QUARTER, base_row, check, contract_of, csv_bytes, examples, fired

from ingest.checks.suites import Rule, load_rules
from ingest.contracts import EXPECTATIONS, load_contracts

DATASETS = sorted(load_contracts())
PAIRED = ("expect_rows_to_be_unique_by", "expect_no_restart_within_days", "expect_rows_not_to_sum_others")
"""Rules about several rows: their examples, each a row or a list of rows, stand beside the base row."""


def quarters_of(dataset: str) -> list[str]:
    """A quarter of each version of a dataset's contract."""
    return [QUARTER, *(change.valid_from for change in load_contracts()[dataset].changes)]


VERSIONS = [(dataset, quarter) for dataset in DATASETS for quarter in quarters_of(dataset)]
CASES = [
    (dataset, quarter, rule)
    for dataset, quarter in VERSIONS
    for rule in load_rules(contract_of(dataset, quarter))
    # a rule that goes on unchanged is tried in its first version
    if rule.needs is None and (quarter == QUARTER or rule.valid_from == quarter)
]
LATER = date(2026, 1, 1)


def found(
    dataset: str,
    rows: list[dict[str, str]],
    quarter: str = QUARTER,
    undocumented: frozenset[str] | None = None,
) -> set[str]:
    name = f"{DISTRICT}_{dataset}_{quarter}.csv"
    report = check(csv_bytes(dataset, rows, quarter=quarter), name, LATER, undocumented)
    assert not any(outcome.raised for outcome in report.outcomes)
    return fired(report)


@pytest.mark.parametrize(("dataset", "quarter", "rule"), CASES, ids=[f"{rule.code}-{when}" for _, when, rule in CASES])
def test_rule_fires_on_failing_rows_and_is_silent_on_passing_ones(dataset: str, quarter: str, rule: Rule) -> None:
    example, code = examples(dataset)["rules"][rule.code], rule.code
    example = {**example, **example.get("since", {}).get(quarter, {})}
    beside = [base_row(dataset, quarter)] if rule.kind in PAIRED else []
    excepted = frozenset(example["undocumented"]) if "undocumented" in example else None

    def rows(change: dict[str, str] | list[dict[str, str]]) -> list[dict[str, str]]:
        return [base_row(dataset, quarter, **one) for one in (change if isinstance(change, list) else [change])]

    for change in example["fail"]:
        assert code in found(dataset, [*beside, *rows(change)], quarter, excepted), change
    for change in example.get("pass", [{}]):
        more = rows(change) if change or rule.kind not in PAIRED else []
        assert code not in found(dataset, [*beside, *more], quarter, excepted), change


@pytest.mark.parametrize(("dataset", "quarter"), VERSIONS)
def test_base_row_breaks_no_rule(dataset: str, quarter: str) -> None:
    assert found(dataset, [base_row(dataset, quarter)], quarter) == set()


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_rule_has_rows_that_break_it_and_only_rules_have(dataset: str) -> None:
    shown = examples(dataset)["rules"]
    assert set(shown) == {rule.code for rule in load_rules(dataset)}
    assert [code for code, example in shown.items() if not example["fail"]] == []
    assert {code for code, example in shown.items() if "before" in example} == {
        rule.code for rule in load_rules(dataset) if rule.needs is not None
    }


@pytest.mark.parametrize("dataset", DATASETS)
def test_rules_name_known_columns_and_say_what_to_do(dataset: str) -> None:
    contract = load_contracts()[dataset]
    names = {column.name for column in contract.columns}
    for rule in load_rules(dataset):
        assert set(rule.columns) <= names, rule.code
        assert rule.code.startswith(contract.prefix + "-")
        assert len(rule.message_sv) > 20 and rule.why, rule.code
        assert rule.severity == "error" or "förklara" in rule.message_sv, rule.code


def test_every_folder_with_a_contract_has_a_suite_and_examples() -> None:
    for folder in EXPECTATIONS.iterdir():
        if folder.is_dir():
            assert {"contract.yml", "suite.json", "examples"} <= {path.name for path in folder.iterdir()}


def test_a_rule_that_raises_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.checks import arithmetic

    def broken(sheet: object, column: str) -> object:
        raise ZeroDivisionError

    monkeypatch.setitem(arithmetic.KINDS, "filled", broken)
    report = check(csv_bytes("arenden", [base_row("arenden")]))
    assert not report.accepted
    assert fired(report) == {"FIL-020"}


def test_the_page_of_rules_is_as_the_suites_are() -> None:
    from ingest.rulebook import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m ingest.rulebook`"


@pytest.mark.parametrize(
    ("second", "rules"),
    [
        ({}, {"ARE-091"}),  # twins in one case, or a row too many: not also the same row twice
        ({"arende_id": "2018-1002"}, {"ARE-081"}),  # two reports of one unborn child on one day
        ({"id_typ": "reservnummer", "fodelsear": "2018", "arende_id": "2018-1002"}, {"ARE-081", "ARE-092"}),
    ],
)
def test_two_children_under_one_running_number_are_one_finding_that_says_so(
    second: dict[str, str], rules: set[str]
) -> None:
    unborn = {"personnummer": "", "id_typ": "ofodd", "lopnummer": "L-7", "kon": "okänt"}
    assert found("arenden", [base_row("arenden", **unborn), base_row("arenden", **{**unborn, **second})]) == rules


def test_what_follows_from_two_children_under_one_number_is_not_reported_beside_it() -> None:
    one = {"personnummer": "", "id_typ": "reservnummer", "lopnummer": "L-7", "fodelsear": "2011"}
    rows = [
        base_row("arenden", **one),
        base_row("arenden", **{**one, "fodelsear": "2014", "id_typ": "skyddad", "omrade": ""}),
    ]
    assert found("arenden", rows) == {"ARE-090"}
    assert found("arenden", [base_row("arenden", **one)] * 2) == {"ARE-080", "ARE-081"}


def test_threads_that_check_at_once_find_the_same() -> None:
    def codes(dataset: str) -> set[str]:
        return found(dataset, [base_row(dataset)])

    with ThreadPoolExecutor(4) as threads:
        assert all(not one for one in threads.map(codes, DATASETS * 8))
