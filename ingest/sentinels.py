"""Sentinels: numbers by which a conformed cell is empty, unreadable or ambiguous, instead of nulls."""

from __future__ import annotations

from datetime import date

EMPTY, BAD, AMBIGUOUS = -1, -2, -3
"""Codes, numbers and positions."""

DATE_EMPTY, DATE_BAD = -(2**31), -(2**31) + 1
"""Dates: int32 days since 1970-01-01."""

_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days
