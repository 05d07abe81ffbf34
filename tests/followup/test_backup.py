"""Backups: what is in a set and what is not, that only new things are sent, and that a restored city is the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from backed_up import NOW, BackedUpPlace, files_of, prepared, rows_of
from city import Place, built_city, received_city
from killing import run, spread
from made_once import made_once

from followup.backup import backing_up
from followup.backup.backing_up import back_up, verify
from followup.backup.restoring import restore, restored_settings
from followup.backup.sets import named_sets
from followup.doctor import run_doctor
from ingest.file_permissions import find_open_to_others
from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.uploads import new_id
from ingest.maintenance.erasing import erase_originals
from ingest.persons.keys import load_keys, make_keys
from ingest.recording import open_intake
from ingest.settings import SettingsError
from ingest.spooling import Spool
from publish.serving.folder import current_folder

STORED = ("landing", "validated", "queries", "feedback", "proposed")
SAMPLE = 4
"""How many of a command's steps on disk are tried; spread evenly, first and last among them."""


def _backed_up(folder: Path) -> None:
    prepared(received_city().copy(folder / "place")).back_up()


@pytest.fixture
def place(tmp_path: Path) -> BackedUpPlace:
    """An installation with one backup, moved to a folder of its own."""
    made = made_once("backed_up", _backed_up) / "place"
    root = tmp_path / "place"
    shutil.copytree(made, root, symlinks=True)
    return BackedUpPlace(root)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backing_up, "_PAUSES", (0.0, 0.0, 0.0))


def test_a_restored_city_has_the_same_rows_files_releases_and_marts(tmp_path: Path) -> None:
    place = prepared(built_city().copy(tmp_path / "place"))
    place.run("backup")
    back = tmp_path / "back"
    printed = place.run("restore", "--to", str(back))
    assert "is restored to" in printed and "The marts are built." in printed
    with closing(place.ledger()) as before, closing(Ledger(f"sqlite:///{back}/ledger.sqlite")) as after:
        one, other = rows_of(before), rows_of(after)
    assert other["build"].pop() and "build.built" in other["act"].pop()  # of the restored marts
    assert other == one
    assert files_of(back, *STORED) == files_of(place.home, *STORED)
    assert len(files_of(back, "landing")) == 18
    restored = current_folder(restored_settings(place.settings, back))
    assert restored is not None and (before_folder := current_folder(place.settings)) is not None
    assert restored.name == before_folder.name and restored.is_relative_to(back)
    assert files_of(restored, ".") == files_of(before_folder, ".")
    with duckdb.connect() as both:
        for name, home in (("before", place.home), ("after", back)):
            both.execute(f"attach '{home}/warehouse.duckdb' as {name} (read_only)")
        tables = both.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'before' "
            "and schema_name in ('core', 'marts') order by 1"
        ).fetchall()
        assert len(tables) > 25
        for (table,) in tables:
            for one, other in (("before", "after"), ("after", "before")):
                differing = f"select count(*) from (from {one}.{table} except all from {other}.{table})"
                assert both.execute(differing).fetchall() == [(0,)], table


def test_a_second_backup_sends_only_the_tables_that_changed(place: BackedUpPlace) -> None:
    done = place.back_up()
    assert done.sent_objects == 1  # the act of the first backup
    assert done.files == len(place.sets()[0].files) > 70
    (place.home / "analysts.jsonl").write_text("{}\n", encoding="utf-8")
    assert place.back_up().sent_objects == 2


def test_what_a_backup_writes_can_be_read_by_nobody_without_its_key(place: BackedUpPlace) -> None:
    rows = pq.read_table(next(place.home.glob("validated/arenden/**/*.parquet")))
    person = rows["person_key"][0].as_py().encode()
    csv = b"mart_funnel.csv"
    for path in place.backups.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(plain in content for plain in (b"PAR1", person, csv, b"alvsjo", b"submission")), path
    secrets = [text for text in (place.root / "keys.json").read_text().split('"') if len(text) > 40]
    with place.location() as location:
        objects = [location.read("objects", name) for name in location.sizes("objects") if name != ".followup"]
    assert len(secrets) == 4 and not any(secret.encode() in content for secret in secrets for content in objects)
    assert (place.root / "backup_key.json").stat().st_mode & 0o777 == 0o600


