"""The dbt project with another organisation's tables in it.

dbt writes each seed's SQL to the place of the seed's file below its target folder. Of a file outside the project that
place is the file itself: so tables from elsewhere are copied into a project, and never read where they are.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from followup.build.snapshot import project_digest
from ingest.organisation import organisation_folder

_OWN = "organisation"
_PREFIX = "project-"


def project_of_organisation(project: Path, folder: Path) -> Path:
    """The dbt project that builds this process's organisation.

    Args:
        project: ours.
        folder: for copies; older ones in it are removed. Builds that run at once may share it.

    Returns:
        `project` where the organisation is its own, else a copy, whose name changes with all that is in it.

    Raises:
        OSError: the copy can't be written.
    """
    own = organisation_folder()
    if own == project / _OWN or not (project / _OWN).is_dir():
        return project
    copy = folder / f"{_PREFIX}{project_digest(project, own)[:32]}"
    if copy.is_dir():
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    new = Path(f"{copy}.{secrets.token_hex(4)}.new")
    shutil.copytree(project, new, ignore=shutil.ignore_patterns("target", "logs", _OWN))
    (new / _OWN).mkdir()
    for path in own.iterdir():
        if path.is_file():
            shutil.copyfile(path, new / _OWN / path.name)
    try:
        new.replace(copy)
    except OSError:
        if not copy.is_dir():  # else another build was first
            raise
    for old in folder.glob(f"{_PREFIX}*"):
        if old != copy:
            shutil.rmtree(old, ignore_errors=True)
    return copy
