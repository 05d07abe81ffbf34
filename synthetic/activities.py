"""Training, collaboration and information that the districts arrange.

Just over a thousand persons took part in training over twenty months of Barnstöd Stockholm (2005–2006), in a broad
basic course, deeper ones and some for specialists. So there are 155 a quarter in the whole city, most of them at the
lowest level. The mapping of 2019 found little information about what socialförvaltningen offers. The rest is invented.
"""

from __future__ import annotations

import numpy as np

from ingest.quarters import Quarter
from synthetic.arrivals import receipt_days
from synthetic.districts import DISTRICTS, SIZES
from synthetic.draws import Floats, Table, empty, ordinal, pick, rank_within, stream

TYPES = ("utbildning", "samverkan", "information")
TRAINING, COLLABORATION, INFORMATION = range(3)
LEVELS = ("bas", "fordjupning", "specialist")
THEMES = (
    "missbruk", "psykisk_funktionsnedsattning", "vald", "foraldrastod", "rutiner", "socialforvaltningens_utbud",
    "annat",
)  # fmt: skip
RECEIVERS = (
    "forskola", "skola", "iof_barn", "iof_vuxen", "halso_sjukvard", "polis", "civilsamhalle", "invanare", "annan",
)  # fmt: skip
_STEP = 15
_A_QUARTER = np.array([0.75, 2.2, 1.1])
"""Activities of each type in an average district."""
_LEVEL_SHARES = np.array([0.62, 0.28, 0.10])
_IN_TRAINING = 155
"""Participants of all trainings of the city in an average quarter."""
_PARTICIPANTS = np.array([16.0, 9.0, 6.0])
"""How many a training draws by its level, in proportion."""
_OTHERS = np.array([0.0, 7.0, 22.0])
"""Mean of the other types."""
_THEME_WEIGHTS: Floats = np.array(
    [[22, 18, 24, 14, 14, 2, 6], [16, 14, 20, 14, 18, 3, 15], [12, 10, 12, 38, 6, 5, 17]], dtype="float64"
)
_RECEIVER_WEIGHTS: Floats = np.array(
    [
        [20, 24, 20, 26, 4, 1, 3, 0, 2],
        [14, 28, 8, 12, 16, 12, 8, 0, 2],
        [12, 14, 4, 4, 6, 1, 9, 48, 2],
    ],
    dtype="float64",
)

ACTIVITY = np.dtype(
    [
        ("district", "i2"), ("quarter", "i4"), ("number", "i4"), ("type", "i1"), ("level", "i1"), ("day", "i4"),
        ("theme", "i1"), ("receiver", "i1"), ("participants", "i4"),
    ]
)  # fmt: skip


class Activities:
    """What all districts arrange, drawn when asked for."""

    def __init__(self, seed: int, scale: float) -> None:
        """Draw how many activities each district arranges on average.

        Args:
            seed: not negative.
            scale: 1 gives some two to eight activities a district and quarter.
        """
        self.seed, self.scale = seed, scale
        eager = stream(seed, _STEP).uniform(0.6, 1.4, (len(DISTRICTS), len(TYPES)))
        self._mean = eager * (SIZES / SIZES.mean())[:, None] * _A_QUARTER * scale

    def of_districts(self, districts: tuple[int, ...], quarter: Quarter) -> Table:
        """ACTIVITY rows of a unit, in order of their day."""
        rng = stream(self.seed, _STEP, ordinal(quarter))
        volume = 0.6 if quarter.number == 3 else 1.13
        counts = rng.poisson(self._mean * volume)
        district, kind = (np.repeat(axis.reshape(-1), counts.reshape(-1)) for axis in np.indices(counts.shape))
        rows = empty(ACTIVITY, district.size)
        rows["district"], rows["type"], rows["quarter"] = district, kind, ordinal(quarter)
        rows["day"] = receipt_days(rng, quarter, district.size)
        level = pick(rng, _LEVEL_SHARES, district.size)
        rows["level"] = np.where(kind == TRAINING, level, -1)
        rows["theme"] = pick(rng, _THEME_WEIGHTS[kind])
        rows["receiver"] = pick(rng, _RECEIVER_WEIGHTS[kind])
        mean = np.where(kind == TRAINING, _PARTICIPANTS[level], _OTHERS[kind]) * rng.gamma(4.0, 0.25, district.size)
        rows["participants"] = rng.poisson(mean)
        training = np.flatnonzero(kind == TRAINING)
        if training.size:
            everyone = rng.poisson(_IN_TRAINING * self.scale * volume)
            rows["participants"][training] = rng.multinomial(everyone, mean[training] / mean[training].sum())
        rows = rows[np.lexsort((np.arange(rows.size), rows["day"], rows["district"]))]
        rows["number"] = rank_within(rows["district"].astype("int64")) + 1
        found = rows[np.isin(rows["district"], districts)]
        return found[np.argsort(found["day"], kind="stable")]
