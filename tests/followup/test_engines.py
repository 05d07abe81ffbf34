"""Without Spark: what it reads of the files in force, and a warehouse that is views over Parquet files."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from pathlib import Path

import dbt.adapters
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from followup.build.engines import engine_of, parquet_warehouse
from followup.build.engines.spark_engine import SparkEngine, require_java, require_master
from followup.build.engines.spark_sources import write_sources
from followup.build.snapshot import write_inputs
from followup.doctor import DoctorFinding, run_doctor
from ingest.contracts import load_contracts
from ingest.settings import Settings, SettingsError
from ingest.storing import sha256_of, stored_schema
from publish.catalogue.manifest import DescribedColumn, DescribedTable, Manifest
from publish.serving.release_file import read_release
from publish.warehouse import PARQUET_FOLDER, WarehouseFailed, is_damaged, marts_in, open_warehouse

DATASET = "skyddsuppfoljning"
DESCRIBED = Manifest(
    tables=(
        DescribedTable(
            name="mart_made",
            layer="marts",
            description="A mart.",
            key=("district_code",),
            columns=(DescribedColumn(name="late", description="It's late.", data_type="hugeint", is_additive=True),),
        ),
    ),
    exposures=(),
)


def rows_of(quarter: str, number: int) -> pa.Table:
    schema = stored_schema(load_contracts()[DATASET])
    row = {"submission_id": f"{quarter}-{number}", "district_code": "farsta", "reporting_quarter": quarter}
    return pa.Table.from_pylist([row | {"submitted_at": datetime(2020, 1, 1)}], schema)


@pytest.fixture
def sent(tmp_path: Path) -> list[tuple[str, str, Path]]:
    """Three submissions in force, two of them of one quarter."""
    sent = []
    for number, quarter in enumerate(["2020Q1", "2020Q1", "2020Q2"]):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(rows_of(quarter, number), path)
        sent.append((DATASET, quarter, path))
    return sent


def compacted(sent: list[tuple[str, str, Path]], tmp_path: Path) -> dict[str, int]:
    """Name of each compacted file of the dataset → when it was written."""
    inputs, cache = tmp_path / "inputs", tmp_path / "cache"
    write_inputs(inputs, [], [(*one, sha256_of(one[2])) for one in sent], "2020-07-01")
    folders = write_sources(inputs, tmp_path / "sources", cache)
    assert set(folders) == {*load_contracts(), "submissions", "clock", "frozen"}
    read = pq.read_table(folders[DATASET])
    assert sorted(read["submission_id"].to_pylist()) == sorted(
        f"{quarter}-{n}" for n, (_, quarter, _) in enumerate(sent)
    )
    assert read.schema.equals(stored_schema(load_contracts()[DATASET]))
    return {path.name: path.stat().st_mtime_ns for path in cache.glob(f"{DATASET}-*")}


def test_spark_reads_one_file_per_dataset_and_quarter(sent: list[tuple[str, str, Path]], tmp_path: Path) -> None:
    names = compacted(sent, tmp_path)
    assert sorted(name.split("-")[1] for name in names) == ["2020Q1", "2020Q2", "empty"]


def test_only_a_quarter_that_changed_is_compacted_again(sent: list[tuple[str, str, Path]], tmp_path: Path) -> None:
    before = compacted(sent, tmp_path)
    assert compacted(sent, tmp_path) == before
    path = sent[2][2]
    written, rows = path.stat().st_mtime_ns, rows_of("2020Q2", 2)
    other = rows.set_column(rows.column_names.index("district_code"), "district_code", pa.array(["älvsjö"]))
    pq.write_table(other, path)  # other rows under the same name: as an erasing leaves them
    os.utime(path, ns=(written, written))
    after = compacted(sent, tmp_path)
    assert {name.split("-")[1] for name in before.keys() - after.keys()} == {"2020Q2"}


def test_a_column_that_an_older_file_lacks_is_null(sent: list[tuple[str, str, Path]], tmp_path: Path) -> None:
    path = sent[0][2]
    pq.write_table(pq.read_table(path).drop_columns(["antal_barnforhor"]), path)
    compacted(sent, tmp_path)


def made_warehouse(home: Path) -> Path:
    """A warehouse as a build on Spark leaves it, with one mart of one row; put in place of the last one."""
    folder = parquet_warehouse.new_folder(home / PARQUET_FOLDER)
    for schema in ("marts", "keyed"):
        (folder / f"{schema}.db" / "mart_made").mkdir(parents=True)
        row = {"district_code": ["farsta"], "late": [1], "cases__key": pa.array([4294967295], pa.int64())}
        pq.write_table(pa.table(row), folder / f"{schema}.db" / "mart_made" / "part-0.parquet")
    parquet_warehouse.write_views(home / "warehouse.next.duckdb", folder, DESCRIBED)
    (home / "warehouse.next.duckdb").replace(home / "warehouse.duckdb")
    parquet_warehouse.remove_unused(home / "warehouse.duckdb")
    return folder


def test_views_have_duckdbs_types_and_readers_find_the_marts(tmp_path: Path) -> None:
    made_warehouse(tmp_path)
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        assert marts_in(connection) == ["mart_made"]
        kinds = dict(connection.execute("select column_name, column_type from (describe keyed.mart_made)").fetchall())
        assert kinds == {"district_code": "VARCHAR", "late": "HUGEINT", "cases__key": "UINTEGER"}
        assert connection.execute("select cases__key from keyed.mart_made").fetchone() == (4294967295,)
    read = read_release(tmp_path / "warehouse.duckdb", "marts")
    assert [(table.name, table.comment, table.rows) for table in read.tables] == [("mart_made", "A mart.", 1)]
    assert {column.name: column.comment for column in read.tables[0].columns} == {
        "district_code": "",
        "late": "It's late.",
        "cases__key": "",
    }


def test_the_folder_before_the_newest_stays_for_its_readers(tmp_path: Path) -> None:
    first = made_warehouse(tmp_path)
    with duckdb.connect() as reader:
        reader.execute(f"attach '{tmp_path / 'warehouse.duckdb'}' as held (read_only)")
        second = made_warehouse(tmp_path)
        assert reader.execute("select late from held.marts.mart_made").fetchone() == (1,)
    killed = parquet_warehouse.new_folder(tmp_path / PARQUET_FOLDER)
    third = made_warehouse(tmp_path)
    assert (first.exists(), killed.exists(), second.exists(), third.exists()) == (False, False, True, True)


def test_a_warehouse_without_its_parquet_files_is_to_be_made_anew(tmp_path: Path) -> None:
    folder = made_warehouse(tmp_path)
    assert not is_damaged(tmp_path / "warehouse.duckdb")
    (folder / "marts.db" / "mart_made" / "part-0.parquet").unlink()
    assert is_damaged(tmp_path / "warehouse.duckdb")
    with pytest.raises(WarehouseFailed), open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("select * from marts.mart_made")


def test_the_engine_is_chosen_by_settings(tmp_path: Path) -> None:
    assert engine_of(Settings.model_validate({"home": tmp_path})).target == "warehouse"
    chosen = engine_of(
        Settings.model_validate({"home": tmp_path, "engine": "spark", "spark_master": "spark://host:7077"})
    )
    assert isinstance(chosen, SparkEngine) and chosen.master == "spark://host:7077"


@pytest.mark.parametrize(
    "master",
    ["yarn", "local[2", "local[0]", "local[ 2]", "local[**]", "local-cluster", "local-cluster[2,1]",
     "local-cluster[0,1,2048]", "http://host", "sparc://host:7077", "spark://host", "spark://host:", "spark://:7077",
     "spark://host:7077/", ""],
)  # fmt: skip
def test_another_master_is_refused(master: str) -> None:
    with pytest.raises(
        ValueError, match=r"spark_master(.|\n)*local-cluster\[executors,cores,MB\], or spark://host:7077"
    ):
        Settings.model_validate({"spark_master": master})


@pytest.mark.parametrize(
    "master",
    ["local", "local[*]", "local[12]", "local[*, 3]", "local-cluster[2, 1, 2048]", "spark://host:7077",
     "spark://one:7077,two:7077"],
)  # fmt: skip
def test_masters_that_spark_knows(master: str) -> None:
    assert Settings.model_validate({"spark_master": master}).spark_master == master


def test_spark_that_is_not_here_is_said_in_words(
    sent: list[tuple[str, str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command line says what is wrong with a setting."""
    monkeypatch.setattr(dbt.adapters, "__path__", [])  # as in an environment without Spark's packages
    write_inputs(tmp_path / "build", [], [(*one, sha256_of(one[2])) for one in sent], "2020-07-01")
    engine = SparkEngine("local[2]")
    with (
        pytest.raises(SettingsError, match=r"tools/setup\.sh spark"),
        engine.session(tmp_path / "warehouse.duckdb", tmp_path / "build", tmp_path / "marts"),
    ):
        pass
    assert not (tmp_path / "marts").exists()  # no rows about persons are left


