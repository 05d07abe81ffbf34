"""Who may open the files of an installation: what is open to other users, and how it is closed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from ingest.districts import load_drop_locations
from ingest.file_permissions import close_to_others, find_open_to_others
from ingest.settings import Settings, SettingsError
from publish.serving.folder import releases_folder
from publish.serving.readers import is_in_home, let_in, let_read, wrongly_set

FIX_COMMAND = "followup doctor --fix-modes"
_STRANGERS = 0o007
"""The mode bits of those who are neither the owner nor of its group."""


def open_paths(settings: Settings) -> list[Path]:
    """What other users may open and should not: files of the ledger, of FOLLOWUP_HOME, of Airflow; drop folders."""
    return [*find_open_to_others(_private(settings)), *_open_drop_folders(settings)]


def fix_modes(settings: Settings) -> list[Path]:
    """Close what is open, and give what is published the modes that its readers need.

    Returns:
        What belongs to another user, and is left as it was.
    """
    left = [path for path in list(find_open_to_others(_private(settings))) if not close_to_others(path)]
    left += [path for path in _open_drop_folders(settings) if not close_to_others(path, _STRANGERS)]
    releases = releases_folder(settings)
    if releases.is_dir():
        try:
            let_in(releases, settings)
            for release in releases.iterdir():
                if release.is_dir() and not release.name.startswith("."):  # one that is being written
                    let_read(release, settings)
        except OSError:
            left += wrongly_set(releases, settings)
    return left


def left_by_earlier_versions(settings: Settings) -> list[Path]:
    """The link and the releases that an earlier version published in FOLLOWUP_HOME, where others are published now."""
    if is_in_home(settings):
        return []
    return [
        path for path in (settings.home / "published", settings.home / "releases") if path.is_symlink() or path.exists()
    ]


def _private(settings: Settings) -> list[Path]:
    roots = [settings.home, settings.airflow_home]
    roots += [] if settings.validated_bucket else [settings.validated]
    with suppress(sa.exc.ArgumentError):  # said by who opens the ledger
        url = sa.make_url(settings.ledger)
        if url.drivername.startswith("sqlite") and url.database:
            roots += [Path(f"{url.database}{ending}") for ending in ("", "-wal", "-shm")]
    whole = [root.absolute() for root in roots]
    return [root for root in whole if not any(root.is_relative_to(above) for above in whole if above != root)]


def _open_drop_folders(settings: Settings) -> list[Path]:
    """Drop locations that are folders of this machine and that strangers may use.

    The group may be the district's, so it is left; and what is in the folder, which the district writes, is closed with
    it: strangers can't pass.
    """
    try:
        locations = load_drop_locations(settings).values()
    except SettingsError:  # said by who looks at the drop locations
        return []
    urls = (location.url.removeprefix("file://") for location in locations)
    folders = [Path(url) for url in urls if "://" not in url]
    return [folder for folder in folders if folder.is_dir() and folder.stat().st_mode & _STRANGERS]
