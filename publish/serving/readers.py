"""Who may open a release: modes of its files and folders, and what keeps readers from reaching it.

Everything else of an installation is for its service's user alone (`ingest.file_permissions`), so a release is outside
FOLLOWUP_HOME. Folders get the bit by which what is made in them belongs to their group: the operator chooses the
readers' group once, on the folder that FOLLOWUP_PUBLISHED is in. Nobody may write, not even the owner by mistake.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from ingest.settings import Readers, Settings

_MODES = {Readers.OWNER: (0o700, 0o400), Readers.GROUP: (0o2750, 0o440), Readers.EVERYONE: (0o2755, 0o444)}
"""Of a folder and of a file, by who may read."""
_PERMISSIONS = 0o777


def is_in_home(settings: Settings) -> bool:
    """Whether what is published is in FOLLOWUP_HOME, which nobody but the service's user can pass."""
    return settings.published.absolute().is_relative_to(settings.home.absolute())


def readers(settings: Settings) -> Readers:
    """Who may open what is published."""
    return Readers.OWNER if is_in_home(settings) else settings.published_readers


def let_in(folder: Path, settings: Settings) -> None:
    """Give one folder the mode that its readers need."""
    _set(folder, _MODES[readers(settings)][0])


def let_read(release: Path, settings: Settings) -> None:
    """Give a release's folder, and every folder and file in it, the mode that its readers need."""
    for path, wanted in _wanted(release, settings):
        _set(path, wanted)


def wrongly_set(releases: Path, settings: Settings) -> list[Path]:
    """Folders and files among the releases whose mode is another than their readers need."""
    if not releases.is_dir():
        return []
    return [path for path, wanted in _wanted(releases, settings) if _differs(path, wanted)]


def _wanted(root: Path, settings: Settings) -> Iterator[tuple[Path, int]]:
    of_folder, of_file = _MODES[readers(settings)]
    yield root, of_folder
    for path in sorted(root.rglob("*")):
        if not path.is_symlink():
            yield path, of_folder if path.is_dir() else of_file


def _differs(path: Path, wanted: int) -> bool:
    """The group's bit is none of it: the system drops it silently where the service's user is not of the group."""
    return stat.S_IMODE(path.stat().st_mode) & _PERMISSIONS != wanted & _PERMISSIONS


def _set(path: Path, wanted: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode != wanted:
        path.chmod(wanted | mode & stat.S_ISGID)


def hindrances(settings: Settings) -> tuple[str, ...]:
    """What keeps readers from opening what is published, in English, with what to do; nothing when all is well."""
    return tuple(_hindrances(settings))


def _hindrances(settings: Settings) -> Iterator[str]:
    link = settings.published.absolute()
    if is_in_home(settings):
        yield (
            f"only this service's user can open {link}, for it is in FOLLOWUP_HOME: "
            "set FOLLOWUP_PUBLISHED to a path outside it"
        )
        return
    who = readers(settings)
    if who is Readers.OWNER or not link.exists():
        return
    release = link.resolve().stat()
    given = link.parent.stat()
    if who is Readers.GROUP and given.st_mode & stat.S_ISGID and given.st_gid != release.st_gid:
        yield (
            f"releases do not belong to the group of {link.parent}: make this service's user a member of it, then "
            f"chgrp -R --reference={link.parent} {link.resolve().parent}"
        )
    for folder in reversed(link.resolve().parents):
        found = folder.stat()
        if not found.st_mode & stat.S_IXOTH and not (
            who is Readers.GROUP and found.st_gid == release.st_gid and found.st_mode & stat.S_IXGRP
        ):
            yield f"readers can't pass {folder}: chmod o+x {folder}, or set FOLLOWUP_PUBLISHED to a path elsewhere"
            return
