"""What is stored of one person: rows in every version of every file, files with the number, explanations of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from ingest.contracts import Contract, load_contracts
from ingest.ledger import Submission
from ingest.ledger.erasures import record_person_extract
from ingest.ledger.explanations import explanations_of
from ingest.ledger.uploads import find_upload
from ingest.maintenance.erasing import keys_of_person, keys_of_rows, may_be_in, may_hold, parted_rows
from ingest.maintenance.reimporting import unrecorded_originals
from ingest.queries import queries_path, read_queries
from ingest.recording import IntakeContext
from ingest.spooling import DamagedSpool, Spool

NOT_SHOWN = ("submission_id", "district_code", "reporting_quarter", "source_file_sha256", "submitted_at", "person_key",
             "match_person_key")  # fmt: skip
"""Columns of stored rows that say nothing of the person, or are said once of all rows: pseudonyms, where from."""


@dataclass(frozen=True)
class StoredRow:
    """A row as it is stored: column → value (None: empty). Personal data: it goes into the person's document alone."""

    cells: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class OfSubmission:
    """What a submission has of the person.

    Attributes:
        is_in_force: whether figures are made of it.
        rows: none of a file whose rows are not stored, or that holds the number elsewhere.
        has_original: whether the encrypted original is stored.
        explanations: what the unit has written about these rows.
    """

    submission: Submission
    is_in_force: bool
    rows: tuple[StoredRow, ...]
    has_original: bool
    explanations: tuple[str, ...]


@dataclass(frozen=True)
class FoundPerson:
    """All that is stored of a person.

    Attributes:
        unknown_originals: originals that hold the number, or can't be shown not to, and belong to no submission.
        waiting: likewise files that wait in the portal, by unit's code (empty where that is not known).
    """

    submissions: tuple[OfSubmission, ...]
    unknown_originals: int
    waiting: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows."""
        return sum(len(one.rows) for one in self.submissions)

    @property
    def is_any(self) -> bool:
        """Whether anything is stored."""
        return bool(self.submissions or self.unknown_originals or self.waiting)


def find_person(
    intake: IntakeContext,
    number: str,
    now: datetime,
    on_file: Callable[[int, int, str], None] = lambda number, total, district: None,
) -> FoundPerson:
    """Find all that is stored of a person, as `erase_person` would erase it, and log that somebody looked.

    Args:
        intake: the installation's.
        number: a person's or coordination number as a district may write it.
        now: UTC, without zone.
        on_file: called before each submission with its number, how many there are, and its district.

    Raises:
        NotAPersonNumber: it reads as none.
        LeaseBusy: a district's files are being taken in.
    """
    person_keys, digits = keys_of_person(number, intake.keys, now)
    contracts, ledger, found = load_contracts(), intake.ledger, []
    in_force = {one.submission_id for one in ledger.in_force()}
    submissions = [one for one in ledger.submissions() if one.original_path or one.parquet_path]
    held: dict[str, bool] = {}
    for place, one in enumerate(submissions, start=1):
        on_file(place, len(submissions), one.district_code)
        contract = contracts.get(one.dataset or "")
        with intake.lease(one.district_code):
            parted = parted_rows(intake, one, contract, person_keys)
            is_stored = bool(one.original_path) and one.original_erased_at is None
            if is_stored and parted is None and one.parquet_path is None and one.original_path not in held:
                held[one.original_path] = may_hold(intake, intake.settings.home / one.original_path, digits)
            if parted is None and not (is_stored and held.get(one.original_path, False)):
                continue
            rows: tuple[StoredRow, ...] = ()
            said: tuple[str, ...] = ()
            if parted is not None and contract is not None:
                rows = tuple(StoredRow(cells) for cells in _cells(parted[1]))
                said = _explanations(intake, one, contract, parted[1])
            found.append(OfSubmission(one, one.submission_id in in_force, rows, is_stored, said))
    unknown = sum(may_hold(intake, path, digits) for path in unrecorded_originals(intake.settings, ledger))
    done = FoundPerson(tuple(found), unknown, tuple(_waiting(intake, digits)))
    record_person_extract(ledger, done.rows, len(done.submissions))
    return done


def _cells(rows: pa.Table) -> Iterator[dict[str, Any]]:
    names = [name for name in rows.column_names if name not in NOT_SHOWN]
    for row in rows.select(names).to_pylist():
        yield {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _explanations(intake: IntakeContext, found: Submission, contract: Contract, rows: pa.Table) -> tuple[str, ...]:
    queries = read_queries(queries_path(intake.settings.home, found.district_code, found.submission_id))
    keys = set(keys_of_rows(intake, contract, rows, queries))
    return tuple(one.text for one in explanations_of(intake.ledger, found.submission_id) if one.row_key in keys)


def _waiting(intake: IntakeContext, digits: str) -> Iterator[str]:
    spool = Spool(intake.settings)
    for upload_id in sorted(spool.ids()):
        if not spool.is_whole(upload_id):
            continue
        try:
            is_held = may_be_in(spool.read(upload_id, intake.keys)[1], digits)
        except DamagedSpool:
            is_held = spool.is_whole(upload_id)  # not taken in meanwhile
        if is_held:
            found = find_upload(intake.ledger, upload_id) if upload_id.isalnum() else None
            yield found.district_code if found else ""
