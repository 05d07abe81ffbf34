"""Originals: the files as they came, encrypted, with what was known on arrival, so that the ledger can be rebuilt.

Two formats are read. `FOLLOWUP1`: key version, nonce, the sealed bytes. `FOLLOWUP2` has, before the sealed bytes, a
sealed head (length, nonce, JSON of `Sent`) that is read without opening the rest. Each part is AES-GCM, bound to the
submission's id.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ingest.failures import StorageFailure
from ingest.persons.keys import Keys
from ingest.storing import write_whole

_FIRST, _MAGIC = b"FOLLOWUP1", b"FOLLOWUP2"
_VERSION, _NONCE, _LENGTH = 2, 12, 2
_HEAD = b"\0sent"


class DamagedOriginal(StorageFailure):
    """An encrypted original can't be read back: wrong key, or the file was changed."""


@dataclass(frozen=True)
class Sent:
    """What is known of a file besides its bytes.

    Attributes:
        file_name: as it may be shown.
        submitted_at: UTC, without zone.
        is_synthetic: whether it is marked so.
        sequence: the number of its submission among those of its key.
    """

    file_name: str
    submitted_at: datetime
    is_synthetic: bool
    sequence: int


def encrypt_original(path: Path, raw: bytes, submission_id: str, keys: Keys, sent: Sent) -> None:
    """Store a file as it came, encrypted, and verify it by reading it back.

    Raises:
        DamagedOriginal: what was written does not decrypt to what came.
    """
    _seal(path, raw, submission_id, keys, sent)


def seal_again(path: Path, submission_id: str, keys: Keys) -> None:
    """Encrypt an original anew under the version in use, in its place, and verify by reading it back.

    Its format and the file's time stay: of the first format that time is when it came.

    Raises:
        DamagedOriginal: it can't be read; it is left as it is.
    """
    raw, sent, before = decrypt_original(path, submission_id, keys), read_sent(path, submission_id, keys), path.stat()
    _seal(path, raw, submission_id, keys, sent, (before.st_atime_ns, before.st_mtime_ns))


def _seal(
    path: Path, raw: bytes, submission_id: str, keys: Keys, sent: Sent | None, times: tuple[int, int] | None = None
) -> None:
    cipher, bound = AESGCM(keys.original_keys[keys.original_version]), submission_id.encode()
    version, nonce = keys.original_version.to_bytes(_VERSION, "big"), secrets.token_bytes(_NONCE)
    start = _FIRST + version
    if sent is not None:
        content = [sent.file_name, sent.submitted_at.isoformat(), sent.is_synthetic, sent.sequence]
        own = secrets.token_bytes(_NONCE)
        head = cipher.encrypt(own, json.dumps(content).encode(), bound + _HEAD)
        start = _MAGIC + version + own + len(head).to_bytes(_LENGTH, "big") + head
    write_whole(path, start + nonce, cipher.encrypt(nonce, raw, bound))
    if times is not None:
        os.utime(path, ns=times)
    if decrypt_original(path, submission_id, keys) != raw or read_sent(path, submission_id, keys) != sent:
        raise DamagedOriginal(f"the encrypted copy of submission {submission_id} could not be verified")


def original_version(path: Path) -> int | None:
    """The key version that an encrypted original names; None where it is none."""
    with path.open("rb") as handle:
        head = handle.read(len(_MAGIC) + _VERSION)
    is_one = len(head) == len(_MAGIC) + _VERSION and head[: len(_MAGIC)] in (_FIRST, _MAGIC)
    return int.from_bytes(head[len(_MAGIC) :], "big") if is_one else None


def decrypt_original(path: Path, submission_id: str, keys: Keys) -> bytes:
    """A file as it came.

    Raises:
        DamagedOriginal: the key is missing or wrong, or the file was changed.
    """
    with path.open("rb") as handle:
        cipher, is_first = _opened(handle, submission_id, keys)
        if not is_first:
            _read_head(handle)
        nonce = handle.read(_NONCE)
        try:
            return cipher.decrypt(nonce, handle.read(), submission_id.encode())
        except (InvalidTag, ValueError):
            raise _damaged(submission_id) from None


def read_sent(path: Path, submission_id: str, keys: Keys) -> Sent | None:
    """What was known of a file when it came; None for an original of the first format, which does not say.

    Raises:
        DamagedOriginal: as `decrypt_original`.
    """
    with path.open("rb") as handle:
        cipher, is_first = _opened(handle, submission_id, keys)
        if is_first:
            return None
        nonce, head = _read_head(handle)
        try:
            name, moment, synthetic, sequence = json.loads(cipher.decrypt(nonce, head, submission_id.encode() + _HEAD))
        except (InvalidTag, ValueError):
            raise _damaged(submission_id) from None
        return Sent(name, datetime.fromisoformat(moment), synthetic, sequence)


def _opened(handle: BinaryIO, submission_id: str, keys: Keys) -> tuple[AESGCM, bool]:
    """The cipher of an original whose beginning is read, and whether it is of the first format."""
    magic = handle.read(len(_MAGIC))
    key = keys.original_keys.get(int.from_bytes(handle.read(_VERSION), "big"))
    if magic not in (_FIRST, _MAGIC) or key is None:
        raise DamagedOriginal(
            f"the original of submission {submission_id} can't be read with these keys: restore the keys or landing/"
        )
    return AESGCM(key), magic == _FIRST


def _read_head(handle: BinaryIO) -> tuple[bytes, bytes]:
    return handle.read(_NONCE), handle.read(int.from_bytes(handle.read(_LENGTH), "big"))


def _damaged(submission_id: str) -> DamagedOriginal:
    return DamagedOriginal(
        f"the original of submission {submission_id} was changed, or the key is wrong: restore landing/ or the key file"
    )


def original_id(path: str) -> str:
    """Id of the submission that an encrypted original is bound to: the first with this file, which gave it its name."""
    return path.rpartition("/")[2].removesuffix(".bin")
