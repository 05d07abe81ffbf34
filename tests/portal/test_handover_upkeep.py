"""The spool in the rest of the installation: erasing, keys, doctor, and no number in clear anywhere."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from handing_over import Office, arenden, base_row, csv_bytes, form, synthetic_number
from numbers_sent import search

from followup.doctor import run_doctor
from ingest.ledger.acts import system_now
from ingest.ledger.claims import Claim, ClaimLost, end_claimed
from ingest.ledger.rotations import ORIGINALS, PERSONS
from ingest.ledger.tables import upload as table
from ingest.ledger.uploads import claim_next
from ingest.maintenance.erasing import erase_person
from ingest.maintenance.rotating import key_uses, prune, rotate
from ingest.recording import open_intake

NAME = "bromma_arenden_2018Q3.csv"
NOW = datetime(2018, 11, 1)
PERSON = synthetic_number(7)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.ledger.close()


def zipped(name: str, raw: bytes) -> bytes:
    with zipfile.ZipFile(content := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, raw)
    return content.getvalue()


def test_person_is_erased_from_files_that_wait_in_the_spool(office: Office) -> None:
    (checked,) = office.hand_in({NAME: arenden("A7")}, "check")
    (other,) = office.hand_in({NAME: arenden("A8")}, "check")
    sent = [("mina.csv", arenden("A7")), ("b.zip", zipped("c.csv", arenden("A7"))),
            ("d.zip", zipped("e.xlsx", zipped("xl/sheet1.xml", b"x"))), ("f.csv", arenden("A9"))]  # fmt: skip
    waiting = office.send(form(sent)).upload_ids
    worked = claim_next(office.ledger)
    assert worked is not None and worked.upload_id in waiting
    with open_intake(office.settings) as intake:
        done = erase_person(intake, PERSON, NOW)
    assert (done.spooled, done.originals, done.rows) == (4, 0, 0)
    states = [office.one(upload_id).state for upload_id in (checked.upload_id, *waiting[:3])]
    assert states == ["cancelled"] * 4 and office.handover.report(checked.upload_id) is None
    assert {path.partition(".")[0] for path in office.left()} == {other.upload_id, waiting[3]}
    if worked.upload_id != waiting[3]:
        with pytest.raises(ClaimLost), office.ledger.engine.begin() as connection:
            end_claimed(connection, Claim(worked.upload_id, str(worked.claimed_by)), "checked")


def test_spooled_file_that_can_not_be_read_is_erased_too(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A8")}, "check")
    office.spool.path_of(one.upload_id).write_bytes(b"damaged")
    with open_intake(office.settings) as intake:
        assert erase_person(intake, PERSON, NOW).spooled == 1
    assert office.left() == []


def test_key_under_which_a_file_waits_is_not_pruned(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A1")}, "check")
    with open_intake(office.settings, is_rotating=True) as intake:
        rotate(intake, (ORIGINALS,))
    with open_intake(office.settings) as intake:
        uses = {(use.what, use.version): use.files for use in key_uses(intake)}
        assert uses[ORIGINALS, 1] == 1 and uses[ORIGINALS, 2] == 0
        assert prune(intake)[ORIGINALS] == ()
    office.handover.submit(one.upload_id)
    assert office.work_all()[0].state == "accepted"
    with open_intake(office.settings) as intake:
        assert prune(intake) == {PERSONS: (), ORIGINALS: (1,)}


def test_worker_that_runs_goes_on_after_a_rotation_of_all_keys(office: Office) -> None:
    worker = office.worker
    office.hand_in({NAME: arenden("A1", "A2")})
    with open_intake(office.settings, is_rotating=True) as intake:
        rotate(intake, (PERSONS, ORIGINALS))
    upload_id = office.send(form([(NAME, arenden("A1"))])).upload_ids[0]
    assert worker.work()
    report = office.handover.report(upload_id)
    assert office.one(upload_id).state == "to_confirm" and report is not None
    assert (report["changes"]["gone"], report["changes"]["added"]) == (1, 0)


def said(office: Office) -> list[tuple[bool, str]]:
    return [(one.is_good, one.message) for one in run_doctor(office.settings) if one.what == "uploads"]


def test_doctor_says_when_nobody_takes_files_up(office: Office) -> None:
    assert said(office) == []
    office.hand_in({NAME: arenden("A1")}, "check")
    (upload_id,) = office.send(form([(NAME, arenden("A2"))])).upload_ids
    assert said(office) == [(True, "2 in spool/, encrypted, until they are handed in or expire")]
    with office.ledger.engine.begin() as connection:
        connection.execute(table.update().values(changed_at=system_now() - timedelta(minutes=11)))
    ((is_good, message),) = said(office)
    assert not is_good and re.search(r"waited 11 minutes .* python -m portal", message)
    office.work_all()
    assert office.one(upload_id).state == "accepted" and said(office)[0][0]
    with office.spool.write("z" * 26, "unknown", office.keys) as writer:
        writer.finish()
    assert said(office)[0][1].startswith("1 in spool/ belong to no upload")


def test_no_number_is_in_clear_whatever_became_of_its_file(office: Office) -> None:
    """Good, refused, unnamed, packed and broken-off files, with numbers in cells, headers and names."""
    persons = [synthetic_number(day) for day in range(1, 8)]
    numbers = {person.replace("-", "") for person in persons}
    rows = [base_row("arenden") | {"arende_id": f"A{n}", "personnummer": person} for n, person in enumerate(persons)]
    good = csv_bytes("arenden", rows)
    bad = good.replace(b"flicka", persons[0].encode(), 1).replace(b";", b";" + persons[1].encode(), 1)
    office.hand_in({NAME: good})
    office.hand_in({NAME: good[: -len(persons[0]) * 8], f"ärenden {persons[2]}.csv": good, "a.zip": zipped(NAME, bad)})
    office.hand_in({NAME: bad, f"bromma_{persons[3]}_2018Q3.csv": good}, "check")
    with pytest.raises(Exception, match="bröts"):
        office.send(form([(NAME, good)])[:-200])
    office.send(form([(NAME, good * 400)]))
    assert {one.state for one in office.handover.uploads_of("bromma")} >= {"accepted", "refused", "checked", "waiting"}
    assert search([office.settings.home], numbers) == []
    spooled = list(office.spool.folder.iterdir())
    assert len(spooled) > 3 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in spooled)
