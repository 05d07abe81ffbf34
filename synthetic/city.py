"""Draws the synthetic city into the folders of the districts' drop locations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.districts import load_districts
from ingest.file_permissions import make_folder
from ingest.locations.local_folder import put_file
from ingest.quarters import Quarter, quarters_between
from synthetic.count_columns import count_columns
from synthetic.districts import districts_of
from synthetic.faults import CORRECTED, PlantedFault, plant
from synthetic.file_columns import (
    Columns,
    case_columns,
    cases_shown,
    episode_columns,
    episodes_shown,
    service_columns,
)
from synthetic.habits import HABITS
from synthetic.simulation import Simulation
from synthetic.tables import DrawnTable
from synthetic.writing import NOTICE, NOTICE_OTHER_SERIALS, sha256, write_manifest

Progress = Callable[[int, int, str], None]
"""Called with files written, files in all, and the file's name."""
DATASETS = (
    "arenden", "oppenvard", "serviceinsatser", "grupper", "utbud", "ungdomsmottagning", "aktiviteter",
    "skyddsuppfoljning", "rutiner",
)  # fmt: skip


@dataclass(frozen=True)
class DrawnFile:
    """One file that was written."""

    path: Path
    district: str
    dataset: str
    quarter: Quarter
    rows: int
    """Rows of the correct file; a planted fault may have left fewer or more."""
    fault: str | None = None
    """Name of the fault planted in it, see `faults.FAULTS`."""


@dataclass(frozen=True)
class CityDrawn:
    """What was drawn."""

    files: tuple[DrawnFile, ...]
    persons: int
    """Children in the simulation, those of the time before the first quarter included."""
    seed: int
    scale: float
    notice: str
    """Says in Swedish that all is synthetic; part of every manifest."""


def draw_city(
    out: Path,
    first: Quarter,
    last: Quarter,
    *,
    scale: float = 1.0,
    seed: int = 7,
    faults: bool = False,
    on_progress: Progress | None = None,
) -> CityDrawn:
    """Write every district's files of every quarter, and a list of them as synthetic beside them.

    Equal arguments give equal bytes. With one seed and scale a quarter's files are the same whatever the last quarter
    is, and, for all but `oppenvard`, whatever the first one from 2018Q1 is.

    Args:
        out: gets `<district>/<district>_<dataset>_<quarter>.csv`, or `.xlsx` where a district uses Excel.
        first: first quarter with files.
        last: last quarter with files.
        scale: 1 gives some 300–900 rows of cases a district and quarter.
        seed: not negative.
        faults: whether some of the last quarter's files are broken (`faults.FAULTS`); the correct ones are then
            in `out/_corrected/`.
        on_progress: called after each file.

    Raises:
        ValueError: last is before first, the scale is not above 0, or the seed is negative.
        NumberSpaceFull: the scale wants more children than there are numbers.
    """
    if last < first or scale <= 0 or seed < 0:
        raise ValueError("last must not be before first, scale must be above 0, and seed not below 0")
    quarters = quarters_between(first, last)
    total = sum(len(load_districts().valid_in(quarter)) for quarter in quarters) * len(DATASETS)
    simulation = Simulation(first, scale=scale, seed=seed)
    files: list[DrawnFile] = []
    checksums: dict[Path, dict[str, str]] = {}
    quarter = None
    while quarter != last:
        quarter = simulation.run_quarter()
        if quarter < first:
            continue
        drawn = _quarter_files(simulation, quarter, first)
        planted = plant(drawn) if faults and quarter == last else {}
        for (district, dataset), table in drawn.items():
            fault = planted.get((district, dataset))
            file = DrawnFile(out / district / table.file_name, district, dataset, quarter, table.rows)
            files.append(_write(out, file, table.content(), fault, checksums))
            if on_progress is not None:
                on_progress(len(files), total, files[-1].path.name)
    notice = NOTICE
    if simulation.people.outside_reserved:
        notice += NOTICE_OTHER_SERIALS.format(count=simulation.people.outside_reserved)
    for folder in sorted(checksums):
        write_manifest(folder, checksums[folder], notice)
    return CityDrawn(tuple(files), simulation.people.count, seed, scale, notice)


def _quarter_files(simulation: Simulation, quarter: Quarter, first: Quarter) -> dict[tuple[str, str], DrawnTable]:
    """The quarter's files by district and dataset."""
    found = {}
    for district in load_districts().valid_in(quarter):
        unit = district.code
        for dataset, (columns, rows) in _unit_columns(simulation, unit, quarter, first).items():
            found[unit, dataset] = DrawnTable(unit, dataset, quarter, columns, rows)
    return found


def _unit_columns(
    simulation: Simulation, unit: str, quarter: Quarter, first: Quarter
) -> dict[str, tuple[Columns, int]]:
    people = simulation.people
    cases = cases_shown(unit, quarter, simulation.cases)
    episodes = episodes_shown(unit, quarter, simulation.episodes)
    by_referrer = "hanvisad_fran" not in HABITS[unit].left_out
    cells = simulation.services.of_districts(districts_of(unit), by_referrer=by_referrer)
    return {
        "arenden": (case_columns(unit, quarter, people, cases), cases.size),
        "oppenvard": (episode_columns(unit, quarter, people, episodes, first), episodes.size),
        "serviceinsatser": (service_columns(unit, quarter, cells), cells.size),
        **count_columns(simulation, unit, quarter),
    }


def _write(
    out: Path, file: DrawnFile, content: bytes, fault: PlantedFault | None, checksums: dict[Path, dict[str, str]]
) -> DrawnFile:
    """Write one file; with a fault the broken version, and the correct one in `_corrected`."""
    folder = make_folder(out, file.district)
    listed = checksums.setdefault(folder, {})
    if fault is None:
        put_file(folder, file.path.name, content)
        listed[file.path.name] = sha256(content)
        return file
    corrected = make_folder(out, CORRECTED, file.district)
    put_file(corrected, file.path.name, content)
    checksums.setdefault(corrected, {})[file.path.name] = sha256(content)
    listed[f"{CORRECTED}/{file.path.name}"] = sha256(content)
    broken = replace(file, path=folder / fault.file_name, fault=fault.name)
    put_file(folder, fault.file_name, fault.content)
    listed[fault.file_name] = sha256(fault.content)
    return broken
