"""Release folders and the link that readers open: written whole under a hidden name, put in place by one rename.

FOLLOWUP_PUBLISHED is a link to the current release, in the folder `<its name>.releases` beside it (`releases` for the
link in FOLLOWUP_HOME). The release before it stays for those who have it open.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.file_permissions import make_parents
from ingest.settings import Settings
from publish.serving.csv_files import write_csv_files
from publish.serving.parquet import write_parquet
from publish.serving.readers import is_in_home, let_in, let_read
from publish.serving.release_file import ReleaseFile, ServingError
from publish.serving.snapshot import write_snapshot
from publish.serving.workbook import write_workbook

IDENTITY = "release.json"


@dataclass(frozen=True)
class Identity:
    """Which release something is: its name, and the checksum of the file it was made from."""

    release_id: str
    sha256: str


def identity(release: ReleaseFile) -> Identity:
    """Which release a file is."""
    return Identity(release.release_id, release.sha256)


def releases_folder(settings: Settings) -> Path:
    """Where release folders are: beside the link, so that readers need pass nothing else."""
    link = settings.published.absolute()
    return link.with_name("releases" if is_in_home(settings) else f"{link.name}.releases")


def read_identity(folder: Path) -> Identity | None:
    """Which release a folder holds; None when it does not say."""
    try:
        found = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
        return Identity(str(found["release_id"]), str(found["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def prepare_folder(
    release: ReleaseFile, settings: Settings, beside: Path | None, on_step: Callable[[str], None]
) -> Path:
    """Write all files of a release into a folder that nobody reads yet; what killed runs left is removed first.

    Args:
        release: what to write.
        settings: the installation's.
        beside: a folder whose files go out with the release (its certificate, its catalogue).
        on_step: called with each kind of file before it is written.

    Returns:
        The folder: complete, on disk, read-only, of the modes that its readers need. One that an earlier run completed
        for the same release is taken.

    Raises:
        ServingError: where the link belongs is a folder.
    """
    link, releases = settings.published.absolute(), releases_folder(settings)
    if link.is_dir() and not link.is_symlink():
        raise ServingError(f"{link} is a folder: let FOLLOWUP_PUBLISHED name what is made in it, {link / 'current'}")
    make_parents(releases)
    releases.mkdir(exist_ok=True)
    let_in(releases, settings)
    for leftover in releases.glob(".*"):
        shutil.rmtree(leftover)
    for earlier in sorted(releases.iterdir(), reverse=True):
        if earlier.is_dir() and read_identity(earlier) == identity(release):
            let_read(earlier, settings)
            return earlier
    final = releases / f"{settings.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    staged = final.with_name(f".{final.name}")
    staged.mkdir(mode=0o700)  # no reader's before it is whole
    (staged / "parquet").mkdir()
    on_step("snapshot")
    write_snapshot(release, staged)
    on_step("parquet")
    write_parquet(release, staged / "parquet")
    on_step("csv")
    write_csv_files(release, staged)
    on_step("workbook")
    write_workbook(release, staged)
    if beside is not None:
        shutil.copytree(beside, staged, dirs_exist_ok=True)
    made = {"release_id": release.release_id, "sha256": release.sha256}
    (staged / IDENTITY).write_text(json.dumps(made) + "\n", encoding="utf-8")
    _sync(staged)
    let_read(staged, settings)
    staged.replace(final)
    _sync_folder(releases)
    return final


def current_folder(settings: Settings) -> Path | None:
    """The release that readers open now."""
    link = settings.published.absolute()
    return link.resolve() if link.exists() else None


def point(settings: Settings, folder: Path) -> None:
    """Let the link that readers open point at a release: one rename, so that a reader sees the old one or the new.

    Of the other releases only the one that was current until now stays.
    """
    link, before = settings.published.absolute(), current_folder(settings)
    folder = folder.resolve()
    if before != folder:
        temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        temporary.symlink_to(os.path.relpath(folder, link.parent.resolve()))
        temporary.replace(link)
        _sync_folder(link.parent)
        for other in releases_folder(settings).iterdir():
            if other.is_dir() and other.resolve() not in (folder, before):
                shutil.rmtree(other)
    for release_folder in releases_folder(settings).iterdir():  # who may read can have changed
        if release_folder.is_dir():
            let_read(release_folder, settings)
    for torn in link.parent.glob(f".{link.name}.*"):
        torn.unlink()


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
