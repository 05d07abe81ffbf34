"""Files as readers get them: every target says the same, explains itself, and reads back to the same values."""

from __future__ import annotations

import csv
import io
import os
import stat
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from releases_drawn import NOTICE, draw_release

from ingest.settings import Settings
from publish.serving import ServingError, read_release, serve
from publish.serving.csv_files import (
    is_in_csv,
    write_csv_files,
    write_plain,
)
from publish.serving.release_file import sql_literal

OLD_DUCKDB = "OLD_DUCKDB_PYTHON"
"""A Python that has DuckDB 1.1 (`python -m venv old && old/bin/pip install duckdb==1.1.3`), for one test."""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return draw_release(tmp_path / "release.duckdb", 7)


def test_snapshot_holds_tables_comments_and_keys_in_the_old_format(release: Path, files_only: Settings) -> None:
    served = serve(release, files_only)
    assert served.release_id == "release-7" and served.database is None
    assert {table.name: table.rows for table in served.tables} == {
        "about": 4, "dim_district": 14, "mart_00": 207, "mart_01": 207, "mart_02": 207, "mart_03": 207,
    }  # fmt: skip
    assert read_release(served.duckdb_file).tables == read_release(release).tables
    with duckdb.connect(str(served.duckdb_file), read_only=True) as connection:
        (version,) = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 'followup'"
        ).fetchone() or ("",)
    assert version == "v1.0.0+"


def test_duckdb_1_1_reads_the_snapshot(release: Path, files_only: Settings) -> None:
    old = os.environ.get(OLD_DUCKDB)
    if not old:
        pytest.skip(f"needs a Python with DuckDB 1.1, named by {OLD_DUCKDB}")
    served = serve(release, files_only)
    code = (
        "import duckdb, sys; assert duckdb.__version__.startswith('1.1.'); c = duckdb.connect(sys.argv[1], "
        "read_only=True); print(c.execute('select sum(figure), count(*) from published.mart_00').fetchone())"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [old, "-c", code, str(served.duckdb_file)], capture_output=True, text=True, check=True, env=clean
    )
    assert done.stdout.strip() == "(1239, 207)"  # 177 shown figures of 7


def test_parquet_explains_itself_by_field_and_by_file(release: Path, files_only: Settings) -> None:
    served = serve(release, files_only)
    file = pq.ParquetFile(served.parquet_folder / "mart_00.parquet")
    field = file.schema_arrow.field("age_band")
    assert field.metadata[b"label"].decode() == "Åldersgrupp"
    assert field.metadata[b"description"].decode() == "ålder vid händelsen"
    for table in served.tables:
        schema = pq.read_schema(served.parquet_folder / f"{table.name}.parquet")
        assert all(schema.field(column.name).metadata[b"label"] for column in table.columns)
    with duckdb.connect() as connection:
        pairs = dict(
            connection.execute(
                "select decode(key), decode(value) from parquet_kv_metadata(?)",
                [str(served.parquet_folder / "mart_00.parquet")],
            ).fetchall()
        )
    assert pairs["notice"] == NOTICE and pairs["release_id"] == "release-7"
    assert pairs["description"].endswith("One row per district, quarter and age band.")
    assert pairs["column:age_band"] == "Åldersgrupp: ålder vid händelsen"


def test_every_target_of_files_holds_the_same_values(tmp_path: Path, files_only: Settings) -> None:
    release = draw_release(tmp_path / "release.duckdb", 7)
    with duckdb.connect(str(release)) as connection:
        connection.execute("create table published.vy_00 as from published.mart_00")
    served = serve(release, files_only)
    # people's tables are in `csv`; marts are in Parquet and DuckDB
    assert {path.stem for path in served.csv_folder.glob("*.csv")} == {"vy_00", "dim_district", "about"}
    with duckdb.connect(str(release), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        expected = connection.execute("from published.mart_00 order by age_band::int").fetchall()
        parquet, plain = served.parquet_folder / "mart_00.parquet", served.csv_folder / "vy_00.csv"
        columns = "age_band: 'varchar', figure: 'bigint', offer_rate: 'double', released_at: 'timestamptz'"
        for source in (f"'{parquet}'", f"read_csv('{plain}', types = {{{columns}}})"):
            assert connection.execute(f"from {source} order by age_band::int").fetchall() == expected


def test_csv_is_as_it_says_byte_for_byte(tmp_path: Path, files_only: Settings) -> None:
    path = tmp_path / "small.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema published")
        connection.execute(
            "create table published.vy_x as select * from (values (1, 0.5::double, '6-12', true, 'a;\"b\"'), "
            "(null, null, '', null, null)) t(cases, offer_rate, age_band, suppressed, sex)"
        )
    served = serve(path, files_only)
    assert (served.folder / "csv" / "vy_x.csv").read_bytes() == (
        b'"cases","offer_rate","age_band","suppressed","sex"\r\n1,0.5,"6-12",true,"a;""b"""\r\n,,"",,\r\n'
    )
    assert not (served.folder / "csv_excel").exists()


ODD = st.text(
    st.characters(blacklist_categories=["Cs"])
    | st.sampled_from("=+-@'\";,\t\r\n\x000123456789-/. eE%\ufeff\u200b\u017fK"),
    max_size=12,
)


def _one_column(values: list[str | None]) -> pa.RecordBatchReader:
    return pa.table({"sex": pa.array(values, pa.string())}).to_reader()


