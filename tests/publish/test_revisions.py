"""Draws over releases: which figures are drawn anew, which wait, what is a revision, and what the ledger records."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ingest.ledger import Ledger
from ingest.ledger.draws import Draw, add_draws, forget_waiting_draws, released_draws
from ingest.ledger.releases import ReleaseRow, approve, record_release
from ingest.ledger.tables import draw
from publish.cell_keys.keys import NOTHING, Group
from publish.cell_keys.revisions import Decided, Parts, decide, draws_to_record, new_periods, revisions
from publish.cell_keys.sketch import LENGTH

BROMMA = Group("avslutad", "bromma", "as_submitted", "kvartal", "2018Q3")
FARSTA = replace(BROMMA, unit="farsta")
CITY = replace(BROMMA, unit="stockholm")
YEAR = replace(BROMMA, period_kind="ar", period="2018")
CARE = replace(BROMMA, family="oppenvard")
SEALED = {("kvartal", "2018Q3")}


class City:
    """Releases one after the other, with a ledger in memory."""

    def __init__(self, cap: int = 3) -> None:
        self.cap, self.number = cap, 0
        self.draws: list[Draw] = []

    def release(
        self, salts: dict[Group, int], sealed: set[tuple[str, str]] = SEALED, *, yearly: bool = False
    ) -> dict[Group, Decided]:
        self.number += 1
        found = decide(salts, self.draws, cap=self.cap, sealed=sealed, is_yearly_revision=yearly)
        self.draws += draws_to_record(found, self.number)
        return {one.group: one for one in found}


def said(decided: dict[Group, Decided]) -> dict[Group, str]:
    return {group: one.decision for group, one in decided.items()}


def test_unchanged_data_is_no_draw_and_no_revision() -> None:
    city, salts = City(), {BROMMA: 1, FARSTA: 2, CITY: 3}
    assert set(said(city.release(salts)).values()) == {"first"}
    again = city.release(salts)
    assert set(said(again).values()) == {"same"} and not revisions(again.values())
    assert all((one.draws, one.has_changed) == (1, False) for one in again.values()) and len(city.draws) == 3


def test_correction_draws_the_unit_and_the_city_anew_and_nobody_else() -> None:
    city = City()
    city.release({BROMMA: 1, FARSTA: 2, CITY: 3, CARE: 4})
    after = city.release({BROMMA: 5, FARSTA: 2, CITY: 6, CARE: 4})
    assert said(after) == {BROMMA: "anew", FARSTA: "same", CITY: "anew", CARE: "same"}
    assert (after[BROMMA].salt, after[BROMMA].draws, after[FARSTA].draws) == (5, 2, 1)


def test_salt_seen_before_is_no_new_draw() -> None:
    city = City(cap=2)
    city.release({BROMMA: 1})
    city.release({BROMMA: 2})
    for salt in (1, 2, 1):  # back and forth, at the cap: each is a change that readers see, none is a draw
        after = city.release({BROMMA: salt})[BROMMA]
        assert (after.decision, after.salt, after.draws) == ("returned", salt, 2)


def test_past_the_cap_a_correction_waits_until_the_yearly_revision() -> None:
    city = City()
    for salt in (1, 2, 3):
        city.release({BROMMA: salt})
    for _ in range(2):
        held = city.release({BROMMA: 4})[BROMMA]
        assert (held.decision, held.salt, held.draws, held.has_changed) == ("held", 3, 3, False)
    taken = city.release({BROMMA: 4}, yearly=True)[BROMMA]
    assert (taken.decision, taken.salt, taken.draws) == ("anew", 4, 4)
    assert city.release({BROMMA: 5})[BROMMA].decision == "held"  # the next waits for the next year


def test_city_and_its_districts_are_drawn_anew_or_held_together() -> None:
    # Each district has one correction; the city is drawn with each of them, and has its three draws after two.
    city = City()
    city.release({BROMMA: 1, FARSTA: 2, CITY: 3, YEAR: 9})
    city.release({BROMMA: 11, FARSTA: 2, CITY: 31, YEAR: 9})
    city.release({BROMMA: 11, FARSTA: 21, CITY: 32, YEAR: 9})
    after = city.release({BROMMA: 12, FARSTA: 21, CITY: 33, YEAR: 91})
    assert said(after) == {BROMMA: "held", FARSTA: "same", CITY: "held", YEAR: "anew"}
    assert after[CITY].salt == 32 and after[BROMMA].salt == 11


def test_unit_that_comes_late_goes_out_while_corrections_wait() -> None:
    city = City(cap=1)
    city.release({BROMMA: 1, CITY: 3})
    after = city.release({BROMMA: 1, FARSTA: 2, CITY: 4})
    assert said(after) == {BROMMA: "same", FARSTA: "first", CITY: "held"}


def records(*counts: int) -> bytes:
    """The sketch of a group with so many in its first buckets."""
    made = np.zeros(LENGTH, np.uint8)
    made[: len(counts)] = counts
    return made.tobytes()


def waits(before: dict[Group, bytes], after: dict[Group, bytes], parts: Parts, *, yearly: bool = False) -> set[Group]:
    """What is held, of groups of which 20 changed records are needed; a group's salt is its sketch's number."""
    draws = [Draw(**vars(group), release_id=1, salt=1, revision=0, sketch=one) for group, one in before.items()]
    salts = {group: 1 if one == before[group] else 2 for group, one in after.items()}
    found = decide(
        salts, draws, cap=3, sealed=(), is_yearly_revision=yearly, sketches=after, parts=parts, least_changed=20
    )
    assert {one.decision for one in found} <= {"held", "same", "anew"}
    return {one.group for one in found if one.decision == "held"}


@pytest.mark.parametrize(
    ("bromma", "farsta", "held"),
    [
        (1, 0, {"bromma", "stockholm"}),  # one record: neither the unit nor the city shows it
        (19, 0, {"bromma", "stockholm"}),
        (20, 0, set()),
        (30, 1, {"farsta", "stockholm"}),  # the city less bromma would show farsta's one
        (12, 12, {"bromma", "farsta"}),  # together they are enough for the city
        (25, 20, set()),
    ],
)
@pytest.mark.parametrize("yearly", [False, True])
def test_few_changed_records_wait_and_what_would_show_them(
    bromma: int, farsta: int, held: set[str], yearly: bool
) -> None:
    before = {BROMMA: records(50, 9), FARSTA: records(0, 0, 60), CITY: records(50, 9, 60)}
    after = {
        BROMMA: records(50 - bromma, 9),
        FARSTA: records(0, 0, 60 - farsta),
        CITY: records(50 - bromma, 9, 60 - farsta),
    }
    found = waits(before, after, {CITY: [[BROMMA, FARSTA]]}, yearly=yearly)
    assert {group.unit for group in found} == held


def test_year_waits_with_the_quarter_that_it_would_show_and_the_city_with_the_year() -> None:
    city_year = replace(YEAR, unit="stockholm")
    before = dict.fromkeys((BROMMA, YEAR, CITY, city_year), records(90))
    few = {BROMMA: records(91), YEAR: records(91), CITY: records(140), city_year: records(140)}
    parts = {YEAR: [[BROMMA]], CITY: [[BROMMA]], city_year: [[YEAR], [CITY]]}
    assert waits(before, few, parts) == set(before)


def test_draw_from_before_sketches_is_followed_by_any_change() -> None:
    assert waits({BROMMA: b""}, {BROMMA: records(1)}, {}) == set()


def test_group_that_is_emptied_is_a_change_and_no_draw() -> None:
    city = City()
    assert city.release({BROMMA: 1, FARSTA: NOTHING})[FARSTA].decision == "same"
    assert [one.unit for one in city.draws] == ["bromma"]
    for salts in ({}, {BROMMA: NOTHING}):
        emptied = city.release(salts)[BROMMA]
        assert (emptied.salt, emptied.draws) == (NOTHING, 1)
    assert [one.salt for one in city.draws] == [1, NOTHING]  # the second time nothing has changed
    assert city.release({BROMMA: 1})[BROMMA].decision == "returned"
    assert city.release({BROMMA: 2})[BROMMA].draws == 2


def test_a_group_that_cannot_be_made_anew_waits_and_the_others_go_on() -> None:
    city = City()
    city.release({BROMMA: 1, FARSTA: 2, CITY: 3, CARE: 4})
    found = decide({FARSTA: 5, CARE: 4}, city.draws, cap=3, sealed=SEALED, unfinished={BROMMA, CITY, CARE, YEAR})
    assert said({one.group: one for one in found}) == {BROMMA: "held", CITY: "held", CARE: "held", FARSTA: "anew"}
    assert {one.group: one.salt for one in found} == {BROMMA: 1, FARSTA: 5, CITY: 3, CARE: 4}
    assert [one.group for one in found if one.has_changed] == [FARSTA]


def test_change_of_a_sealed_period_is_a_numbered_revision() -> None:
    city = City()
    assert not revisions(city.release({BROMMA: 1, CARE: 1, YEAR: 1}).values())  # the first figures revise nothing
    provisional = city.release({BROMMA: 2, CARE: 1, YEAR: 2}, set())
    assert not revisions(provisional.values())
    first = city.release({BROMMA: 2, CARE: 2, YEAR: 3})
    assert revisions(first.values()) == {("kvartal", "2018Q3"): 1}
    assert first[BROMMA].revision == 0 and first[CARE].revision == 1 and first[YEAR].revision == 0
    second = city.release({BROMMA: 3, CARE: 2, YEAR: 3, FARSTA: 1})
    assert revisions(second.values()) == {("kvartal", "2018Q3"): 2}
    assert second[FARSTA].decision == "first" and second[FARSTA].revision == 2  # a unit that comes late revises too
    held = city.release({BROMMA: 4, CARE: 2, YEAR: 3, FARSTA: 1})
    assert held[BROMMA].decision == "held" and not revisions(held.values())


UNITS = (BROMMA, FARSTA, CITY)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12), st.integers(1, 3))
def test_draws_never_pass_the_cap_and_the_ledger_says_what_readers_have(
    states: list[tuple[int, ...]], cap: int
) -> None:
    city, seen = City(cap), {}
    for state in states:
        for group, one in city.release(dict(zip(UNITS, state, strict=True))).items():
            assert one.draws <= cap
            assert one.decision == "held" or one.salt == state[UNITS.index(group)]
            assert one.has_changed or one.salt == seen.get(group, NOTHING)
            seen[group] = one.salt
    newest = {Group(*(getattr(row, name) for name in vars(BROMMA))): row.salt for row in city.draws}
    assert newest == {group: salt for group, salt in seen.items() if group in newest}
    assert all(salt == NOTHING for group, salt in seen.items() if group not in newest)


# in the ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


NOW = datetime(2019, 2, 1)


def proposed(number: int) -> ReleaseRow:
    return ReleaseRow(number, "proposed", NOW, None, "2018Q3", False, "{}", None, None)


def test_ledger_returns_the_draws_of_what_has_gone_out(ledger: Ledger) -> None:
    rows = [Draw(**vars(group), release_id=1, salt=salt, revision=0) for group, salt in
            ((BROMMA, 2**64 - 1), (CITY, 1), (YEAR, 0))]  # fmt: skip
    record_release(ledger, proposed(1))
    with ledger.engine.begin() as connection:
        add_draws(connection, rows)
        add_draws(connection, [])
    assert released_draws(ledger) == []  # no reader has seen it
    approve(ledger, 1, NOW)
    assert sorted(released_draws(ledger), key=repr) == sorted(rows, key=repr)
    record_release(ledger, proposed(2))
    with ledger.engine.begin() as connection:
        add_draws(connection, [replace(rows[0], release_id=2, salt=5, revision=1)])
        forget_waiting_draws(connection)
    assert {row.release_id for row in released_draws(ledger)} == {1}
    with ledger.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(draw)).scalar() == 3


def test_ledger_keeps_no_count_of_anybody(ledger: Ledger) -> None:
    assert set(draw.columns.keys()) == {*vars(BROMMA), "release_id", "salt", "revision", "sketch"}


def test_a_period_is_new_though_a_unit_has_nothing_in_it() -> None:
    city = City()
    first = city.release({BROMMA: 1, FARSTA: NOTHING})
    assert [one.decision for one in first.values()] == ["first", "same"]
    assert new_periods(first.values()) == {"2018Q3"}
    later = replace(BROMMA, period="2018Q4")
    second = city.release({BROMMA: 1, FARSTA: 5, later: 7})
    assert new_periods(second.values()) == {"2018Q4"}
