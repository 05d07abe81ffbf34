"""The examples for case systems, as README.md and docs/api.md have them, against a portal in processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from free_ports import free_port
from handing_over import arenden

from ingest.ledger import Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope, add_token
from ingest.persons.keys import make_keys
from ingest.settings import Settings

ROOT = Path(__file__).parents[2]
NAME = "bromma_arenden_2018Q3.csv"
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Running:
    """A portal, a token of bromma, and a folder with its file."""

    address: str
    token: str
    folder: Path

    def run(self, *command: str, expect: int = 0) -> str:
        """Run an example there; what it printed."""
        environment = {"PATH": os.environ["PATH"], "PORTAL": self.address, "TOKEN": self.token}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == expect, done.stdout + done.stderr
        assert self.token not in done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("examples")
    make_keys(folder / "keys.json")
    address = f"http://127.0.0.1:{(port := free_port())}"
    environment = os.environ | {
        "FOLLOWUP_HOME": str(folder / "home"), "FOLLOWUP_KEYS": str(folder / "keys.json"),
        "FOLLOWUP_INBOX": str(folder / "inbox"), "FOLLOWUP_PUBLISHED": str(folder / "published"),
        "FOLLOWUP_NOW": "2018-10-10T08:00:00", "FOLLOWUP_PORTAL_URL": address, "FOLLOWUP_PORTAL_PORT": str(port),
        "FOLLOWUP_PORTAL_WORKERS": "1",
    }  # fmt: skip
    with closing(Ledger(Settings(home=folder / "home").ledger)) as ledger:
        token = add_token(ledger, "journalsystem", "bromma", list(Scope), system_now()).secret
    (folder / "at").mkdir()
    with (folder / "log").open("wb") as log:
        portal = subprocess.Popen([sys.executable, "-m", "portal"], env=environment, stdout=log, stderr=log)
        try:
            for _ in range(600):
                assert portal.poll() is None, (folder / "log").read_text()
                try:
                    httpx.get(f"{address}/api/v1/openapi.json", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield Running(address, token, folder / "at")
        finally:
            portal.send_signal(signal.SIGTERM)
            portal.wait(60)
    said = (folder / "log").read_text()
    assert token not in said and "Traceback" not in said, said


def blocks(path: Path, heading: str, kind: str) -> list[str]:
    """The examples of a kind under a heading."""
    section = path.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = [text for language, text in _BLOCK.findall(section) if language == kind]
    assert found, heading
    return found


def test_examples_do_what_they_say(running: Running) -> None:
    file = running.folder / NAME
    # a file with faults: curl fails, and its answer has the findings
    file.write_bytes(arenden("A1", kon="X"))
    (hand_in,) = blocks(ROOT / "README.md", "For a case system", "sh")
    problem = json.loads(running.run("bash", "-c", hand_in, expect=22))
    assert problem["type"] == "urn:followup:problem:file-refused" and problem["findings"][0]["column"] == "kon"
    # the same file again under its key is not done twice
    again = json.loads(running.run("bash", "-c", hand_in, expect=22))
    assert again["upload"]["upload_id"] == problem["upload"]["upload_id"]
    # a right one: checked by both ways, then handed in
    file.write_bytes(arenden("A1"))
    check, form, status = blocks(ROOT / "docs" / "api.md", "Check a file, then hand it in", "sh")
    for one in (check, form):
        (upload,) = json.loads(running.run("bash", "-c", one))["uploads"]
        assert (upload["state"], upload["next"]) == ("checked", "submit")
    (upload,) = json.loads(running.run("bash", "-c", hand_in.replace("2018Q3-1", "2018Q3-2")))["uploads"]
    assert upload["state"] == "accepted"
    lines = json.loads(running.run("bash", "-c", status))["lines"]
    assert [one["version"] for one in lines if one["dataset"] == "arenden"] == [1]
    # a corrected one by the program: it shows what changes, and confirms
    file.write_bytes(arenden("A1", "A2"))
    (program,) = blocks(ROOT / "docs" / "api.md", "In Python", "python")
    said = running.run(sys.executable, "-c", program)
    assert said.splitlines()[-1].startswith("accepted ") and len(said.splitlines()) > 1
    # and one with faults: it prints them
    file.write_bytes(arenden("A1", kon="X"))
    assert "2 kon" in running.run(sys.executable, "-c", program, expect=1)
