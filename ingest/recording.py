"""Recording a submission: store the original, the rows and the feedback, then commit to the ledger."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime

from ingest.checking import CheckReport, Circumstances
from ingest.contracts import load_contracts
from ingest.explaining import carried_over, earlier_explanations, explained_by_rule, open_count
from ingest.feedback import as_json, as_text
from ingest.feedback_files import feedback_path
from ingest.feedback_workbook import as_workbook
from ingest.history import Past
from ingest.ledger import Ledger, Submission
from ingest.ledger.claims import Claim
from ingest.ledger.decisions import is_closed_to, local_names
from ingest.ledger.mappings import mapping_in_use
from ingest.ledger.rotations import PERSONS, person_version, rotations_under_way
from ingest.ledger.store import FINDINGS_PER_RULE, Explanation
from ingest.naming import FileName
from ingest.originals import Sent, encrypt_original
from ingest.persons.keys import Keys, fingerprint, load_keys
from ingest.queries import queries_of, queries_path, write_queries
from ingest.row_files import RowFiles, row_files, row_name
from ingest.settings import CITY_TIME, Settings, SettingsError
from ingest.storing import Provenance, rows_to_store, store_rows, write_whole


@dataclass(frozen=True)
class IntakeContext:
    """What intake works with: settings, keys and ledger that belong together."""

    settings: Settings
    keys: Keys
    ledger: Ledger

    @property
    def rows(self) -> RowFiles:
        """Where validated rows are."""
        return row_files(self.settings)

    @contextmanager
    def lease(self, district_code: str, wait_seconds: float = 120.0) -> Iterator[None]:
        """Hold the lease of a district's files, with the keys that are in use.

        Raises:
            LeaseBusy: another process does something with them, and did not end within so long.
            SettingsError: the keys were rotated while this command waited, or are being rotated.
        """
        with self.ledger.lease(f"receive:{district_code}", wait_seconds):
            if load_keys(self.settings.keys) != self.keys:
                raise SettingsError("the keys were rotated while this command ran: run it again")
            require_current_keys(self.keys, self.ledger)
            yield


@contextmanager
def open_intake(settings: Settings, *, is_rotating: bool = False) -> Iterator[IntakeContext]:
    """Load the keys, open the ledger, and require that they belong together.

    Args:
        settings: the installation's.
        is_rotating: whether person keys may be of several versions, since the caller rotates them.

    Raises:
        SettingsError: no keys, or other keys than this ledger's rows were made with, or a rotation has not ended.
        LedgerError: the ledger can't be opened.
    """
    keys = load_keys(settings.keys)
    ledger = Ledger(settings.ledger)
    try:
        yield _joined(settings, keys, ledger, is_rotating=is_rotating)
    finally:
        ledger.close()


def intake_with(settings: Settings, ledger: Ledger) -> IntakeContext:
    """As `open_intake`, with a ledger that is open; for processes that go on while keys are rotated.

    Raises:
        SettingsError: as `open_intake`.
    """
    return _joined(settings, load_keys(settings.keys), ledger)


def _joined(settings: Settings, keys: Keys, ledger: Ledger, *, is_rotating: bool = False) -> IntakeContext:
    require_own_keys(settings, keys, ledger)
    if not is_rotating:
        require_current_keys(keys, ledger)
    return IntakeContext(settings, keys, ledger)


def require_own_keys(settings: Settings, keys: Keys, ledger: Ledger) -> None:
    """Require the keys that this ledger's rows were made with; the first that are seen are its own.

    Raises:
        SettingsError: they are others.
    """
    if ledger.claim("person_keys", fingerprint(keys)) != fingerprint(keys):
        raise SettingsError(
            f"{settings.keys} holds other keys than this ledger's rows were made with: restore the right key file"
        )


def require_current_keys(keys: Keys, ledger: Ledger) -> None:
    """Require that rows are keyed under the version that the key file has in use.

    Raises:
        SettingsError: they are not, or a rotation of person keys has not ended.
    """
    if PERSONS in rotations_under_way(ledger):
        raise SettingsError(
            "person keys are being rotated, or a rotation was interrupted: wait for it, or run `followup keys rotate` "
            "again"
        )
    version = person_version(ledger)
    if version not in (None, keys.person_version):
        raise SettingsError(
            f"rows are keyed under person key version {version}, and the key file has version {keys.person_version} in "
            "use: restore the key file that belongs to this ledger, or run `followup keys rotate --persons`"
        )


@dataclass(frozen=True)
class Arrival:
    """A file that has arrived.

    Attributes:
        raw: its bytes; of a file too large to be read only the beginning.
        size_bytes, checksum: of the whole file.
        original_path: where the encrypted original is already, under home.
        is_checked_again: its unit has had another answer to it, and the next run of receiving leaves the new one.
        submitted_at: with zone.
        sequence: the least that the submission gets, when it had one before.
        upload: the claim on the upload that it is, when it came by the portal: nothing waits in a drop location.
    """

    district_code: str
    name: FileName
    raw: bytes
    size_bytes: int
    checksum: str
    is_synthetic: bool
    submitted_at: datetime
    is_too_large: bool = False
    original_path: str | None = None
    is_checked_again: bool = False
    sequence: int = 0
    upload: Claim | None = None


def circumstances_of(
    settings: Settings, keys: Keys, ledger: Ledger | None, name: FileName, district_code: str | None
) -> Circumstances:
    """What a check of a file depends on, as of now. Without a ledger only the file itself is checked."""
    today = settings.now_date()
    if ledger is None:
        return Circumstances(keys, today, settings.max_file_megabytes, undocumented=settings.undocumented_interventions)
    past, is_locked, mapping = None, False, None
    if district_code is not None and name.dataset is not None and name.quarter is not None:
        past = Past(ledger, row_files(settings), district_code, name.quarter)
        is_locked = is_closed_to(ledger, district_code, name.dataset, name.quarter, today)
        mapping = mapping_in_use(ledger, district_code, name.quarter)
    return Circumstances(
        keys,
        today,
        settings.max_file_megabytes,
        past,
        local_names(ledger),
        is_locked,
        settings.undocumented_interventions,
        mapping,
    )


def submission_id_of(district_code: str, name: FileName, checksum: str, sequence: int) -> str:
    """A submission's id: 26 letters and digits, derived from district, name, content and sequence."""
    parts = [district_code, name.dataset or "", str(name.quarter or ""), name.shown, checksum]
    text = "\0".join([*parts, str(sequence)])
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:26]


