"""Failures of disks, files, databases and networks, each as one sentence: what, where, and what to do.

Only the kind of an error and its paths are used: messages of DuckDB, pyarrow and drivers can quote values of rows.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError

from ingest.ledger import LedgerError
from ingest.naming import shown_name
from ingest.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class StorageFailure(Exception):
    """Storage or a database failed. The message is one sentence: what, where, and what to do; nothing of the data."""


@dataclass(frozen=True)
class Cause:
    """A kind of failure: what happened, with {place} in it, and what to do."""

    what: str
    remedy: str


FULL = Cause("the disk is full at {place}", "make room there and run this again: nothing half-done counts")
READ_ONLY = Cause("{place} is on a disk that is read-only", "mount it writable and run this again")
DENIED = Cause("this user has no right to {place}", "look at owner and mode (`ls -ld`), of its folders too")
MISSING = Cause("{place} is missing", "put it back from backup, or see that its disk is mounted")
DANGLING = Cause("{place} is a link that leads to nothing", "mend or remove it, or mount the disk that it leads to")
NO_FOLDER = Cause("{place} is a file where a folder is needed", "move the file away, or mend the setting")
IS_FOLDER = Cause("{place} is a folder where a file is needed", "move the folder away, or mend the setting")
LINKS_IN_A_CIRCLE = Cause("{place} is a link that leads back to itself", "remove the link")
TOO_LONG = Cause("the path {place} is too long for its disk", "choose a shorter folder")
TOO_MANY_OPEN = Cause("too many files are open, so {place} can't be opened", "raise the limit (`ulimit -n`)")
BUSY = Cause("{place} is held by another process", "wait until that has ended (`fuser` names it)")
DEVICE = Cause("the disk fails at {place}", "look at the system's log (`dmesg`) and at the disk, then run this again")
UNABLE = Cause("the file system can't do what is needed at {place}", "put the folder on a local disk of Linux")
DAMAGED = Cause("{place} is damaged", "`followup doctor` says what mends it")
MEMORY = Cause("there was no memory left at {place}", "end other programs, or give the machine more")
NETWORK = Cause("{place} does not answer", "see that it runs and can be reached, then run this again")

_BY_ERRNO = {
    errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EFBIG: FULL, errno.EROFS: READ_ONLY,
    errno.EACCES: DENIED, errno.EPERM: DENIED, errno.ENOENT: MISSING,
    errno.ENOTDIR: NO_FOLDER, errno.EEXIST: NO_FOLDER, errno.EISDIR: IS_FOLDER, errno.ELOOP: LINKS_IN_A_CIRCLE,
    errno.ENAMETOOLONG: TOO_LONG, errno.EMFILE: TOO_MANY_OPEN, errno.ENFILE: TOO_MANY_OPEN,
    errno.EBUSY: BUSY, errno.ETXTBSY: BUSY, errno.EAGAIN: BUSY, errno.EDEADLK: BUSY, errno.ENOLCK: BUSY,
    errno.EIO: DEVICE, errno.ENXIO: DEVICE, errno.ENODEV: DEVICE, errno.ESTALE: DEVICE, errno.EREMOTEIO: DEVICE,
    errno.ENOTCONN: DEVICE, errno.EUCLEAN: DEVICE, errno.ENOMEM: MEMORY, errno.ENOTEMPTY: BUSY,
    errno.EXDEV: UNABLE, errno.EMLINK: UNABLE, errno.EOPNOTSUPP: UNABLE, errno.ENOSYS: UNABLE,
    errno.ECONNREFUSED: NETWORK, errno.ECONNRESET: NETWORK, errno.ETIMEDOUT: NETWORK, errno.EHOSTUNREACH: NETWORK,
    errno.ENETUNREACH: NETWORK, errno.EHOSTDOWN: NETWORK,
}  # fmt: skip
_NO_FAULT_OF_STORAGE = frozenset({errno.EAGAIN, errno.EEXIST, errno.ENOTEMPTY})
"""Numbers whose words appear in messages about other things."""
_BY_WORDS = [
    (re.compile(r"conflicting lock|could not set lock|already open", re.IGNORECASE), BUSY),
    (re.compile(r"out of memory|could not allocate|failed to (allocate|pin|offload)", re.IGNORECASE), MEMORY),
    *((re.compile(re.escape(os.strerror(number)), re.IGNORECASE), cause)
      for number, cause in _BY_ERRNO.items() if number not in _NO_FAULT_OF_STORAGE),
    (re.compile(r"no files found that match|database does not exist", re.IGNORECASE), MISSING),
    (
        re.compile(
            r"corrupt|checksum|magic bytes|not a valid duckdb|too small to be a parquet|size is 0 bytes|thrift"
            r"|deserializ|serialization|don't know what type|could not read enough bytes|not a parquet|unexpected end"
            r"|decompress|snappy|zstd|dictionary page|page header|repetition level|definition level|invalidated",
            re.IGNORECASE,
        ),
        DAMAGED,
    ),
    (re.compile(r"could not (write|truncate|read|sync)", re.IGNORECASE), DEVICE),
]  # fmt: skip
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: READ_ONLY, sqlite3.SQLITE_PERM: DENIED,
    sqlite3.SQLITE_BUSY: BUSY, sqlite3.SQLITE_LOCKED: BUSY, sqlite3.SQLITE_IOERR: DEVICE,
    sqlite3.SQLITE_CORRUPT: DAMAGED, sqlite3.SQLITE_NOTADB: DAMAGED, sqlite3.SQLITE_CANTOPEN: MISSING,
}  # fmt: skip
_BY_SQLSTATE = {
    "53100": FULL, "53200": MEMORY, "25006": READ_ONLY, "42501": DENIED, "55": BUSY, "57": NETWORK, "08": NETWORK,
    "53": BUSY, "58": DEVICE, "XX001": DAMAGED, "XX002": DAMAGED, "28": DENIED,
}  # fmt: skip
_QUOTED_PATH = re.compile(r"""["'](/[^"'\n]+)["']""")
_NEXT_TO_NOTHING = 1 << 20
"""Bytes free, below which a write that failed without a reason failed for room."""
_NO_PLACE = "a folder that this command uses"


_SETTINGS = {"Settings": "FOLLOWUP_", "PortalSettings": "FOLLOWUP_PORTAL_"}
"""Models of settings, with what their variables begin with."""


def in_sentences(error: BaseException) -> list[str]:
    """The sentence of `in_words`, or one for each setting that can't be read; nothing for any other error."""
    words = in_words(error)
    if words is not None:
        return [words]
    if not isinstance(error, ValidationError) or error.title not in _SETTINGS:
        return []
    prefix = _SETTINGS[error.title]
    found = error.errors(include_input=False, include_url=False)
    names = [str(one["loc"][0]).upper().removeprefix(prefix) if one["loc"] else "" for one in found]
    said = [one["msg"].removeprefix("Value error, ") for one in found]
    return [f"{prefix}{name}: {what}" if name else what for name, what in zip(names, said, strict=True)]


