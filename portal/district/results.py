"""What a check found, as its page shows it: grouped by rule, faults before queries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from followup.status import OpenQuery
from ingest.checks.suites import load_rules
from ingest.contracts import load_contracts

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-ZÅÄÖ])")
_IN_BRACKETS = re.compile(r"\.? *\((.+)\)\.?", re.DOTALL)
_IN_EARLIER_FILE = re.compile(r"(.*) \(rad (\d+) i förra kvartalets fil\)", re.DOTALL)
_KEY_LETTERS = 16
_ROWS_LISTED = 12


@dataclass(frozen=True)
class Place:
    """One place that breaks a rule. `message` says what is wrong in that row."""

    row: int | None
    column: str | None
    message: str


@dataclass(frozen=True)
class ToExplain:
    """An open query: `key` names it in a form, and `label` says where it is."""

    key: str
    label: str


@dataclass(frozen=True)
class RuleGroup:
    """All that was found by one rule.

    Attributes:
        severity: error, query, or explained (queries that are all answered).
        message: what is wrong, one sentence. `todo`: what to do.
        count: places in all; `places` are the first of them.
        open: queries that wait for an explanation. `explanations`: (text, how many rows).
    """

    code: str
    severity: str
    message: str
    todo: str | None
    count: int
    places: tuple[Place, ...]
    open: tuple[ToExplain, ...] = ()
    explanations: tuple[tuple[str, int], ...] = ()


def rule_groups(
    report: Mapping[str, Any],
    open_queries: Sequence[OpenQuery] = (),
    explanations: Iterable[tuple[str, str]] = (),
    *,
    is_handed_in: bool = False,
) -> tuple[RuleGroup, ...]:
    """Group a report's findings.

    Args:
        report: an object of `check --format json`.
        open_queries: of the submission, where the file was handed in.
        explanations: (rule, text) of each explained row of the submission.
        is_handed_in: whether queries can be explained now: those that no explanation answers are open.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in report["findings"]:
        found.setdefault(one["rule"], []).append(one)
    counts, explained = report.get("counts", {}), report.get("explained", {})
    texts: dict[str, dict[str, int]] = {}
    for rule, text in explanations:
        of_rule = texts.setdefault(rule, {})
        of_rule[text] = of_rule.get(text, 0) + 1
    waiting: dict[str, list[OpenQuery]] = {}
    for query in open_queries:
        waiting.setdefault(query.rule, []).append(query)
    groups = []
    for code, findings in found.items():
        count = int(counts.get(code, len(findings)))
        severity = str(findings[0]["severity"])
        is_answered = code not in waiting if is_handed_in else int(explained.get(code, 0)) >= count
        message, todo = _said(report.get("dataset"), code, findings)
        groups.append(
            RuleGroup(
                code,
                "explained" if severity == "query" and is_answered else severity,
                message,
                todo,
                count,
                tuple(_place(report.get("dataset"), one, message, todo) for one in findings),
                _to_explain(waiting.get(code, ())),
                tuple(texts.get(code, {}).items()),
            )
        )
    order = {"error": 0, "query": 1, "explained": 2}
    return tuple(sorted(groups, key=lambda group: order[group.severity]))


def query_key(query: OpenQuery) -> str:
    """What names an open query in a form: its row key may have any letters."""
    return hashlib.sha256(query.row_key.encode()).hexdigest()[:_KEY_LETTERS]


def _to_explain(queries: Sequence[OpenQuery]) -> tuple[ToExplain, ...]:
    listed: dict[str, list[OpenQuery]] = {}
    for query in queries:
        listed.setdefault(query_key(query), []).append(query)
    return tuple(
        ToExplain(key, ", ".join("Hela filen" if one.row is None else f"Rad {one.row}" for one in same))
        for key, same in listed.items()
    )


def _said(dataset: str | None, code: str, findings: Sequence[Mapping[str, Any]]) -> tuple[str, str | None]:
    """What is wrong, and what to do: a rule's message begins with the one and goes on with the other."""
    declared = next((rule.message_sv for rule in _rules(dataset) if rule.code == code), None)
    shortest = min((str(one["message"]) for one in findings), key=len)
    sentences = _SENTENCE.split(declared or shortest, maxsplit=1)
    todo = sentences[1] if len(sentences) > 1 else None
    if todo is not None and "{codes}" in todo:
        todo = "Tillåtna värden:" + shortest.partition("Tillåtna värden:")[2]
    return sentences[0], todo


def _place(dataset: str | None, found: Mapping[str, Any], message: str, todo: str | None) -> Place:
    """A place, with the column as the file heads it, and of its message what the group does not say already."""
    text, row = str(found["message"]), found["row"]
    earlier = _IN_EARLIER_FILE.fullmatch(text)
    if earlier is not None and row is None:
        return Place(int(earlier[2]), _label(dataset, found["column"]), "Raden finns i förra kvartalets fil.")
    if todo is not None:
        text = text.replace(f" {todo}", "", 1)
    cause = _IN_BRACKETS.fullmatch(text.removeprefix(message.rstrip(".")))
    if cause is not None:
        text = cause[1][:1].upper() + cause[1][1:]
    return Place(row, _label(dataset, found["column"]), text)


def _label(dataset: str | None, column: str | None) -> str | None:
    contract = load_contracts().get(dataset or "")
    labels = {one.name: one.label_sv for one in contract.columns} if contract is not None else {}
    return labels.get(column or "", column)


def _rules(dataset: str | None) -> Sequence[Any]:
    return load_rules(dataset) if dataset in load_contracts() else ()


def heading_of(report: Mapping[str, Any]) -> str:
    """The verdict in one sentence, for a file that was checked."""
    errors = sum(int(n) for code, n in _counts(report).items() if _severity(report, code) == "error")
    queries = sum(int(n) for code, n in _counts(report).items() if _severity(report, code) == "query")
    if not report["accepted"]:
        return f"Filen kan inte tas in: {errors} fel att rätta"
    return f"Filen kan tas in, med {queries} {'fråga' if queries == 1 else 'frågor'}" if queries else "Filen kan tas in"


def _counts(report: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = dict(report.get("counts") or {})
    if not counts:
        for one in report["findings"]:
            counts[one["rule"]] = counts.get(one["rule"], 0) + 1
    return counts


def _severity(report: Mapping[str, Any], code: str) -> str:
    return next((str(one["severity"]) for one in report["findings"] if one["rule"] == code), "error")


def change_lines(changes: Mapping[str, Any], dataset: str | None) -> list[str]:
    """What a file changes against the version in force, line by line; empty where no row differs."""
    lines = []
    for kind, verb in (("added", "tillkommer"), ("gone", "försvinner"), ("changed", "ändras")):
        count, rows = int(changes[kind]), list(changes["rows"][kind])
        if not count:
            continue
        listed = ", ".join(map(str, rows[:_ROWS_LISTED])) + (" …" if count > _ROWS_LISTED else ".")
        where = f" i version {changes['version']}" if kind == "gone" else ""
        lines.append(f"{count} {'rad' if count == 1 else 'rader'} {verb}{where}: rad {listed}")
    columns = [f"{_label(dataset, one['column'])} ({one['count']})" for one in changes["by_column"]]
    if columns:
        lines.append(f"Kolumner som ändras, och i hur många rader: {', '.join(columns)}.")
    return lines
