"""Originals: what they say of themselves, rows stored again from them, and a ledger made anew from them."""

from __future__ import annotations

import os
import secrets
import signal
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from files import DISTRICT, Installation, base_row, csv_bytes

from followup.build.building import build
from ingest.failures import StorageFailure
from ingest.ledger import ChangeRefused, Ledger, LedgerError, Submission
from ingest.maintenance import reimporting
from ingest.maintenance.erasing import erase_originals, erase_person
from ingest.maintenance.reimporting import reimport_originals, unrecorded_originals
from ingest.maintenance.restoring_rows import NotRestorable, Restored, restore_rows
from ingest.originals import DamagedOriginal, Sent, decrypt_original, encrypt_original, read_sent
from ingest.persons.keys import load_keys
from ingest.queries import SCHEMA, DamagedQueries, queries_path, read_queries, write_queries
from ingest.receiving import receive, receive_district
from ingest.recording import open_intake
from ingest.row_files import row_files
from ingest.storing import has_rows_as_stored

NAME = "bromma_arenden_2018Q3.csv"
NOW = datetime(2019, 12, 1)


def first_format(path: Path, raw: bytes, submission_id: str, installation: Installation) -> None:
    """As originals were written before they said anything of themselves."""
    keys, nonce = load_keys(installation.settings.keys), secrets.token_bytes(12)
    sealed = AESGCM(keys.original_keys[1]).encrypt(nonce, raw, submission_id.encode())
    path.write_bytes(b"FOLLOWUP1" + (1).to_bytes(2, "big") + nonce + sealed)


def sent(installation: Installation, name: str, **cells: str) -> Submission:
    """Drop a file, take it in a day after the one before, and return what the ledger says."""
    earlier = list(installation.settings.landing.rglob("*.bin"))
    later = replace(installation, now=f"{datetime(2019, 1, 8) + timedelta(days=len(earlier)):%Y-%m-%dT%H:%M:%S}")
    installation.drop(name, csv_bytes("arenden", [base_row("arenden", **cells)]))
    receive_district(later.settings, DISTRICT)
    return installation.ledger().submissions()[-1]


def forget_ledger(installation: Installation) -> None:
    for part in installation.settings.home.glob("ledger.sqlite*"):
        part.unlink()


def restore(installation: Installation, found: Submission) -> Restored:
    with open_intake(installation.settings) as intake:
        return restore_rows(intake, found)


def rows_file(installation: Installation, found: Submission) -> Path:
    return installation.settings.home / str(found.parquet_path)


def test_an_original_says_what_was_known_when_it_came(installation: Installation, tmp_path: Path) -> None:
    keys, path = load_keys(installation.settings.keys), tmp_path / "abc.bin"
    what = Sent("bromma_ärenden.csv", datetime(2018, 10, 3, 12, 0, 1, 5), True, 7)
    encrypt_original(path, b"", "abc", keys, what)
    assert read_sent(path, "abc", keys) == what and decrypt_original(path, "abc", keys) == b""
    stored = path.read_bytes()
    assert b"arenden" not in stored and b"2018" not in stored
    for at in range(9, len(stored)):
        path.write_bytes(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])
        damaged = 0
        for read in (read_sent, decrypt_original):
            try:
                read(path, "abc", keys)
            except DamagedOriginal:
                damaged += 1
        assert damaged, at
    path.write_bytes(stored)
    with pytest.raises(DamagedOriginal):
        read_sent(path, "abd", keys)


def test_an_original_of_the_first_format_is_still_read(installation: Installation, tmp_path: Path) -> None:
    keys = load_keys(installation.settings.keys)
    first_format(tmp_path / "abc.bin", b"hej", "abc", installation)
    assert decrypt_original(tmp_path / "abc.bin", "abc", keys) == b"hej"
    assert read_sent(tmp_path / "abc.bin", "abc", keys) is None


@pytest.mark.parametrize("how", ["missing", "cut off", "changed"])
def test_rows_are_stored_again_byte_for_byte(how: str, installation: Installation) -> None:
    found = sent(installation, NAME)
    path = rows_file(installation, found)
    before = path.read_bytes()
    path.unlink()
    if how != "missing":
        path.write_bytes(before[:-9] if how == "cut off" else before[:50] + b"\xff" * 9 + before[59:])
    assert not has_rows_as_stored(row_files(installation.settings), found)
    assert restore(installation, found) == Restored(True, True, 1, 1)
    assert path.read_bytes() == before and installation.ledger().submissions() == [found]
    assert not restore(installation, found).is_written


