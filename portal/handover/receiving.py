"""Receiving one request with files: its body is split as it comes, and each file goes encrypted into the spool."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC

from ingest.acting_user import Actor, acting_as
from ingest.ledger import ChangeRefused, Ledger
from ingest.ledger.acts import system_now
from ingest.ledger.uploads import (
    Purpose,
    Upload,
    add_upload,
    forget_batch,
    hand_over,
    keep_receiving,
    new_id,
    uploads_in_states,
)
from ingest.naming import read_name, shown_name
from ingest.persons.keys import Keys, load_keys
from ingest.settings import MEGABYTE, Settings
from ingest.spooling import Spool, SpoolWriter
from portal.handover.multipart import (
    BrokenBody,
    HandoverRefused,
    PartBegins,
    PartBytes,
    Splitter,
    TooLarge,
    boundary_of,
)

_KEEP_SECONDS = 20.0
_IN_QUEUE = ("receiving", "waiting", "working")
_IN_SPOOL = (*_IN_QUEUE, "unnamed", "checked", "to_confirm")


class NoFile(HandoverRefused):
    """The form names no file."""

    status = 422


class SpoolFull(HandoverRefused):
    """There is no room for more files, of this unit or at all."""

    status = 507


@dataclass(frozen=True)
class Limits:
    """What one request, and one unit, may hand over.

    Attributes:
        file_bytes: of one file; total_bytes: of all files of a request.
        unit_bytes: of a unit's files in the spool.
        unit_files: of a unit that wait for a worker, or are received: it can't fill the queue of all others.
        unit_requests: of a unit that are received at once, each with up to `total_bytes` that no other one sees.
    """

    file_bytes: int
    total_bytes: int
    unit_bytes: int
    unit_files: int = 240
    unit_requests: int = 8
    files: int = 60
    fields: int = 20
    field_bytes: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Those of an installation."""
        one = settings.max_file_megabytes * MEGABYTE
        return cls(one, 2 * one, 10 * one)


@dataclass(frozen=True)
class Occupied:
    """What a unit has in the spool: bytes, files that are received or wait for a worker, requests being received."""

    spooled: int
    queued: int
    requests: int


def occupied_by(ledger: Ledger, district_code: str) -> Occupied:
    """What a unit has in the spool now; of files that are still received no bytes are known."""
    there = [one for one in uploads_in_states(ledger, _IN_SPOOL) if one.district_code == district_code]
    return Occupied(
        sum(one.size_bytes for one in there),
        sum(one.state in _IN_QUEUE for one in there),
        len({one.batch_id for one in there if one.state == "receiving"}),
    )


@dataclass(frozen=True)
class Received:
    """What came in a request: its fields, and its files in the order of the body."""

    fields: Mapping[str, str]
    batch_id: str
    upload_ids: tuple[str, ...]


