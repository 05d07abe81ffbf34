"""Numbers in addresses and forms: ids, and which page of a list. Larger ones than a database takes are none."""

from __future__ import annotations

import re

from portal.signing_in.access import NotHere

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def number_named(text: str) -> int:
    """A number of an address: a release's, an exception's.

    Raises:
        NotHere: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise NotHere
    return int(text)


def page_number(text: str) -> int:
    """Which page of a list; the first where none is named."""
    return max(1, int(text)) if _NUMBER.fullmatch(text) else 1
