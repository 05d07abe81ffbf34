"""Who is in the drawn review, and when each of their cases is decided and concluded.

A person's cases of 2017 are planned together: investigations of one child never overlap or follow each other within a
week, and a child that counts as investigated only once has no earlier investigation.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from synthetic.draws import Bools, Floats, Ints, Table, day_number, empty, weekday_before
from synthetic.people import BOY, GIRL, PERSONNUMMER, RESERV, SKYDDAD, People

NOT_OPENED, FIRST, SECOND, RETURN, BEFORE, AFTER_OPENED, AFTER_NOT_OPENED = range(7)
"""What a planned case is: a pre-assessment of 2017 without investigation; a child's first or second investigation
started in 2017; one started after it until 2019-03-31; and, of other children, one started in 2016 and still open in
2017, or a case of 2018."""
PLAN = np.dtype([("person", "i4"), ("role", "i1"), ("receipt", "i4"), ("decided", "i4"), ("end", "i4"), ("prior", "?")])
"""`end` is the investigation's last day, or the day of decision; `prior`: investigated earlier."""

PERSONS = np.array([[197, 307, 244, 39], [241, 375, 298, 49]])
"""Girls and boys by age band: 1,750 persons, 55 % boys, 25/39/31/5 % by age."""
CASES = np.array([[256, 400, 318, 51], [314, 490, 389, 63]])
"""Their cases: 2,281, with the same shares."""
INVESTIGATED = {GIRL: 405, BOY: 495}
"""Persons investigated."""
TWICE = {GIRL: 13, BOY: 17}
"""Of them those with two investigations started in 2017: 930 investigations in all."""
RETURNING = 239
"""Persons investigated once in 2017 and again by 2019-03-31; and of those investigated twice in 2017:"""
RETURNING_AGAIN = 10
KNOWN_BEFORE = 226
"""Persons neither of these, but investigated before 2017: (30 + 239 + 226) / 900 are 55 %."""
UNLINKABLE = 12
"""Children without a number of their own, each with one case that is not opened."""
_OTHERS = {BEFORE: 40, AFTER_OPENED: 60, AFTER_NOT_OPENED: 100}
_BIRTHS = (
    (date(2012, 1, 15), date(2016, 11, 15)),
    (date(2005, 1, 15), date(2010, 11, 15)),
    (date(2000, 1, 15), date(2003, 11, 15)),
    (date(1998, 5, 15), date(1998, 11, 15)),
)
"""Months of birth that keep a child within its age band from December 2016 to the end of 2017, and nobody 21 before
2019-04."""
_FIRST, _LAST = day_number(date(2017, 1, 2)), day_number(date(2017, 12, 29))
_UNTIL = day_number(date(2019, 3, 29))


def choose_exactly(rng: np.random.Generator, count: int, weights: Floats | Bools) -> Bools:
    """Exactly so many rows, the likelier the heavier (exponential races, Efraimidis and Spirakis 2006)."""
    race = rng.exponential(size=weights.size) / np.maximum(weights, 1e-9)
    found = np.zeros(weights.size, dtype=bool)
    found[np.argsort(race, kind="stable")[:count]] = True
    return found