class Reception:
    """One request. Whatever ends it early, nothing of it is left."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        district_code: str,
        actor: Actor,
        purpose: Purpose,
        is_synthetic: bool,
        check_fields: Callable[[dict[str, str]], None],
        limits: Limits,
    ) -> None:
        """Nothing is read or written yet."""
        self._settings, self._ledger, self._spool, self._limits = settings, ledger, Spool(settings), limits
        self._keys: Keys = load_keys(settings.keys)
        self._actor, self._check_fields = actor, check_fields
        now = system_now()
        self._batch = Upload(
            "", new_id(), district_code, purpose, "", actor.kind, actor.name, now, now, is_synthetic=is_synthetic
        )
        self._fields: dict[str, str] = {}
        self._field: tuple[str, bytearray] | None = None
        self._writer: SpoolWriter | None = None
        self._upload: Upload | None = None
        self._whole: list[Upload] = []
        self._is_passed_over = self._are_fields_checked = False
        self._total, self._room, self._kept_at = 0, limits.unit_bytes, time.monotonic()

    async def receive(self, stream: AsyncIterable[bytes], content_type: str) -> Received:
        """Read the body to its end and let workers have the files.

        Raises:
            HandoverRefused: one of its kinds; nothing is left.
            Exception: what `check_fields` or the stream raises; nothing is left.
        """
        splitter = Splitter(boundary_of(content_type))
        try:
            async for chunk in stream:
                for event in splitter.feed(chunk):
                    if isinstance(event, PartBegins):
                        await self._begin(event)
                    elif isinstance(event, PartBytes):
                        await self._add(event.content)
                    else:
                        await self._end()
                if time.monotonic() > self._kept_at + _KEEP_SECONDS:
                    self._kept_at = time.monotonic()
                    await asyncio.to_thread(keep_receiving, self._ledger, self._batch.batch_id)
            if not splitter.is_whole:
                raise BrokenBody("Överföringen bröts innan allt hade kommit fram. Försök igen.")
            if not self._whole:
                self._check()
                raise NoFile("Välj minst en fil.")
            await asyncio.to_thread(self._hand_over)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(self._leave_nothing))  # to its end, also when cancelled again
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SpoolFull("Det finns inget utrymme kvar hos oss just nu. Försök igen senare.") from None
            raise
        return Received(self._fields, self._batch.batch_id, tuple(one.upload_id for one in self._whole))

    def _hand_over(self) -> None:
        submitted_at = self._settings.now().astimezone(UTC).replace(tzinfo=None)
        try:
            with acting_as(self._actor):
                hand_over(self._ledger, self._whole, submitted_at)
        except ChangeRefused:
            raise BrokenBody("Överföringen tog för lång tid. Försök igen.") from None

    def _leave_nothing(self) -> None:
        """Remove what was stored. What can't be removed now is when the worker tidies up."""
        if self._writer is not None:
            self._writer.__exit__(None, None, None)
        for one in [*self._whole, *([self._upload] if self._upload else [])]:
            with suppress(OSError):
                self._spool.remove(one.upload_id)
        with suppress(Exception):
            forget_batch(self._ledger, self._batch.batch_id)

    def _check(self) -> None:
        if not self._are_fields_checked:
            self._are_fields_checked = True
            self._check_fields(dict(self._fields))

    async def _begin(self, part: PartBegins) -> None:
        if part.file_name is None:
            if part.name in self._fields or len(self._fields) >= self._limits.fields:
                raise BrokenBody("Formuläret har fler fält än det ska.")
            self._field = (part.name, bytearray())
            return
        self._check()
        self._is_passed_over = not part.file_name  # what a browser sends for a file field left empty
        if self._is_passed_over:
            return
        if len(self._whole) >= self._limits.files:
            raise TooLarge(f"Högst {self._limits.files} filer åt gången.")
        await asyncio.to_thread(self._begin_file, part.file_name)

    def _begin_file(self, file_name: str) -> None:
        name = read_name(file_name, self._batch.district_code)
        self._upload = replace(
            self._batch,
            upload_id=new_id(),
            file_name=shown_name(file_name),
            dataset=name.dataset,
            quarter=str(name.quarter) if name.quarter else None,
        )
        add_upload(self._ledger, self._upload)
        self._require_room()
        self._writer = self._spool.write(self._upload.upload_id, file_name, self._keys)

    def _require_room(self) -> None:
        """Look at what the unit has in the spool; this file is in the ledger already, so all at once see each other.

        Raises:
            SpoolFull: it has too much.
        """
        there = occupied_by(self._ledger, self._batch.district_code)
        if there.queued > self._limits.unit_files or there.requests > self._limits.unit_requests:
            raise SpoolFull("För många filer är på väg in samtidigt. Vänta tills de är prövade och försök igen.")
        if not self._whole:
            self._room = self._limits.unit_bytes - there.spooled

    async def _add(self, content: bytes) -> None:
        if self._field is not None:
            self._field[1].extend(content)
            if len(self._field[1]) > self._limits.field_bytes:
                raise TooLarge("Ett fält i formuläret är för långt.")
        elif self._writer is not None:
            self._total += len(content)
            if self._writer.size + len(content) > self._limits.file_bytes:
                raise TooLarge(
                    f"Filen är för stor: högst {self._limits.file_bytes // MEGABYTE} megabyte. Dela upp den."
                )
            if self._total > self._limits.total_bytes:
                raise TooLarge("Filerna är för stora tillsammans. Skicka färre åt gången.")
            if self._total > self._room:
                raise SpoolFull("För många filer väntar redan. Lämna in eller ta bort några först.")
            await asyncio.to_thread(self._writer.write, content)
        elif not self._is_passed_over:
            raise BrokenBody("Överföringen kom inte fram hel. Försök igen.")

    async def _end(self) -> None:
        if self._field is not None:
            name, content = self._field
            try:
                self._fields[name] = content.decode()
            except UnicodeDecodeError:
                raise BrokenBody("Ett fält i formuläret går inte att läsa.") from None
            self._field = None
        elif self._writer is not None and self._upload is not None:
            await asyncio.to_thread(self._writer.finish)
            self._whole.append(replace(self._upload, size_bytes=self._writer.size, sha256=self._writer.checksum))
            self._writer = self._upload = None
