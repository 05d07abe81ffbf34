"""The files of rows that a build reads, each as it was stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from followup.build.snapshot import Snapshot, write_snapshot
from ingest.ledger import Submission
from ingest.maintenance.reducing import damaged_frozen_files
from ingest.row_files import RowFiles, row_files
from ingest.settings import Settings
from ingest.storing import DamagedRows, damaged_rows, has_rows_as_stored


@contextmanager
def build_inputs(settings: Settings, snapshot: Snapshot, folder: Path) -> Iterator[dict[str, str]]:
    """What dbt reads, written into a folder, for the time of a build; yields the variables that dbt needs.

    Raises:
        DamagedRows: a file is missing or is not what was stored: dbt may still read it, and give other figures.
    """
    with _rows_at_hand(settings, snapshot) as rows:
        yield write_snapshot(snapshot, settings, folder, rows)


@contextmanager
def _rows_at_hand(settings: Settings, snapshot: Snapshot) -> Iterator[Mapping[str, Path]]:
    """Where this machine reads the rows in force: their names → files. Frozen figures are looked at too.

    Raises:
        DamagedRows: a file is missing or is not what was stored: dbt may still read it, and give other figures.
    """
    if damaged := damaged_frozen_files(settings.home, snapshot.frozen):
        raise DamagedRows(
            f"frozen figures are missing or damaged: {', '.join(damaged)} in FOLLOWUP_HOME; the rows that they were "
            "made of are erased, so restore them from a backup"
        )
    files = row_files(settings)
    wrong = [found for found in snapshot.in_force if not has_rows_as_stored(files, found)]
    _require_none(files, wrong)
    yield {name: path for found in snapshot.in_force if (path := files.local(name := found.parquet_path or ""))}


def _require_none(files: RowFiles, wrong: list[Submission]) -> None:
    if wrong:
        first = damaged_rows(files, wrong[0])
        others = ", ".join(found.submission_id for found in wrong[1:])
        raise DamagedRows(f"{first} (the same holds for {others})" if others else str(first))
