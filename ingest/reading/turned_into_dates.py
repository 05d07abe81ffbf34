"""Recognising values that a spreadsheet turned into dates (6-12, 2018-10, 1-18) in columns without dates."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.contracts import Column
from ingest.reading.byte_columns import holds_byte, lengths

_MONTHS_IN_ORDER = "jan feb mar,mars apr maj,may jun,juni jul,juli aug sep,sept okt,oct nov dec"
_MONTHS = {name: n for n, names in enumerate(_MONTHS_IN_ORDER.split(), start=1) for name in names.split(",")}
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_AND_MONTH = re.compile(rf"(\d{{1,2}})[-. ]({_NAME})\.?", re.ASCII | re.IGNORECASE)
_MONTH_AND_YEAR = re.compile(rf"({_NAME})\.?[- ](\d{{2}})", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SHORT = (5, 8)
"""Fewest and most bytes of `6-dec` and `sept. 18`."""
_DAY_BYTES = 10


def guesses(text: str) -> tuple[str, ...]:
    """What may have been typed that a spreadsheet shows as `6-dec`, `dec-14` or 2018-12-06; empty for other text."""
    if found := _DAY_AND_MONTH.fullmatch(text):
        day, month = int(found[1]), _MONTHS[found[2].lower()]
        return (f"{day}-{month}", f"{month}-{day}")
    if found := _MONTH_AND_YEAR.fullmatch(text):
        month, year = _MONTHS[found[1].lower()], int(found[2])
        return (f"{month}-{year:02}", f"20{year:02}-{month:02}", f"{year}-{month}", f"{month}-{year}")
    found = _DAY.fullmatch(text)
    if found is None:
        return ()
    year, month, day = map(int, found.groups())
    try:
        dt.date(year, month, day)
    except ValueError:
        return ()
    of_day = (f"{day}-{month}", f"{month}-{day}")
    return (f"{month}-{year % 100:02}", f"{year}-{month:02}", *of_day) if day == 1 else of_day


def is_a_day(text: str) -> bool:
    """Whether it is a whole date, which an identifier may be by right."""
    return _DAY.fullmatch(text) is not None


def maybe(spellings: pa.Array) -> npt.NDArray[np.bool_]:
    """Cells of the length of such values; those of ten bytes only with hyphens where a date has them."""
    if not any(holds_byte(spellings, ord(sign)) for sign in "- "):
        return np.zeros(len(spellings), bool)
    length = lengths(spellings)
    found: npt.NDArray[np.bool_] = (length >= _SHORT[0]) & (length <= _SHORT[1])
    ten = np.flatnonzero(length == _DAY_BYTES)
    if len(ten):
        starts = np.frombuffer(spellings.buffers()[1], np.int32)[spellings.offset :][ten]
        letters = np.frombuffer(spellings.buffers()[2], np.uint8)
        found[ten] = (letters[starts + 4] == ord("-")) & (letters[starts + 7] == ord("-"))
    return found


def in_words(column: Column, text: str) -> str:
    """What the value became and what it may have been, for a message; in general where cells aren't quoted."""
    likely = guesses(text)
    if column.type == "person_number":
        return ""
    if column.personal:
        return " (en månad, som jan-18 av 1-18 eller 2018-01)" if len(likely) == 4 else " (en dag, som 6-dec av 6-12)"
    likely = tuple(dict.fromkeys(guess for guess in likely if guess in column.codes)) if column.codes else likely[:2]
    meant = f"; menades {' eller '.join(likely)}?" if likely else ""
    return f" (”{text}”{meant})"
