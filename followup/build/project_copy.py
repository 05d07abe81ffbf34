"""The dbt project with another organisation's tables in it.

dbt writes each seed's SQL to the place of the seed's file below its target folder. Of a file outside the project that
place is the file itself: so tables from elsewhere are copied into a project, and never read where they are. The copy's
limits of flags are for as many units as the organisation has.
"""

from __future__ import annotations

import math
import secrets
import shutil
from pathlib import Path

import numpy as np

from followup.build.snapshot import project_digest
from ingest.districts import load_districts
from ingest.organisation import organisation_folder

_OWN = "organisation"
_PREFIX = "project-"
_FEWEST, _OF_THE_SEED, _FLAGS_OF_CHANCE = 4, 20, 0.01


def flag_levels(units: int) -> bytes:
    """The seed `flag_levels` for as many units as may be compared, and at least as many as ours is for.

    Of K districts the one in place r needs a probability below 0.01 r/K (docs/decisions/0059): two-sided quantiles of
    the normal distribution, and of Student's with K − 2⌈0.1 (K − 1)⌉ − 1 degrees of freedom.

    Args:
        units: the largest K; the smallest is 4.

    Returns:
        CSV.
    """
    # here, as it takes longer than all else that a build imports, and only another organisation's builds need it
    from scipy import stats

    from publish.derive.comparing import DRAWN_IN

    lines = ["districts,place,chance,normal_limit,student_limit"]
    for districts in range(_FEWEST, max(units, _OF_THE_SEED) + 1):
        places = np.arange(1, districts + 1)
        chances = _FLAGS_OF_CHANCE * places / districts
        left = districts - 2 * math.ceil(DRAWN_IN * (districts - 1) - 1e-9) - 1
        limits = zip(places, chances, stats.norm.isf(chances / 2), stats.t.isf(chances / 2, left), strict=True)
        lines += [
            f"{districts},{place},{chance:.12f},{normal:.6f},{student:.6f}" for place, chance, normal, student in limits
        ]
    return "\n".join([*lines, ""]).encode()


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
    (new / "seeds" / "flag_levels.csv").write_bytes(flag_levels(len(load_districts().districts)))
    try:
        new.replace(copy)
    except OSError:
        if not copy.is_dir():  # else another build was first
            raise
    for old in folder.glob(f"{_PREFIX}*"):
        if old != copy:
            shutil.rmtree(old, ignore_errors=True)
    return copy
