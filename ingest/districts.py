"""The reporting units, and the drop locations where they leave their files.

The units, their validity, successions and areas are tables of the organisation (`ingest.organisation`) and seeds of the
warehouse, so that intake and marts use the same. Drop locations are the installation's own: districts.yml lists them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from ingest.organisation import load_organisation, organisation_folder
from ingest.organisation_tables import check_tables, read_seed
from ingest.quarters import Quarter
from ingest.settings import Settings, SettingsError, first_complaint
from ingest.swedish_order import swedish_order


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
    """All reporting units, in the Swedish order of their names, with their areas and successions."""

    districts: tuple[District, ...]
    area_lists: dict[str, tuple[Area, ...]]
    successions: tuple[tuple[str, str, date], ...]
    """(predecessor, successor, from date)."""

    @cached_property
    def _by_code(self) -> dict[str, District]:
        return {one.code: one for one in self.districts}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {one.code: place for place, one in enumerate(self.districts)}

    def get(self, code: str) -> District | None:
        """The unit with this code, or None."""
        return self._by_code.get(code)

    def place(self, code: str) -> tuple[int, str]:
        """What to sort codes of units by: their names' Swedish order; codes that no unit has come last."""
        return self._places.get(code, len(self._places)), code

    def valid_in(self, quarter: Quarter) -> list[District]:
        """The district administrations expected to submit for a quarter (the city-wide unit is never expected)."""
        return [d for d in self.districts if d.kind == "district" and d.is_valid_in(quarter)]

    def areas(self, district_code: str) -> list[Area]:
        """The areas of a unit; empty for the city-wide unit."""
        return list(self.area_lists.get(district_code, ()))

    def predecessors(self, district_code: str) -> list[str]:
        """Codes of the units that this one replaced; empty for most."""
        return [before for before, after, _ in self.successions if after == district_code]


@lru_cache(maxsize=4)
def _registry(folder: Path) -> DistrictRegistry:
    check_tables(load_organisation(), whole=False)
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
    districts = tuple(sorted(districts, key=lambda one: swedish_order(one.name)))
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


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def load_districts() -> DistrictRegistry:
    """The registry of this process's organisation, from its tables.

    Raises:
        OrganisationError: a table is missing or wrong.
    """
    return _registry(organisation_folder())


