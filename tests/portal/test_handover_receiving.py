"""A request with files: all of it waits for the workers, or nothing of it is left."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from handing_over import ANNA, BOUNDARY, TYPE, Counter, body, form, part

from ingest.ledger.acts import acts, system_now
from ingest.ledger.tables import upload as table
from ingest.ledger.uploads import BROKEN_OFF, Upload, add_upload, end_broken_off, hand_over, uploads_of
from portal.handover.multipart import BrokenBody, HandoverRefused, TooLarge
from portal.handover.receiving import Limits, NoFile, SpoolFull

NAME = "bromma_arenden_2018Q3.csv"


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    made = Counter(tmp_path, limits=Limits(1000, 1500, 2000, files=3, fields=2, field_bytes=20))
    yield made
    made.ledger.close()


def test_files_of_a_request_wait_together(counter: Counter) -> None:
    sent = form([(NAME, b"1;2"), ("C:\\mina filer\\Ärenden kv 3.csv", b"3"), ("", b"")], csrf="t", avsikt="x")
    received = counter.send(sent, size=7)
    first, second = counter.handover.batch(received.batch_id)
    by_name = {one.file_name: one for one in (first, second)}
    one, other = by_name[NAME], by_name["Ärenden kv 3.csv"]
    assert received.upload_ids == (one.upload_id, other.upload_id)
    assert received.fields == {"csrf": "t", "avsikt": "x"}
    assert (one.dataset, one.quarter, other.dataset, other.quarter) == ("arenden", "2018Q3", None, None)
    assert {one.state, other.state} == {"waiting"} and one.claimed_by is None and one.sender == ANNA
    assert one.sha256 == sha256(b"1;2").hexdigest()
    assert (one.size_bytes, other.size_bytes) == (3, 1)
    assert one.submitted_at == datetime(2018, 10, 10, 6)
    assert counter.spool.read(one.upload_id, counter.keys) == (NAME, b"1;2")
    assert [(act.action, act.actor, act.subject) for act in acts(counter.ledger)] == [
        ("upload.submitted", "anna", one.upload_id),
        ("upload.submitted", "anna", other.upload_id),
    ]
    assert {one.upload_id for one in counter.handover.uploads_of("bromma")} == set(received.upload_ids)
    assert counter.handover.uploads_of("farsta") == []


def test_check_is_no_act(counter: Counter) -> None:
    received = counter.send(form([(NAME, b"1")]), "check")
    one = counter.handover.upload(received.upload_ids[0])
    assert one is not None and one.submitted_at is None and acts(counter.ledger) == []


def test_name_with_a_number_is_shown_without_it_and_kept_sealed(counter: Counter) -> None:
    received = counter.send(form([("20110315-1233 ärenden.csv", b"1")]))
    one = counter.handover.upload(received.upload_ids[0])
    assert one is not None and "1233" not in one.file_name
    assert counter.spool.read(one.upload_id, counter.keys)[0] == "20110315-1233 ärenden.csv"


FILE = part("filer", b"x" * 900, NAME)
REFUSED: dict[str, tuple[bytes, type[HandoverRefused]]] = {
    "no file": (form([], csrf="t"), NoFile),
    "only an empty file field": (form([("", b"")], csrf="t"), NoFile),
    "cut in the second file": (body(FILE, part("filer", b"x" * 400, NAME))[:-300], BrokenBody),
    "cut after the first file": (FILE, BrokenBody),
    "cut before the last boundary ends": (body(FILE)[:-3], BrokenBody),
    "another boundary": (body(FILE).replace(BOUNDARY.encode(), b"other"), BrokenBody),
    "broken after a whole file": (body(FILE, part("a", b"x", headers=["hello"])), BrokenBody),
    "nested after a whole file": (body(FILE, part("a", b"x", "b", ["Content-Type: multipart/mixed"])), BrokenBody),
    "more after the end": (body(FILE) + b"GET / HTTP/1.1", BrokenBody),
    "a file too large": (body(FILE, part("filer", b"x" * 1001, "a.csv")), TooLarge),
    "files too large together": (body(FILE, FILE), TooLarge),
    "too many files": (body(*[part("filer", b"x", NAME)] * 4), TooLarge),
    "too long a field": (body(FILE, part("a", b"x" * 21)), TooLarge),
    "too long headers": (body(FILE, part("a", b"x", "n" * 5000)), TooLarge),
    "too many fields": (form([(NAME, b"x")], a="1", b="2", c="3"), BrokenBody),
    "a field twice": (body(part("a", b"1"), part("a", b"2"), FILE), BrokenBody),
    "a field that is no text": (body(FILE, part("a", b"\xff")), BrokenBody),
    "a file without name or end": (b"--" + BOUNDARY.encode(), BrokenBody),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("size", [1, 65_536])
def test_request_that_is_refused_leaves_nothing(counter: Counter, kind: str, size: int) -> None:
    sent, error = REFUSED[kind]
    with pytest.raises(error) as caught:
        counter.send(sent, size=size)
    assert caught.value.status in (400, 413, 422) and str(caught.value).endswith(".")
    assert counter.left() == [] and uploads_of(counter.ledger, "bromma") == [] and acts(counter.ledger) == []


def test_largest_file_is_taken(counter: Counter) -> None:
    assert len(counter.send(body(part("filer", b"x" * 1000, NAME))).upload_ids) == 1


def test_unit_with_much_in_the_spool_can_add_no_more(counter: Counter) -> None:
    counter.send(form([(NAME, b"x" * 1000)]))
    counter.send(form([(NAME, b"x" * 1000)]), unit="farsta")
    before = counter.left()
    with pytest.raises(SpoolFull):
        counter.send(form([(NAME, b"x" * 900), (NAME, b"x" * 200)]))
    assert counter.left() == before
    assert len(counter.send(form([(NAME, b"x" * 1000)])).upload_ids) == 1


class Forged(Exception):
    """What the page's check of the form raises."""


