"""Parameters of a unit's pages, from addresses and forms that anybody may have written."""

from __future__ import annotations

from ingest.districts import District
from ingest.quarters import Quarter
from portal.context import Portal
from portal.signing_in.access import NotHere


def quarter_of(text: str) -> Quarter | None:
    """A quarter as `2018Q3`; None for anything else."""
    try:
        return Quarter.parse(text) if len(text) == 6 and text.isascii() else None
    except ValueError:
        return None


def chosen_quarter(portal: Portal, unit: District, text: str) -> Quarter:
    """The quarter of a page: the one that is named, else the newest that the unit reports.

    Raises:
        NotHere: no quarter, or one that has not begun or in which there was no such unit.
    """
    if text:
        quarter = quarter_of(text)
        if quarter is None or not unit.is_valid_in(quarter) or quarter.start > portal.today:
            raise NotHere
        return quarter
    quarter = portal.newest_quarter
    while not unit.is_valid_in(quarter):  # a unit that has been merged: its last quarter
        if quarter.start < unit.valid_from:
            raise NotHere
        quarter = quarter.previous()
    return quarter
