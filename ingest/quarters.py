"""The reporting quarter: the unit in which districts submit."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

_FORM = re.compile(r"(\d{4})Q([1-4])", re.IGNORECASE)
DEADLINE_DAY = 20
"""Day of the month after the quarter's end until which a submission is on time."""


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter, such as 2018Q3. Ordered in time and hashable."""

    year: int
    number: int

    def __post_init__(self) -> None:
        """Refuse a quarter that does not exist.

        Raises:
            ValueError: the number is not 1–4 or the year not 1–9998.
        """
        if not 1 <= self.number <= 4 or not 1 <= self.year <= 9998:
            raise ValueError("a quarter is written as YYYYQn with n from 1 to 4")

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """Read `2018Q3` (case does not matter).

        Raises:
            ValueError: the text has another form.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError("a quarter is written as YYYYQn, for example 2018Q3")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Quarter:
        """The quarter that holds a day."""
        return cls(day.year, (day.month + 2) // 3)

    def __str__(self) -> str:
        """The quarter as it is written in file names and columns."""
        return f"{self.year:04d}Q{self.number}"

    @property
    def start(self) -> date:
        """First day of the quarter."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def end(self) -> date:
        """Last day of the quarter."""
        month = 3 * self.number
        return date(self.year, month, calendar.monthrange(self.year, month)[1])

    @property
    def deadline(self) -> date:
        """Last day on which a submission for the quarter is on time: the 20th of the month after its end."""
        return self.next().start.replace(day=DEADLINE_DAY)

    def next(self) -> Quarter:
        """The quarter after this one."""
        return Quarter(self.year + 1, 1) if self.number == 4 else Quarter(self.year, self.number + 1)

    def previous(self) -> Quarter:
        """The quarter before this one."""
        return Quarter(self.year - 1, 4) if self.number == 1 else Quarter(self.year, self.number - 1)

    def back(self, quarters: int) -> Quarter:
        """The quarter so many quarters before this one."""
        ordinal = self.year * 4 + self.number - 1 - quarters
        return Quarter(ordinal // 4, ordinal % 4 + 1)


def quarters_between(first: Quarter, last: Quarter) -> list[Quarter]:
    """All quarters from first to last, both included; empty when last is before first."""
    found = []
    while first <= last:
        found.append(first)
        first = first.next()
    return found
