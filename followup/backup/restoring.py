"""Restoring a set into an empty place: files first, the ledger last, so that nothing counts before all is there.

Killed at any step, the same restore goes on: a home that a restore has begun says so in a file, and what is whole in it
is not fetched again.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from followup.backup.backing_up import OnStep
from followup.backup.contents import RESTORING
from followup.backup.location import BackupLocation, location_of
from followup.backup.sealing import DamagedObject, load_backup_key
from followup.backup.sets import BackupSet, StoredFile, named_sets, read_ledger, read_pieces, read_set
from ingest.failures import StorageFailure
from ingest.file_permissions import make_folder
from ingest.ledger import Ledger
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.ledger.exporting import LedgerExport, import_ledger, is_unused
from ingest.ledger.opening import shown_location
from ingest.persons.keys import fingerprint, load_keys
from ingest.row_files import ROWS, RowFiles, row_files
from ingest.settings import Settings, SettingsError
from ingest.storing import sha256_of, write_whole
from publish.serving.folder import point, releases_folder
from publish.serving.readers import let_in

_OF_AN_EMPTY_HOME = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "lost+found", RESTORING)


class RestoreRefused(StorageFailure):
    """Nothing was restored; the message says why and what to do."""


@dataclass(frozen=True)
class Restored:
    """What was restored.

    Attributes:
        files, size: how many, and their bytes.
        left_out: what the set lacks: it was missing or damaged when the backup was made, or is by now in the backups.
        erased_since: how many persons were erased after the set was made, by the newest set; they are back.
    """

    name: str
    shown: str
    files: int
    size: int
    left_out: tuple[str, ...]
    erased_since: int


def restored_settings(settings: Settings, home: Path) -> Settings:
    """The settings of an installation restored beside the running one: ledger and releases in the home too."""
    places = {
        "home": home,
        "given_validated": None,
        "ledger_url": None,
        "published": home / "published",
        "scratch": None,
        "home_is_shared": False,
    }
    return settings.model_copy(update={**places, "given_keys": settings.keys, "given_backup_key": settings.backup_key})


def restore(
    settings: Settings,
    url: str | None = None,
    *,
    set_name: str | None = None,
    without_keys: bool = False,
    is_only_ledger: bool = False,
    on_step: OnStep = lambda number, total, what: None,
) -> Restored:
    """Bring a set back into an empty home, ledger and place of releases. The marts are to be built after it.

    Args:
        settings: of the installation that is to be.
        url: where the backups are, instead of FOLLOWUP_BACKUP_URL.
        set_name: which; by default the newest.
        is_only_ledger: bring back the ledger alone, into an empty one: the home is whole.
        without_keys: also where the key file is missing: originals can't be read then, nor anything be received.
        on_step: called with number, total and name of each file.

    Raises:
        RestoreRefused: the place is not empty, the set is not there or its ledger damaged, or the key file is missing
            or another's.
        BackupLocationFailed, DamagedObject: the backups, or the set's own list of files, can't be read.
        SettingsError: no place or key is set.
        LedgerError, OSError: the ledger or a file can't be written.
    """
    key, location = load_backup_key(settings), location_of(settings, url)
    with BackupLocation(location, key) as place:
        made, newest = _chosen(place, set_name)
        if is_only_ledger:
            _require_empty_ledger(settings)
        else:
            _require_empty(settings, made)
        copied = _ledger_of(place, made)
        _require_keys(settings, copied, without_keys)
        files = () if is_only_ledger else made.files
        home = make_folder(settings.home.absolute())
        if not is_only_ledger:
            write_whole(home / RESTORING, json.dumps({"set": made.name}).encode())
        damaged = []
        for number, file in enumerate(files, start=1):
            on_step(number, len(files), file.path)
            try:
                _bring_back(place, file, settings)
            except DamagedObject:  # all that is whole comes back: earlier sets have the same object
                damaged.append(file)
        on_step(None, None, "the ledger")
        if is_unused(settings.ledger):
            import_ledger(settings.ledger, copied, made.name)
        if made.published is not None and not is_only_ledger:
            let_in(releases_folder(settings), settings)
            point(settings, releases_folder(settings) / made.published)
        if not is_only_ledger:
            (home / RESTORING).unlink()
        return Restored(
            made.name, place.shown, len(files) - len(damaged), sum(file.size for file in files if file not in damaged),
            (*made.left_out, *(file.path for file in damaged)),
            newest.erased_persons - made.erased_persons,
        )  # fmt: skip


def _chosen(place: BackupLocation, set_name: str | None) -> tuple[BackupSet, BackupSet]:
    """The set to restore, and the newest."""
    names = [one.name for one in named_sets(place)]
    if not names:
        raise RestoreRefused(f"no backup at {place.shown} has ended: there is nothing to restore")
    if set_name is not None and set_name not in names:
        raise RestoreRefused(f"there is no set {set_name} at {place.shown}: `followup backup --list` names them")
    made = read_set(place, set_name or names[-1])
    return made, made if made.name == names[-1] else read_set(place, names[-1])


def _ledger_of(place: BackupLocation, made: BackupSet) -> LedgerExport:
    try:
        return read_ledger(place, made)
    except DamagedObject:
        raise RestoreRefused(
            f"the ledger in the set {made.name} is damaged or missing: choose an earlier one with --set "
            "(`followup backup --list`)"
        ) from None


def _require_empty(settings: Settings, made: BackupSet) -> None:
    """Require that nothing is overwritten, or that the same restore was interrupted here."""
    home, marker = settings.home.absolute(), settings.home / RESTORING
    if marker.exists():
        begun = json.loads(marker.read_text(encoding="utf-8"))["set"]
        if begun != made.name:
            raise RestoreRefused(
                f"restoring set {begun} into {home} was interrupted: go on with `--set {begun}`, or remove that folder"
            )
        if not is_unused(settings.ledger) and _last_restored(settings) != made.name:
            raise RestoreRefused("somebody has used the ledger since the restore was interrupted: name another home")
        return
    there = [entry.name for entry in home.iterdir()] if home.is_dir() else []
    if others := sorted(set(there) - set(_OF_AN_EMPTY_HOME)):
        raise RestoreRefused(f"{home} is not empty ({others[0]} is there): restore into an empty folder, with --to")
    _require_empty_ledger(settings)
    if settings.given_validated is not None and row_files(settings).names():
        raise RestoreRefused(
            f"there are rows {row_files(settings).shown} already: name an empty place in FOLLOWUP_VALIDATED"
        )
    for path in (settings.published.absolute(), releases_folder(settings)):
        if made.published is not None and (path.is_symlink() or (path.exists() and any(path.iterdir()))):
            raise RestoreRefused(f"{path} is there: name another FOLLOWUP_PUBLISHED, or move it away")


def _require_empty_ledger(settings: Settings) -> None:
    if not is_unused(settings.ledger):
        where = shown_location(sa.make_url(settings.ledger))
        raise RestoreRefused(
            f"the ledger at {where} is in use: name an empty database in FOLLOWUP_LEDGER_URL, or move that file away"
        )


def _last_restored(settings: Settings) -> str:
    ledger = Ledger(settings.ledger)
    try:
        found, _ = find_acts(ledger, ActSearch(action="backup.restored"), limit=1)
        return found[0].subject if found else ""
    finally:
        ledger.close()


def _require_keys(settings: Settings, copied: LedgerExport, without_keys: bool) -> None:
    claimed = {row["name"]: row["value"] for row in copied.rows("installation")}.get("person_keys")
    if claimed is None or without_keys:
        return
    try:
        keys = load_keys(settings.keys)
    except SettingsError as error:
        raise RestoreRefused(
            f"{error}; the key file is in no backup: put its copy back first (or restore --without-keys)"
        ) from None
    if fingerprint(keys) != claimed:
        raise RestoreRefused(f"{settings.keys} holds other keys than this backup's: put back the right key file first")


def _bring_back(place: BackupLocation, file: StoredFile, settings: Settings) -> None:
    """Put a file where it belongs. Nobody opens a release before the link leads to it."""
    if file.root != "home":
        _write_below(releases_folder(settings), file.path, place, file)
    elif not file.path.startswith(f"{ROWS}/"):
        _write_below(settings.home.absolute(), file.path, place, file)
    elif settings.validated_bucket is None:
        _write_below(settings.validated.absolute(), file.path.removeprefix(f"{ROWS}/"), place, file)
    else:
        _put_rows(place, file, row_files(settings))


def _put_rows(place: BackupLocation, file: StoredFile, rows: RowFiles) -> None:
    """Put a file of rows into the bucket, unless it is there already."""
    with suppress(FileNotFoundError):
        if hashlib.sha256(rows.read(file.path)).hexdigest() == file.sha256:
            return
    content = b"".join(read_pieces(place, file.pieces))
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _other_content(file)
    rows.write(file.path, content)


def _other_content(file: StoredFile) -> DamagedObject:
    return DamagedObject(f"{file.path} in the backup is not what was backed up")


def _write_below(root: Path, path: str, place: BackupLocation, file: StoredFile) -> None:
    """Write a file whole, unless it is there already; folders below the root are for their owner alone."""
    target = root / path
    if target.is_file() and target.stat().st_size == file.size and sha256_of(target) == file.sha256:
        return
    make_folder(root, *target.parent.relative_to(root).parts)
    temporary = target.with_name(f".{target.name}.tmp")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as handle:
            for content in read_pieces(place, file.pieces):
                digest.update(content)
                handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.utime(temporary, ns=(file.mtime_ns, file.mtime_ns))
        if digest.hexdigest() != file.sha256:
            raise _other_content(file)
        temporary.replace(target)
    except OSError as error:
        error.filename = error.filename or str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)
