"""`followup preview`: exactly the figures move that a taken-in file moves, and nothing is stored."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from city import Place, drawn_files, settle, state
from small_project import use_project, write_project

from followup.build.building import BuildFailed
from followup.build.figure_diff import Figure, MartDiff, diff_marts
from followup.build.preview import Preview, preview, temporary_folder
from followup.cli.commands.preview import text_of
from ingest.checking import CheckReport
from ingest.contracts import EXPECTATIONS
from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.leases import machine
from ingest.ledger.uploads import Upload, add_upload
from ingest.naming import read_name
from ingest.persons.keys import load_keys
from ingest.settings import Settings
from ingest.spooling import Spool
from portal.handover.facade import Handover
from portal.handover.facade import Preview as AskedPreview
from portal.handover.previews import make_next_preview

DISTRICT, QUARTER = "norrmalm", "2018Q1"
NAME = f"{DISTRICT}_serviceinsatser_{QUARTER}.csv"
BASE = yaml.safe_load((EXPECTATIONS / "serviceinsatser" / "examples" / "rules.yml").read_text())["base"]
CUTS = {
    "intervention_category": "ovrigt_foraldrastod",
    "intervention_code": "rad_och_stod",
    "target_group": "foralder",
    "sex": "kvinna",
    "age_band": "vuxen",
    "referred_from": "skola",
}
"""How the marts cut the base row: conversations with mothers whom the school sent."""


def services(conversations: int) -> bytes:
    """A file of two rows: the base with so many conversations, and its like for fathers with 7."""
    rows = [{**BASE, "antal_samtal": conversations}, {**BASE, "kon": "man", "antal_samtal": 7}]
    return "\r\n".join([";".join(BASE), *(";".join(map(str, row.values())) for row in rows)]).encode()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city's files, one of them written by hand."""
    inbox = shutil.copytree(drawn_files(), tmp_path_factory.mktemp("drawn") / "inbox")
    (inbox / DISTRICT / NAME).write_bytes(services(40))
    return inbox


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Place:
    place = settle(tmp_path_factory.mktemp("place") / "p", drawn)
    place.followup("run", "--inbox", str(place.inbox))
    return place


@pytest.fixture
def resubmission(tmp_path: Path) -> Path:
    """The file with three more conversations with mothers."""
    path = tmp_path / NAME
    path.write_bytes(services(43))
    return path


