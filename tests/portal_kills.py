"""Hand files over to a real portal while senders, its processes and all of it are killed at random moments.

`make kill-portal ROUNDS=50 SEED=7`, or `python tests/portal_kills.py --rounds 50 --seed 7`. It prints its seed. After
each round everything is started again, and whatever was handed over must be in force once, refused once, or said not to
have arrived, and its page must answer.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "portal")]

from handing_over import TYPE, Office, base_row, csv, csv_bytes, form  # noqa: E402

from ingest.ledger.acts import system_now, verify  # noqa: E402
from ingest.ledger.portal_users import Role, add_user  # noqa: E402
from ingest.originals import decrypt_original, original_id  # noqa: E402
from ingest.portal_login.passwords import Passwords  # noqa: E402
from ingest.row_files import row_files  # noqa: E402
from ingest.storing import has_rows_as_stored  # noqa: E402
from portal.handover.tidying import tidy  # noqa: E402
from portal.settings import PortalSettings  # noqa: E402

say = functools.partial(print, flush=True)
UNITS = ("bromma", "farsta", "skarpnack")
VICTIMS = ("sender", "portal", "worker process", "all workers", "everything")
PASSWORD = "fyra gröna hästar simmar"
_PATIENCE = 180.0
_PIECE = 200
"""Bytes of a body that are sent at once, with a pause after each: so a kill often falls into an upload."""


class Violated(Exception):
    """Something was lost, doubled, or half."""


@dataclass
class Run:
    """One installation that is killed again and again."""

    root: Path
    chance: random.Random
    office: Office = field(init=False)
    portal: subprocess.Popen[bytes] | None = None
    serial: int = 0
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.office = Office(self.root)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        add_user(self.office.ledger, "anna", Role.OFFICER, UNITS, Passwords().hash(PASSWORD), system_now())

    def start(self) -> None:
        """Start the portal with its workers unless it runs, and sign in the first time."""
        if self.portal is not None and self.portal.poll() is None:
            return
        settings = self.office.settings
        named = {"FOLLOWUP_HOME": settings.home, "FOLLOWUP_KEYS": settings.keys, "FOLLOWUP_INBOX": self.root}
        named |= {"FOLLOWUP_PORTAL_URL": self.url, "FOLLOWUP_PORTAL_PORT": self.url.rpartition(":")[2]}
        environment = (
            os.environ | {name: str(value) for name, value in named.items()} | {"FOLLOWUP_NOW": self.office.now}
        )
        with (self.root / "portal.log").open("ab") as log:
            self.portal = subprocess.Popen([sys.executable, "-m", "portal"], cwd=ROOT, env=environment, stderr=log)
        give_up_at = time.monotonic() + _PATIENCE
        while not self.answers("/halsa"):
            if time.monotonic() > give_up_at or self.portal.poll() is not None:
                raise Violated("the portal does not start")
            time.sleep(0.05)
        if not self.headers:
            self.sign_in()

    def sign_in(self) -> None:
        """The session outlives the portal's processes: it is in the ledger."""
        own = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        token = re.compile(r'name="csrf" value="([0-9a-f]+)"')
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            form_token = token.search(client.get("/logga-in").text)
            assert form_token is not None
            client.post("/logga-in", data={"csrf": form_token[1], "namn": "anna", "losenord": PASSWORD}, headers=own)
            page_token = token.search(client.get("/konto").text)
            assert page_token is not None
            cookies = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
        self.headers = own | {"Cookie": cookies, "X-CSRF-Token": page_token[1]}

    def answers(self, address: str) -> bool:
        """Whether a page answers, or leads on."""
        try:
            answer = httpx.get(f"{self.url}{address}", headers=self.headers, trust_env=False, timeout=10)
        except httpx.TransportError:
            return False
        return answer.status_code in (200, 303)

    def workers(self) -> list[int]:
        """All processes below the portal's: the parent of the workers first."""
        assert self.portal is not None
        found, left = [], [self.portal.pid]
        while left:
            one = left.pop(0)
            with suppress(OSError):
                for task in Path(f"/proc/{one}/task").iterdir():
                    below = [int(child) for child in (task / "children").read_text().split()]
                    found += below
                    left += below
        return found

    def send(self) -> int:
        """Fork a sender of up to three files, one of which may be refused; its process id."""
        unit = self.chance.choice(UNITS)
        files = []
        for dataset in self.chance.sample(("arenden", "oppenvard", "serviceinsatser"), self.chance.randint(1, 3)):
            self.serial += 1
            name = f"{unit}_{dataset}_2018Q3.csv"
            raw = csv(name, [])
            if self.chance.random() < 0.2:
                raw = csv_bytes(dataset, [base_row(dataset) | {"omrade": f"none {self.serial}"}])
            files.append((name, raw + b"\r\n" * self.serial))  # other bytes each time, so none is a copy
        content = form(files)

        def pieces() -> Iterator[bytes]:
            for at in range(0, len(content), _PIECE):
                yield content[at : at + _PIECE]
                time.sleep(0.01)

        pid = os.fork()
        if pid == 0:
            with suppress(httpx.TransportError):
                address = f"{self.url}/enhet/{unit}/filer?gor=lamna-in"
                httpx.post(
                    address, content=pieces(), headers=self.headers | {"Content-Type": TYPE}, trust_env=False,
                    timeout=60,
                )  # fmt: skip
            os._exit(0)
        return pid

    def kill(self, victim: str, sender: int) -> None:
        """Kill (SIGKILL)."""
        assert self.portal is not None
        workers = self.workers()
        chosen = {
            "sender": [sender],
            "portal": [self.portal.pid],
            "worker process": [self.chance.choice(workers)] if workers else [],
            "all workers": workers,
            "everything": [sender, self.portal.pid, *workers],
        }[victim]
        for pid in filter(None, chosen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.portal.pid in chosen:
            self.portal.wait(10)

    def round(self) -> str:
        """Send, kill at a random moment, start again, wait until all is at rest, and look."""
        self.start()
        victim = self.chance.choice(VICTIMS)
        sender = self.send()
        if self.chance.random() < 0.5:
            os.waitpid(sender, 0)
            sender = 0
        time.sleep(self.chance.random() * 1.5)
        self.kill(victim, sender)
        if sender:
            os.waitpid(sender, 0)
        self.rest()
        self.look()
        return victim

    def rest(self) -> None:
        """Let the worker end its work; agree to what it asks."""
        give_up_at = time.monotonic() + _PATIENCE
        while True:
            self.start()
            tidy(self.office.settings, PortalSettings(), self.office.ledger)
            open_ones = [one for one in self.office._all() if not (one.has_ended and one.is_settled)]
            for one in open_ones:
                if one.state == "to_confirm":
                    self.office.handover.confirm(one.upload_id)
            if not open_ones:
                return
            if time.monotonic() > give_up_at:
                raise Violated(f"not at rest: {[(one.state, one.detail, one.attempts) for one in open_ones]}")
            time.sleep(0.1)

    def look(self) -> None:
        """Require that nothing is lost, doubled or half."""
        ledger, settings = self.office.ledger, self.office.settings
        uploads, submissions = self.office._all(), ledger.submissions()
        recorded = [one.submission_id for one in uploads if one.state in ("accepted", "refused")]
        states = {one.submission_id: one.state for one in submissions}
        if sorted(recorded, key=str) != sorted(states):
            raise Violated("uploads and submissions do not belong to each other one by one")
        if any(states[one.submission_id or ""] != one.state for one in uploads if one.state in ("accepted", "refused")):
            raise Violated("an upload says something else than its submission")
        if {one.state for one in uploads} - {"accepted", "refused", "failed"}:
            raise Violated(f"states: {Counter(one.state for one in uploads)}")
        files = row_files(settings)
        for one in submissions:
            raw = decrypt_original(settings.home / one.original_path, original_id(one.original_path), self.office.keys)
            if len(raw) != one.size_bytes or (one.state == "accepted" and not has_rows_as_stored(files, one)):
                raise Violated(f"files of submission {one.submission_id}")
        versions = Counter((one.district_code, one.dataset, one.version) for one in submissions if one.version)
        if versions and max(versions.values()) > 1:
            raise Violated("a version twice")
        for one in uploads[-5:]:
            if not self.answers(f"/enhet/{one.district_code}/filer/{one.upload_id}"):
                raise Violated(f"the page of upload {one.upload_id} does not answer")
        for name in self.office.left():
            if self.office.handover.upload(name.lstrip(".").partition(".")[0]) is not None:
                raise Violated(f"{name} is left in the spool")
        if not verify(ledger).holds:
            raise Violated("the audit log")

    def stop(self) -> None:
        """End the portal."""
        if self.portal is not None and self.portal.poll() is None:
            self.portal.terminate()
            self.portal.wait(90)


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    say(f"seed {asked.seed}, {asked.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "place", random.Random(asked.seed))
        killed = Counter[str]()
        try:
            for number in range(1, asked.rounds + 1):
                killed[run.round()] += 1
                if number % 10 == 0:
                    say(f"  {number} rounds")
        except Violated as violated:
            say((run.root / "portal.log").read_text()[-3000:])
            sys.exit(f"seed {asked.seed}, round {killed.total() + 1}: {violated}")
        finally:
            run.stop()
        states = Counter(one.state for one in run.office._all())
        say(f"killed: {dict(killed)}")
        say(f"uploads: {dict(states)}; submissions: {len(run.office.ledger.submissions())}")
        say("lost 0, doubled 0, half 0")


if __name__ == "__main__":
    main()
