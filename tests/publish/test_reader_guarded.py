"""What a reader can do to the others that PostgreSQL can't forbid: done as the role, and undone by the guard."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from releases_drawn import draw_release
from typer.testing import CliRunner

from followup.cli.main import app
from followup.local.postgres_server import PostgresServer
from followup.tasks.releases import Refused, guard_and_log
from ingest.settings import Settings
from publish.serving import ServingError, guarding, roles, serve
from publish.serving.guarding import Guarded, guard

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]


@pytest.fixture
def guarded(installed: Settings) -> Settings:
    """That installation, in which nothing is wrong."""
    guard(installed)
    assert guard(installed) == Guarded(())
    return installed


@pytest.fixture(autouse=True)
def watched_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard looks a shorter time whether a change is made again."""
    monkeypatch.setattr(guarding, "_WATCHED_SECONDS", 0.1)


@pytest.fixture
def connect(connect_installed: Connect) -> Connect:
    return connect_installed


def do(connect: Connect, *statements: str) -> psycopg.Connection[Any]:
    """Act as the reader, who lifts its own bounds first."""
    reader = connect(autocommit=True)
    for statement in ("set default_transaction_read_only = off", "set statement_timeout = 0", *statements):
        reader.execute(statement)
    return reader


def test_nothing_that_the_reader_does_is_written_to_the_servers_log(
    guarded: Settings, connect: Connect, server: PostgresServer
) -> None:
    log = server.cluster / "server.log"
    before = log.stat().st_size
    reader = do(connect, "set client_min_messages = error", "set debug_print_plan = on", "set debug_print_parse = on")
    for statement in (
        "alter role followup_reader reset all",
        "alter role followup_reader in database followup reset all",
    ):
        reader.execute(statement)
    for statement in ("set log_min_messages = debug5", "alter role followup_reader set log_min_messages = debug5"):
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute(statement)
    again = do(
        connect,
        "set debug_print_plan = on",
        "do $$ begin for i in 1..1000 loop raise log 'flood %', i; end loop; end $$",
    )
    for _ in range(100):
        with pytest.raises(errors.DivisionByZero):
            again.execute("select 1/0 -- flood")
    with log.open("rb") as written:
        written.seek(before)
        added = written.read()
    assert b"flood" not in added and len(added) < 20_000
    guard(guarded)


@pytest.mark.parametrize("password", ["'mine alone'", "null"])
def test_a_changed_password_is_put_back(password: str, guarded: Settings, connect: Connect) -> None:
    reader = do(connect, f"alter role followup_reader password {password}")
    with pytest.raises(psycopg.OperationalError):
        connect()
    (undone,) = guard(guarded).undone
    assert undone == "followup_reader could not log in: its password had been changed, and is put back"
    with pytest.raises(errors.AdminShutdown):
        reader.execute("alter role followup_reader password null")
    connect()
    assert guard(guarded).undone == ()


def test_a_release_puts_password_and_settings_back_too(guarded: Settings, connect: Connect, tmp_path: Path) -> None:
    do(
        connect,
        "alter role followup_reader set datestyle = 'german'",
        "alter role followup_reader in database followup set statement_timeout = 0",
        "alter role followup_reader password 'mine alone'",
    )
    serve(draw_release(tmp_path / "r.duckdb", 1), guarded)
    with connect() as reader:
        assert reader.execute("show datestyle").fetchone() == ("ISO, MDY",)
        assert reader.execute("show statement_timeout").fetchone() == ("5min",)
    assert guard(guarded).undone == ()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("set statement_timeout = 0", "statement_timeout"),
        ("in database followup set statement_timeout = 1", "statement_timeout"),
        ("in database followup reset all", "default_transaction_read_only"),
        ("in database followup set search_path = pg_temp", "search_path"),
        ("in database postgres set work_mem = '200GB'", "work_mem"),
        ("set local_preload_libraries = 'nothing'", "local_preload_libraries"),  # nobody can log in after this
        ("set role = 'followup_owner'", "role"),
        ("set datestyle = 'german'", "datestyle"),
    ],
)
def test_the_role_s_settings_are_put_back_and_its_sessions_begin_anew(
    statement: str, name: str, guarded: Settings, connect: Connect, server: PostgresServer
) -> None:
    reader = do(connect, f"alter role followup_reader {statement}")
    undone = guard(guarded).undone
    assert undone[0].startswith("followup_reader had other settings than declared") and name in undone[0].lower()
    assert f"ended: process {reader.info.backend_pid} from 127.0.0.1" in undone[1]
    with connect() as reader:
        assert reader.execute("show statement_timeout").fetchone() == ("5min",)
        assert reader.execute("show search_path").fetchone() == ("published",)
        assert reader.execute("show default_transaction_read_only").fetchone() == ("on",)
    with server.superuser() as connection:
        query = "select setdatabase = 0 from pg_db_role_setting where setrole = 'followup_reader'::regrole"
        assert connection.execute(query).fetchall() == [(False,)]
    assert guard(guarded).undone == ()