def shown(place: Place, *arguments: str, expect: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(place.followup("preview", "--format", "json", *arguments, expect=expect))
    return answer


def settings(place: Place) -> Settings:
    return Settings.model_validate(
        {"home": place.home, "keys": place.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )


def test_the_figures_that_hold_the_changed_row_move_and_no_others(
    built: Place, resubmission: Path, tmp_path: Path
) -> None:
    """By hand: of the district and quarter every row of the mart that is whole, or cut as that row, has three more
    sessions; the city's too. Then the file is taken in for real, and what moved is what was said."""
    before, warehouse = state(built), (built.home / "warehouse.duckdb").read_bytes()
    said = shown(built, str(resubmission), "--all")
    assert state(built) == before and (built.home / "warehouse.duckdb").read_bytes() == warehouse
    assert not (built.home / "preview").exists()
    assert (said["replaces_version"], said["is_known"], said["check"]["changes"]["by_column"]) == (
        1, False, [{"column": "antal_samtal", "count": 1}],
    )  # fmt: skip
    with duckdb.connect(str(built.home / "warehouse.duckdb"), read_only=True) as connection:
        holds = " and ".join(f"{column} in ('alla', '{value}')" for column, value in CUTS.items())
        (expected,) = connection.execute(
            f"select count(*) from marts.mart_service_interventions where district_code = '{DISTRICT}' "
            f"and reporting_quarter = '{QUARTER}' and {holds}"
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
    (other.inbox / DISTRICT / NAME).write_bytes(resubmission.read_bytes())
    other.followup("run", "--inbox", str(other.inbox))
    real = diff_marts(old, other.home / "warehouse.duckdb", DISTRICT, QUARTER, None)
    listed = [
        (m["mart"], m["moved"], [(f["key"], f["measure"], f["from"], f["to"]) for f in m["figures"]])
        for m in said["marts"]
    ]
    assert listed == [
        (
            m.mart,
            {"here": m.here, "other_quarters": m.other_quarters, "city": m.city, "elsewhere": m.elsewhere},
            [(dict(f.key), f.measure, f.before, f.after) for f in m.figures],
        )
        for m in real
    ]


def test_preview_of_an_upload_is_made_from_the_spool_and_removed_with_it(built: Place) -> None:
    """As the command's: the total of conversations moves from 47 to 50. No file in clear is made for it."""
    own, ledger = settings(built), Ledger(settings(built).ledger)
    spool, handover = Spool(own), Handover(own, ledger)
    keys, now, raw = load_keys(own.keys), system_now(), services(43)
    for upload_id, preview_state in (("a", None), ("b", "again")):
        add_upload(ledger, Upload(
            upload_id, "batch", DISTRICT, "check", "mina.csv", "user", "anna", now, now, "serviceinsatser", QUARTER,
            is_named_by_sender=True, state="checked", is_accepted=True, preview_state=preview_state,
        ))  # fmt: skip
        with spool.write(upload_id, "mina.csv", keys) as writer:
            writer.write(raw)
            writer.finish()
    handover.start_preview("a")
    assert handover.preview_of("a") == AskedPreview("waiting", None)
    assert make_next_preview(own, ledger) and make_next_preview(own, ledger) and not make_next_preview(own, ledger)
    asked = handover.preview_of("a")
    assert asked is not None and asked.state == "done" and asked.result is not None
    (mart,) = [one for one in asked.result["marts"] if one["mart"] == "mart_service_interventions"]
    total = mart["figures"][0]
    assert (total["measure"], total["from"], total["to"]) == ("sessions", 47, 50)
    assert asked.result["replaces_version"] == 1 and asked.result["accepted"]
    assert handover.preview_of("b") == AskedPreview("failed", None), "two processes died at it"
    assert not (built.home / "preview").exists() and ledger.in_force(district=DISTRICT)
    for upload_id in ("a", "b"):
        handover.cancel(upload_id)
    assert spool.ids() == set()
    ledger.close()


def test_text_shows_what_moves_and_counts_the_rest() -> None:
    report = CheckReport(read_name(NAME), 2, ())
    key = {"district_code": DISTRICT, "reporting_quarter": QUARTER, "district_basis": "today", "sex": "alla"}
    figures = (
        Figure(key, "sessions", 40, 43, 0),
        Figure({**key, "sex": "kvinna"}, "acceptance_rate", None, 0.123456, 1),
    )
    moved = MartDiff("mart_a", figures, here=5, other_quarters=0, city=7, elsewhere=0)
    assert text_of(Preview(report, False, None, (moved,))) == [
        f"{NAME}: TAS IN: 2 rader, inga fel",
        "",
        f"mart_a: 5 of {DISTRICT} {QUARTER}, 7 of the whole city",
        "  total, today   sessions         40 → 43",
        "  today, kvinna  acceptance_rate  – → 0.1235",
        "  … and 3 more (--all lists them)",
    ]
    assert text_of(Preview(report, False, None, ()))[-1] == "No figure moves."


def test_what_others_sent_since_the_last_build_is_not_shown_as_the_file_s(
    built: Place, drawn: Path, resubmission: Path, tmp_path: Path
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
    (place.home / "preview" / f"{machine()}-999999999-left").mkdir(parents=True)
    of_another = place.home / "preview" / "worker-2@0000beef-999999999-under-way"
    of_another.mkdir()
    said = shown(place, str(resubmission))
    (services,) = [mart for mart in said["marts"] if mart["mart"] == "mart_service_interventions"]
    assert services["moved"]["elsewhere"] == 0 and services["moved"]["city"] == services["moved"]["here"]
    assert len(services["figures"]) == 20 and {f["to"] - f["from"] for f in services["figures"]} == {3}
    assert list((place.home / "preview").iterdir()) == [of_another], "a pid says something on its own machine alone"
    os.utime(of_another, (0, 0))
    with temporary_folder(place.home / "preview"):
        pass
    assert not (place.home / "preview").exists(), "what a killed preview left is gone too"


def test_refused_file_says_why_and_nothing_is_built(built: Place, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"Insats;Kolumn\r\nkomet;1\r\n")
    text = built.followup("preview", str(path), expect=1)
    assert "TAS INTE IN" in text and "FIL-010" in text and "mart_" not in text


def test_same_content_as_in_force_moves_nothing(built: Place, drawn: Path) -> None:
    assert "The same content as version 1" in built.followup("preview", str(drawn / DISTRICT / NAME))


def test_without_anything_received_there_is_nothing_to_compare_with(tmp_path: Path, drawn: Path) -> None:
    place = settle(tmp_path / "empty", drawn)
    place.followup("preview", str(drawn / DISTRICT / NAME), expect=3)
    assert not place.home.exists()


def test_file_with_which_the_build_would_fail_is_reported_and_leaves_nothing(
    built: Place, resubmission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "select 1 as wrong from {{ ref('fct_submission') }} where version > 1"
    use_project(monkeypatch, write_project(tmp_path / "project", assert_first_version=first), tmp_path / "parsed")
    with pytest.raises(BuildFailed, match="assert_first_version"):
        preview(settings(built), resubmission)
    assert not (built.home / "preview").exists()
    assert built.ledger().last_build("failed") is None