class DropLocation(BaseModel):
    """Where one unit leaves its files, as districts.yml says: a folder, `sftp://user@host[:port]/folder`, or
    `s3://bucket/folder`.

    Secrets are never part of the address: districts.yml takes them from the environment (`password: ${A_VARIABLE}`)
    or names a key file. They are masked wherever this is shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    synthetic: bool = False
    """Whether every file that arrives here is synthetic."""
    after_receipt: Literal["remove", "move"] = "remove"
    """What happens to a taken file: `remove`, or `move` to the folder received/ beside it."""
    settle_seconds: int = Field(60, ge=0, le=3600)
    """A file counts as whole when nothing has been written to it for so long. Objects (s3://) are whole at once."""
    timeout_seconds: int = Field(30, ge=1, le=600)
    """A server that does not answer for so long counts as out of reach."""
    password: SecretStr | None = None
    key_file: Path | None = None
    key_passphrase: SecretStr | None = None
    known_hosts: Path | None = None
    """Host keys that are believed, in OpenSSH's format; default ~/.ssh/known_hosts."""
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    endpoint_url: str | None = None
    """Address of an S3-compatible server; default that of the cloud that invented S3."""
    region: str | None = None

    @property
    def kind(self) -> Literal["folder", "sftp", "s3"]:
        """What sort of place the address names."""
        scheme = self.url.partition("://")[0] if "://" in self.url else ""
        return "sftp" if scheme == "sftp" else "s3" if scheme == "s3" else "folder"

    @model_validator(mode="after")
    def _options_fit_the_address(self) -> DropLocation:
        scheme, found, _ = self.url.partition("://")
        if found and scheme not in _OPTIONS_OF:
            raise ValueError("the address must be a folder, or begin with sftp:// or s3://")
        parts = _parts(self.url) if found else None
        if parts is not None and parts.password is not None:
            raise ValueError("the address holds a password: take it out and set password (or key_file) instead")
        allowed = _OPTIONS_OF[scheme if found else "file"]
        for name in sorted(set().union(*_OPTIONS_OF.values()) - allowed):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is no option of such an address")
        for name in ("key_file", "known_hosts"):
            path = getattr(self, name)
            if path is not None and not path.expanduser().is_absolute():
                raise ValueError(f"{name} must be a whole path, beginning with / or ~")
        if self.kind == "sftp":
            self._check_sftp(parts)
        if self.kind == "s3":
            self._check_s3(parts)
        return self

    def _check_sftp(self, parts: SplitResult | None) -> None:
        if parts is None or not parts.hostname or not parts.username or not parts.path.strip("/"):
            raise ValueError("an SFTP address reads sftp://user@host/folder, or sftp://user@host:port/folder")
        if self.password is None and self.key_file is None:
            raise ValueError("an SFTP location needs password or key_file")

    def _check_s3(self, parts: SplitResult | None) -> None:
        if parts is None or not parts.netloc or parts.username is not None:
            raise ValueError("an S3 address reads s3://bucket/folder; keys are set as access_key and secret_key")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key are set together, or neither (then the machine's own role)")
        if self.endpoint_url is not None:
            endpoint = _parts(self.endpoint_url)
            if endpoint.scheme != "https" and not (endpoint.scheme == "http" and _is_this_machine(endpoint.hostname)):
                raise ValueError("endpoint_url must begin with https:// (http:// only for a server on this machine)")
            if endpoint.username is not None:
                raise ValueError("endpoint_url must hold no user or password")


_OPTIONS_OF: dict[str, frozenset[str]] = {
    "file": frozenset(),
    "sftp": frozenset({"password", "key_file", "key_passphrase", "known_hosts"}),
    "s3": frozenset({"access_key", "secret_key", "endpoint_url", "region"}),
}
"""Which options belong to which addresses."""


def _parts(url: str) -> SplitResult:
    """The parts of an address. What can't be taken apart is not repeated: it may hold a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None:
        raise ValueError("the address can't be read (a password in it? set password instead)")
    return parts


def _is_this_machine(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def _expanded(settings: Settings, value: Any, name: str = "") -> Any:
    """A value of districts.yml with its variables filled in. What a variable holds is never read as YAML."""
    if isinstance(value, dict):
        return {key: _expanded(settings, inner, str(key)) for key, inner in value.items()}
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        text = str(settings.inbox) if match[1] == "FOLLOWUP_INBOX" else os.environ.get(match[1])
        if text is None:
            raise SettingsError(f"{settings.districts}: the variable {match[1]} is not set")
        return text.rstrip("/") if name == "url" else text

    return _VARIABLE.sub(replacement, value)


def _complaint(error: ValidationError) -> str:
    """What is wrong, by place and reason; never the value, which may be a secret."""
    parts, reason = first_complaint(error)
    place = ".".join(part for part in parts if part != "[key]")
    return f"{place}: {reason}" if place else reason


class _OnceOnly(yaml.SafeLoader):
    """YAML in which a key given twice is an error: of two, one would be followed without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name != "<<" and name in seen:
                raise yaml.constructor.ConstructorError(problem="a name is given twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_ANY = "{district}"


def _of_others(settings: Settings, registry: DistrictRegistry, declared: dict[str, Any]) -> dict[str, Any]:
    """The entry `others:` for each unit that `districts:` does not name; it is taken out of `declared`."""
    entry = declared.pop("others", None)
    if entry is None:
        return {}
    if not isinstance(entry, dict) or _ANY not in str(entry.get("url")):
        raise SettingsError(f"{settings.districts}: others: its url must hold {_ANY}, for the unit's code")
    return {
        unit.code: {
            name: value.replace(_ANY, unit.code) if isinstance(value, str) else value for name, value in entry.items()
        }
        for unit in registry.districts
        if unit.code not in declared["districts"]
    }


class _DropLocations(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    districts: dict[str, DropLocation]


def load_drop_locations(settings: Settings, inbox: str | None = None) -> dict[str, DropLocation]:
    """Drop locations by district code.

    Args:
        settings: the path of districts.yml and the value of ${FOLLOWUP_INBOX}.
        inbox: when given, every location is `<inbox>/<district>` instead (the option --inbox).

    Raises:
        SettingsError: the file can't be read, a location is wrong, names an unknown district or an unset variable. No
            value of the file or the environment is repeated, nor linked to the error.
    """
    registry = load_districts()
    try:
        if inbox is not None:
            return {
                d.code: DropLocation(url=f"{inbox.rstrip('/')}/{d.code}", settle_seconds=settings.settle_seconds)
                for d in registry.districts
            }
        declared = yaml.load(Path(settings.districts).read_bytes(), _OnceOnly)
        if not isinstance(declared, dict) or not isinstance(declared.get("districts"), dict):
            raise SettingsError(f"{settings.districts}: holds no `districts:`")
        others = _of_others(settings, registry, declared)
        unknown = next((code for code in declared["districts"] if registry.get(str(code)) is None), None)
        if unknown is not None:
            raise SettingsError(f"{settings.districts}: {unknown} is no unit in districts.csv of the organisation")
        entries = {
            code: {"settle_seconds": settings.settle_seconds, **entry} if isinstance(entry, dict) else entry
            for code, entry in _expanded(settings, {"districts": {**others, **declared["districts"]}})[
                "districts"
            ].items()
        }
        found = _DropLocations.model_validate({**declared, "districts": entries}).districts
        return {unit.code: found[unit.code] for unit in registry.districts if unit.code in found}
    except ValidationError as error:
        complaint = f"{'--inbox' if inbox is not None else settings.districts}: {_complaint(error)}"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) == "a name is given twice"
        what = "a name is given twice" if said else "is no YAML"
        complaint = f"{settings.districts}: {what}{f', line {mark.line + 1}' if mark else ''}"
    except ValueError:  # PyYAML's, of bytes that are no text, and of dates that there are not
        complaint = f"{settings.districts}: is no YAML in UTF-8"
    except OSError as error:
        complaint = (
            f"{settings.districts}: can't be read ({error.strerror}): mend it, or FOLLOWUP_DISTRICTS, which names it"
        )
    raise SettingsError(complaint)
