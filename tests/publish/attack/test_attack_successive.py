import numpy as np
import pyarrow as pa
import pytest
from cities_drawn import DIMENSIONS, KEYS, drawn, records, release

from publish.attack.figures import Figures
from publish.attack.likelihood import Deviation
from publish.attack.successive import Trial, score

CUTS = ((), ("sex",), ("age_band",), ("reason",), ("sex", "age_band"), ("sex", "reason"), ("age_band", "reason"))


def counted(cases):
    """The true figures of the one unit's quarter, with the sums of their keys."""
    rows = []
    for cut in CUTS:
        groups = cases.group_by(list(cut)).aggregate([("record_key", "sum"), ([], "count_all")])
        for group in groups.to_pylist():
            row = dict(zip(KEYS, ("concluded", "norr", "as_submitted", "kvartal", "2018Q1"), strict=True))
            row |= {name: group.get(name, "alla") for name in DIMENSIONS}
            rows.append(row | {"true": group["count_all"], "key_sum": group["record_key_sum"] % 2**32})
    return pa.Table.from_pylist(rows)


def trials(kind, number, *, salted, deviation=None):
    """A record is added to, removed from or changed in one unit's quarter, and both are published."""
    made = []
    for seed in range(number):
        random = np.random.default_rng(seed)
        cases = records(seed, units=("norr",), quarters=("2018Q1",))
        place = int(random.integers(len(cases)))
        record = cases.slice(place, 1).to_pylist()[0]
        without = cases.filter(pa.array(np.arange(len(cases)) != place))
        codes = {"sex": record["sex"], "reason": record["reason"]}
        other = without
        if kind == "changed":
            new = str(random.choice([one for one in set(cases["reason"].to_pylist()) if one != record["reason"]]))
            # Its key hangs on its content, so it changes as well.
            changed = record | {"reason": new, "record_key": int(random.integers(2**32))}
            other = pa.concat_tables([without, pa.Table.from_pylist([changed], schema=cases.schema)])
            codes = {"reason": (record["reason"], new)}
        pair = [cases, other] if kind != "added" else [without, cases]
        figures = []
        for one in pair:
            true = counted(one)
            figures.append(Figures.from_table(release(true, drawn(true, 1, deviation, salted=salted))))
        made.append(Trial(figures[0], figures[1], kind, codes))
    return made


@pytest.mark.parametrize("kind", ["added", "removed", "changed"])
def test_record_is_disclosed_where_only_its_figures_are_drawn_anew(kind):
    found = score(trials(kind, 40, salted=False), Deviation())
    assert found.points > 15
    for dimension, number, right, chance in found.by_dimension:
        assert number == 40, dimension
        assert right > chance + 0.2


@pytest.mark.parametrize("kind", ["added", "changed"])
def test_record_is_disclosed_less_where_all_figures_are_drawn_anew(kind):
    found = score(trials(kind, 40, salted=True), Deviation())
    assert found.points < 25  # 10 in 300 trials: more than the policy allows
    assert all(right < 0.8 for *_, right, _ in found.by_dimension)


def test_record_is_disclosed_where_nothing_is_protected():
    found = score(trials("added", 10, salted=False, deviation=Deviation(0, 0, 0.0)), Deviation(0, 0, 0.0))
    assert all(right == 1.0 for *_, right, _ in found.by_dimension)
