"""What pages and the API call: hand over files, follow them, and decide about them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingest.acting_user import Actor
from ingest.contracts import load_contracts
from ingest.districts import load_drop_locations
from ingest.feedback_files import feedback_path
from ingest.ledger import ChangeRefused, Ledger
from ingest.ledger import uploads as table
from ingest.ledger.uploads import PreviewState, Purpose, Upload
from ingest.quarters import Quarter
from ingest.settings import Settings, SettingsError
from ingest.spooling import PREVIEW, REPORT, WORKBOOK, Spool
from portal.handover.multipart import BrokenBody, HandoverRefused, TooLarge
from portal.handover.receiving import Limits, NoFile, Received, Reception, SpoolFull

__all__ = [
    "BrokenBody",
    "ChangeRefused",
    "Handover",
    "HandoverRefused",
    "NoFile",
    "Preview",
    "Received",
    "SpoolFull",
    "TooLarge",
    "Upload",
]


@dataclass(frozen=True)
class Preview:
    """How far a preview is.

    `result` once it is done: `accepted`, `is_known` (the same content is in force), `replaces_version` and `marts` as
    `followup preview --format json` has them, with at most 200 figures of the unit's quarter each, totals first.
    """

    state: PreviewState
    result: dict[str, Any] | None


class Handover:
    """Files on their way in. One per process; `receive` is a coroutine, all else blocks and is called in a thread.

    Whose an upload is, is checked by the caller: `upload(id).district_code`.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, limits: Limits | None = None, *, is_for_trials: bool = False
    ) -> None:
        """Nothing is read or written yet. `is_for_trials`: all that is handed over is marked as synthetic."""
        self._settings, self._ledger, self._spool = settings, ledger, Spool(settings)
        self._is_for_trials = is_for_trials
        self._limits = limits or Limits.of(settings)

    async def receive(
        self,
        stream: AsyncIterable[bytes],
        content_type: str,
        *,
        district_code: str,
        actor: Actor,
        purpose: Purpose,
        check_fields: Callable[[dict[str, str]], None] = lambda fields: None,
    ) -> Received:
        """Receive a multipart/form-data body with files, and let workers have them once it is whole.

        Args:
            stream: the body as it comes.
            content_type: the request's header.
            district_code: the unit that the files are of.
            actor: who sends them.
            purpose: `check` (nothing is stored) or `submit`.
            check_fields: called with the fields before the first file, and before any byte of a file is stored; it
                raises what it likes.

        Raises:
            HandoverRefused: BrokenBody, TooLarge, NoFile or SpoolFull, with `status` and a Swedish text. Of a request
                that ends by any exception nothing is left.
        """
        reception = Reception(
            self._settings,
            self._ledger,
            district_code=district_code,
            actor=actor,
            purpose=purpose,
            is_synthetic=self._is_for_trials or self._is_drawn(district_code),
            check_fields=check_fields,
            limits=self._limits,
        )
        return await reception.receive(stream, content_type)

    def _is_drawn(self, district_code: str) -> bool:
        """Whether districts.yml says that all that a unit sends is synthetic."""
        try:
            location = load_drop_locations(self._settings).get(district_code)
        except SettingsError:  # the portal needs no drop locations
            return False
        return location is not None and location.synthetic

    def upload(self, upload_id: str) -> Upload | None:
        """One upload."""
        return table.find_upload(self._ledger, upload_id)

    def batch(self, batch_id: str) -> list[Upload]:
        """The uploads of one request, with the files of its archives."""
        return table.uploads_in_batch(self._ledger, batch_id)

    def uploads_of(self, district_code: str) -> list[Upload]:
        """A unit's newest uploads, newest first."""
        return table.uploads_of(self._ledger, district_code)

    # decisions of the sender; the act is of whom `acting_as` says

    def name(self, upload_id: str, dataset: str, quarter: Quarter) -> None:
        """Say which dataset and quarter an `unnamed` file is; then it is checked.

        Raises:
            ChangeRefused: it does not wait for that, or there is no such dataset.
        """
        if dataset not in load_contracts():
            raise ChangeRefused("there is no such dataset")
        table.name_upload(self._ledger, upload_id, dataset, quarter)

    def submit(self, upload_id: str, *, is_confirmed: bool = False) -> None:
        """Hand in a file that was `checked` and accepted; with `is_confirmed` its sender has seen what it changes.

        Raises:
            ChangeRefused: it is not such a file.
        """
        table.submit_upload(self._ledger, upload_id, self._now(), is_confirmed=is_confirmed)

    def confirm(self, upload_id: str) -> None:
        """Agree that a file `to_confirm` replaces the version in force.

        Raises:
            ChangeRefused: it does not wait for that.
        """
        table.confirm_upload(self._ledger, upload_id, self._now())

    def cancel(self, upload_id: str) -> None:
        """Give up a file that has not been taken in; it is removed.

        Raises:
            ChangeRefused: it is being worked with, or has ended.
        """
        table.cancel_upload(self._ledger, upload_id)
        self._spool.remove(upload_id)

    def _now(self) -> datetime:
        return self._settings.now().astimezone(UTC).replace(tzinfo=None)

    # answers

    def report(self, upload_id: str) -> dict[str, Any] | None:
        """The newest check: an object as of `check --format json` (at most 200 findings of each rule) with `verdict`
        and, when there is a version in force, `changes`; None before a check, and when it is too old."""
        content = self._answer(upload_id, "json", REPORT)
        return None if content is None else json.loads(content)

    def workbook(self, upload_id: str) -> bytes | None:
        """The file with its faults marked (.xlsx); None when nothing was found, or no report is there."""
        return self._answer(upload_id, "xlsx", WORKBOOK)

    def _answer(self, upload_id: str, ending: str, spooled: str) -> bytes | None:
        one = self.upload(upload_id)
        if one is None:
            return None
        if one.submission_id is None:
            return self._spool.read_answer(upload_id, spooled)
        try:
            return feedback_path(self._settings, one.district_code, one.submission_id, ending).read_bytes()
        except FileNotFoundError:
            return None

    def start_preview(self, upload_id: str) -> None:
        """Ask which figures a file would change that was accepted and waits for its sender.

        Raises:
            ChangeRefused: it is not such a file, or was asked about.
        """
        table.start_preview(self._ledger, upload_id)

    def preview_of(self, upload_id: str) -> Preview | None:
        """The preview of an upload; None when none was asked for."""
        one = self.upload(upload_id)
        if one is None or one.preview_state is None:
            return None
        content = self._spool.read_answer(upload_id, PREVIEW)
        state: PreviewState = "working" if one.preview_state == "again" else one.preview_state
        return Preview(state, None if content is None else json.loads(content))
