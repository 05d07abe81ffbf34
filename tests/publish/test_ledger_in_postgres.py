"""The ledger in a PostgreSQL that is opened by many at once, that breaks off, and that refuses; SQLite beside it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from followup.local.postgres_server import PostgresServer
from ingest.ledger import (
    ChangeRefused,
    Ledger,
    LedgerError,
    acts,
    api_requests,
    api_tokens,
    decisions,
    leases,
    login_attempts,
    uploads,
)
from ingest.ledger.claims import Claim, ClaimLost, end_claimed
from ingest.ledger.leases import holder_here
from ingest.ledger.login_attempts import LIMITS, name_key
from ingest.ledger.opening import shown_location
from ingest.ledger.portal_users import Role, add_user, disable_user
from ingest.ledger.sessions import Browser, SessionTimes, find, sessions
from ingest.ledger.tables import api_token, installation, portal_session
from ingest.ledger.tables import lease as lease_table
from ingest.ledger.uploads import Upload
from ingest.portal_login.passwords import Cost, Passwords
from ingest.portal_login.signing_in import SignInMustWait, SignInRefused, Try, sign_in
from ingest.quarters import Quarter

pytestmark = pytest.mark.server
AT_ONCE = 6


def end_connections(server: PostgresServer) -> None:
    """As a restart of PostgreSQL does, for the ledger's connections alone."""
    with server.superuser() as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'ledger'")


def test_of_many_first_openings_one_makes_the_tables_and_all_agree_on_the_claim(url: str) -> None:
    fork = multiprocessing.get_context("fork")
    together, said = fork.Barrier(AT_ONCE), fork.SimpleQueue()

    def open_it(number: int) -> None:
        together.wait()
        try:
            ledger = Ledger(url)
            said.put(ledger.claim("person_keys", f"keys {number}"))
            ledger.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            said.put(f"{type(error).__name__}: {error}")

    processes = [fork.Process(target=open_it, args=(number,)) for number in range(AT_ONCE)]
    for process in processes:
        process.start()
    answers = [said.get() for _ in processes]
    for process in processes:
        process.join()
    assert len(set(answers)) == 1 and answers[0].startswith("keys ")


def test_a_migration_is_waited_for_and_not_done_twice(postgres_url: str, server: PostgresServer) -> None:
    from ingest.ledger import revisions

    with server.superuser("ledger") as first:
        first.execute("begin")
        first.execute(f"select pg_advisory_xact_lock({revisions._MIGRATION_LOCK})")
        opened = threading.Thread(target=lambda: Ledger(postgres_url).close())
        opened.start()
        opened.join(0.5)
        assert opened.is_alive()
        assert first.execute("select to_regclass('submission')").fetchone() == (None,)
        first.execute("commit")
        opened.join()
        assert first.execute("select to_regclass('submission')").fetchone() == ("submission",)


