"""The portal under load: fourteen districts hand in 10,000 cases each at once, while 20 readers look at the figures.

Prints seconds and memory; asserts nothing about them. The portal is the real one (`python -m portal` with its workers)
on an installation of its own; readers see the release of `data/demo` where `make demo` has made one, else the pages
without figures. All of it is on this machine: what the clients use of it counts against the portal.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx

from ingest.districts import load_districts
from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, add_user
from ingest.persons.keys import make_keys
from ingest.portal_login.passwords import Passwords
from ingest.quarters import Quarter
from ingest.settings import ROOT, Settings
from synthetic.large_file import draw_cases_file

QUARTER = Quarter(2018, 3)
NOW = "2018-10-10T08:00:00"
PASSWORD = "sju blå getter dansar"
PAGES = ("/siffror", "/siffror/tratt", "/siffror/vantan", "/siffror/likstallighet", "/siffror/inlamning")
_TOKEN = re.compile(r'name="csrf" value="([^"]*)"')
_START_SECONDS = 90


@dataclass
class Figures:
    """What the clients saw."""

    verdicts: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def installation(root: Path, demo: Path) -> tuple[Settings, dict[str, str]]:
    """A new one with an officer for each district; its environment."""
    environment = {
        "FOLLOWUP_HOME": str(root / "home"),
        "FOLLOWUP_KEYS": str(root / "keys.json"),
        "FOLLOWUP_INBOX": str(root / "inbox"),
        "FOLLOWUP_NOW": NOW,
        "FOLLOWUP_PUBLISHED": str(demo if demo.exists() else root / "published"),
        "FOLLOWUP_PORTAL_SYNTHETIC": "true",
        "FOLLOWUP_PORTAL_FIGURES_ARE_OPEN": "true",
    }
    settings = Settings(home=root / "home", keys=root / "keys.json", inbox=str(root / "inbox"))
    make_keys(settings.keys)
    ledger, hashed = Ledger(settings.ledger), Passwords().hash(PASSWORD)
    for unit in load_districts().valid_in(QUARTER):
        add_user(ledger, unit.code, Role.OFFICER, [unit.code], hashed, system_now())
    ledger.close()
    return settings, environment


@contextmanager
def served(environment: dict[str, str], log: Path) -> Iterator[tuple[str, int]]:
    """The portal: its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    own = {"FOLLOWUP_PORTAL_URL": url, "FOLLOWUP_PORTAL_PORT": str(port)}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "portal"], cwd=ROOT, env=os.environ | environment | own, stdout=out, stderr=out
        )
    try:
        give_up_at = time.monotonic() + _START_SECONDS
        while True:
            try:
                if httpx.get(f"{url}/halsa", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > give_up_at or process.poll() is not None:
                raise SystemExit(f"the portal did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def memory_of(pid: int) -> int:
    """Bytes of a process and all below it: private ones, and shared ones by their share (PSS)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    total, left = 0, [pid]
    while left:
        one = left.pop()
        left += children.get(one, [])
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += 1024 * sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def hand_in(url: str, unit: str, content: bytes, start: threading.Barrier, seen: Figures) -> None:
    """Sign in, hand a file in when all others do, and wait for the verdict."""
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        token = _token(client.get("/logga-in").text)
        client.post("/logga-in", data={"csrf": token, "namn": unit, "losenord": PASSWORD}, headers=own)
        token = _token(client.get(f"/enhet/{unit}/").text)
        start.wait()
        began = time.perf_counter()
        sent = client.post(
            f"/enhet/{unit}/filer?gor=lamna-in",
            data={"csrf": token},
            files=[("files", (f"{unit}_arenden_{QUARTER}.csv", content, "text/csv"))],
            headers=own,
        )
        if sent.status_code != 303:
            seen.errors.append(f"{unit}: {sent.status_code}")
            return
        address = sent.headers["location"]
        while True:
            answer = client.get(address)
            if answer.status_code == 303:
                break
            if answer.status_code != 200 or time.perf_counter() - began > 120:
                seen.errors.append(f"{unit}: {answer.status_code}")
                return
            time.sleep(0.2)
        seen.verdicts.append(time.perf_counter() - began)


def read(url: str, start: threading.Barrier, is_over: threading.Event, seen: Figures) -> None:
    """Open one page of figures after another, as a reader does who looks at each for a second."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False, follow_redirects=True) as client:
        start.wait()
        time.sleep(secrets.randbelow(1000) / 1000)
        turn = secrets.randbelow(len(PAGES))
        while not is_over.is_set():
            turn += 1
            began = time.perf_counter()
            answer = client.get(PAGES[turn % len(PAGES)])
            seen.pages.append(time.perf_counter() - began)
            if answer.status_code != 200:
                seen.errors.append(f"{PAGES[turn % len(PAGES)]}: {answer.status_code}")
            is_over.wait(1.0)


def _token(page: str) -> str:
    found = _TOKEN.search(page)
    if found is None:
        raise SystemExit("a page has no form")
    return unescape(found[1])


def p95(values: list[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="rows of each district's file")
    parser.add_argument("--readers", type=int, default=20, help="how many look at the figures")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings, environment = installation(root, ROOT / "data" / "demo" / "published")
        units = [unit.code for unit in load_districts().valid_in(QUARTER)]
        print(f"drawing {len(units)} files of {chosen.rows:,} cases (synthetic)", flush=True)
        contents = {}
        for seed, unit in enumerate(units):
            path = root / f"{unit}.csv"
            draw_cases_file(path, unit, QUARTER, chosen.rows, seed)
            contents[unit] = path.read_bytes()
        with served(environment, root / "portal.log") as (url, pid):
            alone(url, units[0])
            seen, is_over = Figures(), threading.Event()
            start = threading.Barrier(len(units) + chosen.readers + 1)
            readers = [threading.Thread(target=read, args=(url, start, is_over, seen)) for _ in range(chosen.readers)]
            senders = [
                threading.Thread(target=hand_in, args=(url, unit, contents[unit], start, seen)) for unit in units
            ]
            for thread in (*readers, *senders):
                thread.start()
            start.wait()
            peak = 0
            while any(thread.is_alive() for thread in senders):
                peak = max(peak, memory_of(pid))
                time.sleep(0.5)
            is_over.set()
            for thread in readers:
                thread.join()
        ledger = Ledger(settings.ledger)
        in_force = {one.district_code for one in ledger.in_force()}
        recorded = len(ledger.submissions())
        ledger.close()
    print(f"errors {len(seen.errors)}, lost {len(set(units) - in_force)}, doubled {recorded - len(in_force)}")
    for error in sorted(set(seen.errors))[:10]:
        print(f"  {error}")
    if seen.verdicts:
        print(f"verdict: median {statistics.median(seen.verdicts):.2f} s, p95 {p95(seen.verdicts):.2f} s")
    if seen.pages:
        print(f"{len(seen.pages)} pages: median {statistics.median(seen.pages):.3f} s, p95 {p95(seen.pages):.3f} s")
    print(f"peak memory of the portal with its workers: {peak / 2**30:.2f} GiB")


def alone(url: str, unit: str) -> None:
    """Print how long pages take without load: the median of 20, after one that warms up."""
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        token = _token(client.get("/logga-in").text)
        client.post("/logga-in", data={"csrf": token, "namn": unit, "losenord": PASSWORD}, headers=own)
        for page in ("/logga-in", f"/enhet/{unit}/", f"/enhet/{unit}/historik", *PAGES):
            seconds = []
            for _ in range(21):
                began = time.perf_counter()
                client.get(page)
                seconds.append(time.perf_counter() - began)
            print(f"without load, {page}: {1000 * statistics.median(seconds[1:]):.0f} ms")


if __name__ == "__main__":
    main()
