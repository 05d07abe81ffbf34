"""Settings whose names are misspelt: nothing reads them, and nobody would notice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ingest.settings import ORGANISATION, Settings

_PREFIX = "FOLLOWUP_"
_OTHERS = ("AIRFLOW_", "MAIL_", "PORTAL_", "POSTGRES_", "TEST_")
"""How variables begin that models of their own, the containers, or the tests have."""
_ALIKE = 0.72
"""How alike two names are of which one is the other misspelt, by `difflib`: HOEM and HOME are so."""


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """Variables that look like a setting that is misspelt, each with the setting that it may mean."""
    known = {name.removeprefix(_PREFIX) for name in Settings.variables() | {ORGANISATION}}
    found = []
    for name in sorted(environment):
        word = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or word in known or word.startswith(tuple(f"{one}_" for one in known)):
            continue
        near = difflib.get_close_matches(word, known, n=1, cutoff=_ALIKE)
        if near and not word.startswith(_OTHERS):
            found.append(f"{name} is no setting: {_PREFIX}{near[0]}?")
    return found
