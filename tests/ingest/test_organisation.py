"""The folder of the organisation: whose units report, what they are called, and what is said when it is wrong."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from ingest import organisation_tables
from ingest.districts import load_districts, load_drop_locations
from ingest.organisation import (
    DEFAULT,
    FILE,
    OWN,
    OrganisationError,
    load_organisation,
    own_words,
    whole_code,
)
from ingest.organisation_tables import check_tables, read_seed
from ingest.settings import ORGANISATION, ROOT, Settings, SettingsError

OF_TWO = """
code = "riket"
name = "Hela riket"
contact = "Rikets enhet"

[words]
stadsdel = "kommun"
stadsdelarna = "kommunerna"
"hela staden" = "hela riket"
staden = "riket"

[municipality_codes]
ostby = "9001"

[[groups]]
name = "Östra länet"
units = ["ostby"]
"""
TABLES = {
    "districts": "district_code,name,kind,valid_from,valid_to\n"
    "ostby,Östby,district,2007-01-01,\nvastby,Västby,district,2007-01-01,2018-12-31\n",
    "district_successions": "predecessor_code,successor_code,from_date\nvastby,ostby,2019-01-01\n",
    "areas": "district_code,area_code,name,socioeconomic,pilot_from\nostby,torget,Torget,medel,\n",
    "population": "district_code,area_code,calendar_year,age_band,sex,inhabitants,is_synthetic\n"
    "ostby,,2017,0-5,kvinna,120,true\n",
    "intervention_aliases": "district_code,alias,intervention_code\n,rådgivning,rad_och_stod\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An organisation of two units in a folder, which the setting names."""
    place = tmp_path / "organisation"
    place.mkdir()
    (place / FILE).write_text(OF_TWO, encoding="utf-8")
    for name, text in TABLES.items():
        (place / f"{name}.csv").write_text(text, encoding="utf-8")
    monkeypatch.setenv(ORGANISATION, str(place))
    return place


def test_without_the_setting_it_is_the_projects_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ORGANISATION, raising=False)
    check_tables(load_organisation())
    assert (whole_code(), load_organisation().name) == ("stockholm", "Stockholms stad")
    assert Settings().catalogue_publisher == "Stockholms stad"
    assert own_words("Hela staden, `stadsdel` {whole}") == "Hela staden, `stadsdel` stockholm"


def test_dbt_has_the_whole_of_the_projects_own_where_nothing_is_passed() -> None:
    declared = yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    own = tomllib.loads((DEFAULT / FILE).read_text(encoding="utf-8"))
    assert (declared["whole_code"], declared["whole_name"]) == (own["code"], own["name"])


def test_another_folder_has_other_units_and_another_name(folder: Path) -> None:
    check_tables(load_organisation())
    assert [unit.name for unit in load_districts().districts] == ["Västby", "Östby"]
    assert (whole_code(), Settings().catalogue_publisher, Settings().catalogue_contact) == (
        "riket", "Hela riket", "Rikets enhet",
    )  # fmt: skip
    assert load_organisation().group_of("ostby") == "Östra länet"
    assert load_organisation().group_of("vastby") is None
    assert read_seed("reasons"), "what all organisations share is the project's"


@pytest.mark.parametrize(
    ("ours", "own"),
    [
        ("Hela staden", "Hela riket"),
        ("Stadsdelarna i staden.", "Kommunerna i riket."),
        ("En stadsdel, `stadsdel`, vy.stadsdel, stadsdelar", "En kommun, `stadsdel`, vy.stadsdel, stadsdelar"),
        ("/staden, innerstaden, staden_andel", "/staden, innerstaden, staden_andel"),
        ("`{whole}` är alla", "`riket` är alla"),
    ],
)
def test_texts_are_in_its_words_and_code_is_not(folder: Path, ours: str, own: str) -> None:
    assert own_words(ours) == own


_WRONG_FILES = [
    ('code = "riket"', 'code = "Riket"', "code: "),
    ('code = "riket"', 'code = "ostby"', "code: ostby is a unit's too"),
    ('name = "Hela riket"', 'name = "Riket\'"', "name: "),
    ('contact = "Rikets enhet"', "", "contact: "),
    ('code = "riket"', 'kod = "riket"', "code: "),
    ('ostby = "9001"', 'ostby = "901"', "municipality_codes.ostby: "),
    ('ostby = "9001"', 'norrby = "9001"', "municipality_codes: norrby is no unit"),
    ('units = ["ostby"]', 'units = ["ostby", "soderby"]', "groups: soderby is no unit"),
    ('units = ["ostby"]', 'units = ["ostby", "ostby"]', "a unit is in two groups: ostby"),
    ('stadsdel = "kommun"', 'Stadsdel = "kommun"', "write Stadsdel in lower case"),
    ('code = "riket"', "code = ", "can't be read as TOML"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), _WRONG_FILES)
