"""Proposing a unit's words for "empty" and its forms of dates. Only words and forms of ours are shown, no cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from ingest.characters import visible
from ingest.conforming import read_date
from ingest.contracts import Column, Contract
from ingest.mappings.date_forms import KNOWN, day_meant
from ingest.mappings.documents import empty_word, is_read
from ingest.mappings.likeness import FileColumn
from ingest.sentinels import DATE_BAD

EMPTY_WORDS = ("-", "--", "–", "—", ".", "saknas", "uppgift saknas", "ingen uppgift", "ej uppgift", "ej angivet",
               "ej angiven", "ej aktuellt", "ej tillämpligt", "tom", "n/a", "null")  # fmt: skip
"""What case systems write where there is nothing to say."""
_LATEST_YEAR = 2050
_FEWEST_ROWS = 3
_LONGEST_SPAN = 4 * 366
"""Days over which the dates of one file are spread at most, if it is read right."""
_MOST_READ = 0.9
"""The share of the rows that the contract can't read which a form must read to be proposed."""


@dataclass(frozen=True)
class CellProposal:
    """Words for "empty" or a form of dates in a column, and why; `is_open`: only the case system knows."""

    kind: Literal["empty", "dates"]
    column: str
    words: tuple[str, ...]
    why: str
    is_open: bool = False


def proposed_cells(found: FileColumn, column: Column, contract: Contract, district_code: str) -> list[CellProposal]:
    """What is proposed of the cells of a file's column that means one of the contract's.

    Args:
        found: the file's column.
        column: what it means.
        contract: the dataset's.
        district_code: whose words.
    """
    absent = _absent(found, column, contract, district_code)
    proposals = []
    if absent:
        rows = sum(absent.values())
        proposals.append(CellProposal("empty", column.name, tuple(sorted(absent)), f"in {rows} rows"))
    if column.type == "date":
        proposals += _dates(found, column, absent)
    return proposals


def is_absent(text: str) -> bool:
    """Whether a cell's text is one of the words for "empty" that are known."""
    return empty_word(text) in EMPTY_WORDS


def _absent(found: FileColumn, column: Column, contract: Contract, district_code: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for value, count in found.values.items():
        if is_absent(value) and not is_read(visible(value), column, contract, district_code):
            counts[empty_word(value)] += count
    return counts


def _dates(found: FileColumn, column: Column, absent: Counter[str]) -> list[CellProposal]:
    unread = {
        text: count
        for value, count in found.values.items()
        if read_date(text := visible(value).strip()) == DATE_BAD and empty_word(text) not in absent
    }
    rows = sum(unread.values())
    if rows < _FEWEST_ROWS:
        return []
    days = {form: _days_read(unread, form) for form in KNOWN}
    best = max(count for count, _ in days.values())
    fitting = [form for form, (count, _) in days.items() if count == best and count >= _MOST_READ * rows]
    if not fitting:
        return []
    near = [form for form in fitting if days[form][1] <= _LONGEST_SPAN] or fitting
    first, *others = near
    why = f"reads {best} of {rows} dates that the contract can't read"
    if others:
        why += f", as {' and '.join(others)} would: the case system knows"
    elif len(fitting) > 1:
        why += f"; {' and '.join(form for form in fitting if form != first)} would spread them over years"
    return [CellProposal("dates", column.name, (first,), why, is_open=bool(others))]


def _days_read(unread: dict[str, int], form: str) -> tuple[int, int]:
    """In how many rows a form reads a date, and over how many days these are spread."""
    days = {text: day for text in unread if (day := day_meant(text, (form,), _LATEST_YEAR))}
    span = (max(days.values()) - min(days.values())).days if days else 0
    return sum(unread[text] for text in days), span
