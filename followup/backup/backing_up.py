"""Backing up: copy the ledger, send what is not at the place yet, then put the set in place, and remove old ones.

A set counts once it is in place. Killed before, the earlier sets are whole, and the next run goes on with what was sent
already. Each object is read back when it is written.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO

from followup.backup.contents import Wanted, published_folder, wanted_files
from followup.backup.location import BackupLocation, location_of
from followup.backup.sealing import BackupKey, DamagedObject, load_backup_key
from followup.backup.sets import (
    BackupSet,
    Piece,
    StoredFile,
    StoredTable,
    is_there,
    named_sets,
    new_name,
    read_ledger,
    read_pieces,
    read_set,
    write_set,
)
from ingest.ledger import Ledger
from ingest.ledger.acts import add_act, system_now
from ingest.ledger.exporting import LedgerExport, export_ledger
from ingest.row_files import RowFiles
from ingest.settings import Settings, SettingsError

PIECE_BYTES = 32 << 20
"""A file is cut into pieces of so many bytes, so that memory does not grow with it."""
_PAUSES = (0.0, 1.0, 5.0, 20.0)
"""Seconds before each try to copy ledger and files of one moment."""
OnStep = Callable[[int | None, int | None, str], None]


@dataclass(frozen=True)
class BackedUp:
    """What a backup did.

    Attributes:
        files, size: of the set, with the bytes of all its files.
        sent_objects, sent_bytes: what was not at the place before.
        left_out: what the ledger names and is missing or damaged; earlier sets are not removed then.
        removed: earlier sets that are gone now.
        unreadable: earlier sets that are damaged; objects that nothing needs are not removed then.
    """

    name: str
    shown: str
    files: int
    size: int
    sent_objects: int
    sent_bytes: int
    left_out: tuple[str, ...]
    removed: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Verified:
    """What was found of a set, or of all: objects read, and what is missing or damaged, as paths and names."""

    sets: tuple[str, ...]
    objects: int
    damaged: tuple[str, ...]


class _Changed(Exception):
    """A file is no longer what the ledger's copy says of it."""


@dataclass
class _Sending:
    """Sends contents to a place, each once."""

    place: BackupLocation
    key: BackupKey
    is_rereading: bool
    sizes: dict[str, int]
    sent_objects: int = 0
    sent_bytes: int = 0
    _seen: set[str] = field(default_factory=set)

    def piece(self, content: bytes) -> Piece:
        """See that a content is there, and sound where that is asked for."""
        piece = Piece(name=self.key.name_of(content), size=len(content))
        if piece.name not in self._seen:
            if not (is_there(piece, self.sizes) and (not self.is_rereading or self._is_sound(piece, content))):
                self.place.write("objects", piece.name, content)
                self.sent_objects, self.sent_bytes = self.sent_objects + 1, self.sent_bytes + len(content)
            self._seen.add(piece.name)
        return piece

    def _is_sound(self, piece: Piece, content: bytes) -> bool:
        try:
            return self.place.read("objects", piece.name) == content
        except DamagedObject:
            return False

    def pieces(self, content: bytes) -> tuple[Piece, ...]:
        """See that a content is there, cut into pieces."""
        return tuple(self.piece(content[at : at + PIECE_BYTES]) for at in range(0, len(content), PIECE_BYTES))

    def file(self, wanted: Wanted) -> StoredFile | None:
        """See that a file is there; None where it is gone and may be.

        Raises:
            _Changed: it must be there and is not, or is not what the ledger says.
            OSError: it can't be read.
        """
        try:
            with _opened(wanted) as (handle, changed_ns):
                digest, pieces, first = hashlib.sha256(), [], handle.read(PIECE_BYTES)
                if wanted.sha256 is not None and len(first) < PIECE_BYTES:  # then nothing else is sent
                    _require(hashlib.sha256(first).hexdigest() == wanted.sha256)
                content, size = first, 0
                while content:
                    digest.update(content)
                    size += len(content)
                    pieces.append(self.piece(content))
                    content = handle.read(PIECE_BYTES)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            _require(not wanted.is_required)
            return None
        checksum = digest.hexdigest()
        _require(wanted.sha256 in (None, checksum))
        return StoredFile(
            root=wanted.root, path=wanted.path, size=size, sha256=checksum, mtime_ns=changed_ns,
            pieces=tuple(pieces),
        )  # fmt: skip


@contextmanager
def _opened(wanted: Wanted) -> Iterator[tuple[BinaryIO, int]]:
    """A file, and when it was changed: nanoseconds since 1970, 0 where nothing says it."""
    if isinstance(wanted.source, RowFiles):
        yield io.BytesIO(wanted.source.read(wanted.path)), 0
        return
    with wanted.source.open("rb") as handle:
        yield handle, wanted.source.stat().st_mtime_ns


def _require(is_so: bool) -> None:
    if not is_so:
        raise _Changed


