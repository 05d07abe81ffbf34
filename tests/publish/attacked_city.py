"""An attack upon all releases of a city, judged by the truth: what holds, what the attacker found out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from attack_by_trying import sums_of, try_all
from attack_city import CATEGORIES, MERGED, NO_OFFER, SIDES, SUCCESSOR, City, Published, publish
from attacker import NEAR, Attack, Cells, Figure, Interval, Meaning, Target, Unknowns, read_figures
from numpy.typing import NDArray

from publish.policy import load_policy

BY_GROUP = {"reason_side": "reason", "reason_code": "reason", "intervention_category": "intervention"}


@dataclass
class Outcome:
    """What became of an attack."""

    seed: int
    releases: int = 0
    blocked: list[str] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    hidden: int = 0
    hidden_zero_rows: int = 0
    programs: int = 0
    integer_programs: int = 0
    systems_tried: int = 0
    more: list[str] = field(default_factory=list)
    """What an attacker finds out besides who knows which district and quarter was restated."""

    @property
    def narrowest(self) -> float:
        return min((i.width for i in self.intervals), default=float("inf"))


def meaning_of(city: City, published: Mapping[int, Published]) -> Meaning:
    """What anyone knows of a city's tables."""
    text = str(city.tables)
    sexes = ("kvinna", "man") if "'sex'" in text else ("",)
    ages = ("0-12", "13-17") if "'age_band'" in text else ("",)
    reasons = tuple(SIDES) if "'reason'" in text or "'reason_side'" in text else ("",)
    categories = CATEGORIES if "'intervention_category'" in text.split("'measures'")[1] else ("",)
    outcomes = [(NO_OFFER, False, False)]
    outcomes += [(category, True, accepted) for category in categories for accepted in (False, True)]
    timed = (False, True) if "timed" in city.tables["measures"] else (False,)
    groups = pd.DataFrame(
        [(*codes, *outcome, t) for *codes, outcome, t in itertools.product(sexes, ages, reasons, outcomes, timed)],
        columns=["sex", "age_band", "reason_code", "intervention_category", "offered", "accepted", "timed"],
    )
    groups = groups.assign(concluded=True, reason_side=groups["reason_code"].map(SIDES))
    units = {quarter: city.units(quarter) for quarter in sorted({close.quarter for close in city.closes})}
    merged = dict.fromkeys((*MERGED, SUCCESSOR), SUCCESSOR)
    today = {number: merged if release.close.is_merged else {} for number, release in published.items()}
    return Meaning(units, today, groups, city.tables)


class Truth:
    """How many there really are in each of the smallest groups; the attacker does not see it."""

    def __init__(
        self, meaning: Meaning, published: Mapping[int, Published], *, knows_what_is_restated: bool = False
    ) -> None:
        """`knows_what_is_restated`: which district and quarter; else everything may have been counted anew with it."""
        self.meaning = meaning
        counted: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
        self.versions: dict[int, dict[tuple[str, str], int]] = {}
        for number, release in published.items():
            of = self.versions[number] = {}
            before = {place: len(known) for place, known in counted.items()}
            for quarter, units in meaning.units.items():
                if quarter > release.close.quarter:
                    continue
                for unit in units:
                    here = release.close.cases
                    counts = self._count(here[(here["unit"] == unit) & (here["quarter"] == quarter)])
                    known = counted.setdefault((unit, quarter), [])
                    if not known or not np.array_equal(known[-1], counts):
                        known.append(counts)
                    of[unit, quarter] = len(known) - 1
            if not knows_what_is_restated and any(len(counted[place]) > n for place, n in before.items()):
                for place, n in before.items():
                    if len(counted[place]) == n:
                        counted[place].append(counted[place][-1])
                        of[place] = n
        self.unknowns = Unknowns(meaning, self.versions)
        self.values = np.zeros(len(self.unknowns), dtype=np.int64)
        for (unit, quarter, version), block in self.unknowns.blocks.items():
            start = block * self.unknowns.size
            self.values[start : start + self.unknowns.size] = counted[unit, quarter][version]

    def _count(self, cases: pd.DataFrame) -> NDArray[np.int64]:
        groups = self.meaning.groups
        told = pd.DataFrame({c: cases[c] for c in ("sex", "age_band", "reason_code", "intervention_category")})
        for column in ("sex", "age_band", "reason_code"):
            if (groups[column] == "").all():
                told[column] = ""
        if "" in set(groups["intervention_category"]):
            told.loc[cases["is_offered"], "intervention_category"] = ""
        told = told.assign(offered=cases["is_offered"], accepted=cases["is_accepted"], timed=cases["days"] >= 0)
        if not groups["timed"].any():
            told["timed"] = False
        counts = told.assign(n=cases["weight"]).groupby(list(told.columns))["n"].sum()
        index = pd.MultiIndex.from_frame(groups[list(told.columns)])
        found = counts.reindex(index).fillna(0).to_numpy(dtype=np.int64)
        assert found.sum() == cases["weight"].sum()
        return found

    def of(self, cells: Cells) -> int:
        return int(self.values[list(cells)].sum())


