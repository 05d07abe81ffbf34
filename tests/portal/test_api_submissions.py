"""The API: what was handed in, explaining queries, withdrawing, status and templates; and never another unit's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_calling import API, Program, installation, program, work_all
from browsing import Place
from handing_over import arenden
from openpyxl import load_workbook

from ingest.districts import load_districts
from ingest.ledger import decisions
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope
from ingest.quarters import Quarter

NAME = "bromma_arenden_2018Q3.csv"
ASKED = {"forhandsbedomning_klar": "2018-07-17"}
"""More than 14 days after the case came: a query, ARE-041."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = installation(tmp_path_factory.mktemp("api"), now="2018-10-10T08:00:00")
    yield made
    made.close()


@pytest.fixture(scope="module")
def bromma(place: Place) -> Program:
    return program(place, "bromma")


@pytest.fixture(scope="module")
def farsta(place: Place) -> Program:
    return program(place, "farsta")


@pytest.fixture(scope="module")
def handed_in(place: Place, bromma: Program) -> str:
    """A submission in force with two queries."""
    content = arenden("A1", "A2", **ASKED)
    assert bromma.send(content, NAME, "submit").status_code == 202
    refused = arenden("A1", kon="X")
    assert bromma.send(refused, "bromma_arenden_2018Q2.csv", "submit").status_code == 202
    work_all(place)
    (one,) = place.ledger.in_force(district="bromma")
    return one.submission_id


def test_history_has_every_version_with_its_findings(place: Place, bromma: Program, handed_in: str) -> None:
    found = bromma.get("/submissions").json()["submissions"]
    assert {one["state"] for one in found} == {"accepted", "refused"} and {one["unit"] for one in found} == {"bromma"}
    (one,) = bromma.get("/submissions", params={"quarter": "2018Q3", "dataset": "arenden"}).json()["submissions"]
    assert (one["submission_id"], one["version"], one["rows"]) == (handed_in, 1, 2)
    assert one["submitted_at"].startswith("2018-10-10T") and one["submitted_at"].endswith("Z")
    assert bromma.get("/submissions", params={"dataset": "grupper"}).json() == {"submissions": []}
    assert bromma.get("/submissions", params={"dataset": "arende"}).status_code == 422
    details = bromma.get(f"/submissions/{handed_in}").json()
    assert {finding["rule"] for finding in details["findings"]} == {"ARE-041"}
    report = bromma.get(f"/submissions/{handed_in}/report").json()
    assert report["accepted"] and [one["rule"] for one in report["findings"]] == ["ARE-041"]
    workbook = bromma.get(f"/submissions/{handed_in}/workbook")
    assert load_workbook(io.BytesIO(workbook.content)).sheetnames
    assert workbook.headers["x-content-type-options"] == "nosniff"


def test_queries_are_explained_once(place: Place, bromma: Program, handed_in: str) -> None:
    asked = bromma.get(f"/submissions/{handed_in}/queries").json()
    assert asked["open_queries"] == 1 and asked["queries"][0]["rule"] == "ARE-041"
    path = f"/submissions/{handed_in}/explanations"
    for wrong in (
        {"rule": "ARE-999", "text": "x"}, {"rule": "ARE-041", "text": "x", "row": 99},
        {"rule": "ARE-041", "text": "x", "row_key": "x"}, {"rule": "ARE-041", "text": "Barnet 20100315-9801"},
        {"rule": "ARE-041", "text": "   "}, {"rule": "are", "text": "x"}, {"rule": "ARE-041", "text": "a\x00"},
    ):  # fmt: skip
        answer = bromma.post(path, wrong)
        assert answer.status_code == 422 and "9801" not in answer.text, wrong
    given = {"rule": "ARE-041", "text": "Familjen var bortrest.", "row": asked["queries"][0]["row"]}
    first, again = (bromma.post(path, given, key="x") for _ in range(2))
    assert first.json() == again.json() == {"explained": 1, "open_queries": 0}
    assert [(act.actor_kind, act.actor) for act in place.acts() if act.action == "query.explained"] == [
        ("token", "1 journalsystem")
    ]
    assert bromma.post(path, given | {"text": "Annat."}, key="x").status_code == 422
    assert bromma.get(f"/submissions/{handed_in}/queries").json() == {"open_queries": 0, "queries": []}


def test_status_says_what_is_in_and_what_is_missing(bromma: Program, handed_in: str) -> None:
    lines = bromma.get("/status", params={"quarter": "2018Q3"}).json()["lines"]
    assert len(lines) == 9 and {one["unit"] for one in lines} == {"bromma"}
    by_dataset = {one["dataset"]: one for one in lines}
    assert by_dataset["arenden"]["state"] == "in_force" and by_dataset["arenden"]["deadline"] == "2018-10-20"
    assert by_dataset["grupper"]["state"] == "awaited"


