"""Queries about one thing under several spellings, in a file or against the file of the quarter before.

Only columns of free text that are part of the row key: there a spelling more is a clinic more.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ingest.conforming import ConformedTable
from ingest.contracts import Contract
from ingest.findings import Finding, file_finding
from ingest.folding import fold
from ingest.history import Past
from ingest.persons.keys import Keys

_MOST_NAMES = 500
"""Different names of a file that are compared with one another: no unit has so many clinics."""
_LEAST_LETTERS, _CLOSE = 5, 0.8
_BEFORE = " i förra kvartalets fil"
_SAME = {"um": "", "umo": "", "mott": "", "mottagning": "", "mottagningen": "", "ungdomsmottagning": "",
         "ungdomsmottagningen": "", "ungdomsmott": "", "ungdoms": "", "i": "", "pa": "", "och": ""}  # fmt: skip
"""Words that a clinic's name may have or lack."""


def _words(name: str) -> tuple[str, ...]:
    """A name's telling words in the order of the alphabet, without the s of a genitive."""
    words = (_SAME.get(word, word).removesuffix("s") for word in re.findall(r"[0-9a-z]+", fold(name)))
    return tuple(sorted(word for word in words if word))


def are_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names, as their telling words, may be one written in two ways: at most one word is misspelt."""
    if tuple(one) == tuple(other):
        return bool(one)
    mine, theirs = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    if len(one) != len(other) or len(mine) != 1 or len(theirs) != 1:
        return False
    first, second = mine[0], theirs[0]
    if min(len(first), len(second)) < _LEAST_LETTERS or re.search(r"\d", first + second):
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _CLOSE


def find_similar_names(table: ConformedTable, contract: Contract, past: Past | None, keys: Keys) -> list[Finding]:
    """A query for each name that is nearly one above it, or nearly one of the quarter before which the file lacks.

    Names are not repeated: they are free text. Each pair has a row key of its own, a keyed digest.

    Args:
        table: the file.
        contract: the dataset's.
        past: what is in force; None when it isn't known.
        keys: for the digests.
    """
    found: list[Finding] = []
    for name in contract.row_key:
        if name == "person" or contract.column(name).type != "text" or name not in table.texts:
            continue
        mine = _first_rows(table.texts[name], table.values[name], table.row_numbers)
        if not 0 < len(mine) <= _MOST_NAMES:
            continue
        before = _before(contract, past, name)
        for one, other, where in _pairs(mine, before):
            digest = hashlib.blake2b(
                "\0".join(sorted((fold(one[0]), fold(other[0])))).encode(), key=keys.person_secret, digest_size=10
            )
            label = contract.column(name).label_sv
            found.append(
                file_finding(
                    "FIL-072", row_key=digest.hexdigest(), row=one[1], column=name, header=label, mine=one[1],
                    other=other[1], where=where,
                )
            )  # fmt: skip
    return found


def _first_rows(texts: pa.Array, positions: np.ndarray, numbers: np.ndarray) -> dict[str, int]:
    """Each name with the first row that has it."""
    distinct, first = np.unique(positions, return_index=True)
    names = texts.to_pylist()
    return {names[at]: int(numbers[row]) for at, row in zip(distinct.tolist(), first.tolist(), strict=True) if at >= 0}


def _before(contract: Contract, past: Past | None, name: str) -> dict[str, int]:
    """The names of the quarter before, with a row each."""
    rows = None if past is None else past.rows(contract.dataset, past.quarter.previous(), [name, "source_row_number"])
    if rows is None:
        return {}
    found: dict[str, int] = {}
    for text, row in zip(rows[name].to_pylist(), rows["source_row_number"].to_pylist(), strict=True):
        if text is not None and len(found) < _MOST_NAMES:
            found.setdefault(text, row)
    return found


def _pairs(mine: dict[str, int], before: dict[str, int]) -> Iterator[tuple[tuple[str, int], tuple[str, int], str]]:
    """Pairs of names that are alike: each name of the file with the first of those before it that is."""
    ordered = sorted(mine.items(), key=lambda item: item[1])
    words = {name: _words(name) for name in {*mine, *before}}
    gone = [item for item in before.items() if item[0] not in mine]
    for at, one in enumerate(ordered):
        if near := next((other for other in ordered[:at] if are_alike(words[one[0]], words[other[0]])), None):
            yield one, near, ""
        elif one[0] not in before and (
            near := next((other for other in gone if are_alike(words[one[0]], words[other[0]])), None)
        ):
            yield one, near, _BEFORE
