"""The spool: files that wait to be checked or confirmed, encrypted from their first byte on disk.

A file is a head, then sealed pieces. The head: `FOLLOWUPS1`, the version of the originals' key, a salt; from key, salt
and the upload's id comes a key of its own. Pieces are AES-GCM with their number and whether they are the last in the
nonce, so that a file that was cut, joined or put in another order does not open. The first piece holds the file's name
as it came.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ingest.failures import StorageFailure
from ingest.file_permissions import make_folder
from ingest.persons.keys import Keys
from ingest.settings import Settings

PIECE_BYTES = 1 << 20
_MAGIC = b"FOLLOWUPS1"
_VERSION, _SALT, _LENGTH, _TAG = 2, 32, 4, 16
_HEAD = len(_MAGIC) + _VERSION + _SALT
_UNFINISHED, _WHOLE = ".tmp", ".bin"
REPORT, WORKBOOK, PREVIEW = ".json", ".xlsx", ".preview.json"


class DamagedSpool(StorageFailure):
    """A spooled file is missing, was changed or cut, or its key is gone; its sender has to send it again."""


class Spool:
    """The folder of spooled files, and of what was answered on them. Files are for their owner alone."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is made or opened yet."""
        self.folder = settings.home / "spool"

    def path_of(self, upload_id: str, ending: str = _WHOLE) -> Path:
        """Path of an upload's file, or of an answer on it."""
        if not (upload_id.isascii() and upload_id.isalnum()):
            raise ValueError("no upload's id")
        return self.folder / f"{upload_id}{ending}"

    def write(self, upload_id: str, name: str, keys: Keys) -> SpoolWriter:
        """Begin a file; it counts once the writer is finished."""
        make_folder(self.folder)
        return SpoolWriter(self.path_of(upload_id), upload_id, name, keys)

    def open(self, upload_id: str, keys: Keys) -> SpoolReader:
        """Open a file for reading.

        Raises:
            DamagedSpool: see there.
        """
        try:
            handle = self.path_of(upload_id).open("rb")
        except FileNotFoundError:
            raise _damaged(upload_id) from None
        return SpoolReader(handle, upload_id, keys)

    def read(self, upload_id: str, keys: Keys) -> tuple[str, bytes]:
        """The name and the bytes of a file, as they came.

        Raises:
            DamagedSpool: see there.
        """
        with self.open(upload_id, keys) as reader:
            return reader.name, b"".join(reader.pieces())

    def write_answer(self, upload_id: str, ending: str, content: bytes) -> None:
        """Put an answer in place whole."""
        make_folder(self.folder)
        path = self.path_of(upload_id, ending)
        temporary = path.with_name(f".{path.name}{_UNFINISHED}")
        with _private(temporary) as handle:
            _to_disk(handle, content)
        temporary.replace(path)

    def read_answer(self, upload_id: str, ending: str) -> bytes | None:
        """An answer; None where there is none."""
        try:
            return self.path_of(upload_id, ending).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, upload_id: str, *, keep_answers: bool = False) -> None:
        """Remove a file, and what was answered on it."""
        unfinished = self.path_of(upload_id).with_name(f".{upload_id}{_WHOLE}{_UNFINISHED}")
        answers = [] if keep_answers else [self.path_of(upload_id, ending) for ending in (REPORT, WORKBOOK, PREVIEW)]
        for path in (self.path_of(upload_id), unfinished, *answers):
            path.unlink(missing_ok=True)

    def is_whole(self, upload_id: str) -> bool:
        """Whether a whole file of an upload is here."""
        return upload_id.isascii() and upload_id.isalnum() and self.path_of(upload_id).is_file()

    def key_versions(self) -> list[int]:
        """The version of the originals' key that each whole file is under, ascending."""
        found = []
        for path in self.folder.glob(f"*{_WHOLE}"):
            with suppress(FileNotFoundError), path.open("rb") as handle:
                found.append(int.from_bytes(handle.read(_HEAD)[len(_MAGIC) : len(_MAGIC) + _VERSION], "big"))
        return sorted(found)

    def touched_at(self, upload_id: str) -> float:
        """When anything of an upload was written last, in seconds since 1970; 0 where nothing is here."""
        own = [path for path in self.folder.iterdir() if path.name.lstrip(".").startswith(f"{upload_id}.")]
        return max((path.stat().st_mtime for path in own), default=0.0)

    def ids(self) -> set[str]:
        """Uploads of which anything is here, unfinished or whole."""
        try:
            return {entry.name.lstrip(".").partition(".")[0] for entry in os.scandir(self.folder)}
        except FileNotFoundError:
            return set()


