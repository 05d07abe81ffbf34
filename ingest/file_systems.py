"""What a folder's file system is, and whether it can do what a home needs of it."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.goofys", "fuse.mount-s3", "fuse.juicefs", "fuse.glusterfs"),
        *("fuse.ceph", "fuse.ceph-fuse", "fuse.gcsfuse", "fuse.blobfuse2"),
    }
)
"""Kinds that several machines may have mounted at once, as Linux names them."""
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path) -> str:
    """The kind of file system that a path is on, or will be once it is made: `ext4`, `nfs4`; empty where not known."""
    whole = path.absolute()
    with suppress(OSError, RuntimeError):  # links in a circle
        whole = whole.resolve()
    found, longest = "", -1
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if len(fields) < 5 or not kind:
            continue
        point = Path(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        if whole.is_relative_to(point) and len(point.parts) >= longest:  # of two mounts at one place the last counts
            found, longest = kind, len(point.parts)
    return found


def missing_abilities(folder: Path) -> list[str]:
    """What a folder's file system can't do, of what a home needs; it is tried with small files, which are removed.

    Raises:
        OSError: nothing can be written there at all.
    """
    mark = secrets.token_hex(4)
    first, second = folder / f".tried-{mark}.a", folder / f".tried-{mark}.b"

    def fresh() -> None:
        for path, content in ((first, b"a"), (second, b"b")):
            path.unlink(missing_ok=True)
            path.write_bytes(content)

    def put_in_place_of_an_open_file() -> bool:
        with second.open("rb") as reader:
            first.replace(second)
            return reader.read() == b"b" and second.read_bytes() == b"a" and not first.exists()

    def made_by_one_alone() -> bool:
        with suppress(FileExistsError):
            os.close(os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            return False
        return True

    def closed_to_others() -> bool:
        first.chmod(0o600)
        return first.stat().st_mode & 0o777 == 0o600

    def on_disk() -> bool:
        for path in (first, folder):
            held = os.open(path, os.O_RDONLY)
            try:
                os.fsync(held)
            finally:
                os.close(held)
        return True

    def linked() -> bool:
        second.unlink()
        second.hardlink_to(first)
        return second.samefile(first)

    tried: dict[str, Callable[[], bool]] = {
        "put a file in the place of one that is open": put_in_place_of_an_open_file,
        "make a file only where none is": made_by_one_alone,
        "close a file to other users": closed_to_others,
        "confirm that a file is on disk": on_disk,
        "give a file a second name": linked,
    }
    missing = []
    try:
        for what, can in tried.items():
            fresh()
            try:
                is_able = can()
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                    raise
                is_able = False
            if not is_able:
                missing.append(what)
    finally:
        for path in (first, second):
            path.unlink(missing_ok=True)
    return missing
