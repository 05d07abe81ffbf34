"""Who a user of the city's identity provider is here: account name, role and units, by claims and a mapping file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ingest.districts import load_districts
from ingest.failures import StorageFailure
from ingest.ledger.portal_users import Role, fold_name
from ingest.persons.number_search import reads_as_number
from portal.settings import PortalSettings

_LONGEST_FILE = 1_000_000
_MOST_VALUES = 2_000
"""Of a claim, so many values are looked at: an account may be in many groups."""


class OidcUnusable(StorageFailure):
    """The settings of signing in by OIDC can't be used; the message is one sentence: which one, and what to do."""


class NoRights(Exception):
    """The claims give no account name, role or unit. `reason` is for the log: nothing of the claims is in it."""

    def __init__(self, reason: str) -> None:
        """Say why, in words that are our own."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Claimed:
    """What the claims say of a user: a name as the ledger folds it, a role, and the units of an officer."""

    name: str
    role: Role
    units: tuple[str, ...]


class RightsMapping(BaseModel):
    """Which values of claims mean which role and which units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[str, Role] = Field(min_length=1)
    """Value of the role's claim → role. Of several that a user has, the first in the file counts."""
    units: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Value of the units' claim → codes of units; a user has those of all their values."""

    @field_validator("units")
    @classmethod
    def _known(cls, units: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        registry = load_districts()
        for codes in units.values():
            for code in codes:
                if registry.get(code) is None:
                    raise ValueError(
                        f"{code} is no unit; there are {', '.join(one.code for one in registry.districts)}"
                    )
        return units


def load_mapping(path: Path) -> RightsMapping:
    """Read the mapping file: YAML or JSON.

    Raises:
        OidcUnusable: it is missing, or not as `docs/oidc_mapping.example.yml`; the message says where.
    """
    name = "FOLLOWUP_PORTAL_OIDC_MAPPING"
    try:
        with path.open("rb") as handle:
            content = handle.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise OidcUnusable(
            f"{name}: {path} can't be read ({error.strerror}): name a file that this user may read"
        ) from None
    if len(content) > _LONGEST_FILE:
        raise OidcUnusable(f"{name}: {path} is larger than a mapping can be: name the right file")
    try:
        read = yaml.safe_load(content)
        return RightsMapping.model_validate(read if isinstance(read, dict) else {})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise OidcUnusable(
            f"{name}: {path} is neither YAML nor JSON{where}: see docs/oidc_mapping.example.yml"
        ) from None
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise OidcUnusable(f"{name}: {path}: {'; '.join(faults[:5])}: see docs/oidc_mapping.example.yml") from None
    except (ValueError, RecursionError):  # a text that is no UTF-8
        raise OidcUnusable(f"{name}: {path} is neither YAML nor JSON: see docs/oidc_mapping.example.yml") from None


def claimed(own: PortalSettings, mapping: RightsMapping, claims: Mapping[str, Any]) -> Claimed:
    """What claims say of their user. The claims are verified, but their values may be anything.

    Raises:
        NoRights: no account name that can be one, no role of the mapping, or an officer without a unit.
    """
    typed = _find(claims, own.oidc_name_claim)
    name = fold_name(typed) if isinstance(typed, str) else None
    if name is None:
        raise NoRights("no account name in the claim that FOLLOWUP_PORTAL_OIDC_NAME_CLAIM names")
    if reads_as_number(name):
        raise NoRights("the account name reads as a personal number")
    given = _values(claims, own.oidc_role_claim)
    role = next((role for value, role in mapping.roles.items() if value in given), None)
    if role is None:
        raise NoRights("no role in the claims")
    if role is not Role.OFFICER:
        return Claimed(name, role, ())
    of_units = _values(claims, own.oidc_units_claim)
    units = {code for value, codes in mapping.units.items() if value in of_units for code in codes}
    if not units:
        raise NoRights("an officer without a unit in the claims")
    return Claimed(name, role, tuple(sorted(units)))


def _find(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of a name; `realm_access.roles` also names what lies in another claim."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    found = _find(claims, name)
    listed = found if isinstance(found, list) else [found]
    return frozenset(one for one in listed[:_MOST_VALUES] if isinstance(one, str))
