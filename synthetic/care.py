"""Episodes of assessed outpatient care: those that follow accepted offers, and some that come from outside."""

from __future__ import annotations

import numpy as np

from ingest.quarters import Quarter
from synthetic import margins
from synthetic.arrivals import newcomers, repeated_districts
from synthetic.districts import SIZES, area_table, traits
from synthetic.draws import (
    NEVER,
    Floats,
    Ints,
    Table,
    add_months,
    empty,
    happens,
    pick,
    weekday_after,
    weekday_before,
)
from synthetic.people import OFODD, OLDEST, RESERV, SKYDDAD, People, age_years

EPISODE = np.dtype(
    [
        ("district", "i2"), ("number", "i4"), ("person", "i4"), ("lop", "i4"), ("area", "i2"),
        ("case_unit", "i2"), ("case_year", "i2"), ("case_number", "i4"), ("case_closed", "i4"), ("receipt", "i4"),
        ("target", "i1"), ("insats", "i1"), ("provider", "i1"), ("applied", "i4"), ("decided", "i4"), ("start", "i4"),
        ("end", "i4"), ("cause", "i1"), ("goal", "i1"), ("sessions", "i2"), ("followed", "i4"), ("method", "i1"),
    ]
)  # fmt: skip

TARGETS = ("barn", "foralder", "familj")
PROVIDERS = ("egen", "upphandlad", "socialforvaltningen", "annan_stadsdel", "civilsamhalle")
CAUSES = (
    "fullfoljd", "avbruten_familjen", "avbruten_socialtjansten", "beslut_lopt_ut", "overgang_annan_insats", "placering",
    "flytt", "alder_21", "overflyttad", "avliden", "ej_paborjad", "annan",
)  # fmt: skip
COMPLETED, BY_FAMILY, TURNED_21, DIED, NOT_STARTED = 0, 1, 7, 9, 10
GOALS = ("helt", "delvis", "inte", "ej_bedomd")
METHODS = ("intervju", "enkat", "matinstrument", "genomforandeplan", "annan")

# By intervention, in the order of margins.OFFERS.
_START_WAIT = np.array([18, 50, 75, 16, 22, 20, 14, 25, 14, 21, 12, 55, 20, 10], dtype="float64")
"""Mean days from decision to start (review: about three weeks to family treatment)."""
_LENGTH = np.array([150, 380, 420, 120, 130, 160, 110, 90, 140, 120, 100, 300, 120, 60], dtype="float64")
_SESSIONS_A_MONTH = np.array([3.2, 3.0, 2.0, 3.0, 4.0, 3.0, 4.0, 2.5, 3.0, 2.5, 2.5, 5.0, 2.0, 2.0])
_CAUSE_WEIGHTS = np.array([0.585, 0.15, 0.05, 0.07, 0.05, 0.03, 0.035, 0.0, 0.01, 0.0004, 0.0, 0.02])
_NOT_STARTED = 0.06
_OUTSIDE = 0.015
"""Episodes that come from no case of the drawn ones, per case received."""
_TARGET_WEIGHTS = {
    "familjebehandling": (0.05, 0.15, 0.80),
    "tryggare_barn": (0.05, 0.10, 0.85),
    "praktiskt_stod": (0.0, 0.6, 0.4),
    "kriscentrum": (0.3, 0.5, 0.2),
    "annan_lokal": (0.4, 0.2, 0.4),
}
_CITY_RUN = ("maria_ungdom", "framtid_stockholm", "kriscentrum")


