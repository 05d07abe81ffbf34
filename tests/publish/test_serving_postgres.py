"""Serving to PostgreSQL: what is loaded, what readers see while it changes, and what a failure or a kill leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest
from releases_drawn import NOTICE, draw_release, files_say, reader_sees

from ingest.settings import Settings
from publish.serving import ServingError, finish, serve
from publish.views.declared import View, load_views

pytestmark = pytest.mark.server
Connect = Callable[..., "psycopg.Connection[Any]"]
TYPES = {
    "date": "date", "count": "integer", "rank": "integer", "flag": "boolean", "text": "varchar", "period": "varchar",
}  # fmt: skip
"""Of a view's columns by their kind; all others are numbers."""
BOTH = "select min(release_id), max(release_id), count(*) from {}"


def empty(view: View) -> str:
    """The statement that makes a view's table, without rows."""
    columns = ", ".join(f"{column.name} {TYPES.get(column.kind, 'double')}" for column in view.columns)
    return f"create table published.{view.name} ({columns})"


# -- what is loaded ----------------------------------------------------------------------------------------------------


def test_the_database_holds_the_same_values_as_the_file(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    release = draw_release(tmp_path / "r.duckdb", 5)
    served = serve(release, settings)
    assert served.database is not None and served.notes == ()
    with duckdb.connect(str(release), read_only=True) as source, connect() as reader:
        source.execute("set timezone = 'UTC'")
        reader.execute("set timezone = 'UTC'")
        for table in served.tables:
            query = f"select * from published.{table.name}"
            expected = {row[: len(table.key)]: row for row in source.execute(query).fetchall()}
            found = {row[: len(table.key)]: row for row in reader.execute(query).fetchall()}
            assert found == expected and len(found) == table.rows


def test_text_is_stored_as_it_is(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    odd = ["", None, "\\N", "\\.", "a\tb\r\nc", '"', "NULL", "'=1", "å𝄞", "\\"]
    path = draw_release(tmp_path / "r.duckdb", 1)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table published.odd (n integer primary key, t varchar)")
        connection.executemany("insert into published.odd values (?, ?)", list(enumerate(odd)))
    serve(path, settings)
    with connect() as reader:
        assert [row[0] for row in reader.execute("select t from published.odd order by n").fetchall()] == odd


def test_values_arrive_in_types_that_readers_tools_have(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    path = draw_release(tmp_path / "r.duckdb", 1)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table published.typed as select sum(i) as cases, 0.1::decimal(9, 3) as share, ['a', null] as list, "
            "timestamp '2018-04-01 08:00:00.5' as moment, date '2018-04-01' as day, 1e-300::double as small, "
            "true as flag, 250::utinyint as tiny from range(5) t(i)"
        )
    served = serve(path, settings)
    with connect() as reader:
        found = reader.execute(
            "select column_name::text, data_type::text from information_schema.columns where table_name = 'typed' "
            "order by ordinal_position"
        ).fetchall()
        (row,) = reader.execute("select * from typed").fetchall()
    assert found == [
        ("cases", "bigint"),
        ("share", "numeric"),
        ("list", "text"),
        ("moment", "timestamp without time zone"),
        ("day", "date"),
        ("small", "double precision"),
        ("flag", "boolean"),
        ("tiny", "smallint"),
    ]
    moment = datetime(2018, 4, 1, 8, 0, 0, 500_000)
    assert row == (10, Decimal("0.100"), "[a, NULL]", moment, date(2018, 4, 1), 1e-300, True, 250)
    assert str(pq.read_schema(served.parquet_folder / "typed.parquet").field("cases").type) == "int64"


def test_every_table_and_column_has_its_comment_and_every_key_its_index(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "r.duckdb", 1), settings)
    with connect() as reader:
        bare = reader.execute(
            "select attrelid::regclass::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid "
            "where relnamespace = 'published'::regnamespace and relkind = 'r' and attnum > 0 "
            "and col_description(attrelid, attnum) is null"
        ).fetchall()
        assert bare == []
        tables = reader.execute(
            "select relname, obj_description(c.oid) from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where nspname = 'published' and relkind = 'r' order by 1"
        ).fetchall()
        assert len(tables) == 6 and all(comment for _, comment in tables)
        assert dict(tables)["mart_00"].startswith(NOTICE)
        (comment,) = reader.execute("select col_description('published.mart_00'::regclass, 3)").fetchone()
        assert comment == "Åldersgrupp: ålder vid händelsen"
        keys = reader.execute(
            "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where contype = 'p' "
            "and connamespace = 'published'::regnamespace order by 1"
        ).fetchall()
    assert ("dim_district", "PRIMARY KEY (district_code)") in keys
    assert ("mart_00", "PRIMARY KEY (district_code, reporting_quarter, age_band)") in keys
    assert len(keys) == 6


def test_a_reader_finds_how_tables_belong_together(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    """In the information schema too, where Power BI looks: it shows foreign keys only to who may do more than read."""
    path = draw_release(tmp_path / "r.duckdb", 1, tables=1)
    view = next(one for one in load_views() if one.name == "vy_insatser")
    with duckdb.connect(str(path)) as release:
        release.execute(empty(view))
        release.execute("create table published.dim_sex as select 'kvinna' as sex, 'Kvinna' as sex_label")
        release.execute("alter table published.dim_sex add primary key (sex)")
    serve(path, settings)
    with connect() as reader:
        found = reader.execute(
            "select f.table_name::text, f.column_name::text, t.table_name::text, t.column_name::text "
            "from information_schema.referential_constraints r "
            "join information_schema.key_column_usage f using (constraint_schema, constraint_name) "
            "join information_schema.key_column_usage t on t.constraint_schema = r.unique_constraint_schema "
            "and t.constraint_name = r.unique_constraint_name order by 1, 2"
        ).fetchall()
    with connect() as reader:
        reader.execute("set transaction read write")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("create temporary table mine (sex text references published.dim_sex)")
    # the view's words are labels, the mart's district a code; what is not in the file is not referred to
    assert found == [
        ("mart_00", "district_code", "dim_district", "district_code"),
        ("vy_insatser", "kon", "dim_sex", "sex_label"),
        ("vy_insatser", "stadsdel", "dim_district", "district_label"),
    ]


def test_each_views_own_query_runs_here_too(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    path = draw_release(tmp_path / "r.duckdb", 1, tables=1)
    with duckdb.connect(str(path)) as release:
        for view in load_views():
            release.execute(empty(view))
    serve(path, settings)
    with connect() as reader:
        for view in load_views():
            assert reader.execute(view.query).fetchall() == []


# -- readers while it changes ------------------------------------------------------------------------------------------


def test_readers_never_see_a_torn_or_mixed_release_during_twenty(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    def release(number: int) -> Path:
        return draw_release(tmp_path / f"{number % 2}.duckdb", number, tables=3, rows=40)

    serve(release(0), settings)
    stop, wrong, reads = threading.Event(), [], {"read committed": 0, "repeatable read": 0, "files": 0}

    def of_the_database(level: str) -> None:
        with connect(autocommit=True) as reader:
            while not stop.is_set():
                with reader.transaction():
                    reader.execute(f"set transaction isolation level {level}")
                    first = reader.execute(BOTH.format("mart_00")).fetchone()
                    time.sleep(0.002)
                    second = reader.execute(BOTH.format("mart_02")).fetchone()
                    again = reader.execute(BOTH.format("mart_00")).fetchone()
                number = int(first[0].removeprefix("release-"))
                if not first == second == again == (first[0], first[0], 40 + number):
                    wrong.append((level, first, second, again))
                reads[level] += 1

    def of_the_files() -> None:
        while not stop.is_set():
            folder = settings.published.resolve()
            with duckdb.connect(str(settings.published / "followup.duckdb"), read_only=True) as reader:
                first = reader.execute(BOTH.format("published.mart_00")).fetchone()
                second = reader.execute(BOTH.format("published.mart_02")).fetchone()
            ids = pq.read_table(folder / "parquet" / "mart_01.parquet", columns=["release_id"])["release_id"]
            if first != second or first[2] != 40 + int(first[0].removeprefix("release-")) or len(set(ids)) != 1:
                wrong.append(("files", first, second))
            reads["files"] += 1

    with ThreadPoolExecutor() as readers:
        jobs = [
            readers.submit(of_the_database, "read committed"),
            readers.submit(of_the_database, "repeatable read"),
            readers.submit(of_the_files),
        ]
        try:
            for number in range(1, 21):
                serve(release(number), settings)
        finally:
            stop.set()
        for job in jobs:
            job.result(30)
    assert wrong == []
    assert min(reads.values()) > 10
    assert reader_sees(connect) == files_say(settings) == "release-20"


def test_a_reader_whose_snapshot_is_older_than_the_load_sees_the_new_release_whole(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    with connect() as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select 1")
        serve(draw_release(tmp_path / "2.duckdb", 2), settings)
        assert reader.execute(BOTH.format("mart_00")).fetchone() == ("release-2", "release-2", 202)
        assert reader.execute(BOTH.format("mart_03")).fetchone() == ("release-2", "release-2", 202)


def test_a_long_reader_is_waited_for(settings: Settings, connect: Connect, tmp_path: Path) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    tries: list[str] = []
    with connect() as reader:
        reader.execute("select count(*) from mart_00")

        def on_step(step: str) -> None:
            tries.append(step)
            if tries.count("swap tables") == 3:
                reader.rollback()

        serve(draw_release(tmp_path / "2.duckdb", 2), settings, on_step=on_step)
    assert tries.count("swap tables") >= 3
    assert reader_sees(connect) == files_say(settings) == "release-2"


def test_a_reader_that_never_ends_is_named_and_the_old_release_stays_everywhere(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    hasty = settings.model_copy(update={"publish_patience_seconds": 1.5})
    with connect() as reader:
        pid = reader.execute("select pg_backend_pid() from mart_00").fetchone()[0]
        with pytest.raises(ServingError, match=rf"locked for 1.5 s.*{pid} \(followup_reader"):
            serve(draw_release(tmp_path / "2.duckdb", 2), hasty)
        assert reader.execute("select max(release_id) from mart_01").fetchone() == ("release-1",)
    assert reader_sees(connect) == files_say(settings) == "release-1"
    assert finish(settings) is None
    serve(tmp_path / "2.duckdb", settings)
    assert reader_sees(connect) == files_say(settings) == "release-2"


def test_two_readers_that_cross_are_not_ended_as_a_deadlock(
    settings: Settings, connect: Connect, tmp_path: Path
) -> None:
    """The reader holds the table that the swap locks last and asks for the one it has locked first."""
    serve(draw_release(tmp_path / "1.duckdb", 1), settings)
    seen: list[object] = []
    with connect() as reader:
        reader.execute("select count(*) from mart_03")
        swapping = threading.Event()

        def crossing() -> None:
            swapping.wait(20)
            time.sleep(0.1)
            seen.append(reader.execute(BOTH.format("about").replace("release_id", "key")).fetchone())
            reader.rollback()

        thread = threading.Thread(target=crossing)
        thread.start()
        serve(
            draw_release(tmp_path / "2.duckdb", 2),
            settings,
            on_step=lambda step: swapping.set() if step == "swap tables" else None,
        )
        thread.join(20)
    assert seen == [("notice", "rows", 4)]
    assert reader_sees(connect) == "release-2"
