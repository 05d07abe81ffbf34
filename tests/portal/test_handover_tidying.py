"""What waits for nobody is ended and removed; what waits for a worker never is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from handing_over import Office, arenden, form

from ingest.ledger.acts import system_now
from ingest.ledger.tables import upload as table
from ingest.ledger.uploads import BROKEN_OFF, Upload, add_upload
from portal.handover.tidying import tidy
from portal.settings import PortalSettings

NAME = "bromma_arenden_2018Q3.csv"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.ledger.close()


def age(office: Office, upload_id: str, **ago: float) -> None:
    with office.ledger.engine.begin() as connection:
        values: dict[str, Any] = {"changed_at": system_now() - timedelta(**ago)}
        connection.execute(table.update().where(table.c.upload_id == upload_id).values(**values))


def tidied(office: Office) -> None:
    tidy(office.settings, PortalSettings(spool_hours=24), office.ledger)
    office.work_all()


def test_file_that_its_sender_leaves_is_removed_after_the_time_set(office: Office) -> None:
    (checked,) = office.hand_in({NAME: arenden("A1")}, "check")
    (unnamed,) = office.hand_in({"mina.csv": arenden("A1")})
    (waiting,) = office.send(form([(NAME, arenden("A2"))])).upload_ids
    ids = [checked.upload_id, unnamed.upload_id, waiting]
    for upload_id in ids:
        age(office, upload_id, hours=23.9)
    tidy(office.settings, PortalSettings(spool_hours=24), office.ledger)
    assert [office.one(upload_id).state for upload_id in ids] == ["checked", "unnamed", "waiting"]
    for upload_id in ids:
        age(office, upload_id, hours=24.1)
    tidy(office.settings, PortalSettings(spool_hours=24), office.ledger)
    assert [office.one(upload_id).state for upload_id in ids] == ["expired", "expired", "waiting"]
    office.work_all()
    assert office.one(waiting).state == "accepted", "what was handed in is never given up"
    assert office.left() == [] and office.handover.report(checked.upload_id) is None


def test_upload_that_ended_long_ago_is_forgotten_and_its_submission_is_not(office: Office) -> None:
    (one,) = office.hand_in({NAME: arenden("A1")})
    age(office, one.upload_id, days=119)
    tidied(office)
    assert office.handover.upload(one.upload_id) is not None
    age(office, one.upload_id, days=121)
    tidied(office)
    assert office.handover.upload(one.upload_id) is None and len(office.ledger.in_force()) == 1


def test_what_a_killed_portal_or_worker_left_is_removed(office: Office) -> None:
    now = system_now()
    add_upload(office.ledger, Upload("a" * 26, "b" * 26, "bromma", "submit", NAME, "user", "anna", now, now))
    writer = office.spool.write("a" * 26, NAME, office.keys)
    writer.write(b"x" * 3_000_000)
    writer._handle.flush()
    with office.spool.write("c" * 26, "unknown", office.keys) as whole:
        whole.finish()
    tidied(office)
    assert len(office.left()) == 2, "one is being received, one may be being unpacked"
    with office.ledger.engine.begin() as connection:
        connection.execute(sa.update(table).values(claimed_by="elsewhere|1|1|1", claim_until=now))
    for path in office.spool.folder.iterdir():
        os.utime(path, (1, 1))
    (office.spool.folder / "what is this").write_bytes(b"x")
    tidied(office)
    one = office.one("a" * 26)
    assert (one.state, one.detail, one.is_settled) == ("failed", BROKEN_OFF, True)
    assert office.left() == ["what is this"]
    writer._handle.close()
