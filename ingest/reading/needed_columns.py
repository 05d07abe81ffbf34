"""Columns that a file must have only if some row needs them, as the rules about filled cells say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.checks.arithmetic import KINDS, BoolArray, Sheet
from ingest.checks.suites import always_filled, declared_rules
from ingest.contracts import CodeList, Contract, load_contracts
from ingest.findings import Finding
from ingest.reading.headers import missing_column

_COUNTED = "counts_given_when_positive"
_KINDS = {
    "expect_values_to_be_filled_when": "filled_when",
    "expect_either_to_be_filled": "filled_when_empty",
    "expect_counts_to_be_given_when_positive": _COUNTED,
}


@dataclass(frozen=True)
class Need:
    """A rule by which some rows need a column.

    Attributes:
        kind: of the rule, as `arithmetic.KINDS` knows it.
        arguments: the rule's own; its column is the one that is needed.
    """

    kind: str
    arguments: Mapping[str, Any]

    @property
    def column(self) -> str:
        """The column that is needed."""
        return str(self.arguments["column"])

    @property
    def decided_by(self) -> str:
        """The column that says which rows need it."""
        return str(self.arguments["when_column"])

    def rows(self, sheet: Sheet) -> BoolArray:
        """The rows that need it, given that all its cells are empty."""
        if self.kind == _COUNTED:
            found: BoolArray = sheet[self.decided_by] > 0
            return found
        return KINDS[self.kind](sheet, **self.arguments)

    def in_words(self, contract: Contract, codes: Mapping[str, CodeList]) -> str:
        """Which rows, in Swedish: `där ID-typ är reservnummer (Reservnummer)`."""
        label = contract.column(self.decided_by).label_sv
        if self.kind == _COUNTED:
            return f"där {label} är större än noll"
        if self.kind == "filled_when_empty":
            return f"där {label} är tom"
        values = self.arguments.get("when_values")
        if values is None:
            return f"där {label} är ifylld"
        return f"där {label} är {' eller '.join(codes[self.decided_by].with_label(code) for code in values)}"


def _needs_in(rule: Mapping[str, Any]) -> Iterator[Need]:
    """The needs that one declared rule makes."""
    kind, given = _KINDS.get(rule["type"]), rule["kwargs"]
    if kind is None or "needs" in rule["meta"]:  # what another file says can't be seen in this one's rows
        return
    if kind == _COUNTED:
        yield from (Need(kind, {"column": name, "when_column": given["when_column"]}) for name in given["columns"])
        return
    yield Need(kind, given)
    if kind == "filled_when_empty":
        yield Need(kind, {"column": given["when_column"], "when_column": given["column"]})


@lru_cache(maxsize=64)
def needs_of(of: str | Contract) -> tuple[Need, ...]:
    """The needs that the suite of a dataset, or of a contract's version, declares.

    A column needed in every row, or by other files' rows, has none.
    """
    always = always_filled(of)
    found = [need for rule in declared_rules(of) for need in _needs_in(rule)]
    return tuple(need for need in found if need.column not in always)


@lru_cache(maxsize=64)
def needed_by_some(of: str | Contract) -> frozenset[str]:
    """Columns that only some rows need."""
    return frozenset(need.column for need in needs_of(of))


@dataclass(frozen=True)
class Limit:
    """Rows in which a column may be filled at all, by an error rule on it and columns that decide.

    Attributes:
        column: for which no rule says when it must be filled.
        decided_by: a cell of one of these must be filled (or above zero, for a sum).
        values: codes of the deciding column; None for any.
        is_sum: whether the deciding columns are counts.
    """

    column: str
    decided_by: tuple[str, ...]
    values: tuple[str, ...] | None = None
    is_sum: bool = False

    def rows(self, sheet: Sheet) -> BoolArray:
        """The rows in which the column may be filled; what can't be read excludes nothing."""
        found: list[BoolArray] = []
        for name in self.decided_by:
            unread = ~sheet.is_empty(name) & ~sheet.is_read(name)
            if self.is_sum:
                found.append((sheet[name] > 0) | unread)
            elif self.values is None:
                found.append(~sheet.is_empty(name))
            else:
                found.append(sheet.is_one_of(name, self.values) | unread)
        every: BoolArray = np.logical_or.reduce(found)
        return every


