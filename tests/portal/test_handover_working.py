"""What becomes of an upload: by hand-made files, with the worker in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from handing_over import Counter, Office, arenden, csv, form

from ingest.ledger import ChangeRefused
from ingest.ledger.acts import acts
from ingest.ledger.claims import Claim, ClaimLost
from ingest.ledger.leases import holder_here
from ingest.ledger.uploads import GAVE_UP, claim_next
from ingest.maintenance.reimporting import reimport_originals
from ingest.naming import read_name
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.recording import Arrival, intake_with, open_intake
from ingest.taking_in import take_in
from portal.handover.announcing import NOT_TOLD
from portal.handover.working import LOST, NOT_NOW

NAME = "bromma_arenden_2018Q3.csv"
Q3 = Quarter.parse("2018Q3")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.ledger.close()


def did(office: Office) -> list[tuple[str, str]]:
    return [(act.action, act.actor) for act in acts(office.ledger)]


def test_file_is_taken_in_as_one_from_a_drop_location(office: Office, tmp_path: Path) -> None:
    raw = arenden("A1", "A2")
    (one,) = office.hand_in({NAME: raw})
    assert (one.state, one.is_accepted, one.is_settled, one.detail, one.step) == ("accepted", True, True, None, None)
    assert office.left() == [] and one.claimed_by is None
    assert did(office) == [("upload.submitted", "anna"), ("submission.accepted", "anna")]
    dropped = Counter(tmp_path / "other", keys_of=office)
    (tmp_path / "other" / "inbox" / "bromma").mkdir(parents=True)
    (tmp_path / "other" / "inbox" / "bromma" / NAME).write_bytes(raw)
    receive_district(dropped.settings, "bromma")
    (by_portal,), (by_folder,) = office.ledger.submissions(), dropped.ledger.submissions()
    assert one.submission_id == by_portal.submission_id and by_portal.is_source_cleared
    assert asdict(by_portal) == asdict(by_folder)
    for path in (by_portal.parquet_path, f"feedback/bromma/{by_portal.submission_id}.json"):
        assert (office.settings.home / str(path)).read_bytes() == (dropped.settings.home / str(path)).read_bytes()
    report = office.handover.report(one.upload_id)
    assert report is not None and report["verdict"] == "TAS IN: 2 rader, inga fel" and report["file"] == NAME
    dropped.ledger.close()


def test_refused_file_is_recorded_with_what_is_wrong(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A1", kon="X")})
    assert (one.state, one.is_accepted, one.is_settled) == ("refused", False, True) and office.left() == []
    (submission,) = office.ledger.submissions()
    assert (submission.submission_id, submission.state, submission.version) == (one.submission_id, "refused", None)
    report = office.handover.report(one.upload_id)
    assert report is not None and not report["accepted"] and report["verdict"].startswith("TAS INTE IN: 1 fel")
    assert [(found["row"], found["column"]) for found in report["findings"]] == [(2, "kon")]
    workbook = office.handover.workbook(one.upload_id)
    assert workbook is not None and workbook[:2] == b"PK"
    assert did(office)[-1] == ("submission.refused", "anna")


def test_check_stores_nothing_and_the_file_is_handed_in_without_sending_it_again(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A1")}, "check")
    assert (one.state, one.is_accepted, one.submission_id) == ("checked", True, None)
    assert office.ledger.submissions() == [] and did(office) == []
    report = office.handover.report(one.upload_id)
    assert report is not None and report["accepted"] and report["rows"] == 1
    assert office.handover.workbook(one.upload_id) is None  # nothing to mark
    with office.as_anna():
        office.handover.submit(one.upload_id)
    assert office.work_all()[0].state == "accepted"
    assert did(office) == [("upload.submitted", "anna"), ("submission.accepted", "anna")] and office.left() == []
    with pytest.raises(ChangeRefused):
        office.handover.submit(one.upload_id)


def test_file_that_a_check_refuses_can_not_be_handed_in(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A1", kon="X")}, "check")
    assert (one.state, one.is_accepted) == ("checked", False) and office.handover.workbook(one.upload_id)
    for decide in (office.handover.submit, office.handover.confirm, office.handover.start_preview):
        with pytest.raises(ChangeRefused):
            decide(one.upload_id)
    office.handover.cancel(one.upload_id)
    assert office.left() == [] and [found.state for found in office.work_all()] == ["cancelled"]


def test_same_content_is_taken_in_once(office: Office) -> None:
    first, second = (office.hand_in({NAME: arenden("A1")})[0] for _ in range(2))
    (checked,) = office.hand_in({"bromma_arenden_2018q3.CSV": arenden("A1")}, "check")
    assert (first.state, second.state, checked.state) == ("accepted", "duplicate", "duplicate")
    assert first.submission_id == second.submission_id == checked.submission_id
    assert len(office.ledger.submissions()) == 1 and office.left() == []
    assert office.handover.report(second.upload_id) == office.handover.report(first.upload_id)


def test_file_that_changes_rows_in_force_is_taken_in_once_its_sender_agrees(office: Office) -> None:
    (first,) = office.hand_in({NAME: arenden("A1", "A2", "A3")})
    (one,) = office.hand_in({NAME: arenden("A1", "A4", skola_kontaktad="ja")})
    assert (one.state, one.is_accepted, one.replaces) == ("to_confirm", True, first.submission_id)
    report = office.handover.report(one.upload_id)
    assert report is not None and [report["changes"][kind] for kind in ("added", "gone", "changed")] == [1, 2, 1]
    assert report["changes_text"][0].startswith("Jämfört med version 1, som ersätts: 1 rad tillkommer, 2 försvinner")
    assert len(office.ledger.submissions()) == 1
    with office.as_anna():
        office.handover.confirm(one.upload_id)
    (one,) = office.work_all()
    assert one.state == "accepted" and office.left() == []
    (current,) = office.ledger.in_force()
    assert (current.submission_id, current.version) == (one.submission_id, 2)
    assert did(office)[-2:] == [("upload.confirmed", "anna"), ("submission.accepted", "anna")]


def test_file_with_the_rows_in_force_in_another_order_needs_no_agreement(office: Office) -> None:
    office.hand_in({NAME: arenden("A1", "A2")})
    (one,) = office.hand_in({NAME: arenden("A2", "A1")})
    assert one.state == "accepted" and office.ledger.in_force()[0].version == 2


def test_sender_agrees_anew_when_another_version_came_in_force_meanwhile(office: Office) -> None:
    office.hand_in({NAME: arenden("A1")})
    (one,) = office.hand_in({NAME: arenden("A1", "A2")})
    office.drop(NAME, arenden("A1", "A2", "A3"))
    office.handover.confirm(one.upload_id)
    (one,) = office.work_all()
    assert (one.state, one.is_confirmed) == ("to_confirm", False)
    report = office.handover.report(one.upload_id)
    assert report is not None and report["changes"]["version"] == 2 and report["changes"]["gone"] == 1
    office.handover.confirm(one.upload_id)
    assert office.work_all()[0].state == "accepted" and office.ledger.in_force()[0].version == 3


def test_checked_file_whose_changes_were_seen_is_handed_in_at_once(office: Office) -> None:
    office.hand_in({NAME: arenden("A1")})
    (one,) = office.hand_in({NAME: arenden("A1", "A2")}, "check")
    office.handover.submit(one.upload_id, is_confirmed=True)
    assert office.work_all()[0].state == "accepted"
    (other,) = office.hand_in({NAME: arenden("A1", "A2", "A3")}, "check")
    office.handover.submit(other.upload_id)
    assert office.work_all()[0].state == "to_confirm"


def test_quarter_that_was_locked_meanwhile_is_closed_to_a_confirmed_file(office: Office) -> None:
    office.hand_in({NAME: arenden("A1")})
    (one,) = office.hand_in({NAME: arenden("A1", "A2")})
    office.lock("2018Q3")
    office.handover.confirm(one.upload_id)
    (one,) = office.work_all()
    assert one.state == "refused" and office.ledger.in_force()[0].version == 1
    report = office.handover.report(one.upload_id)
    assert report is not None and "FIL-040" in [found["rule"] for found in report["findings"]]


@pytest.mark.parametrize(
    ("file_name", "rule"),
    [
        ("Ärenden kvartal 3 (1).csv", "kan inte läsas"),
        ("ärenden", "kan inte läsas"),
        ("farsta_arenden_2018Q3.csv", "farsta"),
        ("bromma_ärendena_2018Q3.csv", "dataset"),
    ],
)
def test_file_whose_name_can_not_be_read_is_named_by_its_sender(office: Office, file_name: str, rule: str) -> None:
    (one,) = office.hand_in({file_name: arenden("A1")})
    assert (one.state, one.file_name, one.dataset) == ("unnamed", file_name, None) and one.detail
    with pytest.raises(ChangeRefused):
        office.handover.name(one.upload_id, "nothing", Q3)
    with office.as_anna():
        office.handover.name(one.upload_id, "arenden", Q3)
    (one,) = office.work_all()
    (submission,) = office.ledger.submissions()
    assert (one.state, one.dataset, one.quarter, one.file_name) == ("accepted", "arenden", "2018Q3", file_name)
    assert (submission.dataset, submission.source_file_name) == ("arenden", NAME)
    assert did(office)[1] == ("upload.named", "anna")


def test_file_named_by_its_sender_is_found_again_when_the_ledger_is_lost(office: Office) -> None:
    (one,) = office.hand_in({"mina ärenden.csv": arenden("A1")})
    office.handover.name(one.upload_id, "arenden", Q3)
    office.work_all()
    office.ledger.close()
    for path in office.settings.home.glob("ledger.sqlite*"):
        path.unlink()
    with open_intake(office.settings) as intake:
        assert [found.state for found in reimport_originals(intake)] == ["accepted"]
        assert [(s.dataset, s.reporting_quarter) for s in intake.ledger.in_force()] == [("arenden", "2018Q3")]


@pytest.mark.parametrize("file_name", ["mina.csv", "alvsjo_arenden_2021Q1.csv"])
def test_quarter_in_which_the_unit_does_not_report_is_refused(office: Office, file_name: str) -> None:
    office.now = "2022-01-10T08:00:00"
    (one,) = office.hand_in({file_name: arenden("A1")}, unit="alvsjo")
    if one.state == "unnamed":
        office.handover.name(one.upload_id, "arenden", Quarter.parse("2021Q1"))
        (one,) = office.work_all()
    report = office.handover.report(one.upload_id)
    assert one.state == "refused" and report is not None
    assert "FIL-017" in [found["rule"] for found in report["findings"]]


def test_name_with_a_personal_number_is_refused_and_not_repeated(office: Office) -> None:
    (one,) = office.hand_in({"20100315-9801.csv": arenden("A1")})
    assert one.state == "refused" and "9801" not in one.file_name
    report = office.handover.report(one.upload_id)
    assert report is not None and [found["rule"] for found in report["findings"]] == ["FIL-016"]
    assert "9801" not in json.dumps(report)


def test_ending_is_that_of_the_content_where_the_name_has_none(office: Office) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for line in arenden("A1").decode("cp1252").splitlines():
        book.active.append(line.split(";"))
    book.save(content := io.BytesIO())
    (one,) = office.hand_in({"ärenden": content.getvalue()}, "check")
    office.handover.name(one.upload_id, "arenden", Q3)
    (one,) = office.work_all()
    report = office.handover.report(one.upload_id)
    assert report is not None and report["file"] == "bromma_arenden_2018Q3.xlsx" and report["accepted"], report


def test_files_of_a_batch_are_taken_in_in_the_order_of_drop_locations(office: Office) -> None:
    office.now = "2019-01-10T08:00:00"
    names = [f"bromma_{dataset}_{quarter}.csv" for dataset, quarter in (
        ("oppenvard", "2018Q3"), ("arenden", "2018Q4"), ("arenden", "2018Q3"))]  # fmt: skip
    office.hand_in({name: csv(name, []) for name in names})
    names_of = {found.submission_id: (found.reporting_quarter, found.dataset) for found in office.ledger.submissions()}
    order = [names_of[act.subject] for act in acts(office.ledger) if act.action.startswith("submission.")]
    assert order == [("2018Q3", "arenden"), ("2018Q3", "oppenvard"), ("2018Q4", "arenden")]


def test_handed_in_before_the_deadline_is_on_time_however_late_it_is_checked(office: Office) -> None:
    office.now = "2018-10-20T23:59:00"
    deadline = Q3.deadline
    office.now = f"{deadline.isoformat()}T23:59:00"
    office.send(form([(NAME, arenden("A1"))]))
    office.now = f"{(deadline + timedelta(days=1)).isoformat()}T00:05:00"
    office.work_all()
    (submission,) = office.ledger.submissions()
    assert submission.is_on_time and submission.submitted_at == datetime.combine(deadline, datetime.min.time()).replace(
        hour=21 if deadline.month < 11 else 22, minute=59
    )


def test_newest_version_is_the_last_submitted(office: Office) -> None:
    """A dropped file was recorded after the sender handed in, and before a worker took it up."""
    office.send(form([(NAME, arenden("A1"))]))
    office.now = "2018-10-10T09:00:00"
    office.drop(NAME, arenden("A1", kon="X"))
    office.work_all()
    refused, accepted = office.ledger.submissions()
    assert (refused.state, accepted.state) == ("refused", "accepted")
    assert accepted.submitted_at == refused.submitted_at + timedelta(microseconds=1)


# failures


def test_file_waits_while_the_units_files_are_being_taken_in(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.handover.working._LEASE_SECONDS", 0.0)
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    with office.ledger.lease("receive:bromma"):
        assert office.work_elsewhere()
    one = office.one(upload_id)
    assert (one.state, one.attempts, one.claimed_by, one.detail) == ("working", 0, None, None)
    assert not office.worker.work(), "it pauses first"
    office.skip_pauses()
    assert office.work_all()[0].state == "accepted"


def test_failure_of_the_machine_leaves_the_file_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("ingest.recording.encrypt_original", full)
        for _ in range(5):
            assert office.worker.work()
            office.skip_pauses()
    one = office.one(upload_id)
    assert (one.detail, one.submission_id, one.has_ended) == (NOT_NOW, None, False) and office.left() != []
    (one,) = office.work_all()
    assert (one.state, one.detail) == ("accepted", None) and len(office.ledger.submissions()) == 1


def test_file_that_breaks_the_worker_is_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    with monkeypatch.context() as broken:
        broken.setattr("portal.handover.working.is_archive", lambda *_: 1 / 0)
        for _ in range(5):
            office.worker.work()
            office.skip_pauses()
    one = office.one(upload_id)
    assert (one.state, one.detail, one.is_settled) == ("failed", GAVE_UP, True) and office.left() == []


@pytest.mark.parametrize("damage", ["removed", "changed", "under a lost key"])
def test_spooled_file_that_can_not_be_read_is_asked_for_again(office: Office, damage: str) -> None:
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    path = office.spool.path_of(upload_id)
    raw = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(raw[:-1] if damage == "changed" else raw[:10] + b"\x00\x09" + raw[12:])
    (one,) = office.work_all()
    assert (one.state, one.detail) == ("failed", LOST) and office.left() == [] and office.ledger.submissions() == []


def test_worker_that_was_overtaken_records_nothing(office: Office) -> None:
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    slow = claim_next(office.ledger)
    assert slow is not None and slow.claimed_by == holder_here()
    office.expire_claims()
    assert office.work_elsewhere() and office.one(upload_id).state == "accepted"
    intake = intake_with(office.settings, office.ledger)
    arrival = Arrival("bromma", read_name(NAME), arenden("A1", "A2"), 1, "f" * 64, False, office.settings.now(),
                      upload=Claim(upload_id, str(slow.claimed_by)))  # fmt: skip
    with pytest.raises(ClaimLost), intake.lease("bromma"):
        take_in(intake, arrival)
    assert len(office.ledger.submissions()) == 1


def test_upload_that_is_cancelled_while_it_is_checked_is_not_recorded(office: Office) -> None:
    (upload_id,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    with pytest.raises(ChangeRefused):
        assert claim_next(office.ledger) is not None
        office.handover.cancel(upload_id)
    (other,) = office.send(form([(NAME, arenden("A1"))])).upload_ids
    with office.as_anna():
        office.handover.cancel(other)
    assert office.one(other).state == "cancelled" and did(office)[-1] == ("upload.cancelled", "anna")


def test_airflow_out_of_reach_is_said_and_the_file_is_in_force(office: Office, tmp_path: Path) -> None:
    login = tmp_path / "login.json"
    login.write_text(json.dumps({"user": "u", "password": "p"}))
    login.chmod(0o600)
    office.own = {"airflow_url": "http://127.0.0.1:9", "airflow_login": login}
    (one,) = office.hand_in({NAME: arenden("A1")})
    assert (one.state, one.detail, one.is_settled) == ("accepted", NOT_TOLD, True) and len(
        office.ledger.in_force()
    ) == 1


def test_file_replaced_in_the_spool_by_another_upload_is_not_taken_for_it(office: Office) -> None:
    a, b = office.send(form([(NAME, arenden("A1")), (NAME, arenden("B1"))])).upload_ids
    office.spool.path_of(b).write_bytes(office.spool.path_of(a).read_bytes())
    states = {one.upload_id: one.state for one in office.work_all()}
    assert states[b] == "failed" and states[a] == "accepted"


def test_nothing_of_an_upload_is_read_by_a_name_that_is_none(office: Office) -> None:
    for bad in ("../ledger", "", "nothing"):
        assert office.handover.upload(bad) is None and office.handover.report(bad) is None
        assert office.handover.preview_of(bad) is None
        for decide in (office.handover.submit, office.handover.confirm, office.handover.cancel):
            with pytest.raises(ChangeRefused):
                decide(bad)