def test_fields_are_checked_before_a_byte_of_a_file_is_stored(counter: Counter) -> None:
    seen: list[Any] = []

    def check(fields: dict[str, str]) -> None:
        seen.append((fields, counter.left()))
        if fields.get("csrf") != "right":
            raise Forged

    for sent in (form([(NAME, b"x")], csrf="wrong"), body(FILE, part("csrf", b"right")), form([], csrf="wrong")):
        with pytest.raises(Forged):
            counter.send(sent, check_fields=check)
        assert counter.left() == []
    counter.send(form([(NAME, b"x"), (NAME, b"x")], csrf="right"), check_fields=check)
    assert [fields for fields, _ in seen] == [{"csrf": "wrong"}, {}, {"csrf": "wrong"}, {"csrf": "right"}]
    assert all(left == [] for _, left in seen)


def test_sender_who_goes_away_leaves_nothing(counter: Counter) -> None:
    async def broken_off() -> AsyncIterator[bytes]:
        yield body(FILE, FILE)[:1200]
        assert len(counter.left()) == 2
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(counter.handover.receive(broken_off(), TYPE, district_code="bromma", actor=ANNA, purpose="submit"))
    assert counter.left() == [] and uploads_of(counter.ledger, "bromma") == []


def test_full_disk_is_said_and_leaves_nothing(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ingest.spooling.os.fsync", full)
    with pytest.raises(SpoolFull):
        counter.send(form([(NAME, b"x")]))
    assert counter.left() == [] and uploads_of(counter.ledger, "bromma") == []


def test_upload_of_a_killed_portal_says_that_it_broke_off(counter: Counter) -> None:
    """What a killed process leaves: a row that is being received, and an unfinished file."""
    now = system_now()
    left = Upload("a" * 26, "b" * 26, "bromma", "submit", NAME, "user", "anna", now, now)
    add_upload(counter.ledger, left)
    end_broken_off(counter.ledger)
    assert uploads_of(counter.ledger, "bromma")[0].state == "receiving"  # its process, this one, is alive
    with counter.ledger.engine.begin() as connection:
        connection.execute(table.update().values(claim_until=now - timedelta(seconds=1)))
    end_broken_off(counter.ledger)
    (one,) = uploads_of(counter.ledger, "bromma")
    assert (one.state, one.detail, one.has_ended) == ("failed", BROKEN_OFF, True)
    with pytest.raises(Exception, match="given up"):
        hand_over(counter.ledger, [replace(left, sha256="0" * 64)], now)


def test_unit_can_not_fill_the_queue_of_all_others(counter: Counter) -> None:
    counter.limits = replace(counter.limits or Limits.of(counter.settings), unit_files=4)
    for _ in range(2):
        counter.send(form([(NAME, b"x"), (NAME, b"y")]))
    before = counter.left()
    with pytest.raises(SpoolFull):
        counter.send(form([(NAME, b"z")]))
    assert counter.left() == before and len(uploads_of(counter.ledger, "bromma")) == 4
    assert len(counter.send(form([(NAME, b"z")]), unit="farsta").upload_ids) == 1


def test_requests_at_once_see_each_other(counter: Counter) -> None:
    counter.limits = replace(counter.limits or Limits.of(counter.settings), unit_requests=3)

    async def at_once() -> list[Any]:
        gate, whole = asyncio.Event(), form([(NAME, b"x" * 100)])

        async def slow() -> AsyncIterator[bytes]:
            yield whole[:-50]
            await gate.wait()
            yield whole[-50:]

        async def send() -> Any:
            return await counter.handover.receive(
                slow(), TYPE, district_code="bromma", actor=ANNA, purpose="submit", check_fields=lambda fields: None
            )

        begun = [asyncio.create_task(send()) for _ in range(3)]
        while len(uploads_of(counter.ledger, "bromma")) < 3:
            await asyncio.sleep(0.01)
        refused = await asyncio.gather(*(send() for _ in range(10)), return_exceptions=True)
        gate.set()
        return [*await asyncio.gather(*begun), *refused]

    answers = asyncio.run(at_once())
    assert [type(one).__name__ for one in answers] == ["Received"] * 3 + ["SpoolFull"] * 10
    assert len(uploads_of(counter.ledger, "bromma")) == 3
