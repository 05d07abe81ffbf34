"""How like a file's header, values and codes are to the contract's: the evidence for a proposed mapping."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ingest.characters import visible
from ingest.conforming import read_date, read_whole_number
from ingest.contracts import CodeList, Column
from ingest.folding import fold
from ingest.persons.number_search import reads_as_number
from ingest.sentinels import BAD, DATE_BAD

_LOOKED_AT = 200
"""Distinct values of a column that are read."""
_LEAST_LETTERS = 4
"""Of a word of ours that another word may contain: shorter ones are in many."""
_IDENTIFIER = re.compile(r"(?=.*\d)[A-Za-z0-9/_-]{1,40}")


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its position from 1, its header, and how often each value occurs. Values are never shown."""

    position: int
    header: str
    values: Counter[str]

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.values.total()

    def looked_at(self) -> Counter[str]:
        """The values that occur most often."""
        return Counter(dict(self.values.most_common(_LOOKED_AT)))


@lru_cache(maxsize=8192)
def likeness(word: str, ours: str) -> float:
    """How like two folded words are, 0 to 1; 1 only for the same.

    A Swedish compound is of the kind that its last part names: `aktualiseringsorsak` is an `orsak`, and no
    `aktualisering`.
    """
    if word == ours:
        return 1.0
    if set(ours.split("_")) < set(word.split("_")):
        return 0.85
    if len(ours) >= _LEAST_LETTERS:
        if word.endswith(ours):
            return 0.85
        if word.startswith(ours):
            return 0.6 if len(word) - len(ours) > 2 else 0.8
    if len(word) >= _LEAST_LETTERS and set(word.split("_")) < set(ours.split("_")):
        return 0.75
    return min(difflib.SequenceMatcher(None, word, ours).ratio(), 0.95)


def likest(word: str, known: Iterable[tuple[str, str]]) -> tuple[float, str, str]:
    """How like a folded word is to the likest of (our folded word, its meaning), that word and its meaning."""
    return max(((likeness(word, ours), ours, meaning) for ours, meaning in known), default=(0.0, "", ""))


def fit(found: FileColumn, column: Column, codes: CodeList | None) -> float:
    """The share of a file column's rows whose value a contract's column could hold, 0 to 1.

    Free text holds anything, which says nothing: 0.
    """
    looked_at = found.looked_at()
    total = looked_at.total()
    if not total:
        return 0.0
    good = sum(count for value, count in looked_at.items() if _may_hold(value, column, codes))
    if column.type == "identifier" and len(looked_at) * 2 < total:
        return 0.0  # hardly a running number: it occurs again and again
    return good / total


def _may_hold(value: str, column: Column, codes: CodeList | None) -> bool:
    if column.type == "date":
        return read_date(value[:10]) != DATE_BAD
    if column.type == "integer":
        return read_whole_number(value) != BAD
    if column.type == "person_number":
        return reads_as_number(value)
    if column.type == "identifier":
        return _IDENTIFIER.fullmatch(value) is not None and not reads_as_number(value)
    if codes is None:
        return False
    parts = value.split("|") if column.type == "code_list" else [value]
    return all(fold(part) in codes.lookup or fold(part) in codes.ambiguous for part in parts)


def is_as_free_text(found: FileColumn) -> bool:
    """Whether a column holds what people write, and no codes: most values occur once, or are long."""
    looked_at = found.looked_at()
    return found.filled >= 10 and (
        2 * len(found.values) > found.filled or any(len(visible(value)) > 80 for value in looked_at)
    )
