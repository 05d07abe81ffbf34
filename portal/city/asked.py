"""What addresses and forms of the city's pages name; everything may be hostile, and what is not there is 404."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from ingest.contracts import load_contracts
from ingest.districts import District
from ingest.ledger import Submission
from ingest.quarters import Quarter
from ingest.settings import CITY_TIME
from portal.context import Portal
from portal.signing_in.access import NotHere

_FIRST = Quarter(2000, 1)
_SUBMISSION = re.compile(r"[a-z2-7]{26}", re.ASCII)
LONGEST_REASON = 500
"""Characters of a reason."""


def quarter_named(portal: Portal, text: str) -> Quarter:
    """The quarter of an address.

    Raises:
        NotHere: none, or one that has not begun.
    """
    found = _quarter(text)
    if found is None or not _FIRST <= found <= Quarter.of(portal.today):
        raise NotHere
    return found


def quarter_or_newest(portal: Portal, text: str) -> Quarter:
    """The quarter that a page is asked for; without one the newest that has ended."""
    return quarter_named(portal, text) if text else portal.newest_quarter


def _quarter(text: str) -> Quarter | None:
    try:
        return Quarter.parse(text) if text.isascii() and len(text) == 6 else None
    except ValueError:
        return None


def unit_named(portal: Portal, code: str) -> District:
    """The unit of an address.

    Raises:
        NotHere: there is none.
    """
    found = portal.registry.get(code)
    if found is None:
        raise NotHere
    return found


def dataset_named(name: str) -> str:
    """The dataset of an address.

    Raises:
        NotHere: there is none.
    """
    if name not in load_contracts():
        raise NotHere
    return name


def submission_named(portal: Portal, text: str) -> Submission:
    """The submission of an address.

    Raises:
        NotHere: there is none.
    """
    found = portal.ledger.find(text) if _SUBMISSION.fullmatch(text) else None
    if found is None:
        raise NotHere
    return found


def one_line(text: str) -> str:
    """A typed text on one line, without characters that can't be seen."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def day_named(text: str) -> date | None:
    """A day as a form sends it; None for anything else."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2200 else None


def begin_of(day: date) -> datetime:
    """When a day begins in the city; UTC, without zone."""
    return datetime.combine(day, time(), CITY_TIME).astimezone(UTC).replace(tzinfo=None)


def end_of(day: date) -> datetime:
    """When the day after begins in the city; UTC, without zone."""
    return begin_of(day + timedelta(days=1))
