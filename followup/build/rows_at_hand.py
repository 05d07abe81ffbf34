"""The files of rows that a build reads, each as it was stored.

Rows in a bucket are fetched into a folder of the build, for this service alone, and removed when it ends.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from followup.build.snapshot import Snapshot, write_snapshot
from ingest.file_permissions import make_folder
from ingest.ledger import Submission
from ingest.maintenance.reducing import damaged_frozen_files
from ingest.row_files import RowFiles, row_files
from ingest.settings import Settings
from ingest.storing import DamagedRows, damaged_rows, not_as_stored, stored_content

_FETCHED = "rows"


@contextmanager
def build_inputs(settings: Settings, snapshot: Snapshot, folder: Path) -> Iterator[dict[str, str]]:
    """What dbt reads, written into a folder, for the time of a build; yields the variables that dbt needs.

    Raises:
        DamagedRows: a file is missing or is not what was stored: dbt may still read it, and give other figures.
    """
    with _rows_at_hand(settings, snapshot, folder) as rows:
        yield write_snapshot(snapshot, settings, folder, rows)


@contextmanager
def _rows_at_hand(settings: Settings, snapshot: Snapshot, folder: Path) -> Iterator[Mapping[str, Path]]:
    """Where this machine reads the rows in force: their names → files. Frozen figures are looked at too."""
    if damaged := damaged_frozen_files(settings.home, snapshot.frozen):
        raise DamagedRows(
            f"frozen figures are missing or damaged: {', '.join(damaged)} in FOLLOWUP_HOME; the rows that they were "
            "made of are erased, so restore them from a backup"
        )
    files = row_files(settings)
    in_place = {name: path for found in snapshot.in_force if (path := files.local(name := found.parquet_path or ""))}
    _require_none(files, not_as_stored(files, [one for one in snapshot.in_force if one.parquet_path in in_place]))
    remove_fetched(folder)
    try:
        fetched = _fetched(files, [one for one in snapshot.in_force if one.parquet_path not in in_place], folder)
        yield in_place | fetched
    finally:
        remove_fetched(folder)


def _fetched(files: RowFiles, submissions: list[Submission], folder: Path) -> dict[str, Path]:
    """Fetch files into a folder, several at once, each checked before it is written."""
    if not submissions:
        return {}
    target, wrong = make_folder(folder.absolute(), _FETCHED), list[Submission]()

    def fetch(found: Submission) -> Path:
        path = target / f"{found.submission_id}.parquet"
        try:
            path.write_bytes(stored_content(files, found))
        except DamagedRows:
            wrong.append(found)
        except OSError as error:
            error.filename = error.filename or str(path)
            raise
        return path

    with ThreadPoolExecutor(files.at_once) as threads:
        paths = list(threads.map(fetch, submissions))
    _require_none(files, sorted(wrong, key=submissions.index))
    return {found.parquet_path or "": path for found, path in zip(submissions, paths, strict=True)}


def remove_fetched(folder: Path) -> None:
    """Remove the rows that a build has fetched into its folder, or a killed one before it.

    Raises:
        OSError: they can't be removed.
    """
    if (fetched := folder / _FETCHED).exists():
        shutil.rmtree(fetched)


def _require_none(files: RowFiles, wrong: list[Submission]) -> None:
    if wrong:
        first = damaged_rows(files, wrong[0])
        others = ", ".join(found.submission_id for found in wrong[1:])
        raise DamagedRows(f"{first} (the same holds for {others})" if others else str(first))
