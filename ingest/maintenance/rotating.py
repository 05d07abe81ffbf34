"""Rotating the installation's keys: stored persons and encrypted originals go over to a new version of their key.

Killed at any step and run again, a rotation ends as if undisturbed: the ledger says which rotation has begun and to
which version, and each step can be repeated. Meanwhile originals can be read under either version. Persons change all
at once, by one transaction of the ledger; until the key file has the version too, nobody else works with persons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count, groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.failures import StorageFailure
from ingest.ledger import LedgerError, Submission
from ingest.ledger.rotations import (
    ORIGINALS,
    PERSONS,
    Rekeyed,
    begin_rotation,
    end_rotation,
    person_version,
    record_rekeyed,
    rotations_under_way,
)
from ingest.ledger.store import newest_accepted
from ingest.originals import DamagedOriginal, original_version, seal_again
from ingest.persons.keys import load_keys, replace_keys, with_original_key, with_person_key
from ingest.persons.wrapping import WrongWrapping, rewrapped, unwrapped
from ingest.recording import IntakeContext
from ingest.row_files import is_left_over, marked_name, submission_of
from ingest.spooling import Spool
from ingest.storing import DamagedRows, read_rows, store_rows

_PERSON_COLUMNS = ("person_key", "match_person_key")
OnStep = Callable[[int, int, str], None]


class RotationRefused(StorageFailure):
    """Keys can't be rotated or removed now; the message says why and what to do. Nothing is changed."""


@dataclass(frozen=True)
class KeyUse:
    """A version of a key, and how many files are under it.

    Attributes:
        what: PERSONS (files of rows) or ORIGINALS.
        is_there: whether the key file has it.
    """

    what: str
    version: int
    is_in_use: bool
    is_there: bool
    files: int


@dataclass(frozen=True)
class Rotated:
    """What a rotation did.

    Attributes:
        versions: what was rotated → its new version.
        files: files of rows, and originals, that went over to it in this run.
        left: files under home that can't be read and stay under the version that they have.
        was_interrupted: whether it went on with a rotation that had begun before; nothing new was begun then.
    """

    versions: dict[str, int]
    files: dict[str, int]
    left: tuple[str, ...]
    was_interrupted: bool


def person_submissions(intake: IntakeContext) -> list[Submission]:
    """Submissions with stored rows about persons, of every version and state."""
    about = {name for name, contract in load_contracts().items() if contract.about_persons}
    return [s for s in intake.ledger.submissions() if s.dataset in about and s.parquet_path and s.person_key_version]


def _originals(intake: IntakeContext) -> list[Path]:
    return sorted(intake.settings.landing.glob("*/*.bin"))


def key_uses(intake: IntakeContext) -> list[KeyUse]:
    """Every version of every key that the key file has or a file is under; persons first, then by version."""
    keys = intake.keys
    persons = Counter(found.person_key_version or 0 for found in person_submissions(intake))
    originals = Counter(v for path in _originals(intake) if (v := original_version(path)) is not None)
    originals.update(Spool(intake.settings).key_versions())  # the portal's: they are gone within days, not rotated
    return [
        KeyUse(what, version, version == in_use, version in there, counted[version])
        for what, counted, there, in_use in (
            (PERSONS, persons, keys.person_keys, keys.person_version),
            (ORIGINALS, originals, keys.original_keys, keys.original_version),
        )
        for version in sorted({*there, *counted})
    ]


def rotate(intake: IntakeContext, wanted: Collection[str], on_step: OnStep | None = None) -> Rotated:
    """Draw new versions of keys and bring what is stored under them; or go on with a rotation that was interrupted.

    The marts hold the old person keys until they are built again.

    Args:
        intake: opened with `is_rotating`.
        wanted: PERSONS, ORIGINALS or both. When a rotation was interrupted it is ended, and nothing new is begun.
        on_step: called before each file with its number, how many there are, and its district.

    Raises:
        RotationRefused: rows in force can't be read, or were keyed under a version that the key file lacks.
        SettingsError: the key file can't be read or written.
        LeaseBusy: another process works with files, builds, or publishes.
    """
    with intake.ledger.lease("keys"):
        intake = replace(intake, keys=load_keys(intake.settings.keys))
        begun = rotations_under_way(intake.ledger)
        versions = begun or _next_versions(intake, wanted)
        _require_no_lost_key(intake, versions)
        if not begun:
            begin_rotation(intake.ledger, versions)
        files: dict[str, int] = {}
        left: list[str] = []
        if PERSONS in versions:
            with exclusively(intake):
                files[PERSONS], named = _rotate_persons(intake, versions[PERSONS], on_step)
            left += named
        if ORIGINALS in versions:
            files[ORIGINALS], named = _rotate_originals(intake, versions[ORIGINALS], on_step)
            left += named
        return Rotated(versions, files, tuple(left), bool(begun))


