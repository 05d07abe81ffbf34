"""What belongs to a backup: every file that the ledger names, and what else of FOLLOWUP_HOME can't be made again.

The ledger's copy is of one moment and comes first. Files do not change once the ledger names them, but for erasing and
for a rotation of keys: a file that is no longer what the ledger said makes the backup begin anew with the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from followup.backup.sets import Root
from ingest.feedback_files import FEEDBACK_ENDINGS, feedback_path
from ingest.ledger.exporting import LedgerExport
from ingest.ledger.uploads import ENDED
from ingest.queries import queries_path
from ingest.row_files import RowFiles, row_files
from ingest.settings import Settings
from ingest.spooling import Spool
from publish.release.approving import FILE_NAME, proposal_folder
from publish.serving.folder import read_identity, releases_folder

BY_THE_LEDGER = ("validated", "frozen", "queries", "feedback", "spool", "proposed")
"""Folders of FOLLOWUP_HOME of which a backup has what the ledger names."""
MADE_AGAIN = (
    "build",
    "preview",
    "trial",
    "declared",
    "work",
    "extracts",
    "airflow",
    "postgres",
    "published",
    "releases",
    "portal_accounts.json",
)
"""What else is in FOLLOWUP_HOME and in no backup: it is made again, is another program's, or has its own place."""
_LEDGER_AND_WAREHOUSE = ("ledger.sqlite", "warehouse.")
"""How other such files of FOLLOWUP_HOME begin: the ledger is copied row by row, the warehouse is built."""
_UNFINISHED = (".tmp", ".part", ".new", ".wal")
RESTORING = ".restoring"
"""The file in a home that a restore has begun and not ended."""


@dataclass(frozen=True)
class Wanted:
    """A file that belongs to a backup.

    Attributes:
        root, path: see StoredFile.
        source: where it is; where rows are not on a disk, these files.
        sha256: what the ledger says of it.
        is_required: whether the ledger names it, so that it must be there.
    """

    root: Root
    path: str
    source: Path | RowFiles
    sha256: str | None = None
    is_required: bool = False


def wanted_files(settings: Settings, copied: LedgerExport) -> list[Wanted]:
    """The files that belong to a backup with this ledger."""
    return [
        *_of_submissions(settings, copied),
        *_of_frozen(settings, copied),
        *_of_uploads(settings, copied),
        *_of_releases(settings, copied),
        *_of_home(settings),
    ]


def published_folder(settings: Settings, copied: LedgerExport) -> Path | None:
    """The folder of the release that is current by the ledger; None where none is, or it is not served yet."""
    current = _current_release(copied)
    releases = releases_folder(settings)
    if current is None or not releases.is_dir():
        return None
    for folder in sorted(releases.iterdir(), reverse=True):
        found = None if folder.name.startswith(".") or not folder.is_dir() else read_identity(folder)
        if found is not None and found.release_id == str(current):
            return folder
    return None


def _of_submissions(settings: Settings, copied: LedgerExport) -> Iterator[Wanted]:
    home, rows, originals = settings.home, row_files(settings), set[str]()
    for found in copied.rows("submission"):
        district, submission_id = str(found["district_code"]), str(found["submission_id"])
        if found["original_path"] and found["original_erased_at"] is None:
            originals.add(str(found["original_path"]))
        if found["parquet_path"]:
            path = str(found["parquet_path"])
            yield Wanted("home", path, rows.local(path) or rows, str(found["parquet_sha256"]), is_required=True)
            yield _in_home(settings, queries_path(home, district, submission_id))
        for ending in FEEDBACK_ENDINGS:
            yield _in_home(settings, feedback_path(settings, district, submission_id, ending))
    for path in sorted(originals):
        yield Wanted("home", path, home / path, is_required=True)
    # one that came after the ledger was copied can be taken in from here, when its sender has it no more
    for source in _files_below(settings.landing):
        if (path := source.relative_to(home).as_posix()) not in originals:
            yield Wanted("home", path, source)


def _of_frozen(settings: Settings, copied: LedgerExport) -> Iterator[Wanted]:
    """The figures that are frozen now: their rows are erased, so nothing can make them again."""
    files = list(copied.rows("frozen_figures"))
    newest = max((int(file["freeze_id"]) for file in files), default=0)
    for file in files:
        if int(file["freeze_id"]) == newest:
            path = str(file["path"])
            yield Wanted("home", path, settings.home / path, str(file["file_sha256"]), is_required=True)


def _of_uploads(settings: Settings, copied: LedgerExport) -> Iterator[Wanted]:
    """Files that were handed in and not taken in yet. What was only checked expires within a day: never in a backup."""
    spool = Spool(settings)
    for found in copied.rows("upload"):
        if found["purpose"] == "submit" and found["submitted_at"] is not None and found["state"] not in ENDED:
            yield _in_home(settings, spool.path_of(str(found["upload_id"])))


def _of_releases(settings: Settings, copied: LedgerExport) -> Iterator[Wanted]:
    """The files of the current release and of proposals that wait, and what readers open."""
    current = _current_release(copied)
    waiting = [int(row["release_id"]) for row in copied.rows("release") if row["state"] == "proposed"]
    for release_id in sorted({*waiting, *([] if current is None else [current])}):
        folder = proposal_folder(settings, release_id)
        for source in _files_below(folder):
            if source.name != FILE_NAME:
                yield _in_home(settings, source)
        yield Wanted("home", f"proposed/{release_id}/{FILE_NAME}", folder / FILE_NAME, is_required=True)
    published = published_folder(settings, copied)
    if published is not None:
        for source in _files_below(published):
            yield Wanted("published", source.relative_to(published.parent).as_posix(), source)


def _current_release(copied: LedgerExport) -> int | None:
    released = [int(row["release_id"]) for row in copied.rows("release") if row["state"] == "released"]
    return max(released, default=None)


def _of_home(settings: Settings) -> Iterator[Wanted]:
    """What else is in FOLLOWUP_HOME: what nobody has named here is in the backup, and not forgotten."""
    own = {path.absolute() for path in (settings.airflow_home, settings.postgres_home, settings.published)}
    own |= set() if settings.validated_bucket else {settings.validated.absolute()}
    own |= {releases_folder(settings), *([settings.parsed.absolute()] if settings.parsed else [])}
    for entry in sorted(settings.home.absolute().iterdir()) if settings.home.is_dir() else ():
        if entry.name in (*BY_THE_LEDGER, *MADE_AGAIN, "landing", RESTORING) or entry in own:
            continue
        if entry.name.startswith(_LEDGER_AND_WAREHOUSE) or entry.is_symlink():
            continue
        for source in [entry] if entry.is_file() else _files_below(entry):
            if source.name.endswith(_UNFINISHED):
                continue
            yield Wanted("home", source.relative_to(settings.home.absolute()).as_posix(), source)


def _in_home(settings: Settings, source: Path) -> Wanted:
    return Wanted("home", source.absolute().relative_to(settings.home.absolute()).as_posix(), source)


def _files_below(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, but for unfinished ones; links are left out, and what goes meanwhile too."""
    for above, below, names in os.walk(folder):
        below.sort()
        for name in sorted(names):
            path = Path(above) / name
            if not name.startswith(".") and not name.endswith(_UNFINISHED) and path.is_file() and not path.is_symlink():
                yield path
