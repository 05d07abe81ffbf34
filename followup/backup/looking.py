"""Looking at the backups that are there: how old the newest is, and which hold what was erased since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from followup.backup.location import BackupLocation, location_of
from followup.backup.sealing import load_backup_key
from followup.backup.sets import NamedSet, named_sets
from ingest.ledger import Ledger
from ingest.ledger.act_search import ActSearch, find_acts
from ingest.settings import Settings


@dataclass(frozen=True)
class BackupsSeen:
    """The backups at a place.

    Attributes:
        sets: oldest first.
        outdated: those from before the last erasing of a person or rotation of keys: they hold what was removed.
    """

    shown: str
    sets: tuple[NamedSet, ...]
    outdated: tuple[NamedSet, ...]


def look_at_backups(settings: Settings, ledger: Ledger, url: str | None = None) -> BackupsSeen:
    """The sets at the place of the backups.

    Raises:
        BackupLocationFailed: it can't be used, or there are no backups.
        SettingsError: no place or key is set.
    """
    key, location = load_backup_key(settings), location_of(settings, url)
    with BackupLocation(location, key) as place:
        sets, shown = named_sets(place), place.shown
    removed_at = last_removal(ledger)
    outdated = [one for one in sets if removed_at is not None and one.taken_at < removed_at]
    return BackupsSeen(shown, tuple(sets), tuple(outdated))


def last_removal(ledger: Ledger) -> datetime | None:
    """When a person was erased last, or keys were rotated; UTC, without zone; None where neither ever was."""
    erased, _ = find_acts(ledger, ActSearch(action="erasure.done", subjects=("person",)), limit=1)
    rotated, _ = find_acts(ledger, ActSearch(action="rotation.ended"), limit=1)
    return max((one.acted_at for one in (*erased, *rotated)), default=None)