class EpisodeDraw:
    """Draws the episodes that a quarter's cases lead to, each with its whole course."""

    def __init__(self, rng: np.random.Generator, people: People, quarter: Quarter, scale: float) -> None:
        self.rng, self.people, self.quarter, self.scale = rng, people, quarter, scale

    def run(self, cases: Table) -> Table:
        """EPISODE rows, all but their number, for the accepted offers of the cases and for some from outside."""
        episodes = np.concatenate([self._from_cases(cases), self._from_outside()])
        birth = self.people.rows["birth"][episodes["person"]]
        episodes = episodes[age_years(birth, episodes["decided"]) <= OLDEST]
        self._course(episodes)
        return episodes

    def _from_cases(self, cases: Table) -> Table:
        accepted = cases[cases["offered"] & cases["accepted"] & (cases["insats"] != margins.SERVICE_ONLY)]
        rng, size = self.rng, accepted.size
        found = empty(EPISODE, size)
        for name in ("district", "person", "lop", "area", "receipt", "insats"):
            found[name] = accepted[name]
        for name in ("unit", "year", "number", "closed"):
            found[f"case_{name}"] = accepted[name]
        delay = np.where(rng.random(size) < 0.6, 0, rng.integers(1, 12, size))
        found["decided"] = weekday_after(accepted["answered"] + delay)
        asked = np.maximum(accepted["end"] - rng.integers(0, 10, size), accepted["receipt"])
        asked = np.where(rng.random(size) < 0.5, asked, NEVER)
        found["applied"] = np.where(accepted["application"], accepted["receipt"], asked)
        return found

    def _from_outside(self) -> Table:
        """Decisions without a case of ours: the application is dated instead."""
        rng = self.rng
        events = rng.poisson(SIZES * self.scale * _OUTSIDE)
        arrivals = newcomers(rng, self.people, self.quarter, repeated_districts(events), 1.0)
        unborn = self.people.rows["id_kind"][arrivals["person"]] == OFODD
        arrivals = arrivals[~unborn]
        found = empty(EPISODE, arrivals.size)
        for name in ("district", "person", "area", "receipt"):
            found[name] = arrivals[name]
        found["lop"] = self.people.running_numbers(
            arrivals["person"].astype("int64"), arrivals["district"].astype("int64")
        )
        found["insats"] = pick(rng, margins.OFFER_SHARES[:-1], arrivals.size)
        found["applied"] = arrivals["receipt"]
        found["decided"] = weekday_after(arrivals["receipt"] + rng.integers(5, 50, arrivals.size))
        found["case_closed"] = -1
        return found

    def _course(self, episodes: Table) -> None:
        rng, size = self.rng, episodes.size
        insats, district = episodes["insats"].astype("int64"), episodes["district"].astype("int64")
        decided = episodes["decided"].astype("int64")
        targets = np.array([_TARGET_WEIGHTS.get(code, (0.85, 0.05, 0.10)) for code in margins.OFFERS])
        episodes["target"] = pick(rng, targets[insats]) if size else 0
        own = np.array([0.04 if code in _CITY_RUN else 0.78 for code in margins.OFFERS])[insats]
        city = np.array([0.94 if code in _CITY_RUN else 0.03 for code in margins.OFFERS])[insats]
        rest = 1 - own - city
        providers = np.stack([own, rest * 0.7, city, rest * 0.2, rest * 0.1], axis=1)
        episodes["provider"] = pick(rng, providers) if size else 0
        pilot = episodes["receipt"] >= area_table().pilot_from[episodes["area"]]
        mean = _START_WAIT[insats] * traits("start_wait")[district] * np.where(pilot, 0.75, 1.0)
        start = weekday_after(decided + np.rint(rng.gamma(1.6, 1 / 1.6, size) * mean).astype("int64"))
        length = np.rint(rng.gamma(3.0, 1 / 3.0, size) * _LENGTH[insats]).astype("int64") + 7
        chance = _CAUSE_WEIGHTS / _CAUSE_WEIGHTS.sum()
        weights = np.tile(chance, (size, 1))
        weights[:, COMPLETED] *= traits("completed")[district] * np.where(pilot, 1.15, 1.0)
        weights[:, BY_FAMILY] /= traits("completed")[district] ** 2
        cause = pick(rng, weights) if size else np.zeros(0, dtype="int64")
        length = np.where((cause == COMPLETED) | (cause == 3), length, np.maximum(length * 0.6, 5).astype("int64"))
        end = weekday_before(start + length)
        end = np.maximum(end, start)
        never = happens(rng, _NOT_STARTED, size)
        cause = np.where(never, NOT_STARTED, cause)
        end = np.where(never, weekday_after(decided + rng.integers(20, 120, size)), end)
        start = np.where(never, NEVER, start)
        cause, end, start = self._end_at_21(episodes, cause, end, start)
        episodes["start"], episodes["end"], episodes["cause"] = start, end, cause
        self._results(episodes)

    def _end_at_21(self, episodes: Table, cause: Ints, end: Ints, start: Ints) -> tuple[Ints, Ints, Ints]:
        """An episode ends at the child's 21st birthday at the latest."""
        person = self.people.rows[episodes["person"]]
        limit = add_months(person["birth"], 12 * 21)
        inexact = np.isin(person["id_kind"], (RESERV, SKYDDAD, OFODD))
        over = (end >= limit) & ~inexact
        unstarted = over & ((start >= limit) | (cause == NOT_STARTED))
        cause = np.where(unstarted, NOT_STARTED, np.where(over, TURNED_21, cause))
        return cause, np.where(over, limit, end), np.where(unstarted, NEVER, start)

    def _results(self, episodes: Table) -> None:
        rng, size = self.rng, episodes.size
        district, cause = episodes["district"].astype("int64"), episodes["cause"].astype("int64")
        completed = (cause == COMPLETED)[:, None]
        goals: Floats = np.where(completed, np.array([0.42, 0.40, 0.08, 0.10]), np.array([0.06, 0.28, 0.30, 0.36]))
        goals = np.where((cause == NOT_STARTED)[:, None], np.array([0.0, 0.0, 0.05, 0.95]), goals)
        episodes["goal"] = pick(rng, goals) if size else 0
        months = np.where(episodes["start"] < NEVER, (episodes["end"] - episodes["start"]) / 30.4, 0)
        rate = _SESSIONS_A_MONTH[episodes["insats"].astype("int64")]
        sessions = rng.poisson(np.maximum(months, 0) * rate)
        episodes["sessions"] = np.clip(np.where(months > 0, np.maximum(sessions, 1), 0), 0, 500)
        chance = traits("followed_up")[district] * np.where(cause == COMPLETED, 1.1, 0.75)
        chance = np.where((cause == NOT_STARTED) | (cause == DIED), 0.03, np.minimum(chance, 0.95))
        delay = np.where(rng.random(size) < 0.45, 0, rng.integers(1, 110, size))
        followed = happens(rng, chance, size)
        episodes["followed"] = np.where(followed, weekday_after(episodes["end"] + delay), NEVER)
        episodes["method"] = pick(rng, np.array([0.38, 0.12, 0.14, 0.30, 0.06]), size)