def _next_versions(intake: IntakeContext, wanted: Collection[str]) -> dict[str, int]:
    """Numbers above those of the key file that nothing stored has: what a lost key file held is never drawn anew."""
    stored = {(use.what, use.version) for use in key_uses(intake)}
    there = {PERSONS: intake.keys.person_keys, ORIGINALS: intake.keys.original_keys}
    return {
        what: next(version for version in count(max(there[what]) + 1) if (what, version) not in stored)
        for what in (PERSONS, ORIGINALS)
        if what in wanted
    }


def _require_no_lost_key(intake: IntakeContext, versions: Mapping[str, int]) -> None:
    """Require every key under which something is stored, before another key gets that version's number."""
    for use in key_uses(intake):
        if use.files and not use.is_there and (use.what == PERSONS or use.version == versions.get(ORIGINALS)):
            raise RotationRefused(
                f"the key file lacks the key of {use.what} of version {use.version}, under which {use.files} files are "
                "stored: restore the newest copy of the key file"
            )


@contextmanager
def exclusively(intake: IntakeContext) -> Iterator[None]:
    """Hold every lease, so that nobody receives, erases, builds or publishes meanwhile."""
    codes = {d.code for d in load_districts().districts} | {s.district_code for s in intake.ledger.submissions()}
    with ExitStack() as leases:
        for name in ("build", "publish", *(f"receive:{code}" for code in sorted(codes))):
            leases.enter_context(intake.ledger.lease(name))
        yield


def _rotate_persons(intake: IntakeContext, version: int, on_step: OnStep | None) -> tuple[int, list[str]]:
    """Bring all rows about persons under a version; returns how many files went over, and which can't be read."""
    settings, ledger = intake.settings, intake.ledger
    rekeyed: list[Rekeyed] = []
    if person_version(ledger) != version or any(s.person_key_version != version for s in person_submissions(intake)):
        try:
            keys = with_person_key(load_keys(settings.keys), version)
            replace_keys(settings.keys, keys)
            rekeyed = _write_rekeyed(replace(intake, keys=keys), version, on_step)
        except BaseException:
            with suppress(LedgerError):  # gone: then it stays begun
                remove_unrecorded_files(intake)
                for what in (PERSONS, ORIGINALS):  # originals come after persons: nothing of them is changed
                    end_rotation(ledger, what)
            raise
        record_rekeyed(ledger, version, rekeyed)
    replace_keys(settings.keys, replace(load_keys(settings.keys), person_version=version))
    remove_unrecorded_files(intake)
    end_rotation(ledger, PERSONS)
    left = [s.parquet_path or "" for s in person_submissions(intake) if s.person_key_version != version]
    return len(rekeyed), left


def _write_rekeyed(intake: IntakeContext, version: int, on_step: OnStep | None) -> list[Rekeyed]:
    """Write all rows about persons under a version, beside the files that count; those that can't be read are left out.

    Raises:
        RotationRefused: one of these is in force.
    """
    files, keys, submissions = intake.rows, intake.keys.person_keys, person_submissions(intake)
    in_force = {found.submission_id for found in newest_accepted(submissions)}
    rekeyed, damaged = [], []
    for number, found in enumerate(submissions, start=1):
        if found.person_key_version == version:
            continue
        if on_step is not None:
            on_step(number, len(submissions), found.district_code)
        try:
            rows = _rewrapped_rows(read_rows(files, found), keys[found.person_key_version or 0], keys[version])
        except (DamagedRows, WrongWrapping):
            damaged += [found.submission_id] if found.submission_id in in_force else []
            continue
        name = marked_name(found, f"k{version}")
        rekeyed.append(Rekeyed(found.submission_id, name, store_rows(files, name, rows)))
    if damaged:
        raise RotationRefused(
            f"the rows of {len(damaged)} submissions in force are missing or damaged: `followup restore-rows "
            f"SUBMISSION` stores them again; then rotate ({', '.join(damaged[:10])})"
        )
    return rekeyed


