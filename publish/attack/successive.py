"""Two releases that differ by one record: what can be inferred of it from the figures that moved?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np

from publish.attack.averaging import normalised
from publish.attack.figures import FIXED, Figures, Floats
from publish.attack.likelihood import Deviation

Kind = Literal["added", "removed", "changed"]
FEW = 10
"""Figures up to this are apart where the share is estimated that is not drawn anew: they have fewer records behind."""


@dataclass(frozen=True)
class Trial:
    """A measure of a unit and period in two releases, and what really happened to one record (for scoring only)."""

    before: Figures
    after: Figures
    kind: Kind
    codes: Mapping[str, str | tuple[str, str]]
    """By dimension the record's code; of a changed record (before, after), of the dimensions that changed only."""


@dataclass(frozen=True)
class ChangesFound:
    """How often the record's code was inferred, by dimension."""

    trials: int
    by_dimension: tuple[tuple[str, int, float, float], ...]
    """(dimension, trials, share inferred rightly, share by chance: the likeliest code before)."""
    points: float
    """Percentage points over chance in the worst dimension, less what so few trials leave to luck."""


class _Shifts:
    """How much likelier a pair of figures is where the count behind it rose or fell by one.

    Some figures are the same twice because nothing in them was drawn anew, which says that their count has not changed;
    how many, is estimated from how many more are the same than by chance.
    """

    def __init__(self, deviation: Deviation) -> None:
        matrix = deviation.matrix
        prior = 1.0 / np.arange(1, len(matrix) + 1)
        same = (matrix * prior[:, None]).T @ matrix
        up = (matrix[:-1] * prior[:-1, None]).T @ matrix[1:]
        self.limit = deviation.top - deviation.most
        self.variance = 2.0 * max(deviation.variance, 0.01)
        self.of_shift = {0: normalised(same), 1: normalised(up), -1: normalised(up.T)}

    def chance(self, before: Floats, after: Floats, shift: int) -> Floats:
        """Of the second figure, given the first, where it is drawn anew."""
        first, second = before.astype(int), after.astype(int)
        large = np.maximum(first, second) >= self.limit
        exact = self.of_shift[shift][np.where(large, 0, first), np.where(large, 0, second)]
        normal = np.exp(-((after - before - shift) ** 2) / (2 * self.variance)) / np.sqrt(2 * np.pi * self.variance)
        chance: Floats = np.where(large, np.minimum(normal, 1.0), exact)
        return chance

    def ratio(self, before: Floats, after: Floats, shift: int, shares: tuple[float, float]) -> Floats:
        """Of each figure the likelihood with the shift over that without."""
        share = np.where(np.maximum(before, after) <= FEW, *shares)
        unmoved = (1.0 - share) * self.chance(before, after, 0) + share * (before == after)
        ratio: Floats = (self.chance(before, after, shift) + 1e-9) / (unmoved + 1e-9)
        return ratio

    def share_unmoved(self, before: Floats, after: Floats) -> tuple[float, float]:
        """The share of few, and of larger, figures that are not drawn anew."""
        found = []
        for is_few in (True, False):
            rows = ((np.maximum(before, after) <= FEW) == is_few) & (np.maximum(before, after) > 0)
            by_chance = self.chance(before[rows], before[rows], 0)
            more = (before[rows] == after[rows]).sum() - by_chance.sum()
            found.append(float(np.clip(more / max((1.0 - by_chance).sum(), 1e-9), 0.0, 0.999)) if rows.any() else 0.0)
        return found[0], found[1]


