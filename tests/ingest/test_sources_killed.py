"""Receiving from a folder, SFTP or S3, killed (SIGKILL) half-way and run again, ends as an undisturbed run."""

from __future__ import annotations

import os
import signal

import forked
import pytest
from drop_servers import Place
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.receiving import receive_district
from ingest.settings import Settings

pytestmark = [pytest.mark.server, pytest.mark.kill]
GOOD_NAME, BAD_NAME = f"{DISTRICT}_arenden_2018Q3.csv", f"{DISTRICT}_oppenvard_2018Q3.csv"
FILES = {
    GOOD_NAME: csv_bytes("arenden", [base_row("arenden")]),
    BAD_NAME: csv_bytes("oppenvard", [base_row("oppenvard", regi="hittepå")]),
}
_DRIVER = """
import importlib, os, signal, sys
module, _, path = sys.argv[1].partition(":")
owner = importlib.import_module(module)
*outer, name = path.split(".")
for part in outer:
    owner = getattr(owner, part)
real, when = getattr(owner, name), sys.argv[2]

def fatal(*arguments, **named):
    if when == "after":
        real(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, fatal)
from followup.cli.main import main
sys.argv = ["followup", "receive"]
main()
"""


def killed(settings: Settings, where: str, when: str) -> None:
    environment = {
        **os.environ,
        "FOLLOWUP_HOME": str(settings.home),
        "FOLLOWUP_KEYS": str(settings.keys),
        "FOLLOWUP_DISTRICTS": str(settings.districts),
        "FOLLOWUP_NOW": str(settings.now_text),
    }
    done = forked.run(_DRIVER, where, when, environment=environment)
    assert done.returncode == -signal.SIGKILL, f"{where} was not reached: {done.stderr[-2000:]}"


def outcome(place: Place, installation: Installation) -> dict[str, object]:
    ledger = installation.ledger()
    try:
        found = [(s.source_file_name, s.state, s.sequence, s.is_source_cleared) for s in ledger.submissions()]
    finally:
        ledger.close()
    answers = {name: content for name, content in place.files().items() if name.startswith("aterkoppling/")}
    rest = {name: content for name, content in place.files().items() if name not in answers}
    return {"submissions": sorted(found), "answers": sorted(answers), "rest": rest}


@pytest.mark.parametrize(
    ("where", "when"),
    [
        ("ingest.recording:encrypt_original", "after"),
        ("ingest.locations.sources:Source.leave_feedback", "before"),
        ("ingest.locations.sources:Source.clear", "before"),
        ("ingest.locations.sources:Source.clear", "after"),
    ],
)
def test_run_killed_and_repeated_takes_each_file_once(
    place: Place, installation: Installation, where: str, when: str
) -> None:
    settings = place.settings(installation.settings, DISTRICT, after_receipt="move")
    for name, content in FILES.items():
        place.put(name, content)
    killed(settings, where, when)
    killed(settings, where, when)  # and again, at the next file or at the same place
    for name in (GOOD_NAME, BAD_NAME):
        assert name in place.files() or f"received/{name}" in place.files()
    receive_district(settings, DISTRICT)
    assert outcome(place, installation) == {
        "submissions": [(GOOD_NAME, "accepted", 1, True), (BAD_NAME, "refused", 1, True)],
        "answers": sorted(
            f"aterkoppling/{name}"
            for name in (
                f"{GOOD_NAME}.json",
                f"{GOOD_NAME}.txt",
                f"{BAD_NAME}.json",
                f"{BAD_NAME}.txt",
                f"{BAD_NAME}.xlsx",
            )
        ),
        "rest": {f"received/{name}": content for name, content in FILES.items()},
    }
