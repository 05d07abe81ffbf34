"""The city's own commands, as the data team types them: locks, exceptions, explanations, names, erasing."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from city import Place, built_city, drawn_files, received_city
from rich.console import Console
from typer.testing import CliRunner

from followup.cli.main import app
from followup.cli.output import Format, print_status
from followup.status import StatusLine, SubmissionStatus
from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.persons.keys import make_keys
from ingest.quarters import Quarter

Run = Callable[..., str]
"""Runs one command in this process; returns what it printed, white space folded."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two districts' quarter, taken in; the tests of this module follow each other on it."""
    return received_city().copy(tmp_path_factory.mktemp("city") / "p")


@pytest.fixture
def followup(place: Place, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)

    def run(*command: str, expect: int = 0, typed: str | None = None) -> str:
        done = CliRunner().invoke(app, list(command), input=typed)
        assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        return " ".join(done.output.split())

    return run


def lines(place: Place, followup: Run) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(followup("status", "--format", "json"))["lines"]
    return found


def line(place: Place, followup, district: str, dataset: str) -> dict[str, object]:
    return next(x for x in lines(place, followup) if (x["district_code"], x["dataset"]) == (district, dataset))


def test_lock_says_what_it_shuts_out_and_asks(place: Place, followup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = followup("lock", "-q", "2018Q1", expect=2)
    assert "no terminal" in printed and "--yes" in printed
    assert "missing arenden: 12 units: bromma" in printed  # 14 districts, of which two have sent theirs
    assert not re.search(r"missing arenden: [^:]*: [^:]*(alvsjo|norrmalm)", printed)
    asked = [x for x in lines(place, followup) if x["open_queries"]]
    assert asked
    for one in asked:
        assert f"open queries: {one['district_code']} {one['dataset']}: {one['open_queries']}" in printed
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: True)
    for answer in ("n\n", ""):
        assert "Nothing is locked" in followup("lock", "-q", "2018Q1", typed=answer)
    assert "(locked)" not in followup("status", "-q", "2018Q1")
    assert "2018Q1 is locked" in followup("lock", "-q", "2018Q1", typed="y\n")
    followup("unlock", "-q", "2018Q1")


def test_locked_quarter_is_shown_and_needs_an_exception(place: Place, followup: Run) -> None:
    assert "2018Q1 is locked" in followup("lock", "-q", "2018Q1", "--yes")
    assert "was locked already" in followup("lock", "-q", "2018Q1")
    assert "(locked)" in followup("status", "-q", "2018Q1")
    folder = place.inbox / "alvsjo"
    path = folder / "alvsjo_serviceinsatser_2018Q1.csv"
    original = (drawn_files() / "alvsjo" / path.name).read_bytes()
    path.write_bytes(original.rstrip().rpartition(b"\n")[0] + b"\r\n")
    assert "FIL-040" in followup("receive", "--inbox", str(place.inbox), expect=1)
    opened = followup("exception", "open", "-q", "2018Q1", "--district", "alvsjo", "--why", "fel i exporten")
    number = re.search(r"Exception (\d+)", opened)
    assert number and "alvsjo" in followup("exception", "list")
    path.write_bytes(original.rstrip().rpartition(b"\n")[0] + b"\r\n")
    assert "1 accepted" in followup("receive", "--inbox", str(place.inbox))
    assert line(place, followup, "alvsjo", "serviceinsatser")["version"] == 2
    assert "is closed" in followup("exception", "close", number[1])
    followup("exception", "close", number[1], expect=1)


def test_withdrawal_in_a_locked_quarter_needs_an_exception_too(place: Place, followup: Run) -> None:
    submission = str(line(place, followup, "alvsjo", "serviceinsatser")["submission_id"])
    assert "is locked" in followup("withdraw", submission, "--why", "fel fil", expect=1)
    assert "2018Q1 is open" in followup("unlock", "-q", "2018Q1")
    assert "version 1 is in force again" in followup("withdraw", submission[:10], "--why", "fel fil")
    assert "withdrawn already" in followup("withdraw", submission, "--why", "fel fil")
    assert line(place, followup, "alvsjo", "serviceinsatser")["version"] == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("lock", "-q", "2031Q1"), "has not ended"),
        (("withdraw", "zzzz", "--why", "x"), "no submission begins"),
        (("exception", "open", "-q", "2018Q1", "--district", "atlantis", "--why", "x"), "no unit"),
        (("reprocess", "--dataset", "moln"), "no dataset"),
        (("reprocess", "--district", "moln"), "no unit"),
        (("exception", "open", "-q", "2018Q1", "--district", "alvsjo", "--until", "i går", "--why", "x"), "--until"),
        (("alias", "add", "Soffan", "--means", "rad_och_stöd"), "rad_och_stod"),
        (("alias", "add", "komet", "--means", "abc"), "own code"),
        (("erase",), "say which"),
    ],
)
def test_wrong_usage_says_what_is_wrong(followup: Run, command: tuple[str, ...], said: str) -> None:
    assert said in followup(*command, expect=2)


def test_open_query_is_listed_explained_and_closed(place: Place, followup: Run) -> None:
    asked = [x for x in lines(place, followup) if x["open_queries"]]
    assert asked, "the drawn files raise no query at all"
    listed = json.loads(followup("status", "--queries", "--format", "json"))["open_queries"]
    assert sum(int(str(x["open_queries"])) for x in asked) == len(listed)
    first = listed[0]
    assert "förklara" in first["message"]
    assert first["row_key"] in followup("status", "--queries")
    printed = followup(
        "explain", first["submission_id"], first["rule"], "--row-key", first["row_key"], "--text", "Semestertider"
    )
    assert f"queries of {first['rule']} are explained" in printed
    left = json.loads(followup("status", "--queries", "--format", "json"))["open_queries"]
    assert first not in left and len(left) == len(listed) - 1
    assert "personnummer" in followup(
        "explain", first["submission_id"], first["rule"], "--text", "om 20050505-9824", expect=1
    )


