"""The suite of the marts, `expectations/marts.json`, and running it through Great Expectations over a warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from ingest.checks.suites import try_rules
from ingest.contracts import EXPECTATIONS
from publish.gate.arithmetic import Break, Marts

SUITE = EXPECTATIONS / "marts.json"
Weight = Literal["error", "warning"]
"""An error stops a release, a warning is reported with it."""


@dataclass(frozen=True)
class MartRule:
    """One declared rule about the marts.

    Attributes:
        code: `MAR-nnn`; never reused.
        table: the mart it is about; None when it is about what was submitted.
        dataset: whose figures they are; None when of more than one.
        why: what it guards against.
    """

    code: str
    severity: Weight
    table: str | None
    dataset: str | None
    why: str
    kind: str


@dataclass(frozen=True)
class MartOutcome:
    """Where the marts break a rule. `raised` says why it could not be tried (None when it was): our fault."""

    rule: MartRule
    breaks: tuple[Break, ...]
    raised: str | None = None


def _declared(path: Path) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["expectations"]
    return found


@lru_cache(maxsize=4)
def load_mart_rules(path: Path = SUITE) -> tuple[MartRule, ...]:
    """The declared rules, in the suite's order. Does not import Great Expectations.

    Raises:
        ValueError: two rules share a code, or one is neither error nor warning.
    """
    rules = tuple(
        MartRule(
            entry["meta"]["code"],
            entry["meta"]["severity"],
            entry["kwargs"].get("table"),
            entry["meta"].get("dataset") or entry["kwargs"].get("dataset"),
            entry["meta"]["why"],
            entry["type"],
        )
        for entry in _declared(path)
    )
    if len({rule.code for rule in rules}) != len(rules):
        raise ValueError(f"{path.name}: two rules share a code")
    odd = [rule.code for rule in rules if rule.severity not in get_args(Weight)]
    if odd:
        raise ValueError(f"{path.name}: {odd[0]} is neither error nor warning")
    return rules


def run_mart_rules(marts: Marts, path: Path = SUITE) -> list[MartOutcome]:
    """Try the rules about marts that the warehouse holds.

    Args:
        marts: the warehouse.
        path: the suite.

    Returns:
        The outcomes of the rules that are broken somewhere or could not be tried, in the suite's order.

    Raises:
        duckdb.Error: the warehouse's file can't be read.
    """
    from publish.gate.expectations import MARTS

    rules = {rule.code: rule for rule in load_mart_rules(path)}
    there = marts.tables() | {None}
    chosen = [entry for entry in _declared(path) if rules[entry["meta"]["code"]].table in there]
    outcomes: dict[str, MartOutcome] = {}
    tried = try_rules("marts", chosen, (MARTS, marts))
    if marts.failures:
        raise marts.failures[0]
    for code, (result, raised) in tried.items():
        breaks = result.get("breaks")
        if breaks is None:
            outcomes[code] = MartOutcome(rules[code], (), raised=_reason(raised))
        elif breaks:
            outcomes[code] = MartOutcome(rules[code], tuple(breaks))
    return [outcomes[code] for code in rules if code in outcomes]


def _reason(info: Any) -> str:
    """The first line of what was raised; Great Expectations gives it plainly or under the metric's id."""
    found = info if "exception_message" in (info or {}) else next(iter((info or {}).values()), {})
    lines = str((found or {}).get("exception_message") or "no reason given").strip().splitlines()
    return lines[0][:200]
