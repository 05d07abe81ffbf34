"""Files that are neither CSV nor workbook: known by their first bytes, each with what its sender should do."""

from __future__ import annotations

import re

from ingest.findings import Finding, file_finding
from ingest.workbooks.refusals import NUMBERS, SLIDES, TEXT, WORD, ZIP

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOOKED_AT = 4_000
_TAG = re.compile(rb"<(?:[a-z]|!--|!doctype)")
_OF_A_PAGE = re.compile(
    rb"<(?:!doctype html|html|head|body|meta|style|table|thead|tbody|tr|td|th|div|p|br|span|font)\b"
)
_JSON = re.compile(rb"\{\s*\"|\[\s*[\[{\"\]]")
_SQL = re.compile(rb"(?:insert into|create table|drop table)\s")
_MAIL_HEADER = re.compile(
    rb"(?:^|\n)(?:from|to|subject|date|return-path|received|delivered-to|message-id|mime-version): "
)
_PAGE, _XML, _PDF, _RTF = "en webbsida (HTML)", "en XML-fil", "en PDF", "ett RTF-dokument"
_MAIL = "ett e-postmeddelande"
_JSON_FILE, _SQL_FILE, _DATABASE = "en JSON-fil", "en fil med SQL-satser", "en databasfil"
_PICTURE, _PACKED, _STATISTICS = "en bild", "en komprimerad fil", "en fil ur ett statistikprogram"
_BEGINNINGS = (
    (b"%pdf-", _PDF),
    (b"{\\rtf", _RTF),
    (b"\x89png\r\n", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"gif8", _PICTURE),
    (b"ii*\0", _PICTURE),
    (b"mm\0*", _PICTURE),
    (b"\x1f\x8b", _PACKED),
    (b"7z\xbc\xaf\x27\x1c", _PACKED),
    (b"rar!\x1a\x07", _PACKED),
    (b"bzh", _PACKED),
    (b"\xfd7zxz\0", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (b"sqlite format 3\0", _DATABASE),
    (b"\0\1\0\0standard ", _DATABASE),
    (b"par1\x15", _DATABASE),
    (b"$fl2", _STATISTICS),
    (b"$fl3", _STATISTICS),
)
"""In lower case. None begins a table: our headers are words."""
_OLD_OFFICE = (("WordDocument", WORD), ("PowerPoint Document", SLIDES), ("__substg1.0_", _MAIL))
_OLD_WORKBOOKS = ("Workbook", "Book", "EncryptedPackage")
_SAVED_ANEW = "Öppna den i Excel, spara den som Excelarbetsbok (.xlsx) eller CSV UTF-8 och lämna den filen."
_COPIED = "Kopiera tabellen till Excel, spara den som Excelarbetsbok (.xlsx) och lämna den filen."
_TAKEN_ANEW = (
    "Hämta tabellen som Excelarbetsbok (.xlsx) eller CSV ur systemet som den kommer från, och lämna den filen."
)
_UNPACKED = "Packa upp den och lämna filerna i den var för sig."
_REMEDIES = {
    _PDF: _TAKEN_ANEW,
    _JSON_FILE: _TAKEN_ANEW,
    _SQL_FILE: _TAKEN_ANEW,
    _DATABASE: _TAKEN_ANEW,
    _STATISTICS: _TAKEN_ANEW,
    _PICTURE: _TAKEN_ANEW,
    _RTF: _COPIED,
    WORD: _COPIED,
    SLIDES: _COPIED,
    TEXT: _COPIED,
    _MAIL: "Spara bilagan ur meddelandet och lämna den.",
    _PACKED: _UNPACKED,
    ZIP: _UNPACKED,
    NUMBERS: "Öppna det i Numbers, exportera det till Excel (.xlsx) och lämna den filen.",
}


def unsupported_kind(raw: bytes) -> str:
    """What a file is that is neither CSV nor workbook, in words; empty for what may be one of these.

    Args:
        raw: the whole file.
    """
    if raw[:8] == _OLE:
        return _of_old_office(raw)
    start = raw[:_LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, kind in _BEGINNINGS:
        if start.startswith(beginning):
            return kind
    if _TAG.match(start):
        return _PAGE if _OF_A_PAGE.search(start) else _XML
    if start.startswith(b"<?xml"):
        return _XML
    if len(_MAIL_HEADER.findall(start)) > 1 and _MAIL_HEADER.match(start):
        return _MAIL
    if start.startswith(b"mime-version:"):
        return _PAGE  # saved as one file, with its pictures
    if _JSON.match(start):
        return _JSON_FILE
    return _SQL_FILE if _SQL.match(start) else ""


def _of_old_office(raw: bytes) -> str:
    """A document of old IntakeContext that is no workbook, by the names in its directory."""
    if any(name.encode("utf-16-le") + b"\0\0" in raw for name in _OLD_WORKBOOKS):
        return ""
    return next((kind for name, kind in _OLD_OFFICE if name.encode("utf-16-le") in raw), "")


def about_kind(kind: str) -> Finding:
    """The fault of such a file.

    Args:
        kind: from `unsupported_kind`, or what a zip archive is.
    """
    return file_finding("FIL-026", kind=kind, remedy=_REMEDIES.get(kind, _SAVED_ANEW))
