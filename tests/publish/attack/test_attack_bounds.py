"""A leak is planted in each relation: the attacker must find it."""

import numpy as np
import pytest
from cities_drawn import attacked, cell, counts, drawn, exact, figure, interval, records, release, truth

from publish.attack.bounds import bound, score, spread
from publish.attack.figures import FIXED, Declared, Figures, Flow, PublishedTable
from publish.attack.likelihood import Deviation
from publish.attack.relations import relations_of

Q1, Q2, Q3, Q4 = "2018Q1", "2018Q2", "2018Q3", "2018Q4"


def test_interval_of_figure_alone_is_the_range_of_the_deviation():
    assert interval([figure("cases", "norr", Q1, 5)], cell("cases", "norr", Q1)) == (1, 12)
    assert interval([figure("cases", "norr", Q1, 0)], cell("cases", "norr", Q1)) == (0, 7)
    assert interval([figure("cases", "norr", Q1, 30)], cell("cases", "norr", Q1)) == (23, 37)
    assert interval([exact("cases", "norr", Q1, 3)], cell("cases", "norr", Q1)) == (3, 3)


def test_interval_leak_in_sum_over_dimension_is_found():
    rows = [exact("cases", "norr", Q1, 23), exact("cases", "norr", Q1, 20, sex="kvinna")]
    rows += [figure("cases", "norr", Q1, 5, sex="man")]
    assert interval(rows, cell("cases", "norr", Q1, sex="man")) == (3, 3)


def test_interval_leak_in_row_left_out_is_found():
    rows = [exact("cases", "norr", Q1, 23), exact("cases", "norr", Q1, 20, sex="kvinna")]
    rows += [figure("cases", "soder", Q1, 9, sex="man"), figure("cases", "soder", Q1, 9)]
    assert interval(rows, cell("cases", "norr", Q1, sex="man")) == (3, 3)


def test_interval_leak_in_nested_dimension_is_found():
    rows = [exact("cases", "norr", Q1, 9, reason_side="barn"), exact("cases", "norr", Q1, 30)]
    rows += [exact("cases", "norr", Q1, 7, reason_side="barn", reason="skola")]
    rows += [figure("cases", "norr", Q1, 5, reason_side="barn", reason="vald")]
    rows += [figure("cases", "norr", Q1, 20, reason_side="vuxen", reason="missbruk")]
    rows += [figure("cases", "norr", Q1, 20, reason_side="vuxen")]
    wanted = cell("cases", "norr", Q1, reason_side="barn", reason="vald")
    assert interval(rows, wanted, parents={"reason": "reason_side"}) == (2, 2)


def test_interval_leak_in_inner_codes_without_their_outer_one_is_found():
    rows = [exact("cases", "norr", Q1, 30), exact("cases", "norr", Q1, 28, reason_side="barn", reason="skola")]
    rows += [figure("cases", "norr", Q1, 5, reason_side="vuxen", reason="missbruk")]
    wanted = cell("cases", "norr", Q1, reason_side="vuxen", reason="missbruk")
    assert interval(rows, wanted, parents={"reason": "reason_side"}) == (2, 2)


def test_interval_leak_in_city_total_is_found():
    rows = [exact("cases", "stockholm", Q1, 40), exact("cases", "norr", Q1, 37), figure("cases", "soder", Q1, 5)]
    assert interval(rows, cell("cases", "soder", Q1)) == (3, 3)


def test_interval_leak_in_two_divisions_is_found():
    current = {"norr": "nord", "soder": "nord"}
    rows = [exact("cases", "nord", Q1, 12, basis="today"), exact("cases", "norr", Q1, 10)]
    rows += [figure("cases", "soder", Q1, 0), figure("cases", "soder", Q1, 9, sex="man")]
    assert interval(rows, cell("cases", "soder", Q1), current=current) == (2, 2)


def test_interval_of_a_merged_year_has_the_half_year_of_which_no_year_is_published():
    declared = {"current": {"norr": "nord"}, "units": {f"kvartal:{Q3}": frozenset({"nord"})}}
    rows = [figure("cases", "nord", "2018", 5, basis="today"), exact("cases", "norr", "2018", 1)]
    rows += [figure("cases", "norr", "2018", 5, sex="man")]
    assert interval(rows, cell("cases", "nord", "2018", basis="today"), **declared) == (1, 12)
    assert interval(rows, cell("cases", "nord", "2018", basis="today"), current={"norr": "nord"}) == (1, 1)


def test_interval_leak_in_unmerged_units_second_draw_is_found():
    rows = [figure("cases", "norr", Q1, 0), figure("cases", "norr", Q1, 12, basis="today")]
    assert interval(rows, cell("cases", "norr", Q1)) == (5, 7)


