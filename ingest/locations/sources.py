"""Sources: list, read and clear the files in a district's drop location, be it a folder, SFTP or S3.

Whatever a district can write to is hostile; `entries` says how that is met. Here each step gets a time limit, so that a
location that answers slowly is given up too.
"""

from __future__ import annotations

import errno
import hashlib
import json
import posixpath
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ingest.districts import DropLocation
from ingest.locations.connecting import connect, reason
from ingest.locations.entries import Connection, Entry, FileChanged, Kind
from ingest.locations.settling import unsettled
from ingest.naming import shown_name

MANIFEST = "SYNTETISK.json"
FEEDBACK_FOLDER = "aterkoppling"
SET_ASIDE = "for_stora"
"""Folder, beside the files, for those too large to be read."""
RECEIVED = "received"
"""Folder, beside the files, for those taken, where the location says so."""
_MANIFEST_AT_MOST = 20_000_000
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".swp")
_UNFINISHED_SECONDS = 24 * 3600
_OF_PROGRAMS = ("~$", ".~lock.", ".ds_store", "._", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
"""How the files that Excel, LibreOffice, Finder and Explorer leave in a folder begin, in small letters."""
_WHAT: dict[Kind, str] = {
    "file": "an upload that broke off",
    "folder": "a folder",
    "link": "a link",
    "hard link": "a hard link: the file has another name too",
    "other": "no file",
}
_MOST_NAMES = 10_000
"""In one location. A unit sends some hundred files a year."""
_MOST_SHOWN = 50
_MOST_NUMBERS = 99
_STEM_BYTES, _LONGEST_SUFFIX = 200, 10
_STEP_SECONDS = 1.0
"""Seconds that a step may take at no cost to `_PATIENCE`; the time for its bytes is added."""
_SLOWEST = 100_000
"""Bytes a second."""
_MOST_MOVED = 1_000_000_000
_PATIENCE = 10
"""Times `timeout_seconds` that a location may be late, all steps of a run together."""


class DropLocationUnreachable(Exception):
    """A district's drop location could not be listed or read. Names the district, never the address's secrets."""

    def __init__(self, district_code: str, reason: str) -> None:
        """Store the district's code, and why."""
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
    size: int
    mark: str = ""
    is_settled: bool = True


class Source:
    """One district's drop location, open until `close` (or the end of a `with` block)."""

    def __init__(self, district_code: str, location: DropLocation) -> None:
        """Connect to the drop location.

        Raises:
            DropLocationUnreachable: no connection.
        """
        self.district_code = district_code
        self.location = location
        self._patience = float(_PATIENCE * location.timeout_seconds)
        try:
            self._connection: Connection = connect(location, self._patience)
        except Exception as error:  # noqa: BLE001  (every file system has errors of its own)
            raise DropLocationUnreachable(district_code, reason(error, location)) from None
        self._manifest: Entry | None = None
        self.passed_over: tuple[str, ...] = ()
        """Names, fit to be shown, of the files that programs left in the last listing (`~$….xlsx`, `Thumbs.db`)."""
        self.never_read: tuple[str, ...] = ()
        """Names, fit to be shown, of what the last listing held and no run will ever take."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _step(self, size: int = 0, *, is_change: bool = False) -> Iterator[None]:
        """Run one step that moves so many bytes, within its time limit; errors of the location's library become ours.

        Of a step that changes something there (`is_change`) and is denied these say that it could be read.

        Raises:
            FileNotReady: the file has changed.
            DropLocationUnreachable: any other error.
        """
        began, due = time.monotonic(), _STEP_SECONDS + size / _SLOWEST
        try:
            with self._connection.within(due + self._patience):
                yield
        except FileNotReady:
            raise
        except FileChanged:
            raise FileNotReady from None
        except Exception as error:  # noqa: BLE001  (every file system has errors of its own)
            why = reason(error, self.location)
            is_denied = isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.EROFS
            said = f"files can be read there, and not written or removed: {why}" if is_change and is_denied else why
            raise DropLocationUnreachable(self.district_code, said) from None
        finally:
            self._patience = max(0.0, self._patience - max(0.0, time.monotonic() - began - due))

    def listed(self) -> list[WaitingFile]:
        """Files that wait, by name, all counted as settled: nothing is written to find out.

        Raises:
            DropLocationUnreachable: the location can't be listed.
        """
        return self._waiting(0)

    def waiting(self) -> list[WaitingFile]:
        """Files that wait, by name, each with whether it is settled.

        Unfinished uploads, hidden files, files that programs leave, folders, links and the manifest are left alone: see
        `passed_over` and `never_read`.

        Raises:
            DropLocationUnreachable: the location can't be listed.
        """
        return self._waiting(self.location.settle_seconds)

    def is_changeable(self) -> bool:
        """Whether taken files can be removed there, as far as that is told without doing it.

        Raises:
            DropLocationUnreachable: the location does not answer.
        """
        with self._step():
            return self._connection.is_changeable()

    def _waiting(self, settle_seconds: int) -> list[WaitingFile]:
        with self._step():
            entries = self._connection.list(_MOST_NAMES)
            files = [entry for entry in entries if entry.kind == "file" and not _is_left_alone(entry.name)]
            growing = unsettled(self._connection, files, settle_seconds)
        self.passed_over = _passed_over(entries)
        self.never_read = _never_read(entries)
        self._manifest = next((entry for entry in entries if entry.name == MANIFEST), None)
        return [
            WaitingFile(entry.name, entry.size, entry.mark, entry.name not in growing)
            for entry in sorted(files, key=lambda entry: entry.name)
        ]

    def read(self, file: WaitingFile, limit: int) -> bytes:
        """The file's bytes, at most one more than `limit`, as it was when it was listed.

        Raises:
            FileNotReady: it is gone, has changed since it was listed, or may not be opened.
            DropLocationUnreachable: it can't be read.
        """
        with self._step(min(file.size, limit + 1)):
            try:
                return b"".join(self._connection.pieces(file.name, file.mark, limit + 1))
            except (FileNotFoundError, PermissionError):
                raise FileNotReady from None

    def synthetic_checksums(self) -> frozenset[str]:
        """SHA-256 of the files that the location's manifest, as last listed, declares to be drawn; empty when there is
        none.

        Raises:
            DropLocationUnreachable: it is there and can't be read.
        """
        found = self._manifest
        if found is None or found.kind != "file" or found.size > _MANIFEST_AT_MOST:
            return frozenset()
        try:
            with self._step(found.size):
                content = b"".join(self._connection.pieces(MANIFEST, found.mark, _MANIFEST_AT_MOST))
        except FileNotReady:  # nothing is declared by a list that changes
            return frozenset()
        try:
            return frozenset(str(checksum) for checksum in json.loads(content)["files"].values())
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return frozenset()

    def is_synthetic(self, checksum: str, declared: frozenset[str]) -> bool:
        """Whether the file with this SHA-256 is drawn: by the manifest, or because all that arrives here is."""
        return self.location.synthetic or checksum in declared

    def leave_feedback(self, name: str, content: bytes) -> None:
        """Write feedback for the sender into the folder `aterkoppling/` beside the files; an older one is replaced.

        Raises:
            DropLocationUnreachable: it can't be written, or the folder is a link to somewhere else.
        """
        with self._step(len(content), is_change=True):
            self._connection.put_whole(FEEDBACK_FOLDER, name, content)

    def remove_feedback(self, name: str) -> None:
        """Remove the feedback on an earlier file, where there is one.

        Raises:
            DropLocationUnreachable: it can't be removed, or the folder is a link to somewhere else.
        """
        with self._step(is_change=True), suppress(FileNotFoundError):
            if self._connection.look(name, FEEDBACK_FOLDER) is not None:
                self._connection.remove(name, FEEDBACK_FOLDER)

    def measure(self, file: WaitingFile, at_most: int) -> tuple[int, str]:
        """Size in bytes and SHA-256 of a file as it is now, read piece by piece.

        Of a file larger than `at_most` bytes, only the beginning is hashed: a sparse file costs its sender nothing and
        would cost us hours.

        Raises:
            FileNotReady: it is gone, is no file any more, or is being written.
            DropLocationUnreachable: it can't be read.
        """
        with self._step(min(file.size, at_most)):
            found = self._connection.look(file.name)
            if found is None or found.kind != "file":
                raise FileNotReady
            digest = hashlib.sha256()
            for piece in self._connection.pieces(found.name, found.mark, at_most):
                digest.update(piece)
            return found.size, digest.hexdigest()

    def set_aside(self, file: WaitingFile) -> None:
        """Move a file that is too large to be read into `for_stora/` beside it: it stays with the sender.

        Raises:
            DropLocationUnreachable: it can't be moved.
        """
        self._move(file, SET_ASIDE)

    def _move(self, file: WaitingFile, folder: str) -> None:
        """Move a file into a folder beside it; one that is there already keeps its name, the new one gets a number."""
        with self._step(min(file.size, _MOST_MOVED), is_change=True), suppress(FileNotFoundError):
            name, number = file.name, 1
            while self._connection.look(name, folder) is not None:
                number += 1
                name = _numbered(file.name, str(number) if number <= _MOST_NUMBERS else secrets.token_hex(8))
            self._connection.move(file.name, folder, name)

    def clear(self, file: WaitingFile, checksum: str) -> None:
        """Remove a taken file, or move it to received/ beside it, as the location says.

        A file that is gone is fine. One that is no longer what was taken (it was replaced, or still being written) is
        left: the next run takes it.

        Raises:
            DropLocationUnreachable: it can't be removed.
        """
        try:
            size, found = self.measure(file, file.size)
        except FileNotReady:
            return
        if size != file.size or found != checksum:
            return
        if self.location.after_receipt == "move":
            self._move(file, RECEIVED)
        else:
            with self._step(is_change=True), suppress(FileNotFoundError):
                self._connection.remove(file.name)


def _numbered(name: str, number: str) -> str:
    """A name with a number before its ending, still short enough to be a name."""
    stem, suffix = posixpath.splitext(name)
    if len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    short = stem.encode("utf-8", "surrogateescape")[:_STEM_BYTES].decode("utf-8", "ignore")
    return f"{short}.{number}{suffix}"


def _is_left_alone(name: str) -> bool:
    """Whether a name says that the file is no submission: hidden, a program's own, unfinished, or the manifest."""
    return (
        name == MANIFEST
        or name.startswith((".", "~"))
        or name.lower().startswith(_OF_PROGRAMS)
        or name.lower().endswith(_UNFINISHED)
    )


def _passed_over(entries: list[Entry]) -> tuple[str, ...]:
    """Names of the files that programs leave beside the files that they show or have open."""
    named = [e.name for e in entries if e.kind == "file" and e.name.lower().startswith(_OF_PROGRAMS)]
    return tuple(shown_name(name) for name in sorted(named)[:_MOST_SHOWN])


def _never_read(entries: list[Entry]) -> tuple[str, ...]:
    """Names that no run will take, and why: the sender's folders, links, hard links, and uploads cut off days ago."""
    named = []
    for entry in entries:
        if entry.kind == "folder":
            if entry.name in (FEEDBACK_FOLDER, SET_ASIDE, RECEIVED) or entry.name.startswith("."):
                continue
        elif entry.kind == "file":
            is_old = time.time() - entry.changed_at > _UNFINISHED_SECONDS
            if not (entry.name.lower().endswith(_UNFINISHED) and is_old):
                continue
        named.append(f"{shown_name(entry.name)} ({_WHAT[entry.kind]})")
    more = len(named) - _MOST_SHOWN
    return (*sorted(named)[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else []))
