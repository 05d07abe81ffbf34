"""Finding personnummer: which were sent in, and which files hold one afterwards."""

from __future__ import annotations

import re
from pathlib import Path

_SENT = re.compile(rb"(?<!\d)(\d{2})?(\d{6})[-+]?(\d{4})(?!\d)")
_ANY = re.compile(rb"(\d{6})[-+ ]?(\d{4})")


def numbers_in(inbox: Path) -> set[str]:
    """Twelve digits of every number in the files of an inbox; ten-digit ones get the century 20."""
    found = set()
    for path in inbox.glob("*/*.csv"):
        for century, day, serial in _SENT.findall(path.read_bytes()):
            if serial[:2] == b"98":  # the serial numbers that the synthetic city draws from
                found.add(((century or b"20") + day + serial).decode())
    return found


def search(folders: list[Path], numbers: set[str]) -> list[Path]:
    """Files under the folders that hold one of the numbers, with or without century and sign, also inside binaries."""
    short = {number[2:].encode() for number in numbers}
    hits = []
    for folder in folders:
        for path in sorted(p for p in folder.glob("**/*") if p.is_file() and not p.is_symlink()):
            content = path.read_bytes()
            position, found = 0, False
            while not found and (match := _ANY.search(content, position)):
                found = match[1] + match[2] in short
                position = match.start() + 1
            if found:
                hits.append(path)
    return hits
