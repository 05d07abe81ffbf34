"""Making a unit's extract: recorded in the ledger first, then put in place for its owner alone."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ingest.acting_user import acting_user
from ingest.districts import load_drop_locations
from ingest.file_permissions import make_folder
from ingest.ledger import Ledger
from ingest.ledger.extracts import Extract, record_extract
from ingest.ledger.leases import hold
from ingest.settings import CITY_TIME, Settings
from ingest.storing import write_new
from publish.extract.choosing import ExtractRefused, chosen_marts, require_own_unit
from publish.extract.workbook import About, write_workbook
from publish.gate.passing import MartsMissing
from publish.release.writing import SYNTHETIC, notice_of
from publish.serving.folder import releases_folder
from publish.serving.series_breaks import crossed
from publish.warehouse import reading_warehouse

FOLDER = "extracts"
"""In the home, where extracts are written that name no file."""
MODE = 0o600
WAIT_SECONDS = 300
"""For another extract that is being made."""
_TEMPORARY = ".extract-"
_WRITABLE_BY_OTHERS = 0o022
"""Somebody could put a link there, under the name that the file has until it is whole."""


@dataclass(frozen=True)
class Made:
    """An extract that was made: its file, the unit's name, mart → rows, and what the ledger has of it."""

    path: Path
    unit: str
    rows: dict[str, int]
    recorded: Extract
    notice: str


def extract(
    settings: Settings,
    code: str,
    out: Path | None = None,
    *,
    on_step: Callable[[int | None, int | None, str], None] = lambda *_: None,
) -> Made:
    """Write a unit's own rows of all marts, exact, to a workbook that only this process's user can open.

    Args:
        settings: the installation's.
        code: of a unit of today's division; its predecessors' rows are in its own.
        out: a file that isn't there yet, or a folder; by default a new file in the home's folder `extracts`.
        on_step: called with (number, total, mart).

    Raises:
        ExtractRefused: there is no such unit, it has no rows, or readers or districts could open the place.
        FileExistsError: the file is there already; nothing is recorded.
        MartsMissing: there is no warehouse.
        WarehouseFailed: it can't be read.
        LeaseBusy: another extract is being made, and does not end.
    """
    if not settings.warehouse.exists():
        raise MartsMissing("there is no warehouse: run `followup build` first")
    path = _place(settings, code, out)
    home = make_folder(settings.home)
    with closing(Ledger(settings.ledger)) as ledger, hold(ledger.engine, "extract", WAIT_SECONDS):
        for left in home.glob(f"{_TEMPORARY}*"):  # by a run that was killed: exact figures, and an old warehouse
            shutil.rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=_TEMPORARY, dir=home) as folder:
            content, unit, rows, notice = _made(settings, code, Path(folder), on_step)
        recorded = _recorded(settings, code, path, content, sum(rows.values()), is_synthetic=notice == SYNTHETIC)
        record_extract(ledger, recorded)
        write_new(path, content)
        path.chmod(MODE)
    return Made(path, unit, rows, recorded, notice)


def _made(
    settings: Settings, code: str, temporary: Path, on_step: Callable[[int | None, int | None, str], None]
) -> tuple[bytes, str, dict[str, int], str]:
    """The workbook, the unit's name, mart → rows, the notice."""
    with reading_warehouse(settings.warehouse), duckdb.connect() as connection:
        # by a name of its own: a build may put another warehouse in its place meanwhile
        held = temporary / "warehouse.duckdb"
        held.hardlink_to(settings.warehouse)
        connection.execute(f"attach '{held}' as warehouse (read_only)")
        connection.execute(f"set temp_directory = '{temporary}'")
        unit = require_own_unit(connection, code)
        notice = notice_of(connection)
        when = settings.now().astimezone(CITY_TIME).strftime("%Y-%m-%d kl. %H.%M")
        written = temporary / "extract.xlsx"
        marts = chosen_marts(connection)
        breaks = tuple(crossed(connection, "warehouse.marts", [mart.name for mart in marts]))
        rows = write_workbook(
            written,
            About(unit, when, notice, breaks),
            connection,
            marts,
            code,
            temporary=temporary,
            on_step=on_step,
        )
    if not sum(rows.values()):
        raise ExtractRefused(f"{code} has no rows in the marts: nothing of it is in force")
    return written.read_bytes(), unit, rows, notice


def _recorded(
    settings: Settings, code: str, path: Path, content: bytes, row_count: int, *, is_synthetic: bool
) -> Extract:
    user = acting_user()
    return Extract(
        extracted_at=settings.now().replace(tzinfo=None, microsecond=0),
        district_code=code,
        os_user=user.account,
        login_user=user.login,
        row_count=row_count,
        file_name=path.name,
        file_sha256=hashlib.sha256(content).hexdigest(),
        is_synthetic=is_synthetic,
    )


def _place(settings: Settings, code: str, out: Path | None) -> Path:
    """The file to write.

    Raises:
        ExtractRefused: readers of releases or senders of files could open its folder.
        FileExistsError: it is there.
    """
    named = f"{code}_{settings.now().astimezone(CITY_TIME):%Y-%m-%dT%H%M%S}.xlsx"
    if out is None:
        return make_folder(settings.home, FOLDER) / named
    path = out / named if out.is_dir() else out
    if path.suffix != ".xlsx":
        raise ExtractRefused(f"{path.name}: an extract is an Excel workbook, so its name must end in .xlsx")
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} is there already and is never overwritten")
    if not path.parent.is_dir():
        raise ExtractRefused(f"{path.parent} is no folder")
    if path.parent.stat().st_mode & _WRITABLE_BY_OTHERS:
        raise ExtractRefused(f"others can write in {path.parent}: choose a folder of your own")
    place = path.parent.resolve()
    for opened, who in _opened_to_others(settings):
        if place.is_relative_to(opened.resolve()):
            raise ExtractRefused(f"{path.parent} is where {who}: exact figures are not written there")
    return path


def _opened_to_others(settings: Settings) -> list[tuple[Path, str]]:
    places = [(settings.published, "readers open releases"), (releases_folder(settings), "readers open releases")]
    for code, location in load_drop_locations(settings).items():
        if location.kind == "folder":
            places.append((Path(location.url), f"{code} drops its files"))
    return places
