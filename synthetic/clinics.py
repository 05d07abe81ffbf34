"""Youth clinics: visits, who comes for the first time, and how long they waited.

A district has one or two clinics, named after its areas; they keep their names when districts merge. That the wait
differs sharply between clinics is the city's finding (Kartläggning öppenvård barn och unga, 2019), as is that mostly
girls come; all figures are invented.
"""

from __future__ import annotations

import numpy as np

from ingest.districts import load_districts
from ingest.quarters import Quarter
from synthetic.districts import DISTRICTS, SIZES
from synthetic.draws import Ints, Table, empty, ordinal, stream
from synthetic.services import WAIT_BANDS

AGES = ("12-14", "15-17", "18-20", "21-22")
_SEX_SHARES = (0.735, 0.255, 0.010)
"""Girls, boys, unknown."""
_AGE_SHARES = ((0.07, 0.41, 0.37, 0.15), (0.05, 0.33, 0.41, 0.21), (0.05, 0.40, 0.40, 0.15))
_VISITS = 420
"""Visits to an average district's clinics in a quarter."""
_TWO_FROM = 375
"""Districts that receive so many cases a quarter, or more, have two clinics."""
_NEW = 0.21
_STEP = 14

VISIT = np.dtype(
    [
        ("clinic", "i2"), ("sex", "i1"), ("age", "i1"), ("visits", "i4"), ("new", "i4"), ("digital", "i4"),
        ("waited_0", "i4"), ("waited_1", "i4"), ("waited_2", "i4"), ("waited_3", "i4"), ("waited_4", "i4"),
        ("waited_days", "i4"),
    ]
)  # fmt: skip


class Clinics:
    """All clinics of the city."""

    def __init__(self, seed: int, scale: float) -> None:
        """Draw each clinic's district, name, size, wait and share of digital visits.

        Args:
            seed: not negative.
            scale: 1 gives some hundred visits a clinic and quarter.
        """
        self.seed, self.scale = seed, scale
        rng = stream(seed, _STEP)
        names: list[str] = []
        district: list[int] = []
        for place, found in enumerate(DISTRICTS):
            areas = load_districts().areas(found.code)
            for area in areas[: 2 if found.size >= _TWO_FROM else 1]:
                names.append(f"Ungdomsmottagningen {area.name}")
                district.append(place)
        self.names = tuple(names)
        self._district = np.array(district)
        each = np.bincount(self._district)[self._district]
        self._visits = _VISITS * (SIZES / SIZES.mean())[self._district] / each * rng.uniform(0.7, 1.3, len(names))
        self._wait = np.exp(rng.normal(2.4, 0.6, len(names)))
        self._digital = rng.uniform(0.02, 0.16, len(names))

    def of_districts(self, districts: tuple[int, ...], quarter: Quarter) -> Table:
        """VISIT rows of a unit's clinics, by clinic, sex and age band; those without a visit are left out."""
        rng = stream(self.seed, _STEP, ordinal(quarter))
        shares = np.array([sex * np.array(ages) for sex, ages in zip(_SEX_SHARES, _AGE_SHARES, strict=True)])
        mean = self._visits[:, None, None] * shares * self.scale * (0.7 if quarter.number == 3 else 1.1)
        rows = empty(VISIT, mean.size)
        rows["clinic"], rows["sex"], rows["age"] = (axis.reshape(-1) for axis in np.indices(mean.shape))
        clinic = rows["clinic"].astype("int64")
        visits = rng.poisson(mean.reshape(-1))
        rows["visits"], rows["new"] = visits, rng.binomial(visits, _NEW)
        since_2020 = 0.12 if quarter >= Quarter(2020, 2) else 0.0
        rows["digital"] = rng.binomial(visits, self._digital[clinic] + since_2020)
        self._waits(rng, rows)
        found: Table = rows[np.isin(self._district[clinic], districts) & (visits > 0)]
        return found

    def _waits(self, rng: np.random.Generator, rows: Table) -> None:
        new: Ints = rows["new"].astype("int64")
        owner = np.repeat(np.arange(new.size), new)
        days = np.floor(rng.gamma(1.5, 1 / 1.5, owner.size) * self._wait[rows["clinic"][owner]]).astype("int64")
        band = np.searchsorted(WAIT_BANDS, days, side="right") - 1
        counts = np.bincount(owner * WAIT_BANDS.size + band, minlength=new.size * WAIT_BANDS.size)
        for position in range(WAIT_BANDS.size):
            rows[f"waited_{position}"] = counts.reshape(-1, WAIT_BANDS.size)[:, position]
        rows["waited_days"] = np.bincount(owner, weights=days, minlength=new.size)
