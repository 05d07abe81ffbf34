"""What is wrong with a file: findings, and the rules about the file as such (expectations/file_rules.yml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from ingest.contracts import EXPECTATIONS
from ingest.organisation import own_words

Severity = Literal["error", "query"]


@dataclass(frozen=True)
class Finding:
    """One fault or query. `row` is numbered as Excel does (header = 1); None for the file as such.

    The message is Swedish, says what to do, and never holds personal data. `row_key` is the key by which a query about
    the file is explained; None means `*`.
    """

    rule: str
    severity: Severity
    row: int | None
    column: str | None
    message: str
    row_key: str | None = None


class FileRule(BaseModel):
    """A rule about the file as such: `FIL-nnn`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    severity: Severity
    message_sv: str
    """May hold {placeholders} that the reader fills with what is not personal: line numbers, header names."""
    example: dict[str, str] = {}
    """What each placeholder may be filled with: for the page of rules."""
    why: str


@lru_cache(maxsize=1)
def file_rules() -> dict[str, FileRule]:
    """The declared rules about files, by code."""
    declared = yaml.safe_load((EXPECTATIONS / "file_rules.yml").read_text(encoding="utf-8"))
    said = ({**entry, "message_sv": own_words(entry["message_sv"])} for entry in declared)
    return {rule.code: rule for rule in map(FileRule.model_validate, said)}


def file_finding(
    code: str, *, row: int | None = None, column: str | None = None, row_key: str | None = None, **facts: object
) -> Finding:
    """A finding of a rule about the file, its message filled with facts that are not personal."""
    rule = file_rules()[code]
    return Finding(rule.code, rule.severity, row, column, rule.message_sv.format(**facts), row_key)


def count_with_noun(count: int, one: str, several: str) -> str:
    """A number with its noun: `1 rad`, `3 rader`."""
    return f"{count} {one if count == 1 else several}"


def where_first(count: int, row: int, first: str) -> str:
    """Where something is: `på rad 5`; of several, `den första på rad 5`, where `first` has the noun's gender."""
    return f"på rad {row}" if count == 1 else f"{first} på rad {row}"


class Unreadable(Exception):
    """The file can't be read as a table at all; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        """Store the finding; the exception's text is only the rule's code."""
        super().__init__(finding.rule)
        self.finding = finding