class SpoolWriter:
    """Writes one file: pieces are sealed before they reach the disk. Leaving the block unfinished removes it."""

    def __init__(self, path: Path, upload_id: str, name: str, keys: Keys) -> None:
        """Begin the file."""
        self._path, self._temporary = path, path.with_name(f".{path.name}{_UNFINISHED}")
        salt = secrets.token_bytes(_SALT)
        version = keys.original_version
        self._cipher, self._upload_id = _cipher(keys.original_keys[version], salt, upload_id), upload_id
        self._waiting, self._number, self._is_finished = bytearray(), 0, False
        self._checksum, self.size = hashlib.sha256(), 0
        self._handle = _private(self._temporary)
        try:
            self._handle.write(_MAGIC + version.to_bytes(_VERSION, "big") + salt)
            self._seal(name.encode("utf-8", "surrogatepass"), is_last=False)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; remove what is unfinished."""
        self._handle.close()
        if not self._is_finished:
            self._temporary.unlink(missing_ok=True)

    @property
    def checksum(self) -> str:
        """The SHA-256 of what was written, hexadecimal."""
        return self._checksum.hexdigest()

    def write(self, content: bytes | memoryview) -> None:
        """Add bytes.

        Raises:
            OSError: the disk is full or fails.
        """
        self._checksum.update(content)
        self.size += len(content)
        self._waiting += content
        while len(self._waiting) > PIECE_BYTES:  # the last piece is known only at the end
            self._seal(bytes(self._waiting[:PIECE_BYTES]), is_last=False)
            del self._waiting[:PIECE_BYTES]

    def finish(self) -> None:
        """Put the file in place: all on disk, then under its name.

        Raises:
            OSError: the disk is full or fails.
        """
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()
        _to_disk(self._handle, b"")
        self._handle.close()
        self._temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._is_finished = True

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, is_last), piece, self._upload_id.encode())
        self._handle.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
        self._number += 1


class SpoolReader:
    """Reads one file piece by piece; nothing is given out that was not verified."""

    def __init__(self, handle: BinaryIO, upload_id: str, keys: Keys) -> None:
        """Read the head and the name.

        Raises:
            DamagedSpool: it is no spooled file of this upload under these keys.
        """
        self._handle, self._upload_id, self._number = handle, upload_id, 0
        try:
            head = handle.read(_HEAD)
            key = keys.original_keys.get(int.from_bytes(head[len(_MAGIC) : len(_MAGIC) + _VERSION], "big"))
            if len(head) != _HEAD or not head.startswith(_MAGIC) or key is None:
                raise _damaged(upload_id)
            self._cipher = _cipher(key, head[-_SALT:], upload_id)
            self.name = self._piece()[0].decode("utf-8", "surrogatepass")
        except BaseException:
            handle.close()
            raise

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._handle.close()

    def pieces(self) -> Iterator[bytes]:
        """The file's bytes.

        Raises:
            DamagedSpool: a piece was changed, or pieces lack at the end.
        """
        is_last = False
        while not is_last:
            piece, is_last = self._piece()
            yield piece
        if self._handle.read(1):
            raise _damaged(self._upload_id)

    def _piece(self) -> tuple[bytes, bool]:
        """The next piece, and whether it is the last."""
        length = int.from_bytes(self._handle.read(_LENGTH), "big")
        if not _TAG <= length <= PIECE_BYTES + _TAG:
            raise _damaged(self._upload_id)
        sealed = self._handle.read(length)
        for is_last in (False, True):
            try:
                piece = self._cipher.decrypt(_nonce(self._number, is_last), sealed, self._upload_id.encode())
            except (InvalidTag, ValueError):
                continue
            self._number += 1
            return piece, is_last
        raise _damaged(self._upload_id)


def _cipher(key: bytes, salt: bytes, upload_id: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"spool\0" + upload_id.encode()).derive(key))


def _nonce(number: int, is_last: bool) -> bytes:
    """Of one file's key each nonce is used once: the piece's number, and whether it is the last."""
    return number.to_bytes(11, "big") + bytes([is_last])


def _private(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _to_disk(handle: BinaryIO, content: bytes) -> None:
    handle.write(content)
    handle.flush()
    os.fsync(handle.fileno())


def _damaged(upload_id: str) -> DamagedSpool:
    return DamagedSpool(
        f"the spooled file of upload {upload_id} is missing, damaged, or under a lost key: send it again"
    )