def test_keys_inside_the_home_and_a_key_that_others_can_read_are_refused(place: BackedUpPlace) -> None:
    inside = place.settings.model_copy(update={"given_keys": place.home / "keys.json"})
    with pytest.raises(SettingsError, match=r"FOLLOWUP_KEYS .* is inside FOLLOWUP_HOME"):
        back_up(inside)
    with pytest.raises(SettingsError, match=r"FOLLOWUP_BACKUP_KEY .* is inside FOLLOWUP_HOME"):
        back_up(place.settings.model_copy(update={"given_backup_key": place.home / "key.json"}))
    (place.root / "backup_key.json").chmod(0o640)
    with pytest.raises(SettingsError, match="can be read by others: chmod 600"):
        place.back_up()


def test_what_belongs_to_no_backup_is_left_out_and_what_nobody_named_is_in_it(place: BackedUpPlace) -> None:
    for name in ("warehouse.duckdb", "build/logs/dbt.log", "work/1.json", "extracts/farsta.xlsx", "airflow/airflow.db"):
        (place.home / name).parent.mkdir(parents=True, exist_ok=True)
        (place.home / name).write_text("x", encoding="utf-8")
    (place.home / "added").mkdir()
    (place.home / "added" / "2017Q4.parquet").write_text("x", encoding="utf-8")
    (place.home / "added" / ".half.parquet.tmp").write_text("x", encoding="utf-8")
    before = {file.path for file in place.sets()[0].files}
    place.back_up()
    assert {file.path for file in place.sets()[1].files} - before == {"added/2017Q4.parquet"}


def test_of_the_spool_only_what_was_handed_in_is_in_a_backup(place: BackedUpPlace) -> None:
    keys, spool, handed_in = load_keys(place.root / "keys.json"), Spool(place.settings), ""
    with closing(place.ledger()) as ledger:
        from ingest.ledger.tables import upload

        for purpose in ("check", "submit"):
            upload_id = new_id()
            with spool.write(upload_id, "alvsjo_arenden_2018Q1.csv", keys) as writer:
                writer.write(b"a;b\n")
                writer.finish()
            values = {
                "upload_id": upload_id, "batch_id": "b", "district_code": "alvsjo", "purpose": purpose,
                "file_name": "f", "is_named_by_sender": False, "size_bytes": 4, "state": "waiting",
                "is_confirmed": False, "actor_kind": "user", "actor": "a", "created_at": NOW, "changed_at": NOW,
                "is_synthetic": True, "is_settled": False, "attempts": 0,
                "submitted_at": NOW if purpose == "submit" else None,
            }  # fmt: skip
            with ledger.engine.begin() as connection:
                connection.execute(upload.insert().values(**values))
            handed_in = upload_id
    place.back_up()
    assert [file.path for file in place.sets()[1].files if "spool" in file.path] == [f"spool/{handed_in}.bin"]


def test_a_file_erased_while_a_backup_runs_makes_it_begin_anew_with_the_ledger(place: BackedUpPlace) -> None:
    erased = []

    def on_step(number: int | None, total: int | None, what: str) -> None:
        if number == 30 and not erased:
            with open_intake(place.settings) as intake:
                erased.append(erase_originals(intake, datetime(2030, 1, 1), NOW).originals)

    done = back_up(place.settings, on_step=on_step)
    assert erased == [18] and not done.left_out
    made = place.sets()[1]
    assert not [file.path for file in made.files if file.path.startswith("landing/")]
    assert made.taken_at > place.sets()[0].taken_at


def test_a_damaged_file_is_named_and_no_earlier_backup_is_removed(place: BackedUpPlace) -> None:
    path = next(place.home.glob("validated/arenden/**/*.parquet"))
    path.write_bytes(b"damaged")
    printed = place.run("backup", "--drop-older", code=1)
    assert f"missing or damaged: {path.relative_to(place.home)}" in printed
    first, second = place.sets()
    assert second.left_out == (str(path.relative_to(place.home)),) and not first.left_out
    back = restored_settings(place.settings, place.root / "back")
    restore(back, set_name=first.name)
    path.write_bytes((place.root / "back" / path.relative_to(place.home)).read_bytes())
    place.run("backup", "--drop-older")
    assert len(place.sets()) == 1


def test_old_backups_go_and_the_newest_stays_with_what_it_needs(place: BackedUpPlace) -> None:
    lonely = place.home / "frozen.txt"
    lonely.write_text("only in the second", encoding="utf-8")
    place.back_up()
    lonely.unlink()
    (place.backups / "objects" / f"{'0' * 64}.part").write_bytes(b"of a run that was killed")
    later = system_now() + timedelta(days=36)
    done = back_up(place.settings, now=later)
    assert len(done.removed) == 2 and [one.name for one in place.sets()] == [done.name]
    needed = {piece.name for piece in place.sets()[0].pieces()} | {".followup"}
    assert {path.name for path in (place.backups / "objects").iterdir()} == needed
    assert back_up(place.settings, now=system_now() + timedelta(days=34)).removed == ()
    assert not verify(place.settings).damaged


