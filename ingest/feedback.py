"""Feedback to the sender: Swedish text for people, JSON for programs. Nothing personal is repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.checking import CheckReport
from ingest.findings import Finding, Severity, count_with_noun
from ingest.row_changes import Changes

SHOWN_ROWS = 8
"""Rows named per rule in the text; all are counted."""
_SEVERITIES = {"error": "FEL", "query": "FRÅGA"}


def as_json(file: str, report: CheckReport, per_rule: int | None = None) -> dict[str, Any]:
    """One object of the array that `check --format json` prints. `file` is the path as it was given.

    With `per_rule`, at most so many findings of each rule are listed, and `counts` says how many there are. `explained`
    says how many queries of a rule an earlier explanation answers.
    """
    counts = {} if per_rule is None else {"counts": {count.rule: count.row_count for count in report.counts()}}
    return {
        "file": file,
        "accepted": report.accepted,
        "verdict": verdict(report),
        "district": report.name.district,
        "dataset": report.name.dataset,
        "quarter": str(report.name.quarter) if report.name.quarter else None,
        "rows": report.rows,
        "findings": [
            {"rule": f.rule, "severity": f.severity, "row": f.row, "column": f.column, "message": f.message}
            for f in report.findings(per_rule)
        ],
        "skipped": list(report.skipped),
        **({} if report.changes is None else _changes_of(report.changes)),
        **({} if report.used_words is None else {"mapping": report.used_words.as_json()}),
        **({"explained": dict(report.explained)} if report.explained else {}),
        **counts,
    }


def _changes_of(changes: Changes) -> dict[str, Any]:
    lines = [line.removeprefix("  ") for line in changes.as_text(SHOWN_ROWS)]
    return {"changes": changes.as_json(), "changes_text": lines}


def verdict(report: CheckReport) -> str:
    """One line: whether the file would be taken in, and what was found."""
    errors, explained = report.total("error"), sum(report.explained.values())
    queries = report.total("query") - explained
    to_answer = count_with_noun(queries, "fråga", "frågor")
    if not report.accepted:
        return f"TAS INTE IN: {count_with_noun(errors, 'fel', 'fel')} att rätta, {to_answer}"
    rows = count_with_noun(report.rows, "rad", "rader")
    said = f"TAS IN: {rows}, {to_answer} att rätta eller förklara" if queries else f"TAS IN: {rows}, inga fel"
    answered = count_with_noun(explained, "fråga redan förklarad", "frågor redan förklarade")
    return f"{said}, {answered}" if explained else said


def word_for(report: CheckReport, rule: str, severity: Severity) -> str:
    """`FEL`, `FRÅGA`, or `FÖRKLARAD` for a rule all of whose queries are answered."""
    is_explained = report.explained.get(rule, 0) >= next((c.row_count for c in report.counts() if c.rule == rule), 1)
    return "FÖRKLARAD" if is_explained else _SEVERITIES[severity]


def as_text(file: str, report: CheckReport) -> Iterator[str]:
    """Lines of Swedish text: the verdict, then each rule with its message, the first rows and how many more."""
    yield f"{file}: {verdict(report)}"
    if report.used_words is not None:
        yield from (f"  {line}" for line in report.used_words.as_text())
    if report.changes is not None:
        yield from report.changes.as_text(SHOWN_ROWS)
    grouped: dict[str, list[Finding]] = {}
    for found in report.findings(per_rule=SHOWN_ROWS):
        grouped.setdefault(found.rule, []).append(found)
    totals = {count.rule: count.row_count for count in report.counts()}
    severities: tuple[Severity, ...] = ("error", "query")
    for severity in severities:
        for rule, found_list in grouped.items():
            if found_list[0].severity == severity:
                yield from _rule_lines(rule, word_for(report, rule, severity), found_list, totals[rule])
                if 0 < report.explained.get(rule, 0) < totals[rule]:
                    answered = count_with_noun(report.explained[rule], "redan förklarad", "redan förklarade")
                    yield f"  {'':5} … varav {answered}."
    if report.skipped:
        yield f"  Ej prövade regler (tidigare kvartal eller kolumn saknas): {', '.join(report.skipped)}"


def _rule_lines(rule: str, word: str, findings: list[Finding], total: int) -> Iterator[str]:
    messages = list(dict.fromkeys(f.message for f in findings))
    listed = 0
    head = f"  {word} {rule}"
    for message in messages[:SHOWN_ROWS]:
        rows = [str(f.row) for f in findings if f.message == message and f.row is not None][:SHOWN_ROWS]
        listed += max(len(rows), 1)
        where = f" Rad {', '.join(rows)}." if rows else ""
        yield f"{head}: {message}{where}"
    if total > listed:
        yield f"  {'':5} … och {count_with_noun(total - listed, 'ställe', 'ställen')} till med {rule}."
