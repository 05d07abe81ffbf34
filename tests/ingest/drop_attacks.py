"""What a district, or somebody with its rights, can place in its drop location; and what lies outside it."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from files import base_row, csv_bytes

Result = TypeVar("Result")
SECONDS = 20.0
"""A run that takes longer waits for something. Nothing here takes one."""
OTHERS = csv_bytes("arenden", [base_row("arenden", lopnummer=f"A-47{n:02}", orsak="grannens") for n in range(40)])
"""Another district's rows. Their ids would show in the answer to whoever got them read."""


class Outside:
    """Files and folders beside the drop location that the service may read and write, and nobody may reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "mapp").mkdir(parents=True)
        self.rows, self.ledger, self.inner = folder / "rows.csv", folder / "ledger.sqlite", folder / "mapp" / "inner"
        self.pipe = folder / "pipe"
        for path in (self.rows, self.ledger, self.inner):
            path.write_bytes(OTHERS)
            os.utime(path, ns=(0, 1_600_000_000_000_000_000))  # read in 1970: the next reading shows
        os.mkfifo(self.pipe)
        self._before = self._state()

    def _state(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for path in sorted(self.folder.rglob("*")):
            state = path.lstat()
            at = (state.st_atime_ns, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else ()
            found[str(path.relative_to(self.folder))] = (state.st_mode, state.st_size, state.st_ino, *at)
        return found

    def seen(self) -> None:
        """Take what is there now for what must stay: after names were placed by the attacker's own hand."""
        self._before = self._state()

    def assert_untouched(self) -> None:
        """Nothing was read, written, emptied, made or removed."""
        assert self._state() == self._before


def in_time(run: Callable[[], Result]) -> Result:
    """What a run returns or raises, if it ends."""
    ended: list[Result] = []
    failed: list[BaseException] = []

    def tried() -> None:
        try:
            ended.append(run())
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            failed.append(error)

    thread = threading.Thread(target=tried, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "it waits for something"
    if failed:
        raise failed[0]
    return ended[0]


def away(path: Path) -> None:
    """Take away whatever has a name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def socket_at(path: Path) -> None:
    """Leave a socket, by a short way: its address holds no more than 108 bytes."""
    here = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


def device_at(path: Path) -> bool:
    """Leave /dev/zero under another name, where that is allowed."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))
    except PermissionError:
        return False
    return True