def test_after_a_rotation_no_backup_has_the_old_keys_once_older_ones_are_dropped(place: BackedUpPlace) -> None:
    def persons(home: Path) -> set[str]:
        tables = (pq.read_table(path) for path in home.glob("validated/**/*.parquet"))
        return {key for rows in tables if "person_key" in rows.column_names for key in rows["person_key"].to_pylist()}

    old, versions = persons(place.home), load_keys(place.root / "keys.json")
    said = place.run("keys", "rotate", "--yes")
    assert "Earlier backups still have what was stored under the old keys: `followup backup --drop-older`" in said
    place.run("keys", "prune", "--yes")
    assert "rotation of keys" in place.run("backup", "--list")
    place.run("backup", "--drop-older")
    assert "rotation of keys" not in place.run("backup", "--list")
    (made,) = place.sets()
    with place.location() as location:  # to the microsecond: one of the same second as the rotation is after it
        assert [one.taken_at for one in named_sets(location)] == [made.taken_at]
    with place.location() as location:
        contents = [location.read("objects", name) for name in location.sizes("objects") if name != ".followup"]
    assert len(contents) == len({piece.name for piece in made.pieces()})
    place.run("restore", "--to", str(place.root / "back"), "--no-build")
    new = persons(place.root / "back")
    assert len(new) == len(old) and not new & old
    assert not any(versions.person_keys[1] in content for content in contents)
    assert not any(key.encode() in content for key in sorted(old)[:50] for content in contents)


def test_a_backup_from_before_an_erasing_says_who_has_to_be_erased_again(place: BackedUpPlace) -> None:
    from ingest.ledger.erasures import record_erasure

    with closing(place.ledger()) as ledger:
        record_erasure(ledger, "person", NOW, 1, 1)
    printed = place.run("backup")
    first = place.sets()[0].name
    assert f"{first}  " in place.run("backup", "--list")
    printed = place.run("restore", "--to", str(place.root / "back"), "--set", first, "--no-build", code=1)
    assert "1 persons were erased after this backup" in printed


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def test_a_damaged_object_is_found_and_sent_again(place: BackedUpPlace) -> None:
    sample = next(file for file in place.sets()[0].files if file.path.startswith("validated/arenden"))
    damage(place.backups / "objects" / sample.pieces[0].name)
    printed = place.run("backup", "--verify", code=1)
    assert f"damaged or missing: {sample.path} in the set" in printed
    assert place.back_up().sent_objects == 1  # nothing looks at it
    assert back_up(place.settings, is_rereading=True).sent_objects == 2
    assert "0 damaged" in place.run("backup", "--verify")
    (place.backups / "objects" / sample.pieces[0].name).write_bytes(b"cut")
    assert place.back_up().sent_objects == 2  # its size alone says it


def test_a_damaged_object_does_not_stop_a_restore_of_all_that_is_whole(place: BackedUpPlace) -> None:
    made = place.sets()[0]
    sample, lost = (next(one for one in made.files if one.path.startswith(f"feedback/{x}")) for x in ("alvsjo", "norr"))
    damage(place.backups / "objects" / sample.pieces[0].name)
    (place.backups / "objects" / lost.pieces[0].name).unlink()
    printed = place.run("restore", "--to", str(place.root / "back"), "--no-build", code=1)
    for file in (sample, lost):
        assert f"missing or damaged in the backup: {file.path}" in printed
    back = {str(path.relative_to(place.root / "back")) for path in (place.root / "back").rglob("*") if path.is_file()}
    wanted = {one.path for one in made.files if one.root == "home"}
    assert wanted - back == {sample.path, lost.path}
    assert not (place.root / "back" / ".restoring").exists()
    open_folders = [path for path in find_open_to_others([place.root / "back"]) if path.is_dir()]
    assert all("published" in str(path) for path in open_folders)  # what readers open
    damage(place.backups / "objects" / next(one for one in made.tables if one.pieces).pieces[0].name)
    printed = place.run("restore", "--to", str(place.root / "other"), "--no-build", code=3)
    assert f"the ledger in the set {made.name} is damaged or missing: choose an earlier one with --set" in printed


