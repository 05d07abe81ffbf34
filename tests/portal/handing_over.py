"""Bodies of forms with files, and an installation to hand them over to, without a web server."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import yaml

from ingest.acting_user import Actor, acting_as
from ingest.contracts import EXPECTATIONS, load_contracts
from ingest.ledger import Ledger
from ingest.ledger.acts import acts
from ingest.ledger.decisions import lock_quarter
from ingest.ledger.tables import upload as table
from ingest.ledger.uploads import Upload, UploadState, uploads_in_states
from ingest.persons.keys import Keys, load_keys, make_keys
from ingest.quarters import Quarter
from ingest.receiving import receive_district
from ingest.settings import Settings
from ingest.spooling import Spool
from portal.handover.announcing import Announcer
from portal.handover.facade import Handover, Received
from portal.handover.receiving import Limits
from portal.handover.tidying import tidy
from portal.handover.working import Worker
from portal.settings import PortalSettings

BOUNDARY = "x-lines-x"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
ANNA = Actor("user", "anna")
UNIT = "bromma"


AT_WORK = """
import sys
from pathlib import Path
sys.path.append("tests/portal")
from handing_over import csv, form, reopened
office, what = reopened(Path(sys.argv[1]), sys.argv[2]), sys.argv[3]
if what == "send":
    office.send(form([(name, csv(name, [])) for name in sys.argv[4:]]))
else:
    office.work_all()
"""
"""Sends files or takes them in. Arguments: the installation's folder, its time, `send` or `work`, files' names."""


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
    keys_of: Counter | None = None
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        if self.keys_of is None:
            make_keys(self.root / "keys.json")
        else:
            shutil.copy(self.keys_of.settings.keys, self.root / "keys.json")
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


@dataclass
class Office(Counter):
    """An installation whose worker is in this process; `own` are settings of the portal."""

    own: dict[str, Any] = field(default_factory=dict)

    @property
    def worker(self) -> Worker:
        return Worker(self.settings, self.ledger, Announcer(PortalSettings(**self.own)), self.limits)

    def work_all(self) -> list[Upload]:
        """Work until nothing is left to take up; the uploads of the newest batch that changed."""
        before = {one.upload_id: one for one in self._all()}
        while self.worker.work():
            pass
        return [one for one in self._all() if before.get(one.upload_id) != one]

    def _all(self) -> list[Upload]:
        return uploads_in_states(self.ledger, get_args(UploadState))

    def hand_in(self, files: dict[str, bytes], purpose: Any = "submit", *, unit: str = UNIT) -> list[Upload]:
        """Send files and work; what became of them, and of what they were unpacked into."""
        received = self.send(form(list(files.items())), purpose, unit=unit)
        self.work_all()
        return self.handover.batch(received.batch_id)

    def one(self, upload_id: str) -> Upload:
        """An upload as it is now."""
        found = self.handover.upload(upload_id)
        assert found is not None
        return found

    def as_anna(self) -> AbstractContextManager[None]:
        """Decide as a user of the portal."""
        return acting_as(ANNA)

    def drop(self, name: str, raw: bytes) -> None:
        """Take a file in from the unit's drop location."""
        folder = self.root / "inbox" / UNIT
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
        os.utime(folder / name, (1, 1))
        receive_district(self.settings, UNIT)

    def lock(self, quarter: str) -> None:
        """Lock a quarter."""
        lock_quarter(self.ledger, Quarter.parse(quarter), self.settings.now())

    def skip_pauses(self) -> None:
        """Let time pass for uploads that were given back."""
        self._set(claim_until=None)

    def expire_claims(self) -> None:
        """Let so much time pass that claims that were not renewed are void."""
        self._set(claim_until=datetime(2000, 1, 1))

    def _set(self, **values: Any) -> None:
        with self.ledger.engine.begin() as connection:
            connection.execute(table.update().values(**values))

    def work_elsewhere(self) -> bool:
        """Work once as another holder of claims and leases; whether there was something to take up."""
        with ThreadPoolExecutor(1) as other:
            return other.submit(self.worker.work).result()


def reopened(root: Path, now: str) -> Office:
    """The same installation in another process."""
    office = Office.__new__(Office)
    office.root, office.now, office.limits, office.keys_of, office.own = root, now, None, None, {}
    office.ledger = Ledger(office.settings.ledger)
    return office


def base_row(dataset: str) -> dict[str, str]:
    """The right row that the dataset's examples are made of."""
    path = EXPECTATIONS / dataset / "examples" / "rules.yml"
    return {name: str(cell) for name, cell in yaml.safe_load(path.read_text(encoding="utf-8"))["base"].items()}


def csv_bytes(dataset: str, rows: list[dict[str, str]]) -> bytes:
    """A file with the contract's headers and these rows."""
    columns = load_contracts(Quarter(2018, 3))[dataset].columns
    lines = [";".join(column.label_sv for column in columns)]
    lines += [";".join(row.get(column.name, "") for column in columns) for row in rows]
    return ("\r\n".join(lines) + "\r\n").encode("cp1252")


def csv(name: str, rows: list[dict[str, str]]) -> bytes:
    """A file with these rows, or with one right row, of the dataset that its name says."""
    unit, *words, _ = name.split("_")
    dataset = "_".join(words)
    area = {"omrade": "Hökarängen"} if unit == "farsta" else {}
    return csv_bytes(dataset, rows or [base_row(dataset) | area])


def arenden(*numbers: str, **changes: str) -> bytes:
    """A file of cases with these numbers, each of another child; the changes are in its first row."""
    rows = [
        base_row("arenden") | {"arende_id": number, "personnummer": synthetic_number(int(number[1:]))}
        for number in numbers
    ]
    return csv_bytes("arenden", [{**rows[0], **changes}, *rows[1:]])


def synthetic_number(day: int) -> str:
    """A girl's number of a series that nobody has, born on a day of March 2010."""
    first = f"1003{day:02}980"
    digits = [int(digit) * (2 - place % 2) for place, digit in enumerate(first)]
    last = -sum(digit // 10 + digit % 10 for digit in digits) % 10
    return f"20{first[:6]}-{first[6:]}{last}"


def after_restart(office: Office) -> None:
    """What the next workers do, once claims of processes that can't be seen to be dead are void."""
    tidy(office.settings, PortalSettings(), office.ledger)
    office.skip_pauses()
    office.work_all()


def state(office: Office) -> dict[str, object]:
    """All that a kill could double or lose: submissions, acts, and the files that count."""
    home = office.settings.home
    files = {
        path: path.read_bytes() for path in sorted(home.rglob("*")) if path.suffix in (".parquet", ".json", ".txt")
    }
    return {
        "submissions": [asdict(one) for one in office.ledger.submissions()],
        "acts": [(one.action, one.actor) for one in acts(office.ledger)],
        "files": {str(path.relative_to(home)): content for path, content in files.items()},
        "originals": sorted(path.name for path in home.glob("landing/*/*")),
        "spool": office.left(),
    }
