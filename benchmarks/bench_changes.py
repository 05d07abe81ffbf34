"""What two releases say of one record that is among K changed ones, by the attack on successive releases.

`python benchmarks/bench_changes.py WAREHOUSE [K …]`: cases are drawn from those that a built warehouse has received.
One is added, K − 1 others are added, removed or changed at random, and all figures are drawn anew: of the quarter and
year of the unit and of the city. Prints how often each of its codes is inferred, by chance, and by whoever knows the
true differences.
"""

from __future__ import annotations

import itertools
import sys

import duckdb
import numpy as np
import numpy.typing as npt

from publish.attack.figures import TOTAL, Figures
from publish.attack.likelihood import Deviation
from publish.attack.successive import infer

COLUMNS = {
    "sex": "sex", "age_band": "age_band_at_receipt", "history": "history", "socioeconomic": "socioeconomic",
    "referral_type": "referral_type", "source_code": "source_code", "reason_code": "reason_code",
    "reason_side": "reason_side", "intervention_category": "intervention_category",
}  # fmt: skip
GUESSED = ("sex", "age_band", "history", "source_code", "reason_code")
UNIT = 156
"""Cases of the unit's quarter."""
OTHERS = (0, 3, 24, 103)
"""Of the unit's quarter and year, and of the city's: how many times as many other cases they have."""
TRIALS = 100
Records = npt.NDArray[np.int64]


class City:
    """Cases to draw from, and what is published of them."""

    def __init__(self, warehouse: str) -> None:
        """Read the cases received in 2018."""
        self.deviation, self.names, codes = Deviation(), [], []
        with duckdb.connect(warehouse, read_only=True) as connection:
            read = connection.execute(
                f"select {', '.join(COLUMNS.values())} from core.fct_case where received_quarter like '2018%'"
            ).fetchnumpy()
        for column in read.values():
            names, code = np.unique(np.asarray(column, dtype=str), return_inverse=True)
            self.names.append((TOTAL, *names.tolist()))
            codes.append(code + 1)
        self.cases: Records = np.stack(codes, axis=1)
        width = range(len(COLUMNS))
        reason, side = (list(COLUMNS).index(name) for name in ("reason_code", "reason_side"))
        pairs = [pair for pair in itertools.combinations(width, 2) if pair != (reason, side)]
        self.cuts = [(), *((one,) for one in width), *pairs, *((0, 1, one) for one in width if one > 1)]

    def drawn(self, number: int, random: np.random.Generator) -> Records:
        """So many cases."""
        return self.cases[random.integers(0, len(self.cases), number)]

    def figures(self, groups: list[Records], random: np.random.Generator) -> Figures:
        """What is published of each group."""
        steps = np.array([1 << (6 * place) for place in range(len(COLUMNS))])
        codes, published = [], []
        for number, records in enumerate(groups):
            coded = records * steps
            cells = np.concatenate([coded[:, list(cut)].sum(axis=1) for cut in self.cuts])
            found, counts = np.unique(cells, return_counts=True)
            own = np.minimum(counts, self.deviation.top)
            ends = np.cumsum(self.deviation.matrix[own], axis=1)
            shown = counts - own + (ends < (random.random(len(own)) * ends[:, -1])[:, None]).sum(axis=1)
            fixed = np.zeros((len(found), 5), np.int64)
            fixed[:, 1] = number
            codes.append(np.concatenate([fixed, (found[:, None] // steps) % 64], axis=1)[shown > 0])
            published.append(shown[shown > 0])
        together = np.concatenate(published)
        none = np.zeros(len(together), np.bool_)
        names = (("cases",), tuple(map(str, range(len(groups)))), ("as_submitted",), ("kvartal:2018Q1",), ("0",))
        columns = ("measure", "unit", "basis", "period", "release", *COLUMNS)
        return Figures(columns, (*names, *self.names), np.concatenate(codes).astype(np.int16), together, none, none)

    def trial(self, changed: int, random: np.random.Generator) -> dict[str, tuple[bool, bool, bool]]:
        """Whether each code was inferred, by chance, and by the true differences."""
        unit, record = self.drawn(UNIT, random), self.drawn(1, random)
        added, gone = [record], set()
        for kind in random.integers(0, 3, changed - 1):
            if kind == 0:
                added.append(self.drawn(1, random))
                continue
            place = int(random.integers(UNIT))
            gone.add(place)
            if kind == 1:
                moved, column = unit[[place]].copy(), int(random.integers(len(COLUMNS)))
                moved[0, column] = self.drawn(1, random)[0, column]
                added.append(moved)
        later = np.concatenate([np.delete(unit, sorted(gone), axis=0), *added])
        others = [self.drawn(times * UNIT, random) for times in OTHERS]
        before, after = (
            self.figures([np.concatenate([own, rest]) for rest in others], random) for own in (unit, later)
        )
        found = {}
        for name in GUESSED:
            place = list(COLUMNS).index(name)
            inferred, chance = infer(before, after, "added", name, self.deviation)
            true, width = self.names[place][record[0, place]], len(self.names[place])
            was, now = (np.bincount(one[:, place], minlength=width) for one in (unit, later))
            perfect = self.names[place][int((np.maximum(now - was, 0) + 0.001 * was / UNIT).argmax())]
            found[name] = (inferred == true, chance == true, perfect == true)
        return found


def main() -> None:
    """Print the table."""
    city = City(sys.argv[1])
    for changed in map(int, sys.argv[2:] or ["1", "10", "30"]):
        trials = [city.trial(changed, np.random.default_rng((changed, one))) for one in range(TRIALS)]
        for name in GUESSED:
            inferred, chance, perfect = 100 * np.array([one[name] for one in trials]).mean(axis=0)
            line = f"inferred {inferred:.0f} %, chance {chance:.0f}, perfect {perfect:.0f}"
            print(f"{changed:>3} changed, {name:<12} {line}", flush=True)


if __name__ == "__main__":
    main()
