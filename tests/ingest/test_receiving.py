"""Receiving: in force or refused whole, nothing lost, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from files import DISTRICT, Installation, base_row, csv_bytes

from followup.tasks.intake import districts_to_collect
from ingest.ledger import Submission
from ingest.originals import DamagedOriginal, decrypt_original
from ingest.persons.keys import load_keys, make_keys
from ingest.quarters import Quarter
from ingest.receiving import DistrictReceipt, DropLocationUnreachable, receive, receive_district
from ingest.settings import SettingsError

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
BAD = csv_bytes("arenden", [base_row("arenden", orsak="hittepå"), base_row("arenden", arende_id="2", orsak="bostad")])


def take(installation: Installation, district: str = DISTRICT) -> DistrictReceipt:
    return receive_district(installation.settings, district)


def submissions(installation: Installation) -> list[Submission]:
    return installation.ledger().submissions()


def parquet_files(installation: Installation) -> list[Path]:
    return sorted(installation.settings.home.glob("validated/**/*"))


def test_accepted_file_is_in_force_stored_and_gone_from_the_drop_location(installation: Installation) -> None:
    dropped = installation.drop(NAME, GOOD)
    receipt = take(installation)
    assert [f.state for f in receipt.files] == ["accepted"] and receipt.changed_quarters == ("2018Q3",)
    (found,) = installation.ledger().in_force()
    assert (found.version, found.row_count, found.is_on_time, found.is_source_cleared) == (1, 1, True, True)
    assert not dropped.exists()
    rows = pq.read_table(installation.settings.home / str(found.parquet_path)).to_pylist()
    assert rows[0]["arende_id"] == "2018-1001" and rows[0]["orsak"] == "vald_i_familjen"
    assert rows[0]["ytterligare_orsaker"] == "bostad|vanvard" and rows[0]["source_row_number"] == 2
    assert "personnummer" not in rows[0] and rows[0]["is_linkable"] and rows[0]["id_typ"] == "personnummer"


def test_refused_file_leaves_no_row_and_its_reasons_are_in_the_ledger(installation: Installation) -> None:
    installation.drop(NAME, BAD)
    receipt = take(installation)
    assert [f.state for f in receipt.files] == ["refused"]
    assert installation.ledger().in_force() == []
    assert parquet_files(installation) == []
    (found,) = submissions(installation)
    reasons = installation.ledger().findings(found.submission_id)
    assert [(f.rule, f.row) for f in reasons if f.severity == "error"] == [("ARE-033", 2)]


def test_sender_finds_the_answer_beside_the_drop_location(installation: Installation) -> None:
    installation.drop(NAME, BAD)
    take(installation)
    answers = installation.root / "inbox" / DISTRICT / "aterkoppling"
    assert sorted(p.name for p in answers.iterdir()) == [f"{NAME}.json", f"{NAME}.txt", f"{NAME}.xlsx"]
    text = (answers / f"{NAME}.txt").read_text()
    assert "TAS INTE IN" in text and "ARE-033" in text and "Rad 2" in text
    assert json.loads((answers / f"{NAME}.json").read_text())["counts"]["ARE-033"] == 1
    installation.drop(NAME, GOOD)
    take(installation)
    assert "TAS IN: 1 rad" in (answers / f"{NAME}.txt").read_text()
    assert not (answers / f"{NAME}.xlsx").exists(), "marks of faults that are mended"


def test_corrected_file_goes_in_after_a_refusal(installation: Installation) -> None:
    installation.drop(NAME, BAD)
    take(installation)
    installation.drop(NAME, GOOD)
    assert [f.state for f in take(installation).files] == ["accepted"]
    assert [s.state for s in submissions(installation)] == ["refused", "accepted"]


def test_same_bytes_as_in_force_are_answered_already_received(installation: Installation) -> None:
    installation.drop(NAME, GOOD)
    take(installation)
    again = installation.drop(NAME, GOOD)
    receipt = take(installation)
    assert [f.state for f in receipt.files] == ["duplicate"] and receipt.changed_quarters == ()
    assert len(submissions(installation)) == 1 and not again.exists()


def test_same_bytes_after_a_refusal_are_checked_anew(installation: Installation) -> None:
    for _ in range(2):
        installation.drop(NAME, BAD)
        take(installation)
    assert [(s.state, s.sequence) for s in submissions(installation)] == [("refused", 1), ("refused", 2)]


def test_resubmission_becomes_the_next_version_and_older_rows_stay(installation: Installation) -> None:
    for orsak in ("bostad", "vanvård", "bostad"):
        installation.drop(NAME, csv_bytes("arenden", [base_row("arenden", orsak=orsak)]))
        take(installation)
    (current,) = installation.ledger().in_force()
    assert current.version == 3
    assert len([p for p in parquet_files(installation) if p.is_file()]) == 3


def test_original_is_stored_encrypted_and_reads_back(installation: Installation) -> None:
    installation.drop(NAME, BAD)
    take(installation)
    (found,) = submissions(installation)
    path = installation.settings.home / found.original_path
    stored = path.read_bytes()
    assert BAD[:40] not in stored and b"20100315" not in stored
    keys = load_keys(installation.settings.keys)
    assert decrypt_original(path, found.submission_id, keys) == BAD
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(DamagedOriginal):
        decrypt_original(path, found.submission_id, keys)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("lista.csv", "FIL-001"),
        ("bromma_arenden_2018Q5.csv", "FIL-001"),
        ("farsta_arenden_2018Q3.csv", "FIL-002"),
        ("bromma_barn_2018Q3.csv", "FIL-003"),
        ("bromma_arenden_2018Q4.csv", "FIL-018"),
        ("bromma_20100315-9801_2018Q3.csv", "FIL-016"),
    ],
)
def test_file_whose_name_is_wrong_is_refused_with_a_reason_and_stored(
    installation: Installation, name: str, rule: str
) -> None:
    installation.drop(name, GOOD)
    take(installation)
    (found,) = submissions(installation)
    assert found.state == "refused"
    assert rule in {c.rule for c in installation.ledger().rule_counts(found.submission_id)}
    assert (installation.settings.home / found.original_path).exists()
    assert "9801" not in found.source_file_name


def test_case_of_the_name_does_not_matter(installation: Installation) -> None:
    installation.drop(NAME.upper(), GOOD)
    assert [f.state for f in take(installation).files] == ["accepted"]


def test_code_must_be_valid_in_the_quarter(tmp_path: Path, installation: Installation) -> None:
    installation.drop("hagersten-alvsjo_arenden_2018Q3.csv", GOOD, "hagersten-alvsjo")
    take(installation, "hagersten-alvsjo")
    (found,) = submissions(installation)
    assert "FIL-017" in {c.rule for c in installation.ledger().rule_counts(found.submission_id)}


def test_late_file_is_taken_in_and_marked(installation: Installation) -> None:
    installation.now = "2018-10-21T00:30:00"
    installation.drop(NAME, GOOD)
    take(installation)
    assert [s.is_on_time for s in submissions(installation)] == [False]


def test_deadline_day_is_on_time_until_midnight_in_the_city(installation: Installation) -> None:
    installation.now = "2018-10-20T23:59:00"
    installation.drop(NAME, GOOD)
    take(installation)
    assert [s.is_on_time for s in submissions(installation)] == [True]


def test_unfinished_and_hidden_files_are_left_alone(installation: Installation) -> None:
    names = [f"{NAME}.part", ".hidden.csv", "~$bok.xlsx", f"{NAME}.tmp"]
    for name in names:
        installation.drop(name, GOOD)
    assert take(installation).files == ()
    assert sorted(p.name for p in (installation.root / "inbox" / DISTRICT).iterdir()) == sorted(names)


def test_other_quarters_wait_when_one_is_asked_for(installation: Installation) -> None:
    waiting = installation.drop(NAME, GOOD)
    receipt = receive_district(installation.settings, DISTRICT, Quarter(2018, 2))
    assert [f.state for f in receipt.files] == ["waiting"] and waiting.exists()


def test_manifest_marks_drawn_files_and_only_those(installation: Installation) -> None:
    import hashlib

    installation.drop("SYNTETISK.json", json.dumps({"files": {NAME: hashlib.sha256(GOOD).hexdigest()}}).encode())
    installation.drop(NAME, GOOD)
    take(installation)
    installation.drop(NAME, GOOD.replace(b"Alvik", b"alvik"))
    take(installation)
    assert [s.is_synthetic for s in submissions(installation)] == [True, False]


def test_taken_file_is_moved_when_the_location_says_so(installation: Installation, tmp_path: Path) -> None:
    folder = installation.root / "inbox" / DISTRICT
    declared = tmp_path / "districts.yml"
    declared.write_text(f"districts:\n  {DISTRICT}:\n    url: {folder}\n    after_receipt: move\n    synthetic: true\n")
    installation.drop(NAME, GOOD)
    settings = installation.settings.model_copy(update={"districts": declared})
    receive_district(settings, DISTRICT)
    assert sorted(p.name for p in folder.iterdir()) == ["aterkoppling", "received"]
    assert (folder / "received" / NAME).read_bytes() == GOOD
    assert installation.ledger().in_force()[0].is_synthetic


def test_unreachable_location_is_named_and_the_others_are_taken_in(installation: Installation) -> None:
    installation.drop(NAME, GOOD)
    receipt = receive(installation.settings)
    assert len(receipt.unreachable) == 13 and DISTRICT not in receipt.unreachable
    assert [d.district_code for d in receipt.districts] == [DISTRICT]
    with pytest.raises(DropLocationUnreachable, match="farsta"):
        take(installation, "farsta")


def test_other_keys_than_the_ledgers_are_refused(installation: Installation) -> None:
    installation.drop(NAME, GOOD)
    take(installation)
    installation.settings.keys.unlink()
    make_keys(installation.settings.keys)
    waiting = installation.drop(NAME, BAD)
    with pytest.raises(SettingsError, match="restore the right key file"):
        take(installation)
    assert waiting.exists()


def test_child_without_number_has_a_key_of_its_district_only(installation: Installation) -> None:
    row = base_row("arenden", personnummer="", id_typ="skyddad", lopnummer="L-1", fodelsear="2011", omrade="")
    for district in (DISTRICT, "farsta"):
        name = f"{district}_arenden_2018Q3.csv"
        installation.drop(name, csv_bytes("arenden", [row]), district)
        take(installation, district)
    rows = [
        pq.read_table(installation.settings.home / str(s.parquet_path)).to_pylist()[0]
        for s in installation.ledger().in_force()
    ]
    assert rows[0]["person_key"] != rows[1]["person_key"]
    assert rows[0]["match_person_key"] == rows[1]["match_person_key"]
    assert not rows[0]["is_linkable"] and not rows[0]["is_birth_date_exact"]


def test_same_child_has_the_same_key_in_two_districts(installation: Installation) -> None:
    row = base_row("arenden", omrade="")
    for district in (DISTRICT, "farsta"):
        installation.drop(f"{district}_arenden_2018Q3.csv", csv_bytes("arenden", [row]), district)
        take(installation, district)
    keys = {
        pq.read_table(installation.settings.home / str(s.parquet_path))["person_key"].to_pylist()[0]
        for s in installation.ledger().in_force()
    }
    assert len(keys) == 1


def test_folder_that_is_no_units_is_warned_of(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    inbox = installation.root / "inbox"
    for name in ("bromma", "Brommma", "gamla-stan", ".cache"):
        (inbox / name).mkdir(parents=True, exist_ok=True)
    receive(installation.settings, inbox=str(inbox))
    assert unread_folders(caplog) == ["Brommma", "gamla-stan"]


def unread_folders(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    return [message.partition(":")[0] for message in messages if "nobody reads the folder" in message]


def test_task_that_lists_districts_warns_of_folders_that_no_task_reads(
    installation: Installation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = installation.root / "districts.yml"
    declared.write_text("districts:\n  bromma: {url: '${FOLLOWUP_INBOX}/bromma'}\n")
    settings = installation.settings.model_copy(update={"districts": declared})
    monkeypatch.setattr("followup.tasks.intake.settings_of_task", lambda: settings)
    installation.drop(NAME, GOOD)
    for name in ("Brommma", "farsta"):
        (installation.root / "inbox" / name).mkdir()
    assert districts_to_collect() == [DISTRICT]
    assert unread_folders(caplog) == ["Brommma", "farsta"]
    caplog.clear()
    receive_district(settings, DISTRICT)
    assert unread_folders(caplog) == []


@pytest.mark.parametrize(
    "name",
    [
        "~$bromma_arenden_2018Q3.xlsx",
        ".~lock.bromma_arenden_2018Q3.ods#",
        ".DS_Store",
        "._x.csv",
        "Thumbs.db",
        "Desktop.ini",
    ],
)
def test_file_that_a_program_leaves_is_passed_over_and_logged_once(
    name: str, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    left = installation.drop(name, b"anna andersson")
    installation.drop(NAME, GOOD)
    with caplog.at_level("INFO", "ingest"):
        assert [receipt.file_name for receipt in take(installation).files] == [NAME]
    assert [record.getMessage().count(name) for record in caplog.records if name in record.getMessage()] == [1]
    assert left.read_bytes() == b"anna andersson"
