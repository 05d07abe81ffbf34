"""The demo city, from its files to a release, by the command line: DuckDB's marts and Spark's, gate and release.

DEMO_CITY="2018Q1 2019Q4 1" draws another one: first quarter, last quarter, scale.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from installations import ENVIRONMENT, spark_conf
from spark_cities import differing_tables

from followup.build.engines.parquet_warehouse import folder_of
from publish.release.writing import holds_the_same

pytestmark = pytest.mark.timeout(3600)
FIRST, LAST, SCALE = os.environ.get("DEMO_CITY", "2018Q1 2018Q4 0.2").split()


@dataclass(frozen=True)
class Installation:
    """A folder with an installation, and what is set for its commands."""

    root: Path
    engine: Mapping[str, str]

    def followup(self, *command: str) -> str:
        environment = {
            "FOLLOWUP_HOME": str(self.root / "home"),
            "FOLLOWUP_INBOX": str(self.root.parent / "inbox"),
            "FOLLOWUP_KEYS": str(self.root / "keys.json"),
            "FOLLOWUP_PUBLISHED": str(self.root / "published"),
            "FOLLOWUP_NOW": f"{int(LAST[:4]) + 1}-01-25T08:00:00",
        }
        done = subprocess.run(
            [sys.executable, "-m", "followup.cli.main", *command],
            env=os.environ | environment | self.engine,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    @property
    def warehouse(self) -> Path:
        return self.root / "home" / "warehouse.duckdb"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Installation]:
    """The city as it was received, built on DuckDB and built on Spark; with the data tests."""
    folder = tmp_path_factory.mktemp("demo")
    duckdb = Installation(folder / "duckdb", {})
    duckdb.followup("demo-data", "--out", str(folder / "inbox"), "--from", FIRST, "--to", LAST, "--scale", SCALE)
    duckdb.followup("doctor", "--make-keys")
    duckdb.followup("receive", "--inbox", str(folder / "inbox"))
    shutil.copytree(duckdb.root, folder / "spark")
    spark = Installation(folder / "spark", ENVIRONMENT | spark_conf(folder / "conf"))
    duckdb.followup("build")
    spark.followup("build")
    return duckdb, spark


def test_all_tables_of_the_demo_city_are_the_same(both: tuple[Installation, Installation]) -> None:
    duckdb, spark = both
    assert (folder_of(duckdb.warehouse), folder_of(spark.warehouse) is not None) == (None, True)
    assert differing_tables(spark.warehouse, duckdb.warehouse) == {}


def test_its_release_and_its_status_are_the_same(both: tuple[Installation, Installation]) -> None:
    printed = [one.followup("publish", "--approve").replace(str(one.root), "") for one in both]
    assert printed[0] and len(set(map(len, printed))) == 1
    files = [
        {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
        for folder in ((one.root / "published").resolve() for one in both)
    ]
    assert set(files[0]) == set(files[1]) and len(files[0]) > 40
    different = {name for name, path in files[0].items() if path.read_bytes() != files[1][name].read_bytes()}
    assert {Path(name).name for name in different} <= {"followup.duckdb", "release.json"}
    for name in different:
        if name.endswith(".duckdb"):
            assert holds_the_same(files[0][name], files[1][name])
    assert both[0].followup("status") == both[1].followup("status")
