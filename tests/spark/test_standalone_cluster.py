"""A build on `spark://…`: a master and a worker on this machine, with the settings that the runbook asks for."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pyspark
import pytest
from free_ports import free_port
from frozen_city import figures, fill, settings_of, write_frozen_project
from installations import on_spark, spark_conf, start, write_spark_project
from small_project import use_project

from followup.build.building import build
from followup.build.engines.parquet_warehouse import folder_of

pytestmark = pytest.mark.timeout(1800)
_BUILD = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from followup.build import building, snapshot
building.PROJECT = snapshot.PROJECT = Path({project!r})
from ingest.file_permissions import go_private
from installations import on_spark
go_private()  # as the command line does
building.build(on_spark(Path(sys.argv[1]), sys.argv[2]), force=True)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, dict[str, str], int]]:
    """Master URL, the environment for who uses it, and the port of the master's page."""
    port, page, workers_page = free_port(), free_port(), free_port()
    environment = spark_conf(
        tmp_path / "conf",
        spark__authenticate="true",
        spark__authenticate__secret=secrets.token_hex(16),
        spark__network__crypto__enabled="true",
        spark__io__encryption__enabled="true",
        spark__executor__memory="600m",
        spark__driver__host="127.0.0.1",
        spark__driver__bindAddress="127.0.0.1",
    )
    environment |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(Path(pyspark.__file__).parent)}
    master, run = f"spark://127.0.0.1:{port}", str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    commands = [
        ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port),
         "--webui-port", str(page)],
        ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", str(workers_page), "--cores",
         "2", "--memory", "1g", "--work-dir", str(tmp_path / "work"), master],
    ]  # fmt: skip
    started = [
        subprocess.Popen(
            [run, *command], env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for command in commands
    ]
    try:
        wait_for_worker(page)
        yield master, environment, page
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
            process.wait()


def page_of(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/json/") as answer:
        return str(answer.read(), "utf-8")


def wait_for_worker(port: int) -> None:
    for _ in range(240):
        time.sleep(0.5)
        try:
            if '"aliveworkers" : 1' in page_of(port):
                return
        except OSError:
            continue
    raise AssertionError("no worker came to the master")


def test_a_build_through_a_master(
    cluster: tuple[str, dict[str, str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, environment, page = cluster
    fill(tmp_path / "place")
    use_project(monkeypatch, write_frozen_project(tmp_path / "of_duckdb"), tmp_path / "parsed_duckdb")
    build(settings_of(tmp_path / "place"))
    before = figures(settings_of(tmp_path / "place"))
    tests = Path(__file__).parents[1]
    program = _BUILD.format(
        paths=[str(tests / "spark"), str(tests / "followup"), str(tests)],
        project=str(write_spark_project(tmp_path / "project")),
    )
    running = start(program, str(tmp_path / "place"), master, environment=environment)
    _, errors = running.communicate()
    assert running.returncode == 0, errors
    settings = on_spark(tmp_path / "place", master)
    assert folder_of(settings.warehouse) is not None
    assert figures(settings) == before
    assert '"state" : "FINISHED"' in page_of(page)  # the application that the master ran
    assert (tmp_path / "work").is_dir() and list((tmp_path / "work").glob("app-*"))
    files = [path for path in (settings.home / "marts").rglob("*") if path.is_file()]
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()  # for this user alone
    assert len([path for path in files if path.name.startswith("part-") and path.suffix == ".parquet"]) > 5
