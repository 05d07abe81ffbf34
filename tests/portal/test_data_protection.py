"""The papers of data protection say what contracts, settings, policy, places and routes are."""

from __future__ import annotations

import pytest

from followup.backup.contents import BY_THE_LEDGER, MADE_AGAIN
from ingest.contracts import load_contracts
from ingest.feedback_files import FEEDBACK_ENDINGS
from ingest.ledger.api_tokens import Scope
from ingest.settings import Settings
from portal.data_protection.__main__ import FOLDER, pages
from portal.data_protection.facts import accesses, gated_routes, load_texts, page_of, stored_for, times
from portal.settings import PortalSettings
from publish.policy import load_policy

MADE_BY_BUILDS = {"build", "preview", "trial", "declared"}
OTHERS = {"airflow", "postgres", "releases", "portal_accounts.json"}
"""Of Airflow, PostgreSQL and the demo; `releases` is where `published` leads to."""


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_pages_are_what_the_code_says(made: dict[str, str]) -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert there == made, "run `python -m portal.data_protection`"
    assert len(made) == 7


def test_every_column_of_every_dataset_is_in_the_record(made: dict[str, str]) -> None:
    record = made["registerforteckning.md"]
    for contract in load_contracts().values():
        part = record.partition(f"(`{contract.dataset}`)\n")[2].partition("\n### ")[0]
        assert ("Rader om enskilda barn." in part) == contract.about_persons
        for column in contract.columns:
            row = next(line for line in part.splitlines() if line.startswith(f"| {column.label_sv} |"))
            is_replaced = contract.about_persons and column.name in ("personnummer", "lopnummer", "fodelsear")
            assert ("ersätts av pseudonym" in row) == is_replaced, row


def test_every_place_of_an_installation_has_its_row(made: dict[str, str]) -> None:
    places = {*BY_THE_LEDGER, *MADE_AGAIN, "closings", "landing", "ledger.sqlite", "warehouse.duckdb", "nycklar"}
    wanted = places - MADE_BY_BUILDS - OTHERS
    rows = made["konsekvensbedomning.md"].partition("|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert {line.split(" | ")[0].strip("| ") for line in rows.splitlines()} >= wanted
    assert all(len(line.split(" | ")) == 5 for line in rows.splitlines())


def test_papers_say_that_an_answers_workbook_has_rows_about_children(made: dict[str, str]) -> None:
    assert "xlsx" in FEEDBACK_ENDINGS
    assert "arbetsboken har också rader om barn" in made["konsekvensbedomning.md"]
    (line,) = (one for one in made["informationsklassning.md"].splitlines() if one.startswith("| Svar till enheterna"))
    (rows,) = (one for one in made["informationsklassning.md"].splitlines() if one.startswith("| Rader med pseudonym"))
    assert line.split(" | ")[2] == rows.split(" | ")[2] == "4"
    assert "aldrig barnens rader" not in made["behorighetsmatris.md"]
    assert "ser inga rader" not in made["registerforteckning.md"]


def test_erasing_by_age_is_named_by_the_command_that_does_it_all(made: dict[str, str]) -> None:
    assert "`followup erase-expired --yes`" in made["radering-och-registerutdrag.md"]


def test_every_setting_that_says_how_long_is_named_with_its_default(made: dict[str, str]) -> None:
    said = {name for name, _, _ in times(load_texts())}
    assert stored_for() <= said, "give it Swedish words in portal/data_protection/texts.yml"
    assert {"backup_days", "session_hours", "spool_hours"} <= said
    for page in ("registerforteckning.md", "radering-och-registerutdrag.md"):
        for _, how_long, _ in times(load_texts()):
            assert how_long in made[page]
    assert f"{Settings.model_fields['originals_kept_days'].default} dagar" in made["konsekvensbedomning.md"]
    assert f"{PortalSettings.model_fields['spool_hours'].default} timmar" in made["konsekvensbedomning.md"]


def test_every_page_of_the_portal_is_in_the_matrix_under_the_gate_of_its_route(made: dict[str, str]) -> None:
    texts, routes = load_texts(), list(gated_routes())
    assert len(routes) > 60
    for methods, path, gate in routes:
        what = texts["sidor"][page_of(texts, path)]
        row = next(line for line in made["behorighetsmatris.md"].splitlines() if line.startswith(f"| {what} |"))
        cell = row.split(" | ")[1 if "GET" in methods else 2]
        assert texts["roller"][gate] in cell.strip(" |").split(", "), (path, row)
    changers = {one.what: one.changers for one in accesses(texts)}
    assert changers["Låsa och låsa upp kvartal"] == ("stadens team",)
    assert changers["Publicerade siffror"] == ()
    assert [name for name in texts["sidor"] if name not in {page_of(texts, path) for _, path, _ in routes}] == []


def test_every_scope_of_a_token_is_in_the_matrix(made: dict[str, str]) -> None:
    assert [f"| `{scope.value}` |" in made["behorighetsmatris.md"] for scope in Scope] == [True] * len(Scope)


def test_the_page_about_figures_has_the_policys_numbers(made: dict[str, str]) -> None:
    page, keys = made["vad-en-siffra-kan-saga.md"], load_policy().cell_keys
    assert f"**1–{keys.js} visas aldrig.**" in page and f"färre än {keys.too_few} visas inte" in page
    assert f"aldrig mer än **{keys.greatest_deviation}**" in page
    for statistic, least in keys.minimum_n.items():
        assert str(least) in page, statistic


def test_what_the_city_decides_is_left_to_it(made: dict[str, str]) -> None:
    for name in ("registerforteckning.md", "informationsklassning.md", "radering-och-registerutdrag.md"):
        assert "*staden beslutar*" in made[name].lower()