def _limits_in(rule: Mapping[str, Any]) -> Iterator[Limit]:
    """The limits that one declared rule sets."""
    given = rule["kwargs"]
    if rule["meta"]["severity"] != "error" or "needs" in rule["meta"]:
        return
    if rule["type"] == "expect_values_to_be_empty_unless":
        values = given.get("when_values")
        yield Limit(given["column"], (given["when_column"],), None if values is None else tuple(values))
    elif rule["type"] == "expect_values_to_be_filled_when" and not {"when_values", "unless_column"} & set(given):
        yield Limit(given["when_column"], (given["column"],))  # else that one would be missed
    elif rule["type"] == "expect_sums_to_have_someone":
        yield Limit(given["sum_column"], tuple(given["columns"]), is_sum=True)


@lru_cache(maxsize=64)
def limits_of(of: str | Contract) -> dict[str, tuple[Limit, ...]]:
    """Columns for which no rule says when they must be filled, with what limits where they may be."""
    settled = always_filled(of) | needed_by_some(of)
    contract = load_contracts()[of] if isinstance(of, str) else of
    columns = [c.name for c in contract.columns if not c.optional and c.name not in settled]
    found = [limit for rule in declared_rules(of) for limit in _limits_in(rule)]
    return {name: tuple(limit for limit in found if limit.column == name) for name in columns}


@lru_cache(maxsize=64)
def decided_by_rows(of: str | Contract) -> frozenset[str]:
    """Columns whose lack is a fault only when a row of the file needs them, or may."""
    return needed_by_some(of) | frozenset(limits_of(of))


def _fillable(name: str, contract: Contract, sheet: Sheet, missing: frozenset[str]) -> bool:
    """Whether some row may fill a column that no rule asks for, by the columns that the file has."""
    found = np.ones(sheet.rows, dtype=bool)
    for limit in limits_of(contract)[name]:
        if not missing & set(limit.decided_by):
            found &= limit.rows(sheet)
    return bool(found.any())


def missing_columns(
    contract: Contract,
    missing: Iterable[str],
    hints: Mapping[str, str],
    sheet: Sheet,
    codes: Mapping[str, CodeList],
    numbers: npt.NDArray[np.int32],
) -> tuple[list[Finding], frozenset[str]]:
    """Which of a file's missing columns its rows need.

    A column for which no rule says when it must be filled may be left out when no row may fill it. A column that is
    decided by one which is missing itself is needed for all we can say, unless no row needs that one either: then all
    its cells are empty. A file without rows needs none of them.

    Args:
        contract: the dataset's.
        missing: columns of the contract that the file lacks.
        hints: see `MatchedHeaders`.
        sheet: the file's columns, missing ones empty throughout.
        codes: code lists of the code columns.
        numbers: each row as Excel numbers it.

    Returns:
        A fault (FIL-010) for each column that is needed, and all columns whose lack is a fault: these, and the ones
        that every row needs.
    """
    lacking = {name for name in missing if not contract.column(name).optional}
    undecided = lacking & decided_by_rows(contract)
    if not sheet.rows:
        lacking -= undecided - hints.keys()
        undecided &= hints.keys()
    found_before = {name for name in undecided if name in hints}  # by the findings on headers
    faults = (lacking - undecided) | found_before
    undecided -= found_before
    findings: dict[str, Finding] = {}
    for name in sorted(undecided & limits_of(contract).keys()):
        if _fillable(name, contract, sheet, frozenset(missing)):
            findings[name] = missing_column(contract, name, hints)
            faults |= {name}
        undecided -= {name}
    changed = True
    while changed:
        changed = False
        for name in sorted(undecided):
            needs = [need for need in needs_of(contract) if need.column == name]
            asking = [(need, need.rows(sheet)) for need in needs]
            first = next(((need, rows) for need, rows in asking if rows.any()), None)
            if first is not None and first[0].decided_by not in faults | undecided:
                every = np.logical_or.reduce([rows for _, rows in asking])
                findings[name] = missing_column(
                    contract, name, hints, _need_in_words(first[0], every, contract, codes, numbers)
                )
                faults.add(name)
            elif any(need.decided_by in faults | undecided for need in needs):
                continue
            undecided.discard(name)
            changed = True
    for name in undecided:
        findings[name] = missing_column(contract, name, hints)
    return [findings[c.name] for c in contract.columns if c.name in findings], frozenset(faults | undecided)


def _need_in_words(
    need: Need, rows: BoolArray, contract: Contract, codes: Mapping[str, CodeList], numbers: npt.NDArray[np.int32]
) -> str:
    count, first = int(rows.sum()), int(numbers[np.flatnonzero(rows)[0]])
    many = "1 rad behöver den" if count == 1 else f"{count} rader behöver den, den första"
    return f": {many}{',' if count == 1 else ''} rad {first}, {need.in_words(contract, codes)}"