def test_interval_leak_in_year_is_found():
    rows = [exact("cases", "norr", "2018", 20), figure("cases", "norr", Q4, 5)]
    rows += [exact("cases", "norr", quarter, 6) for quarter in (Q1, Q2, Q3)]
    assert interval(rows, cell("cases", "norr", Q4)) == (2, 2)


def test_interval_leak_in_overlapping_periods_is_found():
    """Neither year is broken down by quarter: what differs are the first quarters."""
    rows = [exact("cases", "norr", "2018", 20, sex="man"), exact("cases", "norr", "~2019Q1", 18, sex="man")]
    rows += [figure("cases", "norr", q, 9) for q in (Q1, Q2, Q3, Q4, "2019Q1")]
    rows += [figure("cases", "norr", Q1, 5, sex="man"), exact("cases", "norr", "2019Q1", 1, sex="man")]
    rows += [figure("cases", "soder", Q1, 9), figure("cases", "soder", Q1, 9, sex="kvinna")]
    assert interval(rows, cell("cases", "norr", Q1, sex="man")) == (3, 3)


def test_interval_stock_adds_up_over_no_periods():
    rows = [exact("ongoing", "norr", "2018", 20), figure("ongoing", "norr", Q4, 5)]
    rows += [exact("ongoing", "norr", quarter, 6) for quarter in (Q1, Q2, Q3)]
    assert interval(rows, cell("ongoing", "norr", Q4), stocks=frozenset({"ongoing"})) == (1, 12)


def test_interval_leak_in_part_of_whole_is_found():
    rows = [exact("concluded", "norr", Q1, 2), figure("offered", "norr", Q1, 5)]
    assert interval(rows, cell("offered", "norr", Q1), parts=(("concluded", "offered"),)) == (1, 2)


def test_interval_leak_in_stock_and_flow_is_found():
    flow = Flow("ongoing", ("started",), ("ended",))
    rows = [exact("ongoing", "norr", Q1, 10), exact("started", "norr", Q2, 3), exact("ongoing", "norr", Q2, 11)]
    rows += [figure("ended", "norr", Q2, 5)]
    assert interval(rows, cell("ended", "norr", Q2), flows=(flow,)) == (2, 2)


def test_interval_stock_and_flow_hold_by_declared_dimensions_only():
    flow = Flow("ongoing", ("started",), ("ended",), frozenset({"sex"}))
    for dimension, code, found in (("sex", "man", (2, 2)), ("age_band", "0-5", (1, 12))):
        cut = {dimension: code}
        rows = [exact("ongoing", "norr", Q1, 10, **cut), exact("started", "norr", Q2, 3, **cut)]
        rows += [exact("ongoing", "norr", Q2, 11, **cut), figure("ended", "norr", Q2, 5, **cut)]
        assert interval(rows, cell("ended", "norr", Q2, **cut), flows=(flow,)) == found


def test_interval_leak_in_distinct_persons_is_found():
    rows = [exact("cases", "norr", Q1, 1), figure("persons", "norr", Q1, 5)]
    assert interval(rows, cell("persons", "norr", Q1), distinct=(("cases", "persons"),)) == (1, 1)


def test_interval_persons_are_not_summed():
    rows = [exact("persons", "norr", Q1, 9), exact("persons", "norr", Q1, 7, reason="vald")]
    rows += [figure("persons", "norr", Q1, 5, reason="skola")]
    wanted = cell("persons", "norr", Q1, reason="skola")
    assert interval(rows, wanted, distinct=(("cases", "persons"),)) == (2, 9)  # two of them have both reasons, or not


def test_interval_leak_in_second_draw_is_found():
    rows = [figure("cases", "norr", Q1, 12, release=1), figure("cases", "norr", Q1, 0, release=2)]
    wanted = cell("cases", "norr", Q1, release="2")
    assert interval(rows, wanted, most_changed=0) == (5, 7)
    assert interval(rows, wanted, most_changed=1) == (4, 7)
    assert interval(rows, wanted) == (0, 7)


def test_interval_insider_leak_is_found():
    """Who knows one of two districts reads the other one off an exact total; off a published one he doesn't."""
    for total, found in (
        (exact("cases", "stockholm", Q1, 12), (3, 3)),
        (figure("cases", "stockholm", Q1, 12), (1, 10)),
    ):
        rows = [total, figure("cases", "norr", Q1, 10), figure("cases", "soder", Q1, 5)]
        assert interval(rows, cell("cases", "soder", Q1), known=[(1, 9)]) == found


def test_interval_withheld_breakdown_is_unknown_and_not_zero():
    rows = [exact("cases", "norr", Q1, 49), figure("cases", "norr", Q1, 30, sex="man")]
    rows += [figure("cases", "norr", Q1, 19, sex="kvinna"), exact("cases", "norr", Q1, 22, reason="vald")]
    rows += [figure("cases", "norr", Q1, 5, sex="man", reason="vald"), exact("cases", "norr", Q1, 27, reason="skola")]
    rows += [figure("cases", "norr", Q1, 25, sex="man", reason="skola")]
    wanted = cell("cases", "norr", Q1, sex="man", reason="vald")
    assert interval(rows, wanted, sensitive=frozenset({"reason"})) == (1, 12)
    with pytest.raises(AssertionError):  # read as zeros, the figures contradict each other
        interval(rows, wanted)