def test_a_damaged_set_keeps_the_objects_that_it_may_need(place: BackedUpPlace) -> None:
    damage(place.backups / "sets" / place.sets()[0].name)
    before = {path.name for path in (place.backups / "objects").iterdir()}
    printed = place.run("backup", code=1)
    assert "is damaged; nothing that it may need was removed" in printed
    assert before <= {path.name for path in (place.backups / "objects").iterdir()}
    place.run("backup", "--drop-older")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("a file in the home", "is not empty (notes.txt is there)"),
        ("no key file", "the key file is in no backup: put its copy back first"),
        ("another key file", "holds other keys than this backup's"),
        ("another backup key", "were made with another backup key"),
        ("no such set", "there is no set 20000101T000000Z-000000"),
        ("no backups", "there are no backups: see that the address is right"),
        ("a ledger in use", "is in use: name an empty database"),
        ("a release in its place", "is there: name another FOLLOWUP_PUBLISHED"),
    ],
)
def test_a_restore_is_refused_before_anything_is_written(place: BackedUpPlace, change: str, said: str) -> None:
    home, options = place.root / "home2", list[str]()
    environment = {"FOLLOWUP_HOME": str(home), "FOLLOWUP_PUBLISHED": str(place.root / "published2")}
    if change == "a file in the home":
        home.mkdir()
        (home / "notes.txt").touch()
    elif change.endswith("key file"):
        (place.root / "keys.json").unlink()
        if change.startswith("another"):
            make_keys(place.root / "keys.json")
    elif change == "another backup key":
        key = place.root / "backup_key.json"
        key.unlink()
        place.run("backup", "--make-key")
    elif change == "no such set":
        options = ["--set", "20000101T000000Z-000000"]
    elif change == "no backups":
        shutil.rmtree(place.backups)
        place.backups.mkdir()
    elif change == "a ledger in use":
        environment["FOLLOWUP_LEDGER_URL"] = f"sqlite:///{place.home}/ledger.sqlite"
    else:
        environment["FOLLOWUP_PUBLISHED"] = str(place.published)
    from typer.testing import CliRunner

    from followup.cli.main import app

    done = CliRunner().invoke(app, ["restore", *options], env=place.environment | environment)
    assert done.exit_code == 3 and said in " ".join(done.output.split()), done.output
    assert not home.exists() or [path.name for path in home.iterdir()] in (["notes.txt"], [])


def test_the_ledger_alone_is_restored_where_the_files_are_whole(place: BackedUpPlace) -> None:
    before = files_of(place.home, *STORED)
    assert "is in use" in " ".join(place.run("restore", "--only-ledger", "--no-build", code=3).split())
    with closing(place.ledger()) as ledger:
        rows = rows_of(ledger)
    for path in place.home.glob("ledger.sqlite*"):
        path.unlink()
    place.run("restore", "--only-ledger", "--no-build")
    with closing(place.ledger()) as ledger:
        assert rows_of(ledger) == rows
    assert files_of(place.home, *STORED) == before
    assert {one.what: one.is_good for one in run_doctor(place.settings)}["files in force"]


def test_a_home_in_which_only_an_empty_ledger_was_opened_is_empty(place: BackedUpPlace) -> None:
    home = place.root / "home2"
    home.mkdir()
    Ledger(f"sqlite:///{home}/ledger.sqlite").close()
    place.run("restore", "--to", str(home), "--no-build")
    place.run("restore", "--to", str(home), "--no-build", code=3)


def test_the_place_of_backups_is_a_folder_of_its_own(place: BackedUpPlace) -> None:
    for where, said in (
        (place.home / "backups", "is inside FOLLOWUP_HOME, or around it"),
        (place.root, "is inside FOLLOWUP_HOME, or around it"),
        (place.root / "none", "the folder is not there: make it, or mount its disk"),
        (place.inbox, "it holds other files: name an empty folder"),
    ):
        assert said in " ".join(place.run("backup", str(where), code=3).split())
    assert not (place.root / "none").exists()


def test_the_login_file_is_for_its_owner_and_its_secrets_are_never_repeated(place: BackedUpPlace) -> None:
    login = place.root / "login.json"
    settings = place.settings.model_copy(update={"backup_url": "sftp://u@127.0.0.1/b", "backup_login": login})
    for content, mode, said in (
        ('{"password": "hemligt"}', 0o640, "can be read by others"),
        ('{"pasword": "hemligt"}', 0o600, "pasword is none of"),
        ('"hemligt"', 0o600, "is no JSON of texts by name"),
        ('{"access_key": "hemligt"}', 0o600, "access_key is no option of such an address"),
    ):
        login.write_text(content, encoding="utf-8")
        login.chmod(mode)
        with pytest.raises(SettingsError, match=said) as caught:
            back_up(settings)
        assert "hemligt" not in str(caught.value)


