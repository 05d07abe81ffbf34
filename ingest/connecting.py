"""Connecting to drop locations: folders, SFTP and S3 by one set of steps, on fsspec's file systems.

Nothing is shared between locations or kept from run to run: no cached connection, no cached listing. Every step has a
time limit, host keys are verified, and links are never followed.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import paramiko
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.sftp import SFTPFileSystem

from ingest.districts import DropLocation

# Its transport prints a traceback of every connection that fails; we say in one line what failed.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_CHUNK = 1 << 21
_S3_ATTEMPTS = 3
_CLOCK = ".klocka.part"


Kind = Literal["file", "directory", "link", "other"]
_KINDS: dict[str, Kind] = {"file": "file", "directory": "directory", "link": "link"}


@dataclass(frozen=True)
class Entry:
    """Something in a drop location.

    Attributes:
        mark: changes whenever the content does: size and time of change, or the object's own tag.
        changed_at: seconds since 1970 by the location's clock.
    """

    name: str
    path: str
    kind: Kind
    size: int
    changed_at: float
    mark: str


class Connection:
    """An open drop location that is a folder of this machine. SFTP and S3 differ in a few steps.

    Every method raises whatever the location's library raises; `reason` puts it into words.
    """

    is_local = True
    """Whether paths are this machine's own."""
    is_whole_at_once = False
    """Whether a file is only ever seen whole."""

    def __init__(self, files: Any, folder: str) -> None:
        self._files = files
        self.folder = folder

    def list(self) -> list[Entry]:
        """What lies in the folder now."""
        return [_entry(found) for found in self._files.ls(self.folder, detail=True)]

    def look(self, path: str) -> Entry | None:
        """What lies at a path now, a link as a link; None when nothing does."""
        try:
            return _entry(self._files.info(path))
        except FileNotFoundError:
            return None

    def pieces(self, path: str, at_most: int) -> Iterator[bytes]:
        """A file's bytes from its beginning, piece by piece."""
        with self._files.open(path, "rb") as handle:
            while at_most > 0 and (piece := handle.read(min(_CHUNK, at_most))):
                at_most -= len(piece)
                yield piece

    def put_whole(self, path: str, content: bytes) -> None:
        """Write a file under another name, then give it its own; an older one is replaced."""
        self._files.pipe_file(f"{path}.part", content)
        if self.look(path) is not None:
            self._files.rm_file(path)
        self.rename(f"{path}.part", path)

    def rename(self, path: str, new: str) -> None:
        """Give a file a name that nothing has."""
        self._files.mv(path, new)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._files.rm_file(path)

    def make_folder(self, path: str) -> None:
        """Make a folder unless it is there.

        Raises:
            NotADirectoryError: something else is there, a link perhaps.
        """
        if self.look(path) is None:
            self._files.makedirs(path, exist_ok=True)
        found = self.look(path)
        if found is None or found.kind != "directory":
            raise NotADirectoryError

    def now(self) -> float:
        """Seconds since 1970 by the location's own clock: the time that a file gets which is written now."""
        path = f"{self.folder}/{_CLOCK}"
        self._files.pipe_file(path, b"")
        found = self.look(path)
        with suppress(FileNotFoundError):
            self._files.rm_file(path)
        if found is None:
            raise FileNotFoundError
        return found.changed_at

    def close(self) -> None:
        """Let go of the connection."""


def _entry(found: dict[str, Any]) -> Entry:
    """An entry of ours from one of fsspec's."""
    path = str(found["name"])
    changed = found.get("mtime", found.get("LastModified", 0.0))
    changed_at = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    kind = "link" if found.get("islink") else str(found["type"])
    size = int(found.get("size") or 0)
    return Entry(
        name=path.rstrip("/").rpartition("/")[2],
        path=path,
        kind=_KINDS.get(kind, "other"),
        size=size,
        changed_at=changed_at,
        mark=str(found.get("ETag") or f"{size}|{changed_at}"),
    )


class UnknownHostKey(Exception):
    """The server's host key is not among those that are believed; the message says how to add it."""