def infer(
    before: Figures, after: Figures, kind: Kind, dimension: str, deviation: Deviation
) -> tuple[str | tuple[str, str], str | tuple[str, str]]:
    """The record's likeliest code by what moved, and by chance: by the shares before it.

    Every figure cut by the dimension, alone or with one more, is evidence; which code the record has in the other
    dimension is not known.

    Args:
        before: figures that count the record in the first release: of its unit and period, perhaps also of the city
            and of the years. Each group of figures (measure, unit, division, period) is one more look.
        after: the same in the second.
        kind: what happened to the record.
        dimension: of the code that is guessed.
        deviation: the public parameters.
    """
    names, grids = _grids(before, after, dimension)
    shifts = _Shifts(deviation)
    all_before, all_after = (np.concatenate([grid[at].ravel() for grid in grids]) for at in (0, 1))
    unmoved = shifts.share_unmoved(all_before, all_after)
    alone = min((grid for grid in grids if grid[0].shape[1] == 1), key=lambda grid: grid[0].sum())
    share = alone[1 if kind == "added" else 0][:, 0] + 0.5

    def evidence(shift: int) -> Floats:
        total = np.zeros(len(names))
        for first, second in grids:
            weight = np.maximum(first, second) + 0.5
            ratio = shifts.ratio(first, second, shift, unmoved)
            total += np.log((weight / weight.sum(axis=1, keepdims=True) * ratio).sum(axis=1))
        return total

    chance = np.log(share / share.sum())
    if kind != "changed":
        belief = chance + evidence(1 if kind == "added" else -1)
        return names[int(belief.argmax())], names[int(chance.argmax())]
    came, went = evidence(1), evidence(-1)
    pairs = list(permutations(range(len(names)), 2))
    by_chance = [chance[old] + chance[new] for old, new in pairs]
    belief = np.array([given + went[old] + came[new] for given, (old, new) in zip(by_chance, pairs, strict=True)])
    inferred, guessed = pairs[int(belief.argmax())], pairs[int(np.argmax(by_chance))]
    return (names[inferred[0]], names[inferred[1]]), (names[guessed[0]], names[guessed[1]])


def _grids(before: Figures, after: Figures, dimension: str) -> tuple[list[str], list[tuple[Floats, Floats]]]:
    """The codes, and for the dimension alone and with each other one [code, other code] counts before and after."""
    found: set[str] = set()
    for figures in (before, after):
        codes = figures.codes[:, figures.column(dimension)]
        found |= {figures.names[figures.column(dimension)][code] for code in np.unique(codes[codes > 0])}
    names = sorted(found)
    grids = []
    for one, other_one in _groups(before, after):
        for other in (None, *(name for name in before.dimensions if name != dimension)):
            pair = [_grid(figures, dimension, other, names) for figures in (one, other_one)]
            labels = sorted(pair[0].keys() | pair[1].keys())
            if labels:
                grid = [np.stack([had.get(label, np.zeros(len(names))) for label in labels], axis=1) for had in pair]
                grids.append((grid[0], grid[1]))
    return names, grids


def _groups(before: Figures, after: Figures) -> list[tuple[Figures, Figures]]:
    """The figures of each measure, unit, division and period by themselves."""
    names = [
        [tuple(figures.names[place][code] for place, code in enumerate(row)) for row in figures.codes[:, :4]]
        for figures in (before, after)
    ]
    return [
        (
            before.take(np.array([one == group for one in names[0]])),
            after.take(np.array([one == group for one in names[1]])),
        )
        for group in sorted({*names[0], *names[1]})
    ]


def _grid(figures: Figures, dimension: str, other: str | None, names: list[str]) -> dict[str, Floats]:
    codes, place = figures.codes, figures.column(dimension)
    places = [place] if other is None else [place, figures.column(other)]
    rest = [at for at in range(len(FIXED), codes.shape[1]) if at not in places]
    rows = np.flatnonzero((codes[:, places] > 0).all(axis=1) & (codes[:, rest] == 0).all(axis=1))
    grid: dict[str, Floats] = {}
    number = {name: index for index, name in enumerate(names)}
    for row in rows:
        label = "" if other is None else figures.names[places[1]][codes[row, places[1]]]
        counts = grid.setdefault(label, np.zeros(len(names)))
        counts[number[figures.names[place][codes[row, place]]]] = figures.published[row]
    return grid


def score(trials: Sequence[Trial], deviation: Deviation) -> ChangesFound:
    """Guess the record of every trial, and hold the guesses against what really happened."""
    results: dict[str, list[tuple[bool, bool]]] = {}
    for trial in trials:
        for dimension, code in trial.codes.items():
            inferred, guessed = infer(trial.before, trial.after, trial.kind, dimension, deviation)
            results.setdefault(dimension, []).append((inferred == code, guessed == code))
    by_dimension, points = [], 0.0
    for dimension, pairs in sorted(results.items()):
        right, chance = np.array(pairs, dtype=float).T
        luck = 1.64 * float((right - chance).std()) / np.sqrt(len(pairs))
        points = max(points, 100.0 * (float((right - chance).mean()) - luck))
        by_dimension.append((dimension, len(pairs), float(right.mean()), float(chance.mean())))
    return ChangesFound(len(trials), tuple(by_dimension), points)
