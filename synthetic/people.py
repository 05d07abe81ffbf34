"""The children: birth, sex, family, and a number that belongs to nobody.

Synthetic personnummer carry the serials 980–989, the range set aside for test numbers: five per sex and birth day.
A month's days and serials are filled in a fixed scattered order, so that the whole range can be used. Only when a
month and those before it are full does a child get another serial; `People.outside_reserved` counts them. When these
are used up too, it gets a coordination number.
"""

from __future__ import annotations

import numpy as np

from synthetic.districts import DISTRICTS
from synthetic.draws import Ints, Table, empty, pick, rank_within

GIRL, BOY, UNKNOWN = 0, 1, 2
PERSONNUMMER, SAMORDNING, RESERV, OFODD, SKYDDAD = range(5)
ID_KINDS = ("personnummer", "samordningsnummer", "reservnummer", "ofodd", "skyddad")
_ID_SHARES = np.array([0.948, 0.018, 0.014, 0.006, 0.014])
_FIRST_MONTH = (1980 - 1970) * 12
_MONTHS = 12 * 80
_SCATTER = 37
"""Step through a month's places; shares no factor with any month's number of them."""
_EARLIER_MONTHS = 9
"""When a month is full, a child is born up to so many months earlier."""
_ROUNDS = 98
DAYS_PER_YEAR = 365.2425
OLDEST = 20

PERSON = np.dtype(
    [
        ("birth", "i4"),
        ("sex", "i1"),
        ("id_kind", "i1"),
        ("serial", "i2"),
        ("family", "i4"),
        ("lop_district", "i2"),
        ("lop", "i4"),
    ]
)


class NumberSpaceFull(ValueError):
    """More children of one month and sex are wanted than all serials hold."""


class People:
    """All children drawn so far, by index."""

    def __init__(self) -> None:
        self._rows = empty(PERSON, 4096)
        self.count = 0
        self.families = 0
        self.outside_reserved = 0
        """Children with another serial than 980–989."""
        self._taken = np.zeros(_MONTHS * 4, dtype="int64")
        self._last_lop = np.zeros(len(DISTRICTS), dtype="int64")

    @property
    def rows(self) -> Table:
        """The children, one row each (a view, writable)."""
        return self._rows[: self.count]

    def add(
        self,
        rng: np.random.Generator,
        *,
        receipt: Ints,
        age_days: Ints,
        family: Ints,
        sex: Ints | None = None,
        id_kind: Ints | None = None,
    ) -> Ints:
        """Draw new children.

        Args:
            rng: the stream.
            receipt: day on which each first becomes known.
            age_days: age on that day, in days; the birth day comes out within the same calendar month.
            family: family index of each (siblings share it).
            sex: GIRL or BOY of each; drawn when left out.
            id_kind: how each is known; drawn when left out.

        Returns:
            The new children's indices.
        """
        size = receipt.size
        new = empty(PERSON, size)
        new["family"] = family
        new["sex"] = np.where(rng.random(size) < 0.552, BOY, GIRL) if sex is None else sex
        if id_kind is None:
            kind = pick(rng, _ID_SHARES, size)
            kind = np.where((kind == OFODD) & (age_days > 6 * 365), PERSONNUMMER, kind)
        else:
            kind = id_kind
        new["id_kind"] = kind
        wished = (receipt - age_days).astype("datetime64[D]").astype("datetime64[M]").astype("int64")
        known_month = receipt.astype("datetime64[D]").astype("datetime64[M]").astype("int64")
        self._number(new, np.minimum(wished, known_month - 1), known_month - 12 * (OLDEST + 1) + 1)
        by_year = (kind == RESERV) | (kind == SKYDDAD)
        year = np.asarray(new["birth"].astype("datetime64[D]").astype("datetime64[Y]"))
        midyear = (year.astype("datetime64[M]") + 6).astype("datetime64[D]").astype("int64")
        before = (year.astype("datetime64[M]") - 6).astype("datetime64[D]").astype("int64")
        new["birth"] = np.where(by_year, np.where(midyear <= receipt, midyear, before), new["birth"])
        unborn = kind == OFODD
        new["birth"] = np.where(unborn, receipt + rng.integers(20, 220, size), new["birth"])
        unknown = unborn | ((kind == RESERV) & (rng.random(size) < 0.08))
        new["sex"] = np.where(unknown & (sex is None), UNKNOWN, new["sex"])
        new["lop_district"] = -1
        first = self.count
        self._grow(size)
        self._rows[first : self.count] = new
        return np.arange(first, self.count)

    def _number(self, new: Table, month: Ints, earliest: Ints) -> None:
        """Give the children with a number a birth day and serial in their month; the others any day of it.

        None is moved to a month before its `earliest`: it would be too old for help meant for the young.
        """
        month = month.copy()
        place = np.zeros(new.size, dtype="int64")
        left = np.flatnonzero(new["id_kind"] <= SAMORDNING)
        for attempt in range(_EARLIER_MONTHS + 1):
            key = self._key(new, month)[left]
            found = self._taken[key] + rank_within(key)
            is_last = (attempt == _EARLIER_MONTHS) | (month[left] <= earliest[left])
            fits = (found < 5 * _days_in(month[left])) | is_last
            place[left[fits]] = found[fits]
            self._taken += np.bincount(key[fits], minlength=self._taken.size)
            left = left[~fits]
            month[left] -= 1
        self._as_coordination_numbers(new, month, place)
        rounds, slot = np.divmod(place, 5 * _days_in(month))
        if over := int((rounds >= _ROUNDS).sum()):
            raise NumberSpaceFull(f"{over} children more than their birth month has serials for: lower the scale")
        slot = (slot * _SCATTER + self._key(new, month) * 11) % (5 * _days_in(month))
        new["birth"] = month.astype("datetime64[M]").astype("datetime64[D]").astype("int64") + slot // 5
        new["serial"] = (98 - rounds) * 10 + slot % 5 * 2 + (new["sex"] == BOY)
        self.outside_reserved += int((rounds > 0).sum())

    def _as_coordination_numbers(self, new: Table, month: Ints, place: Ints) -> None:
        """Give children for whom no personnummer is left a coordination number: far beyond any real city's size."""
        full = np.flatnonzero((place >= 5 * _ROUNDS * _days_in(month)) & (new["id_kind"] == PERSONNUMMER))
        new["id_kind"][full] = SAMORDNING
        key = self._key(new, month)[full]
        place[full] = self._taken[key] + rank_within(key)
        self._taken += np.bincount(key, minlength=self._taken.size)

    def _key(self, new: Table, month: Ints) -> Ints:
        """Which list of places a number is taken from: birth month, sex, and whether a coordination number."""
        key: Ints = ((month - _FIRST_MONTH) * 2 + new["sex"]) * 2 + (new["id_kind"] == SAMORDNING)
        return key

    def _grow(self, size: int) -> None:
        self.count += size
        if self.count > self._rows.size:
            larger = empty(PERSON, max(2 * self._rows.size, self.count))
            larger[: self._rows.size] = self._rows
            self._rows = larger

    def with_other_serial(self, persons: Ints) -> int:
        """How many of these children have a number with another serial than 980–989."""
        row = self._rows[np.unique(persons)]
        return int(((row["id_kind"] <= SAMORDNING) & (row["serial"] < 980)).sum())

    def new_families(self, count: int) -> Ints:
        """Indices for so many new families."""
        self.families += count
        return np.arange(self.families - count, self.families)

    def running_numbers(self, persons: Ints, districts: Ints) -> Ints:
        """The running number of each child in the district of its case; 0 for children with a number of their own.

        A child keeps its running number for as long as it stays with a district, and gets a new one in another.
        """
        found: Ints = np.zeros(persons.size, dtype="int64")
        left = np.flatnonzero(self._rows["id_kind"][persons] >= RESERV)
        while left.size:  # a child with cases of two districts in one quarter has a number in each
            place = np.full(self.count, -1)
            place[persons[left][::-1]] = districts[left][::-1]
            without = np.unique(persons[left])
            moved = without[self._rows["lop_district"][without] != place[without]]
            for district in np.unique(place[moved]):
                here = moved[place[moved] == district]
                self._rows["lop"][here] = self._last_lop[district] + 1 + np.arange(here.size)
                self._rows["lop_district"][here] = district
                self._last_lop[district] += here.size
            is_here = districts[left] == place[persons[left]]
            found[left[is_here]] = self._rows["lop"][persons[left[is_here]]]
            left = left[~is_here]
        return found


