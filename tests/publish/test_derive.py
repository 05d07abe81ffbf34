"""Rates, intervals and durations from published counts: worked by hand, at the edges, and how often they are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from publish.cell_keys.keys import CellKeys
from publish.cell_keys.ptable import PTable, make_ptable
from publish.derive.durations import published_means, published_quantiles, published_sums
from publish.derive.intervals import intervals
from publish.derive.rates import rates
from publish.policy import CellKeyPolicy, load_policy

POLICY = load_policy().cell_keys
TABLE = make_ptable(POLICY.js, POLICY.greatest_deviation, POLICY.variance)
SECRET = bytes(range(32))


# rates


def test_rate_is_the_published_part_of_the_published_whole() -> None:
    found = rates([10, 0, 25, 5], [40, 40, 20, 19], POLICY)
    assert found.rate[:3].tolist() == [0.25, 0.0, 1.0] and np.isnan(found.rate[3])
    assert found.part.tolist() == [10, 0, 20, 5]  # 25 of 20 is 20 of 20
    assert found.is_too_few.tolist() == [False, False, False, True] and not found.is_capped.any()


@pytest.mark.parametrize(
    ("part", "whole", "right", "is_capped"),
    [
        (20, 20, 14, True),  # 15 of 20 is 75 %; the largest count below is 14
        (15, 20, 14, True),
        (14, 20, 14, False),
        (40, 33, 24, True),  # cut to 33 first; 75 % of 33 is 24.75
        (24, 33, 24, False),  # 72.7 %
        (100, 100, 74, True),
        (0, 20, 0, False),
        (0, 0, 0, False),
        (6, 0, 0, False),
        (6, 6, 0, True),  # the largest below 75 % is 4, and no 4 is published
        (7, 7, 5, True),
    ],
)
def test_all_of_n_is_capped_where_it_is_sensitive(part: int, whole: int, right: int, is_capped: bool) -> None:
    found = rates([part, part], [whole, whole], POLICY, is_sensitive=[True, False])
    assert found.part.tolist() == [right, min(part, whole)]
    assert found.is_capped.tolist() == [is_capped, False]
    if is_capped and whole >= POLICY.too_few:
        assert found.rate[0] == 0.75  # minst 75 %


@given(st.integers(0, 400), st.integers(0, 400), st.booleans(), st.integers(51, 100))
def test_capping_tells_nothing_above_the_share_and_never_raises(
    part: int, whole: int, is_sensitive: bool, percent: int
) -> None:
    policy = POLICY.model_copy(update={"all_of_n_percent": percent})
    found = rates([part], [whole], policy, is_sensitive=is_sensitive)
    assert found.part[0] <= min(part, whole)
    assert found.part[0] == min(part, whole) or found.is_capped[0]
    if is_sensitive and whole:
        assert 100 * found.part[0] < percent * whole
        assert not found.is_capped[0] or not 1 <= found.part[0] <= POLICY.js


@pytest.mark.parametrize("part", [[-1], [1.5], [None], [np.nan], ["5"], [5, 5]])
def test_counts_that_are_none_are_refused(part: list[object]) -> None:
    with pytest.raises(ValueError, match=r"counts must be whole|as many parts"):
        rates(np.array(part), [20], POLICY)
    assert rates([], [], POLICY).rate.tolist() == []


# intervals


def test_interval_of_exact_counts_is_wilsons() -> None:
    # 10 of 40: (0.25 + z²/80 ± z √(0.25 · 0.75 / 40 + z²/6400)) / (1 + z²/40) with z² = 3.841459:
    # (0.298018 ± 1.959964 · √(0.0046875 + 0.00060023)) / 1.0960365 = (0.298018 ± 0.142520) / 1.0960365.
    found = intervals(rates([10], [40], POLICY), None)
    assert (found.low[0], found.high[0]) == pytest.approx((0.141873, 0.401938), abs=2e-6)


def test_interval_of_published_counts_has_the_deviations_in_it() -> None:
    # 10 of 40, both with variance 2. The square's factor: 1 + z²/40 - 2 z²/1600 = 1.0960365 - 0.0048018 = 1.0912347.
    # Half the middle one: 0.25 + z²/80 = 0.2980182. The last: 0.0625 - 2 z²/1600 = 0.0576982.
    # Root of 0.2980182² - 1.0912347 · 0.0576982 = 0.0888149 - 0.0629623 = 0.0258526: 0.1607874.
    found = intervals(rates([10], [40], POLICY), TABLE)
    assert (found.low[0], found.high[0]) == pytest.approx((0.125757, 0.420447), abs=2e-6)


def test_interval_of_a_published_0_reaches_over_what_may_be_behind_it() -> None:
    # Up to 7 can be published as 0: 7 of 40 is 0.175.
    found = intervals(rates([0, 0], [40, 12], POLICY), TABLE)
    assert found.low[0] == 0 and 0.175 < found.high[0] < 0.25
    assert np.isnan(found.low[1]) and np.isnan(found.high[1])


def test_capped_rate_s_interval_goes_up_to_1() -> None:
    found = rates([40, 35], [40, 40], POLICY, is_sensitive=True)
    limits = intervals(found, TABLE)
    assert limits.high.tolist()[0] == 1.0 and limits.low[0] == limits.low[1]  # 35 of 40 is what is below 90 %


@given(st.integers(0, 500), st.integers(5, 500), st.sampled_from([(4, 7, 2.0), (4, 7, 6.5), (2, 5, 3.0)]))
def test_interval_holds_the_rate_and_wilsons(part: int, whole: int, asked: tuple[int, int, float]) -> None:
    found = rates([part], [whole], POLICY.model_copy(update={"too_few": 5}))
    wide, plain = intervals(found, make_ptable(*asked)), intervals(found, None)
    assert 0 <= wide.low[0] <= plain.low[0] + 1e-12 <= found.rate[0] + 2e-12
    assert found.rate[0] <= plain.high[0] + 1e-12 <= wide.high[0] + 2e-12 <= 1 + 3e-12


def coverage(table: PTable, n: int, rate: float) -> tuple[float, float]:
    """How often the interval has the rate that drew the true counts, and the true counts' own rate: exactly, over
    every true part and every pair of figures that it and a whole of n can be published as."""
    likelihood, true = table.likelihood(n), np.arange(n + 1)
    figures = np.arange(likelihood.shape[1])
    shown = figures[(likelihood[n] > 0) & (figures >= POLICY.too_few)]
    of_whole = likelihood[n, shown] / likelihood[n, shown].sum()
    part, whole = (grid.ravel() for grid in np.meshgrid(figures, shown, indexing="ij"))
    limits = intervals(rates(part, whole, POLICY), table)
    of_both = binom.pmf(true, n, rate)[:, None] * likelihood  # true part × figure
    weights = of_both[:, :, None] * of_whole
    low, high = (limit.reshape(1, len(figures), len(shown)) for limit in (limits.low, limits.high))
    own = (true / n)[:, None, None]
    has_rate, has_own = (low <= rate) & (rate <= high), (low <= own) & (own <= high)
    return float((weights * has_rate).sum()), float((weights * has_own).sum())


@pytest.mark.parametrize("n", [20, 30, 60])
@pytest.mark.parametrize("variance", [2.0, 6.5])
def test_interval_has_the_true_rate_in_95_of_100(n: int, variance: float) -> None:
    found = np.array([coverage(make_ptable(4, 7, variance), n, rate) for rate in np.arange(0.02, 1, 0.04)])
    by_chance, own = found.T
    assert by_chance.mean() >= 0.95 and own.mean() >= 0.97
    assert by_chance.min() >= 0.94  # that of Wilson's of exact counts is 0.92


def test_interval_without_the_deviations_would_be_wrong() -> None:
    # Wilson's of the published counts, where a true 2 of 30 is published as 0 or 5: what the widening is for.
    n, rate, likelihood = 30, 0.07, TABLE.likelihood(30)
    figures = np.arange(likelihood.shape[1])
    plain = intervals(rates(figures, np.full(len(figures), n), POLICY), None)
    weights = binom.pmf(np.arange(n + 1), n, rate) @ likelihood
    assert weights[(plain.low <= rate) & (rate <= plain.high)].sum() < 0.7
    assert coverage(TABLE, n, rate)[0] > 0.95


# durations


def keys(n: int, measure: str = "start.mean_days") -> CellKeys:
    return CellKeys.of(measure, 5, np.arange(n, dtype=np.uint32))


def test_mean_is_shifted_by_half_to_all_of_the_largest_contribution() -> None:
    # 20 durations, 600 days in all, the farthest 40 days from the mean: 30 days ± 20 to 40 days / 20, that is 28 to 29
    # or 31 to 32 in whole days, never 30.
    cells = 2000
    found = published_means(*([value] * cells for value in (600, 20, 40, 21)), keys(cells), SECRET, minimum_n=10)
    assert set(found.days.tolist()) == {28, 29, 31, 32} and not found.is_too_few.any()
    assert abs((found.days < 30).mean() - 0.5) < 0.06  # five standard errors
    assert found.days.mean() == pytest.approx(30, abs=0.2)
    again = published_means([600], [20], [40], [21], keys(cells).take(np.array([7])), SECRET, minimum_n=10)
    assert again.days[0] == found.days[7]


def test_mean_of_too_few_is_null_and_never_negative() -> None:
    found = published_means(
        [600, 600, 0, 3, 9], [20, 20, 0, 12, 9], [40, 40, 0, 90, 0], [9, 0, 10, 10, 10], keys(5), SECRET, minimum_n=10
    )
    assert found.is_too_few.tolist() == [True, True, True, False, False]
    assert found.days[:3].tolist() == [0, 0, 0] and found.days.min() >= 0
    assert found.days[4] == 1  # all equal: nothing to shift


def test_quantiles_are_whole_steps_and_null_where_too_few() -> None:
    found = published_quantiles([30.4, 30.5, 12, np.nan, 2.5], [20, 25, 19, 40, 20], minimum_n=20)
    assert found.days.tolist() == [30, 31, 0, 0, 3]
    assert found.is_too_few.tolist() == [False, False, True, True, False]
    assert published_quantiles([32.4, 32.6], [20, 20], minimum_n=20, step_days=5).days.tolist() == [30, 35]


def test_sum_is_shifted_by_its_largest_contributor() -> None:
    cells = 500
    found = published_sums([100] * cells, [30] * cells, [12] * cells, keys(cells), SECRET)
    assert set(found.tolist()) <= {*range(70, 86), *range(115, 131)} and 85 < found.mean() < 115
    some = published_sums([100, 0, 1], [30, 0, 1], [0, 5, 5], keys(3), SECRET)
    assert some.tolist()[:2] == [0, 0] and some[2] in (0, 2)


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_values_that_can_t_be_are_refused(wrong: float) -> None:
    for given_values in ([[wrong], [5], [5]], [[5], [wrong], [5]], [[5], [5], [wrong]]):
        with pytest.raises(ValueError, match="0 or more, none missing"):
            published_sums(*given_values, keys(1), SECRET)
    with pytest.raises(ValueError, match="one for each cell"):
        published_quantiles([1.0], [20, 20], minimum_n=20)


# policy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"greatest_deviation": 4}, "above js"),
        ({"variance": 19}, "equally probable"),
        ({"variance": 0}, "variance"),
        ({"minimum_n": {"mean": 10}}, "minimum_n lacks grouped_median, kaplan_meier, median, p90"),
        ({"too_few": 4}, "too_few and minimum_n"),
        ({"js": 0}, "js"),
        ({"threshold": 5}, "threshold"),
    ],
)
def test_a_policy_that_can_t_hold_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CellKeyPolicy.model_validate({**POLICY.model_dump(), **change})