class _Refusing(paramiko.MissingHostKeyPolicy):
    def __init__(self, known_hosts: Path) -> None:
        self._known_hosts = known_hosts

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        host, _, port = hostname.strip("[").partition("]:")
        scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{host} >> {self._known_hosts}"
        raise UnknownHostKey(
            f"the server's host key ({key.get_name()} {key.fingerprint}) is not in {self._known_hosts}; when the "
            f"server's owner has confirmed that fingerprint, add it with: {scan}"
        )


class VerifiedSFTP(SFTPFileSystem):
    """fsspec's SFTP with verified host keys and time limits."""

    cachable = False

    def __init__(self, location: DropLocation) -> None:
        """Connect."""
        self._location = location
        super().__init__(urlsplit(location.url).hostname or "")

    def _connect(self) -> None:
        location, parts, limit = self._location, urlsplit(self._location.url), float(self._location.timeout_seconds)
        known_hosts, began = known_hosts_of(location), time.monotonic()
        self.client = paramiko.SSHClient()
        if known_hosts.exists():
            self.client.load_host_keys(str(known_hosts))
        self.client.set_missing_host_key_policy(_Refusing(known_hosts))
        try:
            self.client.connect(
                self.host,
                port=parts.port or paramiko.config.SSH_PORT,
                username=unquote(parts.username or ""),
                password=location.password.get_secret_value() if location.password else None,
                key_filename=str(location.key_file.expanduser()) if location.key_file else None,
                passphrase=location.key_passphrase.get_secret_value() if location.key_passphrase else None,
                # Only what districts.yml names is tried, never keys that happen to lie about on this machine.
                look_for_keys=False,
                allow_agent=False,
                timeout=limit,
                banner_timeout=limit,
                auth_timeout=limit,
                channel_timeout=limit,
            )
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(limit)
        except BaseException as error:
            self.client.close()
            # paramiko has no error of its own for a server that does not say who it is in time.
            if type(error) is paramiko.SSHException and time.monotonic() - began >= limit:
                raise TimeoutError from None
            raise

    def info(self, path: str) -> dict[str, Any]:
        """What lies at a path, a link as a link."""
        return {**self._decode_stat(self.ftp.lstat(path)), "name": path}


class _SftpConnection(Connection):
    is_local = False

    def pieces(self, path: str, at_most: int) -> Iterator[bytes]:
        """As of a folder; a window of requests is sent at once, or every 32 kB would wait for an answer."""
        handle = self._files.ftp.open(path, "rb")
        try:
            size = min(handle.stat().st_size, at_most)
            for start in range(0, size, _CHUNK):
                yield from handle.readv([(start, min(_CHUNK, size - start))])
        except TimeoutError:
            self.close()  # or closing the file would wait for an answer too
            raise
        finally:
            handle.close()

    def rename(self, path: str, new: str) -> None:
        """As of a folder; the server itself refuses when something has the name."""
        self._files.ftp.rename(path, new)

    def close(self) -> None:
        """Let go of the connection."""
        self._files.client.close()


class _S3Connection(Connection):
    is_local = False
    is_whole_at_once = True

    def list(self) -> list[Entry]:
        """Objects under the prefix; a prefix without any is an empty folder, if its bucket is there."""
        try:
            found = super().list()
        except FileNotFoundError:
            self._files.call_s3("list_objects_v2", Bucket=self.folder.partition("/")[0], MaxKeys=1)
            return []
        # A "folder" made in a web page is an empty object with the prefix's own name.
        return [entry for entry in found if entry.path.rstrip("/") != self.folder]

    def pieces(self, path: str, at_most: int) -> Iterator[bytes]:
        """As of a folder; an object replaced while it is read is gone."""
        from s3fs.utils import FileExpired

        try:
            yield from super().pieces(path, at_most)
        except FileExpired:
            raise FileNotFoundError from None

    def put_whole(self, path: str, content: bytes) -> None:
        """Write an object: it is seen whole or not at all."""
        self._files.pipe_file(path, content)

    def rename(self, path: str, new: str) -> None:
        """Copy, then remove: objects can't be renamed."""
        self._files.cp_file(path, new)
        self._files.rm_file(path)

    def make_folder(self, path: str) -> None:
        """Nothing: a prefix is there as soon as an object is."""

    def close(self) -> None:
        """Let go of the connections that are kept open."""
        if self._files._s3 is not None:
            self._files.close_session(self._files.loop, self._files._s3creator)


