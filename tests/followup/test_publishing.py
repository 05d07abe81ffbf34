"""Releases by the command line: proposed, approved, served; read-only, readable by old drivers, naming themselves."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from city import Place, built_city, drawn_files
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.file_permissions import find_open_to_others
from publish.marts.declared import load_marts
from publish.release.writing import PARTLY_SYNTHETIC, SYNTHETIC


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return built_city().copy(tmp_path_factory.mktemp("place") / "p")


@pytest.fixture(scope="module")
def released(built: Place) -> Place:
    """The place with a release that was proposed first and approved then."""
    assert "`followup release approve 1`" in built.followup("publish")
    assert not built.published.exists()
    assert "Release 1 is out" in built.followup("release", "approve", "1")
    return built


def test_release_goes_out_whole_once_it_is_approved(released: Place) -> None:
    released.followup("release", "approve", "1", expect=1)
    with duckdb.connect(str(released.published / "followup.duckdb"), read_only=True) as published:
        tables = dict(published.execute("select table_name, comment from duckdb_tables()").fetchall())
        assert set(load_marts()) <= set(tables)
        assert all(tables[name].startswith(SYNTHETIC) for name in load_marts())
        comments = dict(
            published.execute(
                "select column_name, comment from duckdb_columns() where table_name = 'mart_case_flow'"
            ).fetchall()
        )
        assert comments["district_code"].startswith("Stadsdel") and all(comments.values())
        (storage,) = published.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 'followup'"
        ).fetchone()
        assert storage == "v1.0.0+"
        about = dict(published.execute("select key, value from published.about").fetchall())
        rows = published.execute("select count(*) from published.mart_case_flow").fetchone()
    assert about["notice"] == SYNTHETIC and about["is_synthetic"] == "true" and about["release_id"] == "1"
    parquet = pq.ParquetFile(released.published / "parquet" / "mart_case_flow.parquet")
    assert (parquet.metadata.num_rows,) == rows
    certificate = json.loads((released.published / "certificate.json").read_text())
    assert certificate["passed"]
    assert certificate["attacked"] > 0


def test_no_small_count_is_published_and_a_rate_is_null_only_in_a_row_that_says_so(released: Place) -> None:
    with duckdb.connect(str(released.published / "followup.duckdb"), read_only=True) as published:
        for name, mart in load_marts().items():
            rows = published.execute(f"select * exclude (released_at) from published.{name}").df()
            assert not rows[list(mart.person_counts)].isin([1, 2, 3, 4]).any(axis=None), name
            if mart.rates:
                assert (rows.loc[rows[list(mart.rates)].isna().any(axis=1), "too_few"]).all(), name


def test_published_files_are_read_only_and_cut_no_link(released: Place) -> None:
    for path in released.published.resolve().rglob("*.*"):
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or path.is_dir()


def test_a_file_that_is_not_as_it_was_drawn_makes_the_next_release_partly_synthetic(released: Place) -> None:
    """Somebody who reads the release before goes on reading it."""
    real = released.inbox / "norrmalm" / "norrmalm_serviceinsatser_2018Q1.csv"
    drawn = drawn_files() / "norrmalm"
    for path in (drawn / real.name, drawn / "SYNTETISK.json"):
        (real.parent / path.name).write_bytes(path.read_bytes())
    real.write_bytes(real.read_bytes() + b"\r\n")  # other bytes than the manifest declares
    with duckdb.connect(str(released.published / "followup.duckdb"), read_only=True) as reader:
        before = reader.execute("select count(*) from published.mart_case_flow").fetchone()
        released.followup("run", "--inbox", str(released.inbox))
        assert PARTLY_SYNTHETIC in released.followup("publish", "--approve")
        assert reader.execute("select count(*) from published.mart_case_flow").fetchone() == before
    with duckdb.connect(str(released.published / "followup.duckdb"), read_only=True) as published:
        comments = published.execute("select comment from duckdb_tables() where table_name like 'mart_%'").fetchall()
    assert comments and all(comment.startswith(PARTLY_SYNTHETIC) for (comment,) in comments)


def test_publishing_without_a_warehouse_fails_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWUP_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["publish"])
    assert done.exit_code == 3
    assert done.output.strip() == "Nothing published: there is no warehouse yet: run `followup build` first"
    assert not (tmp_path / "home" / "published").exists()


def test_nobody_else_can_open_what_the_commands_wrote(released: Place) -> None:
    """They were started with the usual umask."""
    assert list(find_open_to_others([released.home])) == []
