"""The p-table: rows worked by hand, what every row must hold, and the tables that others' code applies as ours."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from cell_key_perturbation.create_perturbed_table import create_perturbed_table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from publish.cell_keys.ptable import LISTED, ONE, PTable, Row, make_ptable
from publish.policy import load_policy


def shares(table: PTable, true: int) -> dict[int, float]:
    """Published figure → probability."""
    row = table.row(true)
    return {true + d: w / ONE for d, w in zip(row.deviations, row.weights, strict=True)}


@pytest.fixture(scope="module")
def table() -> PTable:
    policy = load_policy().cell_keys
    return make_ptable(policy.js, policy.greatest_deviation, policy.variance)


@pytest.mark.parametrize(
    ("true", "right"),
    [
        # js 4: 0 and 5 are the figures next to a small count. Mean 0: true n is 5 with probability n / 5. The variance
        # is (0 - n)² (5 - n) / 5 + (5 - n)² n / 5 = n (5 - n): 4, 6, 6, 4. All are above V 2, so they are the least.
        (1, {0: 4 / 5, 5: 1 / 5}),
        (2, {0: 3 / 5, 5: 2 / 5}),
        (3, {0: 2 / 5, 5: 3 / 5}),
        (4, {0: 1 / 5, 5: 4 / 5}),
    ],
)
def test_small_counts_have_the_least_variance_that_is_possible(
    table: PTable, true: int, right: dict[int, float]
) -> None:
    assert shares(table, true) == pytest.approx(right)
    assert table.row(true).variance == pytest.approx(true * (5 - true))


def test_row_of_three_figures_is_the_one_that_mean_and_variance_allow() -> None:
    # js 1, D 2, true 1: the figures 0, 2, 3, the deviations -1, 1, 2, with probabilities a, b, c. V 1.3:
    # a + b + c = 1; -a + b + 2c = 0; a + b + 4c = 1.3. The third less the first: 3c = 0.3, c = 0.1.
    # The first less the second: 2a - c = 1, a = 0.55; b = 0.35.
    assert shares(make_ptable(1, 2, 1.3), 1) == pytest.approx({0: 0.55, 2: 0.35, 3: 0.1})


def test_row_of_greatest_entropy_is_as_worked_by_hand() -> None:
    # js 1, D 2, true 2: the figures 0, 2, 3, 4, the deviations -2, 0, 1, 2. Greatest entropy: p(d) ~ x^d y^(d²).
    # Take x = 1/2. Mean 0: -2 · 4 y⁴ + y / 2 + 2 y⁴ / 4 = 0, so 7.5 y³ = 1/2, y³ = 1/15, y = 0.405480, y⁴ = 0.0270320.
    # Up to a factor: p(-2) = 4 y⁴ = 0.108128, p(0) = 1, p(1) = y / 2 = 0.202740, p(2) = y⁴ / 4 = 0.006758.
    # Their sum is 1.317626. Divided by it: 0.082063, 0.758941, 0.153868, 0.005129.
    # The variance is 4 · 0.082063 + 0.153868 + 4 · 0.005129 = 0.502636: asked for, it gives these four back.
    row = shares(make_ptable(1, 2, 0.502636), 2)
    assert row == pytest.approx({0: 0.082063, 2: 0.758941, 3: 0.153868, 4: 0.005129}, abs=2e-6)


def test_row_of_a_large_count_is_even_about_it(table: PTable) -> None:
    # From js + D + 1 = 12 on nothing is forbidden: p(d) ~ y^(d²), p(d) = p(-d). With y = e^(-1/4) of the normal
    # distribution of variance 2: y = 0.778801, y⁴ = 0.367879, y⁹ = 0.105399, y¹⁶ = 0.018316, y²⁵ = 0.001930,
    # y³⁶ = 0.000123, y⁴⁹ = 0.000005. Sum: 1 + 2 · 1.272453 = 3.544906; p(0) = 0.282095, p(1) = 0.219696.
    row = shares(table, 12)
    assert [row[12], row[13], row[14], row[15]] == pytest.approx([0.282095, 0.219696, 0.103777, 0.029733], abs=2e-6)
    assert all(row[12 + d] == pytest.approx(row[12 - d]) for d in range(8))
    assert table.row(13) == table.row(12) == table.row(60) == table.row(10**6)


@pytest.mark.parametrize("true", [5, 6, 8])
def test_rows_have_the_greatest_entropy_by_another_solver(table: PTable, true: int) -> None:
    allowed = np.array([d for d in range(-7, 8) if true + d == 0 or true + d > 4], float)
    found = minimize(
        lambda p: float(np.sum(p * np.log(np.maximum(p, 1e-300)))),
        np.full(len(allowed), 1 / len(allowed)),
        jac=lambda p: np.log(np.maximum(p, 1e-300)) + 1,
        bounds=[(1e-12, 1)] * len(allowed),
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ allowed},
            {"type": "eq", "fun": lambda p: p @ allowed**2 - 2},
        ],
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    ours = shares(table, true)
    assert [ours.get(true + int(d), 0.0) for d in allowed] == pytest.approx(found.x.tolist(), abs=2e-4)


def test_table_is_the_same_on_every_machine(table: PTable) -> None:
    # Whole numbers of 2**-53, solved in decimal arithmetic: a machine that makes others would draw other figures.
    assert table.row(1) == Row((-1, 4), (7205759403792794, 1801439850948198))
    middle = (2540881615349902, 1978841583345589, 934739982370373, 267808159773565)
    assert table.row(12).weights[7:] == (*middle, 46538243257603, 4905116873852, 313575359207, 12158715356)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 100))
def test_every_row_holds_what_the_method_promises(js: int, beyond: int, percent: int) -> None:
    greatest = js + beyond
    asked = min(greatest * (greatest + 1) / 3, greatest * (greatest + 1) / 3 * percent / 100)
    made = make_ptable(js, greatest, asked)
    assert made.row(0) == Row((0,), (ONE,))
    for true in range(1, js + greatest + 3):
        row = made.row(true)
        figures = [true + d for d in row.deviations]
        assert sum(row.weights) == ONE and min(row.weights) > 0  # of whole numbers: exactly
        assert all(figure == 0 or figure > js for figure in figures)
        assert max(map(abs, row.deviations)) <= greatest
        off = sum(d * w for d, w in zip(row.deviations, row.weights, strict=True))
        if len(figures) > 2:
            assert off == 0
            _has_the_form_of_greatest_entropy(row)
        else:
            assert abs(off) <= row.deviations[1] - row.deviations[0]  # less than this many 2**-53: no weight is finer
        allowed = [d for d in range(-greatest, greatest + 1) if true + d == 0 or true + d > js]
        below, above = max(d for d in allowed if d <= 0), min(d for d in allowed if d >= 0)
        right = min(max(asked, -below * above), -min(allowed) * max(allowed))
        assert row.variance == pytest.approx(right, abs=1e-9)


def _has_the_form_of_greatest_entropy(row: Row) -> None:
    """The logarithm of a probability is a polynomial of the second degree in the deviation: any four agree on it."""
    heavy = [(d, math.log(w)) for d, w in zip(row.deviations, row.weights, strict=True) if w > 2**30]
    for four in zip(heavy, heavy[1:], heavy[2:], heavy[3:], strict=False):
        third = sum(y / math.prod(d - other for other, _ in four if other != d) for d, y in four)
        assert third == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("js", "greatest", "variance"), [(0, 5, 2), (4, 4, 2), (4, 7, 0), (4, 7, -1), (4, 7, 18.7), (4, 7, float("nan"))]
)
def test_a_table_that_can_t_be_is_refused(js: int, greatest: int, variance: float) -> None:
    with pytest.raises(ValueError, match="p-table needs"):
        make_ptable(js, greatest, variance)


def test_likelihood_and_list_say_what_is_drawn(table: PTable) -> None:
    matrix = table.likelihood(80)
    assert matrix.shape == (81, 88) and matrix.sum(axis=1).tolist() == [1.0] * 81
    assert not matrix[:, 1:5].any()
    assert {(t, p): share for t, p, share in table.listed()} == {
        (t, p): matrix[t, p] for t in range(LISTED + 1) for p in range(88) if matrix[t, p]
    }


def test_drawn_figures_follow_the_weights(table: PTable) -> None:
    for true in (1, 5, 7, 12, 200):
        row = table.row(true)
        ends = np.cumsum(np.array(row.weights, np.uint64))
        edges = np.concatenate([[0], ends[:-1], ends - np.uint64(1)]).astype(np.uint64)  # first and last of each
        drawn = table.drawn(np.full(len(edges), true), edges)
        assert (drawn - true).tolist() == [*row.deviations, *row.deviations]
    assert table.drawn(np.zeros(2, np.int64), np.array([0, ONE - 1], np.uint64)).tolist() == [0, 0]


def test_variance_of_a_figure_is_the_largest_that_can_be_behind_it(table: PTable) -> None:
    # 0 and 5 can be a true 2 or 3 (variance 6); 6 can't be a true 1 to 4 while these have two figures each.
    assert table.variances([0, 5, 6, 7, 12, 500]) == pytest.approx([6, 6, 2, 2, 2, 2])
    wide = make_ptable(4, 7, 6.5)
    assert wide.variances(range(30)) == pytest.approx([6.5] * 30)


def test_cell_key_perturbation_publishes_the_same_counts(table: PTable) -> None:
    # The package of the ONS takes a p-table by 256 keys and applies it to records. It makes none
    # itself, so what can be asked of both is this: cells that count the same records get the same figure.
    top, keys = 30, np.arange(256, dtype=np.uint64)
    listed = pd.DataFrame(
        {
            "pcv": np.repeat(np.arange(1, top + 1), 256),
            "ckey": np.tile(keys.astype(int), top),
            "pvalue": np.concatenate(
                [table.drawn(np.full(256, true), keys << np.uint64(45)) - true for true in range(1, top + 1)]
            ),
        }
    )
    drawn, sizes = np.random.default_rng(3), np.tile(np.arange(1, top + 1), 20)
    records = pd.DataFrame({"cell": np.repeat(np.arange(len(sizes)), sizes)})
    records["record_key"] = drawn.integers(0, 256, len(records))
    found = create_perturbed_table(
        data=records, ptable=listed, geog=[], tab_vars=["cell"], record_key="record_key", threshold=0
    )
    key_sums = records.groupby("cell")["record_key"].sum().to_numpy(np.uint64) % np.uint64(256)
    assert found["pre_sdc_count"].tolist() == sizes.tolist()
    assert found["count"].tolist() == table.drawn(sizes, key_sums << np.uint64(45)).tolist()
    assert found["count"].nunique() > 10