def plan_review(rng: np.random.Generator, people: People) -> tuple[Table, Ints]:
    """Draw the persons and plan their cases.

    Returns:
        PLAN rows, and the age band of each person.
    """
    sex = np.repeat([GIRL, GIRL, GIRL, GIRL, BOY, BOY, BOY, BOY], PERSONS.reshape(-1))
    band = np.repeat([0, 1, 2, 3, 0, 1, 2, 3], PERSONS.reshape(-1))
    cases = np.ones(sex.size, dtype="int64")
    for cell, extra in enumerate((CASES - PERSONS).reshape(-1)):
        alike = np.flatnonzero((sex == (GIRL, BOY)[cell // 4]) & (band == cell % 4))
        cases += np.bincount(rng.choice(alike, extra), minlength=sex.size)
    opened = np.zeros(sex.size, dtype=bool)
    twice = np.zeros(sex.size, dtype=bool)
    for which in (GIRL, BOY):
        twice |= choose_exactly(rng, TWICE[which], (sex == which) & (cases > 1))
        rest = choose_exactly(rng, INVESTIGATED[which] - TWICE[which], (sex == which) & ~twice)
        opened |= rest | (twice & (sex == which))
    returning = choose_exactly(rng, RETURNING, opened & ~twice) | choose_exactly(rng, RETURNING_AGAIN, 1.0 * twice)
    known = choose_exactly(rng, KNOWN_BEFORE, opened & ~twice & ~returning)
    kind = np.full(sex.size, PERSONNUMMER)
    unlinkable = np.flatnonzero(choose_exactly(rng, UNLINKABLE, (cases == 1) & ~opened))
    kind[unlinkable] = np.where(np.arange(unlinkable.size) % 2, RESERV, SKYDDAD)
    first = _add(rng, people, band, sex, kind)
    rows: list[tuple[int, int, int, int, int, bool]] = []
    for child in range(sex.size):
        planner = _Planner(rng, first + child)
        number = int(cases[child])
        if opened[child]:
            planner.investigations(int(twice[child]), bool(returning[child]), bool(known[child]), number)
        else:
            planner.not_opened(number, _FIRST, _LAST, known=False)
        rows += planner.rows
    bands = [band]
    for role, count in _OTHERS.items():
        others = rng.integers(1, 3, count)
        start = _add(rng, people, others, rng.integers(0, 2, count), np.full(count, PERSONNUMMER))
        bands.append(others)
        for child in range(count):
            planner = _Planner(rng, start + child)
            planner.other(role)
            rows += planner.rows
    plan = empty(PLAN, len(rows))
    for place, name in enumerate(PLAN.names or ()):
        plan[name] = [row[place] for row in rows]
    return plan, np.concatenate(bands)


def _add(rng: np.random.Generator, people: People, band: Ints, sex: Ints, kind: Ints) -> int:
    """Add children born in the months of their band; returns the index of the first."""
    known = day_number(date(2017, 1, 15))
    earliest, latest = (np.array([day_number(span[side]) for span in _BIRTHS])[band] for side in (0, 1))
    birth = rng.integers(earliest, latest)
    numbered = kind == PERSONNUMMER
    # Files give only the year of the others' birth, so take the middle of the band's years.
    birth = np.where(numbered, birth, (earliest + latest) // 2)
    families = people.new_families(band.size)
    added = people.add(
        rng, receipt=np.full(band.size, known), age_days=known - birth, family=families, sex=sex, id_kind=kind
    )
    return int(added[0])


class _Planner:
    """Plans one person's cases."""

    def __init__(self, rng: np.random.Generator, person: int) -> None:
        self.rng, self.person = rng, person
        self.rows: list[tuple[int, int, int, int, int, bool]] = []

    def investigations(self, twice: int, returning: bool, known: bool, cases: int) -> None:
        """One or two investigations of 2017, those that follow, and the cases that were not opened."""
        others = cases - 1 - twice
        plain = not (twice or returning or known)
        # A child that is investigated only once has its other cases before it, so none of them has an earlier one.
        earliest = _FIRST + 180 if plain and others else _FIRST
        start = self._workday(earliest, _FIRST + 110 if twice else _LAST)
        end = self._investigation(FIRST, start, known, short=bool(twice))
        if twice:
            end = self._investigation(SECOND, self._workday(end + 12, end + 50), True, short=True)
        if returning:
            later = self._workday(max(end + 12, _LAST + 10), _UNTIL)
            self._investigation(RETURN, later, True, short=False)
        self.not_opened(others, _FIRST, start - 16 if plain else _LAST, known=known)

    def not_opened(self, count: int, first: int, last: int, *, known: bool) -> None:
        """Pre-assessments without investigation, on different days."""
        for _ in range(count):
            decided = self._workday(first, last)
            earlier = known or any(row[4] < decided and row[1] in (FIRST, SECOND) for row in self.rows)
            self._append(NOT_OPENED, decided, decided, earlier)

    def other(self, role: int) -> None:
        """A case outside the review."""
        if role == BEFORE:
            start = self._workday(_FIRST - 60, _FIRST - 10)
            self._append(role, start, start + int(self.rng.integers(65, 110)), False)
        elif role == AFTER_OPENED:
            self._investigation(role, self._workday(_LAST + 20, _LAST + 330), False, short=False)
        else:
            decided = self._workday(_LAST + 20, _LAST + 330)
            self._append(role, decided, decided, False)

    def _investigation(self, role: int, start: int, known: bool, *, short: bool) -> int:
        end = int(weekday_before(np.array(start + int(self.rng.integers(22, 70 if short else 112)))))
        self._append(role, start, end, known)
        return end

    def _append(self, role: int, decided: int, end: int, known: bool) -> None:
        taken = {row[2] for row in self.rows}
        days = weekday_before(decided - np.arange(13))
        receipt = int(self.rng.choice([day for day in days.tolist() if day not in taken]))
        self.rows.append((self.person, role, receipt, decided, end, known))

    def _workday(self, first: int, last: int) -> int:
        return int(weekday_before(np.array(int(self.rng.integers(first, last + 1)))))