@pytest.mark.kill
def test_a_backup_killed_at_any_step_leaves_earlier_ones_whole_and_the_next_ends_right(
    place: BackedUpPlace, tmp_path: Path
) -> None:
    shutil.rmtree(place.home / "feedback")  # fewer steps
    shutil.rmtree(place.backups)
    place.backups.mkdir()
    place.back_up()
    parquet = next(place.home.glob("validated/grupper/**/*.parquet"))
    (place.home / "added").mkdir()
    for number in range(3):
        (place.home / "added" / f"{number}.parquet").write_bytes(parquet.read_bytes() + bytes([number]))
    whole = BackedUpPlace(Place(place.root).copy(tmp_path / "whole").root)
    code, steps = run(["backup"], whole.environment, Path())
    assert code == 0 and steps is not None and steps > 8
    for step in spread(steps, SAMPLE):
        copy = BackedUpPlace(Place(place.root).copy(tmp_path / f"step{step}").root)
        code, _ = run(["backup"], copy.environment, Path(), step)
        assert code == -signal.SIGKILL, f"step {step} of {steps} was not reached"
        assert not verify(copy.settings).damaged
        assert len(copy.sets()) in (1, 2)
        copy.back_up()
        assert [file.path for file in copy.sets()[-1].files] == [file.path for file in whole.sets()[-1].files]
        needed = {piece.name for one in copy.sets() for piece in one.pieces()} | {".followup"}
        assert {path.name for path in (copy.backups / "objects").iterdir()} == needed


@pytest.mark.kill
def test_a_restore_killed_at_any_step_goes_on_and_ends_as_undisturbed(place: BackedUpPlace, tmp_path: Path) -> None:
    def restored(name: str, fatal_step: int = 0) -> tuple[Path, int | None]:
        home = tmp_path / name
        return home, run(["restore", "--to", str(home), "--no-build"], place.environment, home, fatal_step)[1]

    whole, steps = restored("whole")
    assert steps is not None and steps > 70
    expected = files_of(whole, *STORED, "releases")
    for step in spread(steps, SAMPLE):
        home, _ = restored(f"step{step}", step)
        ended = f"sqlite:///{home}/ledger.sqlite"
        restored(f"step{step}")
        assert files_of(home, *STORED, "releases") == expected, f"killed at step {step} of {steps}"
        assert not (home / ".restoring").exists() and (home / "published" / "csv").is_dir()
        with closing(Ledger(ended)) as ledger, closing(place.ledger()) as before:
            assert rows_of(ledger) == rows_of(before)


def test_an_interrupted_restore_is_said_and_another_set_is_not_mixed_into_it(place: BackedUpPlace) -> None:
    place.back_up()
    first = place.sets()[0].name
    home = place.root / "home2"
    home.mkdir()
    (home / ".restoring").write_text(json.dumps({"set": first}), encoding="utf-8")
    settings = restored_settings(place.settings, home)
    found = {one.what: one for one in run_doctor(settings)}
    assert not found["restore"].is_good and "run the same followup restore again" in found["restore"].message
    said = f"was interrupted: go on with `--set {first}`"
    assert said in " ".join(place.run("restore", "--to", str(home), "--no-build", code=3).split())
    place.run("restore", "--to", str(home), "--set", first, "--no-build")
    assert "restore" not in {one.what for one in run_doctor(settings)}


def test_the_doctor_says_how_old_the_newest_backup_is(place: BackedUpPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> tuple[bool, str]:
        found = next(one for one in run_doctor(place.settings) if one.what == "backups")
        return found.is_good, found.message

    assert said() == (True, f"1 at {place.backups}, the newest 0 hours old")
    monkeypatch.setattr("followup.doctor.system_now", lambda: system_now() + timedelta(days=4))
    assert said() == (False, f"1 at {place.backups}, the newest 4 days old: followup backup")
    shutil.rmtree(place.backups)
    assert not said()[0] and "the folder is not there" in said()[1]
    without = place.settings.model_copy(update={"backup_url": None})
    found = next(one for one in run_doctor(without) if one.what == "backups")
    assert (found.is_good, found.message) == (True, "none, of synthetic data")


def test_backing_up_and_restoring_on_a_full_disk_say_so_and_are_finished_by_the_next_run() -> None:
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-rm"]
    if subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system, nor make a namespace in which it may")
    origin = made_once("backed_up", _backed_up) / "place"
    done = subprocess.run(
        [*alone, sys.executable, str(Path(__file__).with_name("backup_full_disk.py")), str(origin), "0", "0.4", "0.9"],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.count(": 3 ") == 6, done.stdout
