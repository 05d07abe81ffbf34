"""The simulation of the city: one quarter after another, each drawn from its own random streams.

The simulation always begins at the same quarter, a year before the first that is usually drawn, so that the first
file already carries cases on, and so that any window of quarters of one seed shows the same city.
"""

from __future__ import annotations

import math

import numpy as np

from ingest.quarters import Quarter
from synthetic import margins
from synthetic.activities import Activities
from synthetic.arrivals import (
    ARRIVAL,
    case_counts,
    concatenated,
    events_of,
    newcomers,
    repeated_districts,
    returning_arrivals,
)
from synthetic.care import EPISODE, EpisodeDraw
from synthetic.cases import CASE, CourseDraw
from synthetic.clinics import Clinics
from synthetic.districts import DISTRICTS, units_of_districts
from synthetic.draws import Table, day_number, empty, ordinal, rank_within, stream
from synthetic.groups import Groups
from synthetic.interviews import Interviews
from synthetic.people import People
from synthetic.routines import Routines
from synthetic.services import Services
from synthetic.supply import Supply

BEGINNING = Quarter(2017, 1)
WARM_UP_QUARTERS = 4
_CASES, _CARE, _SERVICES = 1, 2, 3
_CHILDREN_PER_EVENT = 1.30
_RETURNING_WITHIN_QUARTER = 0.12
"""Of a quarter's cases: those whose child's earlier case was received in the same quarter."""


def first_simulated_quarter(first: Quarter) -> Quarter:
    """Where the simulation begins for a window: the usual quarter, or a year before an earlier window."""
    return min(BEGINNING, first.back(WARM_UP_QUARTERS))


class Simulation:
    """The city at the end of the quarter that was drawn last.

    Attributes hold what a file can still show: `cases` that were not closed before the quarter, `episodes` that did not
    end before the two quarters before it.
    """

    def __init__(self, first: Quarter, *, scale: float, seed: int) -> None:
        """Start empty.

        Args:
            first: first quarter that will be shown; decides where the simulation begins.
            scale: 1 gives some 300–900 rows of cases a district and quarter.
            seed: not negative.
        """
        self.scale, self.seed = scale, seed
        self.quarter = first_simulated_quarter(first)
        self._begun = ordinal(self.quarter)
        self.people = People()
        self.cases = empty(CASE)
        self.episodes = empty(EPISODE)
        self.services = Services(seed, scale)
        self.supply = Supply(seed, self.services)
        self.groups = Groups(seed, scale, self.supply)
        self.clinics = Clinics(seed, scale)
        self.activities = Activities(seed, scale)
        self.interviews = Interviews(seed, scale)
        self.routines = Routines(seed)
        self._pending = empty(ARRIVAL)
        self._events = 0
        self._case_numbers: dict[tuple[int, int], int] = {}
        self._episode_numbers = np.zeros(len(DISTRICTS), dtype="int64")

    def run_quarter(self) -> Quarter:
        """Draw the next quarter's arrivals and all that follows from them.

        Returns:
            The quarter that was drawn; the attributes hold the state at its end.
        """
        quarter = self.quarter
        start = day_number(quarter.start)
        received = self._received(quarter)
        self._number(received, quarter)
        self.cases = np.concatenate([self.cases[self.cases["closed"] >= start], received])
        draw = EpisodeDraw(stream(self.seed, _CARE, ordinal(quarter)), self.people, quarter, self.scale)
        begun = draw.run(received)
        begun["number"] = self._episode_numbers[begun["district"]] + rank_within(begun["district"]) + 1
        self._episode_numbers += np.bincount(begun["district"], minlength=len(DISTRICTS))
        is_recent = self.episodes["end"] >= day_number(quarter.back(2).start)
        self.episodes = np.concatenate([self.episodes[is_recent], begun])
        self.services.run_quarter(stream(self.seed, _SERVICES, ordinal(quarter)), quarter)
        self.quarter = quarter.next()
        return quarter

    def _received(self, quarter: Quarter) -> Table:
        """All cases received in the quarter, by generation: some lead to another within the quarter."""
        rng = stream(self.seed, _CASES, ordinal(quarter))
        last_day = day_number(quarter.end)
        is_due = self._pending["receipt"] <= last_day
        due = self._pending[is_due]
        waiting = [self._pending[~is_due]]
        target = case_counts(rng, quarter, self.scale)
        fresh = target * (1 - _RETURNING_WITHIN_QUARTER) - np.bincount(due["district"], minlength=len(DISTRICTS))
        events = np.floor(np.maximum(fresh, 0) / _CHILDREN_PER_EVENT + rng.random(len(DISTRICTS))).astype("int64")
        fading = math.exp(-(ordinal(quarter) - self._begun) / margins.PRIOR_FADES_IN_QUARTERS)
        arrivals = concatenated(
            [newcomers(rng, self.people, quarter, repeated_districts(events), fading), events_of(due)]
        )
        share: float | None = None
        generations: list[Table] = []
        while arrivals.size:
            cases, share = CourseDraw(rng, self.people, arrivals).run(share)
            cases["lop"] = self.people.running_numbers(
                cases["person"].astype("int64"), cases["district"].astype("int64")
            )
            following = returning_arrivals(rng, self.people, cases)
            following["event"] += self._events
            cases["event"] += self._events
            self._events = int(cases["event"].max()) + 1
            generations.append(cases)
            now = following["receipt"] <= last_day
            waiting.append(following[~now])
            arrivals = events_of(following[now])
        self._pending = np.concatenate(waiting)
        return np.concatenate(generations) if generations else empty(CASE)

    def _number(self, cases: Table, quarter: Quarter) -> None:
        """Case numbers in order of receipt, one for the siblings of an event."""
        units = np.array(units_of_districts(quarter))
        cases["unit"] = units[cases["district"]]
        cases["year"] = quarter.year
        _, first, event = np.unique(cases["event"], return_index=True, return_inverse=True)
        order = np.lexsort((cases["event"][first], cases["receipt"][first], cases["unit"][first]))
        unit = cases["unit"][first][order].astype("int64")
        number = rank_within(unit) + 1
        for code in np.unique(unit):
            rows = unit == code
            before = self._case_numbers.get((int(code), quarter.year), 0)
            number[rows] += before
            self._case_numbers[int(code), quarter.year] = before + int(rows.sum())
        by_event = np.empty(order.size, dtype="int64")
        by_event[order] = number
        cases["number"] = by_event[event.reshape(-1)]
