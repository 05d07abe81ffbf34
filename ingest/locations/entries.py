"""Entries of a drop location, and the steps that every kind of connection offers: folder, SFTP, S3.

A district can write to its drop location, so its entries are hostile: names, links, pipes, swaps between two steps. A
connection names a file by its bare name, and below the location by the one folder that it is in. It never follows a
link, never opens what is no regular file, and never waits without limit.
"""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

CHUNK = 1 << 21
"""Bytes that are read at once."""
CLOCK = ".klocka.part"
"""Name of the empty file whose time shows a location's clock."""
TRIES = 3
"""How often a name is cleared that somebody takes again."""

Kind = Literal["file", "folder", "link", "hard link", "other"]


@dataclass(frozen=True)
class Entry:
    """Something in a drop location.

    Attributes:
        kind: `hard link` is a file that has another name too, `other` a pipe, socket, device, or something unknown.
        changed_at: seconds since 1970 by the location's clock.
        mark: changes whenever the content does, or another file takes the name.
    """

    name: str
    kind: Kind
    size: int
    changed_at: float
    mark: str


class FileChanged(Exception):
    """A file is no longer the one that was listed: gone, replaced, linked, locked, or written to."""


class TooManyNames(Exception):
    """A location has more names than are listed."""

    def __init__(self, at_most: int) -> None:
        """Store how many are listed."""
        super().__init__(f"more than {at_most} names lie there")
        self.at_most = at_most


class NotInTime(Exception):
    """A location answers, but not as fast as it must."""

    def __init__(self, seconds: float) -> None:
        """Store the seconds that it had."""
        super().__init__(f"not done within {seconds:.0f} s")
        self.seconds = seconds


class Connection(ABC):
    """An open drop location.

    Every step raises whatever the location's library raises; `connecting.reason` puts it into words. `folder` is the
    name of a folder directly in the location, "" for the location itself.
    """

    is_whole_at_once = False
    """Whether a file is only ever seen whole."""

    @abstractmethod
    def list(self, at_most: int) -> list[Entry]:
        """List what is in the location now, links as links.

        Raises:
            TooManyNames: more than `at_most` names.
        """

    def is_changeable(self) -> bool:
        """Whether files may be written and removed there, where that can be told without doing it."""
        return True

    @abstractmethod
    def look(self, name: str, folder: str = "") -> Entry | None:
        """What has a name now, a link as a link; None when nothing has it."""

    @abstractmethod
    def pieces(self, name: str, mark: str, at_most: int) -> Iterator[bytes]:
        """A file's bytes from its beginning, piece by piece.

        Raises:
            FileChanged: before or after reading it is not the regular file with this mark; what was read is void.
        """

    @abstractmethod
    def put_whole(self, folder: str, name: str, content: bytes) -> None:
        """Write a file under another name, then give it its own; an older one is replaced, whatever it is a link to
        stays as it is. The folder is made when it is missing.

        Raises:
            NotADirectoryError: something else has the folder's name, a link perhaps.
        """

    @abstractmethod
    def move(self, name: str, folder: str, new: str) -> None:
        """Move a file into a folder under a name that nothing has. The folder is made when it is missing.

        Raises:
            NotADirectoryError: something else has the folder's name, a link perhaps.
        """

    @abstractmethod
    def remove(self, name: str, folder: str = "") -> None:
        """Remove a name; what it is a link to stays."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since 1970 by the location's own clock: the time that a file gets which is written now."""

    def is_closed(self, name: str) -> bool:
        """Whether it is certain that nobody has a file open for writing."""
        return False

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Hold what is done inside to a time.

        Raises:
            NotInTime: it was not done by then; the connection is closed.
        """
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


def kind_of(mode: int, links: int) -> Kind:
    """What something is.

    Args:
        mode: as stat(2) gives it.
        links: how many names it has.
    """
    if stat.S_ISREG(mode):
        return "file" if links == 1 else "hard link"
    return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def modes_below(mode: int, is_own: bool) -> tuple[int, int]:
    """Modes of the files and folders that we make in a drop folder, for those who can enter it and nobody else.

    The folder's group gets what it has in the folder, but no writing of files. Where the folder is another user's, that
    user is a stranger to our files; it may read them as "others", but only when the folder shuts all others out.

    Args:
        mode: of the drop folder.
        is_own: whether the drop folder is ours.
    """
    group = mode & 0o070 if mode & 0o050 == 0o050 else 0
    others = 0o005 if not is_own and not mode & 0o007 else 0
    return 0o600 | (group & 0o040) | (others & 0o004), 0o700 | group | others
