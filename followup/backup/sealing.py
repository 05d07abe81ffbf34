"""The backup key: encrypting the objects of a backup, and naming each by its content so that it is stored once.

The key is one of its own, apart from the installation's keys: whoever has it and the backups can read what is stored,
and still no original without the key file, which is in no backup.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ingest.failures import StorageFailure
from ingest.file_permissions import make_parents
from ingest.settings import Settings, SettingsError

_MAGIC, _NONCE, _TAG = b"FOLLOWUPB1", 12, 16
OVERHEAD = len(_MAGIC) + _NONCE + _TAG
"""Bytes that an encrypted object is longer than its content."""


class DamagedObject(StorageFailure):
    """An object of a backup was changed or cut, or is under another key."""


@dataclass(frozen=True)
class BackupKey:
    """The key: 32 bytes, from which one for contents and one for names are derived."""

    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """A digest that identifies the key and reveals nothing of it: 32 hex digits."""
        return hashlib.sha256(b"backup key\0" + self.secret).hexdigest()[:32]

    def name_of(self, content: bytes) -> str:
        """The name of a content: 64 hex digits. Without the key nobody can tell whether a known file is stored."""
        return hmac.digest(self._derived(b"names"), content, "sha256").hex()

    def seal(self, content: bytes, name: str) -> bytes:
        """Encrypt a content, bound to its name."""
        nonce = secrets.token_bytes(_NONCE)
        return _MAGIC + nonce + AESGCM(self._derived(b"contents")).encrypt(nonce, content, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """The content of an encrypted object.

        Raises:
            DamagedObject: it is not what was sealed under this name with this key.
        """
        nonce, rest = sealed[len(_MAGIC) : len(_MAGIC) + _NONCE], sealed[len(_MAGIC) + _NONCE :]
        try:
            if not sealed.startswith(_MAGIC):
                raise InvalidTag
            return AESGCM(self._derived(b"contents")).decrypt(nonce, rest, name.encode())
        except (InvalidTag, ValueError):
            raise DamagedObject(f"{name} in the backups is damaged, or under another key") from None

    def _derived(self, what: bytes) -> bytes:
        return HKDF(SHA256(), 32, None, b"followup backup\0" + what).derive(self.secret)


def make_backup_key(settings: Settings) -> Path:
    """Draw the backup key and write it to a file that only its owner can read; returns its path.

    Raises:
        FileExistsError: there is one; it is never overwritten, for backups hang on it.
        SettingsError: it would be inside FOLLOWUP_HOME.
    """
    path = settings.backup_key
    _require_apart(settings, path)
    make_parents(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            json.dump({"backup_key": base64.b64encode(secrets.token_bytes(32)).decode()}, handle)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path


def load_backup_key(settings: Settings) -> BackupKey:
    """Read the backup key.

    Raises:
        SettingsError: it is missing, no backup key, open to others, or inside FOLLOWUP_HOME.
    """
    path = settings.backup_key
    _require_apart(settings, path)
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} can be read by others: chmod 600 {path}")
        secret = base64.b64decode(json.loads(path.read_text(encoding="utf-8"))["backup_key"], validate=True)
    except FileNotFoundError:
        raise SettingsError(
            f"no backup key at {path}: put back its copy, or point FOLLOWUP_BACKUP_KEY at it; before the first backup "
            "`followup backup --make-key` draws one"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror}): look at owner and mode (`ls -ld`)") from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{path} is no backup key: put back its copy") from None
    if len(secret) != 32:
        raise SettingsError(f"{path} is no backup key: put back its copy")
    return BackupKey(secret)


def _require_apart(settings: Settings, path: Path) -> None:
    if path.absolute().is_relative_to(settings.home.absolute()):
        raise SettingsError(f"FOLLOWUP_BACKUP_KEY ({path}) is inside FOLLOWUP_HOME: store it apart from the data")
