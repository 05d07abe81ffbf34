"""Service interventions as counts: how many begin, go on and end, how long they waited, and how many are in the queue.

Each cell (an intervention and target group of a district, cut by sex, age band and referrer) carries its stock from
quarter to quarter: ongoing = ongoing before + new − completed − interrupted, so the sum over any cells does too.

One of the fourteen districts has no advice talks (råd- och stödsamtal) as a service, as the city found in 2019
(Kartläggning öppenvård barn och unga); which one is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.quarters import Quarter
from synthetic.arrivals import seasonal_factor
from synthetic.districts import DISTRICTS, SIZES, traits
from synthetic.draws import Bools, Floats, Ints, Table, empty, pick, stream

TARGETS = ("barn", "foralder", "familj")
SEXES = ("kvinna", "man", "okant")
AGES = ("0-5", "6-12", "13-17", "18-20", "vuxen", "okand")
REFERRERS = (
    "skola", "forskola", "bvc", "psykiatri", "halso_sjukvard", "ungdomsmottagning", "vardnadshavare", "socialtjanst",
    "polis_aklagare", "fritid_falt", "egen_kontakt", "annan",
)  # fmt: skip
WAIT_BANDS = np.array([0, 8, 15, 31, 91])
"""First day of each band of waiting; the last has no end."""
_SEED_CELLS = 4
_WITHOUT_TALKS = len(DISTRICTS)
"""Key of the stream that says which district has no advice talks as a service."""


@dataclass(frozen=True)
class Kind:
    """One service intervention for one target group, in an average district."""

    code: str
    target: int
    new: float
    """New participants a quarter."""
    wait: float
    """Mean days waited."""
    stay: float
    """Share still going on a quarter later."""
    sessions: float
    """Sessions per participant and quarter."""
    share: float
    """Chance that a district offers it."""
    ages: tuple[float, float, float, float] = (0, 0, 0, 0)
    """For children: weights of the four bands."""


KINDS: tuple[Kind, ...] = (
    Kind("rad_och_stod", 1, 46, 9, 0.40, 2.6, 1.0),
    Kind("rad_och_stod", 0, 14, 9, 0.35, 2.4, 1.0, (0, 3, 5, 1)),
    Kind("rad_och_stod", 2, 16, 10, 0.40, 2.8, 0.9),
    Kind("foraldraradgivning", 1, 52, 10, 0.30, 2.2, 1.0),
    Kind("komet", 1, 18, 38, 0.45, 5.0, 0.9),
    Kind("ungdomskomet", 1, 8, 45, 0.45, 5.0, 0.5),
    Kind("abc", 1, 22, 26, 0.10, 3.5, 0.8),
    Kind("connect", 1, 7, 40, 0.40, 5.0, 0.4),
    Kind("icdp", 1, 9, 30, 0.35, 4.0, 0.5),
    Kind("familjeverkstan", 1, 7, 30, 0.35, 4.0, 0.3),
    Kind("familjeradgivning", 2, 12, 24, 0.45, 3.0, 0.6),
    Kind("praktiskt_stod", 2, 5, 18, 0.50, 6.0, 0.4),
    Kind("trappan", 0, 7, 28, 0.45, 3.5, 0.7, (1, 6, 3, 0)),
    Kind("skilda_varldar", 0, 7, 42, 0.40, 4.0, 0.6, (0, 7, 2, 0)),
    Kind("barnkraft", 0, 5, 50, 0.40, 5.0, 0.4, (0, 6, 3, 0)),
    Kind("bra_samtal", 0, 6, 16, 0.30, 2.5, 0.5, (1, 5, 4, 0)),
    Kind("unga_lagovertradare", 0, 10, 12, 0.50, 3.0, 0.7, (0, 0, 8, 2)),
    Kind("skolsocionom", 0, 24, 6, 0.50, 3.0, 0.7, (0, 5, 6, 0.4)),
    Kind("faltarbete", 0, 26, 3, 0.55, 2.0, 0.8, (0, 1, 8, 1)),
)
SERVICE_CODES = tuple(dict.fromkeys(kind.code for kind in KINDS))

CELL = np.dtype(
    [
        ("district", "i2"), ("kind", "i1"), ("sex", "i1"), ("age", "i1"), ("referrer", "i1"), ("mean", "f8"),
        ("new", "i4"), ("ongoing", "i4"), ("completed", "i4"), ("interrupted", "i4"), ("sessions", "i4"),
        ("followed", "i4"), ("queue", "i4"), ("better", "i4"), ("same", "i4"), ("worse", "i4"),
        ("waited_0", "i4"), ("waited_1", "i4"), ("waited_2", "i4"), ("waited_3", "i4"), ("waited_4", "i4"),
        ("waited_days", "i4"),
    ]
)  # fmt: skip
COUNTS = tuple(name for name in CELL.names or () if name not in ("district", "kind", "sex", "age", "referrer", "mean"))


class Services:
    """The cells of all districts at the end of the quarter that was drawn last."""

    def __init__(self, seed: int, scale: float) -> None:
        talks = int(stream(seed, _SEED_CELLS, _WITHOUT_TALKS).integers(len(DISTRICTS)))
        rows: list[tuple[int, int, int, int, int, float]] = []
        for district in range(len(DISTRICTS)):
            rng = stream(seed, _SEED_CELLS, district)
            size = SIZES[district] / SIZES.mean() * scale
            for kind, spec in enumerate(KINDS):
                offered = rng.random() < spec.share
                volume = spec.new * size * rng.uniform(0.7, 1.3)
                shares = _cell_shares(rng, spec)
                if offered:
                    rows += [(district, kind, *cell, volume * share) for cell, share in shares]
        self.cells = empty(CELL, len(rows))
        for position, name in enumerate(("district", "kind", "sex", "age", "referrer", "mean")):
            self.cells[name] = [row[position] for row in rows]
        is_talk = np.array([spec.code == "rad_och_stod" for spec in KINDS])[self.cells["kind"]]
        self._reported: Bools = ~(is_talk & (self.cells["district"] == talks))
        stay = _spec("stay")[self.cells["kind"]]
        self.cells["ongoing"] = np.rint(self.cells["mean"] * 0.8 / (1 - stay))
        self._pace = traits("start_wait")

    def offered(self, district: int) -> tuple[str, ...]:
        """Codes of the services that a district counts, and so offers, in every quarter."""
        kinds = np.unique(self.cells["kind"][(self.cells["district"] == district) & self._reported])
        return tuple(dict.fromkeys(KINDS[kind].code for kind in kinds.tolist()))

    def run_quarter(self, rng: np.random.Generator, quarter: Quarter) -> None:
        """Draw the quarter's counts of every cell."""
        cells = self.cells
        kind, district = cells["kind"].astype("int64"), cells["district"].astype("int64")
        before = cells["ongoing"].astype("int64")
        new = rng.poisson(cells["mean"] * seasonal_factor(quarter))
        stay = _spec("stay")[kind]
        leaving = rng.binomial(before, 1 - stay) + rng.binomial(new, 0.2)
        completed = rng.binomial(leaving, np.clip(0.76 * traits("completed")[district], 0, 0.97))
        followed = rng.binomial(leaving, traits("followed_up")[district] * 0.8)
        rated = rng.binomial(followed, 0.85)
        better = rng.binomial(rated, 0.62)
        same = rng.binomial(rated - better, 0.8)
        sessions = rng.poisson((before + new) * _spec("sessions")[kind])
        cells["ongoing"] = before + new - leaving
        for name, values in (
            ("new", new),
            ("completed", completed),
            ("interrupted", leaving - completed),
            ("followed", followed),
            ("better", better),
            ("same", same),
            ("worse", rated - better - same),
            ("sessions", np.where(new > 0, np.maximum(sessions, new), sessions)),
            ("queue", rng.poisson(cells["mean"] * np.minimum(_spec("wait")[kind] * self._pace[district] / 90, 0.8))),
        ):
            cells[name] = values
        self._waits(rng, new, _spec("wait")[kind] * self._pace[district])

    def _waits(self, rng: np.random.Generator, new: Ints, mean: Floats) -> None:
        """Days that each new participant waited, counted by band and added up."""
        owner = np.repeat(np.arange(new.size), new)
        days = np.floor(rng.gamma(1.4, 1 / 1.4, owner.size) * mean[owner]).astype("int64")
        band = np.searchsorted(WAIT_BANDS, days, side="right") - 1
        counts = np.bincount(owner * WAIT_BANDS.size + band, minlength=new.size * WAIT_BANDS.size)
        for position in range(WAIT_BANDS.size):
            self.cells[f"waited_{position}"] = counts.reshape(-1, WAIT_BANDS.size)[:, position]
        self.cells["waited_days"] = np.bincount(owner, weights=days, minlength=new.size)

    def of_districts(self, districts: tuple[int, ...], *, by_referrer: bool) -> Table:
        """The cells that a unit reports: those of its districts, added up by key, without the empty ones."""
        cells: Table = self.cells[np.isin(self.cells["district"], districts) & self._reported].copy()
        if not by_referrer:
            cells["referrer"] = -1
        keys = np.stack([cells[name].astype("int64") for name in ("kind", "sex", "age", "referrer")], axis=1)
        if len(keys) == 0:
            return cells
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        found: Table = cells[first]
        for name in COUNTS:
            found[name] = np.bincount(group.reshape(-1), weights=cells[name], minlength=first.size)
        anything = np.zeros(found.size, dtype=bool)
        for name in COUNTS:
            anything |= found[name] > 0
        shown: Table = found[anything]
        return shown


