"""What the roles may and may not do, tried one by one as somebody would who has the role's password."""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import errors
from releases_drawn import draw_release

from followup.doctor import run_doctor
from followup.local.postgres_server import OWNER_ROLE, PostgresServer, RunningServer
from ingest.settings import Settings
from publish.serving import Served, ServingError, serve
from publish.serving.sessions import load_logins

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]
DENIED = (errors.InsufficientPrivilege,)


@pytest.fixture
def served(settings: Settings, tmp_path: Path, server: PostgresServer) -> Served:
    """A release in place, and beside it things that are none of the reader's business."""
    done = serve(draw_release(tmp_path / "r.duckdb", 1), settings)
    with server.superuser("followup") as connection:
        connection.execute("create schema private; create table private.person (key text)")
        connection.execute("insert into private.person values ('secret')")
        connection.execute("alter schema private owner to followup_owner")
    return done


def warehouse(settings: Settings, number: int = 1) -> None:
    """A warehouse with one mart."""
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema marts; create schema core; create table core.fct_case (person_key varchar)")
        connection.execute(f"create table marts.mart_case_flow as select {number} as cases, ['a', 'b'] as list")


def with_analysts(settings: Settings) -> Settings:
    return settings.model_copy(update={"publish_analysts": True})


@pytest.mark.parametrize("password", ["", "followup_reader", "postgres", "wrong"])
def test_nobody_gets_in_without_the_password(password: str, served: Served, postgres: RunningServer) -> None:
    for role in ("followup_reader", OWNER_ROLE, "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=postgres.port, dbname="followup", user=role, password=password)


def test_the_server_listens_on_this_machine_alone_and_has_no_socket(server: PostgresServer) -> None:
    with server.superuser() as connection:
        found = connection.execute(
            "select name, setting from pg_settings where name in ('listen_addresses', 'unix_socket_directories', "
            "'password_encryption') order by 1"
        ).fetchall()
        assert found == [
            ("listen_addresses", "127.0.0.1"),
            ("password_encryption", "scram-sha-256"),
            ("unix_socket_directories", ""),
        ]
        methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]
    for path in (server.logins_file, server.home / "superuser.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("grant select on private.person to followup_reader", "has rights on private.person"),
        ("grant select (key) on private.person to followup_reader", "has rights on private.person"),
        ("grant select on private.person to public", "has rights on private.person"),
        ("grant insert on published.about to followup_reader", "may write published.about"),
        ("grant create on schema private to followup_reader", "may create in schema private"),
        ("grant temporary on database followup to followup_reader", "may make temporary tables in the database"),
        ("grant pg_read_all_data to followup_reader", "is a member of pg_read_all_data"),
        ("grant pg_write_all_data to followup_reader", "is a member of pg_write_all_data"),
        ("alter role followup_reader superuser", "may not change the role followup_reader"),
        ("alter role followup_reader bypassrls", "has the attribute bypassrls"),
        ("create function private.f() returns text security definer language sql as $$ select 'x' $$", "may run"),
        ("alter table private.person owner to followup_reader", "owns"),
    ],
)
def test_nothing_is_served_while_the_reader_may_do_more(
    statement: str, said: str, served: Served, settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    with server.superuser("followup") as connection:
        connection.execute(statement)
    try:
        with pytest.raises(ServingError, match=said):
            serve(draw_release(tmp_path / "2.duckdb", 2), settings)
    finally:
        with server.superuser("followup") as connection:
            connection.execute("alter role followup_reader nosuperuser nobypassrls")
            connection.execute("drop schema private cascade")
            connection.execute("revoke pg_write_all_data, pg_read_all_data from followup_reader")


def test_a_database_that_lets_everybody_in_is_reported(
    settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    with server.superuser() as connection:
        connection.execute("drop database if exists another")
        connection.execute("create database another")
    try:
        (note,) = serve(draw_release(tmp_path / "r.duckdb", 1), settings).notes
        assert "another" in note and "REVOKE CONNECT" in note
    finally:
        with server.superuser() as connection:
            connection.execute("drop database another")


def test_doctor_tells_where_the_database_is_and_what_is_wrong_with_it(
    settings: Settings, files_only: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    def said(of: Settings) -> tuple[bool, str]:
        (found,) = (line for line in run_doctor(of) if line.what == "database for BI")
        return found.is_good, found.message

    assert said(files_only) == (True, "none: releases go to files")
    good, what = said(settings)
    assert good and what.endswith("/followup, nothing published yet")
    serve(draw_release(tmp_path / "r.duckdb", 1), settings)
    assert said(settings)[1].endswith("/followup, release release-1")
    with server.superuser("followup") as connection:
        connection.execute("grant temporary on database followup to followup_reader")
    assert "it may make temporary tables in the database" in said(settings)[1] and not said(settings)[0]
    assert said(settings.model_copy(update={"publish_logins": tmp_path / "none.json"}))[0] is False


# -- analysts ----------------------------------------------------------------------------------------------------------


def test_analysts_are_off_by_default(settings: Settings, server: PostgresServer, tmp_path: Path) -> None:
    warehouse(settings)
    assert not Settings().publish_analysts
    assert not serve(draw_release(tmp_path / "r.duckdb", 1), settings).analysts
    with server.superuser("followup") as connection:
        assert connection.execute("select from pg_roles where rolname = 'followup_analyst'").fetchall() == []
        assert connection.execute("select from pg_namespace where nspname = 'marts'").fetchall() == []
    assert not (settings.home / "analysts.jsonl").exists()


def test_analysts_read_the_marts_and_nothing_else_and_all_of_it_is_logged(
    settings: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    warehouse(settings)
    release = draw_release(tmp_path / "r.duckdb", 1)
    assert serve(release, with_analysts(settings)).analysts
    with connect("followup_analyst", autocommit=True) as analyst:
        assert analyst.execute("select cases from mart_case_flow").fetchone() == (1,)
        assert analyst.execute("select list from mart_case_flow").fetchone() == ("[a, b]",)
        analyst.execute("set default_transaction_read_only = off")
        for statement in (
            "select * from published.mart_00",
            "update marts.mart_case_flow set cases = 0",
            "create temporary table mine (n integer)",
            "set log_statement = 'none'",
            "set role followup_reader",
        ):
            with pytest.raises(DENIED):
                analyst.execute(statement)
    with connect() as reader, pytest.raises(DENIED):
        reader.execute("select * from marts.mart_case_flow")
    log = (server.cluster / "server.log").read_text().splitlines()
    for statement in ("select cases from mart_case_flow", "update marts.mart_case_flow", "set log_statement = 'none'"):
        assert any(statement in line and " followup_analyst@followup 127.0.0.1 " in line for line in log), statement
    lines = [json.loads(line) for line in (settings.home / "analysts.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["login allowed", "loading", "loaded"]
    assert {line["by"] for line in lines} == {pwd.getpwuid(os.getuid()).pw_name}
    assert lines[1]["tables"] == lines[2]["tables"]
    assert lines[2]["tables"] == {"mart_case_flow": 1} and lines[2]["at"].startswith("2019-01-02")


def test_analysts_get_the_new_marts_with_the_next_serving(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    release = draw_release(tmp_path / "r.duckdb", 1)
    for number in (1, 2):
        warehouse(settings, number)
        serve(release, with_analysts(settings))
        with connect("followup_analyst") as analyst:
            assert analyst.execute("select cases from mart_case_flow").fetchone() == (number,)


def test_turning_analysts_off_shuts_them_out_and_removes_the_marts(
    settings: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    warehouse(settings)
    release = draw_release(tmp_path / "r.duckdb", 1)
    serve(release, with_analysts(settings))
    assert not serve(release, settings).analysts
    with pytest.raises(psycopg.OperationalError):
        connect("followup_analyst")
    with server.superuser("followup") as connection:
        assert connection.execute("select from pg_namespace where nspname = 'marts'").fetchall() == []
    lines = [json.loads(line)["what"] for line in (settings.home / "analysts.jsonl").read_text().splitlines()]
    assert lines == ["login allowed", "loading", "loaded", "login refused", "removed"]


@pytest.mark.parametrize("password", [None, "the reader's"])
def test_analysts_need_a_password_of_their_own(password: str | None, settings: Settings, tmp_path: Path) -> None:
    warehouse(settings)
    logins = json.loads(settings.publish_logins.read_text())
    del logins["followup_analyst"]
    if password:
        logins["followup_analyst"] = logins["followup_reader"]
    own = tmp_path / "logins.json"
    own.touch(0o600)
    own.write_text(json.dumps(logins))
    with pytest.raises(ServingError, match="password"):
        serve(
            draw_release(tmp_path / "r.duckdb", 1), with_analysts(settings).model_copy(update={"publish_logins": own})
        )


def test_marts_are_not_loaded_where_statements_can_not_be_logged(
    settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    warehouse(settings)
    with server.superuser() as connection:
        connection.execute("revoke set on parameter log_statement from followup_owner")
    with pytest.raises(ServingError, match="GRANT SET ON PARAMETER log_statement TO followup_owner"):
        serve(draw_release(tmp_path / "r.duckdb", 1), with_analysts(settings))
    with server.superuser("followup") as connection:
        assert connection.execute("select from pg_namespace where nspname = 'marts'").fetchall() == []
    server.start()  # gives the right back


def test_a_load_that_is_killed_at_its_commit_has_its_line(settings: Settings, tmp_path: Path) -> None:
    warehouse(settings)
    steps: list[str] = []

    def killed(step: str) -> None:
        steps.append(step)
        if steps.count("commit tables") == 2:  # the marts', after the release's
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(draw_release(tmp_path / "r.duckdb", 1), with_analysts(settings), on_step=killed)
    lines = [json.loads(line)["what"] for line in (settings.home / "analysts.jsonl").read_text().splitlines()]
    assert lines == ["login allowed", "loading"]


def test_marts_are_not_loaded_where_the_log_does_not_name_who_asks(unnamed: Settings, tmp_path: Path) -> None:
    warehouse(unnamed)
    with pytest.raises(ServingError, match=r"does not name who asks.*ALTER SYSTEM SET log_line_prefix"):
        serve(draw_release(tmp_path / "r.duckdb", 1), with_analysts(unnamed))
    assert not (unnamed.home / "analysts.jsonl").exists()


# -- logins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ('{"followup_reader": "x"}', 0o644, "chmod 600"),
        ("{", 0o600, "can't be read as JSON"),
        ('["x"]', 0o600, "must be an object"),
        ('{"followup_reader": ""}', 0o600, "must be an object"),
        ('{"reader": "hunter2"}', 0o600, "names roles that there aren't: reader"),
    ],
)
def test_a_file_of_logins_that_can_not_be_used_is_reported_without_its_content(
    content: str, mode: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "logins.json"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ServingError, match=said) as caught:
        load_logins(path)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_address_is_refused_and_not_repeated(settings: Settings, tmp_path: Path) -> None:
    url = "postgresql://followup_owner:hunter2@127.0.0.1/followup"
    bad = Settings.model_validate({**settings.model_dump(), "publish_postgres": url})
    with pytest.raises(ServingError, match="has a password in it") as caught:
        serve(draw_release(tmp_path / "r.duckdb", 1), bad)
    assert "hunter2" not in str(caught.value) + repr(bad)


@pytest.mark.parametrize("url", ["http://x", "postgresql://[", "no such=thing at all"])
def test_an_address_that_is_none_is_refused(url: str, settings: Settings, tmp_path: Path) -> None:
    bad = Settings.model_validate({**settings.model_dump(), "publish_postgres": url})
    with pytest.raises(ServingError, match="FOLLOWUP_PUBLISH_POSTGRES is no PostgreSQL address"):
        serve(draw_release(tmp_path / "r.duckdb", 1), bad)
