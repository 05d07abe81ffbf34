"""A build on two executors, one of which is killed in mid-build, gives the same marts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from spark_cities import CITIES, build_on_spark, differing_tables

MASTER = os.environ.get("SPARK_CLUSTER", "local-cluster[2,1,2048]")

pytestmark = pytest.mark.timeout(3600)


def executors() -> list[int]:
    """Process numbers of executors that are this process's descendants."""
    found, below = [], {os.getpid()}
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    for process in below:
        try:
            if b"CoarseGrainedExecutorBackend" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


def test_an_executor_is_killed_and_the_marts_are_the_same(on_duckdb: Callable[[str], Path], tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(node: str) -> None:
        if node == "fct_case" and not killed:
            there = executors()
            assert len(there) == 2, there
            os.kill(there[0], signal.SIGKILL)
            killed.append(there[0])

    inputs = CITIES["small"](tmp_path / "inputs")
    warehouse, outcomes = build_on_spark(inputs, tmp_path / "built", MASTER, on_node=kill_one)
    assert killed
    assert {key: how for key, how in outcomes.items() if how not in ("success", "pass", "no-op")} == {}
    assert differing_tables(warehouse, on_duckdb("small")) == {}
