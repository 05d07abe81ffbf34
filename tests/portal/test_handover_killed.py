"""Killed at any step and run again, a file is in force once, or its page says that it did not arrive. Real SIGKILL."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import pytest
from handing_over import AT_WORK, Office, after_restart, arenden, csv, form, reopened, state
from killing import die, spread

from ingest.ledger import Ledger
from ingest.ledger.acts import verify
from ingest.ledger.tables import upload as table
from ingest.ledger.uploads import BROKEN_OFF

pytestmark = pytest.mark.kill
SAMPLE = 6
"""How many of the steps are tried; spread evenly, first and last among them."""
NAMES = ("bromma_arenden_2018Q3.csv", "bromma_oppenvard_2018Q3.csv")
NOW = "2018-10-10T08:00:00"


def run(office: Office, what: str, fatal: int = 0) -> int:
    """Send or work in a process that is killed at a step; 0 lets it live. How many steps it took when it lived."""
    done = die(
        AT_WORK, str(office.root), office.now, what, *NAMES, environment={}, watched=office.root, step=fatal
    )  # fmt: skip
    assert done.code == (-signal.SIGKILL if fatal else 0), done.err
    return done.steps


def copied(office: Office, root: Path) -> Office:
    """The same installation elsewhere."""
    shutil.copytree(office.root, root)
    return reopened(root, office.now)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "place", NOW)
    made.ledger.close()
    yield made


def test_sending_killed_at_any_step_is_whole_or_said_to_be_broken_off(office: Office, tmp_path: Path) -> None:
    steps = run(copied(office, tmp_path / "whole"), "send")
    assert steps > 10
    outcomes = set()
    for fatal in spread(steps, SAMPLE):
        place = copied(office, tmp_path / f"step{fatal}")
        run(place, "send", fatal)
        after_restart(place)
        uploads = place.handover.uploads_of("bromma")
        in_force = {one.submission_id for one in place.ledger.in_force()}
        states = {one.state for one in uploads}
        assert states <= {"accepted"} or states == {"failed"}, "a batch is whole or not"
        assert {one.submission_id for one in uploads if one.state == "accepted"} == in_force
        assert all(one.detail == BROKEN_OFF for one in uploads if one.state == "failed")
        assert len(in_force) in (0, len(NAMES)) and verify(place.ledger).holds
        left = [name for name in place.left() if place.handover.upload(name.lstrip(".").partition(".")[0])]
        assert left == []
        outcomes |= states
        place.ledger.close()
    assert outcomes == {"accepted", "failed"}


def test_worker_killed_at_any_step_ends_as_undisturbed(office: Office, tmp_path: Path) -> None:
    office.ledger = Ledger(office.settings.ledger)
    office.send(form([(name, csv(name, [])) for name in NAMES]))
    office.ledger.close()
    whole = copied(office, tmp_path / "whole")
    steps = run(whole, "work")
    expected = state(whole)
    assert steps > 40 and len(whole.ledger.in_force()) == len(NAMES) and expected["spool"] == []
    whole.ledger.close()
    for fatal in spread(steps, SAMPLE):
        place = copied(office, tmp_path / f"step{fatal}")
        run(place, "work", fatal)
        after_restart(place)
        assert state(place) == expected, f"killed at step {fatal} of {steps}"
        assert all(one.state == "accepted" and one.is_settled for one in place.handover.uploads_of("bromma"))
        place.ledger.close()


def test_file_at_which_three_workers_died_is_given_up(office: Office, tmp_path: Path) -> None:
    office.ledger = Ledger(office.settings.ledger)
    (upload_id,) = office.send(form([(NAMES[0], arenden("A1"))])).upload_ids
    for _ in range(3):
        run(office, "work", 20)
    office.work_all()
    one = office.one(upload_id)
    assert (one.state, one.attempts, office.left()) == ("failed", 3, []) and office.ledger.submissions() == []
    office.ledger.close()


def test_workers_at_once_take_each_file_in_once_and_a_unit_files_one_at_a_time(tmp_path: Path) -> None:
    office = Office(tmp_path / "place", NOW)
    names = [f"{unit}_{dataset}_2018Q3.csv" for unit in ("bromma", "farsta") for dataset in ("arenden", "oppenvard")]
    for name in names * 2:
        office.send(form([(name, csv(name, []))]), unit=name.partition("_")[0])

    def work() -> int:
        worker, done = office.worker, 0
        give_up_at = time.monotonic() + 60
        while time.monotonic() < give_up_at and not all(one.is_settled for one in office._all()):
            done += worker.work()
        return done

    with ThreadPoolExecutor(3) as workers:
        done = sum(workers.map(lambda _: work(), range(3)))
    states = sorted(one.state for one in office._all())
    assert states == ["accepted"] * 4 + ["duplicate"] * 4 and done >= 16
    assert len(office.ledger.submissions()) == 4 and verify(office.ledger).holds and office.left() == []
    office.ledger.close()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(holds: object, what: str) -> None:
    assert callable(holds)
    give_up_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up_at, what
        time.sleep(0.05)


def test_worker_processes_are_started_anew_and_end_together(tmp_path: Path) -> None:
    office = Office(tmp_path / "place", NOW)
    settings = {"FOLLOWUP_HOME": str(office.settings.home), "FOLLOWUP_KEYS": str(office.settings.keys),
                "FOLLOWUP_INBOX": str(tmp_path), "FOLLOWUP_NOW": NOW, "FOLLOWUP_PORTAL_WORKERS": "2"}  # fmt: skip
    program = "import sys; sys.argv = ['worker']; from portal.handover.worker import main; main()"
    process = forked.start(program, environment=os.environ | settings)
    try:
        wait_for(lambda: len(children_of(process.pid)) == 3, "three processes work")
        first = children_of(process.pid)
        (upload_id,) = office.send(form([(NAMES[0], arenden("A1"))])).upload_ids
        wait_for(lambda: office.one(upload_id).is_settled, "the file is taken in")
        os.kill(first[0], signal.SIGKILL)
        wait_for(lambda: len(set(children_of(process.pid)) - set(first)) == 1, "another process is started")
        os.kill(first[1], signal.SIGSTOP)  # one that hangs does not keep the others from ending
        os.kill(first[1], signal.SIGCONT)
        second = children_of(process.pid)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
        assert not [pid for pid in second if Path(f"/proc/{pid}").exists()]
    except BaseException:
        process.kill()
        raise
    with office.ledger.engine.connect() as connection:
        assert connection.execute(table.select()).first() is not None
    office.ledger.close()


def test_worker_processes_end_when_what_started_them_is_gone_before_they_began(tmp_path: Path) -> None:
    process = forked.start(
        "import sys; sys.argv = ['worker', '--parent', '2147483647']; from portal.handover.worker import main; main()",
        environment=os.environ | {"FOLLOWUP_HOME": str(tmp_path / "home")},
    )
    try:
        assert process.wait(60) == 0
    except BaseException:
        process.kill()
        raise