def test_rows_that_are_read_otherwise_today_are_counted_and_recorded(installation: Installation) -> None:
    found = sent(installation, NAME)
    path = rows_file(installation, found)
    rows = pq.read_table(pa.BufferReader(path.read_bytes()))
    pq.write_table(rows.slice(0, 0), path)  # an earlier program read it otherwise
    with installation.ledger().engine.begin() as connection:
        connection.exec_driver_sql("update submission set parquet_sha256 = 'x'")
    found = replace(found, parquet_sha256="x")
    done = restore(installation, found)
    assert (done.is_same, done.rows, done.differing) == (False, 1, 1)
    (now,) = installation.ledger().submissions()
    assert has_rows_as_stored(row_files(installation.settings), now)
    assert (now.submission_id, now.version) == (found.submission_id, found.version)


def test_what_can_t_be_restored_says_what_else_to_do(installation: Installation) -> None:
    refused = sent(installation, NAME, orsak="finns inte")
    with pytest.raises(ChangeRefused, match="no rows"):
        restore(installation, refused)
    found = sent(installation, NAME)
    rows_file(installation, found).unlink()
    original = installation.settings.home / found.original_path
    content = original.read_bytes()
    original.write_bytes(content[:-1] + b"x")
    with pytest.raises(DamagedOriginal, match="restore landing/"):
        restore(installation, found)
    original.write_bytes(content)
    with open_intake(installation.settings) as intake:
        erase_originals(intake, NOW, NOW)
    (_, found) = installation.ledger().submissions()
    with pytest.raises(NotRestorable, match="is erased: restore validated"):
        restore(installation, found)
    assert issubclass(NotRestorable, StorageFailure)


def three_versions(installation: Installation) -> list[Submission]:
    sent(installation, NAME)
    sent(installation, NAME, orsak="finns inte")
    sent(installation, NAME, orsak="bostad")
    sent(installation, "bromma_arenden_2018Q4.csv", orsak="bostad")
    return installation.ledger().submissions()


def stored(installation: Installation) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in installation.settings.validated.rglob("*.parquet")}


def take_in(installation: Installation) -> list[str]:
    with open_intake(replace(installation, now="2019-02-01T08:00:00").settings) as intake:
        return [one.state for one in reimport_originals(intake)]


def test_a_lost_ledger_is_made_anew_from_the_originals(installation: Installation) -> None:
    before, rows = three_versions(installation), stored(installation)
    forget_ledger(installation)
    assert take_in(installation) == ["accepted", "refused", "accepted", "accepted"]
    assert installation.ledger().submissions() == before
    assert stored(installation) == rows
    assert take_in(installation) == [] and unrecorded_originals(installation.settings, installation.ledger()) == []


def test_an_older_ledger_gets_what_it_lacks_and_nothing_older_takes_over(installation: Installation) -> None:
    before = three_versions(installation)
    with installation.ledger().engine.begin() as connection:  # a backup from after the first file
        for table in ("finding", "finding_count"):
            connection.exec_driver_sql(f"delete from {table} where submission_id <> '{before[0].submission_id}'")
        connection.exec_driver_sql(f"delete from submission where submission_id <> '{before[0].submission_id}'")
    assert len(unrecorded_originals(installation.settings, installation.ledger())) == 3
    later = sent(installation, "bromma_arenden_2018Q4.csv", orsak="vanvård")
    assert take_in(installation) == ["refused", "accepted", "overtaken"]
    assert installation.ledger().in_force(quarter="2018Q4") == [later]
    assert installation.ledger().in_force(quarter="2018Q3")[0].submission_id == before[2].submission_id


