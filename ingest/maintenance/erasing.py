"""Erasing: encrypted originals after the configured time, and one person from every version of every file.

Both can be killed and run again. An original is erased before the ledger records it, and before the rows are removed
that show that it held the person.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contracts import Contract, load_contracts
from ingest.explaining import open_count
from ingest.ledger import Submission
from ingest.ledger.erasures import mark_original_erased, record_erasure, record_rows_removed
from ingest.ledger.explanations import explanations_of
from ingest.ledger.freezes import newest_frozen
from ingest.ledger.uploads import find_upload, take_back
from ingest.maintenance.reimporting import came_at, unrecorded_originals
from ingest.originals import DamagedOriginal, decrypt_original, original_id
from ingest.persons.keys import Keys
from ingest.persons.number_search import numbers_in
from ingest.persons.numbers import key_maker, plain_number, read_numbers
from ingest.queries import WHOLE_FILE, queries_path, read_queries, row_keys, write_queries
from ingest.recording import IntakeContext
from ingest.row_files import is_left_over, marked_name
from ingest.sketching import with_sketch
from ingest.spooling import DamagedSpool, Spool
from ingest.storing import as_parquet, read_rows

_MEMBER_AT_MOST = 400_000_000
"""Bytes of one part of a workbook that are searched; a larger one counts as holding the person."""
_SENT_AGAIN = "Filen har tagits bort hos oss. Skicka den igen, som den är i ert system nu."
_SEARCHED_AT_MOST = 5_000_000
"""Bytes of an original that are searched for every way of writing a number; a longer one for its digits alone."""
OnFile = Callable[[int, int, str], None]


class NotAPersonNumber(Exception):
    """What was typed reads as no person's or coordination number. The text is never repeated."""


@dataclass(frozen=True)
class Erased:
    """How much was erased: encrypted originals, files that were rewritten, rows removed from them.

    `unknown`: originals among them that belong to no submission in the ledger. `spooled`: files that waited in the
    spool of the portal.
    """

    originals: int
    files: int
    rows: int
    unknown: int = 0
    spooled: int = 0


def _district_of(original_path: str) -> str:
    return original_path.split("/")[-2]


def _erase_original(intake: IntakeContext, path: str, now: datetime) -> None:
    (intake.settings.home / path).unlink(missing_ok=True)
    mark_original_erased(intake.ledger, path, now)


def erase_originals(intake: IntakeContext, received_before: datetime, now: datetime) -> Erased:
    """Erase the encrypted originals of all that was submitted up to a moment (UTC, without zone).

    Those that belong to no submission are erased too: by the time that is sealed in them, or else by the file's.
    Rows in force stay; a refused file whose original is erased can't be checked again.

    Raises:
        LeaseBusy: a district's files are being taken in.
    """
    chosen = originals_older_than(intake, received_before)
    for district, paths in groupby(chosen, key=_district_of):
        with intake.lease(district):  # a rotation would put back what it has just read
            for path in paths:
                _erase_original(intake, path, now)
    unknown = _erase_unknown(intake, lambda path: came_at(intake, path) <= received_before)
    if chosen or unknown:
        record_erasure(intake.ledger, "originals", now, len(chosen) + unknown, 0)
    return Erased(len(chosen) + unknown, 0, 0, unknown)


def originals_older_than(intake: IntakeContext, received_before: datetime, erased_to: str = "") -> list[str]:
    """Paths, under home, of the originals of submissions up to a moment, and of all quarters whose rows are erased.

    `erased_to`: a quarter up to which rows will be erased too.
    """
    frozen, old = newest_frozen(intake.ledger), dict[str, datetime]()
    without_rows = max(frozen.erased_quarter if frozen else "", erased_to)
    for found in intake.ledger.submissions():
        if found.original_path and found.original_erased_at is None:
            is_erased = (found.reporting_quarter or "9999") <= without_rows
            submitted_at = min(received_before, found.submitted_at) if is_erased else found.submitted_at
            old[found.original_path] = max(old.get(found.original_path, submitted_at), submitted_at)
    return sorted(path for path, submitted_at in old.items() if submitted_at <= received_before)


