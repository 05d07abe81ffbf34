"""What an uploaded file is: by its name, or by what its sender chose where the name can't be read."""

from __future__ import annotations

import re

from ingest.ledger.uploads import Upload
from ingest.naming import FileName, read_name

_ENDING = re.compile(r"\.(csv|xlsx|xlsm|xlsb|xls|ods)\s*$", re.IGNORECASE)
_NUMBER_IN_NAME = "FIL-016"


def is_to_be_named(name: FileName) -> bool:
    """Whether the sender is asked which dataset and quarter a file is.

    Not where its name holds something like a personal number: then it is refused, whatever the sender says.
    """
    is_read = name.dataset is not None and name.quarter is not None
    return not is_read and all(found.rule != _NUMBER_IN_NAME for found in name.findings)


def name_of(upload: Upload, file_name: str, raw: bytes) -> FileName:
    """The file's name as intake reads it.

    A file that its sender named gets the name that it should have had: it is stored under it, so that everything that
    reads names later (checking again, restoring, importing originals) finds the same.
    """
    name = read_name(file_name, upload.district_code)
    if not is_to_be_named(name) or not upload.is_named_by_sender:
        return name
    right = f"{upload.district_code}_{upload.dataset}_{upload.quarter}.{_ending_of(file_name, raw)}"
    return read_name(right, upload.district_code)


def _ending_of(file_name: str, raw: bytes) -> str:
    """The ending of the name, or where it has none the one of what the bytes are."""
    if match := _ENDING.search(file_name):
        return match[1].lower()
    if raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return "xls"
    if raw[:2] == b"PK":
        return "ods" if b"opendocument.spreadsheet" in raw[:200] else "xlsx"
    return "csv"
