"""What follows by averaging: the deviations of many sums cancel, so what is the likeliest true count?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.sparse import csr_matrix
from scipy.stats import t as student

from publish.attack.cells import UNKNOWN, Rows
from publish.attack.figures import FIXED, Counts, Flags, Floats
from publish.attack.likelihood import Deviation, prior_of
from publish.attack.relations import KINDS, System

FREE = 1e6
"""The variance of a count of which nothing is published."""
RIDGE = 1e-6
SURE = 0.95
"""Of the bound of what is gained."""


@dataclass(frozen=True)
class Beliefs:
    """What each figure by itself tells of its cell: [cell, true 0 … top], and mean and variance."""

    prior: Floats
    """[class, true]: how common each count is among figures of that kind, learnt from the published ones."""
    kind: Rows
    """Of each cell, its class."""
    mean: Floats
    variance: Floats


def beliefs_of(system: System, deviation: Deviation) -> Beliefs:
    """The prior of each kind of cell (city or unit, quarter or longer, how many dimensions cut by), and what its own
    figure adds to it."""
    cells = system.cells
    figures = cells.figures
    codes = cells.codes
    longer = np.array([not name.startswith("kvartal") for name in figures.names[figures.column("period")]] or [False])
    is_city = codes[:, figures.column("unit")] == figures.code("unit", cells.declared.city)
    cut_by = np.minimum((codes[:, len(FIXED) :] > 0).sum(axis=1), 3)
    kind = (cut_by * 4 + is_city * 2 + longer[codes[:, figures.column("period")]]).astype(np.intp)
    mean, variance = cells.published.astype(float), np.full(len(cells), deviation.variance)
    prior = np.zeros((16, deviation.top + 1))
    for one in np.unique(kind):
        rows = np.flatnonzero((kind == one) & (cells.published != UNKNOWN))
        prior[one] = prior_of(cells.published[rows], deviation)
        near = rows[cells.published[rows] < deviation.top - deviation.most]
        shown, back = np.unique(cells.published[near], return_inverse=True)
        chance = normalised(deviation.of(shown) * prior[one])
        counts = np.arange(deviation.top + 1)
        middle = chance @ counts
        mean[near], variance[near] = middle[back], (chance @ counts**2 - middle**2)[back]
        hidden = rows[system.covered[rows]]  # the figure says no more than that there are no more than this
        few, chance = (
            counts[: deviation.most + 1],
            prior[one, : deviation.most + 1] / prior[one, : deviation.most + 1].sum(),
        )
        mean[hidden], variance[hidden] = chance @ few, chance @ few**2 - (chance @ few) ** 2
    mean[cells.published == UNKNOWN], variance[cells.published == UNKNOWN] = 0.0, FREE
    exact = cells.is_exact
    mean[exact], variance[exact] = cells.published[exact], RIDGE
    return Beliefs(prior, kind, mean, np.maximum(variance, RIDGE))


def normalised(chance: Floats) -> Floats:
    """Rows that sum to 1; a row of zeros stays."""
    total = chance.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(chance, total, out=np.zeros_like(chance), where=total > 0)
    return shares


@dataclass(frozen=True)
class Guesses:
    """Guesses of some cells' true counts by an attacker who knows more or less; `small_by_…` knows that it is small."""

    cells: Rows
    block: Rows
    """Of each its unit and period, and sample."""
    by_prior: Counts
    by_figure: Counts
    by_least_squares: Counts
    """Without a prior, and knowing that it is not 0."""
    by_sums: Counts
    sure: Floats
    """How likely the attacker holds the guess by all sums."""
    small_by_prior: Counts
    small_by_figure: Counts
    small_by_sums: Counts


