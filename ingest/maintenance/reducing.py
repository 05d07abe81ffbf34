"""Reducing: files of rows about persons without those persons about whom nothing was reported any more.

A person's rows go all together, once the newest of them is of the last quarter to be erased or an older one. Every
figure about persons looks at one person's rows at a time, so figures of later quarters don't change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contracts import load_contracts
from ingest.ledger import Submission
from ingest.ledger.freezes import Frozen, Reduced
from ingest.ledger.store import newest_accepted
from ingest.maintenance.rotating import person_submissions
from ingest.queries import queries_path
from ingest.recording import IntakeContext
from ingest.row_files import marked_name
from ingest.sketching import with_sketch
from ingest.storing import read_rows, sha256_of, store_rows

_KEYS = ("person_key", "match_person_key")


@dataclass(frozen=True)
class Reduction:
    """How many rows of a submission go and how many stay.

    Attributes:
        found: the submission.
        gone: rows that go.
        left: rows that stay, as their persons have newer ones; 0 where the file is of a replaced or withdrawn version.
        is_in_force: whether the submission is; the file of another goes whole.
    """

    found: Submission
    gone: int
    left: int
    is_in_force: bool


def reductions(intake: IntakeContext, erased_quarter: str) -> list[Reduction]:
    """What goes with the quarters up to one, submission by submission; files of which nothing goes are left out.

    Raises:
        DamagedRows: rows of a submission are missing or damaged.
    """
    return [parted for parted, _ in _parted(intake, erased_quarter)]


def write_reduced(intake: IntakeContext, erased_quarter: str) -> tuple[list[Reduced], int]:
    """Write the files without the rows that go, beside those that count.

    Returns:
        Where the rows are then, for `record_freeze`, and how many go.

    Raises:
        DamagedRows: rows of a submission are missing or damaged.
    """
    reduced, rows = [], 0
    for parted, left in _parted(intake, erased_quarter):
        found = parted.found
        rows += parted.gone
        if not parted.is_in_force:
            reduced.append(Reduced(found.submission_id, None, None))
            continue
        name = reduced_name(found, erased_quarter)
        contract = load_contracts()[found.dataset or ""]
        checksum = store_rows(intake.rows, name, with_sketch(left, contract))
        reduced.append(Reduced(found.submission_id, name, checksum))
    return reduced, rows


def reduced_name(found: Submission, erased_quarter: str) -> str:
    """Name of a submission's reduced file. A rotation of keys knows it by its name and removes it."""
    return marked_name(found, f"k{found.person_key_version}x{erased_quarter}")


def _parted(intake: IntakeContext, erased_quarter: str) -> Iterator[tuple[Reduction, pa.Table]]:
    """Each submission of which rows go, with the rows that stay."""
    files, submissions = intake.rows, person_submissions(intake)
    in_force = {found.submission_id for found in newest_accepted(intake.ledger.submissions())}
    later = [found for found in submissions if (found.reporting_quarter or "") > erased_quarter]
    seen_later = {name: _distinct(read_rows(files, found, [name])[name] for found in later) for name in _KEYS}
    for found in submissions:
        if found in later:
            continue
        rows = read_rows(files, found)
        if found.submission_id not in in_force:
            yield Reduction(found, rows.num_rows, 0, is_in_force=False), rows.slice(0, 0)
            continue
        stay = pc.or_(*(pc.is_in(rows[name].cast(pa.string()), value_set=seen_later[name]) for name in _KEYS))
        left = rows.filter(stay)
        if left.num_rows < rows.num_rows:
            yield Reduction(found, rows.num_rows - left.num_rows, left.num_rows, is_in_force=True), left


def _distinct(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    found = pa.chunked_array([], pa.string())
    for column in columns:
        own = pc.unique(column.cast(pa.string()).drop_null())
        found = pa.chunked_array([*found.chunks, own], pa.string())
    return pc.unique(found)


def remove_erased_files(intake: IntakeContext, frozen: Frozen) -> int:
    """Remove what belongs to quarters whose rows are erased and has no use: queries of single rows, and feedback.

    Returns:
        How many files went.
    """
    gone = list(files_without_use(intake, frozen.erased_quarter))
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def files_without_use(intake: IntakeContext, erased_quarter: str) -> Iterator[Path]:
    """Queries of single rows, and feedback, of the quarters up to one whose rows are, or will be, erased."""
    settings = intake.settings
    for found in intake.ledger.submissions():
        if found.reporting_quarter is None or found.reporting_quarter > erased_quarter:
            continue
        feedback = (settings.feedback / found.district_code).glob(f"{found.submission_id}.*")
        paths = (queries_path(settings.home, found.district_code, found.submission_id), *feedback)
        yield from (path for path in paths if path.exists())


def damaged_frozen_files(home: Path, frozen: Frozen | None) -> list[str]:
    """Paths, under home, of frozen figures that are missing or are not what was stored.

    Raises:
        OSError: the disk or its rights are at fault.
    """
    wrong = []
    for file in frozen.files if frozen else ():
        try:
            actual = sha256_of(home / file.path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            actual = ""
        if actual != file.file_sha256:
            wrong.append(file.path)
    return wrong
