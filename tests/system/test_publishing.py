"""Publishing: only synthetic data, read-only, readable by old drivers, and saying what it is."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from city import Place, draw, settle

from ingest.settings import Settings
from publish.publishing import NOTICE, PublishRefused, publish


def settings(place: Place) -> Settings:
    return Settings.model_validate(
        {"home": place.home, "keys": place.root / "keys.json", "FOLLOWUP_NOW": "2018-04-10T08:00:00"}
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = settle(tmp_path_factory.mktemp("place") / "p", draw(tmp_path_factory.mktemp("drawn")))
    place.followup("run", "--inbox", str(place.inbox))
    return place


def test_marts_go_out_whole_with_labels_and_notice(built: Place) -> None:
    done = publish(settings(built))
    with duckdb.connect(str(built.home / "warehouse.duckdb"), read_only=True) as warehouse:
        expected = {
            name: warehouse.execute(f"select count(*) from marts.{name}").fetchone()[0]
            for (name,) in warehouse.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
    assert {table.name: table.rows for table in done.tables} == expected and len(expected) >= 4
    with duckdb.connect(str(done.duckdb_file), read_only=True) as published:
        assert published.execute("select value from published.about where key = 'notice'").fetchone() == (NOTICE,)
        for name, rows in expected.items():
            assert published.execute(f"select count(*) from published.{name}").fetchone() == (rows,)
        comments = published.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'mart_case_flow'"
        ).fetchall()
        assert dict(comments)["district_code"].startswith("Stadsdel")
        assert all(text for _, text in comments)
        assert published.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 'followup'"
        ).fetchone() == ("v1.0.0+",)
    for name, rows in expected.items():
        parquet = pq.ParquetFile(done.parquet_folder / f"{name}.parquet")
        assert parquet.metadata.num_rows == rows
        assert parquet.metadata.metadata[b"notice"].decode() == NOTICE


def test_published_files_are_read_only_and_cut_no_link(built: Place) -> None:
    done = publish(settings(built))
    for path in (done.duckdb_file, *done.parquet_folder.iterdir()):
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def test_reader_keeps_its_release_while_the_next_goes_out(built: Place) -> None:
    first = publish(settings(built))
    with duckdb.connect(str(first.duckdb_file), read_only=True) as reader:
        before = reader.execute("select count(*) from published.mart_case_flow").fetchone()
        publish(settings(built))
        assert reader.execute("select count(*) from published.mart_case_flow").fetchone() == before


def test_one_unmarked_submission_in_force_stops_everything(tmp_path: Path) -> None:
    inbox = draw(tmp_path)
    real = inbox / "norrmalm" / "norrmalm_serviceinsatser_2018Q1.csv"
    real.write_bytes(real.read_bytes() + b"\r\n")  # other bytes than the manifest declares
    place = settle(tmp_path / "p", inbox)
    place.followup("run", "--inbox", str(place.inbox))
    with pytest.raises(PublishRefused, match="1 of 18 submissions in force are not marked synthetic"):
        publish(settings(place))
    assert not (place.home / "published").exists()


def test_warehouse_built_from_real_rows_stays_in_though_the_ledger_has_moved_on(tmp_path: Path) -> None:
    inbox = draw(tmp_path)
    name = "norrmalm_serviceinsatser_2018Q1.csv"
    drawn = (inbox / "norrmalm" / name).read_bytes()
    (inbox / "norrmalm" / name).write_bytes(drawn + b"\r\n")
    place = settle(tmp_path / "p", inbox)
    place.followup("run", "--inbox", str(place.inbox))
    (place.inbox / "norrmalm" / name).write_bytes(drawn)
    place.followup("receive", "--inbox", str(place.inbox))
    with pytest.raises(PublishRefused, match="built from submissions that are not marked synthetic"):
        publish(settings(place))
    place.followup("build")
    assert publish(settings(place)).tables


def test_nothing_to_publish_is_said(tmp_path: Path) -> None:
    place = settle(tmp_path / "p", draw(tmp_path))
    with pytest.raises(PublishRefused, match="nothing is in force"):
        publish(settings(place))
