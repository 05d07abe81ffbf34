"""A real installation for stories: `python -m portal` with its workers, the real command line, a clock that is set."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, add_user
from ingest.persons.keys import make_keys
from ingest.portal_login.passwords import Passwords
from ingest.settings import ROOT, Settings

PASSWORD = "fyra gröna hästar simmar"
_START_SECONDS = 240


@dataclass
class RealPortal:
    """An installation in a folder of its own."""

    root: Path
    now: str = "2018-10-10T08:00:00"
    url: str = ""
    unlinked: dict[str, list[str]] = field(default_factory=dict)
    """Addresses of pages that no link leads to, which users come to by what they do."""
    _process: subprocess.Popen[bytes] | None = None
    _hash: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Its settings."""
        return {
            "FOLLOWUP_HOME": str(self.root / "home"),
            "FOLLOWUP_KEYS": str(self.root / "keys.json"),
            "FOLLOWUP_INBOX": str(self.root / "inbox"),
            "FOLLOWUP_PUBLISHED": str(self.root / "published"),
            "FOLLOWUP_NOW": f"@{self.root / 'clock'}",
            "FOLLOWUP_SETTLE_SECONDS": "0",
            "FOLLOWUP_PORTAL_URL": self.url,
            "FOLLOWUP_PORTAL_PORT": self.url.rpartition(":")[2],
            "FOLLOWUP_PORTAL_SYNTHETIC": "true",
            "FOLLOWUP_PORTAL_FIGURES_ARE_OPEN": "true",
        }

    @property
    def settings(self) -> Settings:
        """As this process sees them."""
        return Settings(home=self.root / "home", keys=self.root / "keys.json", inbox=str(self.root / "inbox"))

    def prepare(self) -> None:
        """Make keys and clock, and choose a port."""
        self.root.mkdir(exist_ok=True)
        if not (self.root / "keys.json").exists():
            make_keys(self.root / "keys.json")
        self.set_clock(self.now)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    def set_clock(self, now: str) -> None:
        """Set the installation's clock."""
        self.now = now
        (self.root / "clock").write_text(now, encoding="utf-8")

    def add(self, name: str, role: Role, *units: str) -> None:
        """Add a user, whose password is PASSWORD."""
        self._hash = self._hash or Passwords().hash(PASSWORD)
        ledger = Ledger(self.settings.ledger)
        add_user(ledger, name, role, units, self._hash, system_now())
        ledger.close()

    def start(self) -> None:
        """Start the portal, and wait until it answers."""
        with (self.root / "portal.log").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "portal"], cwd=ROOT, env=os.environ | self.environment, stdout=out, stderr=out
            )
        give_up_at = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up_at:
            try:
                if httpx.get(f"{self.url}/halsa", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
            assert self._process.poll() is None, (self.root / "portal.log").read_text(encoding="utf-8")
        self.stop()
        raise AssertionError("the portal did not start: " + (self.root / "portal.log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            process, self._process = self._process, None
            assert process.wait(60) == 0, "it ended before its workers did"

    def run(self, *command: str, code: int = 0) -> str:
        """Run a command of the command line, which is to end with a code."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("followup")), *command],
            cwd=ROOT, env=os.environ | self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout
