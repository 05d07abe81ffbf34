"""Drop locations: listing what waits, reading it, clearing what is taken. Folders, SFTP and S3 by one code (fsspec)."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

from ingest.connecting import Connection, Entry, connect, reason
from ingest.districts import DropLocation
from ingest.naming import shown_name
from ingest.settling import unsettled

MANIFEST = "SYNTETISK.json"
ANSWERS = "aterkoppling"
SET_ASIDE = "for_stora"
"""Folder, beside the files, for those too large to be read."""
RECEIVED = "received"
"""Folder, beside the files, for those taken, where the location says so."""
_MANIFEST_AT_MOST = 20_000_000
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".swp")
_UNFINISHED_SECONDS = 24 * 3600


class DropLocationUnreachable(Exception):
    """A district's drop location could not be listed or read. Names the district, never the address's secrets."""

    def __init__(self, district_code: str, reason: str) -> None:
        """Keep the district's code, and why."""
        super().__init__(
            f"drop location of {district_code} can't be reached ({reason}): check its entry in districts.yml"
        )
        self.district_code = district_code
        self.reason = reason


class FileNotReady(Exception):
    """A file that was listed is gone, has changed since, or can't be opened. A later run looks at it again."""


@dataclass(frozen=True)
class WaitingFile:
    """A file in a drop location.

    Attributes:
        mark: changes whenever its content does.
        is_settled: False while it may still be growing; it is then left alone.
    """

    name: str
    path: str
    size: int
    mark: str = ""
    is_settled: bool = True


class Source:
    """One district's drop location, open until `close` (or the end of a `with` block)."""

    def __init__(self, district_code: str, location: DropLocation) -> None:
        """Connect to where the files lie.

        Raises:
            DropLocationUnreachable: no connection.
        """
        self.district_code = district_code
        self.location = location
        self._connection: Connection
        with self._reaching():
            self._connection = connect(location)
        self._folder = self._connection.folder
        self.never_read: tuple[str, ...] = ()
        """Names, fit to be shown, of what the last listing held and no run will ever take."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever error the location's library has into ours: what matters is which district, and why."""
        try:
            yield
        except FileNotReady:
            raise
        except Exception as error:  # noqa: BLE001  (every file system has errors of its own)
            raise DropLocationUnreachable(self.district_code, reason(error, self.location)) from None

    def listed(self) -> list[WaitingFile]:
        """Files that wait, by name, all taken for settled: nothing is written to see whether they are.

        Raises:
            DropLocationUnreachable: the location can't be listed.
        """
        return self._waiting(0)

    def waiting(self) -> list[WaitingFile]:
        """Files that wait, by name, each with whether it is settled.

        Unfinished uploads, hidden files, folders, links and the manifest are left alone; see `never_read`.

        Raises:
            DropLocationUnreachable: the location can't be listed.
        """
        return self._waiting(self.location.settle_seconds)

    def _waiting(self, settle_seconds: int) -> list[WaitingFile]:
        with self._reaching():
            entries = self._connection.list()
            files = [entry for entry in entries if entry.kind == "file" and not _is_left_alone(entry.name)]
            growing = unsettled(self._connection, files, settle_seconds)
        self.never_read = _never_read(entries)
        return [
            WaitingFile(entry.name, entry.path, entry.size, entry.mark, entry.path not in growing)
            for entry in sorted(files, key=lambda entry: entry.name)
        ]

    def read(self, file: WaitingFile, limit: int) -> bytes:
        """The file's bytes, at most one more than `limit`, as it was when it was listed.

        Raises:
            FileNotReady: it is gone, has changed since it was listed, or may not be opened.
            DropLocationUnreachable: it can't be read.
        """
        with self._reaching():
            try:
                content = b"".join(self._connection.pieces(file.path, limit + 1))
                found = self._connection.look(file.path)
            except (FileNotFoundError, PermissionError):
                found = None
            if found is None or found.mark != file.mark:
                raise FileNotReady
        return content

    def synthetic_checksums(self) -> frozenset[str]:
        """SHA-256 of the files that the location's manifest declares to be drawn; empty when there is none.

        Raises:
            DropLocationUnreachable: it is there and can't be read.
        """
        path = f"{self._folder}/{MANIFEST}"
        with self._reaching():
            found = self._connection.look(path)
            if found is None or found.kind != "file" or found.size > _MANIFEST_AT_MOST:
                return frozenset()
            content = b"".join(self._connection.pieces(path, _MANIFEST_AT_MOST))
        try:
            return frozenset(str(checksum) for checksum in json.loads(content)["files"].values())
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return frozenset()

    def is_synthetic(self, checksum: str, declared: frozenset[str]) -> bool:
        """Whether the file with this SHA-256 is drawn: by the manifest, or because all that arrives here is."""
        return self.location.synthetic or checksum in declared

    def answer(self, name: str, content: bytes) -> None:
        """Leave an answer for the sender in the folder `aterkoppling/` beside the files; an older one is replaced.

        Raises:
            DropLocationUnreachable: it can't be written, or the folder is a link to somewhere else.
        """
        folder = f"{self._folder}/{ANSWERS}"
        with self._reaching():
            self._connection.make_folder(folder)
            self._connection.put_whole(f"{folder}/{name}", content)

    def take_back(self, name: str) -> None:
        """Remove an answer to an earlier file, where there is one.

        Raises:
            DropLocationUnreachable: it can't be removed, or the folder is a link to somewhere else.
        """
        folder = f"{self._folder}/{ANSWERS}"
        with self._reaching():
            if self._connection.look(f"{folder}/{name}") is not None:
                self._connection.make_folder(folder)
                self._connection.remove(f"{folder}/{name}")

    def measure(self, file: WaitingFile) -> tuple[int, str]:
        """Size in bytes and SHA-256 of a file as it lies there now, read piece by piece.

        Raises:
            DropLocationUnreachable: it can't be read.
        """
        with self._reaching():
            return self._measure(file)

    def _measure(self, file: WaitingFile) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        for piece in self._connection.pieces(file.path, sys.maxsize):
            digest.update(piece)
            size += len(piece)
        return size, digest.hexdigest()

    def set_aside(self, file: WaitingFile) -> None:
        """Move a file that is too large to be read into `for_stora/` beside it: it stays with the sender.

        Raises:
            DropLocationUnreachable: it can't be moved.
        """
        with self._reaching(), suppress(FileNotFoundError):
            self._move(file, SET_ASIDE)

    def _move(self, file: WaitingFile, folder_name: str) -> None:
        """Move a file into a folder beside it; one that is there already keeps its name, the new one gets a number."""
        folder = f"{self._folder}/{folder_name}"
        self._connection.make_folder(folder)
        name, number = file.name, 1
        while self._connection.look(f"{folder}/{name}") is not None:
            number += 1
            path = PurePosixPath(file.name)
            name = f"{path.stem}.{number}{path.suffix}"
        self._connection.rename(file.path, f"{folder}/{name}")

    def clear(self, file: WaitingFile, checksum: str) -> None:
        """Remove a taken file, or move it to received/ beside it, as the location says.

        A file that is gone is fine. One that is no longer what was taken (it was replaced, or still being written) is
        left: the next run takes it.

        Raises:
            DropLocationUnreachable: it can't be removed.
        """
        with self._reaching(), suppress(FileNotFoundError):
            if self._measure(file)[1] != checksum:
                return
            if self.location.after_receipt == "move":
                self._move(file, RECEIVED)
            else:
                self._connection.remove(file.path)


def _is_left_alone(name: str) -> bool:
    """Whether a name says that the file is no submission: hidden, unfinished, or the manifest."""
    return name == MANIFEST or name.startswith((".", "~")) or name.lower().endswith(_UNFINISHED)


def _never_read(entries: list[Entry]) -> tuple[str, ...]:
    """Names of what no run will ever take: folders of the sender's, links, and uploads that broke off days ago."""
    told = []
    for entry in entries:
        if entry.kind == "directory":
            is_told = entry.name not in (ANSWERS, SET_ASIDE, RECEIVED) and not entry.name.startswith(".")
        elif entry.kind == "file":
            is_told = entry.name.lower().endswith(_UNFINISHED) and time.time() - entry.changed_at > _UNFINISHED_SECONDS
        else:
            is_told = True
        if is_told:
            told.append(shown_name(entry.name))
    return tuple(sorted(told))