def test_name_is_added_and_the_refused_file_comes_in(place: Place, followup: Run) -> None:
    path = place.inbox / "norrmalm" / "norrmalm_serviceinsatser_2018Q1.csv"
    original = (drawn_files() / "norrmalm" / path.name).read_bytes()
    path.write_bytes(original.replace("Rådgivningssamtal".encode("cp1252"), b"Kafferummet"))
    assert "1 refused" in followup("receive", "--inbox", str(place.inbox), expect=1)
    printed = followup("alias", "add", "Kafferummet", "--means", "rad_och_stod", "--district", "norrmalm")
    assert "Checked again: 1; in force now: 1." in printed
    assert line(place, followup, "norrmalm", "serviceinsatser")["version"] == 2
    assert "Kafferummet = rad_och_stod" in followup("alias", "list")
    assert "Checked again: 0" in followup("reprocess")


def test_person_typed_at_a_prompt_is_gone_from_rows_marts_and_originals(
    followup: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = built_city().copy(tmp_path / "p")
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: True)
    drawn = drawn_files() / "alvsjo" / "alvsjo_arenden_2018Q1.csv"
    number = re.findall(rb"\d{8}-\d{4}", drawn.read_bytes())[0].decode()
    before = _cases(place)
    followup("erase", "--person", typed=f"{number[:-1]}x\n{number[:-1]}x\n", expect=2)
    printed = followup("erase", "--person", typed=f"{number}\n{number}\n")
    assert number not in printed and "The marts are built again" in printed
    assert _cases(place) < before
    assert "Nothing of that person is stored" in followup("erase", "--person", typed=f"{number}\n{number}\n")


def _cases(place: Place) -> int:
    with duckdb.connect(str(place.home / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("select count(*) from core.fct_case").fetchone()
    assert found is not None
    return int(found[0])


def test_originals_are_erased_after_asking(place: Place, followup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: True)
    assert "Nothing is erased" in followup("erase", "--originals", "--older-than", "0", typed="n\n")
    originals = list(Path(place.home / "landing").rglob("*.bin"))
    assert originals
    assert f"{len(originals)} originals are erased" in followup(
        "erase", "--originals", "--older-than", "0", typed="y\n"
    )
    assert list(Path(place.home / "landing").rglob("*.bin")) == []


def test_audit_log_shows_what_this_module_did_and_is_whole(place: Place, followup: Run) -> None:
    shown = followup("audit-log", "show", "--last", "1000")
    for act in ("submission.accepted", "quarter.locked 2018Q1", "exception.opened", "local_name.added norrmalm"):
        assert act in shown
    listed = json.loads(followup("audit-log", "show", "--last", "1", "--format", "json"))
    assert [one["action"] for one in listed] == ["erasure.done"]
    printed = followup("audit-log", "verify")
    assert "none changed, removed or put in" in printed
    (noted,) = re.findall(r"[0-9a-f]{64}", printed)
    followup("audit-log", "verify", "--noted", noted)
    assert "noted hash is not in the log" in followup("audit-log", "verify", "--noted", "f" * 64, expect=1)
    followup("audit-log", "verify", "--noted", "x", expect=2)


def test_no_word_of_a_quarters_table_is_cut_at_80_columns() -> None:
    units = [one.code for one in load_districts().valid_in(Quarter(2018, 1))]
    found = [
        StatusLine("2018Q1", unit, dataset, "in_force", 1, is_on_time=False)
        for unit in units
        for dataset in load_contracts()
    ]
    console = Console(width=80, file=io.StringIO())
    print_status(console, SubmissionStatus(tuple(found), ()), Format.text)
    table = console.file.getvalue().split("v2: version in force")[0]
    assert table.count("late") == len(found) == 14 * 9 and "hagersten-liljeholmen" in table


def test_a_proposed_mapping_is_never_written_over_and_is_tried_as_a_draft(
    followup: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "norrmalm_serviceinsatser_2018Q1.csv"
    raw = (drawn_files() / "norrmalm" / name).read_bytes()
    Path(name).write_bytes(raw.replace(b"Insats;", b"Er insats;", 1))
    followup("mapping", "suggest", name, "--out", "own.yml")
    Path("own.yml").write_text(
        "unit: norrmalm\nvalid_from: 2018Q1\ndatasets:\n  serviceinsatser:\n    columns:\n      Er insats: insats\n"
    )
    edited = Path("own.yml").read_text()
    assert "is there already" in followup("mapping", "suggest", name, "--out", "own.yml", expect=2)
    assert Path("own.yml").read_text() == edited
    assert "Så säger den översättning som provas för er enhet." in followup("check", "--mapping", "own.yml", name)


@pytest.mark.parametrize(
    "command",
    [
        ("contract", "apply", "--district"),
        ("contract", "try", "--no-figures", "--district"),
        ("mapping", "list"),
        ("reprocess", "--district"),
        ("template", "arenden", "--district"),
    ],
)
def test_a_unit_that_there_is_not_is_named_with_the_nearest(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOLLOWUP_KEYS", str(tmp_path / "keys.json"))
    make_keys(tmp_path / "keys.json")
    for typed, said in (("farstad", "farstad is no unit; did you mean farsta?"), ("20050810-9816", "that is no unit")):
        done = CliRunner().invoke(app, [*command, typed], env={"COLUMNS": "200"})
        assert (done.exit_code, said in done.output) == (2, True), done.output
        assert "9816" not in done.output
