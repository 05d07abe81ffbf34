"""The zip around a workbook: what it is, whether it may be unpacked, and its parts within limits.

Only the parts that hold the sheet, its strings, styles and names are unpacked, in memory, and put into a new plain
zip. Macros, links to other workbooks, embedded objects and anything else in the archive are never opened.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree

from ingest.workbooks.refusals import (
    DAMAGED,
    LOCKED,
    MOST_SHEETS,
    NUMBERS,
    OTHER_KIND,
    SLIDES,
    TEXT,
    TOO_LARGE,
    WORD,
    ZIP,
    Refused,
)

MOST_ENTRIES = 5_000
MOST_BYTES = 1 << 30
"""Unpacked, of all parts that are read together."""
SUSPECT_BYTES, SUSPECT_RATIO = 64 << 20, 250
"""A part larger than this unpacked, and packed more tightly than this, is a bomb: sheets have ratios of 5 to 60."""
HEAD_BYTES = 512 << 10
"""So much of each sheet is looked at to find the one that bears the headers."""
_HEAD_ROWS = 60
_NEEDED = {
    "xlsx": ("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels",
             "xl/sharedStrings.xml", "xl/styles.xml"),
    "ods": ("mimetype", "META-INF/manifest.xml"),
}  # fmt: skip
STYLES = "xl/styles.xml"
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_ODT = b"application/vnd.oasis.opendocument.text"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ElementTree.ParseError,
)
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True)
class SheetPart:
    """One entry of a workbook's list of sheets: the path of its part, and whether Excel shows it."""

    part: str
    name: str
    hidden: bool


class Package:
    """A workbook's archive, opened but not unpacked."""

    def __init__(self, raw: bytes) -> None:
        """Open the archive.

        Raises:
            Refused: damaged, too many entries, encrypted, or no workbook.
        """
        _check_directory(raw)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
        except _BROKEN:
            raise Refused(DAMAGED) from None
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES:
            raise Refused(TOO_LARGE, kind=f"fler än {MOST_ENTRIES} delar")
        self._entries: dict[str, list[zipfile.ZipInfo]] = {}
        for entry in entries:
            self._entries.setdefault(_path(entry.filename), []).append(entry)
        self._left = MOST_BYTES
        self.kind = self._kind()

    def _kind(self) -> str:
        if "xl/workbook.xml" in self._entries:
            return "xlsx"
        if self._head("mimetype", 200).strip() == _ODS:
            return "ods"
        if "xl/workbook.bin" in self._entries:
            raise Refused(OTHER_KIND, kind="en Excelarbetsbok i binärt format (.xlsb)")
        for folder, kind in (
            ("word/", WORD),
            ("ppt/", SLIDES),
            ("index/document.iwa", NUMBERS),
            ("index.zip", NUMBERS),
        ):
            if any(name.startswith(folder) for name in self._entries):
                raise Refused(OTHER_KIND, kind=kind)
        if any(entry.flag_bits & 1 for (entry, *_) in self._entries.values()):
            raise Refused(LOCKED)
        raise Refused(OTHER_KIND, kind=TEXT if self._head("mimetype", 200).startswith(_ODT) else ZIP)

    def _open(self, name: str) -> tuple[zipfile.ZipInfo, IO[bytes]]:
        found = self._entries[_path(name)]
        if len(found) > 1:
            raise Refused(DAMAGED)
        if found[0].flag_bits & 1:
            raise Refused(LOCKED)
        try:
            return found[0], self._zip.open(found[0])
        except _BROKEN:
            raise Refused(DAMAGED) from None

    def _head(self, name: str, length: int) -> bytes:
        """The first bytes of a part; empty when there is no such part."""
        if _path(name) not in self._entries:
            return b""
        _, handle = self._open(name)
        with handle:
            try:
                return handle.read(length)
            except _BROKEN:
                raise Refused(DAMAGED) from None

    def read(self, name: str) -> bytes:
        """A part's bytes, its checksum proven; empty when there is no such part.

        Raises:
            Refused: damaged, encrypted, larger than what is left of the limit, or XML with a document type.
        """
        if _path(name) not in self._entries:
            return b""
        entry, handle = self._open(name)
        with handle:
            if entry.file_size > SUSPECT_BYTES and entry.file_size > SUSPECT_RATIO * max(entry.compress_size, 1):
                raise Refused(TOO_LARGE, kind="en del packas upp till orimlig storlek")
            if entry.file_size > self._left:
                raise Refused(TOO_LARGE, kind=f"mer än {MOST_BYTES >> 20} MB när den packas upp")
            try:
                content = handle.read(self._left + 1)
            except _BROKEN:
                raise Refused(DAMAGED) from None
        self._left -= len(content)
        if self._left < 0:
            raise Refused(TOO_LARGE, kind=f"mer än {MOST_BYTES >> 20} MB när den packas upp")
        return _plain_xml(content)

    def sheet_head(self, name: str) -> bytes:
        """The beginning of a sheet's part, cut after a whole row and closed: a small sheet of its own."""
        head = self._head(name, HEAD_BYTES)
        if not head:
            return b""
        _plain_xml(head)
        if len(head) < HEAD_BYTES:
            return head
        ends = list(re.finditer(rb"</(\w+:)?row>", head))
        if not ends:
            return b""
        last = ends[min(len(ends), _HEAD_ROWS) - 1]
        prefix = last[1] or b""
        return head[: last.end()] + b"</" + prefix + b"sheetData></" + prefix + b"worksheet>"

    def sheets(self) -> list[SheetPart]:
        """The workbook's sheets in its own order (xlsx).

        Raises:
            Refused: the list can't be read.
        """
        try:
            relations = ElementTree.fromstring(self.read("xl/_rels/workbook.xml.rels"))
            targets = {r.get("Id"): r.get("Target", "") for r in relations}
            workbook = ElementTree.fromstring(self.read("xl/workbook.xml"))
        except _BROKEN:
            raise Refused(DAMAGED) from None
        found: list[SheetPart] = []
        for entry in workbook.iter():
            if _local(entry.tag) != "sheet":
                continue
            relation = next((v for k, v in entry.attrib.items() if k == _RELATION or _local(k) == "id"), "")
            target = targets.get(relation, "")
            part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
            if len(found) == MOST_SHEETS:
                raise Refused(TOO_LARGE, kind=f"fler än {MOST_SHEETS} blad")
            found.append(SheetPart(part, entry.get("name", ""), entry.get("state", "visible") != "visible"))
        return found

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return _path(name) in self._entries

    def never_calculated(self) -> bool:
        """Whether the program that wrote the workbook left all calculating to Excel (xlsx)."""
        calculation = rb"<(\w+:)?calcPr\b[^<>]*\bfullCalcOnLoad=[\"'](1|true)"
        return re.search(calculation, self.read("xl/workbook.xml")) is not None

    def rebuilt(self, changed: dict[str, bytes]) -> io.BytesIO:
        """A plain zip of the given parts and of what is needed to read them."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as plain:
            for name in _NEEDED[self.kind]:
                if self.has(name) and name not in changed:
                    plain.writestr(name, self.read(name))
            for name, content in changed.items():
                plain.writestr(name, content)
        out.seek(0)
        return out


def _path(name: str) -> str:
    return name.replace("\\", "/").lower()


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _plain_xml(content: bytes) -> bytes:
    """XML without document types (no entity can be declared) in an encoding that is scanned byte by byte.

    Raises:
        Refused: it is other XML; no spreadsheet program writes it.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200] or b"<!DOCTYPE" in content[:2000]:
        raise Refused(DAMAGED)
    if content.find(b"<!DOCTYPE") >= 0 or content.find(b"<!ENTITY") >= 0:
        raise Refused(DAMAGED)
    return content


def _check_directory(raw: bytes) -> None:
    """Refuse a directory so long that only listing it would cost memory."""
    at = raw.rfind(b"PK\x05\x06", max(0, len(raw) - 70_000))
    if at < 0 or len(raw) - at < 22:
        raise Refused(DAMAGED)
    entries, size = struct.unpack_from("<HI", raw, at + 10)
    if entries > MOST_ENTRIES or size > MOST_ENTRIES * 400:
        raise Refused(TOO_LARGE, kind=f"fler än {MOST_ENTRIES} delar")
