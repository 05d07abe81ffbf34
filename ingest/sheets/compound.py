"""The older container of Office documents (compound file): what lies in it."""

from __future__ import annotations

from ingest.sheets.refusals import LOCKED, Refused

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def refuse_locked(raw: bytes) -> None:
    """Refuse a workbook that Excel has encrypted with a password: it lies as one stream in a compound file.

    Raises:
        Refused: it is one.
    """
    if _ENCRYPTED in raw:
        raise Refused(LOCKED)