def test_taking_in_that_is_killed_goes_on_where_it_was(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = three_versions(installation)
    forget_ledger(installation)
    record, done = reimporting.record, []

    def record_and_die(*arguments: Any) -> Submission:
        done.append(1)
        if len(done) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return record(*arguments)

    for left in (3, 2):
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(reimporting, "record", record_and_die)
            take_in(installation)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert len(unrecorded_originals(installation.settings, installation.ledger())) == left
    take_in(installation)
    assert installation.ledger().submissions() == before


def test_names_of_originals_of_the_first_format_are_worked_out(installation: Installation) -> None:
    (found,) = [sent(installation, NAME)]
    lost = sent(installation, "rapport.csv")
    keys, home = load_keys(installation.settings.keys), installation.settings.home
    for one in (found, lost):
        path = home / one.original_path
        first_format(path, decrypt_original(path, one.submission_id, keys), one.submission_id, installation)
        os.utime(path, (1540000000, 1540000000))
    forget_ledger(installation)
    assert sorted(take_in(installation)) == ["accepted", "nameless"]
    (again,) = installation.ledger().submissions()
    assert (again.submission_id, again.source_file_name) == (found.submission_id, NAME)
    assert again.submitted_at == datetime(2018, 10, 20, 1, 46, 40)


def test_a_new_ledger_beside_originals_stops_receive_and_build(installation: Installation) -> None:
    sent(installation, NAME)
    sent(installation, "bromma_arenden_2018Q2.csv")
    forget_ledger(installation)
    dropped = installation.drop(NAME, csv_bytes("arenden", [base_row("arenden")]))
    for go_on in (build, lambda settings: receive_district(settings, DISTRICT), receive):
        with pytest.raises(LedgerError, match=r"holds 2 originals .* restore the ledger .* --from-landing"):
            go_on(installation.settings)
    assert dropped.exists() and not installation.ledger().submissions()
    assert take_in(installation) == ["accepted", "refused"]
    receive(installation.settings)
    assert not dropped.exists()


def test_nothing_that_can_be_taken_in_again_does_not_stop_receive_for_ever(installation: Installation) -> None:
    found = sent(installation, NAME)
    (installation.settings.home / found.original_path).write_bytes(b"x")
    forget_ledger(installation)
    installation.drop(NAME, csv_bytes("arenden", [base_row("arenden")]))
    assert take_in(installation) == ["damaged"]
    assert receive_district(installation.settings, DISTRICT).count("accepted") == 1


def test_receive_goes_on_after_its_first_files_were_killed_before_the_commit(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for orsak in ("bostad", "vanvård"):  # the district sends another file between the two
        installation.drop(NAME, csv_bytes("arenden", [base_row("arenden", orsak=orsak)]))
        child = os.fork()
        if child == 0:
            try:
                monkeypatch.setattr(Ledger, "record", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
                receive(installation.settings)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(unrecorded_originals(installation.settings, installation.ledger())) == 2
    receive(installation.settings)
    assert len(installation.ledger().submissions()) == 1


@pytest.mark.parametrize("how", ["cut off", "no parquet", "a folder"])
def test_damaged_queries_are_named_and_made_again(how: str, installation: Installation) -> None:
    found = sent(installation, NAME, utredning_slut="", utredning_inledd="ja")
    path = queries_path(installation.settings.home, DISTRICT, found.submission_id)
    if not path.exists():
        write_queries(path, pa.table([["ARE-081"], [2], ["x"]], schema=SCHEMA))
    before = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
    else:
        path.write_bytes(before[:-9] if how == "cut off" else b"x" * 99)
    with pytest.raises(DamagedQueries, match=f"followup restore-rows {found.submission_id}"):
        read_queries(path)
    done = restore(installation, found)
    assert done.queries is not None and not done.is_written
    assert read_queries(path).num_rows == done.queries == installation.ledger().submissions()[0].query_count
    assert restore(installation, found).queries is None


def test_damaged_rows_that_are_replaced_are_named_with_their_remedy(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    found = sent(installation, NAME)
    rows_file(installation, found).write_bytes(b"PAR1")
    assert sent(installation, NAME, orsak="bostad").version == 2
    assert f"`followup restore-rows {found.submission_id}`" in caplog.text


def test_originals_without_a_row_expire_and_hide_nobody(installation: Installation) -> None:
    old, person = sent(installation, NAME), sent(installation, "bromma_arenden_2018Q2.csv")
    forget_ledger(installation)
    with open_intake(installation.settings) as intake:
        done = erase_originals(intake, old.submitted_at, NOW)
        assert (done.originals, done.unknown) == (1, 1)
        assert [path.stem for path in unrecorded_originals(intake.settings, intake.ledger)] == [person.submission_id]
        number = base_row("arenden")["personnummer"]
        assert erase_person(intake, number, NOW).unknown == 1
        assert not unrecorded_originals(intake.settings, intake.ledger)