def test_an_opening_that_waits_too_long_says_who_is_waited_for(
    postgres_url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.ledger import revisions

    monkeypatch.setattr(revisions, "MIGRATION_SECONDS", 0.1)
    with server.superuser("ledger") as first:
        first.execute("begin")
        first.execute(f"select pg_advisory_xact_lock({revisions._MIGRATION_LOCK})")
        with pytest.raises(LedgerError, match="is busy: another process"):
            Ledger(postgres_url)


def test_a_connection_lost_in_the_middle_is_a_ledger_error_and_the_next_change_works(
    postgres_url: str, server: PostgresServer
) -> None:
    ledger = Ledger(postgres_url)
    for last in ("statement", "commit", "fetch"):
        with (
            pytest.raises(LedgerError, match=r"127\.0\.0\.1:\d+/ledger is out of reach: .* restarted") as caught,
            ledger.engine.begin() as connection,
        ):
            connection.execute(installation.insert().values(name=last, value="secret value"))
            end_connections(server)
            if last != "commit":
                connection.execute(sa.select(installation)).all()
        assert "secret" not in str(caught.value) and "secret" not in repr(caught.value.__cause__)
        assert ledger.claim(last, "again") == "again"
    end_connections(server)  # while idle: noticed before it is used
    assert ledger.in_force() == []
    ledger.close()


def test_a_server_that_is_gone_a_wrong_password_and_a_missing_database_are_distinguished(postgres_url: str) -> None:
    parsed = sa.make_url(postgres_url)
    for changed, said in (
        (parsed.set(port=1), "is out of reach: PostgreSQL does not answer"),
        (parsed.set(password="hunter2"), "does not let us in"),
        (parsed.set(database="none"), 'does not let us in .database "none" does not exist'),
    ):
        with pytest.raises(LedgerError, match=said) as caught:
            Ledger(changed.render_as_string(hide_password=False))
        assert "hunter2" not in str(caught.value) and str(parsed.password) not in str(caught.value)
    for wrong in ("nothing", "http://x/y", "mysql://x/y"):
        with pytest.raises(LedgerError, match="FOLLOWUP_LEDGER_URL"):
            Ledger(wrong)


def test_what_postgresql_refuses_is_reported_in_one_sentence(postgres_url: str, server: PostgresServer) -> None:
    ledger = Ledger(postgres_url)
    ledger.close()
    for statement, said, undone in (
        (
            "alter database ledger set default_transaction_read_only = on",
            "takes no changes",
            "alter database ledger reset all",
        ),
        ("alter table installation rename to other", "lost its tables", "alter table other rename to installation"),
    ):
        with server.superuser("ledger") as connection:
            connection.execute(statement)
            with pytest.raises(LedgerError, match=said):
                Ledger(postgres_url).claim("a", "b")
            connection.execute(undone)


def test_a_lease_outlives_a_connection_and_its_end_does_not_fail(
    postgres_url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.ledger import leases

    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.05)
    monkeypatch.setattr(leases, "_RETRY_SECONDS", 0.05)
    ledger = Ledger(postgres_url)
    expiry = sa.select(lease_table.c.expires_at)
    with ledger.lease("build"):
        end_connections(server)
        seen: set[object] = set()
        for _ in range(100):
            with ledger.reading() as connection:
                seen.add(connection.execute(expiry).scalar_one())
            if len(seen) > 2:
                break
            threading.Event().wait(0.05)
        assert len(seen) > 2
    with ledger.lease("build"), server.superuser() as connection:
        connection.execute("alter database ledger allow_connections false")
        end_connections(server)
    with server.superuser() as connection:
        connection.execute("alter database ledger allow_connections true")
    ledger.close()


def test_what_sqlite_refuses_is_reported_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    from ingest.ledger import opening

    monkeypatch.setattr(opening, "BUSY_SECONDS", 0)
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    assert shown_location(ledger.engine.url) == str(path)
    with sqlite3.connect(path) as other:
        other.execute("begin immediate")
        with pytest.raises(LedgerError, match="is busy"):
            ledger.claim("a", "b")
    other.close()
    with ledger.engine.begin() as connection:
        size: int = connection.exec_driver_sql("pragma page_count").scalar_one()
        connection.exec_driver_sql(f"pragma max_page_count = {size}")
    with pytest.raises(LedgerError, match="the disk is full"):
        ledger.claim("c", "secret" * 10_000)
    ledger.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged"):
        Ledger(f"sqlite:///{path}").claim("a", "b")
    with pytest.raises(LedgerError, match="can't be made"):
        Ledger(f"sqlite:///{path}/below/ledger.sqlite")


def test_acts_of_processes_at_once_form_one_chain_that_is_only_added_to(url: str) -> None:
    Ledger(url).close()
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(AT_ONCE)

    def lock_quarters(number: int) -> None:
        ledger = Ledger(url)
        together.wait()
        for quarter in range(1, 5):
            decisions.lock_quarter(ledger, Quarter(2010 + number, quarter), datetime(2018, 4, 20))
        ledger.close()

    processes = [fork.Process(target=lock_quarters, args=(number,)) for number in range(AT_ONCE)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    ledger = Ledger(url)
    found = acts.verify(ledger)
    assert (found.count, found.holds) == (4 * AT_ONCE, True)
    assert len({one.subject for one in acts.acts(ledger)}) == 4 * AT_ONCE
    for statement in ("update act set why = 'x'", "delete from act"):
        with pytest.raises((sa.exc.DBAPIError, LedgerError)), ledger.engine.begin() as connection:
            connection.execute(sa.text(statement))
    assert acts.verify(ledger) == found
    ledger.close()


def test_of_processes_at_once_one_claims_each_upload_and_a_unit_has_one_taken_in_at_a_time(url: str) -> None:
    ledger, now = Ledger(url), datetime(2026, 3, 2)
    whole = [
        Upload(f"{unit}{number}", f"{unit}{number}", unit, purpose, "a.csv", "user", "anna", now, now)
        for unit, purpose in (("bromma", "submit"), ("farsta", "submit"), ("alvsjo", "check"))
        for number in range(4)
    ]
    for one in whole:
        uploads.add_upload(ledger, one)
        uploads.hand_over(ledger, [one], now)
    fork = multiprocessing.get_context("fork")
    together, said = fork.Barrier(AT_ONCE), fork.SimpleQueue()

    def work(number: int) -> None:
        own = Ledger(url)
        together.wait()
        while (one := uploads.claim_next(own)) is not None or uploads.uploads_in_states(own, ("waiting", "working")):
            if one is None:
                continue
            at_work = [other.district_code for other in uploads.uploads_in_states(own, ("working",))]
            with own.engine.begin() as connection:
                end_claimed(connection, Claim(one.upload_id, holder_here()), "checked")
            said.put((one.upload_id, one.purpose, at_work.count(one.district_code)))
        own.close()

    processes = [fork.Process(target=work, args=(number,)) for number in range(AT_ONCE)]
    for process in processes:
        process.start()
    answers = [said.get() for _ in whole]
    for process in processes:
        process.join()
    assert sorted(upload_id for upload_id, _, _ in answers) == sorted(one.upload_id for one in whole)
    assert {at_work for _, purpose, at_work in answers if purpose == "submit"} == {1}

    def die_at_it() -> None:
        assert uploads.claim_next(Ledger(url)) is not None

    uploads.add_upload(ledger, replace(whole[0], upload_id="last", batch_id="last"))
    uploads.hand_over(ledger, [replace(whole[0], upload_id="last")], now)
    dying = fork.Process(target=die_at_it)
    dying.start()
    dying.join()
    again = uploads.claim_next(ledger)
    assert again is not None and (again.upload_id, again.attempts) == ("last", 2)
    with pytest.raises(ClaimLost), ledger.engine.begin() as connection:
        end_claimed(connection, Claim("last", "another|1|1|1"), "checked")
    ledger.close()


def test_guesses_of_processes_at_once_are_no_more_than_the_limit_and_one_name_is_added_once(url: str) -> None:
    Ledger(url).close()
    fork = multiprocessing.get_context("fork")
    together, said = fork.Barrier(AT_ONCE), fork.SimpleQueue()
    now, times = datetime(2026, 3, 2), SessionTimes(timedelta(hours=1), timedelta(hours=8))
    browser = Browser("192.0.2.17", "")

    def guess(number: int) -> None:
        outcomes = Counter[str]()
        try:
            ledger, passwords = Ledger(url), Passwords(Cost(1, 8, 1))
            together.wait()
            try:
                add_user(ledger, "anna", Role.CITY, [], passwords.hash("right"), now)
                outcomes["added"] += 1
            except ChangeRefused:
                outcomes["taken"] += 1
            for _ in range(4):
                try:
                    sign_in(ledger, passwords, Try("anna", f"wrong {number}", browser), times, now)
                except SignInMustWait:
                    outcomes["waits"] += 1
                except SignInRefused:
                    outcomes["looked at"] += 1
            ledger.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            outcomes[f"{type(error).__name__}: {error}"] += 1
        said.put(outcomes)

    processes = [fork.Process(target=guess, args=(number,)) for number in range(AT_ONCE)]
    for process in processes:
        process.start()
    outcomes = sum((said.get() for _ in processes), Counter())
    for process in processes:
        process.join()
    free = LIMITS["name"].free
    assert outcomes == {"added": 1, "taken": AT_ONCE - 1, "looked at": free, "waits": 4 * AT_ONCE - free}
    ledger = Ledger(url)
    assert Counter(one.action for one in acts.acts(ledger)) == {"user.added": 1, "login.refused": free}
    assert acts.verify(ledger).holds
    ledger.close()


def during_the_first_insert(ledger: Ledger, act: Callable[[], object]) -> threading.Thread:
    """Act beside the next connection that inserts, right after it has: it may have to wait for its end."""
    beside = threading.Thread(target=act)

    def begin(*given: Any) -> None:
        if str(given[2]).startswith("INSERT") and not beside.ident:
            beside.start()
            beside.join(timeout=0.5)

    sa.event.listen(ledger.engine, "after_cursor_execute", begin)
    return beside


def test_what_another_process_removes_between_adding_and_reading_stops_nobody(url: str) -> None:
    ledger, other, now = Ledger(url), Ledger(url), datetime(2026, 3, 2)
    key = name_key(ledger, "anna")
    assert login_attempts.reserve(ledger, [key], now) is None

    def forget() -> None:
        with other.engine.begin() as connection:
            login_attempts.forget_name(connection, key)

    beside = during_the_first_insert(ledger, forget)
    assert login_attempts.reserve(ledger, [key], now) is None
    beside.join()
    ledger.close()

    ledger, token = Ledger(url), 1
    made = {"token_hash": "0", "name": "x", "district_code": "farsta", "scopes": "read", "created_by": "x"}
    with ledger.engine.begin() as connection:
        connection.execute(api_token.insert().values(token_id=token, created_at=now, expires_at=now, **made))
    assert api_requests.begin(ledger, token, "key", now) is None
    beside = during_the_first_insert(ledger, lambda: api_requests.give_up(other, token, "key"))
    with suppress(api_requests.AnsweredElsewhere):  # of SQLite, where the other had to wait
        assert api_requests.begin(ledger, token, "key", now) is None
    beside.join()
    for one in (ledger, other):
        one.close()


def test_sessions_of_processes_at_once_are_all_there_and_all_end_when_the_user_is_disabled(url: str) -> None:
    ledger, now = Ledger(url), datetime(2026, 3, 2)
    passwords, times = Passwords(Cost(1, 8, 1)), SessionTimes(timedelta(hours=1), timedelta(hours=8))
    user = add_user(ledger, "anna", Role.OFFICER, ["farsta"], passwords.hash("right"), now)
    with pytest.raises(SignInRefused):  # PostgreSQL stores no NUL: such a name must not reach it
        sign_in(ledger, passwords, Try("an\0na", "right\0", Browser("\0", "\0")), times, now)
    ledger.close()
    fork = multiprocessing.get_context("fork")
    together, said = fork.Barrier(AT_ONCE), fork.SimpleQueue()

    def sign_in_twice(number: int) -> None:
        ended, own = "fine", Ledger(url)
        try:
            together.wait()
            for _ in range(2):
                given = Try("anna", "right", Browser(f"192.0.2.{number}", "x\0y"))
                token = sign_in(own, passwords, given, times, now).token
                if find(own, token, times, now + timedelta(minutes=2)) is None:
                    ended = "signed out"
        except SignInRefused:  # disabled by now, or too many tries at once
            ended = "refused"
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            ended = f"{type(error).__name__}: {error}"
        if number == 0:
            disable_user(own, user, now)
        own.close()
        said.put(ended)

    processes = [fork.Process(target=sign_in_twice, args=(number,)) for number in range(AT_ONCE)]
    for process in processes:
        process.start()
    assert {said.get() for _ in processes} <= {"fine", "refused", "signed out"}
    for process in processes:
        process.join()
    ledger = Ledger(url)
    assert sessions(ledger, times, now) == [] and acts.verify(ledger).holds
    with ledger.reading() as connection:
        tokens = connection.execute(sa.select(portal_session.c.token_hash)).scalars().all()
    begun = [one for one in acts.acts(ledger) if one.action == "session.begun"]
    assert len(set(tokens)) == len(tokens) == len(begun) >= 2
    ledger.close()


def test_of_many_requests_under_one_key_one_is_answered_and_the_token_is_revoked_once(url: str) -> None:
    ledger, now = Ledger(url), datetime(2026, 1, 1)
    new = api_tokens.add_token(ledger, "journal", "farsta", [api_tokens.Scope.CHECK], now)
    together, said = threading.Barrier(AT_ONCE), Counter[str]()

    def ask(number: int) -> None:
        together.wait()
        found = api_tokens.find_token(ledger, new.secret, now)
        assert found is not None and found.last_used_on in (None, now.date())
        try:
            begun = api_requests.begin(ledger, found.token_id, "key", now)
            said["to answer" if begun is None else "answered"] += 1
        except api_requests.AnsweredElsewhere:
            said["elsewhere"] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {"to answer": 1, "elsewhere": AT_ONCE - 1}
    answer = api_requests.Answer("0" * 64, 200, '{"å": 1}')
    api_requests.finish(ledger, new.token.token_id, "key", answer)
    assert api_requests.begin(ledger, new.token.token_id, "key", now) == answer
    later = now + api_requests.KEPT_FOR + timedelta(seconds=1)
    assert api_requests.begin(ledger, new.token.token_id, "key", later) is None
    api_requests.give_up(ledger, new.token.token_id, "key")
    assert api_tokens.revoke_token(ledger, new.token.token_id, now, ["bromma"]) is False
    assert [api_tokens.revoke_token(ledger, new.token.token_id, now, ["farsta"]) for _ in range(2)] == [True, False]
    assert api_tokens.find_token(ledger, new.secret, now) is None
    assert acts.verify(ledger).holds
    ledger.close()


class WrongClock(datetime):
    """The clock of a machine that is an hour ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(hours=1)


def test_a_machine_whose_clock_is_wrong_takes_over_no_lease_or_upload(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, other = Ledger(postgres_url), Ledger(postgres_url)
    uploads.add_upload(
        ledger,
        Upload("a", "a", "farsta", "submit", "a.csv", "user", "anna", datetime(2018, 4, 1), datetime(2018, 4, 1)),
    )
    with ledger.lease("build"):
        with ledger.engine.begin() as connection:
            holder = "worker-2@00000000|1|1|1"
            connection.execute(lease_table.update().values(holder=holder))
            connection.execute(uploads.upload.update().values(claimed_by=holder, state="working"))
        for module in (leases, acts):
            monkeypatch.setattr(module, "datetime", WrongClock)
        assert acts.system_now() > datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=59)
        with pytest.raises(leases.LeaseBusy), other.lease("build", wait_seconds=0):
            pass
        assert leases.is_held(other.engine, "build")
        assert uploads.claim_next(other) is None
    ledger.close()
    other.close()
