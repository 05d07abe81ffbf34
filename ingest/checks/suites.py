"""Suites: loading the declared rules of a dataset, and running them over one sheet by Great Expectations."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import numpy as np

from ingest.checks.arithmetic import IntArray, Sheet
from ingest.checks.named_codes import unknown_names
from ingest.contracts import (
    ALL,
    EXPECTATIONS,
    Contract,
    ContractError,
    holds,
    load_contracts,
    mistakes_named,
    require_starts,
    versions_of,
)
from ingest.findings import Severity
from ingest.organisation import own_words
from ingest.quarters import Quarter

logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it logs each metric and function as it is imported
ABOUT_ABSENT_ROWS = "expect_open_rows_to_be_carried_on"
"""The one kind whose rows are those of another file: the previous quarter's."""
_COLUMN_ARGUMENTS = (
    "column", "columns", "end_column", "start_column", "date_column", "sum_column", "total_column", "when_column",
    "other_column", "unless_column", "at_most_columns", "prolonged_column", "code_column", "birth_column",
    "person_column", "count_columns", "agreeing_columns", "case_column",
)  # fmt: skip
"""Arguments of expectations that name columns, the one to mark first."""


_A_CODE = re.compile(r"\{(\w+)=([\w-]+)\}")
"""A code in a message, as suites write it: {column=code}."""


@dataclass(frozen=True)
class Rule:
    """One declared rule of a suite.

    Attributes:
        code: such as ARE-014; never reused.
        columns: contract columns that it looks at, the one to mark first.
        needs: what beyond the file it looks at (`previous_quarter`, `cases`, `four_quarters`); None for most.
        kind: the expectation's type.
        yields_to: codes of rules that name the cause; rows that break one of them are no findings of this rule.
        valid_from: first quarter, where it is not one of the first version's rules; `valid_to` the last, if it has one.
    """

    code: str
    severity: Severity
    message_sv: str
    why: str
    columns: tuple[str, ...]
    needs: str | None
    kind: str
    yields_to: tuple[str, ...] = ()
    valid_from: str | None = None
    valid_to: str | None = None

    @property
    def column(self) -> str | None:
        """The column that a finding of the rule marks."""
        return self.columns[0] if self.columns else None


@dataclass(frozen=True)
class RuleOutcome:
    """Rows (positions in the sheet) that break a rule. `raised`: the rule failed to run, an error of ours."""

    rule: Rule
    rows: IntArray
    raised: bool = False


_MARKS = {
    "birth_latest": "personnummer", "birth_earliest": "personnummer", "case_known": "arende_id",
    "person": "personnummer",
    "sex_by_number": "personnummer", "kind_by_number": "personnummer", "year_by_number": "personnummer",
    "restarted": "utredning_start", "previous_end": "utredning_slut", "stock_gap": "antal_pagaende",
}  # fmt: skip
"""Derived columns and the contract column that a finding on them marks."""


