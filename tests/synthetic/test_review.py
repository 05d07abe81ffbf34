"""The drawn review of 2017 comes out with the published percentages, computed from the files alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from readback import Row, quarter, read_city, read_person

from ingest.checking import Circumstances, check_file
from ingest.naming import read_name
from ingest.persons.keys import load_keys, make_keys
from synthetic.review import draw_review

UNTIL = date(2019, 3, 31)
DISTRICTS = (("hasselby-vallingby",), ("norrmalm", "ostermalm"))


@dataclass(frozen=True)
class Case:
    """A case as its last file has it."""

    row: Row
    person: object
    age: int | None


@pytest.fixture(scope="module", params=DISTRICTS, ids=["one_district", "split_over_two"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("review")
    draw_review(out, request.param)
    return out


@pytest.fixture(scope="module")
def cases(folder: Path) -> list[Case]:
    found: dict[tuple[str, object, object], Case] = {}
    for (district, dataset, when), file in sorted(read_city(folder).items(), key=lambda item: item[0][2]):
        for row in file.rows if dataset == "arenden" else []:
            number, day = row["personnummer"], row["inkom_datum"]
            assert isinstance(day, date)
            if number:
                person = read_person(str(number), when)
                born = person.birth
                age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
                case = Case(row, person, age)
            else:
                case = Case(row, (district, row["lopnummer"]), None)
            found[district, row["arende_id"], number or row["lopnummer"]] = case
    return list(found.values())


@pytest.fixture(scope="module")
def review(cases: list[Case]) -> list[Case]:
    """Pre-assessments of 2017 without investigation, and investigations started in 2017."""
    days = [(c, c.row["utredning_start"] or c.row["forhandsbedomning_klar"]) for c in cases]
    return [case for case, day in days if isinstance(day, date) and day.year == 2017]


@pytest.fixture(scope="module")
def opened(review: list[Case]) -> list[Case]:
    return [case for case in review if case.row["utredning_inledd"] == "ja"]


def percent(cases: list[Case], hit: Callable[[Row], bool], of: Callable[[Row], bool] = lambda _: True) -> int:
    rows = [case.row for case in cases if of(case.row)]
    return round(100 * sum(map(hit, rows)) / len(rows))


def is_(column: str, *values: str) -> Callable[[Row], bool]:
    return lambda row: row[column] in values


def test_who_is_in_the_review(review: list[Case]) -> None:
    assert len(review) == 2281
    assert len({case.person for case in review}) == 1750
    assert percent(review, is_("kon", "man")) == 55
    ages = [case.age for case in review if case.age is not None]
    bands = [sum(low <= age <= high for age in ages) / len(ages) for low, high in ((0, 5), (6, 12), (13, 17), (18, 20))]
    assert [round(100 * band) for band in bands] == [25, 39, 31, 5]
    assert sum(case.age is None for case in review) == 12


def test_the_funnel_of_the_review(review: list[Case], opened: list[Case]) -> None:
    assert percent(review, is_("utredning_inledd", "ja")) == 41
    assert 924 <= len(opened) <= 942
    offered = [case for case in opened if case.row["insats_erbjuden"] == "ja"]
    assert len(offered) == 278
    assert sum(isinstance(n := case.row["antal_insatser_erbjudna"], int) and n > 1 for case in offered) == 20
    assert percent(opened, is_("insats_erbjuden", "ja")) == 30
    assert percent(opened, is_("insats_erbjuden", "ja"), is_("aktualisering", "ansokan")) == 43
    assert percent(opened, is_("insats_erbjuden", "ja"), is_("aktualisering", "anmalan")) == 29
    accepted = sum(case.row["insats_accepterad"] == "ja" for case in offered)
    assert 181 <= accepted <= 193
    assert round(100 * accepted / len(review)) == 8
    assert percent(offered, is_("insats", "familjebehandling")) == 53
    assert percent(offered, is_("insats", "kontaktperson", "kontaktfamilj")) == 13
    assert percent(offered, is_("insats", "tryggare_barn")) == 9


def test_who_was_heard_and_whether_the_school_was_asked(opened: list[Case]) -> None:
    heard, school = is_("barnet_horts", "ja"), is_("skola_kontaktad", "ja")
    assert 45 <= percent(opened, heard) <= 55
    assert percent(opened, heard, is_("orsak", "overgrepp")) == 76
    assert percent(opened, heard, is_("orsak", "vald_i_familjen")) == 45
    assert percent(opened, heard, is_("orsak", "vuxen_psykisk_ohalsa")) == 43
    assert percent(opened, school) == 28
    assert percent(opened, school, is_("uppgiftslamnare", "skola", "forskola")) == 48
    assert percent(opened, school, is_("kon", "man")) == 34
    assert percent(opened, school, is_("kon", "kvinna")) == 22


def test_who_comes_back(cases: list[Case], opened: list[Case]) -> None:
    starts: defaultdict[object, list[date]] = defaultdict(list)
    for case in cases:
        if isinstance(day := case.row["utredning_start"], date):
            starts[case.person].append(day)
    back = 0
    again, persons = set(), set()
    for case in opened:
        start, end = case.row["utredning_start"], case.row["utredning_slut"]
        assert isinstance(start, date)
        assert isinstance(end, date)
        assert end <= UNTIL
        later = any(start < day <= UNTIL for day in starts[case.person])
        back += later
        persons.add(case.person)
        if case.row["tidigare_utredning"] == "ja" or later:
            again.add(case.person)
    assert round(100 * back / len(opened)) == 30
    assert round(100 * len(again) / len(persons)) == 55


def test_reasons_and_sources_keep_the_reports_order(review: list[Case]) -> None:
    opened = {
        reason: sum(c.row["utredning_inledd"] == "ja" for c in found) / len(found)
        for reason in {c.row["orsak"] for c in review}
        if (found := [c for c in review if c.row["orsak"] == reason])
    }
    assert max(opened, key=lambda reason: opened[reason]) == "overgrepp"
    assert all(opened[reason] < 0.2 for reason in ("snatteri_forseelse", "annan_kriminalitet", "barn_missbruk"))
    police, school = (
        sum(c.row["uppgiftslamnare"] in s for c in review) for s in (("polis_aklagare",), ("skola", "forskola"))
    )
    assert police > school > sum(c.row["uppgiftslamnare"] == "psykiatri" for c in review)


def test_children_of_a_split_review_have_cases_in_both_districts(folder: Path) -> None:
    by_district = defaultdict(set)
    for (district, dataset, when), file in read_city(folder).items():
        for row in file.rows if dataset == "arenden" else []:
            if row["personnummer"]:
                by_district[district].add(read_person(str(row["personnummer"]), when))
    if len(by_district) == 1:
        assert set(by_district) == {"hasselby-vallingby"}
    else:
        assert len(set.intersection(*by_district.values())) > 40


def test_intake_has_nothing_to_say_of_the_files(folder: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "keys.json")
    keys = load_keys(tmp_path / "keys.json")
    paths = sorted(folder.glob("*/*.csv"))
    assert len(paths) == 2 * 9 * len(list(folder.iterdir()))
    for path in paths:
        name = read_name(path.name, path.parent.name)
        report = check_file(path.read_bytes(), name, Circumstances(keys, quarter("2019Q2").start, 200))
        assert [(count.rule, count.row_count) for count in report.counts()] == [], path.name


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw_review(tmp_path / name, ("farsta",), seed=3)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n / "farsta").iterdir()} for n in "ab")
    assert first == second
    assert len(first) == 19
