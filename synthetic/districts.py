"""The districts that are drawn: their sizes and habits of work, their areas, their reporting units.

They are the units of this process's organisation that have no predecessor. They go on after a merger: the successor is
a reporting unit (`UNITS`) that reports the cases of several districts. Those of the synthetic city have traits of
their own; those of another organisation have a size by its `population.csv`, and the rest is drawn. All is invented and
describes no real district.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ingest.districts import load_districts
from ingest.organisation_tables import read_seed
from ingest.quarters import Quarter
from synthetic.draws import NEVER, Floats, Ints, day_number, stream


@dataclass(frozen=True)
class District:
    """One district and its habits of work. Shares are factors around the city's own; waits are days."""

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


_OF_THE_CITY: tuple[District, ...] = (
    #      code                   size  open  offer accept days late   quick late   wait  compl follow
    District("bromma", 330, 0.96, 0.95, 1.08, 7.0, 0.030, 0.27, 0.020, 0.9, 1.05, 0.70),
    District("enskede-arsta-vantor", 540, 1.02, 1.00, 0.98, 8.0, 0.045, 0.18, 0.035, 1.1, 1.00, 0.58),
    District("farsta", 400, 1.08, 1.05, 0.96, 8.5, 0.050, 0.16, 0.040, 1.2, 0.95, 0.55),
    District("hagersten-liljeholmen", 380, 0.97, 1.02, 1.04, 6.5, 0.025, 0.25, 0.020, 0.9, 1.04, 0.66),
    District("hasselby-vallingby", 570, 1.00, 1.00, 1.00, 7.5, 0.040, 0.20, 0.030, 1.0, 1.00, 0.60),
    District("kungsholmen", 230, 0.90, 0.92, 1.10, 6.0, 0.020, 0.30, 0.015, 0.8, 1.08, 0.72),
    District("norrmalm", 200, 0.86, 0.94, 1.10, 6.0, 0.025, 0.28, 0.020, 0.8, 1.06, 0.70),
    District("rinkeby-kista", 430, 1.12, 1.05, 0.90, 9.0, 0.065, 0.12, 0.050, 1.5, 0.90, 0.48),
    District("skarpnack", 300, 1.00, 1.08, 1.02, 7.0, 0.030, 0.22, 0.025, 1.0, 1.02, 0.62),
    District("skarholmen", 360, 1.08, 1.02, 0.94, 8.0, 0.050, 0.24, 0.030, 1.2, 0.97, 0.57),
    District("spanga-tensta", 370, 1.10, 1.04, 0.92, 9.0, 0.060, 0.14, 0.045, 1.4, 0.92, 0.50),
    District("sodermalm", 380, 0.92, 0.97, 1.06, 6.5, 0.030, 0.24, 0.020, 1.0, 1.03, 0.67),
    District("alvsjo", 190, 0.94, 0.96, 1.05, 6.0, 0.020, 0.28, 0.020, 0.8, 1.05, 0.70),
    District("ostermalm", 200, 0.86, 0.90, 1.12, 6.5, 0.025, 0.29, 0.015, 0.9, 1.06, 0.72),
)
_TRAITS = 29
"""Key of the streams that draw habits."""
_CASES_PER_CHILD = 0.02
"""Cases received in a quarter for each inhabitant under 21, in a district that is drawn."""
_OF_CHILDREN = frozenset({"0-5", "6-12", "13-17", "18-20"})
_SIZE_WITHOUT_FIGURES, _LEAST_SIZE = 100.0, 3.0


def _listed() -> list[tuple[str, str]]:
    """(code, kind) of the units, in the order of the organisation's table: what is drawn goes by it."""
    return [(row["district_code"], row["kind"]) for row in read_seed("districts")]


def _districts() -> tuple[District, ...]:
    """The districts of this process's organisation."""
    registry = load_districts()
    codes = [code for code, kind in _listed() if kind == "district" and not registry.predecessors(code)]
    if set(codes) == {district.code for district in _OF_THE_CITY}:
        return _OF_THE_CITY
    children = _children()
    return tuple(_drawn(code, place, children.get(code)) for place, code in enumerate(codes))


def _children() -> dict[str, int]:
    """Inhabitants under 21 of each unit, in the earliest year that the organisation has."""
    rows = read_seed("population")
    first = min((row["calendar_year"] for row in rows), default="")
    found: dict[str, int] = {}
    for row in rows:
        if row["calendar_year"] == first and row["age_band"] in _OF_CHILDREN:
            found[row["district_code"]] = found.get(row["district_code"], 0) + int(row["inhabitants"])
    return found


def _drawn(code: str, place: int, children: int | None) -> District:
    """A district whose habits are drawn, spread as those of the city's are; equal places have equal habits."""
    rng = stream(_TRAITS, place)
    size = _SIZE_WITHOUT_FIGURES if children is None else max(_LEAST_SIZE, _CASES_PER_CHILD * children)
    strained = float(np.clip(rng.normal(), -2, 2))
    return District(
        code,
        size,
        opened=1.0 + 0.05 * strained,
        offered=float(np.clip(rng.normal(1.0, 0.05), 0.85, 1.15)),
        accepted=1.02 - 0.05 * strained,
        assessment_days=7.3 + 0.8 * strained,
        late_assessment=0.04 + 0.01 * strained,
        quick=0.22 - 0.04 * strained,
        late=0.03 + 0.008 * strained,
        start_wait=1.05 + 0.18 * strained,
        completed=1.01 - 0.04 * strained,
        followed_up=0.62 - 0.06 * strained,
    )


