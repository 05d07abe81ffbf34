"""A drop location that is a folder on an SFTP server.

SFTP (version 3) can't open a name without following a link. So a name is looked at before it is opened and after it was
read, and the open file must be the one that was looked at: same owner, group, mode, size and time. Files are written
under new names (O_EXCL), which follows no link. The real path of a name's folder must be the location's.
"""

from __future__ import annotations

import logging
import posixpath
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paramiko
from paramiko import sftp as protocol

from ingest.districts import DropLocation
from ingest.locations.entries import (
    CHUNK,
    CLOCK,
    TRIES,
    Connection,
    Entry,
    FileChanged,
    NotInTime,
    TooManyNames,
    kind_of,
    modes_below,
)

# Its transport prints a traceback of every connection that fails; we say in one line what failed.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

_LONG_NAME = re.compile(rb"[-a-zA-Z?][-a-zA-Z]{9}[.+@]?\s+(\d+)\s")
"""`ls -l` as OpenSSH's server sends it with a listing: the only place that says how many names a file has."""
_CLOSING_SECONDS = 1.0


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


def known_hosts_of(location: DropLocation) -> Path:
    """The file with the host keys that a location believes."""
    return (location.known_hosts or Path("~/.ssh/known_hosts")).expanduser()


@dataclass(frozen=True)
class _Attributes:
    """What a server says of a file; None where it doesn't say."""

    size: int | None
    changed: int | None
    mode: int | None
    owner: int | None
    group: int | None

    @classmethod
    def of(cls, found: paramiko.SFTPAttributes) -> _Attributes:
        return cls(found.st_size, found.st_mtime, found.st_mode, found.st_uid, found.st_gid)

    def may_be(self, other: _Attributes) -> bool:
        """Whether both can be said of one file. (Some servers say less of an open file.)"""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return all(one == two or one is None or two is None for one, two in pairs)

    def entry(self, name: str, links: int = 1) -> Entry:
        kind = kind_of(self.mode or 0, links)
        return Entry(name, kind, self.size or 0, float(self.changed or 0), "|".join(map(str, vars(self).values())))


class _Session(paramiko.SFTPClient):
    """paramiko's SFTP, with names as the bytes that they are: its own listing breaks at one that is no UTF-8."""

    def names(self, folder: bytes) -> Iterator[tuple[str, bytes, _Attributes]]:
        """Each name in a folder with its line of `ls -l` and what the server says of it."""
        _, opened = self._request(protocol.CMD_OPENDIR, folder)
        handle = opened.get_binary()
        try:
            while True:
                try:
                    _, answer = self._request(protocol.CMD_READDIR, handle)
                except EOFError:
                    return
                for _ in range(answer.get_int()):
                    name, long_name = answer.get_binary(), answer.get_binary()
                    found = _Attributes.of(paramiko.SFTPAttributes._from_msg(answer))
                    if name not in (b".", b".."):
                        yield name.decode("utf-8", "surrogateescape"), long_name, found
        finally:
            self._request(protocol.CMD_CLOSE, handle)

    def real_path(self, path: bytes) -> bytes:
        """A path without links, as the server sees it."""
        _, answer = self._request(protocol.CMD_REALPATH, path)
        if answer.get_int() != 1:
            raise FileNotFoundError
        return bytes(answer.get_binary())


