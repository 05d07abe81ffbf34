"""The policy of releases, read from policy.yml: what needs protection, and when a release may go out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

POLICY_FILE = Path(__file__).with_name("policy.yml")
DurationStatistic = Literal["mean", "median", "grouped_median", "p90", "kaplan_meier"]


class PolicyError(Exception):
    """The policy can't be read or contradicts itself; the message says where."""


class CellKeyPolicy(BaseModel):
    """How published counts deviate from true ones, and from which published counts on figures are derived."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    js: int = Field(ge=1, description="counts of 1 to js are never published")
    greatest_deviation: int = Field(ge=2, description="D: no published count is further from the true one")
    variance: float = Field(gt=0, description="V of the deviation, or the nearest that is possible")
    draws: int = Field(ge=1, description="the most draws of a group of figures outside yearly revisions")
    least_changed: int = Field(ge=1, description="fewer changed records of a group wait, also at the yearly revision")
    too_few: int = Field(ge=1, description="rates of smaller published denominators are null")
    all_of_n_percent: int = Field(ge=51, le=100, description="a sensitive part of this share or more is capped below")
    minimum_n: dict[DurationStatistic, int] = Field(description="durations of a smaller published n are null")
    duration_step_days: int = Field(ge=1, description="medians and percentiles are rounded to this many days")

    @model_validator(mode="after")
    def _is_possible(self) -> CellKeyPolicy:
        if self.greatest_deviation <= self.js:
            raise ValueError("greatest_deviation must be above js: else small counts can't become both 0 and more")
        if self.variance > self.greatest_deviation * (self.greatest_deviation + 1) / 3:
            raise ValueError("variance is above that of equally probable deviations: D (D + 1) / 3")
        missing = set(get_args(DurationStatistic)) - set(self.minimum_n)
        if missing:
            raise ValueError(f"minimum_n lacks {', '.join(sorted(missing))}")
        if min(self.too_few, *self.minimum_n.values()) <= self.js:
            raise ValueError("too_few and minimum_n must be above js")
        return self


class FewUnits(BaseModel):
    """What the attacks may find in a city of few units: there a small count is a large one less a few large ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fewer_than: int = Field(ge=1, description="units that submit; a city of as many or more holds the other limits")
    most_narrower_percent: float = Field(ge=0, le=100)
    most_insider_percent: float = Field(ge=0, le=100)
    most_averaging_points: float = Field(ge=0)


class AttackPolicy(BaseModel):
    """What the attacks on a release may find. A small count that is known exactly always blocks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int | None = Field(ge=1, description="how many are attacked; none: every family of linked measures once")
    width: int = Field(ge=1, description="what can be concluded of a small count is at least so wide, but for …")
    most_narrower_percent: float = Field(ge=0, le=100, description="… so many of them")
    most_insider_percent: float = Field(ge=0, le=100, description="narrower only for a unit that knows its own counts")
    most_averaging_points: float = Field(
        ge=0, description="percentage points over the better of prior and own figure, beyond chance"
    )
    most_sure_percent: float = Field(
        ge=0,
        le=100,
        description="conclusions about a known child surer than 90 %, which the city's shares make less than 80 %",
    )
    few_units: FewUnits

    def in_city_of(self, units: int) -> AttackPolicy:
        """The limits for a city of so many units."""
        few = self.few_units
        if units >= few.fewer_than:
            return self
        return self.model_copy(
            update={
                "most_narrower_percent": few.most_narrower_percent,
                "most_insider_percent": few.most_insider_percent,
                "most_averaging_points": few.most_averaging_points,
            }
        )


class Policy(BaseModel):
    """What a release must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: int = Field(ge=2, description="of suppression in single tables: 1 to threshold − 1 need protection")
    days_between_releases: int = Field(ge=0)
    approve_by_itself: bool = False
    cell_keys: CellKeyPolicy
    attack: AttackPolicy


@lru_cache(maxsize=4)
def load_policy(path: Path = POLICY_FILE) -> Policy:
    """The policy of a file.

    Raises:
        PolicyError: it can't be read, lacks or adds a key, or contradicts itself.
    """
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(f"{path.name} can't be read: {type(error).__name__}") from error
    except ValidationError as error:
        raise PolicyError(f"{path.name}: {problems(error)}") from error


def problems(error: ValidationError) -> str:
    """The faults that pydantic found, as one sentence per fault with the place."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors())
