"""What fails in storage ends every command in one sentence and exit code 3, and nothing of the data is shown."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from city import Place, draw, settle
from sqlalchemy import make_url
from typer.testing import CliRunner

from followup.build.snapshot import take_snapshot
from followup.cli.main import app
from ingest import failures
from ingest.failures import StorageFailure, cause_of, in_words, storage_failures_in_words
from ingest.ledger import Ledger, opening
from ingest.ledger.store import Build
from ingest.settings import Settings
from publish.catalogue.manifest import Manifest, keep_manifest
from publish.warehouse import WarehouseFailed, reading_warehouse

SECRET = "hemlig cell"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two districts' first quarter in force, the second waiting; each test works on a copy."""
    root = tmp_path_factory.mktemp("failures")
    place = settle(root / "p", draw(root / "drawn", quarters=("2018Q1", "2018Q2")))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (place.environment | {"FOLLOWUP_NOW": "2018-07-10T08:00:00"}).items():
            patch.setenv(name, value)
        done = CliRunner().invoke(app, ["receive", "--inbox", str(place.inbox), "--quarter", "2018Q1"])
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def place(received: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path / "p")
    shutil.copytree(received.root, made.root)
    for name, value in (made.environment | {"FOLLOWUP_NOW": "2018-07-10T08:00:00"}).items():
        monkeypatch.setenv(name, value)
    return made


def run(*command: str, expect: int) -> str:
    done = CliRunner().invoke(app, list(command))
    assert done.exit_code == expect, f"{command}: {done.exit_code}\n{done.output}\n{done.exception!r}"
    return " ".join(done.output.split())


@pytest.mark.parametrize("number", sorted(failures._BY_ERRNO))
def test_every_error_of_the_system_is_reported_with_place_and_remedy(number: int, place: Place) -> None:
    path = place.home / "landing" / "alvsjo" / "x.bin"
    reported = in_words(OSError(number, os.strerror(number), str(path)))
    assert reported is not None and f"landing/alvsjo/x.bin in FOLLOWUP_HOME ({place.home})" in reported
    assert ": " in reported and "Errno" not in reported and SECRET not in reported


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (duckdb.IOException(f'IO Error: Could not write file "/x/y.duckdb": No space left on device {SECRET}'), "FULL"),
        (duckdb.IOException('IO Error: Could not set lock on file "/x/y": Conflicting lock is held in p (1)'), "BUSY"),
        (duckdb.IOException('IO Error: The file "/x" exists, but it is not a valid DuckDB database file!'), "DAMAGED"),
        (duckdb.IOException("IO Error: Corrupt database file: computed checksum 1 does not match"), "DAMAGED"),
        (duckdb.IOException('IO Error: Cannot open file "/x/y": Permission denied'), "DENIED"),
        (duckdb.IOException('IO Error: Cannot open file "/x/y": Read-only file system'), "READ_ONLY"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 1 MiB"), "MEMORY"),
        (pa.ArrowInvalid(f"Could not open Parquet input source '/x': magic bytes not found {SECRET}"), "DAMAGED"),
        (OSError(f"Couldn't deserialize thrift: {SECRET}"), "DAMAGED"),
        (OSError(errno.ENOSPC, "[Errno 28] Error writing bytes to file"), "FULL"),
        (MemoryError(), "MEMORY"),
    ],
)  # fmt: skip
def test_messages_of_libraries_become_kinds_without_what_they_quote(error: Exception, cause: str) -> None:
    assert cause_of(error) is getattr(failures, cause)
    assert SECRET not in (in_words(error) or "")


def test_a_write_that_duckdb_gives_no_reason_for_is_reported_by_the_room_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = duckdb.IOException(f'IO Error: Could not write all bytes to file "{tmp_path / "w"}": wanted=9 wrote=1')
    assert "the disk fails at" in (in_words(error) or "")
    room = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(failures.shutil, "disk_usage", lambda _: room)
    assert "the disk is full at" in (in_words(error) or "")


@pytest.mark.parametrize(
    "message",
    ['Could not write file "{other}": No space left on device', 'Could not write all bytes to file "{other}"'],
)
def test_a_write_beside_the_warehouse_is_no_fault_of_the_warehouse(message: str, tmp_path: Path) -> None:
    warehouse, other = tmp_path / "warehouse.duckdb", tmp_path / "published" / "followup.duckdb"
    error = duckdb.IOException(f"IO Error: {message.format(other=other)}")
    with pytest.raises(duckdb.IOException), reading_warehouse(warehouse):
        raise error
    assert str(other) in (in_words(error) or "")
    with pytest.raises(WarehouseFailed, match="is damaged"), reading_warehouse(warehouse):
        raise duckdb.IOException(f'IO Error: Corrupt database file "{warehouse}": checksum')