def known_hosts_of(location: DropLocation) -> Path:
    """The file with the host keys that a location believes."""
    return (location.known_hosts or Path("~/.ssh/known_hosts")).expanduser()


def connect(location: DropLocation) -> Connection:
    """Open a drop location.

    Raises:
        Exception: whatever the location's library raises; `reason` puts it into words.
    """
    if location.kind == "sftp":
        files = VerifiedSFTP(location)
        return _SftpConnection(files, "/" + urlsplit(location.url).path.strip("/"))
    if location.kind == "s3":
        return _S3Connection(_s3_files(location), location.url.removeprefix("s3://").rstrip("/"))
    local = LocalFileSystem(skip_instance_cache=True)
    return Connection(local, str(local._strip_protocol(location.url)).rstrip("/"))


def _s3_files(location: DropLocation) -> Any:
    from s3fs import S3FileSystem

    # A request that gets no answer is tried again: all tries together have the location's time.
    limit = location.timeout_seconds / _S3_ATTEMPTS
    files = S3FileSystem(
        key=location.access_key.get_secret_value() if location.access_key else None,
        secret=location.secret_key.get_secret_value() if location.secret_key else None,
        endpoint_url=location.endpoint_url,
        client_kwargs={"region_name": location.region} if location.region else {},
        config_kwargs={
            "connect_timeout": limit,
            "read_timeout": limit,
            "retries": {"total_max_attempts": _S3_ATTEMPTS, "mode": "standard"},
        },
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    files.retries = 1
    return files


_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((paramiko.PasswordRequiredException,), "key_file is encrypted: set key_passphrase"),
    ((paramiko.AuthenticationException,), "the server refuses the user, password or key"),
    ((paramiko.ssh_exception.NoValidConnectionsError, ConnectionRefusedError), "nobody answers at that address"),
    ((socket.gaierror,), "no machine has that name"),
    ((ssl.SSLError,), "the server's certificate can't be verified"),
    ((FileNotFoundError,), "the folder is not there"),
    ((NotADirectoryError,), "a file or link stands where a folder should be"),
    ((PermissionError,), "access is denied"),
    ((paramiko.SSHException, EOFError, ConnectionError), "the connection was cut off"),
)
_CODES = {
    "InvalidAccessKeyId": "the server refuses the access key or secret key",
    "SignatureDoesNotMatch": "the server refuses the access key or secret key",
    "NoSuchBucket": "the bucket is not there",
}
_NAMES = {
    "NoCredentialsError": "no access_key and secret_key are set, and this machine has no role of its own",
    "EndpointConnectionError": "nobody answers at that address",
}


def reason(error: BaseException, location: DropLocation) -> str:
    """Why a location can't be reached, in words of ours: a library's own may repeat secrets or names of files."""
    named = type(error).__name__
    if isinstance(error, UnknownHostKey):
        return str(error)
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"the server's host key ({error.key.fingerprint}) is another than the one in {known_hosts_of(location)}: "
            "somebody may stand in between; ask the server's owner before that file is changed"
        )
    if isinstance(error, TimeoutError) or "Timeout" in named:
        return f"no answer within {location.timeout_seconds} s"
    if location.key_file is not None and (fault := key_file_fault(location.key_file)) is not None:
        return fault
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    known = _CODES.get(str(code)) or _NAMES.get(named)
    return known or next((words for kinds, words in _WORDS if isinstance(error, kinds)), named)


def key_file_fault(path: Path) -> str | None:
    """What is wrong with a key file; None when it can be read, and by its owner alone."""
    path = path.expanduser()
    if not os.access(path, os.R_OK):
        return f"key_file {path} can't be read"
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return f"key_file {path} can be read by others: chmod 600 {path}"
    return None
