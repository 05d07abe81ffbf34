import numpy as np
import pytest
from cities_drawn import attacked, counts, records

from publish.attack.averaging import average, gain_at_least, score
from publish.attack.likelihood import Deviation, prior_of
from publish.cell_keys.ptable import make_ptable


def test_deviation_matrix_has_mean_0_and_no_small_counts():
    matrix = Deviation().matrix
    shown = np.arange(matrix.shape[1])
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(matrix @ shown, np.arange(len(matrix)), atol=1e-6)
    assert not matrix[:, 1:5].any()
    spread = (matrix * (shown - np.arange(len(matrix))[:, None]) ** 2).sum(axis=1)
    assert np.allclose(spread[1:5], [4, 6, 6, 4])  # the least: all at 0 and 5
    assert np.allclose(spread[5:], 2, atol=1e-6)
    assert matrix[3, 5] == pytest.approx(3 / 5)


def test_deviation_matrix_is_the_one_that_figures_are_drawn_from():
    """Worked out twice, by code that has nothing in common."""
    drawn_from = make_ptable(4, 7, 2.0).likelihood(60)
    assert np.abs(Deviation().matrix - drawn_from[:, : 60 + 8]).max() < 1e-6


def test_deviation_that_is_none_leaves_every_count():
    assert np.array_equal(Deviation(0, 0, 0.0).matrix, np.eye(61))


def test_deviation_matrix_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="mean 0 at 1"):
        _ = Deviation(js=4, most=2).matrix


def test_prior_is_learnt_from_published_counts():
    random, deviation = np.random.default_rng(1), Deviation()
    true = random.poisson(random.choice([0.2, 3.0, 20.0], 40_000))
    chances = np.cumsum(deviation.matrix[np.minimum(true, 60)], axis=1)
    published = (random.random((len(true), 1)) > chances).sum(axis=1)
    share = np.bincount(true, minlength=61)[:61] / len(true)
    assert np.abs(prior_of(published, deviation) - share)[:6].max() < 0.03


def found_in(seed, deviation, **city):
    true = counts(records(seed, **city))
    figures, system, counted = attacked(true, seed, deviation)
    small = np.flatnonzero((counted > 0) & (counted < 5))
    guesses = average(system, deviation, small, most_relations=1500)
    assert set(guesses.cells) == set(small)
    return score(guesses, counted[guesses.cells], 4), figures, system, counted


def test_average_of_unprotected_city_finds_every_count():
    found, *_ = found_in(1, Deviation(0, 0, 0.0))
    assert found.by_figure == found.by_sums == found.by_least_squares == 1.0


def test_average_of_drawn_city_finds_no_more_than_some():
    found, *_ = found_in(2, Deviation())
    assert found.cells > 500
    assert 0.3 < found.small_by_figure < 0.7
    assert found.small_by_sums < 0.75
    assert found.sure < 0.05 * found.cells


def test_average_bites_where_sums_have_no_deviation():
    """The same city and draws, but all figures that are cut by fewer than three dimensions are exact."""
    true = counts(records(3, size=30))
    _, system, counted = attacked(true, 3)
    cut_by = (system.cells.codes[:, 5:] > 0).sum(axis=1)
    small = np.flatnonzero((counted > 0) & (counted < 5) & (cut_by == 3))
    before = score(average(system, Deviation(), small, most_relations=1500), counted[small], 4)
    cells = system.cells
    figures = cells.figures
    figures.is_exact[:] = (figures.codes[:, 5:] > 0).sum(axis=1) < 3
    cells.published[cells.row >= 0] = np.where(cells.is_exact, counted, cells.published)[cells.row >= 0]
    guesses = average(system, Deviation(), small, most_relations=1500)
    after = score(guesses, counted[guesses.cells], 4)
    assert after.small_by_sums > before.small_by_sums + 0.15
    assert after.points > after.points_at_least > 15


def test_average_joins_earlier_draws():
    """Six draws of one count tell more than one, and the same draw six times no more."""
    true = counts(records(4, size=20))
    _, system, counted = attacked(true, 4)
    small = np.flatnonzero((counted > 0) & (counted < 5))
    random = np.random.default_rng(4)
    chances = np.cumsum(Deviation().matrix[counted[:, None].clip(0, 60)], axis=2)
    draws = (random.random((len(counted), 6, 1)) > chances).sum(axis=2)
    once = average(system, Deviation(), small, most_relations=1500)
    often = average(system, Deviation(), small, most_relations=1500, earlier=draws)
    gained = score(often, counted[often.cells], 4).small_by_figure - score(once, counted[once.cells], 4).small_by_figure
    assert gained > 0.1


def test_gain_counts_only_beyond_chance():
    def gain(won: int, lost: int, both: int, neither: int, of_a_block: int = 1) -> float:
        right = np.repeat([True, False, True, False], [won, lost, both, neither])
        otherwise = np.repeat([False, True, True, False], [won, lost, both, neither])
        return gain_at_least(right, otherwise, np.arange(len(right)) // of_a_block)

    # By hand, 100 blocks of one cell: the shares differ by 20 / 102. Squares around it: 40 (1 - .19608)^2 +
    # 20 (1 + .19608)^2 + 40 .19608^2 = 56.0015; times 100 / 99, and 1: the root 7.5875 / 102; Student 1.66039.
    assert gain(40, 20, 20, 20) == pytest.approx(0.19608 - 1.66039 * 7.5875 / 102, abs=1e-4)
    # Two cells to a block that are alike: as unsure as half as many cells.
    assert gain(40, 20, 20, 20, 2) == pytest.approx(
        0.19608 - 1.67655 * np.sqrt(2 * 56.0015 * 50 / 49 + 1) / 102, abs=1e-4
    )
    # Nine cells of which one more is guessed rightly are 11 points more, and prove nothing; of 900 they do.
    assert gain(3, 2, 2, 2) < 0 < 0.06 < gain(300, 200, 200, 200)
    assert gain(0, 0, 0, 0) < 0
    assert gain(0, 0, 500, 500) < 0.0
    assert gain(300, 200, 200, 200, 1000) < 0  # one block: as if one child were guessed
    # Where nothing is gained, 5 points are found in few of many draws, also where five cells go together.
    random = np.random.default_rng(1)
    for together in (1, 5):
        drawn = (np.repeat(random.random((2, 40)) < 0.45, together, axis=1) for _ in range(2000))
        found = [gain_at_least(*one, np.arange(40 * together) // together) > 0.05 for one in drawn]
        assert np.mean(found) < 0.03
