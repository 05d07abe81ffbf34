"""Forms of dates that a unit's case system writes: read only where one day is meant, and never against the contract.

A form is written as people write it: `ååmmdd`, `d/m/åå`, `d mån åååå`. Two letters are two digits, one is one or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from ingest.conforming import read_date
from ingest.sentinels import DATE_BAD, day_number

EARLIEST = date(1990, 1, 1)
"""Before it no date of a file is meant; with `LATEST_YEARS` it leaves one century for two digits of a year."""
LATEST_YEARS = 10
"""After a quarter's year, for what is planned."""
KNOWN = ("ååmmdd", "åå-mm-dd", "d/m/åå", "d.m.åå", "d-m-åå", "d-m-åååå", "åååå/m/d", "åååå.m.d", "d mån åååå", "ddmmåå",
         "ddmmåååå", "m/d/åå")  # fmt: skip
"""Forms that a proposal looks for, those of case systems first."""
_MONTHS = ("januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november",
           "december")  # fmt: skip
_PARTS = {
    "åååå": r"(?P<year>\d{4})", "åå": r"(?P<short>\d{2})", "mån": r"(?P<name>[a-zåäö]{3,9})\.?",
    "mm": r"(?P<month>\d{2})", "m": r"(?P<month>\d{1,2})", "dd": r"(?P<day>\d{2})", "d": r"(?P<day>\d{1,2})",
}  # fmt: skip
_TOKEN = re.compile(r"åååå|åå|mån|mm|m|dd|d")
_BETWEEN = re.compile(r"[-/. ]")
_LONGEST = 14
_TRIED = (date(2018, 3, 4), date(2019, 12, 11), date(2021, 1, 2), date(2024, 10, 9))
"""Days that another order of day, month and year makes another day of."""


def form_of(text: str) -> str:
    """A form as it is compared and stored: in small letters, without blanks at its ends."""
    return text.strip().lower()


def why_no_form(text: str) -> str:
    """Why a text is no form of dates that can be used; empty where it is one."""
    form = form_of(text)
    if _pattern(form) is None:
        return f"is no form of dates: write it with åååå or åå, m or mm or mån, d or dd, such as {', '.join(KNOWN[:3])}"
    for day in _TRIED:
        read = read_date(written(day, form))
        if read not in (DATE_BAD, day_number(day)):
            return "can't be read so: the contract reads such a date as another day"
    return ""


@lru_cache(maxsize=256)
def _pattern(form: str) -> re.Pattern[str] | None:
    """How a date in a form looks; None where the text is no form."""
    if len(form) > _LONGEST:
        return None
    tokens = _TOKEN.findall(form)
    kinds = sorted("y" if one[0] == "å" else one[0] for one in tokens)
    before, *between, after = _TOKEN.split(form) if tokens else ("", "")
    if kinds != ["d", "m", "y"] or before or after:
        return None
    if any(part and not _BETWEEN.fullmatch(part) for part in between):
        return None
    if not all(between) and {"m", "d", "mån"} & set(tokens):  # without a sign between, each part has its width
        return None
    whole = "".join(part + _PARTS[token] for part, token in zip(["", *map(re.escape, between)], tokens, strict=True))
    return re.compile(whole, re.ASCII | re.IGNORECASE)


def written(day: date, form: str) -> str:
    """A day in a form."""
    said = {
        "åååå": f"{day.year:04}", "åå": f"{day.year % 100:02}", "mån": _MONTHS[day.month - 1][:3],
        "mm": f"{day.month:02}", "m": str(day.month), "dd": f"{day.day:02}", "d": str(day.day),
    }  # fmt: skip
    return _TOKEN.sub(lambda token: said[token[0]], form)


def day_meant(text: str, forms: Iterable[str], latest_year: int) -> date | None:
    """The one day that a cell means in one of some forms; None where it means none, or one of two.

    What the contract reads by itself is left to it.

    Args:
        text: of the cell.
        forms: as `form_of` has them.
        latest_year: the last that a date may have.
    """
    if read_date(text) != DATE_BAD:
        return None
    found = {day for form in forms for day in _days(text, form) if day >= EARLIEST and day.year <= latest_year}
    return found.pop() if len(found) == 1 else None


def _days(text: str, form: str) -> list[date]:
    pattern = _pattern(form)
    match = pattern.fullmatch(text) if pattern is not None else None
    if match is None:
        return []
    parts = match.groupdict()
    years = [int(parts["year"])] if parts.get("year") else [1900 + int(parts["short"]), 2000 + int(parts["short"])]
    months = [int(parts["month"])] if parts.get("month") else _months(parts["name"])
    days = []
    for year in years:
        for month in months:
            try:
                days.append(date(year, month, int(parts["day"])))
            except ValueError:
                continue
    return days


def _months(name: str) -> list[int]:
    """The month of a Swedish name, whole or its first letters as they are used: `sep`, `sept`, `september`."""
    word = name.lower()
    return [
        number
        for number, month in enumerate(_MONTHS, start=1)
        if word in (month, month[:3]) or (word == "sept" and number == 9)
    ]
