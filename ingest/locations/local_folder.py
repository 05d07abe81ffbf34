"""A drop location that is a folder of this machine.

The folder is opened once, and every name is opened below it (openat(2)), so that nobody can swap the path to it. A link
is never followed, and no opening can block: a pipe answers at once, and only a regular file with one name is read. The
folders above belong to the operator and may be links.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.locations.entries import (
    CHUNK,
    CLOCK,
    TRIES,
    Connection,
    Entry,
    FileChanged,
    TooManyNames,
    kind_of,
    modes_below,
)

_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _SAFELY
_NO_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EAGAIN, errno.EISDIR})
"""What open(2) says of a name that is gone, a link, a socket or device, leased by another process, or a folder."""
_OWN_DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay"})
"""File systems that only this machine's processes write to."""


class FolderConnection(Connection):
    """An open folder of this machine."""

    def __init__(self, path: Path) -> None:
        """Open the folder.

        Raises:
            OSError: it is not there, is a link or no folder (NotADirectoryError), or may not be opened.
        """
        self._top = os.open(path, _FOLDER)

    def list(self, at_most: int) -> list[Entry]:
        """As `Connection.list`; what goes while it is listed is left out."""
        entries: list[Entry] = []
        with os.scandir(self._top) as found:
            for one in found:
                if len(entries) == at_most:
                    raise TooManyNames(at_most)
                with suppress(FileNotFoundError):
                    entries.append(_entry(one.name, one.stat(follow_symlinks=False)))
        return entries

    def is_changeable(self) -> bool:
        """As `Connection.is_changeable`: by the folder's mode and its disk."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self._top, effective_ids=True)

    def look(self, name: str, folder: str = "") -> Entry | None:
        """As `Connection.look`."""
        try:
            with self._below(folder) as opened:
                return _entry(name, os.stat(name, dir_fd=opened, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def pieces(self, name: str, mark: str, at_most: int) -> Iterator[bytes]:
        """As `Connection.pieces`."""
        descriptor = self._open(name)
        try:
            if _mark(os.fstat(descriptor)) != mark:
                raise FileChanged
            while at_most > 0 and (piece := os.read(descriptor, min(CHUNK, at_most))):
                at_most -= len(piece)
                yield piece
            found = self.look(name)
            if _mark(os.fstat(descriptor)) != mark or found is None or found.mark != mark:
                raise FileChanged
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        """A descriptor of a regular file that has no other name.

        Raises:
            FileChanged: the name is gone, or is something else.
        """
        try:
            descriptor = os.open(name, os.O_RDONLY | _SAFELY, dir_fd=self._top)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise FileChanged from None
            raise
        found = os.fstat(descriptor)
        if kind_of(found.st_mode, found.st_nlink) != "file":
            os.close(descriptor)
            raise FileChanged
        return descriptor

    def put_whole(self, folder: str, name: str, content: bytes) -> None:
        """As `Connection.put_whole`."""
        with self._below(folder, make=True) as opened:
            unfinished = f"{name}.part"
            descriptor = _create(unfinished, opened)
            try:
                self._open_to_readers(descriptor)
                left = memoryview(content)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            except BaseException:
                with suppress(OSError):
                    os.unlink(unfinished, dir_fd=opened)
                raise
            finally:
                os.close(descriptor)
            os.rename(unfinished, name, src_dir_fd=opened, dst_dir_fd=opened)

    def move(self, name: str, folder: str, new: str) -> None:
        """As `Connection.move`. A name that is given away in this very moment is taken over: it is the sender's own."""
        with self._below(folder, make=True) as opened:
            os.rename(name, new, src_dir_fd=self._top, dst_dir_fd=opened)

    def remove(self, name: str, folder: str = "") -> None:
        """As `Connection.remove`."""
        with self._below(folder) as opened:
            os.unlink(name, dir_fd=opened)

    def now(self) -> float:
        """As `Connection.now`."""
        descriptor = _create(CLOCK, self._top)
        try:
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(CLOCK, dir_fd=self._top)

    def is_closed(self, name: str) -> bool:
        """Whether a file is on a disk of this machine and nobody has it open for writing; False also when that is
        unknown (another owner's file, a network disk).

        The kernel grants a read lease only on a file that nobody has open for writing (fcntl(2), F_SETLEASE).
        """
        try:
            descriptor = self._open(name)
        except (OSError, FileChanged):
            return False
        try:
            if _file_system(descriptor) not in _OWN_DISKS:
                return False
            # Whoever opens the file while the lease is held makes the kernel signal us: by one that does nothing.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """Close the folder."""
        if self._top >= 0:
            os.close(self._top)
            self._top = -1

    @contextmanager
    def _below(self, folder: str, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder in the location, or of the location itself ("")."""
        if not folder:
            yield self._top
            return
        is_made = make and self._make(folder)
        descriptor = os.open(folder, _FOLDER, dir_fd=self._top)
        try:
            if is_made:
                self._open_to_readers(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _make(self, folder: str) -> bool:
        """Make a folder unless something has its name; whether it was made."""
        try:
            os.mkdir(folder, 0o700, dir_fd=self._top)
        except FileExistsError:
            return False
        return True

    def _open_to_readers(self, descriptor: int) -> None:
        """Let those who can enter the drop folder read what we have just made."""
        top, made = os.fstat(self._top), os.fstat(descriptor)
        if made.st_uid != os.geteuid():
            return  # swapped since we made it
        is_folder = stat.S_ISDIR(made.st_mode)
        file_mode, folder_mode = modes_below(top.st_mode, top.st_uid == made.st_uid)
        if made.st_gid != top.st_gid:
            with suppress(PermissionError):
                os.fchown(descriptor, -1, top.st_gid)
        with suppress(OSError):  # a file system without modes
            os.fchmod(descriptor, folder_mode | (made.st_mode & stat.S_ISGID) if is_folder else file_mode)


def put_file(folder: Path, name: str, content: bytes) -> None:
    """Put a file into a folder of this machine that others can write to, whole, following no link in it.

    Raises:
        OSError: the folder is missing or a link, or can't be written to.
    """
    connection = FolderConnection(folder)
    try:
        connection.put_whole("", name, content)
    finally:
        connection.close()


def read_file(folder: Path, name: str, at_most: int) -> bytes | None:
    """A file's bytes, at most so many, from a folder that others can write to; None when it is no file of its own.

    Raises:
        OSError: the folder is missing or a link, or the file can't be read.
    """
    connection = FolderConnection(folder)
    try:
        found = connection.look(name)
        if found is None or found.kind != "file":
            return None
        return b"".join(connection.pieces(name, found.mark, at_most))
    except FileChanged:
        return None
    finally:
        connection.close()


def _create(name: str, folder: int) -> int:
    """A descriptor of a new empty file; what had its name is removed, and where it led to stays as it is."""
    for _ in range(TRIES):
        try:
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600, dir_fd=folder)
        except FileExistsError:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    raise FileExistsError(errno.EEXIST, "the name is taken again and again")


def _entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name, kind_of(found.st_mode, found.st_nlink), found.st_size, found.st_mtime, _mark(found))


def _mark(found: os.stat_result) -> str:
    """The time of change of the file itself (ctime) can't be set by its sender."""
    parts = (found.st_dev, found.st_ino, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "|".join(map(str, parts))


def _file_system(descriptor: int) -> str:
    """The kind of file system that an open file is on, by the mount through which it was opened."""
    about = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="utf-8")
    mount = next(line.split()[1] for line in about.splitlines() if line.startswith("mnt_id:"))
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        if fields[0] == mount:
            return fields[fields.index("-") + 1]
    return ""
