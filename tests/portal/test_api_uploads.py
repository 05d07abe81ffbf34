"""The API: sending files, following and deciding about them, and doing nothing twice."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_calling import API, Program, asked, installation, program, work_all
from browsing import Place
from handing_over import arenden
from openpyxl import load_workbook

from ingest.ledger import api_requests, decisions
from ingest.ledger.acts import system_now
from ingest.ledger.api_requests import AnsweredElsewhere
from ingest.ledger.api_tokens import Scope
from ingest.ledger.leases import machine
from ingest.quarters import Quarter
from portal.api.gate import Buckets, Gate
from portal.handover.receiving import Limits

NAME = "bromma_arenden_2018Q3.csv"
NOW = "2018-10-10T08:00:00"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = installation(tmp_path_factory.mktemp("api"), now=NOW)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bromma(place: Place) -> Program:
    made = program(place, "bromma")
    no_rates(place)
    return made


@pytest.fixture(scope="module")
def farsta(place: Place) -> Program:
    return program(place, "farsta")


def no_rates(place: Place) -> None:
    (gate,) = [route.app for route in place.app.app.routes if getattr(route, "path", "") == API]  # type: ignore[attr-defined]
    assert isinstance(gate, Gate)
    gate._of_token = Buckets(1e6, 1e6)


def sent(answer: Any, status: int = 202) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    (one,) = answer.json()["uploads"]
    return dict(one)


def state(caller: Program, upload_id: str) -> dict[str, Any]:
    answer = caller.get(f"/uploads/{upload_id}")
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.fixture(scope="module")
def accepted(place: Place, bromma: Program) -> dict[str, Any]:
    """A file in force."""
    one = sent(bromma.send(arenden("A1", "A2"), NAME, "submit"))
    work_all(place)
    return state(bromma, one["upload_id"])


def test_without_room_a_program_is_told_when_to_try_again(
    place: Place, bromma: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = place.app.portal.handover
    monkeypatch.setattr(counter, "_limits", replace(Limits.of(place.settings), unit_files=0))
    answer = bromma.send(arenden("A1"), NAME)
    assert (answer.status_code, answer.headers["retry-after"]) == (507, "30")
    assert answer.json()["detail"].startswith("För många filer är på väg in samtidigt.")


def test_file_is_handed_in_and_followed(place: Place, bromma: Program, accepted: dict[str, Any]) -> None:
    assert (accepted["state"], accepted["next"], accepted["is_under_way"]) == ("accepted", "nothing", False)
    assert accepted["created_at"].endswith("Z")
    found = bromma.get(f"/uploads/{accepted['upload_id']}/report").json()
    assert found["verdict"] == "TAS IN: 2 rader, inga fel" and found["findings"] == [] and found["rows"] == 2
    (one,) = [one for one in place.ledger.submissions(district="bromma") if one.version == 1]
    assert one.submission_id == accepted["submission_id"]
    acts = [(act.action, act.actor_kind, act.actor) for act in place.acts()]
    assert ("upload.submitted", "token", "1 journalsystem") in acts
    assert ("submission.accepted", "token", "1 journalsystem") in acts
    assert place.acts()[0].action == "token.added"


def test_refused_file_is_a_problem_with_its_findings(place: Place, bromma: Program, accepted: dict[str, Any]) -> None:
    with Beside(place):
        answer = bromma.send(arenden("A9", kon="X"), NAME, "submit", wait="25")
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:followup:problem:file-refused" and problem["detail"].startswith("TAS INTE IN: 1 fel")
    (finding,) = problem["findings"]
    assert set(finding) == {"rule", "severity", "row", "column", "message"}
    assert (finding["severity"], finding["row"], finding["column"]) == ("error", 2, "kon")
    report = bromma.get(f"/uploads/{problem['upload']['upload_id']}/report").json()
    assert report["findings"] == problem["findings"]
    workbook = bromma.get(f"/uploads/{problem['upload']['upload_id']}/workbook")
    assert "attachment" in workbook.headers["content-disposition"]
    assert load_workbook(io.BytesIO(workbook.content)).sheetnames


class Beside:
    """Works beside a program that waits."""

    def __init__(self, place: Place) -> None:
        self._place, self._is_over = place, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            work_all(self._place)


def test_checked_file_is_handed_in_without_sending_it_again(place: Place, farsta: Program) -> None:
    upload = sent(farsta.send(arenden("A1", omrade="Farsta centrum"), "farsta_arenden_2018Q3.csv"))["upload_id"]
    assert farsta.get(f"/uploads/{upload}/report").status_code == 404
    early = farsta.post(f"/uploads/{upload}/submit")
    assert early.status_code == 409 and early.json()["upload"]["state"] == "waiting"
    work_all(place)
    assert (state(farsta, upload)["state"], state(farsta, upload)["next"]) == ("checked", "submit")
    assert place.ledger.submissions(district="farsta") == []
    assert farsta.post(f"/uploads/{upload}/submit", {"is_confirmed": False}).json()["state"] == "waiting"
    work_all(place)
    assert state(farsta, upload)["state"] == "accepted"
    wrong = sent(farsta.send(arenden("A2", kon="X"), "farsta_arenden_2018Q3.csv"))["upload_id"]
    work_all(place)
    answer = farsta.post(f"/uploads/{wrong}/submit")
    assert answer.status_code == 409 and answer.json()["findings"][0]["column"] == "kon"
    assert farsta.post(f"/uploads/{wrong}/cancel").json()["state"] == "cancelled"
    assert farsta.post(f"/uploads/{wrong}/cancel").status_code == 409


def test_replacement_waits_until_it_is_confirmed(place: Place, bromma: Program, accepted: dict[str, Any]) -> None:
    upload = sent(bromma.send(arenden("A1", "A3"), NAME, "submit"))["upload_id"]
    work_all(place)
    assert (state(bromma, upload)["state"], state(bromma, upload)["next"]) == ("to_confirm", "confirm")
    report = bromma.get(f"/uploads/{upload}/report").json()
    assert report["changes"] and report["changes_text"]
    assert bromma.get(f"/uploads/{upload}/preview").status_code == 404
    assert bromma.post(f"/uploads/{upload}/preview").status_code == 200
    assert bromma.get(f"/uploads/{upload}/preview").json()["state"] == "waiting"
    assert bromma.post(f"/uploads/{upload}/preview").status_code == 409
    first, again = (bromma.post(f"/uploads/{upload}/confirm", key="confirm-1") for _ in range(2))
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    work_all(place)
    assert state(bromma, upload)["state"] == "accepted"


def test_file_whose_name_says_nothing_is_named(place: Place, bromma: Program) -> None:
    upload = sent(bromma.send(arenden("B1"), "export 7.csv"))["upload_id"]
    work_all(place)
    assert (state(bromma, upload)["state"], state(bromma, upload)["next"]) == ("unnamed", "name")
    for wrong in ({"dataset": "okänt", "quarter": "2018Q3"}, {"dataset": "arenden", "quarter": "x"}, {}):
        assert bromma.post(f"/uploads/{upload}/name", wrong).status_code == 422
    assert bromma.post(f"/uploads/{upload}/name", {"dataset": "arenden", "quarter": "2018Q3"}).status_code == 200
    work_all(place)
    assert state(bromma, upload)["state"] == "checked"
    # or in the request itself
    made = sent(bromma.send(arenden("B1"), "export 7.csv", dataset="arenden", quarter="2018Q3"))
    assert (made["file"], made["dataset"], made["quarter"]) == (NAME, "arenden", "2018Q3")
    assert sent(bromma.send(arenden("B1"), dataset="arenden", quarter="2018Q3"))["file"] == NAME
    for query in (
        {"name": NAME, "dataset": "grupper", "quarter": "2018Q3"}, {"name": NAME, "dataset": "arenden",
         "quarter": "2018Q2"}, {"dataset": "okänt", "quarter": "2018Q3"}, {"dataset": "arenden"}, {},
        {"dataset": "arenden", "quarter": "2018Q3", "kind": "application/octet-stream"},
    ):  # fmt: skip
        assert bromma.send(b"x", **query).status_code == 422, query


def test_form_takes_many_files_and_archives(place: Place, bromma: Program) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(NAME, arenden("C1"))
        archive.writestr("notes.txt", b"x")
    files = [("file", (NAME, arenden("C1"))), ("file", ("alla.zip", packed.getvalue()))]
    answer = bromma.post("/uploads?purpose=check", files=files)
    assert answer.status_code == 202 and len(answer.json()["uploads"]) == 2
    work_all(place)
    batch = bromma.get(f"/batches/{answer.json()['batch_id']}").json()["uploads"]
    assert sorted(one["state"] for one in batch) == ["checked", "checked", "unnamed", "unpacked"]
    by_zip = bromma.send(packed.getvalue(), "alla.zip", kind="application/zip")
    assert by_zip.status_code == 202
    for body, kind in [
        (b"", "multipart/form-data"), (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"), (b"x", "multipart/form-data; boundary=\"a b\""),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', "multipart/form-data; boundary=x"),
    ]:  # fmt: skip
        wrong = bromma.post("/uploads?purpose=check", content=body, headers={"content-type": kind})
        assert wrong.status_code in (400, 422) and wrong.headers["content-type"] == "application/problem+json", kind


def test_wait_gives_the_answer_at_once_when_it_is_there(place: Place, bromma: Program) -> None:
    with Beside(place):
        answer = bromma.send(arenden("D1"), NAME, wait="25")
    assert answer.status_code == 200 and sent(answer, 200)["state"] == "checked"
    late = bromma.send(arenden("D2"), NAME, wait="1")
    assert late.status_code == 202 and sent(late)["state"] == "waiting"
    for wrong in ("26", "-1", "x", "1e3"):
        assert bromma.send(b"x", NAME, wait=wrong).status_code == 422
    work_all(place)


# nothing is done twice


def test_request_sent_again_under_its_key_is_done_once(place: Place, bromma: Program) -> None:
    first = bromma.send(arenden("E1"), NAME, key="e-1")
    before = len(bromma.get("/uploads").json()["uploads"])
    again = bromma.send(arenden("E1"), NAME, key="e-1")
    assert again.json() == first.json() and again.headers["idempotency-replayed"] == "true"
    work_all(place)
    later = bromma.send(arenden("E1"), NAME, key="e-1")
    assert sent(later, 200)["state"] == "checked"  # how it is now
    assert len(bromma.get("/uploads").json()["uploads"]) == before
    for other in (
        bromma.send(arenden("E2"), NAME, key="e-1"),
        bromma.send(arenden("E1"), "x.csv", key="e-1"),
        bromma.send(arenden("E1"), NAME, "submit", key="e-1"),
        bromma.post(f"/uploads/{sent(later, 200)['upload_id']}/cancel", key="e-1"),
    ):
        assert other.status_code == 422 and other.json()["type"].endswith("key-reused"), other.text
    assert state(bromma, sent(later, 200)["upload_id"])["state"] == "checked"


def test_form_sent_again_is_the_same_whatever_its_boundary(bromma: Program) -> None:
    answers = [bromma.post("/uploads?purpose=check", files={"file": (NAME, arenden("F1"))}, key="f") for _ in range(2)]
    assert answers[0].json() == answers[1].json() and answers[1].headers["idempotency-replayed"] == "true"
    other = bromma.post("/uploads?purpose=check", files={"file": (NAME, arenden("F2"))}, key="f")
    assert other.status_code == 422


def test_key_is_its_token_s_own(bromma: Program, farsta: Program, place: Place) -> None:
    mine = bromma.send(arenden("G1"), NAME, key="g")
    other = farsta.send(arenden("G1"), "farsta_arenden_2018Q3.csv", key="g")
    assert mine.json()["batch_id"] != other.json()["batch_id"]
    second = program(place, "bromma")  # another token of the same unit
    assert second.send(arenden("G1"), NAME, key="g").json()["batch_id"] != mine.json()["batch_id"]


def test_of_many_at_once_under_one_key_one_is_done(bromma: Program) -> None:
    before = len(bromma.get("/uploads").json()["uploads"])
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: bromma.send(arenden("H1"), NAME, key="h"), range(6)))
    assert {one.status_code for one in answers} <= {202, 409}
    assert len({one.json()["batch_id"] for one in answers if one.status_code == 202}) == 1
    assert all(one.headers["retry-after"] == "1" for one in answers if one.status_code == 409)
    assert len(bromma.get("/uploads").json()["uploads"]) == before + 1


def test_request_that_did_nothing_may_be_sent_again_under_its_key(bromma: Program, place: Place) -> None:
    assert bromma.send(b"x", "x" * 150, key="i", kind="text/html").status_code == 415
    broken = bromma.post(
        "/uploads?purpose=check",
        content=b"--x\r\n",
        key="i",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert broken.status_code == 400
    part = {"type": "http.request", "body": b"x", "more_body": True}
    headers = {"authorization": f"Bearer {bromma.secret}", "content-type": "text/csv", "idempotency-key": "i"}
    status, _, _ = asked(
        place, f"{API}/uploads?purpose=check&name={NAME}", [part, {"type": "http.disconnect"}], headers
    )
    assert status == 408
    assert bromma.send(arenden("I1"), NAME, key="i").status_code == 202
    for wrong in ("", "a b", "x" * 201, "å"):
        answer = bromma.client.post(
            f"{API}/uploads?purpose=check&name={NAME}", content=b"x",
            headers=bromma.headers | {"content-type": "text/csv", "idempotency-key": wrong.encode("latin-1")},  # type: ignore[dict-item]
        )  # fmt: skip
        assert answer.status_code == 422, wrong


def test_request_of_a_process_that_died_is_taken_over_and_old_ones_are_forgotten(place: Place, bromma: Program) -> None:
    now = system_now()
    assert api_requests.begin(place.ledger, 1, "dead", now) is None
    with pytest.raises(AnsweredElsewhere):
        api_requests.begin(place.ledger, 1, "dead", now)
    assert bromma.send(b"x", NAME, key="dead").status_code == 409
    with place.ledger.engine.begin() as connection:
        dead = api_requests.api_request.update().where(api_requests.api_request.c.status.is_(None))
        connection.execute(dead.values(claimed_by=f"{machine()}|1|0|0"))
    assert bromma.send(arenden("J1"), NAME, key="dead").status_code == 202
    assert bromma.send(arenden("J2"), NAME, key="dead").status_code == 422
    later = now + timedelta(hours=24, seconds=5)
    assert api_requests.begin(place.ledger, 1, "new", later) is None
    with place.ledger.reading() as connection:
        assert connection.execute(api_requests.api_request.select()).fetchall()[-1].key_hash
        assert len(connection.execute(api_requests.api_request.select()).fetchall()) == 1
    api_requests.give_up(place.ledger, 1, "new")


# others' things


def test_upload_of_another_unit_is_not_there_and_the_try_is_logged(
    place: Place, bromma: Program, farsta: Program
) -> None:
    one = sent(farsta.send(arenden("K1"), "farsta_arenden_2018Q3.csv"))
    ways: list[tuple[str, str, object]] = [
        ("GET", "", None), ("GET", "/report", None), ("GET", "/workbook", None), ("GET", "/preview", None),
        ("POST", "/preview", None), ("POST", "/submit", None), ("POST", "/confirm", None), ("POST", "/cancel", None),
        ("POST", "/name", {"dataset": "arenden", "quarter": "2018Q3"}),
    ]  # fmt: skip
    for method, path, body in ways:
        answers = []
        for upload_id in (one["upload_id"], "a" * 26):
            before = len(place.acts())
            answer = bromma.client.request(
                method, f"{API}/uploads/{upload_id}{path}", headers=bromma.headers, json=body
            )
            assert answer.status_code == 404, (method, path)
            answers.append(answer.json())
            assert len(place.acts()) - before == (upload_id == one["upload_id"])
        assert answers[0] == answers[1]
        last = place.acts()[-1]
        assert (last.action, last.actor, last.subject) == (
            "access.refused", "1 journalsystem", "upload of unit farsta, by the API",
        )  # fmt: skip
    assert bromma.get(f"/batches/{one['batch_id']}").json()["type"].endswith("not-found")
    assert bromma.get(f"/batches/{'a' * 26}").status_code == 404
    assert state(farsta, one["upload_id"])["state"] == "waiting"
    assert one["upload_id"] not in bromma.get("/uploads").text
    work_all(place)


def test_file_of_another_unit_is_not_taken_in(place: Place, bromma: Program) -> None:
    upload = sent(bromma.send(arenden("L1"), "farsta_arenden_2018Q3.csv", "submit"))["upload_id"]
    work_all(place)
    assert state(bromma, upload)["state"] == "unnamed"  # the sender says which of their own files it is
    assert not any(one.source_file_name.startswith("farsta") for one in place.ledger.submissions(district="bromma"))


def test_number_in_a_file_s_name_is_shown_nowhere(
    place: Place, bromma: Program, caplog: pytest.LogCaptureFixture
) -> None:
    one = sent(bromma.send(b"a;b\n", "20100315-9801.csv"))
    work_all(place)
    said = bromma.get(f"/uploads/{one['upload_id']}").text + bromma.get(f"/uploads/{one['upload_id']}/report").text
    assert "9801" not in said + caplog.text + str(place.acts()) + str(one)


def test_locked_quarter_refuses_a_file(place: Place, tmp_path: Path) -> None:
    made = installation(tmp_path / "locked", now=NOW)
    try:
        decisions.lock_quarter(made.ledger, Quarter.parse("2018Q3"), system_now())
        caller = program(made, "bromma", [Scope.SUBMIT])
        upload = sent(caller.send(arenden("M1"), NAME, "submit"))["upload_id"]
        work_all(made)
        assert state(caller, upload)["state"] == "refused"
    finally:
        made.close()
