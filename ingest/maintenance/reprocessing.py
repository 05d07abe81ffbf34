"""Reprocessing: checking refused files again from their originals, when the cause was the city's (a missing name)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC

from ingest.checking import check_file
from ingest.ledger import Ledger, Submission
from ingest.logs import at_hand
from ingest.naming import read_name
from ingest.originals import decrypt_original, original_id
from ingest.rechecking import recheck_after
from ingest.recording import Arrival, IntakeContext, circumstances_of, next_submission, record


def open_refusals(
    ledger: Ledger,
    *,
    district: str | None = None,
    dataset: str | None = None,
    quarter: str | None = None,
    rules: Collection[str] = (),
) -> list[Submission]:
    """Refused submissions without a later one of their key whose original is still stored.

    Args:
        ledger: where.
        district, dataset, quarter: only theirs.
        rules: only those that one of these rules refused; empty means any.
    """
    newest: dict[tuple[str, str | None, str | None], Submission] = {}
    for found in ledger.submissions(district=district, dataset=dataset, quarter=quarter):
        if found.dataset is not None and found.reporting_quarter is not None:
            newest[(found.district_code, found.dataset, found.reporting_quarter)] = found
    return [
        found
        for found in newest.values()
        if found.state == "refused"
        and found.original_path
        and found.original_erased_at is None
        and (not rules or {c.rule for c in ledger.rule_counts(found.submission_id)} & set(rules))
    ]


def reprocess(
    intake: IntakeContext,
    refused: Collection[Submission],
    on_file: Callable[[Submission, int, int], None] | None = None,
) -> list[Submission]:
    """Check refused files again, as if they came anew, on time if they were.

    Args:
        intake: the installation's.
        refused: from `open_refusals`.
        on_file: called after each with the new submission, its number and how many there are.

    Returns:
        For each the new submission, accepted or refused.

    Raises:
        DamagedOriginal: an original can't be read back.
        LeaseBusy: the district's files are being taken in.
    """
    done = []
    for number, earlier in enumerate(refused, start=1):
        with intake.lease(earlier.district_code):
            done.append(check_again(intake, earlier))
        if on_file is not None:
            on_file(done[-1], number, len(refused))
    return done


def check_again(intake: IntakeContext, earlier: Submission) -> Submission:
    """Check a submission's original as if it came anew, on time if it was, and record what comes out.

    The caller holds the lease of the district's files.

    Raises:
        DamagedOriginal: the original can't be read back.
    """
    home = intake.settings.home
    raw = decrypt_original(home / earlier.original_path, original_id(earlier.original_path), intake.keys)
    name = read_name(earlier.source_file_name, earlier.district_code)
    arrival = Arrival(
        district_code=earlier.district_code,
        name=name,
        raw=raw,
        size_bytes=earlier.size_bytes,
        checksum=earlier.source_file_sha256,
        is_synthetic=earlier.is_synthetic,
        submitted_at=earlier.submitted_at.replace(tzinfo=UTC),
        original_path=earlier.original_path,
        is_checked_again=True,
    )
    circumstances = circumstances_of(intake.settings, intake.keys, intake.ledger, name, earlier.district_code)
    with at_hand(submission=next_submission(intake.ledger, arrival)[1]):
        new = record(intake, arrival, check_file(raw, name, circumstances))
    if new.state == "accepted":
        recheck_after(intake, new)
    return new
