"""`followup extract`: a unit's own exact figures in a workbook of its own, recorded, and nothing of others."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pwd
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from city import Place, built_city
from python_calamine import CalamineWorkbook

from ingest.ledger.extracts import extracts
from publish.extract.choosing import chosen_marts
from publish.extract.workbook import code_words, sheet_name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An installation with two units' quarter, built. Each test takes its own file."""
    return built_city().copy(tmp_path_factory.mktemp("extracts") / "place")


@pytest.fixture(scope="module")
def made(place: Place) -> dict[str, object]:
    """The extract of one of the two, as the command answers a program."""
    answer: dict[str, object] = json.loads(place.followup("extract", "--district", "norrmalm", "--format", "json"))
    return answer


def private(made: dict[str, object]) -> Path:
    return Path(str(made["file"]))


def in_words(said: Callable[[str], str] | None, value: object) -> object:
    """A value as a cell has it."""
    if isinstance(value, bool):
        return "ja" if value else "nej"
    return said(value) if said is not None and isinstance(value, str) else value


def same(shown: object, exact: object) -> bool:
    """Excel stores 16 digits of a number, and leaves a null cell empty."""
    if isinstance(exact, float) and isinstance(shown, float):
        return math.isclose(shown, exact, rel_tol=1e-14)
    return shown == exact or (shown == "" and exact is None)


def test_an_extract_has_the_exact_rows_of_the_unit_and_of_no_other(place: Place, made: dict[str, object]) -> None:
    book = CalamineWorkbook.from_path(private(made))
    counted = 0
    with duckdb.connect() as connection:
        connection.execute(f"attach '{place.home / 'warehouse.duckdb'}' as warehouse (read_only)")
        marts = chosen_marts(connection)
        for mart in marts:
            words = code_words(connection, mart.columns)
            wanted = [
                tuple(in_words(words.get(column), value) for column, value in zip(mart.columns, row, strict=True))
                for row in connection.execute(mart.query, ["norrmalm"]).fetchall()
            ]
            heading, *rows = book.get_sheet_by_name(sheet_name(mart.name)).to_python(skip_empty_area=False)
            assert len(heading) == len(mart.columns) and len(rows) == len(wanted)
            for row, exact in zip(rows, wanted, strict=True):
                assert all(same(*pair) for pair in zip(row, exact, strict=True)), (mart.name, row, exact)
            counted += len(rows)
    assert made["row_count"] == counted > 1_000
    assert made["rows"] and sum(dict(made["rows"]).values()) == counted  # type: ignore[call-overload]
    for name in book.sheet_names[2:]:  # after those that explain
        heading, *rows = book.get_sheet_by_name(name).to_python()
        assert {row[heading.index("Stadsdel")] for row in rows} <= {"Norrmalm"}, name
        assert not {"alla", "kvinna", "today", "kvartal"} & {cell for row in rows for cell in row}, name  # codes


def test_the_first_sheet_says_what_the_use_obliges_to_and_that_the_data_are_synthetic(made: dict[str, object]) -> None:
    lines = [str(row[0]) for row in CalamineWorkbook.from_path(private(made)).get_sheet_by_index(0).to_python() if row]
    assert lines[0].startswith("SYNTETISKA UPPGIFTER")
    assert "Exakta siffror för Norrmalm" in lines
    whole = "\n".join(lines)
    for said in (
        "Socialtjänstsekretess",
        "ta bort den när den inte längre behövs",
        "Uttaget är antecknat",
        "Återaktualisering: hela tabellen",
        "Pilotens utfall: hela tabellen",
    ):
        assert said in whole


def test_an_extract_is_for_its_owner_alone_and_recorded(place: Place, made: dict[str, object]) -> None:
    file = private(made)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.parent == place.home / "extracts"
    with closing(place.ledger()) as ledger:
        recorded = next(one for one in extracts(ledger) if one.file_name == file.name)
    assert recorded.file_sha256 == hashlib.sha256(file.read_bytes()).hexdigest() == made["file_sha256"]
    assert recorded.district_code == "norrmalm" and recorded.is_synthetic
    assert recorded.row_count == made["row_count"]
    assert f"{recorded.extracted_at}" == "2018-04-10 06:00:00"
    assert recorded.os_user == pwd.getpwuid(os.getuid()).pw_name  # whatever LOGNAME says
    listed = place.followup("extract", "--list")
    assert f"norrmalm  {recorded.os_user}" in listed and recorded.file_sha256 in listed
    assert json.loads(place.followup("extract", "--list", "--format", "json"))[0]["district_code"] == "norrmalm"


def test_an_extract_never_replaces_a_file_and_nothing_is_left_beside(place: Place, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    (mine / "there.xlsx").write_text("precious")
    (mine / "link.xlsx").symlink_to(mine / "nowhere")
    with closing(place.ledger()) as ledger:
        before = extracts(ledger)
    for name in ("there.xlsx", "link.xlsx", "no.csv", "gone/far.xlsx"):
        place.followup("extract", "--district", "alvsjo", "--out", str(mine / name), expect=1)
    with closing(place.ledger()) as ledger:
        assert extracts(ledger) == before
    assert sorted(path.name for path in mine.iterdir()) == ["link.xlsx", "there.xlsx"]
    assert (mine / "there.xlsx").read_text() == "precious"
    assert not list(place.home.glob(".extract-*"))


@pytest.mark.parametrize("where", ["inbox/norrmalm", "published.releases", "published.releases/1", "open"])
def test_an_extract_is_not_written_where_others_reach(place: Place, where: str) -> None:
    folder = place.root / where
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777 if where == "open" else 0o750)
    beside = folder.parent / f"link to {folder.name}"
    beside.symlink_to(folder)
    for named in (folder, beside):
        place.followup("extract", "--district", "norrmalm", "--out", str(named), expect=1)
    assert not list(folder.glob("*.xlsx")) and not list(folder.glob(".*xlsx*"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--list", "--district", "norrmalm"), 2),
        (("--district", "stockholm"), 1),
        (("--district", "jarva"), 1),
        (("--district", "uppsala"), 1),
    ],
)
def test_an_extract_that_can_not_be_made_says_so(place: Place, arguments: tuple[str, ...], code: int) -> None:
    with closing(place.ledger()) as ledger:
        before = extracts(ledger)
    place.followup("extract", *arguments, expect=code)
    with closing(place.ledger()) as ledger:
        assert extracts(ledger) == before


def test_what_a_killed_extract_left_is_removed_by_the_next(place: Place, tmp_path: Path) -> None:
    left = place.home / ".extract-killed"
    left.mkdir()
    (left / "extract.xlsx").write_text("exact")
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    place.followup("extract", "--district", "alvsjo", "--out", str(mine))
    assert not list(place.home.glob(".extract-*")) and len(list(mine.iterdir())) == 1


def test_an_extract_needs_a_warehouse(tmp_path: Path) -> None:
    place = Place(tmp_path / "empty")
    place.root.mkdir()
    place.followup("extract", "--district", "norrmalm", expect=3)
