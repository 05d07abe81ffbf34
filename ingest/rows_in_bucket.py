"""Validated rows as objects of an S3-compatible bucket: an object is seen whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from ingest.districts import DropLocation
from ingest.failures import StorageFailure
from ingest.locations.connecting import reason
from ingest.locations.logins import read_login
from ingest.locations.s3_folder import S3Connection, error_code
from ingest.row_files import ROWS, RowFiles
from ingest.settings import Settings, SettingsError, first_complaint

P = ParamSpec("P")
R = TypeVar("R")
_LOGIN_OPTIONS = ("access_key", "secret_key", "endpoint_url", "region")
_TIMEOUT_SECONDS = 60
_RIGHTS = "give this service's key the right to list, read, write and remove objects there, then run this again"
_REACHED = "see that it can be reached, and that FOLLOWUP_VALIDATED_LOGIN is right, then run this again"
Versioning = Literal["none", "suspended", "kept", "unknown"]


class RowsUnreachable(StorageFailure):
    """The bucket of validated rows can't be used; the message says why and what to do. What is stored stays."""


class BucketOfRows(RowFiles):
    """A prefix of a bucket. Nothing of it is stored on this machine; reading is for several threads at once."""

    at_once = 8

    def __init__(self, location: DropLocation) -> None:
        """Take the address; the first request connects."""
        self._location, self._connection = location, S3Connection(location)
        self.shown = f"at {location.url} (FOLLOWUP_VALIDATED)"

    def local(self, name: str) -> Path | None:
        """As `RowFiles.local`: None but for a preview's file."""
        return Path(name) if Path(name).is_absolute() else None

    def read(self, name: str) -> bytes:
        """As `RowFiles.read`.

        Raises:
            RowsUnreachable: the bucket can't be read.
        """
        if (path := self.local(name)) is not None:
            return path.read_bytes()
        return self._do(self._connection.read_whole, _key(name))

    def is_there(self, name: str) -> bool:
        """As `RowFiles.is_there`.

        Raises:
            RowsUnreachable: as `read`.
        """
        return self._do(self._connection.look, _key(name)) is not None

    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """As `RowFiles.write`. What was written is read back.

        Raises:
            RowsUnreachable: it can't be written, or reads back otherwise.
        """
        whole = bytes(content)
        try:
            self._do(self._connection.put_whole, "", _key(name), whole)
            is_same = self._do(self._connection.read_whole, _key(name)) == whole
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise self._failed(
                "what was just written there reads back otherwise", "look at the server, and run this again"
            )

    def remove(self, name: str) -> None:
        """As `RowFiles.remove`.

        Raises:
            RowsUnreachable: it can't be removed.
        """
        with suppress(FileNotFoundError):
            self._do(self._connection.remove, _key(name))

    def names(self, *below: str) -> list[str]:
        """As `RowFiles.names`.

        Raises:
            RowsUnreachable: the bucket can't be listed.
        """
        keys = self._do(lambda: list(self._connection.keys_below("/".join(below))))
        return sorted(f"{ROWS}/{key}" for key in keys if key.endswith(".parquet"))

    def remove_unfinished(self, district_code: str) -> None:
        """Nothing: an object that was not written whole is not there."""

    def versioning(self) -> Versioning:
        """Try the bucket with a small object, and ask whether it keeps old versions of objects.

        Returns:
            `none`; `suspended` (it did once); `kept`; or `unknown`, where this key may not ask.

        Raises:
            RowsUnreachable: an object can't be written, read, listed and removed there.
        """
        name = f"{ROWS}/doctor/{secrets.token_hex(4)}.parquet"
        self.write(name, b"followup doctor")
        try:
            is_listed = name in self.names("doctor")
        finally:
            self.remove(name)
        if not is_listed or self.is_there(name):
            raise self._failed("what is written or removed is not seen at once", "choose a server that is consistent")
        try:
            answer = self._do(self._connection.versioning)
        except (RowsUnreachable, FileNotFoundError):
            return "unknown"
        return "kept" if answer == "Enabled" else "suspended" if answer else "none"

    def _do(self, step: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """One step; what fails is put into words, but for an object that is not there."""
        try:
            return step(*arguments, **named)
        except FileNotFoundError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                raise
            why = reason(error, self._location)
        except Exception as error:  # noqa: BLE001  (s3fs, botocore and aiohttp have errors of their own)
            why = reason(error, self._location)
        raise self._failed(why, _RIGHTS if why == "access is denied" else _REACHED)

    def _failed(self, why: str, remedy: str) -> RowsUnreachable:
        return RowsUnreachable(f"the validated rows at {self._location.url}: {why}: {remedy}; what is stored stays")


def _key(name: str) -> str:
    return name.removeprefix(f"{ROWS}/")


def bucket_of_rows(settings: Settings) -> BucketOfRows:
    """The bucket that FOLLOWUP_VALIDATED names; one connection for each process.

    Raises:
        SettingsError: FOLLOWUP_VALIDATED_LOGIN can't be read or does not fit; no secret is repeated.
    """
    login = read_login(settings.validated_login, "FOLLOWUP_VALIDATED_LOGIN", _LOGIN_OPTIONS)
    try:
        found = DropLocation.model_validate(
            {"url": settings.validated_bucket, "timeout_seconds": _TIMEOUT_SECONDS, **login}
        )
        return _opened(found, os.getpid())
    except ValidationError as error:
        _, complaint = first_complaint(error)
    raise SettingsError(f"FOLLOWUP_VALIDATED or FOLLOWUP_VALIDATED_LOGIN: {complaint}")


@lru_cache(maxsize=4)
def _opened(location: DropLocation, process: int) -> BucketOfRows:
    """A connection is of the process that opened it, not of its children."""
    return BucketOfRows(location)