def test_interval_row_of_a_table_not_published_there_is_unknown_and_not_zero():
    rows = [figure("cases", "norr", Q1, 5, sex="man"), figure("cases", "soder", Q1, 9, sex="man")]
    rows += [figure("cases", "norr", Q1, 5), figure("cases", "soder", Q1, 9), figure("cases", "stockholm", Q1, 14)]
    rows += [figure("cases", "stockholm", Q2, 9, sex="man"), figure("cases", "stockholm", Q2, 9)]
    wanted = cell("cases", "norr", Q1, sex="man")
    # of one table the city's row is a published 0: 7 at most
    assert interval(rows, wanted) == (1, 5)
    # the city's total is also of a table without sexes: that with sexes need not have the city's quarter
    tables = {"cases": tuple(PublishedTable(frozenset({name}), ("cases",)) for name in ("sex", "reason"))}
    assert interval(rows, wanted, tables=tables) == (1, 12)
    rows += [figure("cases", "stockholm", Q1, 9, sex="kvinna")]  # it has
    assert interval(rows, wanted, tables=tables) == (1, 5)


def test_interval_breakdown_is_zero_only_where_its_tables_own_whole_is_large():
    rows = [figure("cases", "norr", Q1, 19), figure("heard", "norr", Q1, 21)]
    rows += [figure("heard", "norr", Q1, 5, reason="skola"), figure("cases", "norr", Q1, 5, reason="skola")]
    rows += [figure("heard", "norr", Q2, 9, reason="vald"), figure("heard", "norr", Q2, 20)]
    known = {"sensitive": frozenset({"reason"})}
    # 21 − 7 heard, of whom 0 to 7 by what is published as 0
    assert interval(rows, cell("heard", "norr", Q1, reason="skola"), **known) == (7, 12)
    # the table goes by its cases: 19 are too few, so that nothing is known of the reasons that are not there
    tables = {"heard": (PublishedTable(frozenset({"reason"}), ("cases",)),)}
    assert interval(rows, cell("heard", "norr", Q1, reason="skola"), tables=tables, **known) == (1, 12)


def test_interval_capped_figure_is_at_least_one_more():
    rows = [figure("cases", "norr", Q1, 20), figure("cases", "norr", Q1, 17, reason="vald", is_capped=True)]
    assert interval(rows, cell("cases", "norr", Q1, reason="vald")) == (13, 27)  # 18 − 7 by itself, 20 + 7 − … by sums


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bounds_of_drawn_city_hold_the_truth_and_are_never_exact(seed):
    current = {"norr": "nord", "soder": "nord"}
    true = counts(records(seed, size=25), ("concluded", "offered", "accepted"), current=current)
    parts = (("concluded", "offered"), ("offered", "accepted"))
    _, system, counted = attacked(true, seed, current=current, parts=parts)
    limits = spread(system)
    small = np.flatnonzero((counted > 0) & (counted < 5))
    assert len(small) > 1000
    found = score(*(limit[small] for limit in limits), counted[small], 5)
    assert found.exact == 0
    everywhere = score(*limits, counted, 5)
    assert everywhere.misled == 0
    by_programs = bound(system, limits, small[:20], most_relations=200)
    found = score(by_programs.low, by_programs.high, counted[by_programs.cells], 5)
    assert (found.cells, found.exact, found.misled) == (20, 0, 0)


def test_cuts_that_a_sample_leaves_out_are_unknown_and_not_zero():
    true = counts(records(5, units=("norr", "soder"), size=200))
    figures = Figures.from_table(release(true, drawn(true, 5)))
    is_single = (figures.codes[:, len(FIXED) :] > 0).sum(axis=1) < 2
    sample = figures.take(is_single | figures.where("unit", "norr"))
    ruled_out = []
    for single_cuts in (frozenset[str](), frozenset({"soder", "stockholm"})):
        system = relations_of(sample, Declared("stockholm", single_cuts=single_cuts), Deviation())
        low, high = spread(system)
        counted = system.cells.true_of(truth(true))
        ruled_out.append(int(((counted < low) | (counted > high)).sum()))
    assert ruled_out[0] > 100  # more than seven, where the figure would be 0
    assert ruled_out[1] == 0


def test_bounds_of_unprotected_city_are_exact():
    true = counts(records(4, size=25))
    _, system, counted = attacked(true, 4, Deviation(0, 0, 0.0))
    small = np.flatnonzero((counted > 0) & (counted < 5))
    found = score(*(limit[small] for limit in spread(system)), counted[small], 5)
    assert found.exact == found.cells > 500
