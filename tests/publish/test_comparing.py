"""Comparing districts by published figures: hand-worked pages, exact tails, and cities that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from publish.cell_keys.ptable import UNIT_BITS, make_ptable
from publish.derive.comparing import Page, compare, ranks, sidak_z, simultaneous, spread_of
from publish.derive.durations import mean_deviations
from publish.derive.exact import Noise, count_deviations, row_variances
from publish.derive.grouped import mean_variance, median_variances
from publish.policy import load_policy

POLICY = load_policy().cell_keys
PTABLE = make_ptable(POLICY.js, POLICY.greatest_deviation, POLICY.variance)
V = POLICY.variance
DISTRICTS = 14


def of_shares(values: list[float], sizes: list[float], city: float, noise: Noise) -> Page:
    size = np.array(sizes, float)
    deviations = count_deviations(size, city, noise, is_share=True)
    return Page("andel", np.array(values), size, city, city * (1 - city), deviations, True, noise)


def per_1000(values: list[float], sizes: list[float], city: float, noise: Noise) -> Page:
    size = np.array(sizes, float)
    deviations = count_deviations(size, city, noise, is_share=False)
    return Page("per_1000", np.array(values), size, city, city, deviations, True, noise)


def test_a_small_page_worked_by_hand() -> None:
    # Four districts of 1,000, the city at 50 %. By chance 0.25 / 1000 = 0.00025; part and whole deviate by V = 2 each:
    # (2 + 0.5² · 2) / 1000² = 0.0000025. Together 0.0002525, so 45 and 55 % are ∓0.05 / 0.01589 = ∓3.1466 away.
    page = of_shares([0.45, 0.5, 0.5, 0.55], [1000.0] * 4, 0.5, Noise(PTABLE))
    assert V == 2 and page.chance == pytest.approx([0.0002525] * 4)
    # The 10th percentile of (−3.1466, 0, 0, 3.1466) is 0.3 of the way from the first to the second: −2.2026. So φ =
    # (2 · 2.2026² / 4) / 0.678677 = 3.5742. Weights 3960.4 each: Q = 2 · 0.05² · 3960.4 = 19.802,
    # Σw − Σw²/Σw = 11881.2. τ² = (19.802 − 3) / 11881.2 = 0.0014142; I² = 1 − 3 / 19.802 = 0.8485; √τ² / 0.5 = 0.07521.
    # What widens the limits: (4 · 3.5742 − 3) / 11881.2 = 0.00095082.
    spread = spread_of(page)
    assert spread.factor == pytest.approx(3.5742, abs=1e-4)
    assert spread.between == pytest.approx(0.0014142, abs=1e-7)
    assert spread.added == pytest.approx(0.00095082, abs=1e-7)
    assert (spread.beyond_chance, spread.variation) == pytest.approx((0.8485, 0.07521), abs=1e-5)
    found = compare(page)
    # √(0.0002525 + 0.00095082) = 0.034689 on each side, 1.96 and 3.09 times
    assert found.lines["funnel_low"] == pytest.approx([0.5 - 0.067989] * 4, abs=1e-5)
    assert found.lines["outer_funnel_high"] == pytest.approx([0.5 + 0.107197] * 4, abs=1e-5)
    # 55 % is 0.8485 of 5 points above the city without its noise
    assert found.without_noise == pytest.approx([0.457575, 0.5, 0.5, 0.542425])
    assert found.ranks.rank.tolist() == [4, 2, 2, 1]
    # ∓2.4909 · 0.0159 is ∓4 points: only the first is surely ahead of the last
    assert (found.ranks.low.tolist(), found.ranks.high.tolist()) == ([2, 1, 1, 1], [4, 4, 4, 3])
    # four districts leave one degree of freedom: Student's quantile of 0.01 / 4 is 254.6
    assert found.positions.tolist() == ["inom"] * 4


def test_low_is_better_where_it_is_and_three_districts_have_no_positions() -> None:
    page = replace(of_shares([0.1, 0.5, 0.9], [400.0] * 3, 0.5, Noise(PTABLE)), is_high_better=False)
    found = compare(page)
    assert found.ranks.rank.tolist() == [1, 2, 3] == found.ranks.low.tolist() == found.ranks.high.tolist()
    assert found.positions.tolist() == [None] * 3


def test_ranks_by_hand() -> None:
    # the first is surely ahead of the last only; the third has no interval
    found = ranks(np.array([9.0, 7, 5, 1]), np.array([6.0, 3, np.nan, 0]), np.array([12.0, 9, np.nan, 5]))
    assert found.rank.tolist() == [1, 2, 3, 4]
    assert found.low[[0, 1, 3]].tolist() == [1, 1, 2] and found.high[[0, 1, 3]].tolist() == [3, 4, 4]
    assert np.isnan(found.low[2]) and np.isnan(found.high[2])
    assert sidak_z(1) == pytest.approx(1.959964, abs=1e-6) and sidak_z(14) == pytest.approx(2.906317, abs=1e-6)


def test_small_counts_have_the_lines_of_the_binomial_and_poisson_where_counts_are_exact() -> None:
    # all like the city: 3 of 20, 18 of 20, 4 of a thousand inhabitants
    for page, law, size in (
        (of_shares([0.15] * 14, [20.0] * 14, 0.15, Noise()), stats.binom(20, 0.15), 20),
        (of_shares([0.9] * 14, [20.0] * 14, 0.9, Noise()), stats.binom(20, 0.9), 20),
        (per_1000([4.0] * 14, [1.0] * 14, 4.0, Noise()), stats.poisson(4), 1),
    ):
        found = compare(page)
        assert found.spread.factor == 1
        for name, high in (("funnel", 0.975), ("outer_funnel", 0.999)):
            around = stats.norm.ppf(high) * law.std() / size
            middle = law.mean() / size
            low_line = max(0, min(middle - around, law.ppf(1 - high) / size))
            high_line = max(middle + around, law.ppf(high) / size)
            assert found.lines[f"{name}_low"][0] == pytest.approx(low_line)
            assert found.lines[f"{name}_high"][0] == pytest.approx(high_line if size == 1 else min(1, high_line))


@pytest.mark.parametrize("expected", [1, 4, 12])
def test_the_chance_of_a_published_count_is_poissons_times_the_p_tables_row(expected: float) -> None:
    # P(k) = Σ Poisson(b) T[b, k]: the p-table as readers can compute it
    chances = stats.poisson(expected).pmf(np.arange(101)) @ PTABLE.likelihood(100)
    at_most = np.cumsum(chances)
    page = per_1000([expected] * 14, [1.0] * 14, float(expected), Noise(PTABLE))
    found = compare(page)
    error = page.chance[0] ** 0.5
    for name, outside in (("funnel", 0.05), ("outer_funnel", 0.002)):
        z = stats.norm.isf(outside / 2)
        low, high = int(np.argmax(at_most > outside / 2)), int(np.argmax(at_most >= 1 - outside / 2))
        assert found.lines[f"{name}_low"][0] == pytest.approx(max(0, min(expected - z * error, low)))
        assert found.lines[f"{name}_high"][0] == pytest.approx(max(expected + z * error, high))
    # the chance's own variance is near that of chance and of the rows around
    figures = np.arange(len(chances))
    variance = float(chances @ figures**2 - (chances @ figures) ** 2)
    assert variance == pytest.approx(page.chance[0], rel=0.25)


def test_the_lines_of_a_small_share_hold_what_is_published_of_it() -> None:
    rng = np.random.default_rng(4)
    for share, size, is_rest in ((0.1, 60, False), (0.95, 60, False), (0.9, 60, True)):
        own = 1 - share if is_rest else share
        part, whole = published(rng, rng.binomial(size, own, 20_000)), published(rng, np.full(20_000, size))
        values = np.minimum(part, whole) / whole
        values = 1 - values if is_rest else values
        found = compare(of_shares([share] * 14, [float(size)] * 14, share, Noise(PTABLE, is_rest=is_rest)))
        for name, outside in (("funnel", 0.05), ("outer_funnel", 0.002)):
            # of published sizes around 60 the lines move with the size: near enough
            low, high = found.lines[f"{name}_low"][0], found.lines[f"{name}_high"][0]
            assert np.mean((values < low - 1e-9) | (values > high + 1e-9)) <= 1.5 * outside, (share, name)


def test_waits_vary_as_their_bands_say() -> None:
    bands = np.array([10, 20, 10, 0, 0])
    # middles 3.5, 11, 22.5 and widths 8, 7, 16: Σ n (m² + w²/12) / 40 − mean², mean 12
    squares = 10 * (3.5**2 + 64 / 12) + 20 * (11**2 + 49 / 12) + 10 * (22.5**2 + 256 / 12)
    assert mean_variance(bands, 12.0) == pytest.approx(squares / 40 - 144)
    # two waits in the open band have the rest of the days: 42 · 20 − (35 + 220 + 225) = 360
    assert mean_variance(np.array([10, 20, 10, 0, 2]), 20.0) == pytest.approx((squares + 2 * 180**2) / 42 - 400)
    assert np.isnan(mean_variance(np.zeros(5, np.int64), 12.0))
    # the median is in the second band, 10 of its 20 below: 1 / (4 f²), f = 20 / 40 / 7.
    # Its own band does not move it then; the four others do by w / 2f each
    chance, moved = median_variances(bands, np.full(5, 2.0))
    assert chance == pytest.approx(1 / (4 * (20 / 40 / 7) ** 2))
    assert moved / 40**2 == pytest.approx(4 * 2 * (7 / (2 * 20)) ** 2)
    assert np.isnan(median_variances(np.array([0, 0, 0, 1, 9]), np.full(5, 2.0))).all()
    assert np.isnan(median_variances(np.zeros(5, np.int64), np.full(5, 2.0))).all()


def test_the_deviation_of_a_mean_is_at_most_what_its_shift_can_be() -> None:
    # of 25 waits with variance 400 the farthest is at most √24 · 20 days away; a shift's square is 7/12 of its square
    assert mean_deviations(400.0, 10.0, np.array([25.0]))[0] == pytest.approx(7 / 12 * 24 * 400 / 25**2 + 1 / 12)
    # all of them 30 days: the shift is of the mean itself
    assert mean_deviations(0.0, 30.0, np.array([25.0]))[0] == pytest.approx(7 / 12 * 900 / 25**2 + 1 / 12)


def test_a_wait_without_bands_has_ranks_and_nothing_else() -> None:
    nan = float("nan")
    page = Page("medel", np.array([30.0, 20, 40, 25]), np.full(4, 50.0), 28.0, nan, np.full(4, nan), False, Noise())
    found = compare(page)
    assert found.ranks.rank.tolist() == [3, 1, 4, 2]
    for column in (found.ranks.low, found.ranks.high, found.without_noise, *found.lines.values()):
        assert np.isnan(column).all()
    assert found.positions.tolist() == [None] * 4 and np.isnan(found.spread.factor)


def test_nobody_is_outside_of_what_nobody_has() -> None:
    found = compare(of_shares([0.0] * 5, [40.0] * 5, 0.0, Noise(PTABLE)))
    assert found.positions.tolist() == ["inom"] * 5
    assert (found.spread.factor, found.spread.added) == (1, 0)
    assert found.lines["outer_funnel_high"].tolist() == [0.0] * 5
    assert np.isnan(found.spread.between)


def published(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    uniforms = rng.integers(0, 1 << UNIT_BITS, counts.size, dtype=np.uint64)
    return PTABLE.drawn(np.asarray(counts, np.int64).ravel(), uniforms).reshape(counts.shape)


def shares_drawn(
    rng: np.random.Generator, shares: np.ndarray, number: int, pages: int, together: int = 1
) -> Iterator[Page]:
    """Pages of districts of unlike size, published; children come so many `together`."""
    sizes = np.maximum(30 // together + 4, np.round(number * np.linspace(0.3, 2, DISTRICTS) / together)).astype(int)
    for _ in range(pages):
        part, whole = together * rng.binomial(sizes, shares), together * sizes
        of_city = published(rng, np.array([part.sum(), whole.sum()]))
        parts, wholes = published(rng, part), published(rng, whole)
        city = float(of_city[0] / of_city[1])
        yield of_shares(list(np.minimum(parts, wholes) / wholes), list(wholes), city, Noise(PTABLE))


def counts_drawn(rng: np.random.Generator, expected: float, parts: int, pages: int) -> Iterator[Page]:
    """Pages of counts per 1,000, the sum of so many age bands, published."""
    sizes = np.linspace(0.3, 2, DISTRICTS)
    for _ in range(pages):
        true = rng.poisson(np.repeat((expected * sizes / parts)[:, None], parts, axis=1))
        city = published(rng, true.sum(axis=0)).sum() / sizes.sum()
        yield per_1000(list(published(rng, true).sum(axis=1) / sizes), list(sizes), float(city), Noise(PTABLE, parts))


def is_flagged(page: Page) -> np.ndarray:
    return np.isin(compare(page).positions, ("over", "under"))


def test_at_most_one_page_in_a_hundred_flags_districts_that_do_not_differ() -> None:
    rng = np.random.default_rng(61)
    alike = np.ones(DISTRICTS)
    pages = [
        *shares_drawn(rng, 0.5 * alike, 100, 60), *shares_drawn(rng, 0.2 * alike, 140, 60, together=2),
        *shares_drawn(rng, 0.05 * alike, 150, 60), *shares_drawn(rng, 0.97 * alike, 100, 60),
        *shares_drawn(rng, 0.6 * alike, 1000, 60), *counts_drawn(rng, 4, 1, 60), *counts_drawn(rng, 30, 5, 60),
        *counts_drawn(rng, 200, 1, 60),
    ]  # fmt: skip
    found = [is_flagged(page) for page in pages]
    assert len(pages) == 480
    # were the true share 1 %, more than this would be found in one of a thousand runs
    assert sum(one.any() for one in found) <= stats.binom.isf(0.001, len(pages), 0.01)


def test_a_district_that_differs_much_is_found_and_the_others_are_not() -> None:
    rng = np.random.default_rng(62)
    shares = np.where(np.arange(DISTRICTS) == 7, 0.65, 0.4)
    found = np.array([is_flagged(page) for page in shares_drawn(rng, shares, 400, 60)])
    assert found[:, 7].mean() >= 0.8
    assert np.delete(found, 7, axis=1).mean() <= 0.01


def test_ranks_intervals_hold_the_true_ranks_of_all_districts_and_tell_some_apart() -> None:
    rng = np.random.default_rng(63)
    held, widths = [], []
    for _ in range(200):
        shares = np.clip(rng.normal(0.4, 0.15, DISTRICTS), 0.05, 0.95)
        (page,) = shares_drawn(rng, shares, 400, 1)
        found, true = compare(page).ranks, stats.rankdata(-shares, "min")
        held.append(((found.low <= true) & (true <= found.high)).all())
        widths.append((found.high - found.low).mean())
    assert np.mean(held) >= 0.95
    assert np.mean(widths) < 8


def test_the_deviations_widen_everything_that_chance_does() -> None:
    sizes = [40.0, 60, 80, 50, 45]
    with_noise, without = (compare(of_shares([0.4] * 5, sizes, 0.4, noise)) for noise in (Noise(PTABLE), Noise()))
    for name in ("funnel", "outer_funnel"):
        wide, narrow = (one.lines[f"{name}_high"] - one.lines[f"{name}_low"] for one in (with_noise, without))
        assert (wide >= narrow - 1e-9).all() and wide.sum() > narrow.sum()
    values = np.array([0.3, 0.4, 0.5, 0.6, 0.35])
    pages = [of_shares(list(values), sizes, 0.44, noise) for noise in (Noise(PTABLE), Noise())]
    limits = [simultaneous(page) for page in pages]
    assert (limits[0].low < limits[1].low).all() and (limits[0].high > limits[1].high).all()
    spreads = [spread_of(page) for page in pages]
    assert spreads[0].between < spreads[1].between and spreads[0].factor < spreads[1].factor
    assert row_variances(PTABLE, np.array([0.0, 1, 2, 100])).tolist() == pytest.approx([0, 4, 6, V])
    assert row_variances(None, np.array([3.0])).tolist() == [0]