def test_a_full_disk_that_an_error_does_not_name_is_the_one_with_the_least_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "published": tmp_path / "published"})
    room = {tmp_path / "home": 9, tmp_path / "published": 5}
    for folder in room:
        folder.mkdir()
    found = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        failures.shutil, "disk_usage", lambda path: found._replace(free=room.get(Path(path), found.total))
    )
    unnamed = OSError(errno.ENOSPC, "x")
    assert f"the disk is full at FOLLOWUP_PUBLISHED ({tmp_path / 'published'}): " in (in_words(unnamed, settings) or "")
    room[tmp_path / "home"] = 0
    assert f"the disk is full at FOLLOWUP_HOME ({tmp_path / 'home'}): " in (in_words(unnamed, settings) or "")


@pytest.mark.parametrize(
    "name", ["*a[1]{x}", "a;b=c&d$e", "a%20b", "med mellanslag", "å", "🙂", "a'b", 'a"b', "a\\b", "a%b"]
)
def test_the_ledger_is_in_its_home_whatever_that_is_called(name: str, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / name})
    Ledger(settings.ledger).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "ledger.sqlite").exists()


def test_a_ledger_without_room_for_the_files_beside_it_is_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | 18 << 8  # of the file of shared memory
    url = make_url(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    assert opening._of_the_file(error, url) is None
    found = os.statvfs(tmp_path)
    full = os.statvfs_result((*found[:3], 0, 0, *found[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert "the disk is full" in (opening._of_the_file(error, url) or "")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("No space left on device"),
        duckdb.ConversionException(f"Conversion Error: Could not convert string '{SECRET}' to INT32"),
        pa.ArrowInvalid(f"CSV parse error: {SECRET}"),
    ],
)
def test_faults_of_ours_are_not_reported_as_failures_of_storage(error: Exception) -> None:
    assert in_words(error) is None

    @storage_failures_in_words
    def task() -> None:
        raise error

    with pytest.raises(type(error)):
        task()


def test_a_task_raises_the_sentence_that_the_command_line_prints(tmp_path: Path) -> None:
    @storage_failures_in_words
    def task() -> None:
        (tmp_path / "none" / "file").read_bytes()

    with pytest.raises(StorageFailure, match=r"file is missing: ") as reported:
        task()
    assert reported.value.__cause__ is None


@pytest.mark.parametrize("command", ["status", "receive", "build", "publish", "lock -q 2018Q1", "release list"])
def test_home_that_is_a_file_ends_every_command_with_a_sentence(command: str, place: Place) -> None:
    shutil.rmtree(place.home)
    place.home.write_text("no folder")
    reported = run(*command.split(), expect=3)
    assert str(place.home) in reported and "Traceback" not in reported


def test_a_loop_of_links_for_home_is_reported(place: Place) -> None:
    shutil.rmtree(place.home)
    place.home.symlink_to(place.home)
    assert str(place.home) in run("receive", "--inbox", str(place.inbox), expect=3)


@pytest.mark.parametrize("how", ["missing", "cut off", "a page overwritten", "empty", "a folder"])
def test_damaged_rows_are_named_with_their_submission_and_no_file_is_refused(how: str, place: Place) -> None:
    ledger = place.ledger()
    (found,) = ledger.in_force(district="alvsjo", dataset="arenden", quarter="2018Q1")
    before = len(ledger.submissions())
    path = place.home / str(found.parquet_path)
    content = bytearray(path.read_bytes())
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how != "missing":
        content[4:200] = b"\xff" * 196
        path.write_bytes({"cut off": content[:-50], "empty": b""}.get(how, bytes(content)))
    next_file = place.inbox / "alvsjo" / "alvsjo_arenden_2018Q2.csv"
    others = [("check", str(next_file)), ("preview", str(next_file))] if how == "missing" else []
    for command in [("build",), ("receive", "--inbox", str(place.inbox)), *others]:
        reported = run(*command, expect=3)
        assert f"followup restore-rows {found.submission_id}" in reported, command
        assert str(found.parquet_path) in reported and "alvsjo arenden 2018Q1" in reported
    assert next_file.exists()
    assert not [one for one in ledger.submissions()[before:] if one.state == "refused"]
    ledger.close()


def test_rows_whose_bytes_were_changed_are_not_built_although_they_can_be_read(place: Place) -> None:
    ledger = place.ledger()
    (found,) = ledger.in_force(district="alvsjo", dataset="arenden", quarter="2018Q1")
    ledger.close()
    path = place.home / str(found.parquet_path)
    pq.write_table(pq.read_table(path).slice(1), path)
    assert found.submission_id in run("build", expect=3)


def built_with(place: Place, warehouse: bytes) -> None:
    """As after a build, with these bytes for a warehouse."""
    ledger, settings = place.ledger(), Settings()
    ledger.record_build(Build(take_snapshot(settings, ledger).fingerprint(), "built", datetime(2018, 7, 1), 1.0, None))
    ledger.close()
    keep_manifest(Manifest(tables=(), exposures=()), settings)
    settings.warehouse.write_bytes(warehouse)


@pytest.mark.parametrize("how", ["no database", "empty", "cut off"])
def test_a_damaged_warehouse_is_reported_the_same_way_by_all_commands(
    how: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create schema marts; create table marts.m as select range as i from range(100000)")
    whole = (tmp_path / "w.duckdb").read_bytes()
    content = {"no database": b"x" * 9999, "empty": b"", "cut off": whole[:12400]}[how]
    built_with(place, content)
    said = f"the warehouse warehouse.duckdb in FOLLOWUP_HOME ({place.home}) is damaged: run `followup build --force`"
    assert said in run("publish", expect=3)
    monkeypatch.setattr("followup.build.preview.build_file", None)  # a preview says it before it builds anything
    assert said in run("preview", str(place.inbox / "alvsjo" / "alvsjo_rutiner_2018Q2.csv"), expect=3)
    assert said in run("doctor", expect=3)


def test_a_build_does_not_call_a_damaged_warehouse_unchanged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    built_with(place, b"x" * 9999)

    class Built(Exception):
        pass

    def build_file(*_: object, **__: object) -> None:
        raise Built

    monkeypatch.setattr("followup.build.building.build_file", build_file)
    from followup.build.building import build
    from followup.tasks.intake import changes_to_build

    with pytest.raises(Built):
        build(Settings())
    assert changes_to_build(), "Airflow would not build it anew"


def test_a_fault_of_ours_says_where_and_nothing_of_the_data(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr("followup.cli.main.submission_status", fail)
    reported = run("status", expect=3)
    assert (
        "internal error ValueError at " in reported
        and ":" in reported
        and SECRET not in reported
        and "Traceback" not in reported
    )
    monkeypatch.setenv("FOLLOWUP_TRACEBACK", "1")
    done = CliRunner().invoke(app, ["status"])
    assert isinstance(done.exception, ValueError)


@pytest.mark.parametrize("command", [("status",), ("status", "--format", "json"), ("metrics",)])
def test_output_that_is_full_is_reported(command: tuple[str, ...], place: Place) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "followup.cli.main", *command],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("the disk is full at standard output") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("published folder", "is a folder: let FOLLOWUP_PUBLISHED name the link"),
        ("published dangling", "leads to nothing: followup release serve"),
        ("ledger folder", "ledger.sqlite is a folder where a file is needed: move the folder away"),
        ("hard links", "warning: users may link files of others (fs.protected_hardlinks is 0)"),
    ],
)
def test_doctor_sees_what_is_in_the_place_of_something_else(
    what: str, said: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "published folder":
        place.published.mkdir()
    elif what == "published dangling":
        place.published.symlink_to(place.root / "nowhere")
    elif what == "ledger folder":
        for part in place.home.glob("ledger.sqlite*"):
            part.unlink()
        (place.home / "ledger.sqlite").mkdir()
    else:
        (place.root / "0").write_text("0\n")
        monkeypatch.setattr("followup.doctor._HARD_LINKS", place.root / "0")
    done = CliRunner().invoke(app, ["doctor"])
    assert said in " ".join(done.output.split())
    if what != "hard links":
        assert done.exit_code == 3


def test_a_read_only_ledger_is_said_to_be_read_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.ledger.opening.os.access", lambda *_: False)
    error = sqlite3.OperationalError("attempt to write a readonly database")
    reported = opening._of_the_file(error, make_url(f"sqlite:///{place.home / 'ledger.sqlite'}"))
    assert reported is not None and reported.startswith("is read-only for this user: ")


def test_only_quarters_with_something_in_force_are_offered_for_locking(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWUP_NOW", "2026-05-01T08:00:00")
    assert json.loads(run("status", "--format", "json", expect=0))["to_lock"] == ["2018Q1"]


def test_a_question_that_nobody_answers_is_wrong_usage_and_an_interrupted_one_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no terminal" in run("erase", "--originals", expect=2)
    assert "no terminal" in run("erase", "--person", expect=2)
    monkeypatch.setattr("followup.cli.options.is_terminal", lambda: True)
    assert "interrupted" in run("erase", "--person", expect=130)


def test_a_template_on_a_full_disk_leaves_nothing_and_an_older_file_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "mall.csv"
    with monkeypatch.context() as patch:
        patch.setattr("ingest.storing.os.fsync", full)
        assert "the disk is full" in run("template", "arenden", "--format", "csv", "--out", str(out), expect=3)
    assert list(tmp_path.iterdir()) == []
    run("template", "arenden", "--format", "csv", "--out", str(out), expect=0)
    before = out.read_bytes()
    assert "never overwritten" in run("template", "rutiner", "--format", "csv", "--out", str(out), expect=3)
    assert out.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["mall.csv"]
