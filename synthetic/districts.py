"""The fourteen offices of the synthetic city: how large each is and how it works.

An office is a district of 2007 and never ends: when districts merge, the successor reports its offices' cases, so
cases, stocks and persons go on across the merger. The traits are invented, they describe no real district.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ingest.districts import load_districts
from ingest.quarters import Quarter
from synthetic.draws import NEVER, Floats, Ints, day_number


@dataclass(frozen=True)
class Office:
    """One office and its habits of work. Shares are factors around the city's own; waits are days."""

    code: str
    size: float
    """Cases received in an ordinary quarter at scale 1."""
    opened: float
    offered: float
    accepted: float
    assessment_days: float
    """Mean days from receipt to the end of the pre-assessment of a report."""
    late_assessment: float
    """Share of reports decided later than 14 days."""
    quick: float
    """Share of investigations concluded within 60 days."""
    late: float
    """Share of investigations later than four months without a prolongation."""
    start_wait: float
    """Factor on the days from decision to start of an intervention."""
    completed: float
    followed_up: float
    """Share of ended episodes that are followed up."""


OFFICES: tuple[Office, ...] = (
    #      code                   size  open  offer accept days late   quick late   wait  compl follow
    Office("bromma", 330, 0.96, 0.95, 1.08, 7.0, 0.030, 0.27, 0.020, 0.9, 1.05, 0.70),
    Office("enskede-arsta-vantor", 540, 1.02, 1.00, 0.98, 8.0, 0.045, 0.18, 0.035, 1.1, 1.00, 0.58),
    Office("farsta", 400, 1.08, 1.05, 0.96, 8.5, 0.050, 0.16, 0.040, 1.2, 0.95, 0.55),
    Office("hagersten-liljeholmen", 380, 0.97, 1.02, 1.04, 6.5, 0.025, 0.25, 0.020, 0.9, 1.04, 0.66),
    Office("hasselby-vallingby", 570, 1.00, 1.00, 1.00, 7.5, 0.040, 0.20, 0.030, 1.0, 1.00, 0.60),
    Office("kungsholmen", 230, 0.90, 0.92, 1.10, 6.0, 0.020, 0.30, 0.015, 0.8, 1.08, 0.72),
    Office("norrmalm", 200, 0.86, 0.94, 1.10, 6.0, 0.025, 0.28, 0.020, 0.8, 1.06, 0.70),
    Office("rinkeby-kista", 430, 1.12, 1.05, 0.90, 9.0, 0.065, 0.12, 0.050, 1.5, 0.90, 0.48),
    Office("skarpnack", 300, 1.00, 1.08, 1.02, 7.0, 0.030, 0.22, 0.025, 1.0, 1.02, 0.62),
    Office("skarholmen", 360, 1.08, 1.02, 0.94, 8.0, 0.050, 0.24, 0.030, 1.2, 0.97, 0.57),
    Office("spanga-tensta", 370, 1.10, 1.04, 0.92, 9.0, 0.060, 0.14, 0.045, 1.4, 0.92, 0.50),
    Office("sodermalm", 380, 0.92, 0.97, 1.06, 6.5, 0.030, 0.24, 0.020, 1.0, 1.03, 0.67),
    Office("alvsjo", 190, 0.94, 0.96, 1.05, 6.0, 0.020, 0.28, 0.020, 0.8, 1.05, 0.70),
    Office("ostermalm", 200, 0.86, 0.90, 1.12, 6.5, 0.025, 0.29, 0.015, 0.9, 1.06, 0.72),
)
OFFICE_INDEX = {office.code: index for index, office in enumerate(OFFICES)}
SIZES: Floats = np.array([office.size for office in OFFICES])

_ABBREVIATIONS = {
    "bromma": "BR",
    "enskede-arsta-vantor": "EAV",
    "farsta": "FA",
    "hagersten-liljeholmen": "HL",
    "hasselby-vallingby": "HV",
    "kungsholmen": "KU",
    "norrmalm": "NM",
    "rinkeby-kista": "RK",
    "skarpnack": "SN",
    "skarholmen": "SK",
    "spanga-tensta": "ST",
    "sodermalm": "SO",
    "alvsjo": "AL",
    "ostermalm": "OM",
    "hagersten-alvsjo": "HA",
    "jarva": "JA",
    "norra-innerstaden": "NI",
}
UNITS: tuple[str, ...] = tuple(_ABBREVIATIONS)
"""Every reporting unit that an office can belong to, the successors last; cases store their unit as an index here."""
UNIT_INDEX = {code: index for index, code in enumerate(UNITS)}