def in_words(error: BaseException, settings: Settings | None = None) -> str | None:
    """One sentence on a failure of storage, a database or the network; None for any other error.

    Args:
        error: as it was raised.
        settings: by which places are named; read from the environment when not given.
    """
    if isinstance(error, StorageFailure):
        return str(error)
    found = cause_of(error)
    if found is None:
        return None
    path = path_of(error)
    if found is MISSING and path is not None and path.is_symlink():
        found = DANGLING
    if found is DEVICE and path is not None and not isinstance(error, OSError) and _is_full(path):
        found = FULL  # DuckDB does not always say why it could not write
    settings = settings or _settings()
    place = _unnamed_place(found, settings) if path is None else place_of(path, settings)
    if path is None and isinstance(error, (_of("psycopg", "Error"), _of("sqlalchemy.exc", "DBAPIError"))):
        place = "the database"
    return sentence(found, place)


def sentence(cause: Cause, place: str, remedy: str | None = None) -> str:
    """What happened at a place, and what to do."""
    return f"{cause.what.format(place=place)}: {remedy or cause.remedy}"


def cause_of(error: BaseException) -> Cause | None:
    """Which kind of failure an error is; None where it is none of storage, a database or the network."""
    if isinstance(error, _of("sqlalchemy.exc", "DBAPIError")):
        error = getattr(error, "orig", None) or error
    if isinstance(error, sqlite3.Error):
        return _BY_SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
    if isinstance(error, _of("psycopg", "Error")):
        state = getattr(error, "sqlstate", None) or ""
        if not state and isinstance(error, _of("psycopg", "OperationalError")):
            return NETWORK
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2])
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, OSError) and error.errno is not None:
        # a number that has no kind here (a socket's, a resolver's) is still one of the system's
        return _BY_ERRNO.get(error.errno, NETWORK if isinstance(error, ConnectionError) else DEVICE)
    if isinstance(error, FileNotFoundError):
        return MISSING
    if isinstance(error, (OSError, _of("duckdb", "Error"), _of("pyarrow", "ArrowException"))):
        return cause_in(str(error))
    return None


