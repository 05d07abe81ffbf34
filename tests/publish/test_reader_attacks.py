"""What somebody can do who has the reader's password: read what is published. Everything else is tried, one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from followup.local.postgres_server import PostgresServer

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]
DENIED = (errors.InsufficientPrivilege,)
NOTHING_OF_THAT_NAME = (
    errors.UndefinedObject,
    errors.WrongObjectType,
    errors.UndefinedFile,
    errors.FeatureNotSupported,
    errors.ObjectNotInPrerequisiteState,
)


def test_the_reader_reads_what_is_published_without_naming_the_schema(attacked: Connect) -> None:
    with attacked() as reader:
        assert reader.execute("select count(*) from mart_00").fetchone() == (201,)
        assert reader.execute("show default_transaction_read_only").fetchone() == ("on",)
        assert reader.execute("show statement_timeout").fetchone() == ("5min",)
        assert reader.execute("show idle_in_transaction_session_timeout").fetchone() == ("1min",)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into published.about values ('a', 'b')",
        "update published.about set value = 'x'",
        "delete from published.about",
        "truncate published.about",
        "drop table published.about",
        "alter table published.about add column x text",
        "comment on table published.about is 'x'",
        "create index on published.about (value)",
        "create trigger t before insert on published.about execute function suppress_redundant_updates_trigger()",
        "create table published.mine (n integer)",
        "create view published.mine as select 1",
        "create function published.mine() returns integer language sql as 'select 1'",
        "create table public.mine (n integer)",
        "create temporary table mine (n integer)",
        "create temporary sequence mine",
        "create schema mine",
        "create schema published__new",
        "alter schema published rename to gone",
        "drop schema published cascade",
        "create database mine",
        "alter database followup set work_mem = '1GB'",
        "drop database postgres",
        "create role mine",
        "alter role followup_reader superuser",
        "alter role followup_reader createrole",
        "alter role followup_owner password 'x'",
        "grant followup_owner to followup_reader",
        "grant pg_read_all_data to followup_reader",
        "set role followup_owner",
        "set role postgres",
        "set session authorization followup_owner",
        "grant select on published.about to public",
        "revoke select on published.about from followup_reader",
        "select * from private.person",
        "select * from pg_authid",
        "select passwd from pg_shadow",
        "select umoptions from pg_user_mapping",
        "select pg_read_file('PG_VERSION')",
        "select pg_ls_dir('.')",
        "copy published.about to '/tmp/stolen'",
        "copy published.about to program 'cat'",
        "create extension dblink",
        "create extension file_fdw",
        "create server s foreign data wrapper f",
        "create publication p for all tables",
        "create event trigger e on ddl_command_start execute function f()",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "select lo_creat(-1)",
        "select lo_import('/etc/passwd')",
        "select count(pg_advisory_lock(n)) from generate_series(1, 1000000) n",
        "select pg_try_advisory_xact_lock(1, 2)",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'followup_reader'",
        "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'followup_reader'",
        "select pg_logical_emit_message(false, 'a', repeat('x', 1000000))",
        "select pg_notify('a', repeat('x', 7000))",
        "alter role followup_reader rename to gone",
        "alter role followup_reader connection limit -1",
        "alter role followup_reader valid until '2000-01-01'",
        "alter role followup_reader nologin",
        "alter role followup_reader set session_preload_libraries = 'nothing'",
        "alter role followup_reader set temp_file_limit = -1",
        "alter role followup_reader set log_statement = 'none'",
        "set temp_file_limit = -1",
        "comment on role followup_reader is 'x'",
        "comment on database followup is 'x'",
        "drop role followup_reader",
        "begin; prepare transaction 'x'",
        "checkpoint",
        "select pg_stat_reset()",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
        "select pg_reload_conf()",
        "select pg_switch_wal()",
        "select pg_create_physical_replication_slot('x')",
        "alter system set log_statement = 'none'",
        "set log_statement = 'none'",
        "set session_replication_role = 'replica'",
        "do $$ begin lock table published.about in access exclusive mode; end $$",
        "select * from published.about for update",
        "refresh materialized view published.about",
        "vacuum full published.about",
    ],
)
def test_the_reader_can_do_nothing_else_even_when_it_turns_read_only_off(
    statement: str, attacked: Connect, server: PostgresServer
) -> None:
    with attacked(autocommit=True) as reader:
        reader.execute("set default_transaction_read_only = off")
        reader.execute("set statement_timeout = 0")
        if statement.startswith(("vacuum", "grant select", "revoke select")):  # refused by a warning
            notices: list[str] = []
            reader.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
            reader.execute(statement)
            assert re.search("no privileges (were|could be)|only table or database owner|permission denied", notices[0])
        else:
            with pytest.raises((*DENIED, *NOTHING_OF_THAT_NAME)) as caught:
                reader.execute(statement)
            if not isinstance(caught.value, DENIED):
                assert statement.startswith(
                    (
                        "create extension",
                        "create server",
                        "create event",
                        "refresh",
                        "begin; prepare",
                        "alter role followup_reader rename",
                    )
                )
        assert reader.execute("select count(*) from mart_00").fetchone() == (201,)
    with server.superuser("followup") as connection:
        assert connection.execute("select count(*) from pg_largeobject_metadata").fetchone() == (0,)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_reader_gets_into_no_other_database(database: str, attacked: Connect) -> None:
    with pytest.raises(psycopg.OperationalError):
        attacked(database=database)
