"""What the search of the readers' pages finds an item by: its words, and other words for the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml

from publish.catalogue.described import Column

_SYNONYMS = Path(__file__).with_name("search_words.yml")


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, list[str]]:
    found: dict[str, list[str]] = yaml.safe_load(_SYNONYMS.read_text(encoding="utf-8"))
    return found


def words_of(columns: Sequence[Column], *said: str) -> str:
    """What an item is found by beside its own text: `said` (that text, names), columns, and synonyms of all of it."""
    words = " ".join([*said, *(f"{column.label} {column.name}" for column in columns)])
    others = [
        " ".join(synonyms)
        for word, synonyms in _synonyms().items()
        if re.search(rf"(?<!\w){word}(?!\w)", words, re.IGNORECASE)
    ]
    return escape(" ".join([words, *others]), quote=True)