def _read_back(data: str, separator: str) -> list[list[tuple[str, bool]]]:
    """The rows of cells, each with whether it stood in quotes: RFC 4180 by hand, sharing nothing with the writer."""
    rows: list[list[tuple[str, bool]]] = [[]]
    at = 0
    while at < len(data):
        quoted, cell = data[at] == '"', ""
        if quoted:
            at += 1
            while data[at] != '"' or data[at : at + 2] == '""':
                cell, at = cell + data[at], at + (2 if data[at] == '"' else 1)
            at += 1
        else:
            while data[at] not in separator + "\r":
                cell, at = cell + data[at], at + 1
        rows[-1].append((cell, quoted))
        if data[at] == separator:
            at += 1
        else:
            assert data[at : at + 2] == "\r\n"
            at += 2
            rows.append([])
    return rows[:-1]


@given(st.lists(ODD | st.none(), max_size=20))
@example(["", None, "a\r\nb", '"', '""', "\x00", "'", "''", "=", "\ufeff=1"])
def test_plain_csv_reads_back_to_the_same_values(values: list[str | None]) -> None:
    sink = io.BytesIO()
    write_plain(_one_column(values), sink)
    header, *rows = _read_back(sink.getvalue().decode(), ",")
    assert header == [("sex", True)]
    assert [cell if quoted else None for ((cell, quoted),) in rows] == values


def test_published_files_can_not_be_written_to(release: Path, files_only: Settings) -> None:
    served = serve(release, files_only)
    files = [path for path in served.folder.resolve().rglob("*") if path.is_file()]
    assert len(files) == 1 + 6 + 2 + 1 + 1
    assert [path for path in files if path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)] == []


def test_what_is_beside_goes_out_with_the_release(release: Path, files_only: Settings, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    (beside / "catalogue").mkdir(parents=True)
    (beside / "certificate.json").write_text("{}")
    (beside / "catalogue" / "dcat.ttl").write_text("x")
    served = serve(release, files_only, beside=beside)
    assert (served.folder / "certificate.json").read_text() == "{}"
    assert (served.folder / "catalogue" / "dcat.ttl").read_text() == "x"


def test_the_release_before_stays_for_those_who_have_it_open_and_older_ones_go(
    tmp_path: Path, files_only: Settings
) -> None:
    path, open_readers = tmp_path / "release.duckdb", []
    for number in (1, 2, 3):
        served = serve(draw_release(path, number), files_only)
        open_readers.append(duckdb.connect(str(served.duckdb_file.resolve()), read_only=True))
    seen = [reader.execute("select min(release_id), max(release_id) from published.mart_03").fetchone()
            for reader in open_readers]  # fmt: skip
    assert seen == [(f"release-{number}",) * 2 for number in (1, 2, 3)]
    stored = [path for path in (files_only.home / "releases").iterdir() if path.is_dir()]
    assert sorted(read_release(path / "followup.duckdb").release_id for path in stored) == ["release-2", "release-3"]


def test_serving_the_same_release_again_changes_nothing(release: Path, files_only: Settings) -> None:
    first = serve(release, files_only).folder.resolve()
    assert serve(release, files_only).folder.resolve() == first
    assert list((files_only.home / "releases").iterdir()) == [first]


def test_an_earlier_release_can_be_served_again(tmp_path: Path, files_only: Settings) -> None:
    first, second = (draw_release(tmp_path / f"{number}.duckdb", number) for number in (1, 2))
    for path, number in ((first, 1), (second, 2), (first, 1)):
        served = serve(path, files_only)
        assert read_release(served.duckdb_file).release_id == f"release-{number}"


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_is_no_release_is_refused_and_what_was_served_stays(
    content: bytes | None, release: Path, files_only: Settings, tmp_path: Path
) -> None:
    served = serve(release, files_only)
    bad = tmp_path / "bad.duckdb"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ServingError, match=r"bad\.duckdb"):
        serve(bad, files_only)
    assert read_release(served.duckdb_file).release_id == "release-7"


def test_a_disk_that_refuses_is_reported(release: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "releases").write_text("in the way")
    with pytest.raises(ServingError, match="can't be written"):
        serve(release, Settings.model_validate({"home": tmp_path / "home"}))


def test_a_quote_in_a_path_or_a_comment_is_no_way_in(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    path = draw_release(tmp_path / "release.duckdb", 1).rename(folder / "release.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"comment on table published.mart_00 is {sql_literal(chr(39) + '; drop table x; --')}")
    served = serve(path, Settings.model_validate({"home": folder / "home"}))
    assert {table.name: table.comment for table in served.tables}["mart_00"] == "'; drop table x; --"


def test_the_page_beside_csv_files_has_each_files_own_number_of_rows(tmp_path: Path) -> None:
    path = draw_release(tmp_path / "release.duckdb", 7)
    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table published.mart_00 add column cut varchar")
        connection.execute("update published.mart_00 set cut = if(age_band::int < 5, 'sex', 'age_band+sex')")
        connection.execute("insert into published.about values ('not_there', 'Det som saknas.')")
        connection.execute("create table published.vy_00 as from published.mart_01")
    release = read_release(path)
    write_csv_files(release, tmp_path)
    said = (tmp_path / "csv" / "LAS_MIG.txt").read_text(encoding="utf-8")
    assert "vy_00.csv (207 rader)" in said and "Det som saknas." in said and "mart_00.csv" not in said
    for table in release.tables:
        file = tmp_path / "csv" / f"{table.name}.csv"
        assert file.exists() == is_in_csv(table.name)
        if file.exists():
            with file.open(encoding="utf-8", newline="") as opened:
                rows = sum(1 for _ in csv.reader(opened)) - 1
            assert f"{table.name}.csv ({rows} rader)" in said