def traits(name: str) -> Floats:
    """One trait of all offices, in the order of `OFFICES`."""
    return np.array([getattr(office, name) for office in OFFICES], dtype="float64")


def case_id(unit: int, year: int, number: int) -> str:
    """The case number as the unit that received the case writes it; it stays when the unit is merged."""
    short = _ABBREVIATIONS[UNITS[unit]]
    if unit % 3 == 0:
        return f"{short}-{year}-{number:05d}"
    if unit % 3 == 1:
        return f"{short}{year % 100:02d}/{number:05d}"
    return f"{year}_{short}_{number:05d}"


def running_number(office: int, number: int) -> str:
    """The office's running number for a child without personnummer."""
    return f"{_ABBREVIATIONS[OFFICES[office].code]}-L{number:05d}"


def episode_id(office: int, number: int) -> str:
    """The office's number for an intervention episode."""
    return f"{_ABBREVIATIONS[OFFICES[office].code]}-I{number:06d}"


def quarterly_id(office: int, letter: str, quarter: int, number: int) -> str:
    """The office's number for what it planned or held in a quarter (its ordinal): a group (G), an activity (A)."""
    return f"{_ABBREVIATIONS[OFFICES[office].code]}-{letter}{quarter // 4}{quarter % 4 + 1}-{number:02d}"


@lru_cache(maxsize=256)
def offices_of(unit: str) -> tuple[int, ...]:
    """The offices that report under a unit: itself, or those of its predecessors."""
    if unit in OFFICE_INDEX:
        return (OFFICE_INDEX[unit],)
    found: list[int] = []
    for before in load_districts().predecessors(unit):
        found.extend(offices_of(before))
    return tuple(sorted(found))


@lru_cache(maxsize=256)
def units_of_offices(quarter: Quarter) -> tuple[int, ...]:
    """For each office the index in `UNITS` of the unit that it reports under in a quarter."""
    unit = list(range(len(OFFICES)))
    for district in load_districts().valid_in(quarter):
        for office in offices_of(district.code):
            unit[office] = UNIT_INDEX[district.code]
    return tuple(unit)


@dataclass(frozen=True)
class AreaTable:
    """All areas of the fourteen districts, and where each office's lie."""

    codes: tuple[str, ...]
    socioeconomic: Ints
    """0 lag, 1 medel, 2 hog; one longer than codes, the last (index -1: no area) is medel."""
    pilot_from: Ints
    """Day number, or NEVER."""
    by_office: tuple[Ints, ...]
    weights: tuple[Floats, ...]


@lru_cache(maxsize=1)
def area_table() -> AreaTable:
    """The areas from the seed, with more children from the poorer ones."""
    registry = load_districts()
    codes: list[str] = []
    levels: list[int] = []
    pilots: list[int] = []
    by_office: list[Ints] = []
    weights: list[Floats] = []
    for office in OFFICES:
        areas = registry.areas(office.code)
        by_office.append(np.arange(len(codes), len(codes) + len(areas)))
        weights.append(np.array([{"lag": 1.7, "medel": 1.0, "hog": 0.6}[area.socioeconomic] for area in areas]))
        codes += [area.code for area in areas]
        levels += [("lag", "medel", "hog").index(area.socioeconomic) for area in areas]
        pilots += [day_number(area.pilot_from) if area.pilot_from else NEVER for area in areas]
    return AreaTable(tuple(codes), np.array([*levels, 1]), np.array([*pilots, NEVER]), tuple(by_office), tuple(weights))


def draw_areas(rng: np.random.Generator, offices: Ints) -> Ints:
    """An area in each row's office."""
    table = area_table()
    areas = np.zeros(offices.size, dtype="int64")
    for office, (choices, weights) in enumerate(zip(table.by_office, table.weights, strict=True)):
        rows = np.flatnonzero(offices == office)
        areas[rows] = choices[rng.choice(choices.size, size=rows.size, p=weights / weights.sum())]
    return areas
