"""Writes columns as the bytes of a file, and the list of synthetic files beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from ingest.contracts import load_contracts
from ingest.locations.local_folder import put_file, read_file
from ingest.quarters import Quarter
from synthetic.file_columns import Columns
from synthetic.habits import HABITS, extra_column, header, quoted

MANIFEST = "SYNTETISK.json"
_MANIFEST_AT_MOST = 20_000_000
NOTICE = (
    "Syntetiska uppgifter: filerna i denna mapp är påhittade av ett program. Inga personer, ärenden eller antal i dem "
    "är verkliga."
)
NOTICE_OTHER_SERIALS = (
    " Personnumren räckte inte i serien för testnummer (980–989): {count} barn har andra födelsenummer, som kan "
    "sammanfalla med verkliga personers."
)


def column_order(unit: str, dataset: str, quarter: Quarter) -> list[str]:
    """The columns of the quarter's contract that the unit's files hold."""
    return [c.name for c in load_contracts(quarter)[dataset].columns if c.name not in HABITS[unit].left_out]


def header_line(unit: str, dataset: str, quarter: Quarter) -> str:
    """The file's first line, without its end."""
    habit, contract = HABITS[unit], load_contracts()[dataset]
    cells = [
        quoted(header(unit, contract.column(name)), habit.separator) for name in column_order(unit, dataset, quarter)
    ]
    extra = extra_column(unit, dataset)
    return habit.separator.join([*cells, extra] if extra else cells)


def lines(unit: str, dataset: str, quarter: Quarter, columns: Columns) -> Iterator[str]:
    """The file's rows as lines without their end, the header apart."""
    habit, contract = HABITS[unit], load_contracts()[dataset]
    cells: list[Iterable[str]] = []
    for name in column_order(unit, dataset, quarter):
        is_text = contract.column(name).type == "text"
        cells.append([quoted(text, habit.separator) for text in columns[name]] if is_text else columns[name])
    if extra_column(unit, dataset):
        cells.append(["Barn och unga"] * len(columns[column_order(unit, dataset, quarter)[0]]))
    return map(habit.separator.join, zip(*cells, strict=True))


def encoded(unit: str, texts: Iterable[str], encoding: str | None = None) -> bytes:
    """Lines as the unit's bytes."""
    habit = HABITS[unit]
    return "".join(text + habit.newline for text in texts).encode(encoding or habit.encoding)


def csv_bytes(unit: str, dataset: str, quarter: Quarter, columns: Columns) -> bytes:
    """A whole CSV file."""
    return encoded(unit, chain([header_line(unit, dataset, quarter)], lines(unit, dataset, quarter, columns)))


def sha256(content: bytes) -> str:
    """The content's checksum, as manifests and the ledger have it."""
    return hashlib.sha256(content).hexdigest()


def write_manifest(folder: Path, checksums: dict[str, str], notice: str) -> None:
    """Add files to the folder's list of synthetic files, made if missing."""
    there = read_file(folder, MANIFEST, _MANIFEST_AT_MOST)
    known: dict[str, str] = json.loads(there)["files"] if there else {}
    content = {"notice": notice, "files": dict(sorted((known | checksums).items()))}
    put_file(folder, MANIFEST, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
