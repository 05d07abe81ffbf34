"""The reporting units and where they leave their files.

The units, their validity, successions and areas are seeds of the warehouse (dbt_project/seeds), so that intake and
marts can't disagree. Drop locations are the installation's own and stand in districts.yml.
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.quarters import Quarter
from ingest.settings import ROOT, Settings, SettingsError

SEEDS = ROOT / "dbt_project" / "seeds"


@dataclass(frozen=True)
class Area:
    """An area (stadsdel) of a district, as a row may name it."""

    code: str
    name: str
    socioeconomic: str
    pilot_from: date | None


@dataclass(frozen=True)
class District:
    """A reporting unit: a district administration, or the city-wide unit (kind `citywide`)."""

    code: str
    name: str
    kind: str
    valid_from: date
    valid_to: date | None

    def is_valid_in(self, quarter: Quarter) -> bool:
        """Whether the unit reports for the quarter: it is valid on the quarter's last day."""
        return self.valid_from <= quarter.end and (self.valid_to is None or self.valid_to >= quarter.end)


@dataclass(frozen=True)
class DistrictRegistry:
    """All reporting units with their areas and successions."""

    districts: tuple[District, ...]
    area_lists: dict[str, tuple[Area, ...]]
    successions: tuple[tuple[str, str, date], ...]
    """(predecessor, successor, from date)."""

    def get(self, code: str) -> District | None:
        """The unit with this code, or None."""
        return next((d for d in self.districts if d.code == code), None)

    def valid_in(self, quarter: Quarter) -> list[District]:
        """The district administrations expected to submit for a quarter (the city-wide unit is never expected)."""
        return [d for d in self.districts if d.kind == "district" and d.is_valid_in(quarter)]

    def areas(self, district_code: str) -> list[Area]:
        """The areas of a unit; empty for the city-wide unit."""
        return list(self.area_lists.get(district_code, ()))

    def predecessors(self, district_code: str) -> list[str]:
        """Codes of the units that this one replaced; empty for most."""
        return [before for before, after, _ in self.successions if after == district_code]


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def read_seed(name: str) -> list[dict[str, str]]:
    """Rows of a seed as dictionaries of text, by the seed's file stem."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@lru_cache(maxsize=1)
def load_districts() -> DistrictRegistry:
    """Read the registry from the seeds `districts`, `areas` and `district_successions`."""
    districts = tuple(
        District(
            row["district_code"],
            row["name"],
            row["kind"],
            date.fromisoformat(row["valid_from"]),
            _date(row["valid_to"]),
        )
        for row in read_seed("districts")
    )
    areas: dict[str, list[Area]] = {}
    for row in read_seed("areas"):
        areas.setdefault(row["district_code"], []).append(
            Area(row["area_code"], row["name"], row["socioeconomic"], _date(row["pilot_from"]))
        )
    successions = tuple(
        (row["predecessor_code"], row["successor_code"], date.fromisoformat(row["from_date"]))
        for row in read_seed("district_successions")
    )
    return DistrictRegistry(districts, {code: tuple(found) for code, found in areas.items()}, successions)


class DropLocation(BaseModel):
    """Where one unit leaves its files, as districts.yml says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    synthetic: bool = False
    """All that arrives here is drawn, never real."""
    after_receipt: Literal["remove", "move"] = "remove"
    """What happens to a taken file: `remove`, or `move` to the folder received/ beside it."""


class _DropLocations(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    districts: dict[str, DropLocation]


_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def load_drop_locations(settings: Settings, inbox: str | None = None) -> dict[str, DropLocation]:
    """Drop locations by district code.

    Args:
        settings: says where districts.yml lies and what ${FOLLOWUP_INBOX} stands for.
        inbox: when given, every location is `<inbox>/<district>` instead (the option --inbox).

    Raises:
        SettingsError: the file can't be read, names an unknown district or an unset variable.
    """
    registry = load_districts()
    if inbox is not None:
        return {d.code: DropLocation(url=f"{inbox.rstrip('/')}/{d.code}") for d in registry.districts}

    def expand(match: re.Match[str]) -> str:
        value = str(settings.inbox) if match[1] == "FOLLOWUP_INBOX" else os.environ.get(match[1])
        if value is None:
            raise SettingsError(f"{settings.districts}: the variable {match[1]} is not set")
        return value.rstrip("/")

    try:
        text = Path(settings.districts).read_text(encoding="utf-8")
        found = _DropLocations.model_validate(yaml.safe_load(_VARIABLE.sub(expand, text)))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(
            f"{settings.districts}: can't be read as drop locations ({type(error).__name__})"
        ) from error
    for code in found.districts:
        if registry.get(code) is None:
            raise SettingsError(f"{settings.districts}: {code} is no district in dbt_project/seeds/districts.csv")
    return found.districts
