"""What goes out beside a release: every CSV can be read by its description, the catalogue holds what it must."""

from __future__ import annotations

import csv
import json
import re
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingest.settings import ROOT, Settings
from publish.catalogue.described import code_labels
from publish.catalogue.manifest import DescribedColumn, DescribedTable, Exposure, Manifest
from publish.catalogue.markup import markdown
from publish.catalogue.write import write_catalogue
from publish.labels import load_terms
from publish.release.texts import swedish_pages
from publish.serving import serve

NOTICE = "SYNTETISKA UPPGIFTER. / SYNTHETIC DATA."
MANIFEST = Manifest(
    tables=(
        DescribedTable(
            name="mart_case_flow",
            layer="marts",
            description="One row per cut.\n\n### Question\nHow many?\n\n### Traps\n- Never add `persons` <twice>.",
            key=("district_code", "reporting_quarter", "age_band", "reason_code"),
            columns=(
                DescribedColumn(name="cases", description="Cases.", data_type="integer", is_additive=True),
                DescribedColumn(name="persons", description="Persons.", data_type="integer", is_additive=False),
            ),
        ),
    ),
    exposures=(
        Exposure(
            name="x", label="Flödet", description="", owner="", tables=("mart_case_flow",), meta={"publish": True}
        ),
    ),
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("release") / "release.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'; create schema published; use published")
        connection.execute(
            "create table mart_case_flow (district_code varchar, reporting_quarter varchar, age_band varchar, "
            "reason_code varchar, reason_label varchar, cases integer, persons integer, offer_rate double, "
            "ongoing integer, suppressed boolean, released_at timestamptz, deadline_date date)"
        )
        at = "2019-05-01 08:00:00+00"
        connection.executemany(
            "insert into mart_case_flow values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                ("farsta", "2018Q1", "6-12", "vald", 'Våld, i "familjen"', 12, 11, 0.25, 3, False, at, "2018-04-20"),
                ("farsta", "2018Q1", "6-12", "alla", "Alla", None, None, None, None, True, at, "2018-04-20"),
                ("stockholm", "2018Q2", "alla", "alla", "Alla", 40, 38, 1.0, 0, False, at, None),
            ],
        )
        connection.execute(
            "create table mart_case_flow_yearly (district_code varchar, calendar_year integer, age_band varchar, "
            "reason_code varchar, cases integer, primary key (district_code, calendar_year, age_band, reason_code))"
        )
        connection.execute("insert into mart_case_flow_yearly values ('stockholm', 2018, 'alla', 'alla', 40)")
        connection.execute("create table vy_flow as from mart_case_flow")
        connection.execute(
            "alter table vy_flow add primary key (district_code, reporting_quarter, age_band, reason_code)"
        )
        connection.execute("create table dim_district (district_code varchar primary key, district_label varchar)")
        connection.execute("insert into dim_district values ('farsta', 'Farsta'), ('stockholm', 'Hela staden')")
        connection.execute("create table dim_reason (reason_code varchar primary key, reason_label varchar)")
        connection.execute("insert into dim_reason values ('vald', 'Våld')")
        connection.execute("create table about (key varchar primary key, value varchar)")
        connection.executemany(
            "insert into about values (?, ?)",
            [("release_id", "2019-1"), ("released_at", "2019-05-01T08:00:00"), ("notice", NOTICE)],
        )
    return path


@pytest.fixture(scope="module")
def served(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release folder as readers find it."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.model_validate({"home": home, "FOLLOWUP_NOW": "2019-05-01T10:00:00"})
    write_catalogue(release, MANIFEST, home / "beside", settings)
    return serve(release, settings, beside=home / "beside").folder


# -- data packages: a small reader of Table Schema ---------------------------------------------------------------------


def _cast(text: str, field: dict[str, Any]) -> Any:
    kind = field["type"]
    if kind == "string":
        return text
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text.replace(field.get("decimalChar", "."), "."))
    if kind == "boolean":
        return {**dict.fromkeys(field["trueValues"], True), **dict.fromkeys(field["falseValues"], False)}[text]
    if kind == "date":
        return date.fromisoformat(text)
    assert kind == "datetime"
    if field["format"] == "any":
        return datetime.fromisoformat(text)
    return datetime.strptime(text, field["format"])  # noqa: DTZ007  (UTC, as the page beside the files says)