def _days_in(month: Ints) -> Ints:
    """Days of each month, which is counted from January 1970."""
    months = month.astype("datetime64[M]")
    found: Ints = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype("int64")
    return found


def age_years(birth: Ints, day: Ints) -> Ints:
    """Whole years of age on a day; -1 or less before birth."""
    born = np.asarray(birth, dtype="int64").astype("datetime64[D]")
    at = np.asarray(day, dtype="int64").astype("datetime64[D]")
    born_month, at_month = born.astype("datetime64[M]"), at.astype("datetime64[M]")
    months = (at_month - born_month).astype("int64")
    short = (at - at_month.astype("datetime64[D]")) < (born - born_month.astype("datetime64[D]"))
    return np.asarray((months - short) // 12)


def full_numbers(birth: Ints, serial: Ints, coordination: Ints) -> Ints:
    """Twelve-digit numbers with check digit, as integers.

    The check digit is Luhn's over the nine digits YYMMDDNNN (Skatteverket, SKV 704; coordination numbers add 60 to
    the day, SKV 707).
    """
    dates = np.asarray(birth, dtype="int64").astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month_count = months.astype("int64")
    year, month = 1970 + month_count // 12, month_count % 12 + 1
    day = (dates - months.astype("datetime64[D]")).astype("int64") + 1 + 60 * np.asarray(coordination, dtype="int64")
    head = ((year * 100 + month) * 100 + day) * 1000 + np.asarray(serial, dtype="int64")
    total = np.zeros(head.size, dtype="int64")
    rest = head % 1_000_000_000
    for position in range(9):
        digit = rest % 10
        rest = rest // 10
        doubled = digit * 2 if position % 2 == 0 else digit
        total += doubled // 10 + doubled % 10
    return np.asarray(head * 10 + (10 - total % 10) % 10)
