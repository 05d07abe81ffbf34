"""Files of a unit for tests of its pages, sent as a browser sends them and taken in by a worker of this process."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import httpx
from browsing import ORIGIN, Browser, Place

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from files import base_row, csv_bytes

from portal.handover.announcing import Announcer
from portal.handover.working import Worker

QUARTER = "2018Q3"
NOW = "2018-10-10T08:00:00"
UNIT = "bromma"


def cases(*changes: dict[str, str]) -> bytes:
    """A file of cases: one right row for each change, with ids and persons of their own."""
    rows = [
        base_row("arenden", arende_id=f"2018-{1001 + at}", personnummer=number, **change)
        for at, (number, change) in enumerate(zip(_NUMBERS, changes, strict=False))
    ]
    return csv_bytes("arenden", rows)


_NUMBERS = ("20100315-9801", "20110101-9808", "20120101-9807")
LATE = {"forhandsbedomning_klar": "2018-08-20", "utredning_start": "2018-08-21", "utredning_slut": "2018-09-28"}
"""A query: the pre-assessment took more than 14 days."""
WRONG = {"uppgiftslamnare": "skolla"}
"""A fault: a code that is nearly one."""


def routines(count: int = 14) -> bytes:
    """A small file of another dataset, with another count each time."""
    row = base_row("skyddsuppfoljning", antal_barnforhor=str(count))
    return csv_bytes("skyddsuppfoljning", [row])


def named(dataset: str = "arenden", quarter: str = QUARTER, unit: str = UNIT) -> str:
    """A file's right name."""
    return f"{unit}_{dataset}_{quarter}.csv"


def zipped(**files: bytes) -> bytes:
    """An archive of files, named by dataset."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for dataset, content in files.items():
            archive.writestr(named(dataset), content)
    return out.getvalue()


def send_files(browser: Browser, act: str, *files: tuple[str, bytes], unit: str = UNIT) -> httpx.Response:
    """Choose files on the unit's page and press a button: `kontrollera` or `lamna-in`."""
    browser.open(f"/enhet/{unit}/")
    return browser.client.post(
        f"/enhet/{unit}/filer",
        params={"gor": act},
        data={"csrf": browser.token},
        files=[("files", (name, content, "application/octet-stream")) for name, content in files],
        headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
    )


def work(place: Place) -> None:
    """Let a worker do all that waits."""
    worker = Worker(place.settings, place.ledger, Announcer(place.app.portal.own))
    for _ in range(50):
        if not worker.work():
            return
    raise AssertionError("work never ends")


def follow(browser: Browser, place: Place, sent: httpx.Response) -> httpx.Response:
    """The page of what was sent, once the work is done; also where it leads on."""
    assert sent.status_code == 303, sent.text
    work(place)
    answer = browser.open(sent.headers["location"])
    while answer.status_code == 303:
        answer = browser.open(answer.headers["location"])
    return answer
