"""Hand files over to a real worker while senders, its processes and all of it are killed at random moments.

`make kill-portal ROUNDS=50 SEED=7`, or `python tests/portal_kills.py --rounds 50 --seed 7`. It prints its seed. After
each round everything is started again, and whatever was handed over must be in force once, refused once, or said not to
have arrived.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "portal")]

from handing_over import Office, base_row, csv, csv_bytes, form, reopened  # noqa: E402

from ingest.ledger.acts import verify  # noqa: E402
from ingest.originals import decrypt_original, original_id  # noqa: E402
from ingest.storing import has_rows_as_stored  # noqa: E402
from portal.handover.tidying import tidy  # noqa: E402
from portal.settings import PortalSettings  # noqa: E402

say = functools.partial(print, flush=True)
UNITS = ("bromma", "farsta", "skarpnack")
VICTIMS = ("sender", "worker process", "all of the worker", "everything")
_PATIENCE = 120.0


class Violated(Exception):
    """Something was lost, doubled, or half."""


@dataclass
class Run:
    """One installation that is killed again and again."""

    root: Path
    chance: random.Random
    office: Office = field(init=False)
    worker: subprocess.Popen[bytes] | None = None
    serial: int = 0

    def __post_init__(self) -> None:
        self.office = Office(self.root)

    def start(self) -> None:
        """Start the worker unless it runs."""
        if self.worker is not None and self.worker.poll() is None:
            return
        settings = self.office.settings
        named = {"FOLLOWUP_HOME": settings.home, "FOLLOWUP_KEYS": settings.keys, "FOLLOWUP_INBOX": self.root}
        environment = (
            os.environ | {name: str(value) for name, value in named.items()} | {"FOLLOWUP_NOW": self.office.now}
        )
        with (self.root / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "portal.handover.worker"], cwd=ROOT, env=environment, stderr=log
            )

    def processes(self) -> list[int]:
        """The worker's, without the parent."""
        assert self.worker is not None
        with suppress(OSError):
            children = Path(f"/proc/{self.worker.pid}/task/{self.worker.pid}/children").read_text().split()
            return [int(child) for child in children]
        return []

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
        pid = os.fork()
        if pid == 0:
            try:
                office = reopened(self.root, self.office.now)
                office.send(form(files), unit=unit, size=200)
            finally:
                os._exit(0)
        return pid

    def kill(self, victim: str, sender: int) -> None:
        """Kill (SIGKILL)."""
        assert self.worker is not None
        children = self.processes()
        chosen = {
            "sender": [sender],
            "worker process": [self.chance.choice(children)] if children else [],
            "all of the worker": [self.worker.pid, *children],
            "everything": [sender, self.worker.pid, *children],
        }[victim]
        for pid in filter(None, chosen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

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
        for one in submissions:
            raw = decrypt_original(settings.home / one.original_path, original_id(one.original_path), self.office.keys)
            if len(raw) != one.size_bytes or (one.state == "accepted" and not has_rows_as_stored(settings.home, one)):
                raise Violated(f"files of submission {one.submission_id}")
        versions = Counter((one.district_code, one.dataset, one.version) for one in submissions if one.version)
        if versions and max(versions.values()) > 1:
            raise Violated("a version twice")
        for name in self.office.left():
            if self.office.handover.upload(name.lstrip(".").partition(".")[0]) is not None:
                raise Violated(f"{name} is left in the spool")
        if not verify(ledger).holds:
            raise Violated("the audit log")

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None and self.worker.poll() is None:
            self.worker.terminate()
            self.worker.wait(60)


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
            say((run.root / "worker.log").read_text()[-3000:])
            sys.exit(f"seed {asked.seed}, round {killed.total() + 1}: {violated}")
        finally:
            run.stop()
        states = Counter(one.state for one in run.office._all())
        say(f"killed: {dict(killed)}")
        say(f"uploads: {dict(states)}; submissions: {len(run.office.ledger.submissions())}")
        say("lost 0, doubled 0, half 0")


if __name__ == "__main__":
    main()
