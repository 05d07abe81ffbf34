"""Archives: a zip of files is unpacked into its files, within limits. Workbooks are zips too, and are no archives."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from portal.handover.receiving import Limits

_ZIP, _ENTRY = b"PK", b"PK\x01\x02"
_WORKBOOK = re.compile(r"\.(?:xlsx|xlsm|xlsb|ods)\s*$", re.IGNORECASE)
_PACKED = re.compile(r"\.(?:zip|7z|rar|gz|tar|tgz|bz2|xz)\s*$", re.IGNORECASE)
_LEFT_BEHIND = re.compile(r"(?:^|/)(?:__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
_PARTS_OF_WORKBOOKS = ("[Content_Types].xml", "mimetype", "content.xml")
_MOST_RATIO = 200
"""Unpacked to packed; tables of text come to 30 at most."""
_MOST_ENTRIES = 1_000
"""Folders and what programs leave behind count too."""
_ENCRYPTED, _UTF8 = 0x1, 0x800
_PIECE = 1 << 20


class ArchiveRefused(Exception):
    """An archive that is not unpacked; the text says why, and what to do, in Swedish, and quotes no name in it."""


@dataclass(frozen=True)
class Entry:
    """One file of an archive. `name` is without folders."""

    name: str
    content: bytes


def is_archive(name: str, raw: bytes) -> bool:
    """Whether a file is a zip of files, by its content; one that claims to be a workbook is read as one."""
    if raw[:2] != _ZIP or _WORKBOOK.search(name):
        return False
    if raw.count(_ENTRY) > _MOST_ENTRIES:
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return not any(one.filename in _PARTS_OF_WORKBOOKS for one in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        return bool(_PACKED.search(name))


def entries_of(raw: bytes, limits: Limits) -> Iterator[Entry]:
    """The files of an archive, one at a time.

    Raises:
        ArchiveRefused: it is damaged, locked, too large unpacked, or holds archives or names that lead elsewhere.
            What was given out before does not count.
    """
    if raw.count(_ENTRY) > _MOST_ENTRIES:
        raise ArchiveRefused("Arkivet innehåller för många filer. Dela upp det.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            chosen = [one for one in archive.infolist() if _is_file(one)]
            if not chosen:
                raise ArchiveRefused("Arkivet innehåller ingen fil.")
            if len(chosen) > limits.files:
                raise ArchiveRefused(f"Arkivet innehåller fler än {limits.files} filer. Dela upp det.")
            left = min(limits.total_bytes, _MOST_RATIO * len(raw))
            for one in chosen:
                content = _read(archive, one, min(left, limits.file_bytes))
                left -= len(content)
                entry = Entry(_name(one).rpartition("/")[2], content)
                if _PACKED.search(entry.name) or is_archive(entry.name, content):
                    raise ArchiveRefused("Arkivet innehåller ett annat arkiv. Packa upp det och lägg filerna direkt.")
                yield entry
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError):
        raise ArchiveRefused("Arkivet är skadat. Packa det igen, eller skicka filerna var för sig.") from None
    except (NotImplementedError, RuntimeError):  # a compression that zipfile does not know, or a password
        raise ArchiveRefused("Arkivet är packat på ett sätt som inte läses. Skicka filerna var för sig.") from None


def _name(entry: zipfile.ZipInfo) -> str:
    """The name with `/` between folders; programs of Apple write UTF-8 and do not say so."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            name = entry.orig_filename
    return name.replace("\\", "/")


def _is_file(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a file to unpack."""
    name = _name(entry)
    mode = entry.external_attr >> 16
    leads_elsewhere = name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name
    if leads_elsewhere or stat.S_ISLNK(mode):
        raise ArchiveRefused("Arkivet innehåller en länk, eller ett namn som leder ut ur det. Packa det igen.")
    if name.endswith("/") or _LEFT_BEHIND.search(name):
        return False
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveRefused("Arkivet har lösenord. Packa det utan.")
    return True


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """The entry's bytes as they come out; what its header says of its size is not believed."""
    content = bytearray()
    with archive.open(entry) as handle:
        while piece := handle.read(_PIECE):
            content += piece
            if len(content) > most:
                raise ArchiveRefused("Arkivet blir för stort när det packas upp. Dela upp det.")
    return bytes(content)
