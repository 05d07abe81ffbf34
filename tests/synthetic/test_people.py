"""Numbers for children: as long as the range lasts, and what is said when it does not."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from readback import quarter, read_person

from synthetic.draws import day_number
from synthetic.people import SAMORDNING, SKYDDAD, NumberSpaceFull, People, age_years, full_numbers


def add(people: People, count: int) -> None:
    receipt = np.full(count, day_number(date(2018, 5, 15)))
    people.add(np.random.default_rng(1), receipt=receipt, age_days=np.full(count, 3000), family=np.arange(count))


def numbers(people: People) -> list[str]:
    rows = people.rows[people.rows["id_kind"] <= SAMORDNING]
    return [str(n) for n in full_numbers(rows["birth"], rows["serial"], rows["id_kind"] == SAMORDNING)]


def test_numbers_are_unique_and_within_the_reserved_serials_as_long_as_they_last() -> None:
    people = People()
    for _ in range(4):
        add(people, 500)
    found = [read_person(number, quarter("2018Q2")) for number in numbers(people)]
    assert len(set(numbers(people))) == len(found) > 1900
    assert people.outside_reserved == 0
    assert all(person.is_valid and person.serial >= 980 for person in found)


def test_other_serials_are_counted_when_months_are_full() -> None:
    people = People()
    add(people, 9000)
    found = numbers(people)
    other = [number for number in found if int(number[8:11]) < 980]
    assert len(set(found)) == len(found)
    assert all(read_person(number, quarter("2018Q2")).is_valid for number in found)
    assert people.outside_reserved == len(other) > 1000


def test_children_for_whom_no_personnummer_is_left_get_coordination_numbers() -> None:
    people = People()
    add(people, 40_000)
    found = numbers(people)
    assert len(set(found)) == len(found) > 37_000
    coordination = [number for number in found if int(number[6:8]) > 60]
    assert len(coordination) > 5_000
    assert all(read_person(number, quarter("2018Q2")).is_valid for number in found)


def test_more_children_than_numbers_are_refused() -> None:
    with pytest.raises(NumberSpaceFull, match="lower the scale"):
        add(People(), 90_000)


def test_nobody_turns_21_because_a_month_is_full() -> None:
    # 20 years and nine months old: in months well before theirs they would be too old
    people = People()
    receipt = np.full(9000, day_number(date(2018, 5, 15)))
    people.add(np.random.default_rng(1), receipt=receipt, age_days=np.full(9000, 7600), family=np.arange(9000))
    by_number = people.rows[people.rows["id_kind"] <= SAMORDNING]
    assert set(age_years(by_number["birth"], receipt[: by_number.size])) == {20}


def test_a_child_with_cases_of_two_districts_has_a_running_number_of_its_own_in_each() -> None:
    people, size = People(), 3
    day = np.full(size, 17_600)
    people.add(
        np.random.default_rng(1), receipt=day, age_days=np.full(size, 3000), family=people.new_families(size),
        id_kind=np.full(size, SKYDDAD),
    )  # fmt: skip
    persons, districts = np.array([0, 1, 0, 2, 0]), np.array([3, 4, 4, 4, 3])
    numbers = people.running_numbers(persons, districts)
    pairs = dict(zip(zip(persons.tolist(), districts.tolist(), strict=True), numbers.tolist(), strict=True))
    assert numbers[0] == numbers[4] and min(numbers) > 0
    assert len({(district, number) for (_, district), number in pairs.items()}) == len(pairs)
