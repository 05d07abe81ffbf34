"""Receiving what waits in drop locations: read, check, store, commit to the ledger, give feedback, clear.

Each step can be killed and run again. Until the ledger's commit nothing counts. What a killed run wrote has the names
that the next run uses, since a submission's id follows from its content and from how many came before it.
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.districts import DropLocation, load_districts, load_drop_locations
from ingest.feedback_files import FEEDBACK_ENDINGS, feedback_path
from ingest.ledger import Submission
from ingest.locations.sources import DropLocationUnreachable, FileNotReady, Source, WaitingFile
from ingest.naming import FileName, read_name, shown_name
from ingest.organisation import DRAWN
from ingest.quarters import Quarter
from ingest.rechecking import recheck_after
from ingest.recording import (
    Arrival,
    IntakeContext,
    open_intake,
)
from ingest.settings import MEGABYTE, Settings, SettingsError
from ingest.taking_in import checksum_of, prepare, take_in

log = logging.getLogger(__name__)

__all__ = ["DistrictReceipt", "DropLocationUnreachable", "FileReceipt", "receive", "receive_district"]


@dataclass(frozen=True)
class FileReceipt:
    """What became of one file. Holds nothing personal.

    `state`: accepted; refused; duplicate (already received, nothing changed); waiting (left for another quarter's run,
    or because it may still be being written).
    """

    file_name: str
    dataset: str | None
    quarter: str | None
    state: str
    submission_id: str | None = None
    version: int | None = None
    rows: int = 0
    errors: int = 0
    queries: int = 0


@dataclass(frozen=True)
class DistrictReceipt:
    """What became of a district's files."""

    district_code: str
    files: tuple[FileReceipt, ...]

    @property
    def changed_quarters(self) -> tuple[str, ...]:
        """Quarters whose submissions changed in the ledger, so that marts may change."""
        changed = {f.quarter for f in self.files if f.quarter is not None and f.state in ("accepted", "refused")}
        return tuple(sorted(changed))

    def count(self, state: str) -> int:
        """Number of files in a state."""
        return sum(file.state == state for file in self.files)


@dataclass(frozen=True)
class ReceivingRun:
    """What one run of receiving works with: the context of intake, and the drop location that it empties."""

    intake: IntakeContext
    source: Source
    synthetic: frozenset[str]


def _receive_file(run: ReceivingRun, file: WaitingFile, name: FileName) -> FileReceipt:
    intake = run.intake
    dataset, quarter = name.dataset, str(name.quarter) if name.quarter else None
    raw = run.source.read(file, intake.settings.max_file_megabytes * MEGABYTE)
    taken = take_in(intake, _arrival(run, file, name, raw))
    submission = taken.submission
    assert submission is not None
    if taken.state == "duplicate":
        text = f"{name.shown}: REDAN MOTTAGEN: samma innehåll som version {submission.version}, som gäller.\n"
        _leave_feedback(run, f"{name.shown}.txt", text.encode())
        run.source.clear(file, submission.source_file_sha256)
        return FileReceipt(
            name.shown, dataset, quarter, "duplicate", submission.submission_id, submission.version,
            submission.row_count,
        )  # fmt: skip
    _give_feedback_and_clear(run, file, submission)
    return FileReceipt(
        file_name=name.shown,
        dataset=dataset,
        quarter=quarter,
        state=submission.state,
        submission_id=submission.submission_id,
        version=submission.version,
        rows=submission.row_count,
        errors=submission.error_count,
        queries=submission.query_count,
    )


def _measured_at_most(settings: Settings) -> int:
    """How many bytes of a file that is too large are read for its checksum."""
    return 5 * settings.max_file_megabytes * MEGABYTE


def _arrival(run: ReceivingRun, file: WaitingFile, name: FileName, raw: bytes) -> Arrival:
    settings, size, checksum = run.intake.settings, len(raw), ""
    is_too_large = size > settings.max_file_megabytes * MEGABYTE
    if is_too_large:
        size, checksum = run.source.measure(file, _measured_at_most(settings))
    else:
        checksum = checksum_of(raw)
    return Arrival(
        district_code=run.source.district_code,
        name=name,
        raw=raw,
        size_bytes=size,
        checksum=checksum,
        is_synthetic=run.source.is_synthetic(checksum, run.synthetic),
        submitted_at=settings.now(),
        is_too_large=is_too_large,
    )


