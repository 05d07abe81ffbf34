"""Freezing: figures of old quarters are stored as aggregates, then rows about persons of these quarters are erased.

Nothing is erased before a build without these rows has given the same figures, row for row. One transaction of the
ledger then puts the frozen figures and the files without the rows in force. Killed at any step and run again it ends as
undisturbed: until that transaction the old files count, after it the new ones; each run removes what does not count.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic

import duckdb
import yaml

from followup.build import snapshot as inputs
from followup.build.building import NodeResult, beside, build, build_file, marts_folder, put_in_place
from followup.build.engines import engine_of
from followup.build.snapshot import Snapshot, take_snapshot
from ingest.failures import StorageFailure
from ingest.file_permissions import make_folder
from ingest.ledger import Submission
from ingest.ledger.decisions import locked_quarters
from ingest.ledger.erasures import empty_write_ahead_log
from ingest.ledger.freezes import Frozen, FrozenFile, Reduced, newest_frozen, record_freeze
from ingest.ledger.store import Build
from ingest.maintenance.reducing import Reduction, reductions, remove_erased_files, write_reduced
from ingest.maintenance.rotating import exclusively, person_submissions, remove_unrecorded_files
from ingest.quarters import Quarter
from ingest.recording import IntakeContext
from ingest.storing import sha256_of
from publish.warehouse import open_warehouse

YEAR = 4
"""Quarters of a year: a rolling year looks at so many."""
_FROZEN = "frozen"
_MARK = re.compile(r"\bfrozen: true\b")


class FiguresWouldChange(StorageFailure):
    """A build without the rows gave other figures; nothing is erased. The message names the marts."""


class RowsCameMeanwhile(StorageFailure):
    """What is in force changed between the build and the erasing; nothing is erased."""


@dataclass(frozen=True)
class Due:
    """Which quarters are due.

    Attributes:
        through: the newest quarter whose figures are frozen then; None where nothing is due.
        erased: the newest whose rows about persons are erased then: a year's other quarters before `through`.
        waits_for: a quarter that would be due but is not locked; with it all later ones wait.
    """

    through: Quarter | None
    erased: Quarter | None
    waits_for: Quarter | None


@dataclass(frozen=True)
class Freeze:
    """What was frozen and erased: quarters, how many rows about persons, and in how many files."""

    through: Quarter
    erased: Quarter
    rows: int
    files: int


def due_quarters(intake: IntakeContext) -> Due:
    """The quarters whose figures are to be frozen and whose rows about persons are to be erased, by the settings.

    A quarter's rows are due once so many quarters have ended after it as the settings say. A rolling year that ends
    later looks at them, so the figures of the three quarters after it are frozen with them. Only locked quarters are
    frozen.
    """
    settings, ledger = intake.settings, intake.ledger
    newest = Quarter.of(settings.now_date()).previous()
    through = newest.back(settings.rows_kept_quarters - (YEAR - 1))
    locked, waits_for = locked_quarters(ledger), None
    for text in ledger.quarters():
        if text <= str(through) and text not in locked:
            waits_for, through = Quarter.parse(text), Quarter.parse(text).previous()
            break
    erased, before = through.back(YEAR - 1), newest_frozen(ledger)
    oldest = min((found.reporting_quarter or "" for found in person_submissions(intake)), default=None)
    if oldest is None or str(erased) < oldest or (before is not None and str(erased) <= before.erased_quarter):
        return Due(None, None, waits_for)
    return Due(through, erased, waits_for)


def rows_due(intake: IntakeContext, due: Due) -> list[Reduction]:
    """What would go, submission by submission; for a dry run.

    Raises:
        DamagedRows: rows of a submission are missing or damaged.
    """
    return [] if due.erased is None else reductions(intake, str(due.erased))


def freeze_and_erase(
    intake: IntakeContext, now: datetime, on_node: Callable[[NodeResult], None] | None = None
) -> Freeze | None:
    """Freeze the figures of the quarters that are due, erase the rows about persons, and put the new marts in place.

    Args:
        intake: the installation's.
        now: UTC, without zone.
        on_node: called as each seed, model and test of a build ends.

    Returns:
        What was done; None where nothing was due.

    Raises:
        FiguresWouldChange: without the rows the marts would have other figures.
        RowsCameMeanwhile: something was submitted meanwhile.
        BuildFailed: a model or a test failed, with the rows or without them.
        DamagedRows: stored rows or frozen figures are missing or damaged.
        LeaseBusy: another process works with files, builds, or publishes.
    """
    settings = intake.settings
    with exclusively(intake):
        _remove_what_does_not_count(intake)
    due = due_quarters(intake)
    if due.through is not None or newest_frozen(intake.ledger) is not None:
        build(settings, on_node=on_node)  # also where a run was killed between the ledger's switch and the marts'
    if due.through is None or due.erased is None:
        return None
    with exclusively(intake):
        done = _freeze(intake, due.through, due.erased, now, on_node)
        _remove_what_does_not_count(intake)
    return done


def _freeze(
    intake: IntakeContext,
    through: Quarter,
    erased: Quarter,
    now: datetime,
    on_node: Callable[[NodeResult], None] | None,
) -> Freeze:
    settings, ledger, began = intake.settings, intake.ledger, monotonic()
    started = datetime.now(UTC).replace(tzinfo=None)
    snapshot, last = take_snapshot(settings, ledger), ledger.last_build()
    if last is None or last.fingerprint != snapshot.fingerprint():
        raise RowsCameMeanwhile("something was submitted while the marts were built: run it again")
    reduced, rows = write_reduced(intake, str(erased))
    files = _write_frozen(settings.home, settings.warehouse, through)
    frozen = Frozen(str(through), str(erased), tuple(files))
    half_done = make_folder(settings.half_done.absolute())
    folder, upcoming = half_done / "build", half_done / "warehouse.next.duckdb"
    without = _without(snapshot, reduced, frozen)
    built = build_file(settings, without, upcoming, folder, marts=marts_folder(settings), on_node=on_node)
    if different := _differing(settings.warehouse, upcoming):
        upcoming.unlink()
        engine_of(settings).tidy(settings.warehouse, only_in_place=True)
        raise FiguresWouldChange(
            f"without the rows to {erased} other figures would be in {', '.join(different)}: nothing is erased. Build "
            "the marts anew (followup build --force); if it is so again, it is a fault of the models"
        )
    done = Build(without.fingerprint(), "built", started, monotonic() - began, None)
    with beside(upcoming, settings.warehouse) as whole, ledger.fenced("build") as connection:
        put_in_place(settings, whole, built.described)  # the figures are the same, so it may be there before the commit
        ledger.record_build(done, connection)
        record_freeze(connection, frozen, reduced, rows, now)
    empty_write_ahead_log(ledger)
    shutil.rmtree(folder / "target", ignore_errors=True)
    return Freeze(through, erased, rows, len(reduced))


def _without(snapshot: Snapshot, reduced: Sequence[Reduced], frozen: Frozen) -> Snapshot:
    """The snapshot as the ledger will be."""
    new = {one.submission_id: one for one in reduced}

    def moved(found: Submission) -> Submission:
        one = new.get(found.submission_id)
        return (
            found if one is None else replace(found, parquet_path=one.parquet_path, parquet_sha256=one.parquet_sha256)
        )

    return replace(snapshot.with_submissions(map(moved, snapshot.submissions)), frozen=frozen)


@cache
def frozen_models(project: Path) -> tuple[tuple[str, str], ...]:
    """(schema, model) of each model of a dbt project that takes frozen rows: `meta: {frozen: true}` in its YAML."""
    found = []
    for path in sorted((project / "models").rglob("*.yml")):
        text = path.read_text(encoding="utf-8")
        if not _MARK.search(text):
            continue
        for model in yaml.safe_load(text).get("models", ()):
            if model.get("config", {}).get("meta", {}).get("frozen"):
                found.append(("keyed" if path.parent.name == "marts" else path.parent.name, model["name"]))
    return tuple(found)


def _write_frozen(home: Path, warehouse: Path, through: Quarter) -> list[FrozenFile]:
    """Store the rows of each model of periods that end with a quarter or before it, keys included."""
    folder = make_folder(home / _FROZEN / str(through))
    files = []
    with open_warehouse(warehouse) as connection:
        for schema, model in frozen_models(inputs.PROJECT):
            path, beside = folder / f"{model}.parquet", folder / f".{model}.parquet.tmp"
            target = str(beside).replace("'", "''")
            connection.execute(
                f"copy (select * from {schema}.{model} where reporting_quarter <= '{through}') to '{target}' "
                "(format parquet, compression zstd)"
            )
            checksum = sha256_of(beside)
            with beside.open("rb") as handle:
                os.fsync(handle.fileno())
            beside.replace(path)
            files.append(FrozenFile(model, str(path.relative_to(home)), checksum))
    return files


def _differing(before: Path, after: Path) -> list[str]:
    """Marts whose rows, all columns and types of them, are not the same in two warehouses."""
    contents = []
    for warehouse in (before, after):
        with open_warehouse(warehouse) as connection:
            contents.append(_contents(connection))
    one, other = contents
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[object, ...]]:
    """What tells each mart's rows apart from others: columns, types, how many rows, and the sum of their digests."""
    names = connection.execute(
        "select distinct table_name from duckdb_columns() where schema_name = 'keyed'"
    ).fetchall()
    found: dict[str, tuple[object, ...]] = {}
    for (name,) in names:
        columns = connection.execute(f'describe keyed."{name}"').fetchall()
        digests = connection.execute(f'select count(*), sum(cast(hash(row_) as hugeint)) from keyed."{name}" as row_')
        found[name] = (str(columns), digests.fetchone())
    return found


def _remove_what_does_not_count(intake: IntakeContext) -> None:
    """Remove files of rows, frozen figures, queries and feedback that the ledger does not name, or no longer."""
    home, frozen = intake.settings.home, newest_frozen(intake.ledger)
    remove_unrecorded_files(intake)
    counting = {(home / file.path).parent for file in frozen.files} if frozen else set()
    for folder in (home / _FROZEN).glob("*"):
        if folder not in counting:
            shutil.rmtree(folder)
    if frozen is not None:
        remove_erased_files(intake, frozen)
        engine_of(intake.settings).tidy(intake.settings.warehouse, only_in_place=True)
