"""The policy of releases, read from policy.yml: what needs protection, and when a release may go out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

POLICY_FILE = Path(__file__).with_name("policy.yml")
Statistic = Literal["mean", "median", "grouped_median", "p90"]


class PolicyError(Exception):
    """The policy can't be read or contradicts itself; the message says where."""


class Policy(BaseModel):
    """What a release must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: int = Field(ge=2, description="the smallest count that needs no protection: 1 to threshold − 1 do")
    width: int = Field(ge=1, description="least width of what can be concluded about any hidden value")
    families_threshold: int = Field(ge=1, description="fewer families need protection, where they are told")
    minimum_n: dict[Statistic, int] = Field(description="durations of fewer are withheld")
    group_disclosure: tuple[str, ...] = Field(description="dimensions by which 0 % and 100 % are hidden at any size")
    large_value: int = Field(ge=1, description="shown as long as there is a solution without hiding it")
    attacker: Literal["plain", "strong"]
    days_between_releases: int = Field(ge=0)
    approve_by_itself: bool = False

    @model_validator(mode="after")
    def _is_possible(self) -> Policy:
        if self.width > self.threshold:
            raise ValueError("width can't be larger than threshold: a primary cell is asked to cover 0 to threshold")
        missing = {"mean", "median", "grouped_median", "p90"} - set(self.minimum_n)
        if missing:
            raise ValueError(f"minimum_n lacks {', '.join(sorted(missing))}")
        if self.minimum_n["mean"] < self.threshold or min(self.minimum_n.values()) < self.threshold:
            raise ValueError("minimum_n can't be smaller than threshold")
        return self


@lru_cache(maxsize=4)
def load_policy(path: Path = POLICY_FILE) -> Policy:
    """The policy of a file.

    Raises:
        PolicyError: it can't be read, lacks or adds a key, or contradicts itself.
    """
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{path.name} can't be read: {type(error).__name__}") from error
    except ValidationError as error:
        raise PolicyError(f"{path.name}: {told(error)}") from error


def told(error: ValidationError) -> str:
    """The faults that pydantic found, as one sentence per fault with the place."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors())