def _columns(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for argument in _COLUMN_ARGUMENTS:
        value = kwargs.get(argument)
        for name in [value] if isinstance(value, str) else value or []:
            found.append(_MARKS.get(name, name.removeprefix("unusual_").removesuffix("_folded")))
    return tuple(dict.fromkeys(found))


def _with_labels(message: str, contract: Contract, rule: str) -> str:
    """A message with the labels of its codes: `{kon=okant}` becomes `okant (Okänt)`."""

    def label(code: re.Match[str]) -> str:
        try:
            return contract.code_list(code[1], "").with_label(code[2])
        except (KeyError, ValueError):
            raise ContractError(
                f"{rule} names the code {code[2]} of {code[1]} in its message, which the contract of "
                f"{contract.dataset} does not have"
            ) from None

    return _A_CODE.sub(label, message)


def _marked_first(marks: str | None, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns with the one first that a finding marks: the cell to correct is not always the rule's own."""
    return columns if marks is None else tuple(dict.fromkeys([marks, *columns]))


@lru_cache(maxsize=32)
def _read_suite(dataset: str) -> tuple[dict[str, Any], ...]:
    loaded = json.loads((EXPECTATIONS / dataset / "suite.json").read_text(encoding="utf-8"))
    entries: list[dict[str, Any]] = loaded["expectations"]
    starts = [Quarter.parse(change.valid_from) for change in load_contracts()[dataset].changes]
    for entry in entries:
        meta = entry["meta"]
        require_starts(meta, starts, meta["code"])
        if meta["severity"] not in get_args(Severity):
            raise ValueError(f"{meta['code']}: severity {meta['severity']} is none of {', '.join(get_args(Severity))}")
        meta["message_sv"] = own_words(meta["message_sv"])
    return tuple(entries)


def declared_rules(of: str | Contract) -> tuple[dict[str, Any], ...]:
    """The expectations of a suite as they are declared: those of a contract's version, or of all a dataset's versions.

    Raises:
        FileNotFoundError: the dataset has no suite.
        ValueError: a rule has a severity that there is not, or begins or ends in a quarter in which no version of the
            contract does.
    """
    if isinstance(of, str):
        return _read_suite(of)
    return _rules_of_version(of.dataset, of.since)


@lru_cache(maxsize=64)
def _rules_of_version(dataset: str, since: str | None) -> tuple[dict[str, Any], ...]:
    return tuple(entry for entry in _read_suite(dataset) if holds(entry["meta"], since))


def load_rules(of: str | Contract) -> tuple[Rule, ...]:
    """The rules of a contract's version, in the suite's order; of a dataset, the newest of each code.

    Does not import Great Expectations.

    Raises:
        FileNotFoundError: the dataset has no suite.
        ValueError: two rules of a version share a code.
        ContractError: a rule names a column or code that its contract does not have.
    """
    if isinstance(of, str):
        return tuple({rule.code: rule for rule in rules_of_all_versions(of)}.values())
    return _load_rules(of.dataset, of.since)


def rules_of_all_versions(dataset: str) -> tuple[Rule, ...]:
    """The rules of all versions; one that a version has changed is there twice, with its first and last quarters."""
    return _load_rules(dataset, ALL)


@lru_cache(maxsize=64)
def _load_rules(dataset: str, since: str | None) -> tuple[Rule, ...]:
    entries = _rules_of_version(dataset, since)
    if since != ALL:
        contract = next(one for one in versions_of(dataset) if one.since == since)
        columns = {entry["meta"]["code"]: _columns(entry["kwargs"]) for entry in entries}
        if unknown := list(unknown_names(contract, entries, columns)):
            raise ContractError("; ".join(unknown))
    labels = load_contracts()[dataset]  # a code means the same in every version
    rules = tuple(
        Rule(
            code=entry["meta"]["code"],
            severity=entry["meta"]["severity"],
            message_sv=_with_labels(entry["meta"]["message_sv"], labels, entry["meta"]["code"]),
            why=entry["meta"]["why"],
            columns=_marked_first(entry["meta"].get("marks"), _columns(entry["kwargs"])),
            needs=entry["meta"].get("needs"),
            kind=entry["type"],
            yields_to=tuple(entry["meta"].get("yields_to", ())),
            valid_from=entry["meta"].get("valid_from"),
            valid_to=entry["meta"].get("valid_to"),
        )
        for entry in entries
    )
    if since != ALL and len({rule.code for rule in rules}) != len(rules):
        raise ValueError(f"{dataset}: two rules share a code")
    return rules


@lru_cache(maxsize=1)
def require_whole_rules() -> None:
    """Read every contract and suite in all versions, before any file is judged by one.

    Raises:
        ContractError: one can't be read, or a rule names a column or code that its contract does not have; the message
            names the rule and the code.
    """
    for dataset in load_contracts():
        try:
            with mistakes_named(f"{dataset}/suite.json"):
                for contract in versions_of(dataset):
                    for column in contract.columns:
                        if column.codes or column.codes_from:
                            contract.code_list(column.name, "")
                    load_rules(contract)
                rules_of_all_versions(dataset)
        except OSError as error:
            raise ContractError(f"{dataset}/suite.json: can't be read ({error.strerror})") from error


def require_known_rules() -> None:
    """Build every rule in Great Expectations, which takes seconds: before rules are put in use, not at every start.

    Raises:
        ContractError: there is no expectation of a rule's type, or it has no such argument.
    """
    library, _ = engine()
    log = logging.getLogger("great_expectations.core.expectation_suite")
    was_disabled, log.disabled = log.disabled, True  # it logs a traceback
    try:
        for dataset in load_contracts():
            for entry in _read_suite(dataset):
                try:
                    built = library.ExpectationSuite(name=dataset, expectations=[_bare(entry, _Named())]).expectations
                except Exception:  # noqa: BLE001  (each version of the library raises other kinds)
                    built = []
                if not built:  # a type that there is not is left out
                    arguments = ", ".join(sorted(entry["kwargs"]))
                    raise ContractError(
                        f"{dataset}/suite.json: {entry['meta']['code']}: there is no {entry['type']} with {arguments}"
                    )
    finally:
        log.disabled = was_disabled


class _Named(dict[str, str]):
    """Stands for all that suites call $PARAMETER."""

    def __missing__(self, name: str) -> str:
        return name


@lru_cache(maxsize=64)
def always_filled(of: str | Contract) -> frozenset[str]:
    """Columns that must be filled in every row, by the suite's rules."""
    return frozenset(
        entry["kwargs"]["column"] for entry in declared_rules(of) if entry["type"] == "expect_values_to_be_filled"
    )


_ONE_AT_A_TIME = threading.RLock()
"""Great Expectations has one context per process, which loses results when two threads validate at once."""


@lru_cache(maxsize=1)
def engine() -> tuple[Any, Any]:
    """Great Expectations' module and a batch definition over frames in memory; made once per process (about 3 s)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    import ingest.checks.expectations  # noqa: F401  (registers the family)

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("file")
    return gx, asset.add_batch_definition_whole_dataframe("whole")


@lru_cache(maxsize=256)
def _suite(name: str, declared: str) -> Any:
    """A suite of Great Expectations, from its expectations as JSON: its rules are built once, not once per file."""
    return engine()[0].ExpectationSuite(name=name, expectations=json.loads(declared))


def _bare(entry: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """An expectation with its parameters filled in, and nothing but its code beside.

    The library copies what is beside again and again, and parses each parameter as an expression, for every file.
    """
    kwargs = {
        key: parameters[value["$PARAMETER"]] if isinstance(value, dict) and "$PARAMETER" in value else value
        for key, value in entry["kwargs"].items()
    }
    return {"type": entry["type"], "kwargs": kwargs, "meta": {"code": entry["meta"]["code"]}}


def try_rules(
    name: str,
    entries: Sequence[Mapping[str, Any]],
    beside: tuple[str, Any],
    *,
    rows: int = 1,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Try declared rules on what their family's metric finds beside an empty frame.

    Args:
        name: of the suite.
        entries: the suite's expectations, as declared.
        beside: key in the frame's attrs, and what is put there.
        rows: of the frame.
        parameters: what suites call $PARAMETER.

    Returns:
        Rule code → its result (empty when it could not be tried) and what was raised.
    """
    import pandas as pd

    if not entries:
        return {}
    from great_expectations.validator.v1_validator import Validator

    frame = pd.DataFrame(index=range(rows))  # nothing in it: a frame's columns are hashed, cell by cell
    frame.attrs[beside[0]] = beside[1]
    with _ONE_AT_A_TIME:
        _, batches = engine()
        suite = _suite(name, json.dumps([_bare(entry, parameters or {}) for entry in entries]))
        # What Batch.validate does, but the batch is made once, not twice.
        found = Validator(batches, "SUMMARY", {"dataframe": frame}).validate_expectation_suite(suite)
    tried = {one.expectation_config.meta["code"]: (one.result or {}, one.exception_info) for one in found.results}
    return {entry["meta"]["code"]: tried.get(entry["meta"]["code"], ({}, None)) for entry in entries}


def run_rules(
    contract: Contract, sheet: Sheet, parameters: Mapping[str, str], skip: frozenset[str] = frozenset()
) -> list[RuleOutcome]:
    """Run every rule of a suite on a sheet.

    Args:
        contract: whose suite, in its version.
        sheet: conformed columns and those derived for rules.
        parameters: what suites call $PARAMETER, such as `quarter_end` (ISO date).
        skip: codes of rules to leave out.

    Returns:
        The outcomes of the rules that some row breaks or that raised, in the suite's order.
    """
    from ingest.checks.expectations import SHEET

    rules = {rule.code: rule for rule in load_rules(contract)}
    chosen = [entry for entry in declared_rules(contract) if entry["meta"]["code"] not in skip]
    outcomes: dict[str, RuleOutcome] = {}
    tried = try_rules(contract.dataset, chosen, (SHEET, sheet), rows=sheet.rows, parameters=parameters)
    for code, (result, _) in tried.items():
        rows = result.get("unexpected_rows")
        if rows is None:
            outcomes[code] = RuleOutcome(rules[code], np.empty(0, np.int64), raised=True)
        elif len(rows):
            outcomes[code] = RuleOutcome(rules[code], rows)
    return [one for code in rules if code in outcomes and (one := _yielding(outcomes[code], outcomes)) is not None]


def _yielding(outcome: RuleOutcome, outcomes: Mapping[str, RuleOutcome]) -> RuleOutcome | None:
    """An outcome without the rows in which a rule that names the cause fired; None when no row is left."""
    causes = [outcomes[code].rows for code in outcome.rule.yields_to if code in outcomes]
    if outcome.raised or not causes:
        return outcome
    left = outcome.rows[~np.isin(outcome.rows, np.concatenate(causes))]
    return RuleOutcome(outcome.rule, left) if len(left) else None
