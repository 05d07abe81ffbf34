"""`followup preview`: which figures would change if a file were received now. Nothing is stored.

The file's rows replace the version in force in a temporary warehouse, and the marts of the two are compared. Receiving
a resubmission also checks the next quarter's queries again; a preview does not.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from followup.build.building import NodeResult, build_file
from followup.build.figure_diff import MartDiff, diff_marts
from followup.build.snapshot import Snapshot, take_snapshot
from ingest import feedback
from ingest.checking import CheckReport, check_file
from ingest.comparing import with_changes
from ingest.contracts import load_contracts
from ingest.explaining import carried_over, earlier_explanations, open_count
from ingest.ledger import Ledger, Submission
from ingest.ledger.leases import LeaseBusy, machine
from ingest.naming import FileName, read_name
from ingest.queries import queries_of
from ingest.recording import IntakeContext, circumstances_of, open_intake
from ingest.settings import CITY_TIME, MEGABYTE, Settings, SettingsError
from ingest.storing import Provenance, rows_to_store, write_rows
from publish.warehouse import require_openable

SUBMISSION_ID = "forhandsvisning"
"""The submission id of the file in the temporary warehouse."""
_DAY_SECONDS = 86400


@dataclass(frozen=True)
class Preview:
    """The figures that a file would change.

    Attributes:
        report: the check; refused when it is not accepted, and then nothing was built.
        is_known: the version in force has the same content: no figure differs.
        replaced: the version in force, None when there is none.
        marts: those in which a figure differs.
    """

    report: CheckReport
    is_known: bool
    replaced: Submission | None
    marts: tuple[MartDiff, ...]


def preview(
    settings: Settings, path: Path, *, most: int | None = 20, on_node: Callable[[NodeResult], None] | None = None
) -> Preview:
    """As `preview_content`, of a file whose name says district, dataset and quarter."""
    with path.open("rb") as handle:
        raw = handle.read(settings.max_file_megabytes * MEGABYTE + 1)
    return preview_content(settings, raw, read_name(path.name), most=most, on_node=on_node)


def preview_content(
    settings: Settings,
    raw: bytes,
    name: FileName,
    *,
    most: int | None = 20,
    on_node: Callable[[NodeResult], None] | None = None,
) -> Preview:
    """Check a file's bytes, build a warehouse with them in place of the version in force, and compare.

    Args:
        settings: the installation's.
        raw: the file's bytes; they are not written to disk.
        name: of district, dataset and quarter.
        most: figures listed per mart; None lists all.
        on_node: called as each seed, model and test of a build ends.

    Raises:
        SettingsError: there is no ledger or no keys here.
        BuildFailed: with this file the build would fail.
        WarehouseFailed: the warehouse in force can't be read.
        DamagedRows: rows in force are missing or damaged.
    """
    _require_received_rows(settings)
    with open_intake(settings) as intake:
        report = check_file(raw, name, circumstances_of(settings, intake.keys, intake.ledger, name, name.district))
        report = with_changes(report, intake.ledger, intake.rows, intake.keys)
        if not report.accepted or name.dataset is None or name.quarter is None or name.district is None:
            return Preview(report, False, None, ())
        in_force = intake.ledger.in_force(district=name.district, dataset=name.dataset, quarter=str(name.quarter))
        replaced = in_force[0] if in_force else None
        checksum = hashlib.sha256(raw).hexdigest()
        if replaced is not None and replaced.source_file_sha256 == checksum:
            return Preview(report, True, replaced, ())
        snapshot = take_snapshot(settings, intake.ledger)
        with temporary_folder(settings.half_done.absolute() / "preview") as folder:
            submission = _as_if_submitted(intake, report, len(raw), checksum, snapshot, folder)
            with_file = snapshot.with_submissions((*snapshot.submissions, submission))
            # named as the warehouse in force: dbt's parsed project is stored for each name
            after, before = (folder / side / settings.warehouse.name for side in ("after", "before"))
            before.parent.mkdir()
            # first: a warehouse that can't be read is known before a build of a minute
            is_linked = link_warehouse(settings, intake.ledger, snapshot.fingerprint(), before)
            build_file(settings, with_file, after, after.parent, on_node=on_node)
            if not is_linked:
                build_file(settings, snapshot, before, before.parent, with_tests=False, on_node=on_node)
            diffs = diff_marts(before, after, name.district, str(name.quarter), most)
        return Preview(report, False, replaced, tuple(diffs))


def as_json(file: str, made: Preview) -> dict[str, Any]:
    """What `followup preview --format json` prints. `file` is the path as it was given.

    `check` is as of `check --format json`; of each mart `figures` has those of the district and quarter, as many as
    were asked for, and `moved` how many differ there and elsewhere.
    """
    return {
        "check": feedback.as_json(file, made.report),
        "is_known": made.is_known,
        "replaces_version": made.replaced.version if made.replaced else None,
        "marts": [
            {
                "mart": mart.mart,
                "moved": {
                    "here": mart.here,
                    "other_quarters": mart.other_quarters,
                    "city": mart.city,
                    "elsewhere": mart.elsewhere,
                },
                "figures": [
                    {"key": dict(f.key), "measure": f.measure, "from": f.before, "to": f.after} for f in mart.figures
                ],
            }
            for mart in made.marts
        ],
    }


def _require_received_rows(settings: Settings) -> None:
    """Raise SettingsError where nothing was received. Opening an empty ledger would also bind it to these keys."""
    nothing = SettingsError(f"nothing was received under {settings.home} yet: there is nothing to compare with")
    if settings.ledger_url is None and not (settings.home / "ledger.sqlite").exists():
        raise nothing
    ledger = Ledger(settings.ledger)
    try:
        if not ledger.submissions():
            raise nothing
    finally:
        ledger.close()


def _as_if_submitted(
    intake: IntakeContext, report: CheckReport, size: int, checksum: str, snapshot: Snapshot, folder: Path
) -> Submission:
    """The submission that receiving the file would make, with its rows in the temporary folder."""
    name, now = report.name, intake.settings.now()
    assert report.table is not None and name.dataset is not None and name.quarter is not None and name.district
    contract = load_contracts(name.quarter)[name.dataset]
    rows_path, submitted_at = folder / "rows.parquet", now.astimezone(UTC).replace(tzinfo=None)
    provenance = Provenance(SUBMISSION_ID, name.district, str(name.quarter), checksum, submitted_at)
    rows_checksum = write_rows(rows_path, rows_to_store(report.table, contract, provenance))
    own = (name.district, name.dataset, str(name.quarter))
    earlier_versions = [s for s in snapshot.submissions if (s.district_code, s.dataset, s.reporting_quarter) == own]
    queries = queries_of(report, contract, intake.keys)
    earlier = earlier_explanations(intake.ledger, name.district, name.dataset, name.quarter)
    return Submission(
        submission_id=SUBMISSION_ID,
        district_code=name.district,
        dataset=name.dataset,
        reporting_quarter=str(name.quarter),
        sequence=intake.ledger.next_sequence(name.district, name.dataset, str(name.quarter)),
        version=max((s.version or 0 for s in earlier_versions), default=0) + 1,
        state="accepted",
        source_file_name=name.shown,
        source_file_sha256=checksum,
        size_bytes=size,
        submitted_at=submitted_at,
        deadline_date=name.quarter.deadline,
        is_on_time=now.astimezone(CITY_TIME).date() <= name.quarter.deadline,
        is_synthetic=any(s.is_synthetic for s in earlier_versions),
        row_count=report.rows,
        error_count=0,
        query_count=report.total("query"),
        contract_version=contract.version,
        person_key_version=intake.keys.person_version if contract.about_persons else None,
        original_path="",
        parquet_path=str(rows_path),  # absolute: it is outside validated/
        parquet_sha256=rows_checksum,
        is_source_cleared=True,
        open_query_count=open_count(queries, carried_over(queries, SUBMISSION_ID, earlier)),
    )


def link_warehouse(settings: Settings, ledger: Ledger, fingerprint: str, target: Path) -> bool:
    """Link the warehouse under a second name if it was built from what is in force now; returns whether it was.

    It holds the build lease only for that moment, and does not wait for a build that runs.
    """
    with suppress(LeaseBusy), ledger.lease("build", wait_seconds=0):
        last = ledger.last_build()
        if last is None or last.fingerprint != fingerprint or not settings.warehouse.exists():
            return False
        require_openable(settings.warehouse)
        try:
            os.link(settings.warehouse, target)
        except OSError:  # no second names on this file system
            shutil.copyfile(settings.warehouse, target)
        return True
    return False


def _is_old(folder: Path) -> bool:
    try:
        return folder.stat().st_mtime < time.time() - _DAY_SECONDS
    except OSError:  # its own process has removed it
        return False


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder for this preview, removed afterwards; first removes those that killed previews left.

    A pid says something on its own machine alone: what another left goes when it is a day old.
    """
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in parent.iterdir():
        host, _, pid = left.name.rpartition("-")[0].rpartition("-")
        if not Path(f"/proc/{pid}").exists() if host == machine() else _is_old(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            parent.rmdir()
