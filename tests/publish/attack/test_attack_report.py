import dataclasses
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from cities_drawn import counts, drawn, records, release, truth

from publish.attack.attack import attack
from publish.attack.figures import Declared, Figures, Flow
from publish.attack.likelihood import Deviation
from publish.attack.samples import families_of, samples

MEASURES = ("concluded", "offered", "accepted")
DECLARED = Declared(
    "stockholm", parts=(("concluded", "offered"), ("offered", "accepted")), sensitive=frozenset({"reason"})
)


@pytest.fixture(scope="module")
def city():
    return counts(records(7, size=20, quarters=("2018Q1", "2018Q2")), MEASURES)


def attacked(city, deviation, **options):
    figures = Figures.from_table(release(city, drawn(city, 7, deviation)))
    return attack(figures, DECLARED, deviation, truth(city), **options), figures


def test_attack_of_unprotected_release_breaks_it(city):
    report, figures = attacked(city, Deviation(0, 0, 0.0), samples_wanted=2)
    assert report.figures == len(figures)
    assert report.bounds.exact == report.bounds.cells > 1000
    assert report.insider.exact == report.insider.cells > 0
    assert report.averaging.small_by_figure == report.averaging.small_by_sums == 1.0
    assert report.attributes.sure > 0


def test_attack_of_protected_release_is_never_exact_and_the_same_by_seed(city):
    report, figures = attacked(city, Deviation(), samples_wanted=2, seed=3)
    assert report.figures == len(figures)
    assert report.bounds.cells > 1000
    assert (report.programs.cells > 0, report.programs.undecided) == (True, 0)
    assert report.insider.cells > 0
    assert report.averaging.cells > 0
    assert report.attributes.groups > 0
    assert report.all_of_n.wholes > 0
    assert (report.bounds.exact, report.programs.exact, report.bounds.misled) == (0, 0, 0)
    again, _ = attacked(city, Deviation(), samples_wanted=2, seed=3)
    assert not report.is_cut_short
    assert dataclasses.replace(again, seconds=report.seconds) == report


def test_attack_is_cut_short_by_time_and_says_so(city):
    report, _ = attacked(city, Deviation(), seconds=0.01)
    assert report.is_cut_short
    assert report.samples <= 1


def test_attack_of_two_releases_uses_both_draws():
    """A quarter is restated: twenty records more, everything of that unit and quarter drawn anew."""
    cases = records(8, units=("norr", "soder"), quarters=("2018Q1",), size=40)
    released, true = [], []
    for number, rows in enumerate((cases.slice(20), cases), start=1):
        made = counts(rows, MEASURES, years=False)
        released.append(release(made, drawn(made, 8), release=number))
        true.append(made.drop(["key_sum", "true"]).append_column("published", made["true"]))
        true[-1] = true[-1].append_column("release", pa.array([number] * len(made)))
    figures, truths = (Figures.from_table(pa.concat_tables(tables)) for tables in (released, true))
    for most_changed in (None, 20):
        declared = dataclasses.replace(DECLARED, most_changed=most_changed)
        report = attack(figures, declared, Deviation(), truths, samples_wanted=1)
        assert (report.bounds.exact, report.bounds.misled) == (0, 0)
        assert 0 < report.bounds.cells < 500
    # Told that nothing has changed, which is wrong, the attacker is misled: so the second draw takes part.
    report = attack(figures, dataclasses.replace(DECLARED, most_changed=0), Deviation(), truths, samples_wanted=1)
    assert report.bounds.misled > 0 or report.bounds.narrower > 0


def test_figures_that_wait_bind_no_others(city):
    """The city's figures are of ten records more than the units' are: their sums mislead who takes them for exact."""
    table = release(city, drawn(city, 7))
    is_city = np.array(table["unit"].to_pylist()) == "stockholm"
    shown = np.array(table["published"].to_pylist())
    shown = np.where(is_city & (shown > 0), shown + 10, shown)
    figures = Figures.from_table(table.set_column(table.column_names.index("published"), "published", pa.array(shown)))
    periods = figures.names[figures.column("period")]
    waiting = {(measure, "stockholm", "as_submitted", period) for measure in MEASURES for period in periods}
    reports = [
        attack(figures, DECLARED, Deviation(), truth(city), samples_wanted=2, seed=3, waiting=given)
        for given in ((), waiting)
    ]
    assert reports[0].bounds.misled > 0 and reports[0].waiting == 0
    assert (reports[1].bounds.misled, reports[1].programs.misled, reports[1].bounds.narrower) == (0, 0, 0)
    assert reports[1].waiting > 100 and 0 < reports[1].bounds.cells < reports[0].bounds.cells


def test_samples_take_turns_and_keep_to_their_size(city):
    figures = Figures.from_table(release(city, drawn(city, 7)))
    declared = dataclasses.replace(DECLARED, parts=(("offered", "accepted"),))
    assert families_of(figures, declared) == [frozenset({"accepted", "offered"}), frozenset({"concluded"})]
    drawn_samples = []
    for sample in samples(figures, declared, 300, np.random.default_rng(1)):
        drawn_samples.append(sample)
        if len(drawn_samples) == 4:
            break
    assert Counter(sample.all_units for sample in drawn_samples) == {True: 2, False: 2}
    assert all(sample.all_units != sample.all_cuts for sample in drawn_samples)
    for sample in drawn_samples:
        assert 0 < len(sample.figures) <= 900
        assert sample.figures.where("unit", "stockholm").any()


def test_families_join_what_flows_and_persons_link():
    rows = {"stock", "came", "went", "persons", "cases", "alone"}
    figures = Figures(("measure",), (tuple(sorted(rows)),), *(np.zeros((0, 1)),) * 4)
    declared = Declared("stockholm", flows=(Flow("stock", ("came",), ("went",)),), distinct=(("cases", "persons"),))
    joined = [frozenset({"alone"}), frozenset({"came", "stock", "went"}), frozenset({"cases", "persons"})]
    assert families_of(figures, declared) == joined
