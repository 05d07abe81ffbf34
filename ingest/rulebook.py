"""Writing expectations/RULES.md, the page of all rules, from the suites: `python -m ingest.rulebook`."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.checks.suites import Rule, rules_of_all_versions
from ingest.contracts import EXPECTATIONS, Contract, load_contracts
from ingest.findings import file_rules

PAGE = EXPECTATIONS / "RULES.md"
_SEVERITIES = {"error": "fel", "query": "fråga"}
_NEEDS = {
    None: "",
    "previous_quarter": "förra kvartalet",
    "cases": "kvartalets ärenden",
    "four_quarters": "fyra kvartal",
}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("{codes}", "…").replace("<", "&lt;")


def _named(rule: Rule) -> str:
    """A rule's code, with its first and last quarter where it has them."""
    since = f"från {rule.valid_from}" if rule.valid_from else ""
    until = f"till {rule.valid_to}" if rule.valid_to else ""
    return f"{rule.code} ({' '.join(filter(None, (since, until)))})" if since or until else rule.code


def _rules_of(contract: Contract) -> Iterator[str]:
    yield f"## {contract.dataset} – {contract.title_sv}"
    yield ""
    yield "| regel | slag | kolumner | vad avsändaren läser | ser även på | why |"
    yield "|---|---|---|---|---|---|"
    for rule in rules_of_all_versions(contract.dataset):
        columns = ", ".join(f"`{name}`" for name in rule.columns)
        cells = (_named(rule), _SEVERITIES[rule.severity], columns, rule.message_sv, _NEEDS[rule.needs], rule.why)
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def page() -> str:
    """The whole page, Markdown. The same suites give the same text."""
    lines = [
        "# Regler",
        "",
        "Made by `python -m ingest.rulebook` from the suites and `file_rules.yml`; edit those, not this page.",
        "",
        "Texterna om filen som sådan är exempel: rader, kolumner och värden i dem är påhittade.",
        "",
        "Ett **fel** gör att filen inte tas in; en **fråga** släpper in filen och ska rättas eller förklaras.",
        "",
        "## Filen som sådan",
        "",
        "| regel | slag | vad avsändaren läser | why |",
        "|---|---|---|---|",
    ]
    for rule in file_rules().values():
        said = _cell(rule.message_sv.format(**rule.example))
        lines.append(f"| {rule.code} | {_SEVERITIES[rule.severity]} | {said} | {_cell(rule.why)} |")
    lines.append("")
    for contract in load_contracts().values():
        lines.extend(_rules_of(contract))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