def _erase_unknown(intake: IntakeContext, is_to_go: Callable[[Path], bool]) -> int:
    """Erase originals that belong to no submission in the ledger; returns how many."""
    gone = 0
    for district, paths in groupby(
        unrecorded_originals(intake.settings, intake.ledger), key=lambda path: path.parent.name
    ):
        with intake.lease(district):
            known = {one.original_path for one in intake.ledger.submissions(district=district)}
            for path in paths:
                name = str(path.relative_to(intake.settings.home))
                if name not in known and path.exists() and is_to_go(path):  # not taken in meanwhile
                    path.unlink()
                    gone += 1
    return gone


def erase_person(intake: IntakeContext, number: str, now: datetime, on_file: OnFile | None = None) -> Erased:
    """Remove a person's rows from every version of every file, and every original and spooled file with the number.

    The warehouse has to be built again after it.

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
    contracts = load_contracts()
    submissions = [s for s in intake.ledger.submissions() if s.original_path or s.parquet_path]
    originals: set[str] = set()
    files = rows = 0
    for place, found in enumerate(submissions, start=1):
        if on_file is not None:
            on_file(place, len(submissions), found.district_code)
        with intake.lease(found.district_code):
            contract = contracts.get(found.dataset or "")
            parted = parted_rows(intake, found, contract, person_keys)
            is_stored = bool(found.original_path) and found.original_erased_at is None
            if (
                is_stored
                and found.original_path not in originals
                and (
                    parted is not None
                    or (
                        found.parquet_path is None
                        and may_hold(intake, intake.settings.home / found.original_path, digits)
                    )
                )
            ):
                _erase_original(intake, found.original_path, now)
                originals.add(found.original_path)
            if found.original_path in originals or parted is not None:
                _remove_feedback(intake, found)
            if parted is not None and contract is not None:
                left, gone = parted
                _remove_rows(intake, found, contract, left, gone)
                files, rows = files + 1, rows + gone.num_rows
            elif contract is not None and contract.about_persons:
                _remove_other_files(intake, found)
    unknown = _erase_unknown(intake, lambda path: may_hold(intake, path, digits))
    spooled = _erase_spooled(intake, digits)
    record_erasure(intake.ledger, "person", now, len(originals) + unknown, rows)
    return Erased(len(originals) + unknown, files, rows, unknown, spooled)


def _erase_spooled(intake: IntakeContext, digits: str) -> int:
    """Remove files that wait in the portal's spool and may hold the number; returns how many. One may be being taken
    in: that is waited for."""
    spool, gone = Spool(intake.settings), 0
    for upload_id in sorted(spool.ids()):
        found = find_upload(intake.ledger, upload_id) if upload_id.isalnum() else None
        with intake.lease(found.district_code) if found else nullcontext():
            if not spool.is_whole(upload_id):
                continue
            try:
                is_to_go = may_be_in(spool.read(upload_id, intake.keys)[1], digits)
            except DamagedSpool:
                is_to_go = spool.is_whole(upload_id)  # not taken in meanwhile
            if is_to_go:
                take_back(intake.ledger, upload_id, _SENT_AGAIN)
                spool.remove(upload_id)
                gone += 1
    return gone


def keys_of_person(number: str, keys: Keys, now: datetime) -> tuple[set[str], str]:
    """The person's keys under every version of the wrapping key, and the last ten digits of the number."""
    found: set[str] = set()
    text = plain_number("".join(number.split()))
    cells = pa.chunked_array([pa.array([text.encode()], pa.binary())])
    for version in keys.person_keys:
        one = replace(keys, person_version=version)
        read = read_numbers(cells, now.date(), key_maker(one))
        if read.status[0] != 0:
            raise NotAPersonNumber("that reads as no person's or coordination number: check the digits")
        found.update(read.keys.to_pylist())
    return found, re.sub(r"\D", "", text)[-10:]


def parted_rows(
    intake: IntakeContext, found: Submission, contract: Contract | None, person_keys: set[str]
) -> tuple[pa.Table, pa.Table] | None:
    """The rows of others in a submission's file, and the person's; None when there are none of the person's."""
    if contract is None or not contract.about_persons or found.parquet_path is None:
        return None
    rows = read_rows(intake.rows, found)
    held = pc.is_in(rows["person_key"].cast(pa.string()), value_set=pa.array(sorted(person_keys), pa.string()))
    if not pc.any(held).as_py():
        return None
    return rows.filter(pc.invert(held)), rows.filter(held)


