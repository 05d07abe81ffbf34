"""A release of a small warehouse on its way to the database, and what `followup release serve` mends there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.persons.keys import make_keys
from ingest.settings import Settings
from publish.release.releasing import release
from tests.publish.keyed_city import MARTS, MEASURES, cases, quick_policy, write_warehouse

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]
NOW = datetime(2020, 2, 20, 8, tzinfo=UTC)


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command with the installation's settings in the environment, and more."""

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        assert settings.publish_postgres is not None
        monkeypatch.setenv("FOLLOWUP_HOME", str(settings.home))
        monkeypatch.setenv("FOLLOWUP_PUBLISH_POSTGRES", settings.publish_postgres.get_secret_value())
        monkeypatch.setenv("FOLLOWUP_PUBLISH_LOGINS", str(settings.publish_logins))
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, list(arguments))
        return done.exit_code, done.output

    return run


def release_to_files(settings: Settings) -> None:
    settings.home.mkdir()
    make_keys(settings.keys)
    write_warehouse(settings.warehouse, cases(40))
    bare = settings.model_copy(update={"publish_postgres": None})
    release(bare, approve=True, declared=MARTS, measures=MEASURES, policy=quick_policy(), now=NOW, gate=lambda _: [])


def test_a_database_that_came_later_is_served_with_what_has_gone_out(
    settings: Settings, connect: Connect, command: Callable[..., tuple[int, str]]
) -> None:
    release_to_files(settings)
    code, said = command("release", "serve")
    assert code == 0 and "PostgreSQL: 127.0.0.1:" in said
    with connect() as reader:
        assert reader.execute("select distinct release_id from mart_case_flow").fetchall() == [(1,)]
        few = reader.execute("select count(*) > 0 from mart_case_flow where too_few").fetchone()
        bare = reader.execute(
            "select count(*) from mart_case_flow where concluded is null or (offer_rate is null) <> too_few"
        ).fetchone()
        uncommented = reader.execute(
            "select attrelid::regclass::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid "
            "where relnamespace = 'published'::regnamespace and relkind = 'r' and attnum > 0 "
            "and col_description(attrelid, attnum) is null"
        ).fetchall()
    assert few == (True,)
    assert bare == (0,)
    assert uncommented == []


def test_a_new_password_holds_after_serving_again_and_the_old_one_no_more(
    settings: Settings, connect: Connect, command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    release_to_files(settings)
    command("release", "serve")
    logins = json.loads(settings.publish_logins.read_text())
    own = tmp_path / "logins.json"
    own.touch(0o600)
    own.write_text(json.dumps(logins | {"followup_reader": "a new one"}))
    code, _ = command("release", "serve", FOLLOWUP_PUBLISH_LOGINS=str(own))
    assert code == 0
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect()
    assert settings.publish_postgres is not None
    url = settings.publish_postgres.get_secret_value().replace("followup_owner", "followup_reader")
    with psycopg.connect(url, password="a new one") as reader:
        assert reader.execute("select count(*) from about").fetchone() != (0,)


def test_nothing_to_serve_is_said(settings: Settings, command: Callable[..., tuple[int, str]]) -> None:
    settings.home.mkdir()
    code, said = command("release", "serve")
    assert code == 1 and "nothing has gone out yet" in said


def test_a_database_that_is_away_is_a_failure_that_can_be_mended(
    settings: Settings, connect: Connect, command: Callable[..., tuple[int, str]]
) -> None:
    release_to_files(settings)
    code, said = command("release", "serve", FOLLOWUP_PUBLISH_POSTGRES="postgresql://followup_owner@127.0.0.1:9/x")
    assert code == 3 and "can't be reached" in said
    assert command("release", "serve")[0] == 0
    with connect() as reader:
        assert reader.execute("select count(*) from about").fetchone() != (0,)
