"""Working with one upload: unpack it, check it, take it in; then settle what follows. Any step can be killed.

What a kill leaves is taken up by the next worker: a file not recorded is checked again from the spool, and what follows
a recorded one (rules of later files, Airflow, removing it from the spool) is done again.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.acting_user import acting_as
from ingest.checking import CheckReport
from ingest.failures import StorageFailure, is_machine_failure
from ingest.feedback import as_json
from ingest.feedback_workbook import as_workbook
from ingest.ledger import Ledger, Submission
from ingest.ledger.acts import system_now
from ingest.ledger.claims import Claim, ClaimLost, end_claimed, give_back, hold_claim, renewing
from ingest.ledger.leases import LeaseBusy, holder_here
from ingest.ledger.store import FINDINGS_PER_RULE
from ingest.ledger.uploads import Upload, UploadState, claim_next, new_id, unpack
from ingest.logs import at_hand
from ingest.naming import FileName, read_name, shown_name
from ingest.rechecking import recheck_after
from ingest.recording import Arrival, IntakeContext, intake_with
from ingest.settings import Settings, SettingsError
from ingest.spooling import PREVIEW, REPORT, WORKBOOK, DamagedSpool, Spool
from ingest.taking_in import check_arrived, in_force, prepare, take_in
from portal.handover.announcing import Announcer
from portal.handover.archives import ArchiveRefused, entries_of, is_archive
from portal.handover.naming import is_to_be_named, name_of
from portal.handover.receiving import Limits, occupied_by

log = logging.getLogger(__name__)
_LEASE_SECONDS = 10.0
_BUSY, _LATER = timedelta(seconds=2), timedelta(seconds=30)
NOT_NOW = "Filen kan inte prövas just nu. Den ligger kvar, och prövas så snart felet hos oss är avhjälpt."
LOST = "Filen kan inte läsas hos oss. Skicka den igen."


class Worker:
    """Takes up uploads one after the other. One per process."""

    def __init__(self, settings: Settings, ledger: Ledger, announcer: Announcer, limits: Limits | None = None) -> None:
        """Nothing is read or written yet."""
        self._settings, self._ledger, self._announcer = settings, ledger, announcer
        self._spool, self._limits = Spool(settings), limits or Limits.of(settings)

    def work(self) -> bool:
        """Take up one upload, if there is one to take; returns whether there was."""
        found = claim_next(self._ledger)
        if found is None:
            return False
        claim = Claim(found.upload_id, holder_here())
        try:
            with at_hand(upload=found.upload_id), acting_as(found.sender), renewing(self._ledger.engine, claim):
                (self._settle if found.has_ended else self._begin)(found, claim)
        except ClaimLost as lost:
            log.warning("%s", lost)
        except LeaseBusy:
            self._give_back(claim, _BUSY, attempts=max(found.attempts - 1, 0))
        except DamagedSpool as error:
            log.error("%s", error)
            self._end(claim, "failed", detail=LOST)
        except Exception as error:  # noqa: BLE001 (whatever goes wrong with one file, the next ones are worked with)
            self._put_off(found, claim, error)
        return True

    def _put_off(self, found: Upload, claim: Claim, error: Exception) -> None:
        """After a failure of ours: try again later, without end when it is the machine's."""
        places = [f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
        said = str(error) if isinstance(error, StorageFailure | SettingsError) else type(error).__name__
        log.error("%s while working with upload %s, at %s", said, found.upload_id, " > ".join(places[-6:]))
        is_ours = is_machine_failure(error) or isinstance(error, SettingsError) or found.has_ended
        attempts = max(found.attempts - 1, 0) if is_ours else found.attempts
        detail = found.detail if found.has_ended else NOT_NOW
        self._give_back(claim, _LATER, attempts=attempts, detail=detail)

    def _give_back(self, claim: Claim, pause: timedelta, **changes: Any) -> None:
        try:
            with self._ledger.engine.begin() as connection:
                give_back(connection, claim, pause, step=None, **changes)
        except Exception as error:  # noqa: BLE001 (the ledger is gone too: the claim expires)
            log.warning("upload %s could not be given back: %s", claim.upload_id, type(error).__name__)

    def _end(self, claim: Claim, state: UploadState, submission_id: str | None = None, **changes: Any) -> None:
        with self._ledger.engine.begin() as connection:
            end_claimed(connection, claim, state, submission_id, **changes)

    def _step(self, claim: Claim) -> Callable[[str], None]:
        def say(step: str) -> None:
            with self._ledger.engine.begin() as connection:
                hold_claim(connection, claim, step=step)

        return say

    def _begin(self, found: Upload, claim: Claim) -> None:
        intake = intake_with(self._settings, self._ledger)
        file_name, raw = self._spool.read(found.upload_id, intake.keys)
        if is_archive(file_name, raw):
            self._unpack(intake, found, claim, raw)
            return
        name = name_of(found, file_name, raw)
        if is_to_be_named(name):
            self._end(claim, "unnamed", detail=name.findings[0].message)
            return
        quarter = str(name.quarter) if name.quarter else None
        with self._ledger.engine.begin() as connection:
            hold_claim(connection, claim, dataset=name.dataset, quarter=quarter, detail=None)
        if found.purpose == "check":
            self._check(intake, found, claim, name, raw)
        else:
            self._take_in(intake, found, claim, name, raw)

    def _check(self, intake: IntakeContext, found: Upload, claim: Claim, name: FileName, raw: bytes) -> None:
        current = in_force(intake, found.district_code, name)
        if current is not None and current.source_file_sha256 == found.sha256:
            self._end(claim, "duplicate", current.submission_id)
            return
        self._step(claim)("prövar regler")
        report = check_arrived(intake, raw, name, found.district_code)
        self._write_report(found, report)
        self._end(
            claim,
            "checked",
            is_accepted=report.accepted,
            preview_state=None,
            replaces=current.submission_id if current else None,
        )

    def _take_in(self, intake: IntakeContext, found: Upload, claim: Claim, name: FileName, raw: bytes) -> None:
        with intake.lease(found.district_code, _LEASE_SECONDS):
            prepare(intake, found.district_code)
            arrival = Arrival(
                district_code=found.district_code,
                name=name,
                raw=raw,
                size_bytes=len(raw),
                checksum=found.sha256 or "",
                is_synthetic=found.is_synthetic,
                submitted_at=_submitted_at(intake, found, name),
                upload=claim,
            )

            def is_to_confirm(report: CheckReport, current: Submission) -> bool:
                if found.is_confirmed and found.replaces == current.submission_id:
                    return False
                changes = report.changes  # None: they could not be compared
                return changes is None or bool(changes.added.count or changes.gone.count or changes.changed.count)

            taken = take_in(intake, arrival, is_to_hold=is_to_confirm, on_step=self._step(claim))
        if taken.state == "duplicate" and taken.submission is not None:
            self._end(claim, "duplicate", taken.submission.submission_id)
        elif taken.state == "held" and taken.submission is not None and taken.report is not None:
            self._write_report(found, taken.report)
            self._end(
                claim,
                "to_confirm",
                is_accepted=True,
                is_confirmed=False,
                preview_state=None,
                replaces=taken.submission.submission_id,
            )
        # what was recorded has ended in the same transaction

    def _write_report(self, found: Upload, report: CheckReport) -> None:
        content = as_json(report.name.shown, report, FINDINGS_PER_RULE)
        for ending in (REPORT, WORKBOOK, PREVIEW):
            self._spool.path_of(found.upload_id, ending).unlink(missing_ok=True)
        if report.counts():
            self._spool.write_answer(found.upload_id, WORKBOOK, as_workbook(report.name.shown, report))
        self._spool.write_answer(found.upload_id, REPORT, json.dumps(content, ensure_ascii=False).encode())

    def _unpack(self, intake: IntakeContext, found: Upload, claim: Claim, raw: bytes) -> None:
        """Spool an archive's files; they wait, and the archive is done, in one transaction."""
        parts: list[Upload] = []
        there = occupied_by(self._ledger, found.district_code)
        room = self._limits.unit_bytes - there.spooled
        try:
            for entry in entries_of(raw, self._limits):
                room -= len(entry.content)
                if room < 0 or there.queued + len(parts) >= self._limits.unit_files:
                    raise ArchiveRefused("För många filer väntar redan. Vänta tills de är prövade och försök igen.")
                name = read_name(entry.name, found.district_code)
                part = replace(
                    found,
                    upload_id=new_id(),
                    file_name=shown_name(entry.name),
                    dataset=name.dataset,
                    quarter=str(name.quarter) if name.quarter else None,
                    changed_at=system_now(),
                    step=None,
                    attempts=0,
                    claimed_by=None,
                    claim_until=None,
                )
                parts.append(part)
                with self._spool.write(part.upload_id, entry.name, intake.keys) as writer:
                    writer.write(entry.content)
                    writer.finish()
                parts[-1] = replace(part, size_bytes=writer.size, sha256=writer.checksum)
            unpack(self._ledger, claim, parts)
        except BaseException as error:
            for part in parts:
                self._spool.remove(part.upload_id)
            if not isinstance(error, ArchiveRefused):
                raise
            self._end(claim, "refused", detail=str(error))

    def _settle(self, found: Upload, claim: Claim) -> None:
        """Do what follows an upload's end; all of it can be repeated."""
        self._spool.remove(found.upload_id)
        detail = found.detail
        if found.state == "accepted" and found.submission_id is not None:
            intake = intake_with(self._settings, self._ledger)
            with intake.lease(found.district_code, _LEASE_SECONDS):
                (submission,) = [
                    one
                    for one in self._ledger.submissions(district=found.district_code)
                    if one.submission_id == found.submission_id
                ]
                if submission.state == "accepted":
                    recheck_after(intake, submission)
            detail = self._announcer.announce(submission)
        with self._ledger.engine.begin() as connection:
            hold_claim(connection, claim, is_settled=True, claimed_by=None, claim_until=None, detail=detail)


def _submitted_at(intake: IntakeContext, found: Upload, name: FileName) -> datetime:
    """When it was handed in; after all that was recorded of its key meanwhile, so that the newest is the last."""
    submitted_at = found.submitted_at or intake.settings.now().astimezone(UTC).replace(tzinfo=None)
    if name.dataset is not None and name.quarter is not None:
        earlier = intake.ledger.submissions(
            district=found.district_code, dataset=name.dataset, quarter=str(name.quarter)
        )
        newest = max((one.submitted_at for one in earlier), default=submitted_at)
        if earlier and newest >= submitted_at:
            submitted_at = newest + timedelta(microseconds=1)
    return submitted_at.replace(tzinfo=UTC)
