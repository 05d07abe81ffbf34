"""The drawn groups, read back from the files alone: each keeps its number and its course from quarter to quarter."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from readback import City, Row, quarter, read_city

from ingest.districts import load_districts
from ingest.quarters import Quarter
from synthetic.city import draw_city

PARTS = ("deltagare_flickor", "deltagare_pojkar", "deltagare_mammor", "deltagare_pappor")
FIXED = ("insats", "malgrupp", "planerad_start", "platser", "oppen_for_andra_stadsdelar", "riktad_till")
Seen = list[tuple[Quarter, str, Row]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> City:
    """A year of the city at its ordinary size, over the merger of 2020."""
    folder = tmp_path_factory.mktemp("groups")
    draw_city(folder, quarter("2020Q1"), quarter("2020Q4"))
    for path in folder.glob("*/*_*"):
        if path.stem.split("_")[1] not in ("grupper", "utbud"):
            path.unlink()
    return read_city(folder)


@pytest.fixture(scope="module")
def groups(whole: City) -> dict[str, Seen]:
    """What the files say of each group, in order of quarter."""
    found: defaultdict[str, Seen] = defaultdict(list)
    for (district, dataset, when), file in sorted(whole.items(), key=lambda item: item[0][2]):
        for row in file.rows if dataset == "grupper" else []:
            found[str(row["grupp_id"])].append((when, district, row))
    return dict(found)


def number(value: object) -> int:
    assert isinstance(value, int)
    assert value >= 0
    return value


def came(row: Row) -> int:
    return sum(number(row[part]) for part in PARTS)


def test_a_group_is_in_every_quarters_file_from_its_planning_to_its_end(groups: dict[str, Seen]) -> None:
    for seen in groups.values():
        quarters = [when for when, _, _ in seen]
        assert quarters == [quarters[0].back(-n) for n in range(len(quarters))]
        states = [str(row["status"]) for _, _, row in seen]
        order = ["planerad", "startad", "avslutad", "installd"]
        assert states == sorted(states, key=order.index)
        assert not {"startad", "installd"} <= set(states)
        assert all(state not in ("avslutad", "installd") for state in states[:-1])
        if quarters[-1] < quarter("2020Q4"):
            assert states[-1] in ("avslutad", "installd")


def test_what_is_known_of_a_group_does_not_change(groups: dict[str, Seen]) -> None:
    followed = 0
    for seen in groups.values():
        for (_, _, before), (_, _, after) in pairwise(seen):
            followed += 1
            assert all(before[column] == after[column] for column in FIXED)
            if before["faktisk_start"]:
                assert before["faktisk_start"] == after["faktisk_start"]
                assert came(before) == came(after)
            assert number(before["anmalda"]) <= number(after["anmalda"])
    assert followed > 300


def test_a_merged_unit_goes_on_with_its_predecessors_groups(groups: dict[str, Seen]) -> None:
    successors = {before: after for before, after, _ in load_districts().successions}
    merged = 0
    for seen in groups.values():
        for (_, before, _), (when, after, _) in pairwise(seen):
            if before != after:
                assert (when, after) == (quarter("2020Q3"), successors[before])
                merged += 1
    assert merged > 3


def test_groups_keep_the_contracts_conditions(groups: dict[str, Seen]) -> None:
    causes = set()
    for seen in groups.values():
        for when, _, row in seen:
            start, planned = row["faktisk_start"], row["planerad_start"]
            assert isinstance(planned, date)
            assert (start is not None) == (row["status"] in ("startad", "avslutad"))
            assert start is None or (isinstance(start, date) and start <= when.end)
            assert (row["installd_skal"] is not None) == (row["status"] == "installd")
            assert (came(row) > 0) == (start is not None)
            assert number(row["fullfoljt"]) <= came(row)
            assert number(row.get("deltagare_via_socialtjanst") or 0) <= came(row)
            parents = came(row) - number(row["deltagare_flickor"]) - number(row["deltagare_pojkar"])
            assert parents == (came(row) if row["malgrupp"] == "foralder" else 0)
            causes.add(row["installd_skal"])
    assert {"for_fa_anmalda", "personal"} <= causes


def test_groups_fill_as_they_do_and_some_are_cancelled_for_too_few(groups: dict[str, Seen]) -> None:
    last = [seen[-1][2] for seen in groups.values()]
    started = [row for row in last if row["faktisk_start"]]
    assert len(started) > 200
    assert all(6 <= came(row) <= 14 for row in started)
    fill = sum(came(row) for row in started) / sum(number(row["platser"]) for row in started)
    assert 0.70 < fill < 0.90
    cancelled = [row for row in last if row["status"] == "installd"]
    too_few = [row for row in cancelled if row["installd_skal"] == "for_fa_anmalda"]
    assert 0.05 < len(cancelled) / (len(started) + len(cancelled)) < 0.25
    assert len(too_few) > len(cancelled) / 2
    assert all(number(row["anmalda"]) < 0.6 * number(row["platser"]) for row in too_few)


def test_a_district_has_free_seats_for_others_while_another_has_a_queue(whole: City) -> None:
    for text in ("2020Q1", "2020Q4"):
        free: defaultdict[object, set[str]] = defaultdict(set)
        queue: defaultdict[object, set[str]] = defaultdict(set)
        for (district, dataset, when), file in whole.items():
            for row in file.rows if dataset == "grupper" and when == quarter(text) else []:
                if row["status"] == "startad" and number(row["i_ko"]):
                    queue[row["insats"]].add(district)
                taken = max(came(row), number(row["anmalda"]))
                may_come = row["status"] in ("planerad", "startad") and row["oppen_for_andra_stadsdelar"] == "ja"
                if may_come and taken < number(row["platser"]):
                    free[row["insats"]].add(district)
        pairs = [(a, b) for code in queue for a in queue[code] for b in free[code] if a != b]
        assert len(pairs) > 5


def test_groups_are_of_interventions_that_the_district_lists(whole: City) -> None:
    for (district, dataset, when), file in whole.items():
        if dataset != "grupper":
            continue
        listed = {
            (row["insats"], row["riktad_till"]): row["status"]
            for row in whole[district, "utbud", when].rows
            if row["insatsform"] == "service"
        }
        for row in file.rows:
            assert (row["insats"], row["riktad_till"]) in listed
            if row["status"] == "planerad":
                assert listed[row["insats"], row["riktad_till"]] in ("erbjuds", "upphord")


def test_a_quarters_groups_do_not_depend_on_the_quarters_drawn_before(whole: City, tmp_path: Path) -> None:
    draw_city(tmp_path, quarter("2020Q4"), quarter("2020Q4"))
    for path in tmp_path.glob("*/*_*"):
        if "_grupper_" not in path.name:
            path.unlink()
    for key, file in read_city(tmp_path).items():
        assert file.rows == whole[key].rows
