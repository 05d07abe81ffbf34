"""Drop locations: listing what waits, reading it, clearing what is taken. Folders, SFTP and S3 by one code (fsspec)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import fsspec

from ingest.districts import DropLocation

MANIFEST = "SYNTETISK.json"
ANSWERS = "aterkoppling"
SET_ASIDE = "for_stora"
"""Folder, beside the files, for those too large to be read."""
_MANIFEST_AT_MOST = 20_000_000
_CHUNK = 1 << 20
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".swp")


class DropLocationUnreachable(Exception):
    """A district's drop location could not be listed or read. Names the district, never the address's secrets."""

    def __init__(self, district_code: str, reason: str) -> None:
        """Keep the district's code."""
        super().__init__(
            f"drop location of {district_code} can't be reached ({reason}): check its entry in districts.yml"
        )
        self.district_code = district_code


@dataclass(frozen=True)
class WaitingFile:
    """A file in a drop location: its name and where it lies."""

    name: str
    path: str
    size: int


class Source:
    """One district's drop location."""

    def __init__(self, district_code: str, location: DropLocation) -> None:
        """Connect to where the files lie.

        Raises:
            DropLocationUnreachable: no file system for the address, or no connection.
        """
        self.district_code = district_code
        self.location = location
        with self._reaching():
            self._files, self._folder = fsspec.core.url_to_fs(location.url)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever error the location's library has into ours: what matters is which district."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (every file system has errors of its own)
            raise DropLocationUnreachable(self.district_code, type(error).__name__) from None

    def waiting(self) -> list[WaitingFile]:
        """Files that wait, by name. Unfinished uploads, hidden files, folders and the manifest are left alone.

        Raises:
            DropLocationUnreachable: the location can't be listed.
        """
        with self._reaching():
            self._files.invalidate_cache()
            entries: list[dict[str, Any]] = self._files.ls(self._folder, detail=True)
        found = []
        for entry in entries:
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            if entry["type"] != "file" or name == MANIFEST or name.startswith((".", "~")):
                continue
            if name.lower().endswith(_UNFINISHED):
                continue
            found.append(WaitingFile(name, str(entry["name"]), int(entry.get("size") or 0)))
        return sorted(found, key=lambda file: file.name)

    def read(self, file: WaitingFile, limit: int) -> bytes:
        """The file's bytes, at most one more than `limit`.

        Raises:
            DropLocationUnreachable: it can't be read.
        """
        with self._reaching(), self._files.open(file.path, "rb") as handle:
            content: bytes = handle.read(limit + 1)
        return content

    def synthetic_checksums(self) -> frozenset[str]:
        """SHA-256 of the files that the location's manifest declares to be drawn; empty when there is none."""
        path = f"{self._folder.rstrip('/')}/{MANIFEST}"
        with self._reaching():
            if not self._is_plain(path, "file") or self._files.size(path) > _MANIFEST_AT_MOST:
                return frozenset()
            content = self._files.cat_file(path)
        try:
            return frozenset(str(checksum) for checksum in json.loads(content)["files"].values())
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return frozenset()

    def _is_plain(self, path: str, kind: str) -> bool:
        """Whether a path is a file (or directory) of its own, not a link to somewhere else."""
        if not self._files.exists(path):
            return False
        found = self._files.info(path)
        return found["type"] == kind and not found.get("islink")

    def is_synthetic(self, checksum: str, declared: frozenset[str]) -> bool:
        """Whether the file with this SHA-256 is drawn: by the manifest, or because all that arrives here is."""
        return self.location.synthetic or checksum in declared

    def answer(self, name: str, content: bytes) -> None:
        """Leave an answer for the sender in the folder `aterkoppling/` beside the files; an older one is replaced.

        Raises:
            DropLocationUnreachable: it can't be written, or the folder is a link to somewhere else.
        """
        folder = f"{self._folder.rstrip('/')}/{ANSWERS}"
        with self._reaching():
            self._files.makedirs(folder, exist_ok=True)
            if not self._is_plain(folder, "directory"):
                raise NotADirectoryError
            self._files.pipe_file(f"{folder}/{name}.part", content)
            if self._files.exists(f"{folder}/{name}"):
                self._files.rm_file(f"{folder}/{name}")
            self._files.mv(f"{folder}/{name}.part", f"{folder}/{name}")

    def measure(self, file: WaitingFile) -> tuple[int, str]:
        """Size in bytes and SHA-256 of a file as it lies there now, read piece by piece.

        Raises:
            DropLocationUnreachable: it can't be read.
        """
        digest, size = hashlib.sha256(), 0
        with self._reaching(), self._files.open(file.path, "rb") as handle:
            while piece := handle.read(_CHUNK):
                digest.update(piece)
                size += len(piece)
        return size, digest.hexdigest()

    def set_aside(self, file: WaitingFile) -> None:
        """Move a file that is too large to be read into `for_stora/` beside it: it stays with the sender.

        Raises:
            DropLocationUnreachable: it can't be moved.
        """
        self._move(file, SET_ASIDE)

    def _move(self, file: WaitingFile, folder_name: str) -> None:
        folder = f"{self._folder.rstrip('/')}/{folder_name}"
        with self._reaching(), suppress(FileNotFoundError):
            self._files.makedirs(folder, exist_ok=True)
            self._files.mv(file.path, f"{folder}/{file.name}")

    def clear(self, file: WaitingFile, checksum: str) -> None:
        """Remove a taken file, or move it to received/ beside it, as the location says.

        A file that is gone is fine. One that is no longer what was taken (it was replaced, or still being written) is
        left: the next run takes it.

        Raises:
            DropLocationUnreachable: it can't be removed.
        """
        with self._reaching(), suppress(FileNotFoundError):
            if not self._files.exists(file.path) or self.measure(file)[1] != checksum:
                return
            if self.location.after_receipt == "move":
                self._move(file, "received")
            else:
                self._files.rm_file(file.path)
