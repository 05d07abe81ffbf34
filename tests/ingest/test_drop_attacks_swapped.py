"""Names in a drop location that are swapped while a run is at work: before each of its steps, and all the time."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from drop_attacks import Outside, away, in_time
from drop_servers import SftpPlace, Sshd
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.districts import DropLocation, load_drop_locations
from ingest.locations import local_folder, sftp_folder
from ingest.locations.sources import DropLocationUnreachable, FileNotReady, Source

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
Swap = Callable[[Path, Outside], None]


def to(name: str, target: str) -> Swap:
    """The swap of a name below the location for a link to something outside it."""

    def swap(folder: Path, outside: Outside) -> None:
        path = folder / name
        if path.parent.is_dir() and not path.parent.is_symlink():
            away(path)
            path.symlink_to(outside.folder / target)

    return swap


def to_hard_link(folder: Path, outside: Outside) -> None:
    away(folder / NAME)
    os.link(outside.rows, folder / NAME)


def to_pipe(folder: Path, outside: Outside) -> None:
    away(folder / NAME)
    os.mkfifo(folder / NAME)


def to_other_folder(folder: Path, outside: Outside) -> None:
    if not folder.is_symlink():
        folder.rename(folder.with_name("moved"))
        folder.symlink_to(outside.folder / "mapp")


LINKS = {
    "file": to(NAME, "rows.csv"),
    "file to nowhere": to(NAME, "made"),
    "file to pipe": to(NAME, "pipe"),
    "answers": to("aterkoppling", "mapp"),
    "answer": to(f"aterkoppling/{NAME}.txt", "ledger.sqlite"),
    "unfinished answer": to(f"aterkoppling/{NAME}.txt.part", "ledger.sqlite"),
    "answer to take back": to(f"aterkoppling/{NAME}.xlsx", "ledger.sqlite"),
    "received": to("received", "mapp"),
    "clock": to(".klocka.part", "ledger.sqlite"),
    "manifest": to("SYNTETISK.json", "rows.csv"),
}
SWAPS = {**LINKS, "hard link": to_hard_link, "pipe": to_pipe, "location": to_other_folder}


class Attacked:
    """A drop location with a good file, filled anew for each visit; and a swap before the n-th of its steps."""

    def __init__(self, folder: Path, outside: Outside, swap: Swap) -> None:
        self.folder, self.outside, self.swap = folder, outside, swap
        self.steps = self.at = 0

    def fill(self, at: int) -> None:
        away(self.folder)
        away(self.folder.with_name("moved"))
        (self.folder / "aterkoppling").mkdir(parents=True)
        (self.folder / NAME).write_bytes(GOOD)
        os.utime(self.folder / NAME, (1.6e9, 1.6e9))
        (self.folder / "SYNTETISK.json").write_text('{"files": {}}')
        (self.folder / "aterkoppling" / f"{NAME}.xlsx").write_bytes(b"")
        self.steps, self.at = 0, at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.swap(self.folder, self.outside)


def visit(source: Source) -> list[bytes]:
    """What a run does with each file, but for the checks; returns what was read."""
    read = []
    with suppress(DropLocationUnreachable):
        files = source.waiting()
        source.synthetic_checksums()
        for file in files:
            with suppress(FileNotReady):
                read.append(source.read(file, 1_000_000))
            with suppress(DropLocationUnreachable):
                source.leave_feedback(f"{file.name}.txt", b"svar")
            with suppress(DropLocationUnreachable):
                source.remove_feedback(f"{file.name}.xlsx")
            source.clear(file, sha256(GOOD).hexdigest())
    return read


class Watched:
    """The module `os`, with a step of the attack before each system call."""

    CALLS = frozenset({"open", "stat", "fstat", "rename", "unlink", "mkdir", "scandir", "read", "write", "fchmod"})

    def __init__(self, attacked: Attacked) -> None:
        self._attacked = attacked

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.CALLS:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self._attacked.step()
            return real(*arguments, **named)

        return call


@pytest.mark.parametrize("after_receipt", ["remove", "move"])
@pytest.mark.parametrize("swap", SWAPS)
def test_folder_swapped_before_any_system_call_leads_nowhere(
    swap: str, after_receipt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(tmp_path / "outside")
    attacked = Attacked(tmp_path / "drop", outside, SWAPS[swap])
    location = DropLocation(url=str(attacked.folder), after_receipt=after_receipt)
    monkeypatch.setattr(local_folder, "_OWN_DISKS", frozenset())  # so that the clock is asked
    monkeypatch.setattr(local_folder, "os", Watched(attacked))

    def all_of_them() -> int:
        at, taken = 0, 0
        while at <= attacked.steps:
            at += 1
            attacked.fill(at)
            with suppress(DropLocationUnreachable), Source(DISTRICT, location) as source:
                read = visit(source)
                assert read in ([], [GOOD])
                taken += read == [GOOD]
            outside.assert_untouched()
        return taken

    assert in_time(all_of_them) > 5, "a swap that comes too late changes nothing"


def watch_requests(attacked: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sftp_folder._Session._async_request

    def request(session: Any, *arguments: Any) -> Any:
        attacked.step()
        return real(session, *arguments)

    monkeypatch.setattr(sftp_folder._Session, "_async_request", request)


@pytest.mark.server
@pytest.mark.parametrize("swap", ["file", "answers", "unfinished answer", "received", "clock"])
def test_sftp_folder_swapped_before_any_request_leads_nowhere(
    swap: str, sshd: Sshd, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SFTP can't hold a folder open: a swap can have an empty file made elsewhere, or the sender's own moved there.
    What is there is not read, written or emptied."""
    outside = Outside(tmp_path / "outside")
    (outside.folder / "mapp" / f"{NAME}.txt").write_bytes(b"svar till en annan")
    outside.seen()
    place = SftpPlace(sshd, tmp_path / "drop")
    attacked = Attacked(place.folder, outside, LINKS[swap])
    settings = place.settings(installation.settings, DISTRICT, after_receipt="move", timeout_seconds=5)
    attacked.fill(0)
    watch_requests(attacked, monkeypatch)

    def all_of_them() -> int:
        at, taken = 0, 0
        with Source(DISTRICT, load_drop_locations(settings)[DISTRICT]) as source:
            while at <= attacked.steps:
                at += 1
                attacked.fill(at)
                read = visit(source)
                assert read in ([], [GOOD])
                taken += read == [GOOD]
                for path in (outside.folder / "mapp").iterdir():
                    if path.name == NAME or path.name.endswith(".part"):
                        assert path.read_bytes() in (b"", GOOD)
                        path.unlink()
                outside.assert_untouched()
        return taken

    assert in_time(all_of_them) > 5


