"""What a failure or a kill leaves: whole releases, and a next run that completes what was begun."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import forked
import psycopg
import pytest
from releases_drawn import draw_release, files_say, reader_sees

from followup.local.postgres_server import PostgresServer, RunningServer
from ingest.settings import Settings
from publish.serving import ServingError, finish, serve
from publish.serving.folder import releases_folder

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]


def test_a_value_that_postgresql_refuses_stops_the_release_in_every_target(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    bad = draw_release(tmp_path / "2.duckdb", 2)
    with duckdb.connect(str(bad)) as connection:
        connection.execute("update published.mart_03 set release_id = 'a' || chr(0)")
    with pytest.raises(ServingError, match="loading into PostgreSQL failed"):
        serve(bad, settings)
    assert reader_sees(connect) == files_say(settings) == "release-1"


def test_a_server_that_is_away_stops_the_release(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(
        update={"publish_postgres": type(settings.publish_postgres)("postgresql://followup_owner@127.0.0.1:9/followup")}
    )
    with pytest.raises(ServingError, match="can't be reached"):
        serve(draw_release(tmp_path / "1.duckdb", 1), away)
    assert not settings.published.exists()


@pytest.mark.parametrize("step", ["roles", "load published.mart_03", "swap tables"])
def test_a_database_that_is_lost_in_the_middle_is_named_with_what_to_do(
    step: str, settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    def on_step(now: str) -> None:
        if now == step:
            with server.superuser() as connection:
                connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'followup_owner'"
                )

    lost = r"^the database for BI at 127\.0\.0\.1:\d+/followup refused or was lost: [^\n]+ `followup release serve`$"
    with pytest.raises(ServingError, match=lost):
        serve(draw_release(tmp_path / "1.duckdb", 1), settings, on_step=on_step)
    serve(draw_release(tmp_path / "2.duckdb", 2), settings)


def test_a_connection_that_breaks_at_the_commit_is_completed_by_the_next_run(
    settings: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    """Nobody knows then whether the database has swapped, so the journal stays."""
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)

    def on_step(step: str) -> None:
        if step == "commit tables":
            with server.superuser() as connection:
                connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'followup_owner'"
                )

    with pytest.raises(ServingError, match=r"at 127.0.0.1:\d+/followup refused or was lost: .*; see that"):
        serve(draw_release(tmp_path / "2.duckdb", 2), settings, on_step=on_step)
    assert reader_sees(connect) == files_say(settings) == "release-1"
    assert finish(settings) is not None
    assert reader_sees(connect) == files_say(settings) == "release-2"


def test_a_schema_that_is_not_ours_is_left_alone(
    settings: Settings, server: PostgresServer, postgres: RunningServer, tmp_path: Path
) -> None:
    with server.superuser("followup") as connection:
        connection.execute("create schema published; create table published.theirs (n integer)")
    with pytest.raises(ServingError, match="schema published that holds no release"):
        serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    with server.superuser("followup") as connection:
        assert connection.execute("select count(*) from published.theirs").fetchone() == (0,)


KILLED = """
import os, signal, sys
from pathlib import Path
from ingest.settings import Settings
from publish.serving import serve

steps = [0]
def on_step(step):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

serve(Path(sys.argv[1]), Settings(), on_step=on_step)
"""


@pytest.mark.kill
@pytest.mark.parametrize(
    ("step", "database", "files"),
    [
        ("csv", 1, 1),
        ("load published.mart_03", 1, 1),
        ("swap tables", 1, 1),
        ("commit tables", 1, 1),
        ("link files", 2, 1),
        ("linked files", 2, 2),
    ],
)
def test_killed_at_a_step_leaves_whole_releases_and_the_next_run_completes_it(
    step: str, database: int, files: int, settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    second = draw_release(tmp_path / "2.duckdb", 2)
    environment = {
        "FOLLOWUP_HOME": str(settings.home),
        "FOLLOWUP_PUBLISH_POSTGRES": settings.publish_postgres.get_secret_value(),
        "FOLLOWUP_PUBLISH_LOGINS": str(settings.publish_logins),
        "FOLLOWUP_PUBLISHED": str(settings.published),
        "FOLLOWUP_NOW": "2019-01-03T08:00:00",
    }
    done = forked.run(KILLED, str(second), step, environment=environment, timeout=60)
    assert done.returncode == -9
    assert (reader_sees(connect), files_say(settings)) == (f"release-{database}", f"release-{files}")
    finished = finish(settings)
    assert (finished is not None) == (step in ("swap tables", "commit tables", "link files", "linked files"))
    if finished is not None:
        assert reader_sees(connect) == files_say(settings) == finished.release_id == "release-2"
    serve(draw_release(tmp_path / "3.duckdb", 3), settings)
    assert reader_sees(connect) == files_say(settings) == "release-3"
    assert finish(settings) is None
    with connect() as reader:
        schemas = reader.execute("select nspname from pg_namespace where nspname ~ 'published|marts'").fetchall()
    assert schemas == [("published",)]
    left = [path.name for path in releases_folder(settings).iterdir() if path.name.startswith(".")]
    left += [path.name for path in settings.home.iterdir() if path.name.startswith((".", "serving"))]
    assert left == []


@pytest.mark.kill
def test_a_newer_release_first_completes_the_one_that_was_killed_between_its_swaps(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def on_step(step: str) -> None:
        if step == "link files":
            raise Killed

    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    with pytest.raises(Killed):
        serve(draw_release(tmp_path / "2.duckdb", 2), settings, on_step=on_step)
    assert (reader_sees(connect), files_say(settings)) == ("release-2", "release-1")
    bad = draw_release(tmp_path / "3.duckdb", 3)
    with duckdb.connect(str(bad)) as connection:
        connection.execute("update published.mart_00 set release_id = chr(0)")
    with pytest.raises(ServingError, match="loading"):
        serve(bad, settings)
    assert reader_sees(connect) == files_say(settings) == "release-2"


def test_serving_again_loads_nothing_but_mends_what_is_missing(
    settings: Settings, connect: Connect, server: PostgresServer, tmp_path: Path
) -> None:
    release, steps = draw_release(tmp_path / "1.duckdb", 1), []
    serve(release, settings)
    serve(release, settings, on_step=steps.append)
    assert steps == ["roles", "link files", "linked files"]
    with server.superuser("followup") as connection:
        connection.execute("drop schema published cascade")
    serve(release, settings)
    assert reader_sees(connect) == "release-1"


def test_no_password_is_in_what_is_printed_logged_or_stored(
    settings: Settings, server: PostgresServer, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    passwords = json.loads(settings.publish_logins.read_text()).values()
    said = repr(settings) + (server.cluster / "server.log").read_text(errors="replace")
    said += "".join(path.read_text(errors="replace") for path in settings.home.rglob("*") if path.is_file())
    assert [password for password in passwords if password in said] == []