def _of(module: str, name: str) -> Any:
    """A class of a library if the library is loaded, else no class: an unloaded library raises nothing."""
    return getattr(sys.modules.get(module), name, ())


def cause_in(message: str) -> Cause | None:
    """Which kind of failure a message of DuckDB, pyarrow or dbt is about; None where it is about none."""
    return next((cause for words, cause in _BY_WORDS if words.search(message)), None)


def is_machine_failure(error: BaseException) -> bool:
    """Whether an error while a file is checked comes from the machine, not from the file.

    A lack of memory is not among them: the file may have used it up.
    """
    if isinstance(error, StorageFailure | LedgerError):
        return True
    return isinstance(error, OSError) and error.errno in _BY_ERRNO and error.errno != errno.ENOMEM


def path_of(error: BaseException) -> Path | None:
    """The file that an error of the system, DuckDB or pyarrow names; None where it names none."""
    if isinstance(error, OSError) and error.filename is not None:
        return Path(os.fsdecode(error.filename)) if not isinstance(error.filename, int) else None
    if isinstance(error, FileNotFoundError) and str(error).startswith("/"):  # pyarrow's
        return Path(str(error))
    if isinstance(error, (OSError, _of("duckdb", "Error"), _of("pyarrow", "ArrowException"))):
        quoted = _QUOTED_PATH.search(str(error))
        return Path(quoted[1]) if quoted else None
    return None


def _unnamed_place(cause: Cause, settings: Settings | None) -> str:
    """Where it was that the error does not say: a full disk is the one with the least room of those we write to."""
    if cause is not FULL or settings is None:
        return _NO_PLACE
    room: dict[str, int] = {}
    for folder in (settings.home, settings.published, Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            room[place_of(folder, settings)] = shutil.disk_usage(folder.resolve()).free
    return min(room, key=room.__getitem__, default=_NO_PLACE)


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NEXT_TO_NOTHING
    except OSError:
        return False


def place_of(path: Path, settings: Settings | None) -> str:
    """A path as an operator knows it: below the setting that names its folder, without anything like a person's number.

    `landing/bromma/x.bin in FOLLOWUP_HOME (data/home)`; the plain path where no setting names it.
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100  (not resolved: a link is shown as the link)
    if settings is not None:
        named = {"FOLLOWUP_KEYS": settings.keys, "FOLLOWUP_DISTRICTS": settings.districts}
        named |= {"FOLLOWUP_PUBLISH_LOGINS": settings.publish_logins} if settings.publish_logins else {}
        named |= {"FOLLOWUP_BACKUP_LOGIN": settings.backup_login} if settings.backup_login else {}
        named |= {"FOLLOWUP_VALIDATED_LOGIN": settings.validated_login} if settings.validated_login else {}
        if settings.given_validated and not settings.validated_bucket:
            named |= {"FOLLOWUP_VALIDATED": settings.validated}
        named |= {"FOLLOWUP_HOME": settings.home, "FOLLOWUP_PUBLISHED": settings.published}
        named |= {} if "://" in settings.inbox else {"FOLLOWUP_INBOX": Path(settings.inbox)}
        for name, folder in named.items():
            top = Path(os.path.abspath(folder))  # noqa: PTH100
            if whole == top:
                return f"{name} ({folder})"
            if whole.is_relative_to(top):
                below = whole.relative_to(top)
                return f"{below.with_name(shown_name(below.name))} in {name} ({folder})"
    return str(path.with_name(shown_name(path.name))) if path.name else str(path)


def _settings() -> Settings | None:
    try:
        return Settings()
    except ValidationError:
        return None


def storage_failures_in_words(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to raise failures of storage as `StorageFailure` with the sentence of `in_words`."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except StorageFailure:
            raise
        except Exception as error:
            words = in_words(error)
            if words is None:
                raise
            raise StorageFailure(words) from None

    return wrapper
