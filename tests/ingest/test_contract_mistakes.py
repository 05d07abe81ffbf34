"""A contract or suite that is wrong is refused, and the message names the file, the place and the value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.checks import suites
from ingest.contracts import EXPECTATIONS, ContractError, read_contract

DECLARED = (EXPECTATIONS / "utbud" / "contract.yml").read_text(encoding="utf-8")
CODE = "planeras: {label_sv: Planeras, aliases: [planerad]}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "valid_from: 2025Q3\n    why_sv",
            "valid_from: 2025Q7\n    why_sv",
            "changes: valid_from: 2025Q7 is no quarter",
        ),
        (CODE, CODE[:-1] + ", valid_to: 2025Q3}", "status, code planeras: valid_to 2025Q3: no version in `changes` "),
        (CODE, CODE[:-1] + ", valid_from: 2025Q2}", "begins with 2025Q2 (those there: 2025Q3)"),
        (CODE, CODE[:-1] + ", valid_to: 2018}", "status, code planeras: valid_to: 2018 is no quarter"),
        (CODE, "planeras: Planeras", "status: the code planeras must have a label_sv"),
        ("row_key: [insats,", "row_key: [insatsen,", "row_key: insatsen is no column"),
        ("codes_from: regi\n", "codes_from: regin\n", "columns.3.codes_from: Input should be"),
        ("codes_from: regi\n", "codes_from: regin\n", "(there is regin)"),
        ("  - version: 2\n", "  - version: 1\n", "must rise: 1, 1 from 2025Q3"),
        ("grain:", "grains:", "grain: Field required"),
        (DECLARED, "", "not laid out as the one that it would replace"),
    ],
)
def test_a_wrong_contract_says_where_and_what(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in DECLARED
    path = tmp_path / "contract.yml"
    path.write_text(DECLARED.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ContractError) as refused:
        read_contract(path)
    assert str(refused.value).startswith(f"{path}: ") and said in str(refused.value)
    assert "pydantic" not in str(refused.value)


@pytest.fixture
def with_first_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Declare another first rule of `utbud` in this process."""
    caches = (suites._read_suite, suites._rules_of_version, suites._load_rules, suites.require_whole_rules)

    def declare(rule: dict[str, Any]) -> None:
        for dataset in EXPECTATIONS.glob("*/suite.json"):
            suite = json.loads(dataset.read_text(encoding="utf-8"))
            if dataset.parent.name == "utbud":
                first = suite["expectations"][0]
                suite["expectations"][0] = {**first, **rule, "meta": {**first["meta"], **rule.get("meta", {})}}
            (tmp_path / dataset.parent.name).mkdir()
            (tmp_path / dataset.parent.name / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
        monkeypatch.setattr(suites, "EXPECTATIONS", tmp_path)
        for cached in caches:
            cached.cache_clear()

    yield declare
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def test_a_severity_that_there_is_not_is_refused(with_first_rule: Callable[[dict[str, Any]], None]) -> None:
    with_first_rule({"meta": {"severity": "fatal"}})
    with pytest.raises(ContractError, match=r"^utbud/suite\.json: UTB-001: severity fatal is none of error, query$"):
        suites.require_whole_rules()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "expect_nothing", "kwargs": {"column": "insats"}}, "there is no expect_nothing with column"),
        (
            {"kwargs": {"column": "insats", "colour": "red"}},
            "there is no expect_values_to_be_filled with colour, column",
        ),
    ],
)
def test_a_rule_that_can_never_run_is_refused_before_files_are_judged(
    rule: dict[str, Any], said: str, with_first_rule: Callable[[dict[str, Any]], None]
) -> None:
    with_first_rule(rule)
    with pytest.raises(ContractError, match=rf"^utbud/suite\.json: UTB-001: {said}$"):
        suites.require_known_rules()


def test_rules_as_they_are_declared_can_run() -> None:
    suites.require_known_rules()
