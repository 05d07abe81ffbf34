"""Attacks the releases of many random cities: `make test-attack CITIES=500 SEED=0`.

Each city has two to four units of 20 to 200 cases a quarter; two of them are one today. It is released three times:
first; with one record changed, which nothing may show; and with a quarter restated. The first and the last release are
attacked in full. Prints what was found in all cities together, and ends with 1 where a limit was not held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from ingest.ledger.draws import Draw
from publish.cell_keys.revisions import draws_to_record
from publish.policy import load_policy
from publish.release.attacking import attack_release
from publish.release.making import Made, make
from publish.release.tables import table_of
from tests.publish.keyed_city import MARTS, MEASURES, QUARTERS, Case, many_changed, write_warehouse

LIMITS = ("exact", "narrower", "misled", "one_record_shown")
"""What no city may show at all."""
UNITS = ("bromma", "farsta", "norrmalm", "alvsjo")


def draw_city(random: np.random.Generator) -> tuple[list[Case], dict[str, str]]:
    """Cases with few reasons or many, and the unit that is part of another today."""
    reasons = ("vald", "skola", "missbruk", "halsa", "ovrigt")[: int(random.integers(2, 6))]
    shares = random.dirichlet(np.ones(len(reasons)))
    offered = random.uniform(0.1, 0.9)
    units = UNITS[: int(random.integers(2, 5))]
    cases = [
        Case(
            f"{unit}-{quarter}-{number}",
            unit,
            quarter,
            str(random.choice(["kvinna", "man"])),
            str(random.choice(["0-5", "6-12", "13-17"])),
            str(random.choice(reasons, p=shares)),
            is_offered=bool(random.random() < offered),
            is_returned=bool(random.random() < 0.2),
        )
        for unit in units
        for size in [int(random.integers(20, 201))]
        for quarter in QUARTERS
        for number in range(size)
    ]
    return cases, {units[-1]: units[0]}


class City:
    """Releases of a city, one after the other."""

    def __init__(self, folder: Path, merged: dict[str, str], secret: bytes) -> None:
        self.folder, self.merged, self.secret = folder, merged, secret
        self.policy, self.number = load_policy(), 0
        self.draws: list[Draw] = []

    def release(self, cases: list[Case]) -> Made:
        """Make a release as the ledger and the file of the one before demand."""
        warehouse = write_warehouse(self.folder / "warehouse.duckdb", cases, merged=self.merged)
        current = self.folder / f"{self.number}.duckdb"
        made = make(
            warehouse, MARTS, MEASURES, self.policy.cell_keys, self.secret,
            earlier=self.draws, current=current if self.number else None,
        )  # fmt: skip
        self.number += 1
        self.draws += draws_to_record(made.decided, self.number)
        file = self.folder / f"{self.number}.duckdb"
        file.unlink(missing_ok=True)
        with duckdb.connect(str(file)) as connection:
            connection.execute("create schema published")
            for name, found in made.marts.items():
                connection.register("shown", table_of(found, made.chosen[name]))
                connection.execute(f"create table published.{name} as select * from shown")
        return made

    def attack(self, made: Made, seed: int) -> Counter[str]:
        """What the attacks find in all of a release."""
        attacked = attack_release(made, MARTS, MEASURES, self.policy, 1, seed=seed, is_full=True)
        report, averaging = attacked.report, attacked.report.averaging
        return Counter(
            releases=1,
            small=report.bounds.cells,
            exact=max(report.bounds.exact, report.programs.exact),
            narrower=max(report.bounds.narrower, report.programs.narrower),
            misled=report.bounds.misled + report.programs.misled,
            narrower_for_an_insider=report.insider_gained,
            averaged=averaging.cells,
            guessed=round(averaging.small_by_sums * averaging.cells) if averaging.cells else 0,
            guessed_by_figure=round(max(averaging.small_by_figure, averaging.small_by_prior) * averaging.cells)
            if averaging.cells
            else 0,
            conclusions=report.attributes.groups,
            sure=report.attributes.sure,
        )


def shown(made: Made) -> list[object]:
    """All that readers see."""
    return [table_of(found, made.chosen[name]).to_pylist() for name, found in made.marts.items()]


def attacked(first: int, cities: int, seed: int, seconds: float) -> Iterator[Counter[str]]:
    """What the attacks on each city found; `first` is the number of the first."""
    begun = time.monotonic()
    for number in range(first, first + cities):
        if time.monotonic() - begun > seconds:
            return
        random = np.random.default_rng((seed, number))
        with tempfile.TemporaryDirectory() as folder:
            cases, merged = draw_city(random)
            city = City(Path(folder), merged, random.bytes(32))
            before = city.release(cases)
            one = int(random.integers(len(cases)))
            changed = replace(cases[one], sex="man" if cases[one].sex == "kvinna" else "kvinna")
            second = city.release([*cases[:one], changed, *cases[one + 1 :]])
            place = f"{cases[one].district}-{QUARTERS[1]}"
            third = city.release(many_changed(cases, place, 60, reason_code="skola", age_band="6-12"))
            found = city.attack(before, number) + city.attack(third, number)
            yield found + Counter(cities=1, one_record_shown=int(shown(before) != shown(second)))


def main() -> int:
    """Attack them and print the sums."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cities", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first city")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no city after these")
    given = parser.parse_args()
    found: Counter[str] = Counter()
    for number, one in enumerate(attacked(given.first, given.cities, given.seed, given.seconds), given.first):
        found.update(one)
        if broken := {name: one[name] for name in LIMITS if one[name]}:
            sys.stdout.write(f"city {number} of seed {given.seed}: {broken}\n")
        if found["cities"] % 25 == 0:
            so_far = ", ".join(f"{name} {count}" for name, count in found.items() if name != "cities")
            sys.stdout.write(f"{found['cities']} of {given.cities} cities: {so_far}\n")
        sys.stdout.flush()
    for name, count in found.items():
        sys.stdout.write(f"{name}: {count}\n")
    return int(any(found[name] for name in LIMITS))


if __name__ == "__main__":
    sys.exit(main())
