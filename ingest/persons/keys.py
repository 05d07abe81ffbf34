"""The installation's secret keys: for persons, for encrypted originals, and for the noise of published counts.

Configured, versioned where they are rotated, never in the repo.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.file_permissions import make_parents
from ingest.settings import SettingsError

_UNFINISHED = ".tmp"


@dataclass(frozen=True)
class Keys:
    """Secret keys.

    Attributes:
        person_secret: 32 bytes, fixed for the installation's life: HMAC of a person's number.
        person_keys: version → 64 bytes, AES-SIV key that wraps that HMAC; rotated without the originals.
        person_version: the version in use.
        original_keys: version → 32 bytes, AES-GCM key of encrypted originals.
        original_version: the version in use.
        noise_secret: 32 bytes, AES key of the deviations of published counts. It is never rotated: under another, every
            figure would be drawn once more. None in a key file that was made before there was one.
    """

    person_secret: bytes = field(repr=False)
    person_keys: dict[int, bytes] = field(repr=False)
    person_version: int
    original_keys: dict[int, bytes] = field(repr=False)
    original_version: int
    noise_secret: bytes | None = field(repr=False, default=None)


def fingerprint(keys: Keys) -> str:
    """A digest that identifies an installation's person keys and reveals nothing of them: 32 hex digits."""
    return hashlib.sha256(b"person keys of this installation\0" + keys.person_secret).hexdigest()[:32]


def make_keys(path: Path) -> None:
    """Draw new keys and write them to a file that only its owner can read.

    Raises:
        FileExistsError: there is a key file already; it is never overwritten, since rows in force hang on it.
    """
    make_parents(path)
    temporary = _written_beside(path, throwaway_keys())
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()


def replace_keys(path: Path, keys: Keys) -> None:
    """Put a key file whole in the place of the one that is there. Killed at any instant, the old or the new is there.

    One writer at a time (the caller holds a lease). The file's owner stays its owner.

    Raises:
        SettingsError: it can't be written; the old one is there.
    """
    path = path.resolve()  # a link to the file stays a link
    try:
        for leftover in path.parent.glob(f"{path.name}.*{_UNFINISHED}"):
            leftover.unlink()
        owner = path.stat()
        temporary = _written_beside(path, keys)
        try:
            if owner.st_uid != os.geteuid():
                os.chown(temporary, owner.st_uid, owner.st_gid)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SettingsError(
            f"{path} can't be written ({error.strerror}): the folder of the key file must be writable while keys change"
        ) from None


def _written_beside(path: Path, keys: Keys) -> Path:
    """A new file beside a key file, for its owner alone, whole and on disk."""

    def encoded(key: bytes) -> str:
        return base64.b64encode(key).decode()

    content = {
        "person_secret": encoded(keys.person_secret),
        "person_keys": {str(version): encoded(key) for version, key in sorted(keys.person_keys.items())},
        "person_version": keys.person_version,
        "original_keys": {str(version): encoded(key) for version, key in sorted(keys.original_keys.items())},
        "original_version": keys.original_version,
        **({"noise_secret": encoded(keys.noise_secret)} if keys.noise_secret else {}),
    }
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(content, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
    return temporary


def with_person_key(keys: Keys, version: int) -> Keys:
    """Keys that have a person key of this version, drawn now where it is new; the version in use stays."""
    return replace(keys, person_keys={version: secrets.token_bytes(64), **keys.person_keys})


def with_original_key(keys: Keys, version: int) -> Keys:
    """Keys under which originals are encrypted with this version from now on, drawn now where it is new."""
    return replace(
        keys, original_keys={version: secrets.token_bytes(32), **keys.original_keys}, original_version=version
    )


def with_noise_secret(keys: Keys) -> Keys:
    """The same keys with a noise secret drawn now."""
    return replace(keys, noise_secret=secrets.token_bytes(32))


def load_keys(path: Path) -> Keys:
    """Read the key file.

    Raises:
        SettingsError: it is missing or no key file; the message says how to make one and never shows a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = Keys(
            person_secret=base64.b64decode(content["person_secret"]),
            person_keys={int(v): base64.b64decode(k) for v, k in content["person_keys"].items()},
            person_version=int(content["person_version"]),
            original_keys={int(v): base64.b64decode(k) for v, k in content["original_keys"].items()},
            original_version=int(content["original_version"]),
            noise_secret=base64.b64decode(content["noise_secret"]) if "noise_secret" in content else None,
        )
    except FileNotFoundError:
        raise SettingsError(
            f"no key file at {path}: put it back from backup, or point FOLLOWUP_KEYS at it; only a new installation "
            "makes one, with `followup doctor --make-keys`"
        ) from None
    except OSError as error:  # the file may be right
        raise SettingsError(
            f"{path} can't be read ({error.strerror}): look at owner and mode (`ls -ld`), of its folders too, or at "
            "FOLLOWUP_KEYS, which names it"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SettingsError(f"{path} is no key file: restore it from your backup") from None
    if (
        len(keys.person_secret) != 32
        or len(keys.person_keys.get(keys.person_version, b"")) != 64
        or len(keys.original_keys.get(keys.original_version, b"")) != 32
        or (keys.noise_secret is not None and len(keys.noise_secret) != 32)
    ):
        raise SettingsError(f"{path} is no key file: a key has the wrong length, or the version in use is missing")
    return keys


def throwaway_keys() -> Keys:
    """Keys drawn now: for a check that stores nothing they are gone with the process."""
    return with_noise_secret(
        Keys(secrets.token_bytes(32), {1: secrets.token_bytes(64)}, 1, {1: secrets.token_bytes(32)}, 1)
    )
