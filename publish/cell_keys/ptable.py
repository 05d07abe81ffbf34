"""The p-table: with which probability a true count is published as which figure.

A row is the distribution of greatest entropy among those with mean deviation 0, the variance asked for, no deviation
beyond the greatest and no published figure of 1 to js (Marley and Leaver 2011; Giessing 2016). Where the variance asked
for can't be had, the row has the one nearest to it: below js + 1 that is the least possible, at two figures.

Probabilities are whole numbers of 2**-53. They are solved for in decimal arithmetic, whose results are defined to the
last digit, so that every machine makes the same table and draws the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

UNIT_BITS = 53
ONE = 1 << UNIT_BITS
"""The weight that is probability 1."""
LISTED = 60
"""The true counts whose rows are listed for readers; above it the deviations are those of the last row."""
_EXACT = Context(
    prec=60, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, traps=[InvalidOperation, DivisionByZero, Overflow]
)
_CLOSE = Decimal("1e-45")
_STEPS = 1000

Counts = npt.NDArray[np.int64]
Uniforms = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Row:
    """One true count's row.

    Attributes:
        deviations: published figure minus true count, ascending.
        weights: their probabilities in units of 2**-53, each above 0; the sum is 2**53.
    """

    deviations: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean deviation: exactly 0, but for a row of two figures, where it is below 2**-50."""
        return sum(d * w for d, w in zip(self.deviations, self.weights, strict=True)) / ONE

    @property
    def variance(self) -> float:
        """The variance of the deviation."""
        return sum(d * d * w for d, w in zip(self.deviations, self.weights, strict=True)) / ONE - self.mean**2


