"""Writes the folder of the drawn country's organisation, which FOLLOWUP_ORGANISATION then names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.file_permissions import make_folder
from ingest.locations.local_folder import put_file
from ingest.organisation import DRAWN, FILE
from synthetic.draws import stream

YEARS = range(2017, 2026)
_HERE = Path(__file__).parent
_SINCE = "2007-01-01"
_STEP = 31
_BANDS = (("0-5", 0.29), ("6-12", 0.34), ("13-17", 0.23), ("18-20", 0.14))
_ADULTS_PER_CHILD = 3.1
_LARGE, _LARGEST = 8_000, 40_000
"""Children from which a municipality has two and four areas."""
_AREAS = (("centrum", "medel"), ("norra", "lag"), ("sodra", "hog"), ("ytter", "medel"))
_SHOWN = {"centrum": "centrum", "norra": "norra", "sodra": "södra", "ytter": "ytterområden"}
_A_YEAR = 0.006
"""How much a municipality grows or shrinks in a year, as a standard deviation."""


@dataclass(frozen=True)
class Municipality:
    """An invented municipality; `children` are its inhabitants under 21 in the first year."""

    code: str
    name: str
    county: str
    municipality_code: str
    children: int

    @property
    def areas(self) -> tuple[tuple[str, str, str], ...]:
        """(code, name, socioeconomic type) of its areas."""
        count = 1 if self.children < _LARGE else 2 if self.children < _LARGEST else len(_AREAS)
        return tuple((code, f"{self.name} {_SHOWN[code]}", level) for code, level in _AREAS[:count])


def municipalities() -> tuple[Municipality, ...]:
    """All 290, county by county."""
    with (_HERE / "municipalities.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return tuple(
        Municipality(row["code"], row["name"], row["county"], row["municipality_code"], int(row["children"]))
        for row in rows
    )


def write_country(out: Path, most: int | None = None) -> Path:
    """Write the organisation into `out/_organisation`. Equal calls write equal bytes.

    Args:
        out: the parent of the drop locations; made if need be.
        most: as many municipalities, the first of the list; None for all.

    Returns:
        The folder.
    """
    chosen = municipalities()[:most]
    folder = make_folder(out, DRAWN)
    shown = {
        "districts": (
            ("district_code", "name", "kind", "valid_from", "valid_to"),
            [(one.code, one.name, "district", _SINCE, "") for one in chosen],
        ),
        "district_successions": (("predecessor_code", "successor_code", "from_date"), []),
        "areas": (
            ("district_code", "area_code", "name", "socioeconomic", "pilot_from"),
            [(one.code, code, name, level, "") for one in chosen for code, name, level in one.areas],
        ),
        "population": (
            ("district_code", "area_code", "calendar_year", "age_band", "sex", "inhabitants", "is_synthetic"),
            _population(chosen),
        ),
        "intervention_aliases": (("district_code", "alias", "intervention_code"), []),
    }
    for name, (columns, rows) in shown.items():
        put_file(folder, f"{name}.csv", _table(columns, rows))
    put_file(folder, FILE, _declared(chosen).encode())
    return folder


def _population(chosen: Sequence[Municipality]) -> Iterator[tuple[object, ...]]:
    """Inhabitants by unit, area, year, age band and sex: children as listed, grown or shrunk a little each year."""
    for place, one in enumerate(chosen):
        steps = stream(_STEP, place).normal(0, _A_YEAR, len(YEARS))
        for year, growth in zip(YEARS, np.exp(np.cumsum(steps) - steps[0]).tolist(), strict=True):
            for code, _, _ in one.areas:
                children = one.children * growth / len(one.areas)
                bands = [*((band, children * share) for band, share in _BANDS), ("vuxen", children * _ADULTS_PER_CHILD)]
                for band, count in bands:
                    for sex, share in (("kvinna", 0.49), ("man", 0.51)):
                        yield one.code, code, year, band, sex, round(count * share), "true"


def _declared(chosen: Sequence[Municipality]) -> str:
    """The organisation's own file: what all of the country share, then each municipality's code and county."""
    lines = [(_HERE / FILE).read_text(encoding="utf-8"), "[municipality_codes]"]
    lines += [f'{one.code} = "{one.municipality_code}"' for one in chosen]
    for county in dict.fromkeys(one.county for one in chosen):
        units = ", ".join(f'"{one.code}"' for one in chosen if one.county == county)
        lines += ["", "[[groups]]", f'name = "{county}"', f"units = [{units}]"]
    return "\n".join([*lines, ""])


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    return text.getvalue().encode()
