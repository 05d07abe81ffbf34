"""P(published | true) as an outsider works it out from the public parameters of the deviation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import poisson

from publish.attack.figures import Counts, Floats


@dataclass(frozen=True)
class Deviation:
    """The public parameters: no published count from 1 to `js`, no deviation above `most`, mean 0, 0 stays 0."""

    js: int = 4
    most: int = 7
    variance: float = 2.0
    """From js + 1 up; below that the least that is possible, where it is more."""

    @property
    def matrix(self) -> Floats:
        """[true, published]: rows for 0 to `top`, each of maximal entropy; columns 0 to top + most."""
        return _matrix_of(self)

    @property
    def top(self) -> int:
        """The largest count with a row of its own; of larger ones the deviation is distributed like this one's."""
        return 60

    def low(self, published: Counts) -> Counts:
        """The least true count that can be published so."""
        return np.where(published == 0, 0, np.maximum(published - self.most, 1))

    def high(self, published: Counts) -> Counts:
        """The largest."""
        return published + self.most

    def _row(self, true: int) -> tuple[NDArray[np.intp], Floats]:
        support = np.array(
            [count for count in range(max(true - self.most, 0), true + self.most + 1) if count == 0 or count > self.js]
        )
        away = (support - true).astype(float)
        if not (away.min() <= 0 <= away.max()):
            raise ValueError(f"no deviation of at most {self.most} has mean 0 at {true}")
        below, above = away[away <= 0].max(), away[away >= 0].min()
        if -below * above >= self.variance - 1e-9:  # no more variance than of the two nearest
            chance = np.where(away == above, -below, 0.0) + np.where(away == below, above, 0.0)
            return support, chance / chance.sum() if chance.any() else (away == 0).astype(float)

        def weights(slope: float, curve: float) -> Floats:
            exponent = slope * away - curve * away**2
            weight = np.exp(exponent - exponent.max())
            chances: Floats = weight / weight.sum()
            return chances

        def balanced(curve: float) -> Floats:
            slope = float(brentq(lambda slope: float(weights(slope, curve) @ away), -400.0, 400.0))
            return weights(slope, curve)

        def excess(curve: float) -> float:
            return float(balanced(curve) @ away**2) - self.variance

        try:
            return support, balanced(brentq(excess, -1.0, 12.0, xtol=1e-10))
        except ValueError as error:
            raise ValueError(f"no deviation of at most {self.most} has variance {self.variance} at {true}") from error

    def of(self, published: Counts) -> Floats:
        """[figure, true 0 … top]: the likelihood of each true count; for figures above top, of the last offset."""
        return self.matrix[:, np.minimum(published, self.matrix.shape[1] - 1)].T

    def at_least(self, published: Counts) -> Floats:
        """The same where it is only known that the figure was at least this."""
        return np.cumsum(self.matrix[:, ::-1], axis=1)[:, ::-1][:, np.minimum(published, self.matrix.shape[1] - 1)].T


@lru_cache(maxsize=8)
def _matrix_of(deviation: Deviation) -> Floats:
    matrix = np.zeros((deviation.top + 1, deviation.top + deviation.most + 1))
    matrix[0, 0] = 1.0
    for true in range(1, deviation.top + 1):
        support, chance = deviation._row(true)
        matrix[true, support] = chance
    matrix.flags.writeable = False  # it is shared
    return matrix


def prior_of(published: Counts, deviation: Deviation, steps: int = 200) -> Floats:
    """The distribution of true counts 0 … top behind many published ones, by expectation and maximisation.

    Counts are taken for Poisson counts of groups of many sizes, so small ones are the commoner the smaller they are.
    Figures above the top do not take part. The prior is what an attacker has who knows only the figures.
    """
    counts = np.arange(deviation.top + 1)
    sizes = np.concatenate([[1e-3], np.geomspace(0.02, deviation.top, 60)])
    of_size = poisson.pmf(counts, sizes[:, None])
    matrix = of_size @ deviation.matrix
    usable = published[published < deviation.top - deviation.most]
    seen = np.bincount(usable, minlength=matrix.shape[1])[: matrix.shape[1]].astype(float)
    share = np.full(len(sizes), 1.0 / len(sizes))
    for _ in range(steps if seen.sum() else 0):
        expected = share @ matrix
        share = share * (matrix @ np.divide(seen, expected, out=np.zeros_like(seen), where=expected > 0))
        share /= share.sum()
    mixed = share @ of_size
    prior: Floats = mixed / mixed.sum()
    return prior
