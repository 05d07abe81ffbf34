"""Spark builds from validated rows in a bucket what DuckDB builds from a folder, before and after rows are erased."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_of_rows import Bucket, new_bucket
from frozen_city import NOW, figures, fill, write_frozen_project
from installations import on_spark, write_spark_project
from small_project import use_project

from followup.build.building import build
from followup.build.engines.parquet_warehouse import folder_of
from followup.build.freezing import freeze_and_erase
from ingest.recording import open_intake

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from drop_servers import S3Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(3600)]


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    server = S3Server()
    yield new_bucket(server, tmp_path)
    server.stop()


def test_rows_in_a_bucket_are_built_on_spark_and_erased_there(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_folder = fill(tmp_path / "folder")
    shutil.copytree(in_folder.keys.parent, tmp_path / "bucket", ignore=shutil.ignore_patterns("home"))
    fill(tmp_path / "bucket", given_validated=bucket.url, validated_login=bucket.login())
    use_project(monkeypatch, write_frozen_project(tmp_path / "of_duckdb"), tmp_path / "parsed_duckdb")
    build(in_folder)
    use_project(monkeypatch, write_spark_project(tmp_path / "project"), tmp_path / "parsed")
    of_bucket = {"given_validated": bucket.url, "validated_login": bucket.login()}
    in_bucket = on_spark(tmp_path / "bucket").model_copy(update=of_bucket)
    build(in_bucket)
    assert folder_of(in_bucket.warehouse) is not None
    assert figures(in_bucket) == figures(in_folder)
    assert not (in_bucket.home / "validated").exists() and not (in_bucket.half_done / "build" / "rows").exists()
    before = set(bucket.objects())
    with open_intake(in_bucket) as intake:
        done = freeze_and_erase(intake, NOW)
    assert done is not None and done.rows == 8
    assert figures(in_bucket) == figures(in_folder)
    after = set(bucket.objects())
    of_2017 = ["2017Q1", "2017Q2", "2017Q3", "2017Q4"]
    for changed in (before - after, after - before):
        assert sorted(Path(name).parts[2] for name in changed) == of_2017
