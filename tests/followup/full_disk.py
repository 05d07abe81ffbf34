"""Commands on a disk that fills up while they run: a tmpfs of its own, at many levels of free room.

    PYTHONPATH=tests unshare -rm python tests/followup/full_disk.py receive 0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1 1.1

At each level the command must do its work, or end with exit code 3 and one sentence; what was in force is in force,
no drop file is lost; and once there is room the same command ends as one that always had it. In a mount namespace of
its own (root of it), so nothing stays mounted. `test_full_disk.py` runs a few points of it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from typer.testing import CliRunner

from followup.cli.main import app
from ingest.originals import decrypt_original, original_id
from ingest.persons.keys import load_keys
from ingest.storing import has_rows_as_stored
from publish.warehouse import require_openable

sys.path.insert(0, str(Path(__file__).parents[1]))
from city import Place, draw, marts, settle, state
from forked import IMPORTED

PLENTY = 4 << 30
COMMANDS = {
    "receive": ["receive", "--inbox"],
    "build": ["build"],
    "publish": ["publish", "--approve"],
}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: a signal), and what it printed."""

    code: int
    printed: str


class Disk:
    """A file system in memory, whose size is set anew as one likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount(f"size={PLENTY}")

    def _mount(self, options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True)

    def used(self) -> int:
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def leave(self, room: int) -> None:
        """Let so many bytes be free."""
        self._mount(f"remount,size={self.used() + room}")

    def start_from(self, folder: Path) -> None:
        """Hold a copy of a folder and nothing else, with plenty of room."""
        subprocess.run(["umount", self.folder], check=True)
        self._mount(f"size={PLENTY}")
        shutil.copytree(folder, self.folder / "p", symlinks=True)


def run(place: Place, command: list[str]) -> Ended:
    """Run a command in a process forked from this one, which has everything imported."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.environ.update(place.environment)
                done = CliRunner().invoke(app, command)
                os.write(printed.fileno(), done.output.encode())
                if done.exception is not None and not isinstance(done.exception, SystemExit):
                    os.write(printed.fileno(), f"Traceback: {done.exception!r}".encode())
                code = done.exit_code
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed.seek(0)
        return Ended(code, printed.read().decode(errors="replace"))


def see_nothing_is_lost(place: Place, dropped: dict[str, str]) -> None:
    """Every file that was dropped is there still or in the ledger with its original; what is in force has its rows."""
    waiting = {hashlib.sha256(path.read_bytes()).hexdigest() for path in place.inbox.glob("*/*") if path.is_file()}
    keys, stored = load_keys(place.root / "keys.json"), set()
    if (place.home / "ledger.sqlite").exists():
        ledger = place.ledger()
        for found in ledger.submissions():
            raw = decrypt_original(place.home / found.original_path, original_id(found.original_path), keys)
            assert hashlib.sha256(raw).hexdigest() == found.source_file_sha256
            stored.add(found.source_file_sha256)
        for found in ledger.in_force():
            assert has_rows_as_stored(place.rows, found), found.submission_id
        ledger.close()
    lost = {name for name, checksum in dropped.items() if checksum not in waiting | stored}
    assert not lost, f"lost: {sorted(lost)}"
    if (place.home / "warehouse.duckdb").exists():
        require_openable(place.home / "warehouse.duckdb")
    if (place.home / "published").is_symlink():
        require_openable(place.home / "published" / "followup.duckdb")


def readers_state(place: Place) -> tuple[str, str]:
    """What commands and readers go on with: the warehouse's bytes, and the release that is published."""
    warehouse, published = place.home / "warehouse.duckdb", place.published
    built = hashlib.sha256(warehouse.read_bytes()).hexdigest() if warehouse.exists() else ""
    return built, str(published.readlink()) if published.is_symlink() else ""


