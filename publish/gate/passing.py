"""The gate before a release: whether the marts are fit to go out.

Errors stop a release, warnings are reported with it. A jump is no error where somebody was asked about it: a query,
open or explained, about that district's file of that quarter, or a reason given in `expectations/known_jumps.yml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ingest.contracts import EXPECTATIONS
from ingest.ledger import Ledger
from ingest.settings import Settings
from publish.catalogue.manifest import load_manifest
from publish.gate.arithmetic import Break, Marts
from publish.gate.suite import SUITE, MartOutcome, Weight, run_mart_rules
from publish.warehouse import open_warehouse

KNOWN_JUMPS = EXPECTATIONS / "known_jumps.yml"
LONGEST = 20
"""So many findings of one rule are reported one by one; what is beyond is counted."""
_JUMP = "expect_no_jump_of_totals"


class MartsMissing(Exception):
    """There is no warehouse to look at; the message says what to do."""


class GateClosed(Exception):
    """The marts are not fit to go out; nothing was released. `findings` holds every error and warning."""

    def __init__(self, findings: Sequence[GateFinding]) -> None:
        """Name what is wrong."""
        self.findings = tuple(findings)
        wrong = [str(finding) for finding in self.findings if finding.severity == "error"]
        super().__init__(
            "errors in the marts stop the release:\n" + "\n".join(wrong) + "\nWhat each means, and what to do: "
            "docs/runbook.md, Publishing, “The marts have errors”. Build again when it is mended."
        )


@dataclass(frozen=True)
class GateFinding:
    """Something found in the marts. District and quarter are None where it is about more than one.

    Attributes:
        rule: code in `expectations/marts.json`, or `GATE` for what the gate itself finds.
        severity: an error stops a release.
        table: the mart; None when it is about what was submitted.
        message: English, with districts, quarters, columns and totals; never a row's figures.
        missing: codes of units, where their files of one dataset are missing.
    """

    rule: str
    severity: Weight
    table: str | None
    district_code: str | None
    reporting_quarter: str | None
    message: str
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = " ".join(part for part in (self.table, self.district_code, self.reporting_quarter) if part)
        return f"{self.rule} {where}: {self.message}" if where else f"{self.rule}: {self.message}"


class KnownJump(BaseModel):
    """A jump that was asked about outside the queries, and what is known of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    district: str
    dataset: str
    quarter: str = Field(pattern=r"^\d{4}Q[1-4]$")
    why: str = Field(min_length=10)


@lru_cache(maxsize=4)
def load_known_jumps(path: Path = KNOWN_JUMPS) -> tuple[KnownJump, ...]:
    """The declared jumps.

    Raises:
        ValueError: the file is not a list of them (pydantic's ValidationError is one).
    """
    return TypeAdapter(tuple[KnownJump, ...]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or ())


def check_marts(settings: Settings, *, suite: Path = SUITE, known_jumps: Path = KNOWN_JUMPS) -> list[GateFinding]:
    """Look at the marts that are in place.

    Args:
        settings: the installation's.
        suite: the rules.
        known_jumps: jumps that have a reason.

    Returns:
        What was found: errors first, in the order of the rules.

    Raises:
        MartsMissing: there is no warehouse, or it lacks what the rules read.
        WarehouseFailed: it is damaged or can't be opened.
        ManifestMissing: there is no manifest beside it.
    """
    if not settings.warehouse.exists():
        raise MartsMissing("there is no warehouse yet: run `followup build` first")
    wanted = load_manifest(settings).published
    try:
        with open_warehouse(settings.warehouse) as connection:
            marts = Marts(connection)
            there, outcomes = marts.tables(), run_mart_rules(marts, suite)
    except duckdb.Error as error:
        raise MartsMissing(
            f"the warehouse lacks what is looked at ({type(error).__name__}): run `followup build --force`"
        ) from error
    asked = _asked_about(settings, outcomes, known_jumps)
    findings = [
        GateFinding("GATE", "error", table, None, None, "the mart is marked to go out, and the warehouse lacks it")
        for table in wanted
        if table not in there
    ]
    for outcome in outcomes:
        findings += _first_findings(_of(outcome, asked))
    return sorted(findings, key=lambda finding: finding.severity != "error")


def pass_gate(settings: Settings) -> list[GateFinding]:
    """Look at the marts that are in place, and let nothing through that has errors.

    Returns:
        The warnings.

    Raises:
        GateClosed: there are errors.
        MartsMissing, ManifestMissing: see `check_marts`.
    """
    findings = check_marts(settings)
    if any(finding.severity == "error" for finding in findings):
        raise GateClosed(findings)
    return findings


def _asked_about(
    settings: Settings, outcomes: Iterable[MartOutcome], known_jumps: Path
) -> dict[tuple[str, str, str], str]:
    """(district, dataset, quarter) that somebody was asked about → how; read only when something has jumped."""
    if not any(outcome.rule.kind == _JUMP for outcome in outcomes):
        return {}
    ledger = Ledger(settings.ledger)
    try:
        in_force = ledger.in_force()
    finally:
        ledger.close()
    asked = {
        (found.district_code, found.dataset or "", found.reporting_quarter or ""): (
            f"asked about: {found.open_query_count} of {found.query_count} queries are open"
        )
        for found in in_force
        if found.query_count
    }
    return asked | {
        (known.district, known.dataset, known.quarter): known.why for known in load_known_jumps(known_jumps)
    }


def _of(outcome: MartOutcome, asked: dict[tuple[str, str, str], str]) -> list[GateFinding]:
    rule = outcome.rule
    if outcome.raised is not None:
        return [GateFinding(rule.code, "error", rule.table, None, None, f"could not be tried: {outcome.raised}")]
    return [_finding(outcome, found, asked) for found in outcome.breaks]


def _finding(outcome: MartOutcome, found: Break, asked: dict[tuple[str, str, str], str]) -> GateFinding:
    rule, message, severity = outcome.rule, found.found, outcome.rule.severity
    if rule.kind == _JUMP:
        reason = asked.get((found.district_code or "", rule.dataset or "", found.reporting_quarter or ""))
        if reason is not None:
            severity, message = "warning", f"{message} ({reason})"
        else:
            message = f"{message}; no query about {rule.dataset} is open or explained"
    where = found.district_code, found.reporting_quarter
    return GateFinding(rule.code, severity, rule.table, *where, message, found.missing)


def in_lines(findings: Iterable[GateFinding]) -> list[str]:
    """Findings as a line each; those about missing files as one line a quarter, which says where all of them stand."""
    lines: list[str] = []
    lacking: dict[str | None, list[GateFinding]] = {}
    for finding in findings:
        if finding.missing:
            lacking.setdefault(finding.reporting_quarter, []).append(finding)
        else:
            lines.append(str(finding))
    for quarter, found in sorted(lacking.items(), key=lambda item: item[0] or ""):
        if len(found) == 1:
            lines.append(str(found[0]))
            continue
        units, files = {code for one in found for code in one.missing}, sum(len(one.missing) for one in found)
        rules = ", ".join(one.rule for one in found)
        lines.append(
            f"{quarter}: {files} files of {len(units)} units are not in force ({rules}): "
            f"`followup quarter report {quarter}` names them"
        )
    return lines


def _first_findings(findings: list[GateFinding]) -> list[GateFinding]:
    """The first findings of a rule, errors first, and one that counts the rest."""
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")
    shown, rest = ordered[:LONGEST], ordered[LONGEST:]
    if rest:
        first = rest[0]
        shown.append(
            GateFinding(first.rule, first.severity, first.table, None, None, f"and {len(rest)} more like these")
        )
    return shown