def _give_feedback_and_clear(run: ReceivingRun, file: WaitingFile, submission: Submission) -> None:
    """Do what follows the commit: write feedback, run the rules that look back at this quarter, clear the file.

    A later run does it again when this one was interrupted.
    """
    intake = run.intake
    _leave_answers(run, submission)
    if submission.state == "accepted":
        for again in recheck_after(intake, submission):
            if again.submission.district_code == submission.district_code:
                _leave_feedback(run, f"{again.submission.source_file_name}.omprovad.txt", again.text.encode())
    if submission.original_path:
        run.source.clear(file, submission.source_file_sha256)
    else:
        run.source.set_aside(file)
    intake.ledger.mark_cleared(submission.submission_id)


def _leave_answers(run: ReceivingRun, submission: Submission) -> None:
    for ending in FEEDBACK_ENDINGS:
        stored = feedback_path(run.intake.settings, submission.district_code, submission.submission_id, ending)
        name = f"{submission.source_file_name}.{ending}"
        _leave_feedback(run, name, stored.read_bytes() if stored.exists() else None)


def _leave_feedback(run: ReceivingRun, name: str, content: bytes | None) -> None:
    """Write feedback beside the files, or with None remove an earlier one that no longer applies.

    Failing to write it is a warning only: `status` and feedback/ have it too.
    """
    try:
        if content is None:
            run.source.remove_feedback(name)
        else:
            run.source.leave_feedback(name, content)
    except DropLocationUnreachable as error:
        log.warning("%s; its answers are stored under FOLLOWUP_HOME/feedback", error)


def _finish_interrupted(run: ReceivingRun, waiting: list[WaitingFile]) -> list[WaitingFile]:
    """Clear files that an earlier run recorded but was killed before clearing; return the others.

    Files that were checked again since get their new answer: of each name the newest.
    """
    uncleared = run.intake.ledger.uncleared(run.source.district_code)
    if not uncleared:
        return waiting
    again = [one for one in uncleared if Path(one.original_path).stem not in ("", one.submission_id)]
    for submission in {one.source_file_name: one for one in sorted(again, key=lambda one: one.sequence)}.values():
        _leave_answers(run, submission)
    unfinished = {(one.source_file_name, one.source_file_sha256): one for one in uncleared if one not in again}
    left = []
    for file in waiting:
        shown = shown_name(file.name)
        if not any(name == shown for name, _ in unfinished):
            left.append(file)
            continue
        try:
            checksum = run.source.measure(file, _measured_at_most(run.intake.settings))[1]
        except FileNotReady:
            left.append(file)
            continue
        recorded = unfinished.get((shown, checksum))
        if recorded is not None:
            _give_feedback_and_clear(run, file, recorded)
        else:
            left.append(file)
    for submission in uncleared:
        run.intake.ledger.mark_cleared(submission.submission_id)
    return left


def _order(file: WaitingFile, name: FileName) -> tuple[str, str, str]:
    """Older quarters first, and within one the datasets in the order of their folders (cases before episodes)."""
    return (str(name.quarter or ""), name.dataset or "", file.name)


def _receive_files(
    run: ReceivingRun,
    waiting: list[WaitingFile],
    quarter: Quarter | None,
    on_file: Callable[[FileReceipt, int, int], None] | None,
) -> tuple[FileReceipt, ...]:
    district = run.source.district_code
    files = _finish_interrupted(run, waiting)
    named = sorted(((f, read_name(f.name, district)) for f in files), key=lambda pair: _order(*pair))
    receipts = []
    for number, (file, name) in enumerate(named, start=1):
        left = FileReceipt(name.shown, name.dataset, str(name.quarter) if name.quarter else None, "waiting")
        if quarter is not None and name.quarter is not None and name.quarter != quarter:
            receipt = left
        elif not file.is_settled:
            log.warning("%s: %s may still be being written: left for a later run", district, name.shown)
            receipt = left
        else:
            try:
                receipt = _receive_file(run, file, name)
            except FileNotReady:
                log.warning("%s: %s changed, or can't be opened: left for a later run", district, name.shown)
                receipt = left
        receipts.append(receipt)
        if on_file is not None:
            on_file(receipt, number, len(named))
    return tuple(receipts)


def receive_district(
    settings: Settings,
    district_code: str,
    quarter: Quarter | None = None,
    *,
    inbox: str | None = None,
    on_file: Callable[[FileReceipt, int, int], None] | None = None,
) -> DistrictReceipt:
    """Take in what waits in one district's drop location.

    Args:
        settings: the installation's.
        district_code: whose.
        quarter: only this quarter's files (and those whose name can't be read); None takes all.
        inbox: look in `<inbox>/<district_code>` instead of where districts.yml says.
        on_file: called after each file with its receipt, its number and how many there are.

    Returns:
        What became of each file; also of those left waiting.

    Raises:
        DropLocationUnreachable: the location can't be listed, read or cleared. What was taken in before stays.
        SettingsError: unknown district, no keys, no such location.
        LeaseBusy: another process is taking in this district's files.
        LedgerError: the ledger is empty, and landing/ holds originals.
    """
    locations = load_drop_locations(settings, inbox)
    if load_districts().get(district_code) is None or district_code not in locations:
        raise SettingsError(f"{district_code} has no drop location in {settings.districts}")
    with open_intake(settings) as intake:
        ledger = intake.ledger
        with intake.lease(district_code):
            prepare(intake, district_code)
            with Source(district_code, locations[district_code]) as source:
                waiting = source.waiting()
                _log_names_not_taken(source)
                if not waiting and not ledger.uncleared(district_code):
                    return DistrictReceipt(district_code, ())
                run = ReceivingRun(intake, source, source.synthetic_checksums())
                return DistrictReceipt(district_code, _receive_files(run, waiting, quarter, on_file))