def test_a_java_that_is_not_here_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))  # goes before PATH
    with pytest.raises(SettingsError, match=r"no bin/java in JAVA_HOME \(.*/gone\)"):
        require_java()
    monkeypatch.delenv("JAVA_HOME")
    require_java()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"java is not here: run tools/setup\.sh spark"):
        require_java()


def test_a_master_that_does_not_answer_is_said_at_once() -> None:
    """Spark would try for a minute and a half."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        require_master(f"spark://127.0.0.1:1,{there}")  # masters stand in for each other
    with pytest.raises(SettingsError, match=f"FOLLOWUP_SPARK_MASTER is spark://{there}, and no master answers there"):
        require_master(f"spark://{there}")
    require_master("local[2]")


def test_the_doctor_says_whether_the_engine_can_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"home": tmp_path / "home", "keys": tmp_path / "keys.json"}
    found = [one for one in run_doctor(Settings.model_validate(here)) if one.what == "engine"]
    assert found == [DoctorFinding("engine", True, "marts are built on duckdb")]
    monkeypatch.setattr(dbt.adapters, "__path__", [])
    missing = Settings.model_validate(here | {"engine": "spark"})
    found = [one for one in run_doctor(missing) if one.what == "engine"]
    assert [one.is_good for one in found] == [False] and "tools/setup.sh spark" in found[0].message


def test_frozen_rows_are_a_source_of_their_model(tmp_path: Path) -> None:
    stored = tmp_path / "frozen_rows.parquet"
    pq.write_table(pa.table({"reporting_quarter": ["2018Q4"]}), stored)
    write_inputs(tmp_path / "inputs", [], [], "2020-07-01", [("mart_case_flow", stored, "2018Q4")])
    folders = write_sources(tmp_path / "inputs", tmp_path / "sources", tmp_path / "cache")
    assert pq.read_table(folders["frozen_mart_case_flow"]).to_pylist() == [{"reporting_quarter": "2018Q4"}]


def test_no_folder_stays_that_has_erased_rows(tmp_path: Path) -> None:
    first, second = made_warehouse(tmp_path), made_warehouse(tmp_path)
    parquet_warehouse.remove_unused(tmp_path / "warehouse.duckdb", only_in_place=True)
    assert (first.exists(), second.exists()) == (False, True)


def test_a_warehouse_that_can_not_be_read_loses_no_folder(tmp_path: Path) -> None:
    """It may be out of reach for a moment."""
    first, second = made_warehouse(tmp_path), made_warehouse(tmp_path)
    killed = parquet_warehouse.new_folder(tmp_path / PARQUET_FOLDER)
    (tmp_path / "warehouse.duckdb").write_bytes(b"damaged")
    parquet_warehouse.remove_unused(tmp_path / "warehouse.duckdb", only_in_place=True)
    assert (first.exists(), second.exists(), killed.exists()) == (True, True, False)
