"""Where backups are: a folder, SFTP or S3 with `objects/` (encrypted contents) and `sets/` (what each backup holds).

It is reached like a drop location, by the same code; nobody else is to write there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import ValidationError

from followup.backup.sealing import BackupKey, DamagedObject
from ingest.districts import DropLocation
from ingest.failures import StorageFailure
from ingest.locations.connecting import connect, reason
from ingest.locations.entries import Connection, FileChanged
from ingest.locations.logins import read_login
from ingest.settings import Settings, SettingsError, first_complaint

Folder = Literal["objects", "sets"]
_ABOUT = "followup-backup.json"
_LOGIN_OPTIONS = frozenset(
    {"password", "key_file", "key_passphrase", "known_hosts", "access_key", "secret_key", "endpoint_url", "region"}
)
_STEP_SECONDS = 60.0
"""What one step may take, beside the time for its bytes."""
_SLOWEST = 100_000
"""Bytes a second."""
_MOST_NAMES = 10_000_000
_REMEDIES = {
    "its disk is full": "make room there and run this again",
    "the folder is not there": "make it, or mount its disk, and run this again",
}


class BackupLocationFailed(StorageFailure):
    """The place of the backups can't be used; the message says why and what to do. Earlier backups are whole."""


def location_of(settings: Settings, url: str | None = None) -> DropLocation:
    """The place of an installation's backups, with how to log in there.

    Args:
        settings: of which FOLLOWUP_BACKUP_LOGIN names the file with passwords and keys.
        url: instead of FOLLOWUP_BACKUP_URL.

    Raises:
        SettingsError: no place is named, or it can't be read; no secret is repeated.
    """
    where = url or settings.backup_url
    if where is None:
        raise SettingsError("no place is named for backups: give its URL, or set FOLLOWUP_BACKUP_URL")
    options: dict[str, str] = {}
    if "://" in where and not where.startswith("file://"):
        options = read_login(settings.backup_login, "FOLLOWUP_BACKUP_LOGIN", _LOGIN_OPTIONS)
    else:
        path = Path(where.removeprefix("file://")).expanduser().absolute()
        if path.is_relative_to(settings.home.absolute()) or settings.home.absolute().is_relative_to(path):
            raise SettingsError(f"{where} is inside FOLLOWUP_HOME, or around it: name a folder on another disk")
        where = str(path)
    try:
        return DropLocation.model_validate({"url": where.rstrip("/"), **options})
    except ValidationError as error:
        _, complaint = first_complaint(error)
    raise SettingsError(f"FOLLOWUP_BACKUP_URL or FOLLOWUP_BACKUP_LOGIN: {complaint}")


