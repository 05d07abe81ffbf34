"""Folding: how headers and codes are made alike before they are compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ingest.characters import plain_apostrophes, visible

_LETTERS = str.maketrans({"å": "a", "ä": "a", "ö": "o", "é": "e"})
_JOINERS = re.compile(r"[\s\-/.\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+")


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Trim, lower-case, fold å ä→a, ö→o, é→e, and turn runs of space, hyphen, dash, slash, full stop into `_`.

    Invisible characters are removed. Letters, digits and apostrophes of other shapes (full width, ligatures) become
    plain ones.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", plain_apostrophes(visible(text)))
    composed = visible(text).lower().translate(_LETTERS)
    return _JOINERS.sub("_", composed).strip("_")
