"""A set: what one backup holds, as it says of itself. Its contents are objects that several sets can share."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from followup.backup.location import BackupLocation
from followup.backup.sealing import OVERHEAD, DamagedObject
from ingest.ledger.exporting import LedgerExport

_FORM = "%Y%m%dT%H%M%S%fZ"
_LENGTH = len("20180410T080000000000Z-abcdef")
Root = Literal["home", "published"]


class Piece(BaseModel):
    """A part of a file: the name of an object, and the bytes of its content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size: int


class StoredFile(BaseModel):
    """A file in a set.

    `root` is what `path` is below: FOLLOWUP_HOME, or the folder of releases.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Root
    path: str
    size: int
    sha256: str
    mtime_ns: int
    pieces: tuple[Piece, ...]

    @field_validator("path")
    @classmethod
    def _is_below(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
            raise ValueError("a path leads out of its folder")
        return path


class StoredTable(BaseModel):
    """A table of the ledger in a set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pieces: tuple[Piece, ...]


class BackupSet(BaseModel):
    """What a set holds.

    Attributes:
        taken_at: the moment that its ledger is of; UTC, without zone, by the system's clock.
        revision: of the ledger's tables, which are in an order in which rows can be put in.
        erased_persons: how often a person had been erased by then.
        published: the folder, below that of releases, which readers had open.
        left_out: what the ledger names and was missing or damaged then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    taken_at: datetime
    revision: str
    erased_persons: int
    published: str | None
    left_out: tuple[str, ...]
    tables: tuple[StoredTable, ...]
    files: tuple[StoredFile, ...]

    def pieces(self) -> Iterator[Piece]:
        """The pieces of all tables and files; one that several share comes several times."""
        parts: tuple[StoredTable | StoredFile, ...] = (*self.tables, *self.files)
        for one in parts:
            yield from one.pieces


@dataclass(frozen=True)
class NamedSet:
    """A set by its name alone. `taken_at` in UTC, without zone."""

    name: str
    taken_at: datetime


def new_name(taken_at: datetime) -> str:
    """The name of a set that is of a moment; names are in the order of time."""
    return f"{taken_at.strftime(_FORM)}-{secrets.token_hex(3)}"


def named_sets(place: BackupLocation) -> list[NamedSet]:
    """The sets at a place, oldest first."""
    found = []
    for name in sorted(place.sizes("sets")):
        if len(name) == _LENGTH:
            try:
                found.append(NamedSet(name, datetime.strptime(name[:-7], _FORM)))  # noqa: DTZ007  (UTC, as stored)
            except ValueError:
                continue
    return found


def write_set(place: BackupLocation, made: BackupSet) -> None:
    """Put a set in place: from then on it is there."""
    place.write("sets", made.name, zlib.compress(made.model_dump_json().encode()))


def read_set(place: BackupLocation, name: str) -> BackupSet:
    """Read what a set holds.

    Raises:
        DamagedObject: it is missing or damaged.
    """
    try:
        made = BackupSet.model_validate_json(zlib.decompress(place.read("sets", name)))
    except (zlib.error, ValidationError):
        made = None
    if made is None or made.name != name:
        raise DamagedObject(f"set {name} at {place.shown} is damaged, or of a newer version: choose another")
    return made


def read_pieces(place: BackupLocation, pieces: tuple[Piece, ...]) -> Iterator[bytes]:
    """The contents of pieces, one by one.

    Raises:
        DamagedObject: one is missing or damaged.
    """
    for piece in pieces:
        content = place.read("objects", piece.name)
        if len(content) != piece.size:
            raise DamagedObject(f"{piece.name} in the backups at {place.shown} has another length than its set says")
        yield content


def read_ledger(place: BackupLocation, made: BackupSet) -> LedgerExport:
    """The ledger in a set.

    Raises:
        DamagedObject: a part of it is missing or damaged.
    """
    tables = {table.name: b"".join(read_pieces(place, table.pieces)) for table in made.tables}
    return LedgerExport(made.revision, made.taken_at, tables)


def is_there(piece: Piece, sizes: dict[str, int]) -> bool:
    """Whether the object of a piece is at a place, as long as it must be."""
    return sizes.get(piece.name) == piece.size + OVERHEAD


def age(taken_at: datetime, now: datetime) -> str:
    """How old a set is, for people: `3 hours`, `2 days`."""
    passed = max(now - taken_at, timedelta(0))
    hours = int(passed.total_seconds() // 3600)
    return f"{hours} hours" if hours < 48 else f"{passed.days} days"