def _read(folder: Path, resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a resource by field name, every cell cast and held against its constraints."""
    schema, dialect = resource["schema"], resource["dialect"]
    text = (folder / resource["path"]).read_bytes().decode("utf-8-sig")
    lines = list(csv.reader(text.splitlines(keepends=True), delimiter=dialect["delimiter"], quotechar='"'))
    fields = schema["fields"]
    assert lines[0] == [field["name"] for field in fields]
    found = []
    for line in lines[1:]:
        row: dict[str, Any] = {}
        for cell, field in zip(line, fields, strict=True):
            limits = field.get("constraints", {})
            value = None if cell in schema["missingValues"] else _cast(cell, field)
            assert value is not None or not limits.get("required"), (resource["name"], field["name"])
            if value is not None:
                assert "enum" not in limits or value in limits["enum"]
                assert "minimum" not in limits or value >= limits["minimum"]
                assert "maximum" not in limits or value <= limits["maximum"]
            row[field["name"]] = value
        found.append(row)
    return found


def test_every_csv_of_a_release_is_read_by_its_schema(served: Path) -> None:
    package = json.loads((served / "csv" / "datapackage.json").read_text(encoding="utf-8"))
    resources = {resource["name"]: resource for resource in package["resources"]}
    assert {f"{name}.csv" for name in resources} == {path.name for path in (served / "csv").glob("*.csv")}
    rows = {name: _read(served / "csv", resource) for name, resource in resources.items()}
    for name, resource in resources.items():
        key = resource["schema"].get("primaryKey", [])
        assert len({tuple(row[column] for column in key) for row in rows[name]}) == len(rows[name]) or not key
        for foreign in resource["schema"].get("foreignKeys", []):
            to = foreign["reference"]
            known = {row[to["fields"]] for row in rows[to["resource"]]}
            assert {row[foreign["fields"]] for row in rows[name]} - {None} <= known
    assert all(resource["schema"].get("primaryKey") for resource in resources.values())
    assert package["licenses"] == [{"name": "CC0-1.0", "path": "http://creativecommons.org/publicdomain/zero/1.0/"}]
    assert NOTICE in package["description"]


def test_a_plain_schema_says_types_keys_references_and_codes(served: Path) -> None:
    package = json.loads((served / "csv" / "datapackage.json").read_text(encoding="utf-8"))
    flow = next(resource for resource in package["resources"] if resource["name"] == "vy_flow")
    fields = {field["name"]: field for field in flow["schema"]["fields"]}
    assert {name: field["type"] for name, field in fields.items()} == {
        "district_code": "string", "reporting_quarter": "string", "age_band": "string", "reason_code": "string",
        "reason_label": "string", "cases": "integer", "persons": "integer", "offer_rate": "number",
        "ongoing": "integer", "suppressed": "boolean", "released_at": "datetime", "deadline_date": "date",
    }  # fmt: skip
    assert flow["schema"]["primaryKey"] == ["district_code", "reporting_quarter", "age_band", "reason_code"]
    # `alla` is no reason of the dimension: a reference that some rows lack is not promised
    assert flow["schema"]["foreignKeys"] == [
        {"fields": "district_code", "reference": {"resource": "dim_district", "fields": "district_code"}}
    ]
    assert fields["reason_code"]["constraints"] == {"required": True, "enum": ["alla", "vald"]}
    assert fields["offer_rate"]["constraints"] == {"minimum": 0, "maximum": 1}
    assert fields["cases"]["constraints"] == {"minimum": 0}
    assert "required" not in fields["deadline_date"].get("constraints", {})


def test_a_hidden_value_reads_as_missing(served: Path) -> None:
    package = json.loads((served / "csv" / "datapackage.json").read_text(encoding="utf-8"))
    flow = next(resource for resource in package["resources"] if resource["name"] == "vy_flow")
    hidden = [row for row in _read(served / "csv", flow) if row["suppressed"]]
    assert [(row["cases"], row["offer_rate"]) for row in hidden] == [(None, None)]


# -- DCAT-AP-SE --------------------------------------------------------------------------------------------------------

MANDATORY = {
    "dcat:Catalog": [
        "dcterms:title", "dcterms:description", "dcterms:publisher", "dcterms:license", "dcat:dataset",
    ],
    "dcat:Dataset": ["dcterms:title", "dcterms:description", "dcterms:publisher"],
    "dcat:Distribution": ["dcat:accessURL"],
    "foaf:Agent": ["foaf:name"],
    "vcard:Organization": ["vcard:fn", "vcard:hasEmail"],
}  # fmt: skip
"""Properties with at least one value, by class: DCAT-AP-SE 3.0.1 (docs.dataportal.se/dcat/3.0.1/sv) and the example
that it gives of them, exempel/obligatoriskt.ttl in github.com/diggsweden/DCAT-AP-SE."""
EU = "http://publications.europa.eu/resource/authority/"


def _catalogue(release: Path, folder: Path, **settings: str) -> dict[str, Any]:
    write_catalogue(release, MANIFEST, folder, Settings.model_validate({"home": folder, **settings}))
    found: dict[str, Any] = json.loads((folder / "catalogue.jsonld").read_text(encoding="utf-8"))
    return found


def _nodes(value: Any) -> list[dict[str, Any]]:
    """Every object with a type, at any depth."""
    if isinstance(value, list):
        return [node for item in value for node in _nodes(item)]
    if not isinstance(value, dict):
        return []
    own = [value] if "@type" in value and "@value" not in value else []
    return own + [node for name, item in value.items() if name != "@context" for node in _nodes(item)]


@pytest.mark.parametrize(
    "settings", [{}, {"catalogue_uri": "https://data.example", "catalogue_contact_email": "a@b.se"}]
)
def test_the_catalogue_holds_what_the_profile_demands(release: Path, tmp_path: Path, settings: dict[str, str]) -> None:
    found = _catalogue(release, tmp_path, **settings)
    kinds = {node["@type"] for node in _nodes(found)}
    assert {"dcat:Catalog", "dcat:Dataset", "dcat:Distribution", "foaf:Agent", "dcterms:PeriodOfTime"} <= kinds
    for node in _nodes(found):
        for wanted in MANDATORY.get(node["@type"], []):
            assert node.get(wanted), (node["@type"], wanted)


def test_every_name_in_the_catalogue_has_a_vocabulary_of_its_context(release: Path, tmp_path: Path) -> None:
    found = _catalogue(release, tmp_path)
    used = set(re.findall(r'"([a-z]+):[A-Za-z]+"', json.dumps({k: v for k, v in found.items() if k != "@context"})))
    assert used <= set(found["@context"])
    assert not any(isinstance(value, str) and value.endswith("jsonld") for value in found["@context"].values())


def test_datasets_say_how_often_where_when_and_about_what(release: Path, tmp_path: Path) -> None:
    found = _catalogue(release, tmp_path)
    flow, _cut, _view, codes = found["dcat:dataset"]
    assert flow["dcterms:title"] == {"@value": "Ärendeflödet", "@language": "sv"}
    assert flow["dcterms:accrualPeriodicity"] == {"@id": EU + "frequency/QUARTERLY"}
    assert flow["dcterms:temporal"]["dcat:startDate"]["@value"] == "2018-01-01"
    assert flow["dcterms:temporal"]["dcat:endDate"]["@value"] == "2018-06-30"
    assert flow["dcterms:language"] == {"@id": EU + "language/SWE"}
    assert flow["dcat:theme"] == {"@id": EU + "data-theme/SOCI"}
    assert [word["@value"] for word in flow["dcat:keyword"]] == ["ärendeflödet", "flödet"]
    assert NOTICE in flow["dcterms:description"]["@value"]
    assert len(codes["dcat:distribution"]) == 4  # two dimensions, CSV and Parquet


def test_identifiers_are_relative_until_an_address_is_set(release: Path, tmp_path: Path, served: Path) -> None:
    relative = _catalogue(release, tmp_path / "relative")
    absolute = _catalogue(release, tmp_path / "absolute", catalogue_uri="https://data.example/uppfoljning")
    first = [
        found["dcat:dataset"][0]["dcat:distribution"][0]["dcat:accessURL"]["@id"] for found in (relative, absolute)
    ]
    name = "parquet/mart_case_flow.parquet"  # marts are not in the folder `csv`
    assert first == [name, f"https://data.example/uppfoljning/{name}"]
    for dataset in relative["dcat:dataset"]:
        for distribution in dataset["dcat:distribution"]:
            assert (served / distribution["dcat:downloadURL"]["@id"]).is_file()
        assert (served / dataset["dcat:landingPage"]["@id"]).is_file()


def test_without_a_contacts_address_none_is_invented_and_the_operator_is_informed(
    release: Path, tmp_path: Path
) -> None:
    found = _catalogue(release, tmp_path / "a")
    assert "vcard:Organization" not in {node["@type"] for node in _nodes(found)}
    written = write_catalogue(release, MANIFEST, tmp_path / "b", Settings.model_validate({"home": tmp_path}))
    assert written.notes == ("the catalogue names no contact: set FOLLOWUP_CATALOGUE_CONTACT_EMAIL",)
    named = Settings.model_validate({"home": tmp_path, "catalogue_contact_email": "fraga@stad.example"})
    assert write_catalogue(release, MANIFEST, tmp_path / "c", named).notes == ()
    assert "mailto:fraga@stad.example" in (tmp_path / "c" / "catalogue.jsonld").read_text(encoding="utf-8")


# -- texts of the readers' site ----------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """Sees that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_codes_have_the_contracts_names_where_these_agree() -> None:
    assert code_labels()["kvinna"] == "Kvinna"
    assert "annan" not in code_labels()  # another reason, unit, method: each contract says which


def test_every_mart_that_goes_out_has_a_swedish_page_of_four_parts() -> None:
    declared = yaml.safe_load((ROOT / "dbt_project/models/marts/_exposures.yml").read_text(encoding="utf-8"))
    out = {
        re.findall(r"'(\w+)'", parent)[0]
        for exposure in declared["exposures"]
        if exposure["config"]["meta"]["publish"]
        for parent in exposure["depends_on"]
    }
    assert out <= set(swedish_pages())
    for mart, page in swedish_pages().items():
        assert re.findall(r"^### (.+)$", page, re.MULTILINE) == ["Fråga", "En rad", "Så läser du", "Se upp"], mart
        assert load_terms()[mart].swedish


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    shown = markdown(text, level=3)
    assert set(re.findall(r"<(/?\w+)", shown)) <= {"h3", "/h3", "ul", "/ul", "li", "/li", "p", "/p", "code", "/code"}
    page = _Page()
    page.feed(shown)
    assert page.open == []


def test_headings_lists_and_paragraphs_are_distinguished() -> None:
    text = "One row.\n\n### Question\nHow many\nare there?\n\n- one `a`\n  and more\n- two"
    assert markdown(text, level=4) == (
        "<p>One row.</p><h4>Question</h4><p>How many are there?</p>"
        "<ul><li>one <code>a</code> and more</li><li>two</li></ul>"
    )
