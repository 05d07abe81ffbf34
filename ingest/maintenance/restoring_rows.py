"""Restoring the rows of a submission from its original, when their file is missing or damaged."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC

import duckdb
import pyarrow as pa

from ingest.checking import CheckReport, Circumstances, check_file
from ingest.contracts import load_contracts
from ingest.explaining import open_count
from ingest.failures import StorageFailure
from ingest.history import Past
from ingest.ledger import ChangeRefused, Submission
from ingest.ledger.decisions import local_names, record_rows_restored
from ingest.ledger.explanations import explanations_of, replace_queries
from ingest.ledger.mappings import mapping_of_version
from ingest.ledger.store import FINDINGS_PER_RULE
from ingest.mappings.documents import UnitMapping
from ingest.naming import read_name
from ingest.originals import DamagedOriginal, decrypt_original, original_id
from ingest.quarters import Quarter
from ingest.queries import DamagedQueries, queries_of, queries_path, read_queries, write_queries
from ingest.recording import IntakeContext
from ingest.settings import CITY_TIME, MEGABYTE
from ingest.storing import (
    DamagedRows,
    Provenance,
    as_parquet,
    has_rows_as_stored,
    read_rows,
    rows_to_store,
)


class NotRestorable(StorageFailure):
    """The rows can't be stored again from the original; the message says why and what else to do."""


@dataclass(frozen=True)
class Restored:
    """What was stored.

    Attributes:
        is_written: whether there was anything to do.
        is_same: whether the file has the bytes that the ledger says; else today's programs read the original otherwise.
        queries: how many were made again; None when theirs were as they should be.
        rows: stored now; `rows_before` as the ledger had it.
        differing: rows that differ from the file that was there; None when that could not be read.
    """

    is_written: bool
    is_same: bool
    rows: int
    rows_before: int
    differing: int | None = 0
    queries: int | None = None


def restore_rows(intake: IntakeContext, found: Submission) -> Restored:
    """Read a submission's original again and put its rows in place; id, version and what is in force stay.

    Killed at any instant, it can be run again.

    Raises:
        ChangeRefused: it was refused, so it has no rows.
        NotRestorable: its original is erased, or today's rules don't let it in.
        DamagedOriginal: the original can't be read back.
        LeaseBusy: the district's files are being taken in.
    """
    if found.parquet_path is None or found.dataset is None or found.reporting_quarter is None:
        raise ChangeRefused(f"submission {found.submission_id} is {found.state}: it has no rows to restore")
    files = intake.rows
    with intake.lease(found.district_code):
        if has_rows_as_stored(files, found):
            return Restored(False, True, found.row_count, found.row_count, queries=_queries_again(intake, found))
        rows = _rows_again(intake, found)
        content = as_parquet(rows)
        checksum = hashlib.sha256(content).hexdigest()
        is_same = checksum == found.parquet_sha256
        differing = 0 if is_same else rows_differing(intake, found, rows)
        files.write(found.parquet_path, content)
        if not is_same:
            record_rows_restored(intake.ledger, found.submission_id, checksum, rows.num_rows)
        queries = _queries_again(intake, found)
        return Restored(True, is_same, rows.num_rows, found.row_count, differing, queries)


def _queries_again(intake: IntakeContext, found: Submission) -> int | None:
    """Make the queries of a submission again where their file is damaged or gone; those about other files by today's.

    Returns:
        How many there are now; None where there was nothing to do.
    """
    path = queries_path(intake.settings.home, found.district_code, found.submission_id)
    with suppress(DamagedQueries):
        if read_queries(path).num_rows or not found.query_count:
            return None
    ledger = intake.ledger
    past = Past(ledger, intake.rows, found.district_code, Quarter.parse(found.reporting_quarter or ""))
    report = read_again(intake, found, past)
    if report.table is None:
        raise NotRestorable(f"the queries of submission {found.submission_id} can't be made again: withdraw it")
    queries = queries_of(
        report, load_contracts(Quarter.parse(found.reporting_quarter or ""))[found.dataset or ""], intake.keys
    )
    counts = [one for one in report.counts() if one.severity == "query"]
    before = [one for one in ledger.rule_counts(found.submission_id) if one.severity == "query"]
    rules = {one.rule for one in (*counts, *before)}
    given = explanations_of(ledger, found.submission_id)
    if path.is_dir():
        path.rmdir()
    write_queries(path, queries)
    findings = [one for one in report.findings(FINDINGS_PER_RULE) if one.rule in rules]
    replace_queries(ledger, found.submission_id, rules, counts, findings, (), open_count(queries, given))
    return int(queries.num_rows)