def test_template_is_the_unit_s(bromma: Program) -> None:
    csv = bromma.get("/templates/arenden", params={"format": "csv", "quarter": "2018Q3"})
    assert csv.content.startswith(b"\xef\xbb\xbf") and NAME in csv.headers["content-disposition"]
    book = load_workbook(io.BytesIO(bromma.get("/templates/grupper").content))
    assert "grupper" in book.sheetnames
    assert bromma.get("/templates/okant").status_code == 404
    assert bromma.get("/templates/arenden", params={"format": "exe"}).status_code == 422


def test_submission_of_another_unit_is_not_there_and_the_try_is_logged(
    place: Place, farsta: Program, handed_in: str
) -> None:
    ways: list[tuple[str, str, object]] = [
        ("GET", "", None), ("GET", "/report", None), ("GET", "/workbook", None), ("GET", "/queries", None),
        ("POST", "/explanations", {"rule": "ARE-041", "text": "x"}), ("POST", "/withdrawal", {"why": "x"}),
    ]  # fmt: skip
    for method, path, body in ways:
        answers = []
        for submission_id in (handed_in, "a" * 26):
            address = f"{API}/submissions/{submission_id}{path}"
            answer = farsta.client.request(method, address, headers=farsta.headers, json=body)
            assert answer.status_code == 404
            answers.append(answer.json())
        assert answers[0] == answers[1]
        last = place.acts()[-1]
        assert (last.action, last.actor_kind, last.subject) == (
            "access.refused", "token", "submission of unit bromma, by the API",
        )  # fmt: skip
    assert farsta.get("/submissions").json() == {"submissions": []}
    assert all(one["unit"] == "farsta" for one in farsta.get("/status").json()["lines"])
    assert place.ledger.in_force(district="bromma")[0].submission_id == handed_in
    for wrong in ("../bromma", "%2e%2e", handed_in.upper(), handed_in + "x", handed_in[:5], "%00" * 26, "'" + "a" * 25):
        assert farsta.get(f"/submissions/{wrong}").status_code in (400, 404, 422)


def test_merged_unit_s_submissions_are_seen_by_its_successor(
    place: Place, bromma: Program, handed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = next((new for old, new, _ in load_districts().successions), None)
    assert after is not None
    before = {old for old, new, _ in load_districts().successions if new == after}
    from ingest.ledger import Ledger

    (own,) = place.ledger.in_force(district="bromma")
    found = replace(own, submission_id="b" * 26, district_code=sorted(before)[0])
    real = Ledger.find
    monkeypatch.setattr(Ledger, "find", lambda self, id: found if id == "b" * 26 else real(self, id))
    assert program(place, after).get(f"/submissions/{'b' * 26}").status_code == 200
    assert bromma.get(f"/submissions/{'b' * 26}").status_code == 404


def test_submission_is_withdrawn_while_its_quarter_is_open(tmp_path: Path) -> None:
    place = installation(tmp_path / "x", now="2018-10-10T08:00:00")
    try:
        bromma = program(place, "bromma", [Scope.SUBMIT])
        ids: list[str] = []
        for content in (arenden("A1"), arenden("A1", "A2")):
            upload = bromma.send(content, NAME, "submit").json()["uploads"][0]["upload_id"]
            work_all(place)
            if ids:
                assert bromma.post(f"/uploads/{upload}/confirm").status_code == 200
                work_all(place)
            ids.append(bromma.get(f"/uploads/{upload}").json()["submission_id"])

        def withdraw(number: int, **body: Any) -> Any:
            return bromma.post(f"/submissions/{ids[number]}/withdrawal", body or {"why": "Fel kvartal."})

        assert withdraw(1, why="Barnet 20100315-9801").status_code == 422
        decisions.lock_quarter(place.ledger, Quarter.parse("2018Q3"), system_now())
        locked = withdraw(1)
        assert locked.status_code == 409 and "locked" in locked.json()["detail"]
        decisions.unlock_quarter(place.ledger, Quarter.parse("2018Q3"), system_now())
        assert withdraw(1).json() == {"submission_id": ids[1], "in_force": ids[0]}
        assert withdraw(1).json() == {"submission_id": ids[1], "in_force": ids[0]}  # again: nothing changes
        assert withdraw(0).json() == {"submission_id": ids[0], "in_force": None}
        gone = [(act.actor, act.why) for act in place.acts() if act.action == "submission.withdrawn"]
        assert gone == [("1 journalsystem", "Fel kvartal.")] * 2
        refused = bromma.send(arenden("A1", kon="X"), NAME, "submit").json()["uploads"][0]["upload_id"]
        work_all(place)
        ids.append(bromma.get(f"/uploads/{refused}").json()["submission_id"])
        assert withdraw(2).status_code == 409
    finally:
        place.close()