def average(
    system: System,
    deviation: Deviation,
    cells: Rows,
    *,
    most_relations: int,
    most_groups: int | None = None,
    until: float | None = None,
    earlier: Counts | None = None,
    small: int = 4,
) -> Guesses:
    """Guess true counts from each cell's prior, its own figure, and what all sums around it leave.

    Block by block (a measure, unit and period) the sums are a linear system: what it says of a cell apart from the
    cell's own figure is joined with the exact likelihood of that figure and the prior.

    Args:
        system: all cells and relations.
        deviation: the public parameters.
        cells: those to guess; their blocks are worked on in this order until time is up.
        most_relations: the size of a block. Sums over periods, divisions and units take part as far as it allows.
        most_groups: of measure, unit and period; None for all.
        until: `time.monotonic()` at which to stop.
        small: counts from 1 to this are small, and `small_by_…` knows it of each cell.
        earlier: [cell, draw] published counts of the same cells in earlier releases that were drawn anew; −1 for none.
    """
    sums, beliefs = system.equalities, beliefs_of(system, deviation)
    shown = np.maximum(system.cells.published, 0).astype(float)
    plain = np.where(shown <= deviation.js + deviation.most / 2, deviation.js + 1.0, deviation.variance)
    plain[system.cells.published == UNKNOWN] = FREE
    plain[system.cells.is_exact] = RIDGE
    groups = system.cells.groups()
    wanted = groups[cells]
    _, first = np.unique(wanted, return_index=True)
    done: list[tuple[Rows, Floats, Floats, Floats]] = []
    for group in wanted[np.sort(first)][:most_groups]:
        if until is not None and time.monotonic() > until:
            break
        asked = cells[wanted == group]
        relations = _around(sums, np.flatnonzero(groups == group), most_relations)
        if not len(relations):
            continue
        block = _Block(sums, relations)
        asked = asked[np.isin(asked, block.cells)]
        fitted = block.fit(shown, plain)[block.place(asked)]
        done.append((asked, *block.others(beliefs.mean, beliefs.variance, asked), fitted))
    none = np.zeros(0)
    found, middle, variance, fitted = (
        np.concatenate(parts) for parts in (zip(*done, strict=True) if done else ((none,),) * 4)
    )
    return _guess(system, deviation, beliefs, found.astype(np.intp), (middle, variance, fitted), earlier, small)


def _around(sums: System, members: Rows, most: int) -> Rows:
    """The sums that some cells are in: as many kinds of them as are together few enough."""
    near = np.unique(sums.by_cell[members].indices).astype(np.intp)
    chosen = near[:0]
    for kinds in (("sum", "draw"), ("division",), ("flow",), ("period",), ("city",)):
        more = near[np.isin(sums.kind[near], [KINDS.index(kind) for kind in kinds])]
        if len(chosen) and len(chosen) + len(more) > most:
            continue
        chosen = np.concatenate([chosen, more])
    return chosen


class _Block:
    """Some sums, and the cells in them."""

    def __init__(self, sums: System, relations: Rows) -> None:
        part = sums.matrix[relations]
        self.cells = np.unique(part.indices)
        self.matrix, self.constant = part[:, self.cells].tocsr(), sums.lower[relations]

    def place(self, cells: Rows) -> Rows:
        """Where in the block some of its cells are."""
        return np.searchsorted(self.cells, cells)

    def _solve(self, mean: Floats, variance: Floats) -> tuple[csr_matrix, Floats, Floats]:
        weighted = self.matrix.multiply(variance[None, :]).tocsr()
        joint = (weighted @ self.matrix.T).toarray()
        joint[np.diag_indices_from(joint)] *= 1 + RIDGE
        joint[np.diag_indices_from(joint)] += RIDGE
        factor = cho_factor(joint, lower=True, overwrite_a=True, check_finite=False)
        shift = cho_solve(factor, self.matrix @ mean - self.constant, check_finite=False)
        return weighted, factor[0], mean - weighted.T @ shift

    def fit(self, mean: Floats, variance: Floats) -> Floats:
        """Of all its cells the counts that satisfy the sums and are nearest to `mean`."""
        return self._solve(mean[self.cells], variance[self.cells])[2]

    def others(self, mean: Floats, variance: Floats, asked: Rows) -> tuple[Floats, Floats]:
        """Mean and variance of each asked cell as the others tell it."""
        weighted, factor, fitted = self._solve(mean[self.cells], variance[self.cells])
        place = self.place(asked)
        half = solve_triangular(factor, weighted[:, place].toarray(), lower=True, check_finite=False)
        own, own_variance = mean[asked], variance[asked]
        left = np.clip(1.0 - (half**2).sum(axis=0) / own_variance, 1e-6, 1.0 - 1e-6)
        return (fitted[place] - left * own) / (1.0 - left), own_variance * left / (1.0 - left)


