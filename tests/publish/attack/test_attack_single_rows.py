"""All of n, presence, attributes, durations: a planted leak is found, and a protected figure is not."""

import numpy as np
import pyarrow as pa
import pytest
from cities_drawn import exact, figure

from publish.attack import all_of_n, attributes, durations, presence
from publish.attack.durations import Durations, TrueDurations
from publish.attack.figures import Declared, Figures, NotFigures
from publish.attack.likelihood import Deviation
from publish.attack.relations import relations_of

Q1 = "2018Q1"


def cells_of(rows, **declared):
    return relations_of(
        Figures.from_table(pa.Table.from_pylist(rows)), Declared("stockholm", **declared), Deviation()
    ).cells


def true_of(cells, counts):
    """Of all cells, by the row of their figure."""
    return np.where(cells.row >= 0, np.array(counts)[cells.row], 0)


def test_all_of_n_is_found_and_marked_parts_are_not():
    rows = [figure("cases", "norr", Q1, 25), figure("cases", "norr", Q1, 25, reason="vald")]
    rows += [figure("cases", "soder", Q1, 25), figure("cases", "soder", Q1, 22, reason="vald", is_capped=True)]
    rows += [figure("cases", "vaster", Q1, 25), figure("cases", "vaster", Q1, 24, reason="vald")]
    cells = cells_of(rows, sensitive=frozenset({"reason"}))
    found = all_of_n.score(cells, true_of(cells, [24, 24, 25, 24, 26, 23]))
    assert (found.wholes, found.all_shown, found.all_true, found.capped) == (3, 1, 1, 1)
    assert found.capped_true_all == 0


def test_none_of_n_is_counted_by_part_of_measure():
    rows = [figure("concluded", "norr", Q1, 30), figure("offered", "norr", Q1, 0)]
    rows += [figure("concluded", "soder", Q1, 9), figure("offered", "soder", Q1, 9)]  # too few for a breakdown
    cells = cells_of(rows, parts=(("concluded", "offered"),))
    found = all_of_n.score(cells, true_of(cells, [31, 2, 8, 8]))
    assert (found.wholes, found.none_shown, found.none_true, found.all_shown) == (1, 1, 0, 0)


def test_presence_of_rows_of_zeros_is_disclosed():
    rows = [figure("cases", "norr", Q1, 20), figure("cases", "norr", Q1, 20, sex="man")]
    rows += [figure("cases", "norr", Q1, 0, sex="kvinna"), figure("offered", "norr", Q1, 0, sex="kvinna")]
    cells = cells_of(rows)
    found = presence.score(cells, true_of(cells, [20, 18, 2, 1]))
    assert (found.rows, found.rows_true, found.sure) == (2, 2, 1.0)
    cells = cells_of([*rows[:3], figure("offered", "norr", Q1, 5, sex="kvinna")])
    assert presence.score(cells, true_of(cells, [20, 18, 2, 1])).rows == 0


def known_child(part, *, is_capped=False, city=35):
    """Thirty girls in a unit, of whom all, or as many as published, have one reason."""
    girls = {"sex": "kvinna"}
    rows = [figure("cases", "norr", Q1, 30, **girls), figure("cases", "norr", Q1, part, reason="vald", **girls)]
    rows[-1]["is_capped"] = is_capped
    rows += [figure("cases", "norr", Q1, 30 - part, reason="skola", **girls)] if part < 26 else []
    rows += [figure("cases", "stockholm", Q1, 100, **girls)]
    rows += [figure("cases", "stockholm", Q1, city, reason="vald", **girls)]
    rows += [figure("cases", "stockholm", Q1, 100 - city, reason="skola", **girls)]
    cells = cells_of([*rows, figure("cases", "norr", Q1, 60)], sensitive=frozenset({"reason"}))
    claims = attributes.claims_of(cells, Deviation(), ("sex",), ("reason",))
    true = true_of(cells, [30, part, *([30 - part] if part < 26 else []), 100, city, 100 - city, 60])
    return attributes.score([(claim, true) for claim in claims], 0.9, 0.9)


