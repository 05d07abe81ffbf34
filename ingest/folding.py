"""How headers and codes are compared: the folding of the contract (datasets: Headers, Codes)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans({"å": "a", "ä": "a", "ö": "o", "é": "e"})
_JOINERS = re.compile(r"[\s\-/.\u2010-\u2015]+")


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Trim, lower-case, fold å ä→a, ö→o, é→e, and turn runs of space, hyphen, dash, slash, full stop into `_`."""
    composed = unicodedata.normalize("NFC", text).strip().lower().translate(_LETTERS)
    return _JOINERS.sub("_", composed).strip("_")
