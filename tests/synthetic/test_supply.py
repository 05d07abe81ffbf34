"""What the drawn districts offer, and their routines: held against the city's own reports and the other files."""

from __future__ import annotations

from datetime import date

import pytest
from readback import City, Row, quarter, read_city

from ingest.organisation_tables import read_seed
from synthetic.city import draw_city

SUPPORT = ("missbruk", "psykisk_funktionsnedsattning", "vald")
Key = tuple[object, object, object]


@pytest.fixture(scope="module", params=[7, 23])
def year(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> City:
    """Two quarters, a year and a half apart, of two cities."""
    folder = tmp_path_factory.mktemp("supply")
    for text in ("2018Q1", "2019Q3"):
        draw_city(folder, quarter(text), quarter(text), scale=0.1, seed=request.param)
    for path in folder.glob("*/*_*"):
        if path.stem.split("_")[1] not in ("utbud", "serviceinsatser", "rutiner"):
            path.unlink()
    return read_city(folder)


def lines(city: City, text: str) -> dict[str, list[Row]]:
    return {
        district: file.rows
        for (district, dataset, when), file in city.items()
        if dataset == "utbud" and when == quarter(text)
    }


def key(row: Row) -> Key:
    return row["insats"], row["insatsform"], row["riktad_till"]


def test_advice_talks_are_a_service_in_thirteen_of_fourteen_districts(year: City) -> None:
    talks = [
        district
        for district, rows in lines(year, "2018Q1").items()
        if any(
            (row["insats"], row["insatsform"], row["status"]) == ("rad_och_stod", "service", "erbjuds") for row in rows
        )
    ]
    assert len(talks) == 13
    counted = {
        district
        for (district, dataset, _), file in year.items()
        for row in file.rows
        if dataset == "serviceinsatser" and row["insats"] == "rad_och_stod"
    }
    assert counted == set(talks)


def test_thirteen_districts_have_support_groups_and_eight_plan_one(year: City) -> None:
    groups = {row["intervention_code"] for row in read_seed("interventions") if row["category"] == "barngrupp"}
    found = {
        status: {
            district
            for district, rows in lines(year, "2018Q1").items()
            for row in rows
            if row["insats"] in groups and row["riktad_till"] in SUPPORT and row["status"] == status
        }
        for status in ("erbjuds", "planeras")
    }
    assert len(found["erbjuds"]) == 13
    assert len(found["planeras"]) == 8


def test_what_is_counted_as_a_service_is_offered_as_one(year: City) -> None:
    for (district, dataset, when), file in year.items():
        if dataset != "serviceinsatser":
            continue
        offered = {
            row["insats"]
            for row in year[district, "utbud", when].rows
            if row["insatsform"] == "service" and row["status"] == "erbjuds"
        }
        assert {row["insats"] for row in file.rows} <= offered


def test_lines_are_unique_and_of_a_form_that_the_catalogue_knows_save_in_one_district(year: City) -> None:
    form = {row["intervention_code"]: row["usual_form"] for row in read_seed("interventions")}
    for text in ("2018Q1", "2019Q3"):
        others = set()
        for district, rows in lines(year, text).items():
            assert len({key(row) for row in rows}) == len(rows) > 20
            for row in rows:
                if form[str(row["insats"])] not in ("bada", row["insatsform"]):
                    others.add((district, row["insats"]))
        assert len(others) == 1


def test_supply_changes_slowly(year: City) -> None:
    before, after = lines(year, "2018Q1"), lines(year, "2019Q3")
    same = changed = 0
    for district, rows in before.items():
        later = {key(row): row for row in after[district]}
        for row in rows:
            if key(row) in later:
                same += row["status"] == later[key(row)]["status"]
                changed += row["status"] != later[key(row)]["status"]
                for column in ("regi", "malgrupp", "max_antal_samtal", "evidensbaserad", "sprak"):
                    assert row[column] == later[key(row)][column]
    assert 3 <= changed <= 0.1 * same


def test_web_information_is_of_various_ages_and_never_of_the_future(year: City) -> None:
    for text in ("2018Q1", "2019Q3"):
        end = quarter(text).end
        offered = [row for rows in lines(year, text).values() for row in rows if row["status"] == "erbjuds"]
        days = [row["webbinfo_uppdaterad"] for row in offered]
        ages = [(end - day).days for day in days if isinstance(day, date)]
        assert min(ages) >= 0
        assert 0.05 < days.count(None) / len(days) < 0.25
        young = sum(age <= 365 for age in ages) / len(ages)
        assert 0.4 < young < 0.9
        assert max(ages) > 2 * 365


def test_most_units_have_routines_least_for_mental_illness_and_more_as_time_goes(year: City) -> None:
    def share(text: str, directed: str | None = None) -> float:
        found = [
            row
            for (_, dataset, when), file in year.items()
            for row in file.rows
            if dataset == "rutiner" and when == quarter(text) and directed in (None, row["riktad_till"])
        ]
        return sum(row["rutin"] == "finns" for row in found) / len(found)

    assert 0.5 < share("2018Q1") < share("2019Q3") < 0.95
    assert share("2018Q1", "psykisk_funktionsnedsattning") < share("2018Q1", "vald")
    for (_, dataset, when), file in year.items():
        for row in file.rows if dataset == "rutiner" else []:
            revised = row.get("senast_reviderad")
            assert revised is None or row["rutin"] == "finns"
            assert revised is None or (isinstance(revised, date) and revised <= when.end)