def test_attribute_of_known_child_is_disclosed_where_all_have_it():
    found = known_child(30, city=75)
    assert found.sure == 1
    assert found.by_attribute == (("reason", 1),)
    assert found.surest > 0.9


def test_attribute_of_known_child_is_not_disclosed_where_half_have_it():
    found = known_child(15)
    assert (found.groups, found.sure) == (1, 0)


def test_attribute_that_the_city_tells_is_no_claim():
    assert known_child(30, city=95).sure == 0


def test_outcome_of_known_child_is_disclosed_where_nobody_has_it():
    rows = [figure("concluded", "norr", Q1, 200), figure("offered", "norr", Q1, 0)]
    rows += [figure("concluded", "stockholm", Q1, 1000), figure("offered", "stockholm", Q1, 300)]
    cells = cells_of(rows, parts=(("concluded", "offered"),))
    claims = attributes.claims_of(cells, Deviation(), ("sex",), ())
    found = attributes.score([(claim, true_of(cells, [200, 0, 1000, 300])) for claim in claims], 0.9, 0.9)
    assert (found.sure, found.right) == (1, 1.0)
    assert found.by_attribute == (("offered of concluded: no", 1),)


def test_mean_at_full_precision_tells_the_count_and_in_whole_days_does_not():
    published, count = np.array([12, 14, 30]), np.array([11, 13, 31])
    mean = np.array([500, 401, 999]) / count
    truth = TrueDurations(count)
    reported = durations.score(Durations(published, mean=mean), truth, Deviation())
    assert reported.count_by_mean == 3
    rounded = durations.score(Durations(published, mean=np.round(mean)), truth, Deviation())
    assert rounded.count_by_mean == 0
    assert rounded.least_count == 11


def test_median_between_two_days_halves_the_counts_left():
    rows = Durations(np.array([12, 12]), median=np.array([40.5, 40.0]))
    _, fits = durations.counts_left(rows, Deviation())
    assert fits.sum(axis=1).tolist() == [7, 15]


def test_grouped_median_at_full_precision_tells_who_is_in_its_band():
    """Of 11 there are 4 below 30 days and 3 in 30–60: median 30 + 30 · (5.5 − 4) / 3 = 45."""
    edges = (0.0, 30.0, 60.0, 90.0)
    left = durations.bands_left(Durations(np.array([11]), grouped_median=np.array([45.0]), edges=edges), Deviation())
    assert 3 in left[0]
    precise = 30 + 30 * (5.5 - 4) / 7  # 7 in the band: sevenths
    rows = Durations(np.array([11]), grouped_median=np.array([precise]), edges=edges)
    assert durations.bands_left(rows, Deviation()) == [{7}]
    # Of 7 there are 3 below and 3 in the band: at a sixth of it.
    rows = Durations(np.array([0]), grouped_median=np.array([30 + 30 * (3.5 - 3) / 3]), edges=edges)
    small = durations.score(rows, TrueDurations(np.array([7]), in_band=np.array([3])), Deviation())
    assert small.band_by_grouped_median == 1
    # To whole days of a band of 30 the same figure leaves more: 35 and 35.4 are one.
    rows = Durations(np.array([12, 12]), grouped_median=np.array([35.0, 41.0]), edges=edges)
    assert min(len(left) for left in durations.bands_left(rows, Deviation())) > 1


def test_sum_tells_the_largest_contribution_unless_it_is_perturbed():
    truth = TrueDurations(np.array([2, 1]), largest=np.array([40.0, 25.0]), second=np.array([3.0, 0.0]))
    rows = Durations(np.array([5, 5]), total=np.array([43.0, 25.0]))
    assert durations.score(rows, truth, Deviation()).largest_by_total == 2
    moved = Durations(np.array([5, 5]), total=np.array([43.0 + 30, 25.0 - 15]))
    assert durations.score(moved, truth, Deviation()).largest_by_total == 0


def test_figures_refuse_a_table_without_a_column():
    with pytest.raises(NotFigures, match="published"):
        Figures.from_table(pa.Table.from_pylist([exact("cases", "norr", Q1, 3)]).drop(["published"]))
    with pytest.raises(NotFigures, match="negative"):
        Figures.from_table(pa.Table.from_pylist([figure("cases", "norr", Q1, -3)]))
