"""Attacks the releases of many random cities: `make test-attack CITIES=500 SEED=0`.

Each city has small districts, three quarters and a second release after one record has changed. Prints what all attacks
found together; ends with 1 where a small count was known exactly.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from publish.policy import load_policy
from publish.release.attacking import attack_release
from publish.release.making import make
from tests.publish.keyed_city import MARTS, MEASURES, Case, cases, write_warehouse


def draw_city(random: np.random.Generator) -> list[Case]:
    """Two districts of 20 to 200 cases a quarter, with few reasons or many."""
    reasons = ("vald", "skola", "missbruk", "halsa", "ovrigt")[: int(random.integers(2, 6))]
    return [
        Case(
            one.name,
            one.district,
            one.quarter,
            str(random.choice(["kvinna", "man"])),
            str(random.choice(["0-5", "6-12", "13-17"])),
            str(random.choice(reasons)),
            is_offered=bool(random.random() < 0.3),
            is_returned=bool(random.random() < 0.2),
        )
        for one in cases(int(random.integers(20, 200)))
    ]


def attacked(cities: int, seed: int) -> Iterator[Counter[str]]:
    """What the attacks on each city found."""
    policy = load_policy()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(cities):
            random = np.random.default_rng((seed, number))
            warehouse = write_warehouse(Path(folder) / "warehouse.duckdb", draw_city(random))
            made = make(warehouse, MARTS, MEASURES, policy.cell_keys, random.bytes(32))
            report = attack_release(made, MARTS, MEASURES, policy, 1, {}, seed=number, is_full=True).report
            averaging = report.averaging
            yield Counter(
                small=report.bounds.cells,
                exact=max(report.bounds.exact, report.programs.exact),
                narrower=report.bounds.narrower,
                misled=report.bounds.misled + report.programs.misled,
                guessed=round(averaging.small_by_sums * averaging.cells),
                guessed_by_figure=round(max(averaging.small_by_figure, averaging.small_by_prior) * averaging.cells),
            )


def main() -> int:
    """Attack them and print the sums."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cities", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found: Counter[str] = Counter()
    for one in attacked(given.cities, given.seed):
        found.update(one)
    for name, number in found.items():
        sys.stdout.write(f"{name}: {number}\n")
    return 1 if found["exact"] or found["misled"] else 0


if __name__ == "__main__":
    sys.exit(main())
