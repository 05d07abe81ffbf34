"""`followup preview`: exactly the figures move that a taken-in file moves, and nothing is stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from city import Place, draw, settle, state

from followup import building, snapshot
from followup.building import BuildFailed
from followup.movements import movements
from followup.preview import preview
from ingest.settings import Settings

DISTRICT, QUARTER = "norrmalm", "2018Q1"
NAME = f"{DISTRICT}_serviceinsatser_{QUARTER}.csv"
CUTS = {
    "intervention_category": "ovrigt_foraldrastod",
    "intervention_code": "foraldraradgivning",
    "target_group": "foralder",
    "sex": "kvinna",
    "age_band": "vuxen",
    "referred_from": "forskola",
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Place:
    place = settle(tmp_path_factory.mktemp("place") / "p", drawn)
    place.followup("run", "--inbox", str(place.inbox))
    return place


@pytest.fixture
def resubmission(drawn: Path, tmp_path: Path) -> tuple[Path, int]:
    """The drawn file with three more conversations in the row of mothers whom preschool sent to advice, and how many
    that row had."""
    raw = (drawn / DISTRICT / NAME).read_bytes()
    text = raw.decode("utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "cp1252")
    lines = text.splitlines()
    separator = max(";,\t", key=lines[0].count)
    cells = [line.split(separator) for line in lines]
    at = [header.lower() for header in cells[0]].index("antal samtal")
    (row,) = [n for n, line in enumerate(cells) if {"Kvinna", "Vuxna", "Förskolan"} <= set(line) and "ådgiv" in line[0]]
    had = int(cells[row][at])
    cells[row][at] = str(had + 3)
    path = tmp_path / NAME
    path.write_bytes("\r\n".join(separator.join(line) for line in cells).encode())
    return path, had


def shown(place: Place, *arguments: str, expect: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(place.followup("preview", "--format", "json", *arguments, expect=expect))
    return answer


def settings(place: Place) -> Settings:
    return Settings.model_validate(
        {"home": place.home, "keys": place.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )


def test_the_figures_that_hold_the_changed_row_move_and_no_others(
    built: Place, resubmission: tuple[Path, int], tmp_path: Path
) -> None:
    """By hand: of the district and quarter every row of the mart that is whole, or cut as that row, has three more
    sessions; the city's too. Then the file is taken in for real, and what moved is what was said."""
    path, had = resubmission
    before, warehouse = state(built), (built.home / "warehouse.duckdb").read_bytes()
    said = shown(built, str(path), "--all")
    assert state(built) == before and (built.home / "warehouse.duckdb").read_bytes() == warehouse
    assert not (built.home / "preview").exists()
    assert (said["replaces_version"], said["is_known"], said["check"]["changes"]["by_column"]) == (
        1, False, [{"column": "antal_samtal", "count": 1}],
    )  # fmt: skip
    with duckdb.connect(str(built.home / "warehouse.duckdb"), read_only=True) as connection:
        holds = " and ".join(f"{column} in ('alla', '{value}')" for column, value in CUTS.items())
        (expected,) = connection.execute(
            f"select count(*) from marts.mart_service_interventions where district_code = '{DISTRICT}' "
            f"and reporting_quarter = '{QUARTER}' and {holds} and sessions >= {had}"
        ).fetchone()
    (services,) = [mart for mart in said["marts"] if mart["mart"] == "mart_service_interventions"]
    assert expected > 20
    assert services["moved"] == {"here": expected, "other_quarters": 0, "city": expected, "elsewhere": 0}
    assert {figure["measure"] for figure in services["figures"]} == {"sessions"}
    assert {figure["to"] - figure["from"] for figure in services["figures"]} == {3}
    assert all(f["key"][column] in ("alla", value) for f in services["figures"] for column, value in CUTS.items())

    other = settle(tmp_path / "taken", built.inbox, built.root / "keys.json")
    shutil.copytree(built.home, other.home)
    old = tmp_path / "old.duckdb"
    shutil.copy(built.home / "warehouse.duckdb", old)
    (other.inbox / DISTRICT / NAME).write_bytes(path.read_bytes())
    other.followup("run", "--inbox", str(other.inbox))
    real = movements(old, other.home / "warehouse.duckdb", DISTRICT, QUARTER, None)
    assert [
        (
            m.mart,
            [(dict(f.key), f.measure, f.before, f.after) for f in m.figures],
            m.other_quarters,
            m.city,
            m.elsewhere,
        )
        for m in real
    ] == [
        (
            m["mart"],
            [(f["key"], f["measure"], f["from"], f["to"]) for f in m["figures"]],
            *(m["moved"][place] for place in ("other_quarters", "city", "elsewhere")),
        )
        for m in said["marts"]
    ]