@dataclass(frozen=True)
class PTable:
    """A p-table, from `make_ptable`.

    Attributes:
        js: 1 to js are never published.
        greatest: the greatest deviation, D.
        rows: of the true counts 0, 1, … js + D + 1. Every larger count has the deviations of the last.
    """

    js: int
    greatest: int
    rows: tuple[Row, ...]

    def row(self, true: int) -> Row:
        """The row of a true count."""
        return self.rows[min(true, len(self.rows) - 1)]

    def listed(self) -> list[tuple[int, int, float]]:
        """The table as readers get it: true count (0 to 60), published figure, probability."""
        return [
            (true, true + deviation, weight / ONE)
            for true in range(LISTED + 1)
            for deviation, weight in zip(self.row(true).deviations, self.row(true).weights, strict=True)
        ]

    def drawn(self, counts: Counts, uniforms: Uniforms) -> Counts:
        """Published figures of true counts.

        Args:
            counts: n true counts, 0 or more.
            uniforms: n numbers from 0 to 2**53 − 1.

        Returns:
            n figures.
        """
        ends, deviations = self._flat
        rows = np.minimum(counts, len(self.rows) - 1).astype(np.uint64)
        found = np.searchsorted(ends, (rows << np.uint64(UNIT_BITS)) + uniforms, side="right")
        return counts + deviations[found]

    @cached_property
    def _flat(self) -> tuple[Uniforms, Counts]:
        """All rows end to end: where each figure's share of its row ends (row × 2**53 + sum of weights), and which
        deviation has it. So one search finds row and figure."""
        ends = np.concatenate(
            [
                (number << UNIT_BITS) + np.cumsum(np.array(row.weights, np.uint64))
                for number, row in enumerate(self.rows)
            ]
        )
        return ends.astype(np.uint64), np.array([d for row in self.rows for d in row.deviations], np.int64)

    def likelihood(self, top: int) -> npt.NDArray[np.float64]:
        """Probability of each published figure by true count, as anyone can compute it from the listed table.

        Args:
            top: the largest true count asked for.

        Returns:
            (top + 1) × (top + D + 1): row the true count, column the published figure.
        """
        matrix = np.zeros((top + 1, top + self.greatest + 1))
        for true in range(top + 1):
            row = self.row(true)
            matrix[true, np.array(row.deviations) + true] = np.array(row.weights) / ONE
        return matrix

    def variances(self, published: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The largest variance of the deviation among all true counts that can be published as each figure.

        Args:
            published: figures, 0 or more.

        Returns:
            As many variances. Of a figure that is never published, that of large counts.
        """
        figures = np.asarray(published, np.int64)
        return self._variance_by_figure[np.minimum(figures, len(self._variance_by_figure) - 1)]

    @cached_property
    def _variance_by_figure(self) -> npt.NDArray[np.float64]:
        top = len(self.rows) - 1 + self.greatest
        largest = np.full(top + 1, self.rows[-1].variance)
        for figure in range(top + 1):
            able = [
                self.row(true).variance
                for true in range(1, figure + self.greatest + 1)
                if figure - true in self.row(true).deviations
            ]
            largest[figure] = max(able, default=largest[figure])
        return largest


@lru_cache(maxsize=16)
def make_ptable(js: int, greatest: int, variance: float) -> PTable:
    """The p-table of a policy.

    Args:
        js: 1 to js are never published; 1 or more.
        greatest: D, the greatest deviation; above js, so that every count can become a smaller and a larger figure.
        variance: V, of the deviation; above 0 and at most that of equal probabilities, D (D + 1) / 3.

    Raises:
        ValueError: an argument is out of its range.
    """
    if js < 1 or greatest <= js or not 0 < variance <= greatest * (greatest + 1) / 3:
        raise ValueError("a p-table needs js of 1 or more, D above js, and V above 0 and at most D (D + 1) / 3")
    with localcontext(_EXACT):
        asked = Decimal(str(variance))
        rows = [Row((0,), (ONE,))]  # nobody stays nobody
        rows += [_row(true, js, greatest, asked) for true in range(1, js + greatest + 2)]
    return PTable(js, greatest, tuple(rows))


def _row(true: int, js: int, greatest: int, asked: Decimal) -> Row:
    allowed = [
        figure - true for figure in range(max(0, true - greatest), true + greatest + 1) if figure == 0 or figure > js
    ]
    below, above = max((d for d in allowed if d < 0), default=0), min((d for d in allowed if d > 0), default=0)
    if 0 not in allowed and asked <= -below * above:
        return _of_two(below, above)
    if asked >= -allowed[0] * allowed[-1]:
        return _of_two(allowed[0], allowed[-1])
    weights = _balanced(allowed, _greatest_entropy(allowed, asked))
    used = [(d, w) for d, w in zip(allowed, weights, strict=True) if w]
    return Row(tuple(d for d, _ in used), tuple(w for _, w in used))


def _of_two(below: int, above: int) -> Row:
    """Mean 0 at two deviations; nothing smaller than 2**-53 is there to make it more exact."""
    weight = (ONE * above + (above - below) // 2) // (above - below)
    return Row((below, above), (weight, ONE - weight))


def _greatest_entropy(deviations: Sequence[int], variance: Decimal) -> list[Decimal]:
    """Probabilities of greatest entropy with mean 0 and this variance, to some 45 digits.

    They are exp(a d + b d²) up to a factor; a and b are where log Σ exp(a d + b (d² − variance)) is least. It is
    convex: Newton's method with halved steps finds it.
    """
    first, second = [Decimal(d) for d in deviations], [d * d - variance for d in deviations]

    def weighed(a: Decimal, b: Decimal) -> tuple[list[Decimal], Decimal]:
        exponents = [a * d + b * s for d, s in zip(first, second, strict=True)]
        shift = max(exponents)
        raised = [(e - shift).exp() for e in exponents]
        total = sum(raised, Decimal(0))
        return [r / total for r in raised], shift + total.ln()

    a, b = Decimal(0), -1 / (2 * variance)
    shares, value = weighed(a, b)
    for _ in range(_STEPS):
        in_a = _mean(shares, first)
        in_b = _mean(shares, second)
        if abs(in_a) < _CLOSE and abs(in_b) < _CLOSE:
            return shares
        aa = _mean(shares, [d * d for d in first]) - in_a * in_a
        ab = _mean(shares, [d * s for d, s in zip(first, second, strict=True)]) - in_a * in_b
        bb = _mean(shares, [s * s for s in second]) - in_b * in_b
        determinant = aa * bb - ab * ab
        step_a, step_b = (bb * in_a - ab * in_b) / determinant, (aa * in_b - ab * in_a) / determinant
        promised, part = in_a * step_a + in_b * step_b, Decimal(1)
        tried = weighed(a - step_a, b - step_b)
        while promised > _CLOSE and tried[1] > value - part * promised / 4:
            part /= 2
            tried = weighed(a - part * step_a, b - part * step_b)
        a, b, (shares, value) = a - part * step_a, b - part * step_b, tried
    raise ArithmeticError("a row of the p-table can't be solved for: this variance is too near to what can't be had")


def _mean(shares: Sequence[Decimal], values: Sequence[Decimal]) -> Decimal:
    return sum((p * v for p, v in zip(shares, values, strict=True)), Decimal(0))


def _balanced(deviations: Sequence[int], shares: Sequence[Decimal]) -> list[int]:
    """Probabilities as whole numbers of units that sum to 2**53 and have mean 0, both exactly.

    What rounding leaves over is a few units; two neighbouring deviations can take up any remainder of sum and mean.
    """
    weights = [int((share * ONE).to_integral_value(ROUND_HALF_EVEN)) for share in shares]
    pairs = [at for at in range(len(weights) - 1) if deviations[at + 1] == deviations[at] + 1]
    at = max(pairs, key=lambda at: min(weights[at], weights[at + 1]))
    over = ONE - sum(weights)
    upper = -sum(d * w for d, w in zip(deviations, weights, strict=True)) - deviations[at] * over
    weights[at + 1] += upper
    weights[at] += over - upper
    return weights