def readers_figures(place: Place, what: str) -> object:
    """What a build or a release is to come to: the rows of the marts, or of the tables that readers have."""
    if what == "build":
        return marts(place.home / "warehouse.duckdb", "marts")
    with duckdb.connect(str(place.published / "followup.duckdb"), read_only=True) as published:
        names = published.execute(
            "select table_name from duckdb_tables() where schema_name = 'published' and table_name <> 'about' "
            "order by 1"
        ).fetchall()
        own = "c not in ('release_id', 'released_at')"  # a release that ran out of room may have taken a number
        return {
            str(name): published.execute(f'select columns(c -> {own}) from published."{name}" order by all').fetchall()
            for (name,) in names
        }


def prepared(what: str, root: Path) -> Place:
    """An installation with files waiting, in which the commands before this one have been run."""
    place = settle(root / "before", draw(root / "drawn"))
    for earlier in list(COMMANDS)[: list(COMMANDS).index(what)]:
        ended = run(place, [*COMMANDS[earlier], *([str(place.inbox)] if earlier == "receive" else [])])
        assert ended.code == 0, ended
    return place


def sweep(what: str, root: Path, points: list[float], tell: Callable[[str], None], *, is_quick: bool = False) -> None:
    """Run a command with room for these shares of what it writes; AssertionError where not all is as it must be.

    Args:
        what: which of `COMMANDS`.
        root: an empty folder, or one in which the command before this one was tried.
        points: the shares.
        tell: is given a line for each.
        is_quick: whether the command is run again, with room, after the last point alone.
    """
    drawn, before = root / "drawn", Place(root / "before")
    if not drawn.exists():
        before = prepared(what, root)
    command = COMMANDS[what]
    dropped = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in drawn.glob("*/*") if path.is_file() and path.name != "SYNTETISK.json"
    }  # fmt: skip
    disk = Disk(root / f"disk-{what}")
    place = Place(disk.folder / "p")
    words = [*command, str(place.inbox)] if what == "receive" else command
    disk.start_from(before.root)
    at_first, after = disk.used(), root / "after"
    clean = run(place, words)
    assert clean.code == 0, clean
    shutil.copytree(place.root, after, symlinks=True)
    written, wanted = disk.used() - at_first, state(place) if what == "receive" else {}
    figures = None if what == "receive" else readers_figures(place, what)
    tell(f"{what} writes {written} bytes")
    for share in points:
        disk.start_from(before.root)
        as_before = readers_state(place)
        disk.leave(max(int(written * share), 4096 if share else 0))
        ended = run(place, words)
        tell(f"{what} with room for {share:.0%}: {ended.code} {' '.join(ended.printed.split())[:230]}")
        assert ended.code in (0, 3), ended
        assert "Traceback" not in ended.printed and "internal error" not in ended.printed, ended
        if ended.code == 3:
            said = " ".join(ended.printed.split())
            assert "disk is full" in said and "that this command uses" not in said, ended
            assert str(disk.folder) in said and "make room" in said, ended
            assert readers_state(place) == as_before, share
        disk.leave(PLENTY)
        see_nothing_is_lost(place, dropped)
        if is_quick and share != points[-1]:
            continue
        again = run(place, words)
        assert again.code == 0, (share, again)
        see_nothing_is_lost(place, dropped)
        if what == "receive":
            now = state(place)
            for part in ("validated", "originals"):
                assert now[part] == wanted[part], (share, part)
            assert not list(place.inbox.glob("*/*.csv")), "files are left"
        else:
            assert readers_figures(place, what) == figures, (share, "other figures")
    shutil.rmtree(before.root)
    after.rename(before.root)  # the next command goes on from here


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commands", help="receive, build or publish; several, one after the other, as build,publish")
    parser.add_argument("shares", type=float, nargs="+", help="of what the command writes, such as 0 0.5 0.9")
    parser.add_argument("--quick", action="store_true", help="run it again after the last point alone")
    chosen = parser.parse_args()
    for module in IMPORTED:
        importlib.import_module(module)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="full-disk-") as folder:
        try:
            for name in chosen.commands.split(","):
                sweep(name, Path(folder), chosen.shares, _print, is_quick=chosen.quick)
        finally:
            for disk in Path(folder).glob("disk-*"):
                subprocess.run(["umount", "-l", disk], check=False, stderr=subprocess.DEVNULL)
