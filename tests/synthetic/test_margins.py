"""A whole city's margins against the published ones (see the design of the marts: one district's review of 2017)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date

import pytest
from readback import Person, Row, quarter, read_city, read_person

from synthetic.city import draw_city

YEAR = 2018
UNTIL = date(2020, 3, 31)
Case = tuple[Row, Person | None, str]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Each case as its last file has it."""
    folder = tmp_path_factory.mktemp("margins")
    draw_city(folder, quarter("2018Q1"), quarter("2020Q1"), scale=0.7)
    for path in folder.glob("*/*_*"):
        if "_arenden_" not in path.name:
            path.unlink()
    last: dict[tuple[str, object, object], Case] = {}
    for (district, _, when), file in sorted(read_city(folder).items(), key=lambda item: item[0][2]):
        for row in file.rows:
            person = read_person(str(row["personnummer"]), when) if row["personnummer"] else None
            last[district, row["arende_id"], row["personnummer"] or row["lopnummer"]] = (row, person, district)
    return list(last.values())


@pytest.fixture(scope="module")
def decided(cases: list[Case]) -> list[Case]:
    """Pre-assessments of the year without investigation, and investigations started in it."""
    found = []
    for row, person, district in cases:
        day = row["utredning_start"] if row["utredning_inledd"] == "ja" else row["forhandsbedomning_klar"]
        if isinstance(day, date) and day.year == YEAR:
            found.append((row, person, district))
    return found


@pytest.fixture(scope="module")
def concluded(decided: list[Case]) -> list[Case]:
    return [case for case in decided if case[0]["utredning_slut"]]


def share(cases: list[Case], hit: Callable[[Row], bool], of: Callable[[Row], bool] = lambda _: True) -> float:
    chosen = [row for row, _, _ in cases if of(row)]
    return sum(map(hit, chosen)) / len(chosen)


def is_(column: str, *values: str) -> Callable[[Row], bool]:
    return lambda row: row[column] in values


def test_volume_is_that_of_fourteen_districts(decided: list[Case]) -> None:
    by_district = Counter(district for _, _, district in decided)
    assert len(by_district) == 14
    assert by_district["hasselby-vallingby"] == pytest.approx(0.7 * 2281, rel=0.10)
    known = [person for _, person, _ in decided if person]
    assert len(known) / len(set(known)) == pytest.approx(2281 / 1750, abs=0.06)


def test_sex_and_age_are_the_published(decided: list[Case]) -> None:
    assert share(decided, is_("kon", "man"), is_("kon", "man", "kvinna")) == pytest.approx(0.55, abs=0.02)
    bands: Counter[str] = Counter()
    for row, person, _ in decided:
        day = row["inkom_datum"]
        if person and isinstance(day, date):
            age = day.year - person.birth.year - ((day.month, day.day) < (person.birth.month, person.birth.day))
            bands["0-5" if age < 6 else "6-12" if age < 13 else "13-17" if age < 18 else "18-20"] += 1
    total = sum(bands.values())
    published = {"0-5": 0.25, "6-12": 0.39, "13-17": 0.31, "18-20": 0.05}
    assert {band: count / total for band, count in bands.items()} == pytest.approx(published, abs=0.02)


def test_the_funnel_is_the_published(decided: list[Case], concluded: list[Case]) -> None:
    assert share(decided, is_("utredning_inledd", "ja")) == pytest.approx(0.41, abs=0.02)
    offered = is_("insats_erbjuden", "ja")
    assert share(concluded, offered) == pytest.approx(0.30, abs=0.02)
    assert share(concluded, offered, is_("aktualisering", "ansokan")) == pytest.approx(0.43, abs=0.07)
    assert share(concluded, offered, is_("aktualisering", "anmalan")) == pytest.approx(0.29, abs=0.02)
    assert share(concluded, is_("insats_accepterad", "ja"), offered) == pytest.approx(2 / 3, abs=0.04)
    assert share(decided, is_("insats_accepterad", "ja")) == pytest.approx(0.08, abs=0.012)
    assert share(concluded, is_("insats", "familjebehandling"), offered) == pytest.approx(0.53, abs=0.04)
    assert share(concluded, is_("insats", "kontaktperson", "kontaktfamilj"), offered) == pytest.approx(0.13, abs=0.03)
    assert share(concluded, is_("insats", "tryggare_barn"), offered) == pytest.approx(0.09, abs=0.025)


def test_children_are_heard_and_schools_contacted_as_published(concluded: list[Case]) -> None:
    heard = is_("barnet_horts", "ja")
    assert share(concluded, heard) == pytest.approx(0.51, abs=0.03)
    assert share(concluded, heard, is_("orsak", "overgrepp")) == pytest.approx(0.76, abs=0.05)
    assert share(concluded, heard, is_("orsak", "vald_i_familjen")) == pytest.approx(0.45, abs=0.05)
    assert share(concluded, heard, is_("orsak", "vuxen_psykisk_ohalsa")) == pytest.approx(0.43, abs=0.07)
    school = is_("skola_kontaktad", "ja")
    assert share(concluded, school) == pytest.approx(0.28, abs=0.025)
    assert share(concluded, school, is_("uppgiftslamnare", "skola", "forskola")) == pytest.approx(0.48, abs=0.05)
    assert share(concluded, school, is_("kon", "man")) == pytest.approx(0.34, abs=0.035)
    assert share(concluded, school, is_("kon", "kvinna")) == pytest.approx(0.22, abs=0.035)


def test_children_come_back_as_published(cases: list[Case], decided: list[Case]) -> None:
    starts: defaultdict[Person, list[date]] = defaultdict(list)
    for row, person, _ in cases:
        if person and isinstance(row["utredning_start"], date):
            starts[person].append(row["utredning_start"])
    back = total = 0
    again: set[Person] = set()
    investigated: set[Person] = set()
    for row, person, _ in decided:
        if person is None or row["utredning_inledd"] != "ja":
            continue
        investigated.add(person)
        if (
            row.get("tidigare_utredning") == "ja"
            or len([d for d in starts[person] if date(YEAR, 1, 1) <= d <= UNTIL]) > 1
        ):
            again.add(person)
        end = row["utredning_slut"]
        if isinstance(end, date) and end <= UNTIL:
            total += 1
            back += any(end < day <= UNTIL for day in starts[person])
    assert back / total == pytest.approx(0.30, abs=0.03)
    assert len(again) / len(investigated) == pytest.approx(0.55, abs=0.04)


def test_districts_differ(decided: list[Case], concluded: list[Case]) -> None:
    def spread(cases: list[Case], hit: Callable[[Row], bool], of: Callable[[Row], bool] = lambda _: True) -> float:
        shares = [share([c for c in cases if c[2] == d], hit, of) for d in {d for _, _, d in cases}]
        return max(shares) - min(shares)

    def quick(row: Row) -> bool:
        start, end = row["utredning_start"], row["utredning_slut"]
        return isinstance(start, date) and isinstance(end, date) and (end - start).days <= 60

    assert spread(decided, is_("utredning_inledd", "ja")) > 0.07
    assert spread(concluded, is_("insats_accepterad", "ja"), is_("insats_erbjuden", "ja")) > 0.10
    assert spread(concluded, quick) > 0.10
