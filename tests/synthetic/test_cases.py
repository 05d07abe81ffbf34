"""What the drawn files say about children, cases and care, read back from the files alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from readback import City, Person, Row, quarter, read_person

from ingest.districts import load_districts
from ingest.quarters import Quarter

DATES = ("inkom_datum", "forhandsbedomning_klar", "utredning_start", "utredning_slut")
CARE_DATES = ("ansokan_datum", "beslut_datum", "start_datum", "slut_datum", "uppfoljd_datum")
Key = tuple[str, str]


def key(row: Row) -> Key:
    return str(row["arende_id"]), str(row["personnummer"] or row["lopnummer"])


def persons(city: City) -> list[tuple[Row, Person, Quarter]]:
    return [
        (row, read_person(str(row["personnummer"]), file.quarter), file.quarter)
        for file in city.values()
        for row in file.rows
        if row.get("personnummer")
    ]


def successor(district: str, later: Quarter) -> str:
    for before, after, since in load_districts().successions:
        if before == district and since <= later.start:
            return after
    return district


def is_open(row: Row) -> bool:
    if row["utredning_inledd"] is None:
        return True
    return row["utredning_inledd"] == "ja" and (row["utredning_slut"] is None or row["insats_accepterad"] == "vantar")


def test_personnummer_are_valid_and_carry_the_serials_of_test_numbers(city: City) -> None:
    found = persons(city)
    assert len(found) > 2000
    assert all(person.is_valid and 980 <= person.serial <= 989 for _, person, _ in found)
    assert all(("kvinna", "man")[person.serial % 2] == row["kon"] for row, person, _ in found)
    assert {person.is_coordination for _, person, _ in found} == {True, False}
    for row, person, _ in found:
        if row["id_typ"]:
            assert row["id_typ"] == ("samordningsnummer" if person.is_coordination else "personnummer")
    received = [(row, person) for row, person, _ in found if "inkom_datum" in row]
    for row, person in received:
        day = row["inkom_datum"]
        assert isinstance(day, date)
        assert person.birth <= day
        assert (day.year - person.birth.year) - ((day.month, day.day) < (person.birth.month, person.birth.day)) <= 20


def test_children_without_a_number_have_a_running_number_and_nothing_else(city: City) -> None:
    kinds = set()
    for (_, dataset, _), file in city.items():
        for row in file.rows if dataset in ("arenden", "oppenvard") else []:
            if row["personnummer"]:
                assert row["lopnummer"] is None
                assert row["fodelsear"] is None
                assert row["kon"] != "okant"
                continue
            kinds.add(row["id_typ"])
            assert row["id_typ"] in ("reservnummer", "ofodd", "skyddad")
            assert row["lopnummer"]
            assert (row["fodelsear"] is None) == (row["id_typ"] == "ofodd")
            assert (row["omrade"] is None) == (row["id_typ"] == "skyddad")
    assert kinds == {"reservnummer", "ofodd", "skyddad"}


def test_a_case_open_at_quarters_end_is_carried_on_unchanged_also_into_a_successors_file(city: City) -> None:
    carried = merged = 0
    for (district, dataset, when), file in city.items():
        if dataset != "arenden" or when == quarter("2020Q4"):
            continue
        after = successor(district, when.next())
        following = {key(row): row for row in city[after, dataset, when.next()].rows}
        for row in file.rows:
            if not is_open(row):
                assert key(row) not in following
                continue
            # The number may be written otherwise by the successor.
            later = following.get(key(row)) if after == district else _same_case(row, when, city, after)
            assert later is not None, (district, when)
            carried += 1
            merged += after != district
            for column in ("inkom_datum", "aktualisering", "uppgiftslamnare", "orsak", "kon", "omrade", *DATES):
                assert row[column] is None or later[column] == row[column]
    assert carried > 300
    assert merged > 20


def _same_case(row: Row, when: Quarter, city: City, after: str) -> Row | None:
    for other in city[after, "arenden", when.next()].rows:
        if other["arende_id"] != row["arende_id"]:
            continue
        if row["lopnummer"] or other["lopnummer"]:
            if row["lopnummer"] == other["lopnummer"]:
                return other
        elif read_person(str(row["personnummer"]), when) == read_person(str(other["personnummer"]), when.next()):
            return other
    return None


def test_files_show_what_was_open_in_the_quarter_and_nothing_later(city: City) -> None:
    for (_, dataset, when), file in city.items():
        for row in file.rows:
            for column in DATES if dataset == "arenden" else CARE_DATES if dataset == "oppenvard" else ():
                day = row.get(column)
                assert day is None or (isinstance(day, date) and day <= when.end)
            if dataset == "arenden" and not is_open(row) and row["insats_erbjuden"] != "ja":
                last = row["utredning_slut"] or row["forhandsbedomning_klar"]
                assert isinstance(last, date)
                assert last >= when.start
            if dataset == "oppenvard" and isinstance(row["slut_datum"], date):
                assert row["slut_datum"] >= when.back(2).start


def test_cases_keep_the_contracts_conditions(city: City) -> None:
    seen = set()
    for (_, dataset, _), file in city.items():
        if dataset != "arenden":
            continue
        assert len({key(row) for row in file.rows}) == len(file.rows)
        for row in file.rows:
            opened, ended = row["utredning_inledd"], row["utredning_slut"] is not None
            offered = row["insats_erbjuden"] == "ja"
            assert (row["ej_inledd_skal"] is not None) == (opened == "nej")
            assert (row["utredning_start"] is not None) == (opened == "ja")
            assert not (opened is None and row["forhandsbedomning_klar"])
            for column in ("barnet_horts", "skola_kontaktad", "insats_erbjuden"):
                assert (row[column] is not None) == ended
            assert (row["insats"] is not None) == offered == (row["insats_accepterad"] is not None)
            assert (row.get("ansokan_avser") is not None) <= (row["aktualisering"] == "ansokan")
            order = [row[c] for c in ("inkom_datum", "utredning_start", "utredning_slut") if row[c]]
            assert order == sorted(order, key=str)
            seen.add((opened, ended, row["insats_accepterad"]))
    assert {(None, False, None), ("nej", False, None), ("ja", False, None), ("ja", True, "vantar")} <= seen


def test_children_have_siblings_come_back_and_move(city: City) -> None:
    by_case: defaultdict[str, set[str]] = defaultdict(set)
    cases_of: defaultdict[Person, set[str]] = defaultdict(set)
    districts_of: defaultdict[Person, set[str]] = defaultdict(set)
    for (district, dataset, when), file in city.items():
        for row in file.rows if dataset == "arenden" else []:
            by_case[str(row["arende_id"])].add(key(row)[1])
            if row["personnummer"] and when < quarter("2020Q3"):
                person = read_person(str(row["personnummer"]), when)
                cases_of[person].add(str(row["arende_id"]))
                districts_of[person].add(district)
    siblings = sum(len(children) > 1 for children in by_case.values()) / len(by_case)
    assert 0.08 < siblings < 0.30
    assert sum(len(cases) > 1 for cases in cases_of.values()) > 100
    assert sum(len(found) > 1 for found in districts_of.values()) > 10


def test_episodes_follow_cases_that_the_district_has_reported(city: City) -> None:
    known: defaultdict[str, set[str]] = defaultdict(set)
    named = total = 0
    for (district, dataset, when), file in sorted(city.items(), key=lambda item: (item[0][2], item[0][1])):
        if dataset == "arenden":
            known[district] |= {str(row["arende_id"]) for row in file.rows}
            for before, after, since in load_districts().successions:
                if after == district and since <= when.start:
                    known[district] |= known[before]
        if dataset != "oppenvard":
            continue
        assert len({row["insats_id"] for row in file.rows}) == len(file.rows)
        for row in file.rows:
            total += 1
            if row["arende_id"]:
                named += 1
                assert row["arende_id"] in known[district]
            else:
                assert row["ansokan_datum"]
    assert named > total / 3


def test_episodes_keep_the_contracts_conditions(city: City) -> None:
    causes = set()
    for (_, dataset, _), file in city.items():
        for row in file.rows if dataset == "oppenvard" else []:
            ended = row["slut_datum"] is not None
            for column in ("avslutsorsak", "maluppfyllelse", "uppfoljd"):
                assert (row[column] is not None) == ended
            assert (row["uppfoljningsmetod"] is not None) == (row["uppfoljd"] == "ja") == bool(row["uppfoljd_datum"])
            assert not ended or row["start_datum"] or row["avslutsorsak"] == "ej_paborjad"
            order = [row[c] for c in ("ansokan_datum", "beslut_datum", "start_datum", "slut_datum") if row[c]]
            assert order == sorted(order, key=str)
            causes.add(row["avslutsorsak"])
    assert {"fullfoljd", "avbruten_familjen", "ej_paborjad", "beslut_lopt_ut"} <= causes