DISTRICTS = _districts()
_CITYS_ABBREVIATIONS = {
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
DISTRICT_INDEX = {district.code: index for index, district in enumerate(DISTRICTS)}
SIZES: Floats = np.array([district.size for district in DISTRICTS])

_ABBREVIATIONS = (
    _CITYS_ABBREVIATIONS
    if DISTRICTS is _OF_THE_CITY
    else {
        code: f"K{place:03d}"
        for place, code in enumerate(dict.fromkeys([*DISTRICT_INDEX, *(code for code, _ in _listed())]))
    }
)
UNITS: tuple[str, ...] = tuple(_ABBREVIATIONS)
"""Every reporting unit, the successors last; a case stores its unit as an index in this tuple."""
UNIT_INDEX = {code: index for index, code in enumerate(UNITS)}


def traits(name: str) -> Floats:
    """One trait of all districts, in the order of `DISTRICTS`."""
    return np.array([getattr(district, name) for district in DISTRICTS], dtype="float64")


def case_id(unit: int, year: int, number: int) -> str:
    """The case number as the unit that received the case writes it; it stays when the unit is merged."""
    short = _ABBREVIATIONS[UNITS[unit]]
    if unit % 3 == 0:
        return f"{short}-{year}-{number:05d}"
    if unit % 3 == 1:
        return f"{short}{year % 100:02d}/{number:05d}"
    return f"{year}_{short}_{number:05d}"


def running_number(district: int, number: int) -> str:
    """The district's running number for a child without personnummer."""
    return f"{_ABBREVIATIONS[DISTRICTS[district].code]}-L{number:05d}"


def episode_id(district: int, number: int) -> str:
    """The district's number for an intervention episode."""
    return f"{_ABBREVIATIONS[DISTRICTS[district].code]}-I{number:06d}"


def quarterly_id(district: int, letter: str, quarter: int, number: int) -> str:
    """The district's number for what it planned or held in a quarter (its ordinal): a group (G), an activity (A)."""
    return f"{_ABBREVIATIONS[DISTRICTS[district].code]}-{letter}{quarter // 4}{quarter % 4 + 1}-{number:02d}"


@lru_cache(maxsize=1024)
def districts_of(unit: str) -> tuple[int, ...]:
    """Indices in `DISTRICTS` of the districts whose cases a unit reports: its own, or those of its predecessors."""
    if unit in DISTRICT_INDEX:
        return (DISTRICT_INDEX[unit],)
    found: list[int] = []
    for before in load_districts().predecessors(unit):
        found.extend(districts_of(before))
    return tuple(sorted(found))


@lru_cache(maxsize=256)
def units_of_districts(quarter: Quarter) -> tuple[int, ...]:
    """For each district the index in `UNITS` of the unit that reports its cases in a quarter."""
    units = list(range(len(DISTRICTS)))
    for unit in load_districts().valid_in(quarter):
        for district in districts_of(unit.code):
            units[district] = UNIT_INDEX[unit.code]
    return tuple(units)


@dataclass(frozen=True)
class AreaTable:
    """All areas of the districts, and the indices of each district's own."""

    codes: tuple[str, ...]
    socioeconomic: Ints
    """0 lag, 1 medel, 2 hog; one longer than codes, the last (index -1: no area) is medel."""
    pilot_from: Ints
    """Day number, or NEVER."""
    by_district: tuple[Ints, ...]
    weights: tuple[Floats, ...]


@lru_cache(maxsize=1)
def area_table() -> AreaTable:
    """The areas of the seed; more children come from the poorer ones."""
    registry = load_districts()
    codes: list[str] = []
    levels: list[int] = []
    pilots: list[int] = []
    by_district: list[Ints] = []
    weights: list[Floats] = []
    for district in DISTRICTS:
        areas = registry.areas(district.code)
        by_district.append(np.arange(len(codes), len(codes) + len(areas)))
        weights.append(np.array([{"lag": 1.7, "medel": 1.0, "hog": 0.6}[area.socioeconomic] for area in areas]))
        codes += [area.code for area in areas]
        levels += [("lag", "medel", "hog").index(area.socioeconomic) for area in areas]
        pilots += [day_number(area.pilot_from) if area.pilot_from else NEVER for area in areas]
    return AreaTable(
        tuple(codes), np.array([*levels, 1]), np.array([*pilots, NEVER]), tuple(by_district), tuple(weights)
    )


def draw_areas(rng: np.random.Generator, districts: Ints) -> Ints:
    """Draw an area of the district in each row."""
    table = area_table()
    areas = np.zeros(districts.size, dtype="int64")
    for district, (choices, weights) in enumerate(zip(table.by_district, table.weights, strict=True)):
        rows = np.flatnonzero(districts == district)
        areas[rows] = choices[rng.choice(choices.size, size=rows.size, p=weights / weights.sum())]
    return areas