def _spec(name: str) -> Floats:
    return np.array([getattr(kind, name) for kind in KINDS], dtype="float64")


def _cell_shares(rng: np.random.Generator, spec: Kind) -> list[tuple[tuple[int, int, int], float]]:
    """((sex, age band, referrer), share) of the cells that a district reports of a kind."""
    if spec.target == 1:
        groups = [((0, 4), 0.68), ((1, 4), 0.32)]
        referrers = np.array([14, 9, 26, 4, 5, 0, 10, 12, 1, 1, 16, 2], dtype="float64")
    elif spec.target == 2:
        groups = [((2, 5), 1.0)]
        referrers = np.array([12, 4, 6, 5, 5, 0, 18, 22, 2, 1, 22, 3], dtype="float64")
    else:
        total = sum(spec.ages)
        groups = [
            ((sex, age), weight / total * half)
            for age, weight in enumerate(spec.ages)
            if weight
            for sex, half in ((0, 0.47), (1, 0.53))
        ]
        referrers = np.array([30, 2, 1, 8, 4, 4, 12, 20, 8, 6, 4, 1], dtype="float64")
    chosen = np.unique(pick(rng, referrers, 4 if spec.new > 12 else 2))
    weights = referrers[chosen] / referrers[chosen].sum()
    return [
        ((sex, age, int(ref)), share * float(part))
        for (sex, age), share in groups
        for ref, part in zip(chosen, weights, strict=True)
    ]
