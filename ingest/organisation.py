"""The organisation whose units report: its name, its words, and where the tables of its units are.

One folder has all of it: `organisation.toml` and the tables in `OWN`, which are seeds of the warehouse too. It is
dbt_project/organisation, unless FOLLOWUP_ORGANISATION names another.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ingest.settings import DECLARED, ORGANISATION, ROOT, SettingsError, first_complaint

SEEDS = DECLARED / "dbt_project" / "seeds"
"""Tables that all organisations share: the catalogue of interventions, reasons, measures."""
DEFAULT = DECLARED / "dbt_project" / "organisation"
DRAWN = "_organisation"
"""Folder of an organisation that `followup demo-data` writes beside the drop locations; no unit's."""
FILE = "organisation.toml"
"""No YAML: dbt would take it for its own, as it does all YAML beside seeds."""
OWN = ("districts", "district_successions", "areas", "population", "intervention_aliases")
"""The tables of an organisation, by their files' stems."""
UNIT_CODE = r"[a-z0-9]+(-[a-z0-9]+)*"
"""A unit's code: it is part of file names and addresses."""
Code = Annotated[str, StringConstraints(pattern=f"^{UNIT_CODE}$", max_length=40)]
Name = Annotated[str, StringConstraints(pattern=r"^[^\s'\"\\{}<>|`]+( [^\s'\"\\{}<>|`]+)*$", max_length=80)]
"""Shown on pages, written in SQL and in tables."""
_Word = Annotated[str, StringConstraints(pattern=r"^[^\W\d_]+( [^\W\d_]+)*$", max_length=60)]
_TEXT = re.compile(r"`[^`]*`|[^`]+")
"""Code in a text, which is left as it is, or what is between."""
_WHOLE = "{whole}"


class OrganisationError(SettingsError):
    """The folder of the organisation is wrong; the message names the file, the place in it, and what is expected."""


class Group(BaseModel):
    """Units that lists show together, such as those of a county."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    units: tuple[Code, ...] = Field(min_length=1)


class Organisation(BaseModel):
    """What `organisation.toml` says.

    Attributes:
        code: of all units together, `district_code` of a mart's rows of the whole. No unit has it.
        name: theirs, as readers know it.
        contact: whom readers of a release may ask.
        place: address of the place in the catalogue of a release; None leaves it out.
        words: word of our Swedish texts → this organisation's own, form by form, in lower case.
        municipality_codes: unit, or the whole → the four digits of a municipality; empty where none is one.
        groups: may be none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    name: Name
    contact: str = Field(min_length=1, max_length=120)
    place: str | None = Field(None, pattern=r"^https?://\S+$")
    words: Mapping[_Word, _Word] = Field(default_factory=dict)
    municipality_codes: Mapping[Code, Annotated[str, StringConstraints(pattern=r"^\d{4}$")]] = Field(
        default_factory=dict
    )
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, listed in (
            ("unit is in two groups", [unit for group in self.groups for unit in group.units]),
            ("group is there twice", [group.name for group in self.groups]),
            ("municipality code is two units'", list(self.municipality_codes.values())),
        ):
            twice = [one for one, count in Counter(listed).items() if count > 1]
            if twice:
                raise ValueError(f"a {what}: {twice[0]}")
        upper = next((word for word in self.words if word != word.lower()), None)
        if upper is not None:
            raise ValueError(f"write {upper} in lower case: a text's capital letter is found all the same")
        return self

    def group_of(self, unit: str) -> str | None:
        """The name of a unit's group; None where it is in none."""
        return next((group.name for group in self.groups if unit in group.units), None)


def organisation_folder() -> Path:
    """The folder of the organisation, absolute."""
    # the copy of a contract that is tried has the organisation in it
    return deployed_folder() if DECLARED == ROOT else DEFAULT


def deployed_folder() -> Path:
    """The folder of the organisation that the installation runs with; another where a contract is tried."""
    return _folder(os.environ.get(ORGANISATION) or None)


@lru_cache(maxsize=8)
def _folder(named: str | None) -> Path:
    return Path(named).expanduser().absolute() if named else ROOT / "dbt_project" / "organisation"


def load_organisation() -> Organisation:
    """The organisation of this process.

    Raises:
        OrganisationError: its file is missing or wrong.
    """
    return _read(organisation_folder())


@lru_cache(maxsize=8)
def _read(folder: Path) -> Organisation:
    path = folder / FILE
    try:
        return Organisation.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        place, said = first_complaint(error)
        complaint = f"{'.'.join(place)}: {said}" if place else said
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        complaint = f"can't be read as TOML in UTF-8 ({error})"
    except OSError as error:
        complaint = f"can't be read ({error.strerror}): {ORGANISATION} names the folder that has it"
    raise OrganisationError(f"{path}: {complaint}")


def whole_code() -> str:
    """The code of all units together: `stockholm`."""
    return load_organisation().code


def own_words(text: str) -> str:
    """A Swedish text of ours in the words of the organisation; code between backticks stays, `{whole}` is its code."""
    if _WHOLE in text:
        text = text.replace(_WHOLE, whole_code())
    words = load_organisation().words
    if not words:
        return text
    pattern = _pattern(tuple(words))

    def own(found: re.Match[str]) -> str:
        said = words[found[0].lower()]
        return said[:1].upper() + said[1:] if found[0][:1].isupper() else said

    return _TEXT.sub(lambda part: part[0] if part[0][0] == "`" else pattern.sub(own, part[0]), text)


@lru_cache(maxsize=4)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![\w/.=-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w/=-])", re.IGNORECASE)