@pytest.mark.server
def test_pipe_that_takes_a_file_s_place_on_a_server_is_given_up(
    sshd: Sshd, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(tmp_path / "outside")
    place = SftpPlace(sshd, tmp_path / "drop")
    attacked = Attacked(place.folder, outside, to_pipe)
    settings = place.settings(installation.settings, DISTRICT, settle_seconds=0, timeout_seconds=1)
    attacked.fill(0)
    with Source(DISTRICT, load_drop_locations(settings)[DISTRICT]) as source:
        (file,) = source.waiting()
        watch_requests(attacked, monkeypatch)
        attacked.at = 3  # it was looked at, and its real path; now it is opened
        with pytest.raises(DropLocationUnreachable, match="no answer within 1 s"):
            in_time(lambda: source.read(file, 1_000_000))


def test_folder_that_is_swapped_all_the_time_leads_nowhere(tmp_path: Path) -> None:
    """A race: what it finds is luck, what it may not find is not."""
    outside, folder = Outside(tmp_path / "outside"), tmp_path / "drop"
    attacked = Attacked(folder, outside, to_pipe)
    attacked.fill(0)
    location, ended, visits = DropLocation(url=str(folder), after_receipt="move"), threading.Event(), 0

    def attack() -> None:
        spare = tmp_path / "spare"
        while not ended.is_set():
            for swap in LINKS.values():
                with suppress(OSError):
                    swap(folder, outside)
            with suppress(OSError):
                away(spare)
                spare.write_bytes(GOOD)
                os.utime(spare, (1.6e9, 1.6e9))
                away(folder / NAME)
                spare.rename(folder / NAME)
                (folder / "aterkoppling").unlink()
                (folder / "received").unlink()
                (folder / "aterkoppling").mkdir()
                shutil.rmtree(folder / "received", ignore_errors=True)

    attacker = threading.Thread(target=attack, daemon=True)
    attacker.start()
    until = time.monotonic() + 1
    try:
        while time.monotonic() < until:
            with suppress(DropLocationUnreachable), Source(DISTRICT, location) as source:
                assert in_time(lambda source=source: visit(source)) in ([], [GOOD])
                visits += 1
    finally:
        ended.set()
        attacker.join()
    assert visits > 5
    outside.assert_untouched()


def test_file_that_grows_or_shrinks_while_it_is_read_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    content = bytes(5_000_000)
    real = os.read
    with Source(DISTRICT, DropLocation(url=str(folder), settle_seconds=0)) as source:
        for change in (content * 2, content[:1], content):
            (folder / NAME).write_bytes(content)
            (file,) = source.waiting()

            def read(descriptor: int, size: int, change: bytes = change) -> bytes:
                piece = real(descriptor, size)
                (folder / NAME).write_bytes(change)
                return piece

            with monkeypatch.context() as patched:
                patched.setattr(local_folder.os, "read", read)
                with pytest.raises(FileNotReady):
                    source.read(file, 20_000_000)
