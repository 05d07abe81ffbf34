"""Modes of files and folders: an installation's are for its service's user alone, but for what readers open.

Every entry point calls `go_private` first. Then whatever the process and its children create is closed to others: files
of DuckDB and SQLite, logs of dbt and Airflow, locks. `find_open_to_others` and `close_to_others` are for files that
existed before.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

UMASK = 0o077
OTHERS = 0o077
"""The mode bits of group and others."""
PASSABLE = 0o711
"""Mode of a folder with nothing secret in it: others may pass through it and can't list it."""


def go_private() -> None:
    """Make what this process and its children create readable by its owner alone."""
    os.umask(UMASK)


def make_parents(path: Path) -> None:
    """Make the missing folders above a path. Others may pass through them: readers may open a folder beside it."""
    for above in reversed(path.absolute().parents):
        _make(above, PASSABLE)


def make_folder(folder: Path, *below: str) -> Path:
    """Make a folder, and folders in it, for their owner alone, where they are missing; returns the innermost."""
    make_parents(folder)
    _make(folder, 0o700)
    for name in below:
        folder = folder / name
        _make(folder, 0o700)
    return folder


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    except OSError:
        if not folder.is_dir():
            raise
        return
    folder.chmod(mode)


def find_open_to_others(roots: Iterable[Path]) -> Iterator[Path]:
    """Find every file and folder at and below these that group or others may use; links are not followed.

    A root that is missing gives nothing, and neither does a folder that we can't read.
    """
    for root in roots:
        with contextlib.suppress(OSError):
            if _is_open(root.stat()):
                yield root
        yield from _open_below(root)


def _open_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):  # removed meanwhile
            if _is_open(entry.stat(follow_symlinks=False)):
                yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _open_below(Path(entry.path))


def _is_open(found: os.stat_result) -> bool:
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & OTHERS)


def close_to_others(path: Path, bits: int = OTHERS) -> bool:
    """Take these mode bits from a file or folder; a link is left as it is. False where that is not ours to do.

    A descriptor holds the file while it is changed, so that nobody can exchange it for a link. It is not opened for
    reading or writing: closing such a descriptor would release this process's locks on a SQLite file.
    """
    try:
        held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(held)
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & bits:
            Path(f"/proc/self/fd/{held}").chmod(stat.S_IMODE(found.st_mode) & ~bits)
    except OSError:
        return False
    finally:
        os.close(held)
    return True


def close_home(home: Path) -> None:
    """Close an installation's home to others: the folder and its direct entries.

    That is enough for everything below, since nobody else can pass the folder. The ledger's file is one of the entries,
    and SQLite gives its mode to `-wal` and `-shm`. Files of another user are unchanged; `followup doctor` names them.
    """
    try:
        whole = home.resolve(strict=True)
        entries = list(os.scandir(whole))
    except OSError:  # not made yet, or not ours
        return
    close_to_others(whole)
    for entry in entries:
        close_to_others(Path(entry.path))


def write_private_file(path: Path, text: str) -> None:
    """Write a file whole, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    new.replace(path)
