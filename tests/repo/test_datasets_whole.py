"""Every dataset is there in all its parts, and no part lacks a column that another has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from followup.templates import as_csv, as_template
from ingest.checks.suites import load_rules
from ingest.contracts import EXPECTATIONS, PERSON_COLUMNS, Column, Contract, load_contracts
from ingest.quarters import Quarter
from ingest.reading.tables import read_table
from ingest.settings import ROOT
from ingest.storing import stored_schema
from synthetic.city import CityDrawn, draw_city

STAGING = ROOT / "dbt_project" / "models" / "staging"
DATASETS = sorted(load_contracts())
PROVENANCE = ("submission_id", "district_code", "reporting_quarter", "source_file_sha256", "submitted_at")
PERSON = ("person_key", "match_person_key", "is_linkable", "birth_date", "is_birth_date_exact", "id_typ")
QUARTER = Quarter(2018, 1)


def yaml_of(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def columns(contract: Contract) -> set[str]:
    return {column.name for column in contract.columns}


def in_the_suite(contract: Contract) -> set[str]:
    """Columns that a rule says must be readable: every type can be misspelt."""
    return {rule.columns[0] for rule in load_rules(contract.dataset) if rule.kind == "expect_values_to_be_readable"}


def in_the_examples(contract: Contract) -> set[str]:
    declared = yaml_of(EXPECTATIONS / contract.dataset / "examples" / "rules.yml")
    base, since = declared["base"], declared.get("since", {})
    assert isinstance(base, dict) and isinstance(since, dict)
    return {*base, *(name for row in since.values() for name in row)}


def in_staging(contract: Contract) -> set[str]:
    """Stored columns that the staging model reads; those behind the person's keys count when all of them are read."""
    text = (STAGING / f"stg_{contract.dataset}.sql").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_0-9]+", re.sub(r"--.*", "", text).partition("renamed as")[2]))
    behind_keys = set(PERSON_COLUMNS) if contract.about_persons and set(PERSON) <= words else set()
    stored = {column.name for column in contract.stored_columns} | {"id_typ"}
    return (words & stored) | behind_keys


def in_the_csv_template(contract: Contract) -> set[str]:
    return set(read_table(as_csv(contract), contract, "csv").columns)


def in_the_excel_template(contract: Contract) -> set[str]:
    return set(read_table(as_template(contract, None, None, ()), contract, "xlsx").columns)


def in_the_drawn_city(contract: Contract, city: CityDrawn) -> set[str]:
    """Columns of the dataset's files in a synthetic city; a district may leave out optional ones, not every one."""
    found: set[str] = set()
    for file in city.files:
        if file.dataset == contract.dataset and found != columns(contract):
            found |= set(read_table(file.path.read_bytes(), contract, file.path.suffix[1:]).columns)
    return found


QUARTERS = sorted({QUARTER, *(Quarter.parse(c.valid_from) for one in load_contracts().values() for c in one.changes)})
"""A quarter of each version of the contracts."""


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> dict[Quarter, CityDrawn]:
    return {quarter: draw_city(tmp_path_factory.mktemp("city"), quarter, quarter, scale=0.02) for quarter in QUARTERS}


WRITTEN = {"suite": in_the_suite, "examples": in_the_examples, "staging": in_staging}
"""Parts written by hand, each of which can lack a column."""
PARTS = WRITTEN | {"csv template": in_the_csv_template, "excel template": in_the_excel_template}


def with_a_column_more(contract: Contract) -> Contract:
    more = Column(name="provkolumn", label_sv="Provkolumn", type="integer")
    return contract.model_copy(update={"columns": (*contract.columns, more)})


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_part_has_the_contracts_columns(dataset: str, part: str) -> None:
    contract = load_contracts()[dataset]
    assert PARTS[part](contract) == columns(contract)


@pytest.mark.parametrize("part", WRITTEN)
def test_part_that_lacks_a_new_column_is_reported(part: str) -> None:
    for contract in map(with_a_column_more, load_contracts().values()):
        assert columns(contract) - WRITTEN[part](contract) == {"provkolumn"}


@pytest.mark.parametrize("dataset", DATASETS)
def test_synthetic_city_has_the_columns_of_its_quarters_contract(
    dataset: str, cities: dict[Quarter, CityDrawn]
) -> None:
    for quarter, city in cities.items():
        contract = load_contracts(quarter)[dataset]
        assert in_the_drawn_city(contract, city) == columns(contract)


@pytest.mark.parametrize("dataset", DATASETS)
def test_typed_empty_file_has_a_type_for_every_column_that_is_stored(dataset: str) -> None:
    contract = load_contracts()[dataset]
    schema = stored_schema(contract)
    replaced = {*PERSON_COLUMNS} if contract.about_persons else set()
    assert columns(contract) - replaced <= set(schema.names)
    assert set(PROVENANCE) <= set(schema.names)
    assert not replaced & set(schema.names)
    assert [field.name for field in schema if str(field.type) == "null"] == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_base_view_reads_a_declared_source(dataset: str) -> None:
    base = (STAGING / "base" / f"base_{dataset}.sql").read_text(encoding="utf-8")
    assert f"validated('{dataset}')" in base
    declared = yaml_of(STAGING / "_sources.yml")["sources"]
    assert isinstance(declared, list)
    (validated,) = [source for source in declared if source["name"] == "validated"]
    assert {table["name"] for table in validated["tables"]} == set(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_staging_model_documents_what_it_selects(dataset: str) -> None:
    text = re.sub(r"--.*", "", (STAGING / f"stg_{dataset}.sql").read_text(encoding="utf-8"))
    renamed = text.partition("renamed as")[2]
    selected = re.search(r"select\s(.*?)\n\s*from\s", renamed, re.DOTALL)
    assert selected is not None
    names = {part.split()[-1] for part in re.split(r",(?![^(]*\))", selected[1]) if part.strip()}
    models = yaml_of(STAGING / f"stg_{dataset}.yml")["models"]
    assert isinstance(models, list)
    assert names == {column["name"] for column in models[0]["columns"]}


def test_no_part_is_left_of_a_dataset_that_has_no_contract() -> None:
    folders = {path.name for path in EXPECTATIONS.iterdir() if path.is_dir()}
    staged = {path.stem.removeprefix("stg_") for path in STAGING.glob("stg_*.sql")} - {"submissions"}
    bases = {path.stem.removeprefix("base_") for path in STAGING.glob("base/base_*.sql")} - {"submissions"}
    assert folders == staged == bases == set(DATASETS)


def test_recipe_for_a_new_dataset_names_every_part(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipe = text.partition("## Adding a dataset")[2].partition("\n## ")[0]
    for part in (
        "contract.yml", "suite.json", "examples/", "ingest.rulebook", "_sources.yml", "base/base_<dataset>.sql",
        "staging/stg_<dataset>.sql", "synthetic/", "tests/ingest/corpus/", "GLOSSARY.md",
        "tests/repo/test_datasets_whole.py",
    ):  # fmt: skip
        assert part in recipe, part