def _rows_again(intake: IntakeContext, found: Submission) -> pa.Table:
    """The rows of an original as today's programs read it, keyed as the submission's were."""
    contract = load_contracts(Quarter.parse(found.reporting_quarter or ""))[found.dataset or ""]
    report = read_again(intake, found)
    if report.table is None or not report.accepted:
        rules = ", ".join(one.rule for one in report.counts() if one.severity == "error")
        raise NotRestorable(
            f"today's rules refuse the original of submission {found.submission_id} ({rules}): restore validated/ from "
            "backup, or withdraw it and have the district send the file again"
        )
    provenance = Provenance(
        found.submission_id, found.district_code, found.reporting_quarter or "", found.source_file_sha256,
        found.submitted_at,
    )  # fmt: skip
    return rows_to_store(report.table, contract, provenance)


def read_again(
    intake: IntakeContext, found: Submission, past: Past | None = None, words: UnitMapping | None = None
) -> CheckReport:
    """Check a submission's original again, as of the day it was sent; other files only with `past`, locks never.

    Args:
        intake: the installation's.
        found: the submission.
        past: what is in force beside it.
        words: a mapping to read it by instead of the one that judged it.

    Raises:
        NotRestorable: its original is erased, or the key file lacks the key under which its rows were stored.
        DamagedOriginal: the original can't be read back.
    """
    if found.original_erased_at is not None or not found.original_path:
        raise NotRestorable(
            f"the original of submission {found.submission_id} is erased: restore {found.parquet_path} from backup, or "
            "run the erasing again if it was cut off, or withdraw the submission"
        )
    keys = intake.keys
    if found.person_key_version is not None and found.person_key_version != keys.person_version:
        if found.person_key_version not in keys.person_keys:
            raise NotRestorable(
                f"the key file lacks version {found.person_key_version} of the person key, under which submission "
                f"{found.submission_id} was stored: restore the key file"
            )
        keys = replace(keys, person_version=found.person_key_version)
    raw = decrypt_original(intake.settings.home / found.original_path, original_id(found.original_path), intake.keys)
    if hashlib.sha256(raw).hexdigest() != found.source_file_sha256:
        raise DamagedOriginal(f"the original of submission {found.submission_id} is another file: restore landing/")
    sent_on = found.submitted_at.replace(tzinfo=UTC).astimezone(CITY_TIME).date()
    limit = max(intake.settings.max_file_megabytes, -(-len(raw) // MEGABYTE))
    names, undocumented = local_names(intake.ledger), intake.settings.undocumented_interventions
    mapping = words or mapping_of_version(intake.ledger, found.district_code, found.mapping_version)
    circumstances = Circumstances(keys, sent_on, limit, past, names, undocumented=undocumented, mapping=mapping)
    return check_file(raw, read_name(found.source_file_name, found.district_code), circumstances)


def rows_differing(intake: IntakeContext, found: Submission, rows: pa.Table) -> int | None:
    """How many of the new rows are not in the file that is there now; None when it can't be read."""
    try:
        before = read_rows(intake.rows, found, is_as_stored=False)
    except DamagedRows:
        return None
    columns = ", ".join(f'"{name}"' for name in rows.column_names if name in before.column_names)
    with duckdb.connect() as connection:
        connection.register("rows_before", before)
        connection.register("rows_now", rows)
        counted = connection.execute(
            f"select count(*) from (select {columns} from rows_now except all select {columns} from rows_before)"
        ).fetchone()
    return int(counted[0]) if counted else None
