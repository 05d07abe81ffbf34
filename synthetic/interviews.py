"""Police interviews of children at Barnahus: how many go home afterwards, and how many of those are followed up.

Many districts said in 2018 that children go home without follow-up, mostly in evenings and at weekends
 (Kartläggning öppenvård barn och unga, 2019). The counts are invented.
"""

from __future__ import annotations

import numpy as np

from ingest.quarters import Quarter
from synthetic.districts import DISTRICTS, SIZES, traits
from synthetic.draws import Table, empty, ordinal, stream

TIMES = ("vardag_dag", "vardag_kvall", "helg")
_STEP = 16
_A_QUARTER = np.array([9.0, 1.6, 0.9])
"""Interviews of an average district's children by the time at which they take place."""
_HOME = np.array([0.84, 0.80, 0.78])
_SAME_DAY = np.array([0.58, 0.22, 0.12])
_WITHIN_THREE = np.array([0.62, 0.55, 0.45])
"""Of those not followed up within a day."""

INTERVIEW = np.dtype([("time", "i1"), ("all", "i4"), ("home", "i4"), ("same_day", "i4"), ("within_three", "i4")])


class Interviews:
    """Interviews of all districts' children, drawn when asked for."""

    def __init__(self, seed: int, scale: float) -> None:
        """Store what the draws depend on; nothing is drawn yet.

        Args:
            seed: not negative.
            scale: 1 gives some ten interviews a district and quarter.
        """
        self.seed, self.scale = seed, scale

    def of_districts(self, districts: tuple[int, ...], quarter: Quarter) -> Table:
        """INTERVIEW rows of a unit, one for each time, also where there were none."""
        rng = stream(self.seed, _STEP, ordinal(quarter))
        size = (SIZES / SIZES.mean())[:, None] * traits("opened")[:, None] ** 2
        interviews = rng.poisson(_A_QUARTER * size * self.scale)
        home = rng.binomial(interviews, _HOME)
        same_day = rng.binomial(home, np.clip(_SAME_DAY * traits("followed_up")[:, None] / 0.62, 0, 0.95))
        within_three = same_day + rng.binomial(home - same_day, _WITHIN_THREE)
        rows = empty(INTERVIEW, len(TIMES))
        rows["time"] = np.arange(len(TIMES))
        mine = np.isin(np.arange(len(DISTRICTS)), districts)
        for name, counts in (
            ("all", interviews),
            ("home", home),
            ("same_day", same_day),
            ("within_three", within_three),
        ):
            rows[name] = counts[mine].sum(axis=0)
        return rows