class SftpConnection(Connection):
    """An open folder on an SFTP server, its host key verified."""

    def __init__(self, location: DropLocation, seconds: float) -> None:
        """Connect.

        Args:
            location: where.
            seconds: how long all of it may take.

        Raises:
            NotADirectoryError: the folder is a link or no folder.
            Exception: whatever paramiko raises.
        """
        self._folder = b"/" + urlsplit(location.url).path.strip("/").encode()
        self._client = paramiko.SSHClient()
        try:
            with self.within(seconds):
                self._connect(location)
                self._top = _Attributes.of(self._session.lstat(self._folder))
                if not stat.S_ISDIR(self._top.mode or 0):
                    raise NotADirectoryError
                self._real = self._session.real_path(self._folder)
        except BaseException:
            self._client.close()
            raise

    def _connect(self, location: DropLocation) -> None:
        parts, limit = urlsplit(location.url), float(location.timeout_seconds)
        known_hosts, began = known_hosts_of(location), time.monotonic()
        if known_hosts.exists():
            self._client.load_host_keys(str(known_hosts))
        self._client.set_missing_host_key_policy(_Refusing(known_hosts))
        try:
            self._client.connect(
                parts.hostname or "",
                port=parts.port or paramiko.config.SSH_PORT,
                username=unquote(parts.username or ""),
                password=location.password.get_secret_value() if location.password else None,
                key_filename=str(location.key_file.expanduser()) if location.key_file else None,
                passphrase=location.key_passphrase.get_secret_value() if location.key_passphrase else None,
                # Only what districts.yml names is tried, never other keys of this machine.
                look_for_keys=False,
                allow_agent=False,
                timeout=limit,
                banner_timeout=limit,
                auth_timeout=limit,
                channel_timeout=limit,
            )
            transport = self._client.get_transport()
            session = _Session.from_transport(transport) if transport else None
            if session is None:
                raise EOFError
            self._session = session
            self._session.get_channel().settimeout(limit)
        except paramiko.SSHException as error:
            # paramiko has no error of its own for a server that does not say who it is in time.
            if type(error) is paramiko.SSHException and time.monotonic() - began >= limit:
                raise TimeoutError from None
            raise

    def list(self, at_most: int) -> list[Entry]:
        """As `Connection.list`."""
        entries: list[Entry] = []
        for name, long_name, found in self._session.names(self._folder):
            if len(entries) == at_most:
                raise TooManyNames(at_most)
            said = _LONG_NAME.match(long_name)
            entry = found.entry(name, max(int(said[1]), 1) if said else 1)
            # A name that leads elsewhere can only come from a server that is not what it says.
            entries.append(entry if "/" not in name and "\0" not in name else Entry(name, "other", 0, 0.0, ""))
        return entries

    def look(self, name: str, folder: str = "") -> Entry | None:
        """As `Connection.look`."""
        try:
            if folder:
                self._require_folder(folder)
            return _Attributes.of(self._session.lstat(self._path(name, folder))).entry(name)
        except FileNotFoundError:
            return None

    def pieces(self, name: str, mark: str, at_most: int) -> Iterator[bytes]:
        """As `Connection.pieces`; a window of requests is sent at once, or every 32 kB would wait for an answer."""
        path = self._path(name)
        found = self._require_file(path, mark)
        handle = self._session.open(path, "rb")
        try:
            if not _Attributes.of(handle.stat()).may_be(found):
                raise FileChanged
            size = min(found.size or 0, at_most)
            for start in range(0, size, CHUNK):
                yield from handle.readv([(start, min(CHUNK, size - start))])
            if not _Attributes.of(handle.stat()).may_be(found):
                raise FileChanged
        except TimeoutError:
            self.close()  # or closing the file would wait for an answer too
            raise
        except EOFError:
            raise FileChanged from None  # it has become shorter
        finally:
            handle.close()
        self._require_file(path, mark)

    def _require_file(self, path: bytes, mark: str) -> _Attributes:
        """Require that a path is the regular file with this mark; return what the server says of it.

        Raises:
            FileChanged: it is not the regular file with this mark, or the way to it leads elsewhere.
        """
        try:
            found = _Attributes.of(self._session.lstat(path))
            is_here = posixpath.dirname(self._session.real_path(path)) == self._real
        except FileNotFoundError:
            raise FileChanged from None
        entry = found.entry("")
        if entry.kind != "file" or entry.mark != mark or not is_here:
            raise FileChanged
        return found

    def _require_folder(self, folder: str) -> None:
        """Require that a name is a folder directly in the location.

        Raises:
            FileNotFoundError: nothing has the name.
            NotADirectoryError: something else has, a link perhaps.
        """
        path = self._path(folder)
        is_folder = stat.S_ISDIR(self._session.lstat(path).st_mode or 0)
        if not is_folder or posixpath.dirname(self._session.real_path(path)) != self._real:
            raise NotADirectoryError

    def _make_folder(self, folder: str) -> None:
        try:
            self._require_folder(folder)
        except FileNotFoundError:
            self._session.mkdir(self._path(folder), modes_below(self._top.mode or 0, is_own=True)[1])
            self._require_folder(folder)

    def put_whole(self, folder: str, name: str, content: bytes) -> None:
        """As `Connection.put_whole`. Until it has its name the file has one that nobody can guess, and so prepare."""
        if folder:
            self._make_folder(folder)
        path, unfinished = self._path(name, folder), self._path(f".{secrets.token_hex(8)}.part", folder)
        handle = self._session.open(unfinished, "wx")
        try:
            try:
                self._require_made(unfinished, folder)  # before there is anything in the file
                with suppress(OSError):  # a server may not let modes be set
                    own = handle.stat().st_uid == self._top.owner
                    handle.chmod(modes_below(self._top.mode or 0, own)[0])
                handle.write(content)
            finally:
                handle.close()
            self._require_made(unfinished, folder)
            self._give_name(unfinished, path, folder)
        except OSError:
            with suppress(OSError):
                self._session.remove(unfinished)
            raise

    def _require_made(self, path: bytes, folder: str) -> None:
        """Require that a file which we have made is where it should be.

        Raises:
            NotADirectoryError: the way to it leads elsewhere now, or did when it was made.
        """
        where = self._real.rstrip(b"/") + (b"/" + folder.encode() if folder else b"")
        try:
            self._session.lstat(path)
        except FileNotFoundError:
            raise NotADirectoryError from None
        if posixpath.dirname(self._session.real_path(path)) != (where or b"/"):
            raise NotADirectoryError

    def _give_name(self, unfinished: bytes, path: bytes, folder: str) -> None:
        try:
            self._session.posix_rename(unfinished, path)
        except OSError:  # a server that can't replace a file
            self._require_made(unfinished, folder)
            with suppress(FileNotFoundError):
                self._session.remove(path)
            self._session.rename(unfinished, path)

    def _create(self, path: bytes) -> paramiko.SFTPFile:
        """A new empty file, open; what had its name is removed, and where it led to stays as it is."""
        for attempt in range(TRIES):
            try:
                return self._session.open(path, "wx")
            except OSError:  # the protocol has no error of its own for a name that is taken
                if attempt == TRIES - 1:
                    raise
                with suppress(FileNotFoundError):
                    self._session.remove(path)
        raise FileExistsError

    def move(self, name: str, folder: str, new: str) -> None:
        """As `Connection.move`; the server itself refuses when something has the name."""
        self._make_folder(folder)
        self._session.rename(self._path(name), self._path(new, folder))

    def remove(self, name: str, folder: str = "") -> None:
        """As `Connection.remove`."""
        if folder:
            self._require_folder(folder)
        self._session.remove(self._path(name, folder))

    def now(self) -> float:
        """As `Connection.now`."""
        path = self._path(CLOCK)
        handle = self._create(path)
        try:
            return float(handle.stat().st_mtime or 0)
        finally:
            handle.close()
            with suppress(FileNotFoundError):
                self._session.remove(path)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """As `Connection.within`; paramiko limits each answer only, so a dripping server could block us for ever."""
        done = threading.Event()
        is_late = threading.Event()

        def watch() -> None:
            if done.wait(seconds):
                return
            is_late.set()
            while not done.is_set():  # again: a connection may only be coming about
                self._client.close()
                done.wait(_CLOSING_SECONDS)

        watching = threading.Thread(target=watch, daemon=True, name="drop-location-clock")
        watching.start()
        try:
            yield
        except Exception:
            if is_late.is_set():
                raise NotInTime(seconds) from None
            raise
        finally:
            done.set()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _path(self, name: str, folder: str = "") -> bytes:
        parts = (self._folder, folder.encode(), name.encode("utf-8", "surrogateescape"))
        return b"/".join(part for part in parts if part)