class BackupLocation:
    """The place of an installation's backups, open until the end of a `with` block."""

    def __init__(self, location: DropLocation, key: BackupKey, *, make: bool = False) -> None:
        """Connect, and see that backups under this key are there.

        Args:
            location: where.
            key: that of the backups.
            make: begin backups there when it is empty.

        Raises:
            BackupLocationFailed: it can't be reached, holds no backups, other files, or backups under another key.
        """
        self._location, self._key = location, key
        self._open: dict[str, Connection] = {}
        try:
            self._require_ours(make)
        except BaseException:
            self.close()
            raise

    @property
    def shown(self) -> str:
        """Its address, which holds no secret."""
        return self._location.url

    def __enter__(self) -> Self:
        """The location itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open.values():
            with suppress(Exception):
                connection.close()
        self._open.clear()

    def sizes(self, folder: Folder) -> dict[str, int]:
        """The names of all that is in a folder, with their sizes in bytes.

        Raises:
            BackupLocationFailed: it can't be listed. (From every method: it can't be reached.)
        """
        with self._step(folder) as connection:
            return {entry.name: entry.size for entry in connection.list(_MOST_NAMES) if entry.kind == "file"}

    def write(self, folder: Folder, name: str, content: bytes) -> None:
        """Encrypt a content, put it in place whole, and read it back.

        Raises:
            BackupLocationFailed: it can't be written, or what was read back is something else.
        """
        sealed = self._key.seal(content, name)
        with self._step(folder, len(sealed)) as connection:
            connection.put_whole("", name, sealed)
        try:
            is_same = self.read(folder, name) == content
        except DamagedObject:
            is_same = False
        if not is_same:
            raise self._failed("what was just written there reads back otherwise", "look at its disk, and run it again")

    def read(self, folder: Folder, name: str) -> bytes:
        """A content.

        Raises:
            DamagedObject: it is missing, or not what was written.
        """
        with self._step(folder) as connection:
            entry = connection.look(name)
        if entry is None or entry.kind != "file":
            raise DamagedObject(f"{name} is missing in the backups at {self.shown}")
        try:
            with self._step(folder, entry.size) as connection:
                sealed = b"".join(connection.pieces(name, entry.mark, entry.size + 1))
        except FileChanged:
            raise DamagedObject(f"{name} in the backups at {self.shown} changed while it was read") from None
        return self._key.open(sealed, name)

    def remove(self, folder: Folder, name: str) -> None:
        """Remove what has a name, where anything has."""
        with self._step(folder) as connection, suppress(FileNotFoundError):
            connection.remove(name)

    def _require_ours(self, make: bool) -> None:
        with self._step("") as connection:
            entries = connection.list(_MOST_NAMES)
            about = next((entry for entry in entries if entry.name == _ABOUT), None)
            content = b"".join(connection.pieces(_ABOUT, about.mark, 10_000)) if about is not None else None
        if content is None:
            strangers = [entry for entry in entries if entry.name not in ("objects", "sets", "lost+found")]
            if not make:
                raise self._failed("there are no backups", "see that the address is right")
            if strangers:
                raise self._failed("it holds other files", "name an empty folder")
            said = json.dumps({"format": 1, "key": self._key.fingerprint}).encode()
            with self._step("", len(said)) as connection:
                for folder in ("objects", "sets"):
                    connection.put_whole(folder, ".followup", b"")
                connection.put_whole("", _ABOUT, said)
            return
        try:
            found = json.loads(content)
            is_known, its_key = found["format"] == 1, str(found["key"])
        except (ValueError, KeyError, TypeError):
            raise self._failed(f"{_ABOUT} there is damaged", "restore that file, or name another folder") from None
        if not is_known:
            raise self._failed("the backups were written by a newer version", "update this one")
        if its_key != self._key.fingerprint:
            raise self._failed("the backups were made with another backup key", "put back that key's file")

    @contextmanager
    def _step(self, folder: Folder | Literal[""], size: int = 0) -> Iterator[Connection]:
        """One step in a folder, within its time; what fails is put into words."""
        try:
            connection = self._open.get(folder) or self._connected(folder)
            with connection.within(_STEP_SECONDS + size / _SLOWEST):
                yield connection
        except (FileChanged, FileNotFoundError) as error:
            if folder in self._open:  # of one name, not of the whole place
                raise FileChanged from None
            raise self._failed(reason(error, self._location)) from None
        except StorageFailure:
            raise
        except Exception as error:  # noqa: BLE001  (every file system has errors of its own)
            raise self._failed(reason(error, self._location)) from None

    def _connected(self, folder: Folder | Literal[""]) -> Connection:
        url = f"{self._location.url}/{folder}" if folder else self._location.url
        where = self._location.model_copy(update={"url": url})
        connection = self._open[folder] = connect(where, float(10 * where.timeout_seconds))
        return connection

    def _failed(self, why: str, remedy: str | None = None) -> BackupLocationFailed:
        remedy = remedy or _REMEDIES.get(why, "see that it can be reached and written to, and run this again")
        return BackupLocationFailed(f"the backups at {self.shown}: {why}: {remedy}; earlier backups are as they were")
