"""Bodies of forms with files, and an installation to hand them over to, without a web server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.acting_user import Actor
from ingest.ledger import Ledger
from ingest.persons.keys import Keys, load_keys, make_keys
from ingest.settings import Settings
from portal.handover.facade import Handover, Received
from portal.handover.receiving import Limits
from portal.handover.spool import Spool

BOUNDARY = "x-lines-x"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
ANNA = Actor("user", "anna")
UNIT = "bromma"


def part(name: str, content: bytes, file_name: str | None = None, headers: Iterable[str] = ()) -> bytes:
    """One part of a body, with its boundary."""
    named = f'form-data; name="{name}"' + ("" if file_name is None else f'; filename="{file_name}"')
    lines = [f"--{BOUNDARY}", f"Content-Disposition: {named}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """A whole body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def form(files: Sequence[tuple[str, bytes]], **fields: str) -> bytes:
    """The body of a form with fields, then files."""
    said = [part(name, value.encode()) for name, value in fields.items()]
    return body(*said, *(part("filer", content, name) for name, content in files))


async def chunks(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """A body as a server gives it."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


@dataclass
class Counter:
    """An installation whose files are handed over the counter."""

    root: Path
    now: str = "2018-10-10T08:00:00"
    limits: Limits | None = None
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        if not (self.root / "keys.json").exists():
            make_keys(self.root / "keys.json")
        self.ledger = Ledger(self.settings.ledger)

    @property
    def settings(self) -> Settings:
        """With the time that `now` says."""
        return Settings.model_validate(
            {
                "home": self.root / "home",
                "keys": self.root / "keys.json",
                "inbox": str(self.root / "inbox"),
                "FOLLOWUP_NOW": self.now,
            }
        )

    @property
    def handover(self) -> Handover:
        return Handover(self.settings, self.ledger, self.limits)

    @property
    def keys(self) -> Keys:
        return load_keys(self.settings.keys)

    @property
    def spool(self) -> Spool:
        return Spool(self.settings)

    def send(
        self,
        content: bytes,
        purpose: Any = "submit",
        content_type: str = TYPE,
        *,
        unit: str = UNIT,
        size: int = 65_536,
        check_fields: Callable[[dict[str, str]], None] = lambda fields: None,
    ) -> Received:
        """Send a body."""
        return asyncio.run(
            self.handover.receive(
                chunks(content, size),
                content_type,
                district_code=unit,
                actor=ANNA,
                purpose=purpose,
                check_fields=check_fields,
            )
        )

    def left(self) -> list[str]:
        """Names of all files in the spool."""
        return sorted(path.name for path in self.spool.folder.glob("*")) if self.spool.folder.exists() else []