def attack_city(city: City, home: Path, *, is_whole: bool = False, is_told_more: bool = False) -> Outcome:
    """Release everything of a city, then attack all of it together; `is_told_more`: and once more, knowing which
    district and quarter was restated."""
    outcome = Outcome(city.seed)
    published: dict[int, Published] = {}
    for number, result in enumerate(publish(city, home, is_whole=is_whole), start=1):
        if isinstance(result, Published):
            published[number] = result
        else:
            outcome.blocked.append(result)
    outcome.releases = len(published)
    if not published:
        return outcome
    figures, wrong = read_figures({n: p.folder for n, p in published.items()}, city.tables)
    outcome.failures += wrong
    meaning = meaning_of(city, published)
    attack_figures(figures, Truth(meaning, published), outcome)
    if is_told_more:
        more = Outcome(city.seed)
        attack_figures(figures, Truth(meaning, published, knows_what_is_restated=True), more)
        outcome.more = more.failures
    return outcome


def attack_figures(figures: list[Figure], truth: Truth, outcome: Outcome) -> None:
    """Attack what has been read, and judge it."""
    attack = Attack()
    cells_of = {figure: truth.unknowns.of(figure) for figure in figures}
    targets: dict[tuple[Cells, Cells], Target] = {}
    versions: dict[tuple[Any, ...], dict[Cells, None]] = {}
    hidden: set[Cells] = set()
    for figure in figures:
        cells = cells_of[figure]
        value = truth.of(cells)
        if figure.value is None:
            hidden.add(cells)
            _add(targets, figure.name, cells, (), 1 <= value <= 4)
        else:
            attack.learn(cells, figure.value, figure.name)
            if figure.value != value:
                outcome.failures.append(f"{figure.name} is told as {figure.value} and is {value}")
        key = (figure.measure, figure.place, figure.division, figure.period, figure.codes)
        versions.setdefault(key, {})[cells] = None
    for same in versions.values():
        attack.same += [(a, b) for a, b in itertools.combinations(same, 2) if truth.of(a) == truth.of(b)]
    for name, plus, minus, value in _rests(figures, cells_of, truth):
        _add(targets, name, plus, minus, True) if value else None
    outcome.hidden += len(hidden)
    outcome.hidden_zero_rows += sum(truth.of(cells) == 0 for cells in hidden)
    outcome.failures += [f"{figure.name} is hidden and told" for figure in figures
                         if figure.value is None and cells_of[figure] in attack.known]  # fmt: skip
    single = {target.plus: target for target in targets.values() if not target.minus}
    tried, outcome.systems_tried = try_all(
        sums_of(figures, cells_of, truth.meaning.tables["parts"]), attack.known, single
    )
    solved = attack.run(list(targets.values()), len(truth.unknowns), outcome.seed)
    by_target = {interval.target: interval for interval in tried}
    for interval in solved:
        other = by_target.get(interval.target)
        if other and not (other.low - NEAR <= interval.low <= interval.high <= other.high + NEAR):
            outcome.failures.append(f"{interval.target.name}: trying and solving disagree")
    outcome.intervals += tried + solved
    outcome.programs += attack.programs
    outcome.integer_programs += attack.integer_programs
    outcome.failures += attack.contradictions
    for interval in outcome.intervals:
        if not interval.is_safe:
            t = interval.target
            value = truth.of(t.plus) - truth.of(t.minus)
            outcome.failures.append(f"{t.name} is {value}, and known to be {interval.low:g} to {interval.high:g}")


def _add(targets: dict[tuple[Cells, Cells], Target], name: str, plus: Cells, minus: Cells, must_cover: bool) -> None:
    before = targets.get((plus, minus))
    if before is None or (must_cover and not before.must_cover):
        targets[plus, minus] = Target(name, plus, minus, must_cover)


def _rests(
    figures: list[Figure], cells_of: Mapping[Figure, Cells], truth: Truth
) -> list[tuple[str, Cells, Cells, bool]]:
    """What a published pair tells besides: who is in the whole and not in the part; and rates of 0 % and 100 %."""
    found = []
    by_place: dict[tuple[Any, ...], dict[str, Figure]] = {}
    for figure in figures:
        key = (figure.release, figure.place, figure.division, figure.period, figure.codes)
        by_place.setdefault(key, {})[figure.measure] = figure
    group = set(load_policy().group_disclosure)
    for here in by_place.values():
        for pair in truth.meaning.tables["parts"]:
            if not pair.get("protects", True) or not {pair["whole"], pair["part"]} <= set(here):
                continue
            whole, part = here[pair["whole"]], here[pair["part"]]
            of_whole, of_part = truth.of(cells_of[whole]), truth.of(cells_of[part])
            rest = of_whole - of_part
            is_group = of_whole > 0 and any(BY_GROUP.get(column) in group for column, _ in whole.codes)
            inside = set(cells_of[part])
            cells = tuple(cell for cell in cells_of[whole] if cell not in inside)
            name = f"{whole.name}, those without {part.measure}"
            if 1 <= rest <= 4 or (is_group and rest == 0):
                found.append((name, cells, (), True))
            if is_group and of_part == 0:
                found.append((f"{part.name} (a rate of 0 %)", cells_of[part], (), True))
    return found