def next_submission(ledger: Ledger, arrival: Arrival) -> tuple[int, str]:
    """The sequence and the id that an arrival gets when it is recorded. The caller holds the district's lease."""
    name, district = arrival.name, arrival.district_code
    quarter = str(name.quarter) if name.quarter else None
    sequence = max(ledger.next_sequence(district, name.dataset, quarter), arrival.sequence)
    return sequence, submission_id_of(district, name, arrival.checksum, sequence)


def _write_feedback(settings: Settings, submission_id: str, district_code: str, report: CheckReport) -> None:
    text = "\n".join(as_text(report.name.shown, report)) + "\n"
    write_whole(feedback_path(settings, district_code, submission_id, "txt"), text.encode())
    answer = as_json(report.name.shown, report, FINDINGS_PER_RULE)
    content = json.dumps(answer, ensure_ascii=False).encode()
    write_whole(feedback_path(settings, district_code, submission_id, "json"), content)
    if report.counts():
        write_whole(
            feedback_path(settings, district_code, submission_id, "xlsx"), as_workbook(report.name.shown, report)
        )


def _city_date(moment: datetime) -> date:
    return moment.astimezone(CITY_TIME).date()


def record(intake: IntakeContext, arrival: Arrival, report: CheckReport) -> Submission:
    """Store the original, and the rows when accepted, and commit: from then on the submission exists.

    A file too large to be read is not stored (`original_path` is empty). Killed before the commit, nothing counts; the
    next run writes under the same names.

    Raises:
        ClaimLost: another process works with the upload by now; nothing counts.
    """
    settings, ledger, name = intake.settings, intake.ledger, arrival.name
    quarter = str(name.quarter) if name.quarter else None
    district = arrival.district_code
    sequence, submission_id = next_submission(ledger, arrival)
    submitted_at = arrival.submitted_at.replace(tzinfo=None)
    original_path = arrival.original_path or ""
    contract = load_contracts(name.quarter)[name.dataset] if name.dataset else None
    parquet_path = parquet_checksum = None
    explanations: list[Explanation] = []
    open_queries = 0
    with ThreadPoolExecutor(max_workers=1) as beside:  # sealing takes a second core, and as long as storing
        sealed = None
        if not arrival.is_too_large and not original_path:
            original = settings.landing / district / f"{submission_id}.bin"
            sent = Sent(name.shown, submitted_at, arrival.is_synthetic, sequence)
            sealed = beside.submit(encrypt_original, original, arrival.raw, submission_id, intake.keys, sent)
            original_path = str(original.relative_to(settings.home))
        if report.accepted and report.table is not None and contract is not None and name.quarter is not None:
            parquet_path = row_name(contract.dataset, str(name.quarter), district, f"{submission_id}.parquet")
            provenance = Provenance(submission_id, district, str(name.quarter), arrival.checksum, submitted_at)
            rows = rows_to_store(report.table, contract, provenance)
            parquet_checksum = store_rows(intake.rows, parquet_path, rows)
            queries = queries_of(report, contract, intake.keys)
            write_queries(queries_path(settings.home, district, submission_id), queries)
            earlier = earlier_explanations(ledger, district, contract.dataset, name.quarter) if queries.num_rows else []
            explanations = carried_over(queries, submission_id, earlier)
            open_queries = open_count(queries, explanations)
            report = replace(report, explained=explained_by_rule(queries, explanations))
        _write_feedback(settings, submission_id, district, report)
        if sealed is not None:
            sealed.result()
    deadline = name.quarter.deadline if name.quarter else None
    return ledger.record(
        Submission(
            submission_id=submission_id,
            district_code=district,
            dataset=name.dataset,
            reporting_quarter=quarter,
            sequence=sequence,
            version=None,
            state="accepted" if parquet_path else "refused",
            source_file_name=name.shown,
            source_file_sha256=arrival.checksum,
            size_bytes=arrival.size_bytes,
            submitted_at=submitted_at,
            deadline_date=deadline,
            is_on_time=None if deadline is None else _city_date(arrival.submitted_at) <= deadline,
            is_synthetic=arrival.is_synthetic,
            row_count=report.rows,
            error_count=report.total("error"),
            query_count=report.total("query"),
            contract_version=contract.version if contract else None,
            person_key_version=intake.keys.person_version if contract and contract.about_persons else None,
            original_path=original_path,
            parquet_path=parquet_path,
            parquet_sha256=parquet_checksum,
            is_source_cleared=not arrival.is_checked_again
            and (arrival.original_path is not None or arrival.upload is not None),
            open_query_count=open_queries,
            mapping_version=report.used_words.version if report.used_words is not None else None,
        ),
        report.counts(),
        list(report.findings(FINDINGS_PER_RULE)),
        explanations,
        arrival.upload,
    )