def _remove_rows(intake: IntakeContext, found: Submission, contract: Contract, left: pa.Table, gone: pa.Table) -> None:
    """Put a file without the person's rows in the place of a submission's, and remove queries, findings and
    explanations of those rows. Killed at any instant, the ledger names a file that is whole."""
    place = queries_path(intake.settings.home, found.district_code, found.submission_id)
    queries = read_queries(place)
    keys = keys_of_rows(intake, contract, gone, queries)
    queries = queries.filter(pc.invert(pc.is_in(queries["row_key"], value_set=pa.array(keys, pa.string()))))
    write_queries(place, queries)
    explained = [one for one in explanations_of(intake.ledger, found.submission_id) if one.row_key not in set(keys)]
    content = as_parquet(with_sketch(left, contract))
    checksum = hashlib.sha256(content).hexdigest()
    # `k`, by which a rotation of keys knows whose file it is, and what is in it: of an older file it has another name
    name = marked_name(found, f"k{found.person_key_version}e{checksum[:16]}")
    intake.rows.write(name, content)
    record_rows_removed(
        intake.ledger,
        found.submission_id,
        parquet_path=name,
        parquet_sha256=checksum,
        row_count=left.num_rows,
        row_numbers=gone["source_row_number"].to_pylist(),
        row_keys=keys,
        open_query_count=open_count(queries, explained),
    )
    _remove_other_files(intake, replace(found, parquet_path=name))


def _remove_other_files(intake: IntakeContext, found: Submission) -> None:
    """Remove a submission's files of rows that the ledger does not name: with the rows that were removed, or left by
    an erasing or a rotation that was killed."""
    if found.parquet_path is None or found.dataset is None or found.reporting_quarter is None:
        return
    for name in intake.rows.names(found.dataset, found.reporting_quarter, found.district_code):
        if is_left_over(name, found):
            intake.rows.remove(name)


def keys_of_rows(intake: IntakeContext, contract: Contract, rows: pa.Table, queries: pa.Table) -> list[str]:
    """The keys under which rows are asked about and explained; `queries` are those of their submission."""
    names = ["match_person_key" if name == "person" else name for name in contract.row_key]
    parts = zip(*(rows[name].cast(pa.string()).fill_null("").to_pylist() for name in names), strict=True)
    # of queries that an older version of ours wrote, the rows' keys are made otherwise
    asked = queries.filter(pc.is_in(queries["source_row_number"], value_set=rows["source_row_number"].combine_chunks()))
    return sorted({*row_keys(contract, intake.keys, list(parts)), *asked["row_key"].to_pylist()} - {WHOLE_FILE})


def _remove_feedback(intake: IntakeContext, found: Submission) -> None:
    for path in (intake.settings.feedback / found.district_code).glob(f"{found.submission_id}.*"):
        path.unlink(missing_ok=True)


def may_hold(intake: IntakeContext, path: Path, digits: str) -> bool:
    """Whether an original whose rows are not stored holds the number, or can't be shown not to."""
    try:
        raw = decrypt_original(path, original_id(str(path)), intake.keys)
    except FileNotFoundError:
        return False
    except DamagedOriginal:
        return True
    return may_be_in(raw, digits)


def may_be_in(raw: bytes, digits: str) -> bool:
    """Whether a file holds the number, or can't be shown not to."""
    if raw[:2] != b"PK" and len(raw) <= _SEARCHED_AT_MOST and digits in numbers_in(raw.decode(errors="replace")):
        return True
    spelled = r"[^0-9A-Za-z]{0,12}".join(digits)
    forms = [spelled, spelled.removeprefix("0" + r"[^0-9A-Za-z]{0,12}")] if digits[0] == "0" else [spelled]
    pattern = re.compile("|".join(rf"(?<!\d){form}(?!\d)|(?<=\d\d){form}(?!\d)" for form in forms).encode())
    if raw[:2] != b"PK":
        is_old_workbook = raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        return is_old_workbook or pattern.search(raw.replace(b"\0", b"")) is not None
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            for part in parts.infolist():
                with parts.open(part) as handle:
                    content = handle.read(_MEMBER_AT_MOST + 1)
                is_packed = content[:2] == b"PK"  # a workbook in an archive: its text is not seen here
                if is_packed or len(content) > _MEMBER_AT_MOST or pattern.search(content):
                    return True
    # zipfile raises RuntimeError for an encrypted part, NotImplementedError for a compression that it doesn't know
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return True
    return False