def test_a_wrong_file_is_named_with_the_place_in_it(folder: Path, right: str, wrong: str, said: str) -> None:
    (folder / FILE).write_text(OF_TWO.replace(right, wrong), encoding="utf-8")
    _refused(folder, FILE, said)


_WRONG_TABLES = [
    ("districts", "ostby,Östby", "Östby,Östby", "row 2: district_code must be a code"),
    ("districts", "ostby,Östby", "ost_by,Östby", "row 2: district_code must be a code"),
    ("districts", "ostby,Östby", "ostby,", "row 2: name must be a name"),
    ("districts", "vastby,Västby", "ostby,Västby", "row 3: ostby is there twice"),
    ("districts", "vastby,Västby", "vastby,Östby", "row 3: Östby is there twice"),
    ("districts", "Östby,district", "Östby,kommun", "row 2: kind must be one of district, citywide"),
    ("districts", "2007-01-01,\n", "1 januari 2007,\n", "row 2: valid_from must be a date"),
    ("districts", "2018-12-31", "2006-12-31", "row 3: valid_to is before valid_from"),
    ("districts", "district_code,name", "kod,namn", "the first line must be district_code,name,kind"),
    ("districts", ",2007-01-01,\n", "\n", "row 2: it has not as many cells as there are columns"),
    ("districts", ",district,", ",citywide,", "has no unit of the kind district"),
    ("district_successions", "vastby,", "norrby,", "row 2: norrby is no unit"),
    ("district_successions", "2019-01-01", "2019-02-01", "its valid_to in districts.csv must be the day before"),
    ("district_successions", "2019-01-01", "2019", "row 2: from_date must be a date"),
    ("areas", "ostby,", "norrby,", "row 2: norrby is no unit"),
    ("areas", "medel", "mellan", "row 2: socioeconomic must be one of"),
    ("population", ",120,", ",-1,", "row 2: inhabitants must be a whole number"),
    ("population", "ostby,", "norrby,", "row 2: norrby is no unit"),
    ("population", "0-5", "0-6", "row 2: age_band must be one of"),
    ("intervention_aliases", ",rådgivning", "norrby,rådgivning", "row 2: norrby is no unit"),
]


@pytest.mark.parametrize(("table", "right", "wrong", "said"), _WRONG_TABLES)
def test_a_wrong_table_is_named_with_its_row(folder: Path, table: str, right: str, wrong: str, said: str) -> None:
    text = TABLES[table].replace(right, wrong)
    assert text != TABLES[table]
    (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    _refused(folder, f"{table}.csv", said)


@pytest.mark.parametrize("name", [FILE, *(f"{one}.csv" for one in OWN)])
def test_a_missing_or_unreadable_part_is_named_with_the_setting(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe\x00")
    _refused(folder, name, "in UTF-8")
    shutil.copytree(folder, folder.with_name("other"))
    other = folder.with_name("other")
    (other / name).unlink()
    with pytest.MonkeyPatch.context() as named:
        named.setenv(ORGANISATION, str(other))
        _refused(other, name, ORGANISATION)


def _refused(folder: Path, name: str, said: str) -> None:
    with pytest.raises(OrganisationError) as refused:
        check_tables(load_organisation())
    assert str(folder / name) in str(refused.value)
    assert said in str(refused.value)


def test_units_that_are_not_named_have_the_drop_location_of_the_others(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "districts.yml"
    settings = Settings.model_validate({"districts": path, "inbox": "/srv/inbox", "home": tmp_path, "keys": tmp_path})
    path.write_text("districts: {vastby: {url: /srv/vastby}}\nothers: {url: '${FOLLOWUP_INBOX}/{district}'}\n")
    assert {code: one.url for code, one in load_drop_locations(settings).items()} == {
        "ostby": "/srv/inbox/ostby",
        "vastby": "/srv/vastby",
    }
    path.write_text("districts: {vastby: {url: /srv/vastby}}\n")
    assert list(load_drop_locations(settings)) == ["vastby"]
    for wrong in ("others: {url: /srv/inbox}", "others: /srv/inbox", "others: {}"):
        path.write_text(f"districts: {{}}\n{wrong}\n")
        with pytest.raises(SettingsError, match=r"others: its url must hold \{district\}"):
            load_drop_locations(settings)


def test_an_empty_table_says_which_line_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "intervention_aliases.csv"
    path.touch()
    with pytest.raises(OrganisationError, match="the first line must be district_code,alias,intervention_code"):
        organisation_tables._rows(path)
