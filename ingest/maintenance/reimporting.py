"""Reimporting originals that the ledger lacks, because it was lost or restored from an older backup."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ingest.checking import check_file
from ingest.contracts import load_contracts
from ingest.ledger import Ledger, LedgerError
from ingest.ledger.opening import shown_location
from ingest.naming import FileName, read_name
from ingest.originals import DamagedOriginal, Sent, decrypt_original, read_sent
from ingest.persons.keys import Keys
from ingest.quarters import Quarter
from ingest.rechecking import recheck_after
from ingest.recording import Arrival, IntakeContext, circumstances_of, record, submission_id_of
from ingest.settings import Settings

State = Literal["accepted", "refused", "overtaken", "nameless", "damaged"]
_ENDINGS = ("csv", "xlsx", "xlsm", "xlsb", "xls", "ods")
_MOST_SUBMISSIONS = 30
"""So many submissions of a key are tried when the name of an original of the first format is looked for."""
_FIRST_YEAR = 2015
_BEGUN = "takes_files_in"
"""Claim of a ledger with which files were taken in."""


@dataclass(frozen=True)
class Reimported:
    """What became of an original.

    `state`: accepted or refused; overtaken (the ledger has a later file of its district, dataset and quarter, which
    stays in force); nameless (of the first format, under a name that can't be worked out); damaged. The last three are
    left where they are. `file_name` is None where it is not known.
    """

    original: str
    district_code: str
    file_name: str | None
    state: State

    @property
    def shown(self) -> str:
        """The file's name, or where its original is."""
        return self.file_name or self.original


@dataclass(frozen=True)
class _Unrecorded:
    path: Path
    submission_id: str
    district_code: str
    sent: Sent | None
    came_at: datetime

    def order(self) -> tuple[datetime, str, str, str, int]:
        """When it came, and within one moment as `receive` goes."""
        if self.sent is None:
            return (self.came_at, self.district_code, "", "", 0)
        name = read_name(self.sent.file_name, self.district_code)
        return (self.came_at, self.district_code, str(name.quarter or ""), name.dataset or "", self.sent.sequence)


def unrecorded_originals(settings: Settings, ledger: Ledger) -> list[Path]:
    """Originals under `landing/` that no row of the ledger names, by path."""
    known = {found.original_path for found in ledger.submissions()}
    there = sorted(settings.landing.glob("*/*.bin"))
    return [path for path in there if str(path.relative_to(settings.home)) not in known]


def require_ledger_not_lost(settings: Settings, ledger: Ledger) -> None:
    """Require of a ledger with nothing in it that `landing/` holds no originals, unless it has taken files in itself.

    A run that is killed before its first file is recorded leaves an original, and a mark in the ledger (`mark_begun`).

    Args:
        settings: the installation's.
        ledger: one without submissions, or without any in force.

    Raises:
        LedgerError: the ledger was lost or emptied, and begun anew.
    """
    found = unrecorded_originals(
        settings, ledger
    )  # before the mark is looked for: another process may just be setting it
    if found and not ledger.is_claimed(_BEGUN):
        raise LedgerError(
            f"landing/ in FOLLOWUP_HOME ({settings.home}) holds {len(found)} originals that the ledger at "
            f"{shown_location(ledger.engine.url)} lacks, and nothing is in force: restore the ledger from the newest "
            "backup, or run `followup receive --from-landing`"
        )


def mark_begun(ledger: Ledger) -> None:
    """Record that files are taken in with this ledger: from now on, originals that it lacks are of killed runs."""
    ledger.claim(_BEGUN, "yes")


def reimport_originals(
    intake: IntakeContext, on_file: Callable[[Reimported, int, int], None] | None = None
) -> list[Reimported]:
    """Take originals without a ledger row in again, in the order in which they came, as if they came then.

    Each is checked by today's rules. Killed at any instant, it can be run again: what has been recorded is left.

    Args:
        intake: the installation's.
        on_file: called after each with what became of it, its number, and how many there are.

    Raises:
        LeaseBusy: a district's files are being taken in.
    """
    found = [_read_unrecorded(intake, path) for path in unrecorded_originals(intake.settings, intake.ledger)]
    found.sort(key=_Unrecorded.order)
    done = []
    for number, original in enumerate(found, start=1):
        with intake.lease(original.district_code):
            taken = _reimport(intake, original)
        if taken is not None:
            done.append(taken)
            if on_file is not None:
                on_file(taken, number, len(found))
    mark_begun(intake.ledger)
    return done


def came_at(intake: IntakeContext, path: Path) -> datetime:
    """When an original came, UTC without zone: as it says itself, or else the file's time."""
    with suppress(DamagedOriginal):
        if (sent := read_sent(path, path.stem, intake.keys)) is not None:
            return sent.submitted_at
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)


