"""Connecting to drop locations: a folder, SFTP or S3; and reporting why one can't be reached.

Nothing is shared between locations or from run to run: no cached connection, no cached listing.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import stat
from pathlib import Path

import paramiko

from ingest.districts import DropLocation
from ingest.locations.entries import Connection, NotInTime, TooManyNames
from ingest.locations.local_folder import FolderConnection
from ingest.locations.s3_folder import S3Connection, error_code
from ingest.locations.sftp_folder import SftpConnection, UnknownHostKey, known_hosts_of


def connect(location: DropLocation, seconds: float) -> Connection:
    """Open a drop location.

    Args:
        location: which.
        seconds: how long connecting may take.

    Raises:
        Exception: whatever the location's library raises; `reason` puts it into words.
    """
    if location.kind == "sftp":
        return SftpConnection(location, seconds)
    if location.kind == "s3":
        return S3Connection(location)
    return FolderConnection(Path(location.url.removeprefix("file://")).expanduser())


_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((paramiko.PasswordRequiredException,), "key_file is encrypted: set key_passphrase"),
    ((paramiko.AuthenticationException,), "the server refuses the user, password or key"),
    ((paramiko.ssh_exception.NoValidConnectionsError, ConnectionRefusedError), "nobody answers at that address"),
    ((socket.gaierror,), "no machine has that name"),
    ((ssl.SSLError,), "the server's certificate can't be verified"),
    ((FileNotFoundError,), "the folder is not there"),
    ((NotADirectoryError,), "a file or link is where a folder should be"),
    ((PermissionError,), "access is denied"),
    ((paramiko.SSHException, EOFError, ConnectionError), "the connection was cut off"),
)
_ERRNO = {
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "its disk is full",
    errno.EROFS: "it can't be written to",
    errno.ELOOP: "a file or link is where a folder should be",
    errno.ENAMETOOLONG: "a name is too long",
}
_CODES = {
    "InvalidAccessKeyId": "the server refuses the access key or secret key",
    "SignatureDoesNotMatch": "the server refuses the access key or secret key",
    "NoSuchBucket": "the bucket is not there",
}
_PLAIN_CODE = re.compile(r"[A-Za-z]{3,40}")
_NAMES = {
    "NoCredentialsError": "no access_key and secret_key are set, and this machine has no role of its own",
    "EndpointConnectionError": "nobody answers at that address",
    "ConnectionClosedError": "the connection was cut off",
    "ClientPayloadError": "the connection was cut off",
}


def reason(error: BaseException, location: DropLocation) -> str:
    """Why a location can't be reached, in our own words: a library's message may repeat secrets or file names."""
    named = type(error).__name__
    if isinstance(error, UnknownHostKey):
        return str(error)
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"the server's host key ({error.key.fingerprint}) is another than the one in {known_hosts_of(location)}: "
            "somebody may stand in between; ask the server's owner before that file is changed"
        )
    if isinstance(error, NotInTime):
        return str(error)
    if isinstance(error, TooManyNames):
        return f"more than {error.at_most} names lie there: move away what is no submission"
    if isinstance(error, TimeoutError) or "Timeout" in named:
        return f"no answer within {location.timeout_seconds} s"
    if location.key_file is not None and (fault := key_file_fault(location.key_file)) is not None:
        return fault
    code = error_code(error)
    known = _CODES.get(code) or _NAMES.get(named) or _ERRNO.get(getattr(error, "errno", None) or 0)
    answered = f"it answers {code}" if _PLAIN_CODE.fullmatch(code) else named
    return known or next((words for kinds, words in _WORDS if isinstance(error, kinds)), answered)


def key_file_fault(path: Path) -> str | None:
    """What is wrong with a key file; None when it can be read, and by its owner alone."""
    path = path.expanduser()
    if not os.access(path, os.R_OK):
        return f"key_file {path} can't be read"
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return f"key_file {path} can be read by others: chmod 600 {path}"
    return None
