"""The API's gate: who may call, how often and with how much; nothing is read before that is known."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from api_calling import API, Program, asked, installation, program
from browsing import ORIGIN, Place
from fastapi.routing import APIRoute

from ingest.ledger import api_tokens
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope, add_token, revoke_token, tokens
from ingest.ledger.portal_users import Role
from portal.api import gate
from portal.api.gate import Buckets


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = installation(tmp_path_factory.mktemp("gate"))
    made.add("anna", Role.OFFICER, "farsta")
    yield made
    made.close()


@pytest.fixture
def farsta(place: Place) -> Program:
    for one in tokens(place.ledger):
        revoke_token(place.ledger, one.token_id, system_now())
    gate_of(place)._of_address = Buckets(1000.0, 1000.0)
    return program(place)


def gate_of(place: Place) -> gate.Gate:
    (found,) = [route.app for route in place.app.app.routes if getattr(route, "path", "") == API]  # type: ignore[attr-defined]
    assert isinstance(found, gate.Gate)
    return found


def is_problem(answer: object, kind: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json", answer.text  # type: ignore[attr-defined]
    found = answer.json()  # type: ignore[attr-defined]
    assert found["status"] == answer.status_code  # type: ignore[attr-defined]
    return bool(found["type"] == f"urn:followup:problem:{kind}")


def test_token_opens_the_api_and_its_use_is_noted(place: Place, farsta: Program) -> None:
    found = farsta.get("/token")
    assert found.status_code == 200 and found.json()["unit"] == "farsta"
    assert found.json()["scopes"] == ["check", "explain", "read", "submit"]
    own = tokens(place.ledger)[-1]
    assert own.last_used_on == system_now().date() and own.expires_at - own.created_at == timedelta(days=90)
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert found.headers["cache-control"] == "no-store" and "set-cookie" not in found.headers


def test_what_is_no_token_opens_nothing(place: Place, farsta: Program) -> None:
    real = farsta.secret
    for header in (
        None, "", "Bearer", "Bearer ", f"Basic {real}", real, f"Bearer {real}x", f"Bearer {real[:-1]}",
        f"Bearer {real[:-1]}{'A' if real[-1] != 'A' else 'B'}", f"Bearer {real.upper()}", f"Bearer upf_{'A' * 43}",
        f"Bearer {real} {real}", f"Bearer {real},x", "Bearer " + "x" * 5000, "Bearer \x00", f"Bearer  {real}\x7f",
        "Bearer 19500101-0007",
    ):  # fmt: skip
        answer = farsta.client.get(f"{API}/token", headers={} if header is None else {"Authorization": header})
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer realm="), header
        assert is_problem(answer, "no-token") or is_problem(answer, "invalid-token")
        assert real not in answer.text and "1950" not in answer.text
    twice = [("Authorization", f"Bearer {real}"), ("Authorization", f"Bearer {real}")]
    assert farsta.client.get(f"{API}/token", headers=twice).status_code == 401
    assert farsta.client.get(f"{API}/token", headers={"Authorization": f"bearer {real}"}).status_code == 200


def test_token_in_an_address_a_form_or_a_cookie_is_never_taken(place: Place, farsta: Program) -> None:
    client = place.browser().client
    for name in ("token", "access_token", "Authorization", "key"):
        assert client.get(f"{API}/token", params={name: farsta.secret}).status_code == 401
        client.cookies.set(name, farsta.secret)
    assert client.get(f"{API}/token").status_code == 401
    assert client.post(f"{API}/uploads?purpose=check", data={"access_token": farsta.secret}).status_code == 401


def test_session_of_a_browser_is_not_taken(place: Place, farsta: Program) -> None:
    browser = place.signed_in("anna")
    assert browser.open(f"{API}/token").status_code == 401
    browser.open("/konto")
    assert browser.send(f"{API}/uploads?purpose=check").status_code == 401


def test_token_that_is_over_is_not_taken(place: Place, farsta: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    later = system_now() + timedelta(days=91)
    monkeypatch.setattr(gate, "system_now", lambda: later)
    answer = farsta.get("/token")
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["www-authenticate"]
    monkeypatch.undo()
    assert farsta.get("/token").status_code == 200
    assert revoke_token(place.ledger, tokens(place.ledger)[-1].token_id, system_now())
    assert farsta.get("/token").status_code == 401


def test_body_is_not_read_before_the_token_is_known(place: Place, farsta: Program) -> None:
    part = {"type": "http.request", "body": b"x" * 1000, "more_body": True}
    for path in ("/uploads?purpose=submit", "/submissions/" + "a" * 26 + "/withdrawal", "/nothing"):
        status, read, answer = asked(place, API + path, [part] * 5, {"content-type": "application/json"})
        assert (status, read) == (401, 0) and b"no-token" in answer


def test_body_is_not_read_where_scope_or_kind_are_wrong(place: Place, farsta: Program) -> None:
    reader = program(place, scopes=[Scope.READ, Scope.CHECK])
    part = {"type": "http.request", "body": b"x" * 1000, "more_body": True}
    for query, kind, expected in [
        ("purpose=submit&name=a.csv", "text/csv", 403),
        ("purpose=check&name=a.csv", "text/html", 415),
        ("purpose=check", "text/csv", 422),
        ("purpose=check&dataset=arenden", "text/csv", 422),
        ("purpose=check&name=x", "multipart/form-data; boundary=x", 422),
        ("purpose=steal", "text/csv", 422),
    ]:
        headers = {"content-type": kind, "authorization": f"Bearer {reader.secret}"}
        status, read, _ = asked(place, f"{API}/uploads?{query}", [part] * 5, headers)
        assert (status, read) == (expected, 0), query


def test_large_chunked_and_endless_bodies_are_given_up(place: Place, farsta: Program) -> None:
    part = {"type": "http.request", "body": b" " * 60_000, "more_body": True}
    own = {"authorization": f"Bearer {farsta.secret}"}
    withdraw = f"{API}/submissions/{'a' * 26}/withdrawal"
    chunked = own | {"content-type": "application/json", "transfer-encoding": "chunked"}
    status, read, answer = asked(place, withdraw, [part] * 50, chunked)
    assert status == 413 and read == 2 and b"problem:too-large" in answer
    for length in ("100001", "9" * 40, "-1", "x"):
        status, read, _ = asked(place, withdraw, [part], own | {"content-length": length})
        assert status in (400, 413) and read == 0
    limit = place.settings.max_file_megabytes * 1_000_000
    for length in (str(3 * limit), "9" * 30):
        status, read, answer = asked(
            place, f"{API}/uploads?purpose=check&name=a.csv", [part], own | {"content-length": length}
        )
        assert (status, read) == (413, 0) and b"problem:too-large" in answer


def test_unit_without_right_scope_is_told_which(place: Place, farsta: Program) -> None:
    """Every operation says which scopes it needs, and none works with another."""
    (app,) = [gate_of(place).app]
    routes = [route for route in app.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]
    assert len(routes) >= 18
    paths = {"upload_id": "a" * 26, "batch_id": "a" * 26, "submission_id": "a" * 26, "dataset": "arenden"}
    bodies: dict[str, object] = {
        "name": {"dataset": "arenden", "quarter": "2018Q1"}, "explanations": {"rule": "ARE-081", "text": "x"},
        "withdrawal": {"why": "x"},
    }  # fmt: skip
    programs = {scope: program(place, scopes=[scope], peer=f"192.0.2.{n}") for n, scope in enumerate(Scope)}
    for route in routes:
        (needed,) = [one.call.scopes for one in route.dependant.dependencies if hasattr(one.call, "scopes")]
        method = next(iter(route.methods))
        path = route.path.format(**paths)
        for scope, one in programs.items():
            purpose = "submit" if scope is Scope.SUBMIT else "check"
            query = {"purpose": purpose, "name": "a.csv"} if (method, path) == ("POST", "/uploads") else {}
            body = bodies.get(path.rpartition("/")[2])
            gate_of(place)._of_token = Buckets(1000.0, 1000.0)
            answer = one.client.request(method, API + path, headers=one.headers, params=query, json=body)
            is_refused = answer.status_code == 403
            assert is_refused == bool(needed and scope not in needed), (route.path, scope, answer.text)
            if is_refused:
                assert is_problem(answer, "wrong-scope")
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_too_many_requests_wait_each_token_for_itself(place: Place, farsta: Program) -> None:
    gate_of(place)._of_token = Buckets(3.0, 0.5)
    other = program(place, "bromma")
    assert [farsta.get("/token").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = farsta.get("/token")
    assert is_problem(answer, "too-many-requests") and 1 <= int(answer.headers["retry-after"]) <= 2
    assert other.get("/token").status_code == 200
    gate_of(place)._of_token = Buckets(1000.0, 1000.0)


def test_guessing_at_tokens_waits_by_address_and_hinders_no_one_else(place: Place, farsta: Program) -> None:
    gate_of(place)._of_address = Buckets(3.0, 0.01)
    guesser = place.browser("198.51.100.9").client
    wrong = {"Authorization": f"Bearer upf_{'A' * 43}"}
    assert [guesser.get(f"{API}/token", headers=wrong).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert farsta.get("/token").status_code == 200


def test_requests_of_one_token_at_once_are_few(place: Place, farsta: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_AT_ONCE", 2)
    upload = farsta.send(b"a;b\n1;2\n", "farsta_arenden_2018Q1.csv").json()["uploads"][0]["upload_id"]
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda _: farsta.get(f"/uploads/{upload}?wait=1").status_code, range(6)))
    assert given.count(200) >= 2 and set(given) == {200, 429}
    assert farsta.get("/token").status_code == 200


def test_buckets_forget_the_oldest_and_fill_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(gate.time, "monotonic", lambda: now)
    monkeypatch.setattr(gate, "_REMEMBERED", 3)
    made = Buckets(2.0, 1.0)
    assert [made.wait("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    now = 1.0
    assert [made.wait("a") for _ in range(2)] == [0.0, 1.0]
    for key in range(10):
        made.wait(key)
    assert len(made._left) == 3


def test_refusals_of_the_guard_are_problems_too(place: Place, farsta: Program) -> None:
    answer = farsta.client.get(f"{API}/token", headers=farsta.headers | {"host": "evil.example"})
    assert answer.status_code == 400 and is_problem(answer, "bad-request")
    for path in ("/api/v2/token", "/api/", f"{API}x"):
        found = farsta.client.get(path, headers=farsta.headers)
        assert found.status_code == 404 and (not path.startswith("/api/") or is_problem(found, "not-found"))
    assert is_problem(farsta.get("/nothing"), "not-found")
    wrong = farsta.post("/token")
    assert wrong.status_code == 405 and is_problem(wrong, "bad-request") and wrong.headers["allow"] == "GET"


def test_values_that_can_not_be_used_are_named_and_not_repeated(place: Place, farsta: Program) -> None:
    number = "19500101-0007"
    path = f"/submissions/{'a' * 26}/withdrawal"
    for body in (
        {"why": "x", number: 1}, {"why": ""}, {"why": 7}, {"why": "a\x00b"}, {"why": "x\x1b[31m"},
        {"why": "x" * 2001}, {number: number}, [number], number, None,
    ):  # fmt: skip
        answer = farsta.post(path, body)
        assert answer.status_code == 422 and is_problem(answer, "invalid-values"), body
        assert number not in answer.text
    surrogate = farsta.post(path, content=b'{"why": "\\ud800"}', headers={"content-type": "application/json"})
    assert surrogate.status_code == 422
    for content in (b"{", b"\xff", b'{"why": NaN', b"[" * 50_000):
        answer = farsta.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422) and is_problem(
            answer, "bad-request" if answer.status_code == 400 else "invalid-values"
        )
    for query in (
        {"quarter": "2018Q5"},
        {"quarter": number},
        {"quarter": "0000Q1"},
        {"quarter": "\u0662\u0660\u0661\u0668Q1"},
    ):
        answer = farsta.get("/status", params=query)
        assert answer.status_code == 422 and number not in answer.text


def test_parameter_that_there_is_not_or_twice_does_not_pass_unseen(farsta: Program) -> None:
    for query in ("qarter=2018Q1", "quarter=2018Q1&quarter=2018Q2", "quarter=2018Q1&x", "19500101-0007=1"):
        answer = farsta.get(f"/status?{query}")
        assert answer.status_code == 422 and is_problem(answer, "invalid-values"), query
        assert "quarter" in answer.text or "twice" in answer.text
        assert "0007" not in answer.text and "qarter" not in answer.text
    twice = farsta.post(
        "/uploads?purpose=check&purpose=submit&name=a.csv", content=b"x", headers={"content-type": "text/csv"}
    )
    assert twice.status_code == 422
    assert farsta.get("/token?x=1").status_code == 422


def test_what_is_sent_can_not_split_a_header_or_the_log(
    place: Place, farsta: Program, caplog: pytest.LogCaptureFixture
) -> None:
    evil = "a\r\nset-cookie: x=1\r\n\r\n<script>"
    for answer in (
        farsta.client.get(f"{API}/templates/%0d%0aset-cookie:%20x=1", headers=farsta.headers),
        farsta.client.get(f"{API}/uploads/%0d%0ax", headers=farsta.headers),
        farsta.get("/status", params={"quarter": evil}),
        farsta.send(b"x", evil),
        farsta.send(b"x", '"; filename="b.csv'),
        farsta.send(b"x", "a\\"),
        farsta.send(b"x", "\u202egpj.exe\x00"),
    ):
        assert "set-cookie" not in answer.headers and answer.status_code < 500
        assert "<script>" not in answer.text.replace("\\u003c", "<") or answer.headers["content-type"].endswith("json")
    names = [one["file"] for one in farsta.get("/uploads").json()["uploads"]]
    assert all(name.isprintable() and "\\" not in name for name in names)
    assert all("\n" not in one.subject + one.actor for one in place.acts()) and "set-cookie" not in caplog.text


def test_description_is_open_and_shows_nothing_of_the_installation(place: Place, farsta: Program) -> None:
    answer = place.browser().open(f"{API}/openapi.json")
    assert answer.status_code == 200 and answer.json()["openapi"] == "3.1.0"
    assert "farsta" not in answer.text and str(place.settings.home) not in answer.text and ORIGIN not in answer.text
    for one in [o for path in answer.json()["paths"].values() for o in path.values()]:
        assert {"401", "403", "422", "429", "503"} <= set(one["responses"])
        assert one["summary"] and ("scope" in one["description"] or "Any token" in one["description"])


def test_ledger_that_can_not_be_reached_is_said_so(
    place: Place, farsta: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.ledger import LedgerError

    def fail(*_: object, **__: object) -> None:
        raise LedgerError("gone")

    monkeypatch.setattr(gate, "find_token", fail)
    answer = farsta.get("/token")
    assert answer.status_code == 503 and is_problem(answer, "unavailable") and answer.headers["retry-after"] == "30"
    monkeypatch.undo()
    monkeypatch.setattr("portal.api.unit.status_in", fail)
    assert is_problem(farsta.get("/status"), "unavailable")


def test_our_own_fault_shows_and_logs_nothing_of_what_was_sent(
    place: Place, farsta: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("19500101-0007")

    monkeypatch.setattr("portal.api.unit.status_in", fail)
    answer = farsta.get("/status")
    assert answer.status_code == 500 and is_problem(answer, "our-fault")
    assert "19500101" not in answer.text + caplog.text and "ValueError while answering GET" in caplog.text


def test_tokens_are_hashed_and_bounded(tmp_path: Path) -> None:
    made = installation(tmp_path / "x")
    try:
        new = add_token(made.ledger, "Journal", "farsta", [Scope.READ], system_now())
        assert new.secret not in repr(new) and new.secret.startswith("upf_")
        raw = (made.settings.home / "ledger.sqlite").read_bytes()
        wal = made.settings.home / "ledger.sqlite-wal"
        raw += wal.read_bytes() if wal.exists() else b""
        assert new.secret.encode() not in raw and new.secret[4:].encode() not in raw
        for _ in range(api_tokens.MOST_OF_A_UNIT - 1):
            add_token(made.ledger, "journal", "farsta", [Scope.READ], system_now())
        with pytest.raises(api_tokens.ChangeRefused, match="revoke one"):
            add_token(made.ledger, "journal", "farsta", [Scope.READ], system_now())
        add_token(made.ledger, "journal", "bromma", [Scope.READ], system_now())
        for name, days, scopes in [
            ("", 1, [Scope.READ]), ("a b", 1, [Scope.READ]), ("a\nb", 1, [Scope.READ]), ("x" * 41, 1, [Scope.READ]),
            ("19500101-0007", 1, [Scope.READ]), ("a", 0, [Scope.READ]), ("a", 366, [Scope.READ]), ("a", 1, []),
        ]:  # fmt: skip
            with pytest.raises(api_tokens.ChangeRefused) as raised:
                add_token(made.ledger, name, "spånga", scopes, system_now(), days)
            assert "1950" not in str(raised.value)
    finally:
        made.close()
