"""Previews: which figures of its own unit a file would change, computed one at a time from the spooled file."""

from __future__ import annotations

import json
import logging

from followup.build.building import BuildFailed
from followup.build.preview import as_json, preview_content
from ingest.ledger import Ledger
from ingest.ledger.leases import LeaseBusy
from ingest.ledger.uploads import next_preview, set_preview
from ingest.persons.keys import load_keys
from ingest.settings import Settings
from ingest.spooling import PREVIEW, Spool
from portal.handover.naming import name_of

log = logging.getLogger(__name__)
_LEASE = "preview"
_MOST_FIGURES = 200
"""Figures listed per mart, totals first; all are counted."""


def make_next_preview(settings: Settings, ledger: Ledger) -> bool:
    """Make the preview that was asked for first; returns whether there was one. Of all processes one makes previews."""
    if next_preview(ledger) is None:
        return False
    try:
        with ledger.lease(_LEASE, wait_seconds=0):
            return _make(settings, ledger)
    except LeaseBusy:
        return False


def _make(settings: Settings, ledger: Ledger) -> bool:
    asked = next_preview(ledger)
    if asked is None:
        return False
    if asked.preview_state == "again":  # two processes died at it
        set_preview(ledger, asked.upload_id, "failed")
        return True
    set_preview(ledger, asked.upload_id, "working" if asked.preview_state == "waiting" else "again")
    spool = Spool(settings)
    try:
        file_name, raw = spool.read(asked.upload_id, load_keys(settings.keys))
        made = preview_content(settings, raw, name_of(asked, file_name, raw), most=_MOST_FIGURES)
        result = {name: part for name, part in as_json(asked.file_name, made).items() if name != "check"}
        result["accepted"] = made.report.accepted
        spool.write_answer(asked.upload_id, PREVIEW, json.dumps(result, ensure_ascii=False).encode())
        set_preview(ledger, asked.upload_id, "done")
    except SystemExit:  # all is to end
        set_preview(ledger, asked.upload_id, "waiting")
        raise
    except Exception as error:  # noqa: BLE001 (a preview that fails stops nothing; the page says that it failed)
        is_told = isinstance(error, BuildFailed)
        log.error("the preview of upload %s failed: %s", asked.upload_id, error if is_told else type(error).__name__)
        set_preview(ledger, asked.upload_id, "failed")
    return True
