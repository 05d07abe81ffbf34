"""The legal ground of interventions since the Social Services Act of 2025: by the intervention, not by chance.

Nothing is drawn, so a city of earlier quarters is the same with it and without.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from ingest.quarters import Quarter
from synthetic.draws import Bools, Ints, day_number

COLUMN = "rattslig_grund"
GROUNDS = ("service_2001_453", "utan_provning_dokumenterad", "utan_provning_ej_dokumenterad", "bistand")
OLD_SERVICE, DOCUMENTED, UNDOCUMENTED, ASSESSED = range(4)
FROM = Quarter(2025, 3)
_IN_FORCE = day_number(date(2025, 7, 1))
_DOCUMENTED_SERVICES = frozenset(
    {"unga_lagovertradare", "skolsocionom", "praktiskt_stod", "familjeradgivning", "trappan"}
)
"""Services that the drawn board has documented; it has excepted the others."""
_NO_LONGER_ASSESSED = frozenset({"praktiskt_stod", "annan_lokal"})
"""Care that needed a decision before, and since then is given without assessment, documented for each person."""


def of_services(codes: list[str]) -> Ints:
    """Positions in GROUNDS of services."""
    found = [DOCUMENTED if code in _DOCUMENTED_SERVICES else UNDOCUMENTED for code in codes]
    return np.array(found, dtype="int64")


def of_episodes(codes: list[str], decided: Ints) -> Ints:
    """Positions in GROUNDS of episodes, decided on these days."""
    is_free: Bools = np.array([code in _NO_LONGER_ASSESSED for code in codes], dtype=bool) & (decided >= _IN_FORCE)
    return np.where(is_free, DOCUMENTED, ASSESSED)


def of_supply(codes: list[str], is_service: list[bool]) -> Ints:
    """Positions in GROUNDS of what is offered."""
    return np.where(np.array(is_service, dtype=bool), of_services(codes), ASSESSED)
