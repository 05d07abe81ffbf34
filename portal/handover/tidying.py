"""Tidying the spool: what broke off, what nobody handed in, and what nothing knows."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta

from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.uploads import REMEMBERED, end_broken_off, expire, find_upload, forget
from ingest.settings import Settings
from ingest.spooling import Spool
from portal.settings import PortalSettings

_UNKNOWN_SECONDS = 3600.0
"""A file whose upload is unknown may be one that is just being unpacked; after so long it is not."""


def tidy(settings: Settings, own: PortalSettings, ledger: Ledger) -> None:
    """End what waits no more, forget what is long done, remove files that belong to nothing.

    Files of uploads that have ended are removed by the worker that settles them.
    """
    now = system_now()
    end_broken_off(ledger)
    expire(ledger, now - timedelta(hours=own.spool_hours))
    forget(ledger, now - REMEMBERED)
    spool = Spool(settings)
    for upload_id in spool.ids():
        with suppress(ValueError, OSError):
            found = find_upload(ledger, upload_id)
            if found is None:
                is_old = spool.touched_at(upload_id) < time.time() - _UNKNOWN_SECONDS
            else:
                is_old = found.has_ended and found.is_settled
            if is_old:
                spool.remove(upload_id)