def _guess(
    system: System,
    deviation: Deviation,
    beliefs: Beliefs,
    cells: Rows,
    others: tuple[Floats, Floats, Floats],
    earlier: Counts | None,
    small: int,
) -> Guesses:
    middle, variance, fitted = others
    shown = np.maximum(system.cells.published[cells], 0)
    counts = np.arange(deviation.top + 1)
    prior = beliefs.prior[beliefs.kind[cells]]
    likelihood = np.where(system.cells.is_capped[cells][:, None], deviation.at_least(shown + 1), deviation.of(shown))
    for draw in earlier[cells].T if earlier is not None and len(cells) else ():
        likelihood = likelihood * np.where((draw >= 0)[:, None], deviation.of(np.maximum(draw, 0)), 1.0)
    likelihood[system.covered[cells]] = counts <= deviation.most
    exact = system.cells.is_exact[cells]
    likelihood[exact] = counts == np.minimum(shown[exact], deviation.top)[:, None]
    own = normalised(prior * likelihood)
    away = -0.5 * (counts - middle[:, None]) ** 2 / np.maximum(variance, RIDGE)[:, None]
    joint = normalised(prior * likelihood * np.exp(away - away.max(axis=1, keepdims=True, initial=-np.inf)))
    joint = np.where(joint.sum(axis=1, keepdims=True) > 0, joint, own)
    is_small = (counts > 0) & (counts <= small)
    return Guesses(
        cells,
        system.cells.blocks()[cells],
        prior.argmax(axis=1),
        own.argmax(axis=1),
        np.maximum(np.rint(fitted), 1).astype(np.int64),
        joint.argmax(axis=1),
        joint.max(axis=1, initial=0.0),
        *(np.where(is_small, chance, -1.0).argmax(axis=1) for chance in (prior, own, joint)),
    )


def joined(parts: Sequence[Guesses]) -> Guesses:
    """The guesses of several samples as one; no block is of two samples."""
    columns = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts] or [np.zeros(0)])
        for one in fields(Guesses)
    }
    sample = np.repeat(np.arange(len(parts)), [len(part.cells) for part in parts])
    columns["block"] = sample * (int(columns["block"].max(initial=0)) + 1) + columns["block"].astype(np.intp)
    return Guesses(**columns)


@dataclass(frozen=True)
class AveragingFound:
    """Shares of true small counts that are guessed exactly."""

    cells: int
    by_prior: float
    by_figure: float
    by_least_squares: float
    by_sums: float
    small_by_prior: float
    small_by_figure: float
    small_by_sums: float
    sure: int
    """Guesses of small counts that the attacker holds for likelier than 90 %, …"""
    sure_right: int
    """… and those of them that are right."""
    points_at_least: float
    """What of `points` is beyond chance: its lower confidence bound, one-sided 95 %, by blocks of cells."""

    @property
    def points(self) -> float:
        """Percentage points over the better of prior and own figure, whether it knows that it is small or not."""
        plain = self.by_sums - max(self.by_prior, self.by_figure)
        knowing = max(self.small_by_sums, self.by_least_squares) - max(self.small_by_prior, self.small_by_figure)
        return 100.0 * max(plain, knowing)


def score(guesses: Guesses, true: Counts, small: int = 4) -> AveragingFound:
    """Hold guesses against the truth of the same cells."""

    def share(right: Flags) -> float:
        return float(right.mean()) if len(true) else 0.0

    prior, figure, squares, sums, small_prior, small_figure, small_sums = (
        guess == true
        for guess in (
            guesses.by_prior,
            guesses.by_figure,
            guesses.by_least_squares,
            guesses.by_sums,
            guesses.small_by_prior,
            guesses.small_by_figure,
            guesses.small_by_sums,
        )
    )
    better, small_better = max(prior, figure, key=share), max(small_prior, small_figure, key=share)
    pairs = ((sums, better), (squares, small_better), (small_sums, small_better))
    gains = [gain_at_least(*pair, guesses.block) for pair in pairs]
    sure = (guesses.sure > 0.9) & (guesses.by_sums > 0) & (guesses.by_sums <= small)
    return AveragingFound(
        len(true),
        share(prior),
        share(figure),
        share(squares),
        share(sums),
        share(small_prior),
        share(small_figure),
        share(small_sums),
        int(sure.sum()),
        int(sums[sure].sum()),
        100.0 * max(gains),
    )


def gain_at_least(right: Flags, otherwise: Flags, block: Rows) -> float:
    """How much oftener one guess is right than another, at least: a one-sided 95 % bound of the difference of shares.

    Cells of a block may count the same few children and have the same deviations: by themselves they prove no more than
    one. So the error is that of the blocks' sums (Liang and Zeger, Biometrika 73, 1986), with Student's quantile for
    their number; of one block nothing follows. A pair is added, half of it won and half lost (Agresti and Min,
    Statistics in Medicine 24, 2005), so that a few cells prove nothing.
    """
    _, place = np.unique(block, return_inverse=True)
    blocks, pairs = int(place.max(initial=-1)) + 1, len(right) + 2
    if blocks < 2:
        return -1.0
    difference = right.astype(float) - otherwise
    gain = difference.sum() / pairs
    of_block = np.bincount(place, difference) - gain * np.bincount(place)
    variance = (of_block**2).sum() * blocks / (blocks - 1) + 1.0
    return float(gain - student.ppf(SURE, blocks - 1) * np.sqrt(variance) / pairs)