def test_text_shows_totals_first_and_counts_the_rest(built: Place, resubmission: tuple[Path, int]) -> None:
    lines = built.followup("preview", str(resubmission[0])).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("mart_service_interventions: "))
    assert f"of {DISTRICT} {QUARTER}" in lines[at] and "of the whole city" in lines[at]
    assert lines[at + 1].split()[:2] == ["total,", "as_submitted"] and " → " in lines[at + 1]
    assert lines[at + 21].strip().startswith("… and ") and lines[at + 21].endswith("more (--all lists them)")


def test_what_others_sent_since_the_last_build_is_not_shown_as_the_file_s(
    built: Place, drawn: Path, resubmission: tuple[Path, int], tmp_path: Path
) -> None:
    """Received but not built: a file of alvsjo with no rows. The preview builds both sides."""
    place = settle(tmp_path / "behind", drawn, built.root / "keys.json")
    shutil.rmtree(place.inbox)
    shutil.copytree(built.home, place.home)
    empty = place.inbox / "alvsjo" / f"alvsjo_serviceinsatser_{QUARTER}.csv"
    empty.parent.mkdir(parents=True)
    raw = (drawn / "alvsjo" / empty.name).read_bytes()
    empty.write_bytes(raw[: raw.index(b"\n") + 1])
    place.followup("receive", "--inbox", str(place.inbox))
    (place.home / "preview" / "999999999-left").mkdir(parents=True)
    said = shown(place, str(resubmission[0]))
    (services,) = [mart for mart in said["marts"] if mart["mart"] == "mart_service_interventions"]
    assert services["moved"]["elsewhere"] == 0 and services["moved"]["city"] == services["moved"]["here"]
    assert len(services["figures"]) == 20 and {f["to"] - f["from"] for f in services["figures"]} == {3}
    assert not (place.home / "preview").exists(), "what a killed preview left is gone too"


def test_refused_file_says_why_and_nothing_is_built(built: Place, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"Insats;Kolumn\r\nkomet;1\r\n")
    text = built.followup("preview", str(path), expect=1)
    assert "TAS INTE IN" in text and "FIL-010" in text and "mart_" not in text
    assert shown(built, str(path), expect=1)["marts"] == []


def test_same_content_as_in_force_moves_nothing(built: Place, drawn: Path) -> None:
    said = shown(built, str(drawn / DISTRICT / NAME))
    assert (said["is_known"], said["marts"]) == (True, [])
    assert "The same content as version 1" in built.followup("preview", str(drawn / DISTRICT / NAME))


def test_without_anything_received_there_is_nothing_to_compare_with(tmp_path: Path, drawn: Path) -> None:
    place = settle(tmp_path / "empty", drawn)
    place.followup("preview", str(drawn / DISTRICT / NAME), expect=3)
    assert not place.home.exists()


def test_file_with_which_the_build_would_fail_is_told_and_leaves_nothing(
    built: Place, resubmission: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(building.PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "tests" / "assert_first_version.sql").write_text(
        "select 1 as wrong from {{ ref('stg_submissions') }} where version > 1\n"
    )
    monkeypatch.setattr(building, "PROJECT", project)
    monkeypatch.setattr(snapshot, "PROJECT", project)
    with pytest.raises(BuildFailed, match="assert_first_version"):
        preview(settings(built), resubmission[0])
    assert not (built.home / "preview").exists()
    assert built.ledger().last_build("failed") is None