def back_up(
    settings: Settings,
    url: str | None = None,
    *,
    is_dropping_older: bool = False,
    is_rereading: bool = False,
    now: datetime | None = None,
    on_step: OnStep = lambda number, total, what: None,
) -> BackedUp:
    """Back an installation up; others may receive, build and publish meanwhile.

    Args:
        settings: the installation's.
        url: instead of FOLLOWUP_BACKUP_URL.
        is_dropping_older: remove all earlier sets, whatever their age: after erasing, or a rotation of keys.
        is_rereading: read back what is there already too, and send again what is damaged.
        now: by which old sets are removed; UTC, without zone. By default the system's clock.
        on_step: called with number, total and name of what is looked at.

    Raises:
        BackupLocationFailed: the place can't be used; earlier sets are whole.
        SettingsError: no place or key is set, or the key file is inside FOLLOWUP_HOME.
        LeaseBusy: another backup, or a rotation of keys, is under way.
        LedgerError, OSError: the ledger or a file can't be read.
    """
    if settings.keys.absolute().is_relative_to(settings.home.absolute()):
        raise SettingsError(f"FOLLOWUP_KEYS ({settings.keys}) is inside FOLLOWUP_HOME: store it apart from the data")
    key, location = load_backup_key(settings), location_of(settings, url)
    ledger = Ledger(settings.ledger)
    try:
        with (
            ledger.lease("backup", wait_seconds=5),
            ledger.lease("keys"),
            BackupLocation(location, key, make=True) as place,
        ):
            sending = _Sending(place, key, is_rereading, place.sizes("objects"))
            made = _send_all(settings, ledger, sending, on_step)
            write_set(place, made)
            with ledger.engine.begin() as connection:
                add_act(connection, "backup.made", made.name)
            removed, unreadable = _tidy(place, made, _limit(settings, now) if not is_dropping_older else None, on_step)
            return BackedUp(
                made.name, place.shown, len(made.files), sum(one.size for one in made.files), sending.sent_objects,
                sending.sent_bytes, made.left_out, removed, unreadable,
            )  # fmt: skip
    finally:
        ledger.close()


def _limit(settings: Settings, now: datetime | None) -> datetime:
    return (now or system_now()) - timedelta(days=settings.backup_days)


def _send_all(settings: Settings, ledger: Ledger, sending: _Sending, on_step: OnStep) -> BackupSet:
    """Send ledger and files of one moment. What an erasing changed meanwhile makes it begin anew with the ledger."""
    for tries_left, pause in zip(reversed(range(len(_PAUSES))), _PAUSES, strict=True):
        time.sleep(pause)
        copied = export_ledger(ledger)
        on_step(None, None, "the ledger")
        wanted = wanted_files(settings, copied)
        files, left_out = [], []
        for number, one in enumerate(wanted, start=1):
            on_step(number, len(wanted), one.path)
            try:
                found = sending.file(one)
            except _Changed:
                if tries_left:
                    break
                left_out.append(one.path)
                continue
            if found is not None:
                files.append(found)
        else:
            return _set_of(settings, copied, sending, files, left_out)
    raise AssertionError("the last try takes what is there")


def _set_of(
    settings: Settings, copied: LedgerExport, sending: _Sending, files: list[StoredFile], left_out: list[str]
) -> BackupSet:
    tables = tuple(StoredTable(name=name, pieces=sending.pieces(content)) for name, content in copied.tables.items())
    published = published_folder(settings, copied)
    is_stored = published is not None and any(
        one.root == "published" and one.path.startswith(f"{published.name}/") for one in files
    )
    return BackupSet(
        name=new_name(copied.taken_at),
        taken_at=copied.taken_at,
        revision=copied.revision,
        erased_persons=sum(row["kind"] == "person" for row in copied.rows("erasure")),
        published=published.name if published is not None and is_stored else None,
        left_out=tuple(left_out),
        tables=tables,
        files=tuple(files),
    )


def _tidy(
    place: BackupLocation, made: BackupSet, limit: datetime | None, on_step: OnStep
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove sets from before a moment (all earlier ones where it is None), and objects that no set needs.

    Nothing is removed where the new set lacks something: an earlier one may have it.

    Returns:
        The sets that were removed, and those that can't be read.
    """
    if made.left_out:
        return (), ()
    on_step(None, None, "old sets")
    earlier = [one for one in named_sets(place) if one.name != made.name]
    removed = [one.name for one in earlier if limit is None or one.taken_at < limit]
    for name in removed:
        place.remove("sets", name)
    needed, unreadable = {piece.name for piece in made.pieces()}, []
    for one in earlier:
        if one.name in removed:
            continue
        try:
            needed |= {piece.name for piece in read_set(place, one.name).pieces()}
        except DamagedObject:
            unreadable.append(one.name)
    if not unreadable:
        for name in sorted(set(place.sizes("objects")) - needed):
            if name != ".followup":
                place.remove("objects", name)
    return tuple(removed), tuple(unreadable)


def verify(
    settings: Settings,
    url: str | None = None,
    *,
    on_step: OnStep = lambda number, total, what: None,
) -> Verified:
    """Read back every object of every set, and the rows of the newest set's ledger.

    Raises:
        BackupLocationFailed: the place can't be used, or there are no backups.
        SettingsError: no place or key is set.
    """
    key, location = load_backup_key(settings), location_of(settings, url)
    with BackupLocation(location, key) as place:
        names = [one.name for one in named_sets(place)]
        damaged: list[str] = []
        uses: dict[Piece, str] = {}
        newest = None
        for name in names:
            try:
                newest = read_set(place, name)
            except DamagedObject:
                damaged.append(f"the set {name}")
                continue
            uses |= {piece: f"{what} in the set {name}" for what, piece in _named_pieces(newest)}
        for number, (piece, what) in enumerate(uses.items(), start=1):
            on_step(number, len(uses), what)
            try:
                for _ in read_pieces(place, (piece,)):
                    pass
            except DamagedObject:
                damaged.append(what)
        if newest is not None and not damaged:
            copied = read_ledger(place, newest)
            for table in copied.tables:
                for _ in copied.rows(table):
                    pass
        return Verified(tuple(names), len(uses), tuple(damaged))


def _named_pieces(made: BackupSet) -> Iterator[tuple[str, Piece]]:
    for table in made.tables:
        yield from ((f"the ledger's table {table.name}", piece) for piece in table.pieces)
    for file in made.files:
        yield from ((file.path, piece) for piece in file.pieces)
