"""Youth clinics, activities and follow-up after interviews, read back from the files alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest
from readback import City, quarter, read_city

from ingest.checking import Circumstances, check_file
from ingest.districts import load_districts
from ingest.naming import read_name
from ingest.persons.keys import load_keys, make_keys
from synthetic.city import draw_city

WAITS = (
    ("vantade_0_7", 0, 7),
    ("vantade_8_14", 8, 14),
    ("vantade_15_30", 15, 30),
    ("vantade_31_90", 31, 90),
    ("vantade_over_90", 91, None),
)


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> City:
    """Seven quarters (twenty months are not quite that) of the city at its ordinary size."""
    folder = tmp_path_factory.mktemp("counts")
    draw_city(folder, quarter("2018Q1"), quarter("2019Q3"))
    for path in folder.glob("*/*_*"):
        if path.stem.split("_")[1] not in ("ungdomsmottagning", "aktiviteter", "skyddsuppfoljning"):
            path.unlink()
    return read_city(folder)


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, str, str]]:
    """(dataset, severity, rule) by files of one quarter of the city at its ordinary size, at intake."""
    folder = tmp_path_factory.mktemp("quarter")
    make_keys(folder / "keys.json")
    keys = load_keys(folder / "keys.json")
    found: Counter[tuple[str, str, str]] = Counter()
    for file in draw_city(folder / "city", quarter("2018Q4"), quarter("2018Q4")).files:
        name = read_name(file.path.name, file.district)
        report = check_file(file.path.read_bytes(), name, Circumstances(keys, quarter("2019Q1").start, 200))
        found.update((file.dataset, count.severity, count.rule) for count in report.counts())
    return found


def number(value: object) -> int:
    assert isinstance(value, int)
    assert value >= 0
    return value


def test_a_district_has_one_or_two_clinics_and_keeps_them(counts: City, city: City) -> None:
    names: defaultdict[str, set[object]] = defaultdict(set)
    for (district, dataset, _), file in counts.items():
        if dataset == "ungdomsmottagning":
            assert 1 <= len({row["mottagning"] for row in file.rows}) <= 2
            names[district] |= {row["mottagning"] for row in file.rows}
    assert all(1 <= len(found) <= 2 for found in names.values())
    for before, after, since in load_districts().successions:
        if since == quarter("2020Q3").start:
            merged = {row["mottagning"] for row in city[after, "ungdomsmottagning", quarter("2020Q3")].rows}
            earlier = city[before, "ungdomsmottagning", quarter("2020Q2")].rows
            assert merged >= {row["mottagning"] for row in earlier}


def test_visits_and_waits_of_a_clinic_agree_within_each_row(counts: City) -> None:
    waited: defaultdict[object, list[int]] = defaultdict(lambda: [0, 0])
    for (_, dataset, _), file in counts.items():
        if dataset != "ungdomsmottagning":
            continue
        keys = [(row["mottagning"], row["kon"], row["aldersgrupp"]) for row in file.rows]
        assert len(set(keys)) == len(keys)
        for row in file.rows:
            new, days = number(row["nya_besokare"]), number(row["vantetid_summa_dagar"])
            assert new <= number(row["besok"])
            assert number(row["digitala_besok"]) <= number(row["besok"])
            found = [(number(row[column]), low, high) for column, low, high in WAITS]
            assert sum(count for count, _, _ in found) == new
            assert sum(count * low for count, low, _ in found) <= days
            assert found[-1][0] or days <= sum(count * (high or 0) for count, _, high in found)
            waited[row["mottagning"]][0] += days
            waited[row["mottagning"]][1] += new
    means = [days / new for days, new in waited.values()]
    assert max(means) > 3 * min(means)


def test_a_thousand_take_part_in_training_in_twenty_months(counts: City) -> None:
    levels: Counter[object] = Counter()
    for (_, dataset, when), file in counts.items():
        for row in file.rows if dataset == "aktiviteter" else []:
            assert isinstance(row["datum"], date)
            assert when.start <= row["datum"] <= when.end
            assert (row["niva"] is not None) == (row["typ"] == "utbildning")
            levels[row["niva"]] += number(row["deltagare"])
    training = levels["bas"] + levels["fordjupning"] + levels["specialist"]
    assert training * 20 / 21 == pytest.approx(1000, rel=0.05)
    assert levels["bas"] > levels["fordjupning"] > levels["specialist"] > 0


def test_activities_have_numbers_of_their_own(counts: City) -> None:
    numbers = [
        row["aktivitet_id"] for (_, dataset, _), file in counts.items() if dataset == "aktiviteter" for row in file.rows
    ]
    assert len(set(numbers)) == len(numbers) > 300


def test_a_whole_quarter_has_no_errors_and_few_queries(findings: Counter[tuple[str, str, str]]) -> None:
    assert {severity for _, severity, _ in findings} == {"query"}
    by_hand = {
        key: files for key, files in findings.items() if key[0] not in ("arenden", "oppenvard", "serviceinsatser")
    }
    # Groups still planned long after their day, one participant too many, Komet after an assessment.
    assert {rule for _, _, rule in by_hand} <= {"GRU-032", "GRU-049", "UTB-022"}
    assert 1 <= sum(by_hand.values()) <= 8


def test_interviews_are_few_and_followed_up_less_the_later_it_is(counts: City) -> None:
    sums: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for (_, dataset, _), file in counts.items():
        if dataset != "skyddsuppfoljning":
            continue
        assert [row["tidpunkt"] for row in file.rows] == ["vardag_dag", "vardag_kvall", "helg"]
        for row in file.rows:
            steps = [
                number(row[f"antal_{name}"])
                for name in ("barnforhor", "hem_utan_placering", "uppfoljda_inom_tre_dygn", "uppfoljda_samma_dygn")
            ]
            assert steps == sorted(steps, reverse=True)
            sums[row["tidpunkt"]].update(home=steps[1], same_day=steps[3])
            assert steps[0] < 40
    share = {time: found["same_day"] / found["home"] for time, found in sums.items()}
    assert share["vardag_dag"] > share["vardag_kvall"] > share["helg"]
