"""Periods of figures: quarters, rolling years and years."""

from __future__ import annotations

QUARTER, ROLLING, YEAR = "kvartal", "rullande_ar", "ar"
TOTAL = "alla"
"""The code of a dimension that a row is not cut by."""
Period = tuple[str, str]
"""period_kind and period."""
_KINDS = (QUARTER, ROLLING, YEAR)


def period_of(quarter: str) -> Period:
    """A reporting quarter as a period."""
    return QUARTER, quarter


def quarters_in(period: Period) -> tuple[str, ...]:
    """The quarters of which a period is the sum."""
    kind, name = period
    if kind == QUARTER:
        return (name,)
    if "Q" in name:
        last = int(name[:4]) * 4 + int(name[5]) - 1
    else:
        last = int(name) * 4 + 3 if name.isdigit() else -1
    return tuple(f"{one // 4}Q{one % 4 + 1}" for one in range(last - 3, last + 1)) if last >= 0 else ()


def rank_of(period: Period) -> tuple[int, str]:
    """For the order in which figures of the same records are drawn: quarters first, the earliest first."""
    kind, name = period
    return _KINDS.index(kind), name


def rolling_year(quarter: str) -> Period:
    """The four quarters that end with one."""
    return ROLLING, quarter
