"""Searching a column's cells for persons' numbers: their bytes first, and as text only those that may hold one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.persons.number_search import FEWEST, reads_as_number
from ingest.reading.byte_columns import is_without_letters, lengths, matching

_SEARCHED = 2_000
"""Characters of a cell that are searched. No text of ours is so long: one that is, is refused for its length."""
_FEW_CELLS = 256
"""So few are looked at one by one sooner than all at once."""
_BETWEEN = "[^0-9A-Za-z]*"
_MONTH_OF_TWO, _DAY_OF_TWO = (f"(?:{form})".replace(" ", _BETWEEN) for form in (
    "0 [0-9]|1 [0-2]", "[0-2] [0-9]|3 [01]|[6-8] [0-9]|9 [01]",
))  # fmt: skip
_FOUR_DIGITS = _BETWEEN.join(["[0-9]"] * 4)
_DATE_OF_SIX = f"[0-9]{{2}}{_MONTH_OF_TWO}{_DAY_OF_TWO}".replace(_BETWEEN, "")
_OF_IDENTIFIERS = "|".join(form.replace(" ", _BETWEEN) for form in (
    f"(?:[0-9] [0-9] )?[0-9] [0-9] {_MONTH_OF_TWO} {_DAY_OF_TWO} {_FOUR_DIGITS}",
    f"{_DAY_OF_TWO} {_MONTH_OF_TWO} (?:1 [89]|2 0) [0-9] [0-9] {_FOUR_DIGITS}",
    "[0-9]{1,2}[^0-9A-Za-z]+[0-9]{1,2}[^0-9A-Za-z]+[0-9]{2}(?:[0-9]{2})? [0-9]{4}",
))  # fmt: skip
_FORMS = "|".join((
    _OF_IDENTIFIERS,
    "[0-9]{4}[^0-9A-Za-z]+[0-9]{1,2}[^0-9A-Za-z]+[0-9]{1,2}[^0-9A-Za-z]+[0-9]{4}",
    _DATE_OF_SIX + "[^0-9A-Za-z]*[A-Za-z]{1,2}[^0-9A-Za-z]*[0-9]{4}",
    "[0-9]{4}[^0-9A-Za-z]+(?:[0-9][0-9])?" + _DATE_OF_SIX,
))  # fmt: skip
_LIKELY, _LIKELY_IDENTIFIER = (
    f"(?:^|[^0-9])(?:[0-9][0-9])?(?:{forms})(?:[^0-9]|$)" for forms in (_FORMS, _OF_IDENTIFIERS)
)
"""Bytes in which a cell may hold a number: what `_year_first`, `_day_first`, `_parted_or_swapped` find, and more.

The last is not searched for in identifiers: `2018-123456` costs them nothing."""
_SPELLED = (
    r"(?i)jan|feb|mar|apr|maj|may|jun|jul|aug|sep|okt|oct|nov|dec|sista|fyra|nr|nummer|kontrollsiff|samordn|last "
    r"|<|e\+?(?:9|1[01])|slut|%[0-9a-f]{2}|&#?[0-9a-z]+;|_x[0-9a-f]{4}_|[^\x00-\x7f]"
)
"""Bytes that let a number be written otherwise than as digits with signs between."""
_EIGHT_DIGITS = r"(?:[0-9][^0-9]*){8}|[^\x00-\x7f]"
_NINE_DIGITS = r"^\s*[0-9]{5}[-+ ]?[0-9]{4}\s*$"


def cells_with_numbers(
    cells: pa.BinaryArray, encoding: str, *, without_zero: bool, is_identifier: bool = False
) -> list[bytes]:
    """The cells that read as a person's number, out of a column's distinct cells.

    Args:
        cells: bytes; nulls are passed over.
        encoding: of the bytes.
        without_zero, is_identifier: as in `reads_as_number`.

    Returns:
        The distinct cells with a number. Each is decoded and searched only where its bytes may hold one: the million
        case numbers of a large file cost a few passes over their bytes.
    """
    found = [
        cell
        for cell in dict.fromkeys(_maybe(cells, without_zero=without_zero, is_identifier=is_identifier))
        if reads_as_number(
            cell.decode(encoding, "replace")[:_SEARCHED], without_zero=without_zero, is_identifier=is_identifier
        )
    ]
    return _no_dated_ids(found, cells) if found and is_identifier else found


_A_MONTH, _A_DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_DATED_ID = (
    r"^\s*(?:(?:1[89]|20)(?P<long>[0-9]{2})|(?P<short>[0-9]{2}))"
    rf"(?:{_A_MONTH}{_A_DAY}|[-./ ](?:[1-9]|{_A_MONTH})[-./ ](?:[1-9]|{_A_DAY}))[-./ ]?[0-9]{{4}}\s*$"
)
_IDS_OF_A_YEAR, _BY_CHANCE = 10, 0.3
"""Of fewer ids nothing can be said; of ids one in ten has a right check digit, of numbers each."""


def _no_dated_ids(found: list[bytes], cells: pa.BinaryArray) -> list[bytes]:
    """The hits without those that are ids made of a date and four digits: most of the column's cells are made so, and
    most of their year are no numbers."""
    distinct = pc.drop_null(pc.unique(cells))
    dated = distinct.filter(pc.match_substring_regex(distinct, _DATED_ID))
    if 2 * len(dated) < len(distinct):
        return found
    years = _years_of(pa.array(found, pa.binary()))
    hits, ids = Counter(years), Counter(_years_of(dated))
    by_chance = {year for year, count in ids.items() if count >= _IDS_OF_A_YEAR and hits[year] <= _BY_CHANCE * count}
    return [cell for cell, year in zip(found, years, strict=True) if year not in by_chance]


def _years_of(cells: pa.BinaryArray) -> list[bytes]:
    """The two digits of the year with which each cell begins; empty where it is no id made of a date."""
    years = pc.extract_regex(cells, _DATED_ID)
    given = zip(*(pc.struct_field(years, name).to_pylist() for name in ("long", "short")), strict=True)
    return [long or short or b"" for long, short in given]


def _maybe(cells: pa.BinaryArray, *, without_zero: bool, is_identifier: bool) -> list[bytes]:
    """Cells whose bytes may hold a number: none with one is left out."""
    if len(cells) <= _FEW_CELLS and not any(cell and len(cell) >= FEWEST for cell in cells.to_pylist()):
        return []
    cells = cells.filter(pa.array(lengths(cells) >= FEWEST))
    spelled = np.zeros(len(cells), bool) if is_without_letters(cells) else matching(cells, _SPELLED)
    in_words = cells.filter(pa.array(spelled))
    likely = matching(cells, _LIKELY_IDENTIFIER if is_identifier else _LIKELY)
    if without_zero:
        likely |= matching(cells, _NINE_DIGITS)
    found: list[bytes] = in_words.filter(pa.array(matching(in_words, _EIGHT_DIGITS))).to_pylist()
    found += cells.filter(pa.array(likely & ~spelled)).to_pylist()
    return found
