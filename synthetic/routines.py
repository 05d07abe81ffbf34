"""Routines for noticing children at risk, by unit of the district and whom they are directed at.

Barnstöd Stockholm (2006) found that shared routines were wanting, at units for adults above all and for children of
parents with mental illness above all; the figures are invented, and by 2018 most units have them. A routine is planned,
then in place, then revised again and again; its days never change, and a quarter's file shows those until its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from ingest.quarters import Quarter
from synthetic.districts import DISTRICTS, traits
from synthetic.draws import NEVER, day_number, stream
from synthetic.supply import ABUSE, ILLNESS, VIOLENCE

UNITS = ("barn_unga", "vuxen_missbruk", "socialpsykiatri", "ekonomiskt_bistand", "oppenvard", "annan")
STATUSES = ("finns", "planeras", "saknas")
IN_PLACE, PLANNED, MISSING = range(3)
_STEP = 17
_UNIT_CHANCE = np.array([0.92, 0.78, 0.62, 0.60, 0.85, 0.45])
"""Share of units whose routine was in place before 2017, for violence; less for the others."""
_FACTORS = {ABUSE: 0.92, ILLNESS: 0.72, VIOLENCE: 1.0}
_OTHER_UNITS = 0.4
"""Districts with some other unit besides."""


@dataclass(frozen=True)
class Routine:
    """A unit's routine with its history in day numbers."""

    district: int
    unit: int
    directed: int
    planned_from: int
    in_place_from: int
    every: int | None
    """Days between revisions; None: nobody has noted when."""

    def status(self, quarter: Quarter) -> int:
        """Position in `STATUSES` at the quarter's end."""
        last = day_number(quarter.end)
        if self.in_place_from <= last:
            return IN_PLACE
        return PLANNED if self.planned_from <= last else MISSING

    def revised(self, quarter: Quarter) -> int:
        """Day of the newest revision at the quarter's end, or NEVER."""
        if self.every is None or self.status(quarter) != IN_PLACE:
            return NEVER
        since = day_number(quarter.end) - self.in_place_from
        return self.in_place_from + since // self.every * self.every


class Routines:
    """The routines of all districts."""

    def __init__(self, seed: int) -> None:
        """Draw them; `seed` is not negative."""
        careful = traits("followed_up") / traits("followed_up").mean()
        found: list[Routine] = []
        for district in range(len(DISTRICTS)):
            rng = stream(seed, _STEP, district)
            units = len(UNITS) if rng.random() < _OTHER_UNITS else len(UNITS) - 1
            for unit in range(units):
                for directed, factor in _FACTORS.items():
                    found.append(
                        _routine(rng, district, unit, directed, _UNIT_CHANCE[unit] * factor * careful[district])
                    )
        self._routines = tuple(found)

    def of_districts(self, districts: tuple[int, ...], quarter: Quarter) -> list[tuple[Routine, int, int]]:
        """A unit's routines with status and day of revision, one for each unit and directed_at.

        Where several districts have the same unit, the routine that has come furthest is shown.
        """
        best: dict[tuple[int, int], tuple[Routine, int, int]] = {}
        for routine in self._routines:
            if routine.district not in districts:
                continue
            found = (routine, routine.status(quarter), routine.revised(quarter))
            before = best.get((routine.unit, routine.directed))
            if before is None or found[1] < before[1]:
                best[routine.unit, routine.directed] = found
        return [best[key] for key in sorted(best)]


def _routine(rng: np.random.Generator, district: int, unit: int, directed: int, chance: float) -> Routine:
    old = day_number(date(2009, 1, 1)) + int(rng.integers(0, 8 * 365))
    late = day_number(date(2017, 3, 1)) + int(rng.integers(0, 7 * 365))
    begins = old if rng.random() < min(chance, 0.97) else late
    if rng.random() < 0.04:
        begins = NEVER
    ahead = int(rng.integers(120, 600))
    every = int(rng.choice([365, 400, 730, 1100, 1500]))
    return Routine(district, unit, directed, begins - ahead, begins, every if rng.random() < 0.9 else None)