@pytest.mark.parametrize(
    "endless",
    [
        "select pg_sleep(600)",
        "do $$ begin loop perform pg_sleep(0.01); commit; end loop; end $$",  # a transaction is never old
        "begin; select pg_sleep(0.5); select 1",
    ],
)
def test_a_session_without_a_time_limit_is_ended(endless: str, guarded: Settings, connect: Connect) -> None:
    reader, other = do(connect), connect(autocommit=True, application_name="dashboards")
    pid = reader.info.backend_pid

    def run() -> None:
        with pytest.raises(errors.AdminShutdown):
            reader.execute(endless)

    thread = threading.Thread(target=run)
    if endless.startswith("begin"):
        reader.execute(endless)
    else:
        thread.start()
    time.sleep(0.7)
    (undone,) = guard(guarded, statement_seconds=0.4).undone
    assert f"ended process {pid} from 127.0.0.1 (-)" in undone
    if endless.startswith("begin"):
        with pytest.raises(errors.AdminShutdown):
            reader.execute("select 1")
    else:
        thread.join()
    assert other.execute("select 1").fetchone() == (1,)  # idle, and not in a transaction: left alone


def test_a_transaction_that_idles_without_a_limit_is_ended(
    guarded: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = do(connect, "set idle_in_transaction_session_timeout = 0", "begin", "select count(*) from mart_00")
    monkeypatch.setattr(roles, "IDLE_SECONDS", 0.1)
    time.sleep(0.2)
    (undone,) = guard(guarded).undone
    assert f"process {reader.info.backend_pid} " in undone


def test_sessions_are_bounded_and_idle_ones_make_room(
    guarded: Settings, connect: Connect, server: PostgresServer
) -> None:
    with server.superuser() as connection:
        limit = connection.execute("select rolconnlimit from pg_roles where rolname = 'followup_reader'").fetchone()
        assert limit == (50,)
        connection.execute("alter role followup_reader connection limit 3")
    for _ in range(3):
        connect(autocommit=True)
    with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        connect()
    with connect("followup_owner") as owner:
        assert owner.execute("select 1").fetchone() == (1,)
    found = guard(guarded)
    assert len(found.undone) == 3 and "had no session left" in found.undone[0] and not found.unknown
    connect().close()
    time.sleep(0.5)  # the server notices
    busy = [connect(autocommit=True) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(session.execute, "select pg_sleep(60)") for session in busy]
        time.sleep(1)  # until all of them sleep, the first one longest
        found = guard(guarded)
        assert len(found.undone) == 1 and "the oldest of whoever holds most" in found.undone[0]
        connect().close()
        for session in busy:
            session.cancel()
        assert [isinstance(wait.exception(60), errors.OperationalError) for wait in waits] == [True] * 3
    with server.superuser() as connection:
        connection.execute("alter role followup_reader connection limit 50")


def test_what_is_written_to_disk_by_a_session_is_bounded_and_the_role_can_not_lift_it(
    guarded: Settings, connect: Connect, server: PostgresServer
) -> None:
    reader = do(connect)
    assert reader.execute("show temp_file_limit").fetchone() == ("2GB",)
    for statement in (
        "set temp_file_limit = -1",
        "alter role followup_reader set temp_file_limit = -1",
        "alter role followup_reader in database followup reset temp_file_limit",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute(statement)
    reader.execute("alter role followup_reader in database followup reset all")
    assert connect().execute("show temp_file_limit").fetchone() == ("2GB",)
    with server.superuser("followup") as connection:
        connection.execute("alter role followup_reader in database followup set temp_file_limit = '1MB'")
        sorter = do(connect, "set work_mem = '64kB'")
        connection.execute("alter role followup_reader in database followup set temp_file_limit = '2GB'")
    with pytest.raises(errors.ConfigurationLimitExceeded):
        sorter.execute(
            "select count(*) from (select g from generate_series(1, 1000000) g order by random()) t",
        )


def test_the_analysts_role_is_guarded_too(guarded: Settings, connect: Connect, server: PostgresServer) -> None:
    logins = json.loads(server.logins_file.read_text(encoding="utf-8"))
    with connect("followup_owner", autocommit=True) as owner:
        roles.ensure_analyst(owner, logins)
    with connect("followup_analyst", autocommit=True) as analyst:
        analyst.execute("set default_transaction_read_only = off")
        analyst.execute("alter role followup_analyst set statement_timeout = 0")
        analyst.execute("alter role followup_analyst in database followup reset all")
        analyst.execute("alter role followup_analyst password 'mine alone'")
        for function in ("pg_advisory_lock(1)", "pg_terminate_backend(1)", "lo_create(0)"):
            with pytest.raises(errors.InsufficientPrivilege):
                analyst.execute(f"select {function}")
    assert [line.split(" (")[0] for line in guard(guarded).undone] == [
        "followup_analyst had other settings than declared",
        "followup_analyst could not log in: its password had been changed, and is put back",
    ]
    with connect("followup_analyst") as analyst:
        assert analyst.execute("show log_statement").fetchone() == ("all",)
    with connect("followup_owner", autocommit=True) as owner:
        assert roles.turn_analyst_off(owner)


def test_two_that_make_the_roles_at_once_both_succeed(
    guarded: Settings, connect: Connect, server: PostgresServer
) -> None:
    logins = json.loads(server.logins_file.read_text(encoding="utf-8"))
    owners = [connect("followup_owner", autocommit=True) for _ in range(6)]
    together, failed = threading.Barrier(len(owners)), []

    def ensure(owner: psycopg.Connection[Any]) -> None:
        together.wait()
        try:
            roles.ensure_reader(owner, logins)
        except (psycopg.Error, ServingError) as error:
            failed.append(error)

    threads = [threading.Thread(target=ensure, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    connect()


def test_who_changes_the_role_in_a_loop_is_shut_out_until_there_is_a_new_password(
    guarded: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    stopped = threading.Event()

    def change() -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            try:
                with connect(autocommit=True) as reader:
                    reader.execute("set default_transaction_read_only = off")
                    while not stopped.is_set():
                        reader.execute(f"alter role followup_reader set work_mem = '{64 + number % 9}kB'")
                        number += 1
            except psycopg.Error:
                stopped.wait(0.005)

    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(change) for _ in range(4)]
        time.sleep(0.5)
        try:
            undone = guard(guarded).undone
            shut = guard(guarded).undone
            time.sleep(0.3)
            with server.superuser() as connection:
                counted = "select count(*) from pg_stat_activity where usename = 'followup_reader'"
                assert connection.execute(counted).fetchone() == (0,)
        finally:
            stopped.set()
        for loop in loops:
            loop.result()
    assert "followup_reader was changed again at once (work_mem), so nobody can log in as it now" in undone[-1]
    assert shut == (
        "followup_reader is shut out: put a new password for it into the file of logins, and run "
        "`followup release serve`",
    )
    serve(draw_release(tmp_path / "r.duckdb", 1), guarded)
    connect()
    assert guard(guarded).undone == ()


def test_a_transaction_left_open_that_has_changed_the_role_holds_up_neither_guard_nor_serving(
    guarded: Settings, connect: Connect, tmp_path: Path
) -> None:
    do(connect, "alter role followup_reader set datestyle = 'german'")
    held = do(
        connect,
        "set idle_in_transaction_session_timeout = 0",
        "begin",
        "alter role followup_reader set work_mem = '64kB'",
    )
    assert "datestyle" in guard(guarded).undone[0].lower()
    with pytest.raises(errors.AdminShutdown):
        held.execute("commit")
    held = do(
        connect, "set idle_in_transaction_session_timeout = 0", "begin", "alter role followup_reader password 'mine'"
    )
    serve(draw_release(tmp_path / "r.duckdb", 1), guarded)
    with pytest.raises(errors.AdminShutdown):
        held.execute("commit")
    assert guard(guarded).undone == ()


def test_serving_with_another_password_ends_the_sessions_of_the_earlier_one(
    guarded: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    logins = json.loads(server.logins_file.read_text(encoding="utf-8"))
    own = tmp_path / "logins.json"
    own.touch(0o600)
    own.write_text(json.dumps({**logins, "followup_reader": "another one"}), encoding="utf-8")
    release, reader = draw_release(tmp_path / "r.duckdb", 1), connect(autocommit=True)
    serve(release, guarded)
    reader.execute("select 1")  # the same password: nothing ends
    serve(release, guarded.model_copy(update={"publish_logins": own}))
    with pytest.raises(errors.AdminShutdown):
        reader.execute("select 1")
    with pytest.raises(psycopg.OperationalError):
        connect()
    serve(release, guarded)
    connect()


def test_what_the_guard_can_not_see_is_said(guarded: Settings, server: PostgresServer, tmp_path: Path) -> None:
    logins = json.loads(server.logins_file.read_text(encoding="utf-8"))
    own = tmp_path / "logins.json"
    own.touch(0o600)
    own.write_text(json.dumps({"owner": logins["owner"]}), encoding="utf-8")
    (unknown,) = guard(guarded.model_copy(update={"publish_logins": own})).unknown
    assert "has no password of followup_reader" in unknown
    rules = server.cluster / "pg_hba.conf"
    before = rules.read_text(encoding="utf-8")
    rules.write_text("host all followup_reader 127.0.0.1/32 reject\n" + before, encoding="utf-8")
    try:
        with server.superuser() as connection:
            connection.execute("select pg_reload_conf()")
        time.sleep(0.3)
        found = guard(guarded)
    finally:
        rules.write_text(before, encoding="utf-8")
        with server.superuser() as connection:
            connection.execute("select pg_reload_conf()")
    assert found.undone == () and "can't log in from here" in found.unknown[0]
    assert logins["followup_reader"] not in found.unknown[0]


def test_the_command_and_the_task_say_what_was_undone(
    guarded: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = CliRunner()
    assert "no database for BI" in run.invoke(app, ["release", "guard"]).output
    guard_and_log()
    for name in ("home", "publish_logins"):
        monkeypatch.setenv(f"FOLLOWUP_{name.upper()}", str(getattr(guarded, name)))
    assert guarded.publish_postgres is not None
    monkeypatch.setenv("FOLLOWUP_PUBLISH_POSTGRES", guarded.publish_postgres.get_secret_value())
    done = run.invoke(app, ["release", "guard"])
    assert (done.exit_code, done.stdout) == (0, "Nothing had to be undone.\n")
    do(connect, "alter role followup_reader password 'hunter2'")
    done = run.invoke(app, ["release", "guard"])
    assert done.exit_code == 1 and "Undone: followup_reader could not log in" in done.output
    do(connect, "alter role followup_reader password 'hunter2'")
    with caplog.at_level(logging.INFO), pytest.raises(Refused, match="1 acts of a reader"):
        guard_and_log()
    assert "undone: followup_reader could not log in" in caplog.text and "hunter2" not in caplog.text + done.output
    guard_and_log()
    monkeypatch.setenv("FOLLOWUP_PUBLISH_POSTGRES", "postgresql://followup_owner@127.0.0.1:1/followup")
    assert run.invoke(app, ["release", "guard"]).exit_code == 3


def test_rights_by_default_that_a_reader_gives_stop_no_serving(guarded: Settings, connect: Connect) -> None:
    do(connect, "alter default privileges grant select on tables to public")
    with connect("followup_owner", autocommit=True) as owner:
        assert roles.excess(owner, "followup_reader", "published") == []
    do(connect, "drop owned by followup_reader")
    assert connect().execute("select count(*) from mart_00").fetchone() == (201,)
