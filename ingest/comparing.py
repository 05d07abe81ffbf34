"""Comparing a checked file with the version in force."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from ingest.checking import CheckReport
from ingest.contracts import Contract, load_contracts
from ingest.failures import StorageFailure, in_words
from ingest.ledger import Ledger, Submission
from ingest.persons.keys import Keys, fingerprint
from ingest.row_changes import Changes, compare_rows
from ingest.row_files import RowFiles
from ingest.storing import Provenance, read_rows, rows_to_store

log = logging.getLogger(__name__)


def with_changes(
    report: CheckReport, ledger: Ledger, files: RowFiles, keys: Keys, *, is_replacing: bool = False
) -> CheckReport:
    """Add to a report what its file would change, if it would be taken in and a version is in force already.

    With `is_replacing` the text says that the file is taken in now. Never raises: when rows in force can't be read, or
    have other keys, the report stays as it is.
    """
    name = report.name
    if not report.accepted or report.table is None or None in (name.district, name.dataset, name.quarter):
        return report
    in_force = ledger.in_force(district=name.district, dataset=name.dataset, quarter=str(name.quarter))
    contract = load_contracts(name.quarter)[name.dataset or ""]
    if not in_force or (contract.about_persons and not _are_keyed_alike(in_force[0], ledger, keys)):
        return report
    try:
        changes = _compare(report, contract, in_force[0], files)
        return replace(report, changes=replace(changes, is_replacing=is_replacing))
    except (StorageFailure, OSError, pa.ArrowException, duckdb.Error) as error:
        why = in_words(error) or type(error).__name__
        log.warning("%s: can't be compared with the version in force: %s", name.shown, why)
        return report


def _are_keyed_alike(current: Submission, ledger: Ledger, keys: Keys) -> bool:
    """Whether rows in force have the person keys that these keys give; if not, every row would seem to differ."""
    is_same_version = current.person_key_version == keys.person_version
    return is_same_version and ledger.claim("person_keys", fingerprint(keys)) == fingerprint(keys)


def _compare(report: CheckReport, contract: Contract, current: Submission, files: RowFiles) -> Changes:
    assert report.table is not None
    nowhere = Provenance("", "", "", "", datetime.fromtimestamp(0, UTC).replace(tzinfo=None))
    after = rows_to_store(report.table, contract, nowhere)
    return compare_rows(read_rows(files, current), after, contract, current.version or 0)
