"""Killed at any step and run again, every command ends where an undisturbed run ends. Real processes, real SIGKILL."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import forked
import pytest
from city import Place, built_city, drawn_files, marts, received_city, settle, state
from killing import run, spread

pytestmark = pytest.mark.kill
SAMPLE = 7
"""How many of a command's steps are tried; spread evenly, first and last among them."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One quarter of two districts, one file of which is refused."""
    inbox = shutil.copytree(drawn_files(), tmp_path_factory.mktemp("drawn") / "inbox")
    broken = inbox / "alvsjo" / "alvsjo_oppenvard_2018Q1.csv"
    broken.write_bytes(broken.read_bytes() + b"x;y\r\n")
    return inbox


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Place:
    place = settle(tmp_path_factory.mktemp("undisturbed") / "place", files)
    place.followup("receive", "--inbox", str(place.inbox), expect=1)
    return place


def test_receive_killed_at_any_step_ends_as_undisturbed(tmp_path: Path, files: Path, undisturbed: Place) -> None:
    keys = undisturbed.root / "keys.json"
    receive = ["receive", "--inbox"]
    whole = settle(tmp_path / "whole", files, keys)
    code, steps = run([*receive, str(whole.inbox)], whole.environment, whole.root)
    assert code == 1 and steps is not None and steps > 20
    expected = state(undisturbed)
    assert state(whole) == expected
    for step in spread(steps, SAMPLE):
        place = settle(tmp_path / f"step{step}", files, keys)
        code, _ = run([*receive, str(place.inbox)], place.environment, place.root, step)
        assert code == -signal.SIGKILL, f"step {step} was not reached"
        run([*receive, str(place.inbox)], place.environment, place.root)
        assert state(place) == expected, f"killed at step {step} of {steps}"


def test_receive_killed_twice_in_a_row_ends_as_undisturbed(tmp_path: Path, files: Path, undisturbed: Place) -> None:
    place = settle(tmp_path / "twice", files, undisturbed.root / "keys.json")
    for step in (9, 14):
        run(["receive", "--inbox", str(place.inbox)], place.environment, place.root, step)
    run(["receive", "--inbox", str(place.inbox)], place.environment, place.root)
    assert state(place) == state(undisturbed)


_THEN_WAITS = f"""
import time
try:
    {forked.COMMAND_LINE}
finally:
    time.sleep(2)  # whoever kills it at its end may come late
"""


def kill_when(place: Place, command: list[str], moment: Path, size: int) -> bool:
    """Start a command and kill it as soon as a file has grown to a size; whether it came to that."""
    process = forked.start(_THEN_WAITS, *command, environment=os.environ | place.environment)
    while process.poll() is None:
        if moment.exists() and moment.stat().st_size >= size:
            process.kill()
            process.wait()
            return True
        time.sleep(0.005)
    return False


def test_build_killed_around_the_swap_ends_as_undisturbed(tmp_path: Path) -> None:
    expected = marts(built_city().home / "warehouse.duckdb", "marts")
    received = received_city().copy(tmp_path / "received")
    upcoming, built = received.home / "warehouse.next.duckdb", received.home / "warehouse.duckdb"
    assert kill_when(received, ["build"], built, 1)
    received.followup("build")
    assert marts(built, "marts") == expected
    assert not upcoming.exists()
    assert "Nothing has changed" in received.followup("build")


def test_killed_build_leaves_the_last_good_marts_readable(tmp_path: Path) -> None:
    place = built_city().copy(tmp_path / "built")
    before = marts(place.home / "warehouse.duckdb", "marts")
    assert kill_when(place, ["build", "--force"], place.home / "warehouse.next.duckdb", 1_000_000)
    assert marts(place.home / "warehouse.duckdb", "marts") == before