def _rewrapped_rows(rows: pa.Table, before: bytes, after: bytes) -> pa.Table:
    """Rows with their persons under another wrapping; all else, the order and what the footer says stay."""
    for name in _PERSON_COLUMNS:
        place, column = rows.column_names.index(name), rows[name]
        encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
        chunks = []
        for chunk in encoded.chunks:
            texts = rewrapped(before, after, chunk.dictionary)
            again = pa.DictionaryArray.from_arrays(chunk.indices, texts)
            chunks.append(again if pa.types.is_dictionary(column.type) else again.cast(column.type))
        rows = rows.set_column(place, rows.schema.field(place), pa.chunked_array(chunks, column.type))
    return rows


def remove_unrecorded_files(intake: IntakeContext) -> None:
    """Remove the files of rows about persons that the ledger does not name (any more): of another version than it says,
    or with rows that were erased since."""
    about = {name for name, contract in load_contracts().items() if contract.about_persons}
    known = {found.submission_id: found for found in intake.ledger.submissions() if found.dataset in about}
    for name in [name for dataset in sorted(about) for name in intake.rows.names(dataset)]:
        found = known.get(submission_of(name))
        if found is not None and is_left_over(name, found):
            intake.rows.remove(name)


def _rotate_originals(intake: IntakeContext, version: int, on_step: OnStep | None) -> tuple[int, list[str]]:
    """Bring all originals under a version; returns how many went over, and which can't be read."""
    settings = intake.settings
    keys = with_original_key(load_keys(settings.keys), version)
    replace_keys(settings.keys, keys)
    paths = _originals(intake)
    done, left = 0, []
    for district, own in groupby(paths, key=lambda path: path.parent.name):
        with intake.ledger.lease(f"receive:{district}"):
            for path in own:
                if on_step is not None:
                    on_step(paths.index(path) + 1, len(paths), district)
                try:
                    if original_version(path) != version:
                        seal_again(path, path.stem, keys)
                        done += 1
                except FileNotFoundError:  # erased meanwhile
                    continue
                except DamagedOriginal:
                    left.append(str(path.relative_to(settings.home)))
    end_rotation(intake.ledger, ORIGINALS)
    return done, left


def unused_versions(intake: IntakeContext) -> dict[str, tuple[int, ...]]:
    """Versions in the key file that are not in use and that no stored file is under: PERSONS and ORIGINALS → them.

    Looked at are the ledger, all files in validated/ (also those that the ledger does not know), landing/ and spool/.
    """
    used = {(use.what, use.version) for use in key_uses(intake) if use.is_in_use or use.files}
    used |= {(PERSONS, version) for version in _versions_in_validated(intake)}
    return {
        what: tuple(version for version in sorted(there) if (what, version) not in used)
        for what, there in ((PERSONS, intake.keys.person_keys), (ORIGINALS, intake.keys.original_keys))
    }


def _versions_in_validated(intake: IntakeContext) -> set[int]:
    found: set[int] = set()
    for name in intake.rows.names():
        with suppress(pa.ArrowInvalid, FileNotFoundError):
            if (key := _first_person(intake.rows.source(name))) is not None:
                texts = pa.array([key], pa.string())
                found |= {v for v, wrapping in intake.keys.person_keys.items() if unwrapped(wrapping, texts)[1][0]}
    return found


def _first_person(source: Path | pa.BufferReader) -> str | None:
    """The first person key in a file of rows; None where it holds none."""
    with pq.ParquetFile(source) as file:
        if _PERSON_COLUMNS[0] not in file.schema_arrow.names:
            return None
        for batch in file.iter_batches(columns=[_PERSON_COLUMNS[0]]):
            keys = batch.column(0).drop_null()
            if len(keys):
                return str(keys[0].as_py())
    return None


def prune(intake: IntakeContext) -> dict[str, tuple[int, ...]]:
    """Remove from the key file the versions that nothing uses; returns which.

    Raises:
        RotationRefused: a rotation has begun and not ended.
        SettingsError: the key file can't be read or written.
        LeaseBusy: another process works with files, builds, or publishes.
    """
    with intake.ledger.lease("keys"), exclusively(intake):
        if rotations_under_way(intake.ledger):
            raise RotationRefused("a rotation was interrupted: run `followup keys rotate` again first")
        intake = replace(intake, keys=load_keys(intake.settings.keys))
        unused, keys = unused_versions(intake), intake.keys
        if any(unused.values()):
            left = replace(
                keys,
                person_keys={v: key for v, key in keys.person_keys.items() if v not in unused[PERSONS]},
                original_keys={v: key for v, key in keys.original_keys.items() if v not in unused[ORIGINALS]},
            )
            replace_keys(intake.settings.keys, left)
        return unused
