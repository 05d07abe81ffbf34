"""Units' own words: setting a mapping, with what it requires, and what is read anew by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from followup.deciding import now_naive
from ingest.contracts import load_contracts
from ingest.ledger import Ledger, Submission
from ingest.ledger.decisions import local_names
from ingest.ledger.mappings import add_mapping, mapping_in_use, words_that_judged
from ingest.mappings.documents import MOST_BYTES, DatasetWords, MappingRefused, UnitMapping, mistakes_in, read_mapping
from ingest.quarters import Quarter
from ingest.recording import IntakeContext

_OF_HEADERS = ("FIL-010", "FIL-011", "FIL-021", "FIL-050", "FIL-086", "FIL-095")
"""Rules about the file that a mapping of its columns may settle, or that a wrong mapping raised."""


@dataclass(frozen=True)
class SetMapping:
    """A mapping that was set.

    Attributes:
        is_new: False where the version in use says the same: nothing was changed.
        refused: files refused for what the mapping may settle, to be checked again.
    """

    mapping: UnitMapping
    is_new: bool
    refused: tuple[Submission, ...]


def read_checked(path: Path, ledger: Ledger | None = None) -> UnitMapping:
    """A mapping from a file, checked against the contract, and against the city's local names where there is a ledger.

    Raises:
        MappingRefused: it can't be used; every mistake is named.
        OSError: the file can't be read.
    """
    with path.open("rb") as handle:
        mapping = read_mapping(handle.read(MOST_BYTES + 1))
    if mistakes := mistakes_in(mapping, () if ledger is None else local_names(ledger)):
        raise MappingRefused(mistakes)
    return mapping


def set_mapping(intake: IntakeContext, mapping: UnitMapping) -> SetMapping:
    """Set a mapping from `read_checked`; safe to repeat.

    Returns:
        What was set, and which refused files are to be checked again; after them look at `read_otherwise`.

    Raises:
        MappingRefused: it can't be used.
        LeaseBusy: another process does something with the unit's files.
    """
    ledger, unit = intake.ledger, mapping.district_code
    if mistakes := mistakes_in(mapping, local_names(ledger)):
        raise MappingRefused(mistakes)
    with intake.lease(unit):
        before = mapping_in_use(ledger, unit, mapping.valid_from)
        done = add_mapping(ledger, mapping, now_naive(intake.settings))
    return SetMapping(done, done != before, tuple(_refused(ledger, done)))


def _refused(ledger: Ledger, mapping: UnitMapping) -> list[Submission]:
    """The unit's refused files that are read by this version, and were refused for what it may settle."""
    from ingest.maintenance.reprocessing import open_refusals

    found = []
    for dataset, words in mapping.datasets:
        rules = _rules_of(dataset, words)
        for one in open_refusals(ledger, district=mapping.district_code, dataset=dataset, rules=rules):
            if mapping_in_use(ledger, mapping.district_code, Quarter.parse(one.reporting_quarter or "")) == mapping:
                found.append(one)
    return found


def _rules_of(dataset: str, words: DatasetWords) -> set[str]:
    """Rules that refuse a file for a word that the mapping knows."""
    from ingest.checks.suites import load_rules

    coded = {word.column for word in words.codes} | {word.column for word in words.columns}
    coded |= {word.column for word in words.empties} | {word.column for word in words.dates}
    return set(_OF_HEADERS) | {rule.code for rule in load_rules(dataset) if set(rule.columns) & coded}


def read_otherwise(ledger: Ledger, unit: str) -> list[Submission]:
    """What is in force of a unit, was read by other words than are in use now, and can be read again."""
    found = []
    for one in ledger.in_force(district=unit):
        if one.dataset not in load_contracts() or one.reporting_quarter is None:
            continue
        mapping = mapping_in_use(ledger, unit, Quarter.parse(one.reporting_quarter))
        words = mapping.words_of(one.dataset) if mapping is not None else DatasetWords()
        if words != words_that_judged(ledger, one) and one.original_erased_at is None:
            found.append(one)
    return found