def _read_unrecorded(intake: IntakeContext, path: Path) -> _Unrecorded:
    submission_id, sent = path.stem, None
    came_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
    try:
        sent = read_sent(path, submission_id, intake.keys)
        if sent is None:
            sent = _find_name(path, submission_id, intake.keys, came_at)
    except DamagedOriginal:
        pass  # reported when its turn comes
    return _Unrecorded(path, submission_id, path.parent.name, sent, sent.submitted_at if sent else came_at)


def _find_name(path: Path, submission_id: str, keys: Keys, came_at: datetime) -> Sent | None:
    """Name and sequence of an original of the first format: its id is a digest of them. Its time is the file's.

    That it was marked synthetic is not known: it counts as real.
    """
    district = path.parent.name
    checksum = hashlib.sha256(decrypt_original(path, submission_id, keys)).hexdigest()
    for dataset in load_contracts():
        for year in range(_FIRST_YEAR, came_at.year + 1):
            for number in range(1, 5):
                for ending in _ENDINGS:
                    shown = f"{district}_{dataset}_{year}Q{number}.{ending}"
                    name = FileName(shown, district, dataset, Quarter(year, number), (), ending)
                    for sequence in range(1, _MOST_SUBMISSIONS):
                        if submission_id_of(district, name, checksum, sequence) == submission_id:
                            return Sent(shown, came_at, False, sequence)
    return None


def _reimport(intake: IntakeContext, original: _Unrecorded) -> Reimported | None:
    """Take one in; None when another process has done so meanwhile."""
    settings, district = intake.settings, original.district_code
    path = str(original.path.relative_to(settings.home))

    def left(state: State) -> Reimported:
        return Reimported(path, district, original.sent.file_name if original.sent else None, state)

    of_district = intake.ledger.submissions(district=district)
    if any(one.original_path == path for one in of_district):
        return None
    try:
        raw = decrypt_original(original.path, original.submission_id, intake.keys)
    except DamagedOriginal:
        return left("damaged")
    if original.sent is None:
        return left("nameless")
    name = read_name(original.sent.file_name, district)
    quarter = str(name.quarter) if name.quarter else None
    if any(
        one.dataset == name.dataset
        and one.reporting_quarter == quarter
        and (name.dataset is not None or one.source_file_name == name.shown)
        and one.submitted_at > original.sent.submitted_at
        for one in of_district
    ):
        return left("overtaken")
    arrival = Arrival(
        district_code=district,
        name=name,
        raw=raw,
        size_bytes=len(raw),
        checksum=hashlib.sha256(raw).hexdigest(),
        is_synthetic=original.sent.is_synthetic,
        submitted_at=original.sent.submitted_at.replace(tzinfo=UTC),
        original_path=path,
        sequence=original.sent.sequence,
    )
    report = check_file(raw, name, circumstances_of(settings, intake.keys, intake.ledger, name, district))
    new = record(intake, arrival, report)
    if new.state == "accepted":
        recheck_after(intake, new)
    return left("accepted" if new.state == "accepted" else "refused")