def _log_names_not_taken(source: Source) -> None:
    """Log, once per run, the names in a drop location that no run takes."""
    if source.passed_over:
        names = ", ".join(source.passed_over)
        log.info("%s: passed over, as programs leave such files: %s", source.district_code, names)
    if source.never_read:
        names = ", ".join(source.never_read)
        log.warning("%s: no files, so they stay where they are and nobody reads them: %s", source.district_code, names)


@dataclass(frozen=True)
class Receipt:
    """What became of all districts' files, and which drop locations could not be reached."""

    districts: tuple[DistrictReceipt, ...]
    unreachable: tuple[str, ...]
    """District codes."""
    reasons: tuple[str, ...] = ()
    """Why each of them could not be reached; holds no secrets."""


def districts_to_visit(settings: Settings, inbox: str | None = None) -> list[str]:
    """Districts whose drop locations a run looks into: those valid at the clock's last full quarter, and any others
    whose location exists.

    Raises:
        SettingsError: districts.yml can't be read.
    """
    registry = load_districts()
    last_full = Quarter.of(settings.now_date()).previous()
    expected = {d.code for d in registry.valid_in(last_full)} if inbox is None else set()
    visit = []
    for code, location in load_drop_locations(settings, inbox).items():
        if code in expected or _has_files(code, location):
            visit.append(code)
    return visit


def warn_of_unknown_folders(settings: Settings, inbox: str | None = None) -> None:
    """Log the folders beside the drop locations that no run reads.

    Args:
        settings: the installation's.
        inbox: the folder to look in; None means FOLLOWUP_INBOX, where districts.yml has drop locations in it.

    Raises:
        SettingsError: districts.yml can't be read, or `inbox` is given and can't be listed: then no unit's folder is
            seen, and nothing would be said.
    """
    locations = load_drop_locations(settings, inbox)
    urls = [location.url for location in locations.values() if location.kind == "folder"]
    is_given = inbox is not None
    if inbox is None:
        with suppress(SettingsError):  # not set: then no location is in it
            inbox = settings.inbox.rstrip("/")
    if inbox is None or not any(url.startswith(f"{inbox.rstrip('/')}/") for url in urls):
        return
    read = {posixpath.basename(url) for url in urls}
    try:
        with os.scandir(inbox) as found:
            names = sorted(e.name for e in found if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except OSError as error:
        if is_given:
            raise SettingsError(
                f"--inbox: {inbox} can't be listed ({error.strerror}): look at its path and mode"
            ) from None
        return  # reported for each unit
    for name in names:
        if name not in read and name != DRAWN:
            why = "no unit has this code" if load_districts().get(name) is None else "districts.yml does not name it"
            log.warning("%s: %s, so nobody reads the folder in %s", shown_name(name), why, inbox)


def _has_files(code: str, location: DropLocation) -> bool:
    try:
        with Source(code, location) as source:
            return bool(source.listed())
    except DropLocationUnreachable:
        return False


def receive(
    settings: Settings,
    *,
    inbox: str | None = None,
    quarter: Quarter | None = None,
    on_file: Callable[[str, FileReceipt, int, int], None] | None = None,
) -> Receipt:
    """Take in all that waits, district by district; one that can't be reached does not stop the others.

    Raises:
        SettingsError, LeaseBusy: as `receive_district`.
    """
    done: list[DistrictReceipt] = []
    unreachable: list[DropLocationUnreachable] = []
    warn_of_unknown_folders(settings, inbox)
    for code in districts_to_visit(settings, inbox):

        def report(receipt: FileReceipt, number: int, total: int, code: str = code) -> None:
            if on_file is not None:
                on_file(code, receipt, number, total)

        try:
            done.append(receive_district(settings, code, quarter, inbox=inbox, on_file=report))
        except DropLocationUnreachable as error:
            unreachable.append(error)
    return Receipt(tuple(done), tuple(e.district_code for e in unreachable), tuple(e.reason for e in unreachable))
